/* H T and the q/Q families: features, threads, monitor, physical-memory mode. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- features */

static bool has_object(struct gdbstub *s, const char *name)
{
	const void *p;
	size_t n;
	return s->ops->object && s->ops->object(s->ctx, name, "", &p, &n) != -EOPNOTSUPP;
}

void cmd_supported(struct gdbstub *s, struct cursor *a)
{
	s->swbreak = s->hwbreak = s->error_text = false;
	while (cursor_left(a)) {
		a->p++; /* ':' before the first, ';' before the others */
		const char *end = memchr(a->p, ';', cursor_left(a));
		size_t n = end ? (size_t)(end - a->p) : cursor_left(a);
		s->swbreak |= n == 8 && memcmp(a->p, "swbreak+", n) == 0;
		s->hwbreak |= n == 8 && memcmp(a->p, "hwbreak+", n) == 0;
		s->error_text |= n == 14 && memcmp(a->p, "error-message+", n) == 0;
		a->p += n;
	}
	gdbstub_buf_printf(&s->reply,
			   "PacketSize=%x;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+;qXfer:features:read+;"
			   "qXfer:threads:read+;binary-upload+;error-message+",
			   GDBSTUB_PACKET_SIZE);
	if (has_object(s, "memory-map"))
		reply_text(s, ";qXfer:memory-map:read+");
	if (has_object(s, "exec-file"))
		reply_text(s, ";qXfer:exec-file:read+");
}

void cmd_no_ack(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	s->no_ack_next = true;
	reply_text(s, "OK");
}

void cmd_attached(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	reply_text(s, "1");
}

void cmd_symbol(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	reply_text(s, "OK"); /* no symbols wanted */
}

void cmd_offsets(struct gdbstub *s, struct cursor *a)
{
	uint64_t bias;

	(void)a;
	if (s->ops->offsets && s->ops->offsets(s->ctx, &bias) == 0)
		gdbstub_buf_printf(&s->reply, "Text=%llx;Data=%llx;Bss=%llx", (unsigned long long)bias,
				   (unsigned long long)bias, (unsigned long long)bias);
}

/* --- threads */

static bool is_alive(struct gdbstub *s, int tid)
{
	int *tids;
	size_t n = all_tids(s, &tids);
	bool alive = false;

	for (size_t i = 0; i < n; i++)
		alive |= tids[i] == tid;
	free(tids);
	return alive;
}

void cmd_set_thread(struct gdbstub *s, struct cursor *a)
{
	bool g = cursor_take(a, 'g');
	int tid;

	if ((!g && !cursor_take(a, 'c')) || !cursor_tid(a, &tid) || cursor_left(a)) {
		reply_malformed(s);
		return;
	}
	if (tid > 0 && !is_alive(s, tid)) {
		reply_error(s, ESRCH, NULL);
		return;
	}
	if (!g)
		s->c_tid = tid;
	else if (tid > 0) /* any or all: stay where the last stop was */
		s->g_tid = tid;
	reply_text(s, "OK");
}

void cmd_thread_alive(struct gdbstub *s, struct cursor *a)
{
	int tid;

	if (!cursor_tid(a, &tid) || cursor_left(a))
		reply_malformed(s);
	else
		reply_result(s, is_alive(s, tid) ? 0 : -ESRCH, NULL);
}

void cmd_current_thread(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	gdbstub_buf_printf(&s->reply, "QC%x", (unsigned)current_tid(s));
}

void cmd_first_threads(struct gdbstub *s, struct cursor *a)
{
	int *tids;
	size_t n = all_tids(s, &tids);

	(void)a;
	for (size_t i = 0; i < n; i++)
		gdbstub_buf_printf(&s->reply, "%c%x", i ? ',' : 'm', (unsigned)tids[i]);
	free(tids);
}

void cmd_next_threads(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	reply_text(s, "l");
}

void cmd_thread_info(struct gdbstub *s, struct cursor *a)
{
	char text[256] = "";
	int tid;

	if (!cursor_tid(a, &tid) || cursor_left(a)) {
		reply_malformed(s);
		return;
	}
	if (!is_alive(s, tid)) {
		reply_error(s, ESRCH, NULL);
		return;
	}
	if (s->ops->thread_info)
		s->ops->thread_info(s->ctx, tid, text, sizeof(text));
	reply_hex(s, text, strlen(text));
}

/* --- monitor */

void gdbstub_monitor_print(struct gdbstub *s, const char *text, size_t len)
{
	enum { CHUNK = 4096 };
	struct gdbstub_buf b = {0};

	for (size_t at = 0; at < len; at += CHUNK) {
		size_t n = len - at < CHUNK ? len - at : CHUNK;
		char *to = gdbstub_buf_room(&b, 2 * n + 1);
		if (!to)
			break;
		*to = 'O';
		gdbstub_hex_encode(to + 1, text + at, n);
		gdbstub_send(s, to, 2 * n + 1, false);
	}
	free(b.data);
}

void cmd_monitor(struct gdbstub *s, struct cursor *a)
{
	struct gdbstub_err err = {0};
	char cmd[4096];

	if (cursor_left(a) / 2 >= sizeof(cmd)) {
		reply_error(s, E2BIG, NULL);
		return;
	}
	ssize_t n = gdbstub_hex_decode(cmd, a->p, cursor_left(a));
	if (n < 0) {
		reply_malformed(s);
		return;
	}
	cmd[n] = '\0';
	int r = s->ops->monitor ? s->ops->monitor(s->ctx, s, cmd, &err) : -EOPNOTSUPP;
	s->reply.len = 0;
	if (r < 0 && err.text[0] && !s->error_text) {
		/* a client that cannot read E.text would only show a number */
		size_t len = strlen(err.text);
		err.text[len < sizeof(err.text) - 1 ? len : len - 1] = '\n';
		gdbstub_monitor_print(s, err.text, len < sizeof(err.text) - 1 ? len + 1 : len);
		r = 0;
	}
	reply_result(s, r, &err);
}

/* --- physical-memory mode, as QEMU's stub has it */

void cmd_phys_mode(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	if (s->ops->get_phys_mode)
		reply_text(s, s->ops->get_phys_mode(s->ctx) ? "1" : "0");
}

void cmd_set_phys_mode(struct gdbstub *s, struct cursor *a)
{
	uint64_t on;

	if (!s->ops->set_phys_mode)
		return;
	if (!cursor_hex(a, &on) || cursor_left(a) || on > 1)
		reply_malformed(s);
	else
		reply_result(s, s->ops->set_phys_mode(s->ctx, on), NULL);
}
