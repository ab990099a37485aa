/* A session: its life, the bytes in and out, the threads, the stop that is waited for. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A client that asks for this much and reads nothing is no debugger. */
enum { OUTPUT_LIMIT = 32 << 20 };

struct gdbstub *gdbstub_create(const struct gdbstub_arch *arch, const struct gdbstub_ops *ops, void *ctx)
{
	struct gdbstub *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->arch = arch;
	s->ops = ops;
	s->ctx = ctx;
	s->in.data = malloc(GDBSTUB_PACKET_SIZE);
	s->scratch = malloc(GDBSTUB_PACKET_SIZE);
	if (!s->in.data || !s->scratch) {
		gdbstub_destroy(s);
		return NULL;
	}
	return s;
}

void gdbstub_destroy(struct gdbstub *s)
{
	if (!s)
		return;
	gdbstub_buf_free(&s->out);
	gdbstub_buf_free(&s->last);
	gdbstub_buf_free(&s->console);
	gdbstub_buf_free(&s->xfer);
	for (unsigned i = 0; i < GDBSTUB_SAVED; i++)
		gdbstub_buf_free(&s->saved[i]);
	free(s->in.data);
	free(s->scratch);
	free(s->tids);
	free(s->told);
	free(s->xml);
	free(s->stops);
	free(s);
}

int gdbstub_feed(struct gdbstub *s, const void *buf, size_t len)
{
	const char *p = buf;

	for (size_t i = 0; i < len && !s->over; i++) {
		gdbstub_frame_byte(s, p[i]);
		if (s->out.failed || s->last.failed || s->out.len - s->out_sent > OUTPUT_LIMIT)
			s->over = true;
	}
	return s->over ? -ECONNRESET : 0;
}

size_t gdbstub_output(struct gdbstub *s, const void **buf)
{
	*buf = s->out.data ? s->out.data + s->out_sent : NULL;
	return s->out.len - s->out_sent;
}

void gdbstub_sent(struct gdbstub *s, size_t len)
{
	size_t left = s->out.len - s->out_sent;

	s->out_sent += len < left ? len : left;
	if (s->out_sent == s->out.len) {
		s->out.len = s->out_sent = 0;
	} else if (s->out_sent > s->out.len / 2) {
		s->out.len -= s->out_sent;
		memmove(s->out.data, s->out.data + s->out_sent, s->out.len);
		s->out_sent = 0;
	}
}

void gdbstub_report_stop(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	if (!s->running && s->nonstop && !s->over)
		gdbstub_notify_stop(s, stop);
	if (!s->running || s->over)
		return;
	s->running = false;
	if (!s->silent_start)
		gdbstub_send_stop(s, stop);
	s->silent_start = false;
}

void gdbstub_report_refusal(struct gdbstub *s, int code, const char *text)
{
	if (!s->running || s->over)
		return;
	s->running = false;
	s->gone = s->extended;
	if (!s->silent_start)
		gdbstub_reply_error(s, code, "%s", text);
	s->silent_start = false;
}

bool gdbstub_extended(const struct gdbstub *s)
{
	return s->extended;
}

bool gdbstub_gone(const struct gdbstub *s)
{
	return s->gone;
}

void gdbstub_disconnect(struct gdbstub *s)
{
	bool first = !s->over || !s->detached;

	s->over = true;
	s->running = false;
	if (first && s->ops->clear_points)
		s->ops->clear_points(s->ctx);
}

bool gdbstub_running(const struct gdbstub *s)
{
	return s->running;
}

bool gdbstub_detached(const struct gdbstub *s)
{
	return s->detached;
}

void gdbstub_set_trace(struct gdbstub *s, void (*cb)(void *ctx, char dir, const char *data, size_t len), void *ctx)
{
	s->trace = cb;
	s->trace_ctx = ctx;
}

/* --- console text */

enum { CONSOLE_CHUNK = 1024 };

/* Does not count as the answer to the packet in hand. */
void gdbstub_console_flush(struct gdbstub *s)
{
	bool replied = s->replied;

	for (size_t at = 0; at < s->console.len; at += CONSOLE_CHUNK) {
		size_t n = s->console.len - at;
		gdbstub_reply_begin(s);
		gdbstub_reply_raw(s, "O", 1);
		gdbstub_reply_hex(s, s->console.data + at, n < CONSOLE_CHUNK ? n : CONSOLE_CHUNK);
		gdbstub_reply_end(s);
	}
	s->console.len = 0;
	s->replied = replied;
}

void gdbstub_monitor_print(struct gdbstub *s, const char *text, size_t len)
{
	if (s->over || (!s->in_monitor && !s->running))
		return; /* the client would take it for the answer to something else */
	gdbstub_buf_add(&s->console, text, len);
	if (!s->in_monitor || s->console.len >= CONSOLE_CHUNK)
		gdbstub_console_flush(s);
}

/* --- threads */

size_t gdbstub_threads(struct gdbstub *s)
{
	size_t n = s->ops->threads && !s->gone ? s->ops->threads(s->ctx, s->tids, s->max_tids) : 0;

	if (n > s->max_tids) {
		int *more = n < SIZE_MAX / sizeof(*more) ? realloc(s->tids, n * sizeof(*more)) : NULL;
		if (more) {
			s->tids = more;
			s->max_tids = n;
			n = s->ops->threads(s->ctx, s->tids, s->max_tids);
		}
	}
	s->ntids = n < s->max_tids ? n : s->max_tids;
	return s->ntids;
}

bool gdbstub_thread_exists(struct gdbstub *s, int tid)
{
	size_t n = gdbstub_threads(s);

	for (size_t i = 0; i < n; i++)
		if (s->tids[i] == tid)
			return true;
	return false;
}

int gdbstub_general_thread(struct gdbstub *s)
{
	if (s->suffix_tid > 0)
		return s->suffix_tid;
	if (s->g_tid > 0 && gdbstub_thread_exists(s, s->g_tid))
		return s->g_tid;
	return gdbstub_threads(s) ? s->tids[0] : 0;
}

/* Never longer than size - 1, whatever the op says. */
void gdbstub_describe_thread(struct gdbstub *s, int tid, char *buf, size_t size)
{
	buf[0] = '\0';
	if (s->ops->thread_info)
		s->ops->thread_info(s->ctx, tid, buf, size);
	buf[size - 1] = '\0';
}
