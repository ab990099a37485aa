/* Non-stop: stops are told by notifications, one at a time; the client fetches those behind it by vStopped. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool append(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	if (s->nstops == s->max_stops) {
		size_t max = s->max_stops ? 2 * s->max_stops : 16;
		struct gdbstub_stop *more = reallocarray(s->stops, max, sizeof(*more));
		if (!more) {
			s->over = true;
			return false;
		}
		s->stops = more;
		s->max_stops = max;
	}
	s->stops[s->nstops++] = *stop;
	return true;
}

static void notify_first(struct gdbstub *s)
{
	gdbstub_notify_begin(s);
	gdbstub_put_stop(s, &s->stops[0]);
	gdbstub_notify_end(s);
}

void gdbstub_notify_stop(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	if (!s->gone && append(s, stop) && s->nstops == 1)
		notify_first(s);
}

/* The first in the queue as an answer, "OK" when there is none. */
static void send_first(struct gdbstub *s)
{
	if (s->nstops)
		gdbstub_send_stop(s, &s->stops[0]);
	else
		gdbstub_reply(s, "OK");
}

GDBSTUB_HANDLER(stopped)
{
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (s->nstops)
		memmove(s->stops, s->stops + 1, --s->nstops * sizeof(*s->stops));
	if (!s->more_stops) {
		send_first(s);
		return;
	}
	s->more_stops = false;
	gdbstub_reply(s, "OK");
	if (s->nstops)
		notify_first(s);
}

/* gdb 13 dies of an assertion of its own when it is told of more than one thread here: such a client hears of the others right
 * afterwards. */
void gdbstub_list_stops(struct gdbstub *s)
{
	size_t n = gdbstub_threads(s);
	int first = gdbstub_general_thread(s);
	struct gdbstub_stop stop;

	s->nstops = 0;
	s->more_stops = !(s->features & GDBSTUB_CLIENT_ERROR_MESSAGE);
	if (first && s->ops->thread_stop(s->ctx, first, &stop) == 0 && !append(s, &stop))
		return;
	for (size_t i = 0; i < n; i++)
		if (s->tids[i] != first && s->ops->thread_stop(s->ctx, s->tids[i], &stop) == 0 && !append(s, &stop))
			return;
	send_first(s);
}

GDBSTUB_HANDLER(non_stop)
{
	bool on = gdbstub_cur_is(c, ":1");
	int ret;

	if (!on && !gdbstub_cur_is(c, ":0")) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (on != s->nonstop) {
		ret = s->ops->set_nonstop && s->ops->thread_stop ? s->ops->set_nonstop(s->ctx, on) : -EOPNOTSUPP;
		if (ret < 0) {
			gdbstub_reply_error(s, ret, "%s", ret == -EBUSY ? "a thread runs" : "all threads stop together here");
			return;
		}
	}
	s->nonstop = on;
	s->nstops = 0;
	s->more_stops = false;
	gdbstub_reply(s, "OK");
}

bool gdbstub_nonstop(const struct gdbstub *s)
{
	return s->nonstop;
}

bool gdbstub_wants_stops(const struct gdbstub *s)
{
	return s->running || (s->nonstop && !s->gone && !s->over);
}

bool gdbstub_all_told(const struct gdbstub *s)
{
	return s->nstops == 0;
}
