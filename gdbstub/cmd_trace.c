/* Tracepoints as they are defined: QT... ("Tracepoint Packets"). */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void answer(struct gdbstub *s, int ret, const struct gdbstub_err *err)
{
	if (ret < 0)
		gdbstub_reply_op_error(s, ret, err);
	else
		gdbstub_reply(s, "OK");
}

static const struct gdbstub_trace_ops *ops(struct gdbstub *s)
{
	struct gdbstub_trace_status st;

	return s->ops->tracing && s->ops->tracing->status(s->ctx, &st) >= 0 ? s->ops->tracing : NULL;
}

void gdbstub_announce_tracing(struct gdbstub *s)
{
	if (ops(s))
		gdbstub_reply_fmt(s, ";ConditionalTracepoints+;TracepointSource+;EnableDisableTracepoints+;DisconnectedTracing+"
				     ";tracenz+;QTBuffer:size+");
}

/* Every handler begins so: without tracing the packet is unknown. */
#define TRACING(t)                                  \
	const struct gdbstub_trace_ops *t = ops(s); \
	if (!t) {                                   \
		gdbstub_reply(s, "");               \
		return;                             \
	}

GDBSTUB_HANDLER(trace_init)
{
	struct gdbstub_err err = {0};

	TRACING(t)
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->init(s->ctx, s->arch->ng), &err);
}

/* X LEN,HEX; to what, as far as scratch has room. */
static bool take_expr(struct gdbstub *s, struct gdbstub_cur *c, struct gdbstub_expr *e)
{
	uint64_t len = gdbstub_cur_hex(c);

	gdbstub_cur_expect(c, ',');
	if (c->bad || !len || len > gdbstub_cur_left(c) / 2 || gdbstub_hex_decode(s->scratch, c->p, (size_t)len * 2) < 0)
		return false;
	*e = (struct gdbstub_expr){(const uint8_t *)s->scratch, (size_t)len};
	c->p += len * 2;
	return true;
}

/* R MASK: most significant digit first. */
static bool take_mask(struct gdbstub *s, struct gdbstub_cur *c, struct gdbstub_expr *e)
{
	const char *start = c->p;
	size_t n = 0;

	while (gdbstub_cur_left(c) && gdbstub_hex_digit(*c->p) >= 0)
		c->p++, n++;
	if (!n || n > 1024)
		return false;
	memset(s->scratch, 0, (n + 1) / 2);
	for (size_t i = 0; i < n; i++) {
		unsigned digit = (unsigned)gdbstub_hex_digit(start[n - 1 - i]);
		s->scratch[i / 2] = (char)((unsigned char)s->scratch[i / 2] | digit << (i % 2 ? 4 : 0));
	}
	*e = (struct gdbstub_expr){(const uint8_t *)s->scratch, (n + 1) / 2};
	return true;
}

/* M BASE,OFFSET,LENGTH; a base of -1 is none. */
static bool take_memory(struct gdbstub_cur *c, struct gdbstub_trace_action *a)
{
	bool negative = gdbstub_cur_accept(c, '-');
	uint64_t base = gdbstub_cur_hex_max(c, UINT32_MAX);

	a->base = negative || base == UINT32_MAX ? -1 : (int)(base & INT32_MAX);
	gdbstub_cur_expect(c, ',');
	a->offset = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	a->len = gdbstub_cur_hex(c);
	return !c->bad && (!negative || base == 1);
}

static bool take_action(struct gdbstub *s, struct gdbstub_cur *c, struct gdbstub_trace_action *a)
{
	if (gdbstub_cur_accept(c, 'R')) {
		a->what = GDBSTUB_COLLECT_REGS;
		return take_mask(s, c, &a->e);
	}
	if (gdbstub_cur_accept(c, 'M')) {
		a->what = GDBSTUB_COLLECT_MEM;
		return take_memory(c, a);
	}
	a->what = GDBSTUB_COLLECT_EXPR;
	return gdbstub_cur_accept(c, 'X') && take_expr(s, c, &a->e);
}

