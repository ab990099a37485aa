/* One session: its life, bytes in, bytes out. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

struct gdbstub *gdbstub_create(const struct gdbstub_arch *arch, const struct gdbstub_ops *ops, void *ctx)
{
	struct gdbstub *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->packet = malloc(GDBSTUB_PACKET_SIZE + 1);
	if (!s->packet) {
		free(s);
		return NULL;
	}
	s->arch = arch;
	s->ops = ops;
	s->ctx = ctx;
	return s;
}

void gdbstub_destroy(struct gdbstub *s)
{
	if (!s)
		return;
	free(s->packet);
	free(s->out.data);
	free(s->last.data);
	free(s->reply.data);
	free(s->xml);
	free(s->threads_xml);
	free(s->resume);
	free(s);
}

int gdbstub_feed(struct gdbstub *s, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	for (size_t i = 0; i < len && !s->over; i++)
		if (gdbstub_rx_byte(s, p[i]))
			gdbstub_dispatch(s);
	return s->over || s->out.failed || s->reply.failed ? -ECONNRESET : 0;
}

size_t gdbstub_output(struct gdbstub *s, const void **buf)
{
	*buf = s->out.data + s->out_sent;
	return s->out.len - s->out_sent;
}

void gdbstub_sent(struct gdbstub *s, size_t len)
{
	size_t queued = s->out.len - s->out_sent;

	s->out_sent += len < queued ? len : queued;
}

void gdbstub_disconnect(struct gdbstub *s)
{
	if (!s->detached && s->ops->clear_points)
		s->ops->clear_points(s->ctx);
	s->over = true;
	s->running = false;
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
