/* What tracing has brought: status, definitions for a client that has none, frames ("Tracepoint Packets", "Trace File Format").
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static const struct gdbstub_trace_ops *status(struct gdbstub *s, struct gdbstub_trace_status *st)
{
	memset(st, 0, sizeof(*st));
	if (s->ops->tracing && s->ops->tracing->status(s->ctx, st) >= 0)
		return s->ops->tracing;
	gdbstub_reply(s, "");
	return NULL;
}

GDBSTUB_HANDLER(trace_status)
{
	struct gdbstub_trace_status st;

	(void)c;
	if (!status(s, &st))
		return;
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "T%d;%s:", st.running, st.end);
	if (strcmp(st.end, "tstop") == 0 || strcmp(st.end, "terror") == 0) { /* these have a text, if only an empty one */
		gdbstub_reply_hex(s, st.text, strlen(st.text));
		gdbstub_reply_fmt(s, ":");
	}
	gdbstub_reply_fmt(s, "%x;tframes:%" PRIx64 ";tcreated:%" PRIx64 ";tfree:%" PRIx64 ";tsize:%" PRIx64, st.point,
			  st.frames, st.created, st.free, st.size);
	gdbstub_reply_fmt(s, ";circular:%d;disconn:%d;starttime:%" PRIx64 ";stoptime:%" PRIx64 ";username:", st.circular,
			  st.disconnected, st.start, st.stop);
	if (st.user)
		gdbstub_reply_hex(s, st.user, strlen(st.user));
	gdbstub_reply_fmt(s, ":;notes:");
	if (st.notes)
		gdbstub_reply_hex(s, st.notes, strlen(st.notes));
	gdbstub_reply_fmt(s, ":");
	gdbstub_reply_end(s);
}

static bool find_point(struct gdbstub *s, const struct gdbstub_trace_ops *t, unsigned number, uint64_t addr,
		       struct gdbstub_tracepoint *p)
{
	for (size_t i = 0; t->point(s->ctx, i, p); i++)
		if (p->number == number && p->addr == addr)
			return true;
	return false;
}

/* :NUMBER:ADDR */
GDBSTUB_HANDLER(trace_hits)
{
	struct gdbstub_trace_status st;
	struct gdbstub_tracepoint p = {0};
	const struct gdbstub_trace_ops *t = status(s, &st);
	unsigned number;
	uint64_t addr;

	if (!t)
		return;
	gdbstub_cur_expect(c, ':');
	number = (unsigned)gdbstub_cur_hex_max(c, UINT16_MAX);
	gdbstub_cur_expect(c, ':');
	addr = gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (!find_point(s, t, number, addr, &p))
		p.hits = p.usage = 0;
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "V%" PRIx64 ":%" PRIx64, p.hits, p.usage);
	gdbstub_reply_end(s);
}

/* :NUMBER */
GDBSTUB_HANDLER(trace_value)
{
	struct gdbstub_trace_status st;
	const struct gdbstub_trace_ops *t = status(s, &st);
	uint64_t value, number;

	if (!t)
		return;
	gdbstub_cur_expect(c, ':');
	number = gdbstub_cur_hex_max(c, UINT16_MAX);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (t->value(s->ctx, (unsigned)number, &value) < 0) {
		gdbstub_reply(s, "U");
		return;
	}
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "V%" PRIx64, value);
	gdbstub_reply_end(s);
}

/* The definition at the cursor, which moves on: a line about the point itself, then its pieces. */
static void send_point(struct gdbstub *s, const struct gdbstub_trace_ops *t)
{
	struct gdbstub_tracepoint p;
	const char *text;

	while (t->point(s->ctx, s->trace_at, &p)) {
		if (s->trace_piece++ == 0) {
			gdbstub_reply_begin(s);
			gdbstub_reply_fmt(s, "T%x:%" PRIx64 ":%c:%" PRIx64 ":%" PRIx64, p.number, p.addr, p.enabled ? 'E' : 'D',
					  p.steps, p.pass);
			if (p.cond.len) {
				gdbstub_reply_fmt(s, ":X%zx,", p.cond.len);
				gdbstub_reply_hex(s, p.cond.code, p.cond.len);
			}
			gdbstub_reply_end(s);
			return;
		}
		text = t->point_text(s->ctx, s->trace_at, s->trace_piece - 2);
		if (text) {
			gdbstub_reply(s, text);
			return;
		}
		s->trace_at++;
		s->trace_piece = 0;
	}
	gdbstub_reply(s, "l");
}