/* One piece for clients to come: kind NUMBER:ADDR:TEXT. */
static int keep(struct gdbstub *s, const struct gdbstub_trace_ops *t, char kind, unsigned number, uint64_t addr,
		const char *text, size_t len, struct gdbstub_err *err)
{
	char head[48];
	int n = snprintf(head, sizeof(head), "%c%x:%" PRIx64 ":", kind, number, addr);

	if (n < 0 || (size_t)n + len > GDBSTUB_PACKET_SIZE)
		return -E2BIG;
	memcpy(s->scratch, head, (size_t)n);
	memcpy(s->scratch + n, text, len);
	return t->text(s->ctx, number, addr, s->scratch, (size_t)n + len, err);
}

/* :-NUMBER:ADDR:[S]ACTION...[-] */
static void define_actions(struct gdbstub *s, const struct gdbstub_trace_ops *t, struct gdbstub_cur *c)
{
	struct gdbstub_err err = {0};
	unsigned number = (unsigned)gdbstub_cur_hex_max(c, UINT16_MAX);
	uint64_t addr;
	int ret = 0;

	gdbstub_cur_expect(c, ':');
	addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ':');
	s->trace_stepping |= gdbstub_cur_accept(c, 'S'); /* and so are those that follow */
	while (!c->bad && ret == 0 && gdbstub_cur_left(c) && *c->p != '-') {
		struct gdbstub_trace_action a = {.stepping = s->trace_stepping};
		const char *start = c->p;
		if (!take_action(s, c, &a)) {
			gdbstub_reply_malformed(s);
			return;
		}
		ret = t->action(s->ctx, number, addr, &a, &err);
		if (ret == 0)
			ret = keep(s, t, a.stepping ? 'S' : 'A', number, addr, start, (size_t)(c->p - start), &err);
	}
	if (ret == 0)
		gdbstub_cur_accept(c, '-'); /* more will come */
	if (ret == 0 && !gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, ret, &err);
}

/* :NUMBER:ADDR:E|D:STEP:PASS[:F LEN][:S][:X LEN,HEX][-] */
GDBSTUB_HANDLER(trace_define)
{
	struct gdbstub_tracepoint p = {0};
	struct gdbstub_err err = {0};
	bool fast = false;

	TRACING(t)
	gdbstub_cur_expect(c, ':');
	if (gdbstub_cur_accept(c, '-')) {
		define_actions(s, t, c);
		return;
	}
	p.number = (unsigned)gdbstub_cur_hex_max(c, UINT16_MAX);
	gdbstub_cur_expect(c, ':');
	p.addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ':');
	p.enabled = gdbstub_cur_accept(c, 'E');
	if (!p.enabled)
		gdbstub_cur_expect(c, 'D');
	gdbstub_cur_expect(c, ':');
	p.steps = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ':');
	p.pass = gdbstub_cur_hex(c);
	while (!c->bad && gdbstub_cur_accept(c, ':')) {
		if (gdbstub_cur_accept(c, 'X'))
			c->bad |= !take_expr(s, c, &p.cond);
		else
			fast = true, c->p = c->end;
	}
	gdbstub_cur_accept(c, '-');
	s->trace_stepping = false;
	if (fast)
		gdbstub_reply_error(s, EOPNOTSUPP, "fast and static tracepoints need code in the program");
	else if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->define(s->ctx, &p, &err), &err);
}

/* :NUMBER:ADDR:TYPE:START:LENGTH:HEX, kept as it is */
GDBSTUB_HANDLER(trace_source)
{
	struct gdbstub_err err = {0};
	unsigned number;
	uint64_t addr;

	TRACING(t)
	gdbstub_cur_expect(c, ':');
	number = (unsigned)gdbstub_cur_hex_max(c, UINT16_MAX);
	gdbstub_cur_expect(c, ':');
	addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ':');
	if (c->bad)
		gdbstub_reply_malformed(s);
	else
		answer(s, keep(s, t, 'Z', number, addr, c->p, gdbstub_cur_left(c), &err), &err);
}

/* :NUMBER:INITIAL:BUILTIN:NAME-IN-HEX */
GDBSTUB_HANDLER(trace_variable)
{
	struct gdbstub_err err = {0};
	unsigned number;
	uint64_t initial;
	char name[256];

	TRACING(t)
	gdbstub_cur_expect(c, ':');
	number = (unsigned)gdbstub_cur_hex_max(c, UINT16_MAX);
	gdbstub_cur_expect(c, ':');
	initial = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ':');
	gdbstub_cur_hex_max(c, 1);
	gdbstub_cur_expect(c, ':');
	gdbstub_cur_hex_text(c, name, sizeof(name));
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->variable(s->ctx, number, initial, name, &err), &err);
}

/* :START,END:... */
GDBSTUB_HANDLER(trace_readonly)
{
	struct gdbstub_err err = {0};
	int ret = 0;

	TRACING(t)
	while (ret == 0 && gdbstub_cur_accept(c, ':') && gdbstub_cur_left(c)) {
		uint64_t start = gdbstub_cur_hex(c), end;
		gdbstub_cur_expect(c, ',');
		end = gdbstub_cur_hex(c);
		if (c->bad)
			break;
		ret = t->readonly(s->ctx, start, end, &err);
	}
	if (ret == 0 && !gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, ret, &err);
}

static void enable(struct gdbstub *s, struct gdbstub_cur *c, bool on)
{
	struct gdbstub_err err = {0};
	unsigned number;
	uint64_t addr;

	TRACING(t)
	gdbstub_cur_expect(c, ':');
	number = (unsigned)gdbstub_cur_hex_max(c, UINT16_MAX);
	gdbstub_cur_expect(c, ':');
	addr = gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->enable(s->ctx, number, addr, on), &err);
}

GDBSTUB_HANDLER(trace_enable)
{
	enable(s, c, true);
}

GDBSTUB_HANDLER(trace_disable)
{
	enable(s, c, false);
}

GDBSTUB_HANDLER(trace_start)
{
	struct gdbstub_err err = {0};

	TRACING(t)
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->start(s->ctx, &err), &err);
}

GDBSTUB_HANDLER(trace_stop)
{
	struct gdbstub_err err = {0};

	TRACING(t)
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->stop(s->ctx), &err);
}

GDBSTUB_HANDLER(trace_disconnected)
{
	struct gdbstub_err err = {0};
	uint64_t on;

	TRACING(t)
	gdbstub_cur_expect(c, ':');
	on = gdbstub_cur_hex_max(c, 1);
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->option(s->ctx, GDBSTUB_TRACE_DISCONNECTED, on), &err);
}

/* :circular:0|1, :size:N, :size:-1 */
GDBSTUB_HANDLER(trace_buffer)
{
	struct gdbstub_err err = {0};
	struct gdbstub_cur what;
	uint64_t value;
	bool size;

	TRACING(t)
	gdbstub_cur_expect(c, ':');
	what = gdbstub_cur_until(c, ':');
	size = gdbstub_cur_is(&what, "size");
	if (!size && !gdbstub_cur_is(&what, "circular")) {
		gdbstub_reply(s, "");
		return;
	}
	if (size && gdbstub_cur_accept(c, '-')) {
		gdbstub_cur_expect(c, '1');
		value = 0;
	} else {
		value = gdbstub_cur_hex_max(c, size ? UINT64_MAX : 1);
	}
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		answer(s, t->option(s->ctx, size ? GDBSTUB_TRACE_SIZE : GDBSTUB_TRACE_CIRCULAR, value), &err);
}

/* :WHICH:HEX;... */
GDBSTUB_HANDLER(trace_notes)
{
	static const char *const names[] = {"user", "notes", "tstop"};
	struct gdbstub_err err = {0};
	int ret = 0;

	TRACING(t)
	gdbstub_cur_expect(c, ':');
	while (ret == 0 && !c->bad && gdbstub_cur_left(c)) {
		struct gdbstub_cur one = gdbstub_cur_until(c, ';'), which = gdbstub_cur_until(&one, ':');
		char text[256];
		gdbstub_cur_hex_text(&one, text, sizeof(text));
		c->bad |= one.bad;
		for (size_t i = 0; !c->bad && ret == 0 && i < sizeof(names) / sizeof(names[0]); i++)
			if (gdbstub_cur_is(&which, names[i]))
				ret = t->note(s->ctx, names[i], text);
	}
	if (c->bad)
		gdbstub_reply_malformed(s);
	else
		answer(s, ret, &err);
}

GDBSTUB_HANDLER(trace_save)
{
	(void)c;
	TRACING(t)
	(void)t;
	gdbstub_reply_error(s, EOPNOTSUPP, "files are written where gdb is: tsave without -r");
}