GDBSTUB_HANDLER(trace_next_point)
{
	struct gdbstub_trace_status st;
	const struct gdbstub_trace_ops *t = status(s, &st);

	(void)c;
	if (t)
		send_point(s, t);
}

GDBSTUB_HANDLER(trace_first_point)
{
	s->trace_at = s->trace_piece = 0;
	gdbstub_cmd_trace_next_point(s, c);
}

GDBSTUB_HANDLER(trace_next_var)
{
	struct gdbstub_trace_status st;
	const struct gdbstub_trace_ops *t = status(s, &st);
	const char *name;
	unsigned number;
	uint64_t initial;

	(void)c;
	if (!t)
		return;
	name = t->var(s->ctx, s->trace_at++, &number, &initial);
	if (!name) {
		gdbstub_reply(s, "l");
		return;
	}
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "%x:%" PRIx64 ":%d:", number, initial, number == 1);
	gdbstub_reply_hex(s, name, strlen(name));
	gdbstub_reply_end(s);
}

GDBSTUB_HANDLER(trace_first_var)
{
	s->trace_at = 0;
	gdbstub_cmd_trace_next_var(s, c);
}

/* NUMBER, or pc:ADDR, tdp:NUMBER, range:START:END, outside:START:END */
static bool parse_find(struct gdbstub_cur *c, struct gdbstub_trace_find *f)
{
	static const struct {
		const char *name;
		int by;
		bool two;
	} kinds[] = {{"pc", GDBSTUB_FIND_PC, false},
		     {"tdp", GDBSTUB_FIND_POINT, false},
		     {"range", GDBSTUB_FIND_INSIDE, true},
		     {"outside", GDBSTUB_FIND_OUTSIDE, true}};
	struct gdbstub_cur whole = *c, what = gdbstub_cur_until(c, ':');

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!gdbstub_cur_is(&what, kinds[i].name))
			continue;
		f->by = kinds[i].by;
		f->a = gdbstub_cur_hex(c);
		if (kinds[i].two) {
			gdbstub_cur_expect(c, ':');
			f->b = gdbstub_cur_hex(c);
		}
		return gdbstub_cur_done(c);
	}
	*c = whole;
	f->a = gdbstub_cur_hex(c);
	f->by = f->a == UINT32_MAX ? GDBSTUB_FIND_LIVE : GDBSTUB_FIND_NUMBER;
	return gdbstub_cur_done(c);
}

GDBSTUB_HANDLER(trace_frame)
{
	struct gdbstub_trace_status st;
	struct gdbstub_trace_find f = {0};
	const struct gdbstub_trace_ops *t = status(s, &st);
	unsigned point = 0;
	int64_t n;

	if (!t)
		return;
	gdbstub_cur_expect(c, ':');
	if (!parse_find(c, &f)) {
		gdbstub_reply_malformed(s);
		return;
	}
	n = t->find(s->ctx, &f, &point);
	if (f.by == GDBSTUB_FIND_LIVE) {
		gdbstub_reply(s, "OK");
	} else if (n < 0) {
		gdbstub_reply(s, "F-1");
	} else {
		gdbstub_reply_begin(s);
		gdbstub_reply_fmt(s, "F%" PRIx64 "T%x", (uint64_t)n, point);
		gdbstub_reply_end(s);
	}
}

/* :OFFSET,LENGTH */
GDBSTUB_HANDLER(trace_raw)
{
	struct gdbstub_trace_status st;
	const struct gdbstub_trace_ops *t = status(s, &st);
	uint64_t off, len;
	size_t n;

	if (!t)
		return;
	gdbstub_cur_expect(c, ':');
	off = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	len = gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	n = t->raw(s->ctx, off, s->scratch, len < GDBSTUB_PACKET_SIZE / 2 ? (size_t)len : GDBSTUB_PACKET_SIZE / 2);
	if (!n) {
		gdbstub_reply(s, "l");
		return;
	}
	gdbstub_reply_begin(s);
	gdbstub_reply_hex(s, s->scratch, n);
	gdbstub_reply_end(s);
}
