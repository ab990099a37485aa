/* ? c s vCont D k, and every stop reply. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int current_tid(struct gdbstub *s)
{
	int first = 1;

	if (s->g_tid > 0)
		return s->g_tid;
	if (s->ops->threads)
		s->ops->threads(s->ctx, &first, 1);
	return first;
}

size_t all_tids(struct gdbstub *s, int **ret)
{
	size_t n = s->ops->threads ? s->ops->threads(s->ctx, NULL, 0) : 1;

	*ret = calloc(n ? n : 1, sizeof(**ret));
	if (!*ret)
		return 0;
	(*ret)[0] = 1;
	size_t now = s->ops->threads ? s->ops->threads(s->ctx, *ret, n) : 1;
	return now < n ? now : n;
}

/* --- stop replies */

static void add_cause(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	switch (stop->kind) {
	case GDBSTUB_STOP_SWBREAK:
		if (s->swbreak)
			reply_text(s, "swbreak:;");
		break;
	case GDBSTUB_STOP_HWBREAK:
		if (s->hwbreak)
			reply_text(s, "hwbreak:;");
		break;
	case GDBSTUB_STOP_WATCH:
		gdbstub_buf_printf(&s->reply, "watch:%llx;", (unsigned long long)stop->addr);
		break;
	case GDBSTUB_STOP_RWATCH:
		gdbstub_buf_printf(&s->reply, "rwatch:%llx;", (unsigned long long)stop->addr);
		break;
	case GDBSTUB_STOP_AWATCH:
		gdbstub_buf_printf(&s->reply, "awatch:%llx;", (unsigned long long)stop->addr);
		break;
	default:
		break;
	}
}

/* pc, sp and fp save the client a g packet at most stops. */
static void add_expedited(struct gdbstub *s, int tid)
{
	unsigned regs[] = {s->arch->fp_reg, s->arch->sp_reg, s->arch->pc_reg};

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		struct gdbstub_err err;
		size_t before = s->reply.len;
		if (regs[i] >= s->arch->nregs)
			continue;
		gdbstub_buf_printf(&s->reply, "%x:", regs[i]);
		size_t value = s->reply.len;
		if (add_reg(s, tid, regs[i], &err) < 0 || s->reply.data[value] == 'x')
			s->reply.len = before;
		else
			reply_text(s, ";");
	}
}

void stop_reply(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	if (stop->kind == GDBSTUB_STOP_EXITED) {
		gdbstub_buf_printf(&s->reply, "W%02x", (unsigned)stop->code & 0xff);
		return;
	}
	if (stop->kind == GDBSTUB_STOP_KILLED) {
		gdbstub_buf_printf(&s->reply, "X%02x", (unsigned)stop->signal & 0xff);
		return;
	}
	s->g_tid = s->c_tid = stop->tid;
	gdbstub_buf_printf(&s->reply, "T%02xthread:%x;", (unsigned)stop->signal & 0xff, (unsigned)stop->tid);
	add_cause(s, stop);
	add_expedited(s, stop->tid);
}

void gdbstub_report_stop(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	if (!s->running)
		return;
	s->running = false;
	s->reply.len = 0;
	stop_reply(s, stop);
	gdbstub_send(s, s->reply.data ? s->reply.data : "", s->reply.len, false);
}

void cmd_why(struct gdbstub *s, struct cursor *a)
{
	struct gdbstub_stop stop = {.kind = GDBSTUB_STOP_SIGNAL, .tid = 1, .signal = 5};
	int r = s->ops->stop_reason ? s->ops->stop_reason(s->ctx, &stop) : 0;

	(void)a;
	if (r == -EBUSY || s->running) { /* it will be answered by the stop itself */
		s->running = true;
		s->quiet = true;
		s->ops->interrupt(s->ctx);
	} else if (r < 0) {
		reply_error(s, r, NULL);
	} else {
		stop_reply(s, &stop);
	}
}

/* --- going on */

static bool prepare(struct gdbstub *s)
{
	int *tids;
	size_t n = all_tids(s, &tids);
	struct gdbstub_resume *r = n ? reallocarray(s->resume, n, sizeof(*r)) : NULL;

	if (r) {
		s->resume = r;
		s->nresume = n;
		for (size_t i = 0; i < n; i++)
			r[i] = (struct gdbstub_resume){.tid = tids[i], .act = GDBSTUB_NONE};
	}
	free(tids);
	return r;
}

static void go(struct gdbstub *s)
{
	struct gdbstub_err err = {0};
	int r = s->ops->resume ? s->ops->resume(s->ctx, s->resume, s->nresume, &err) : -EOPNOTSUPP;

	if (r < 0) {
		reply_error(s, r, &err);
		return;
	}
	s->running = true;
	s->quiet = true;
}

/* c [addr], C sig[;addr], s [addr], S sig[;addr]: the letter is gone, so it is looked at again. */
static void old_resume(struct gdbstub *s, struct cursor *a, bool step)
{
	char letter = s->packet[0];
	uint64_t sig = 0, addr;
	struct gdbstub_err err = {0};

	if ((letter == 'C' || letter == 'S') && !cursor_hex(a, &sig)) {
		reply_malformed(s);
		return;
	}
	if ((letter == 'C' || letter == 'S') && cursor_left(a) && !cursor_take(a, ';')) {
		reply_malformed(s);
		return;
	}
	int only = s->c_tid > 0 ? s->c_tid : step ? current_tid(s) : 0;
	if (cursor_left(a)) {
		uint8_t pc[64] = {0};
		if (!cursor_hex(a, &addr) || cursor_left(a)) {
			reply_malformed(s);
			return;
		}
		memcpy(pc, &addr, sizeof(addr));
		int r = s->ops->write_reg
				? s->ops->write_reg(s->ctx, only > 0 ? only : current_tid(s), s->arch->pc_reg, pc, &err)
				: -EOPNOTSUPP;
		if (r < 0) {
			reply_error(s, r, &err);
			return;
		}
	}
	if (!prepare(s)) {
		reply_error(s, ENOMEM, NULL);
		return;
	}
	for (size_t i = 0; i < s->nresume; i++)
		if (step ? s->resume[i].tid == only : only <= 0 || s->resume[i].tid == only) {
			s->resume[i].act = step ? GDBSTUB_STEP : GDBSTUB_CONT;
			s->resume[i].signal = (int)sig;
		}
	go(s);
}

void cmd_continue(struct gdbstub *s, struct cursor *a)
{
	old_resume(s, a, false);
}

void cmd_step(struct gdbstub *s, struct cursor *a)
{
	old_resume(s, a, true);
}

void cmd_vcont_query(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	reply_text(s, "vCont;c;C;s;S;t;r");
}

/* One action without its thread. */
static bool parse_action(struct cursor *a, struct gdbstub_resume *ret)
{
	uint64_t v, end;

	*ret = (struct gdbstub_resume){0};
	if (a->p == a->end)
		return false;
	switch (*a->p++) {
	case 'C':
		if (!cursor_hex(a, &v))
			return false;
		ret->signal = (int)(v & 0xff);
		/* fall through */
	case 'c':
		ret->act = GDBSTUB_CONT;
		return true;
	case 'S':
		if (!cursor_hex(a, &v))
			return false;
		ret->signal = (int)(v & 0xff);
		/* fall through */
	case 's':
		ret->act = GDBSTUB_STEP;
		return true;
	case 't':
		ret->act = GDBSTUB_STOP;
		return true;
	case 'r':
		if (!cursor_hex(a, &v) || !cursor_take(a, ',') || !cursor_hex(a, &end))
			return false;
		ret->act = GDBSTUB_RANGE;
		ret->start = v;
		ret->end = end;
		return true;
	}
	return false;
}

void cmd_vcont(struct gdbstub *s, struct cursor *a)
{
	if (!prepare(s)) {
		reply_error(s, ENOMEM, NULL);
		return;
	}
	do {
		struct gdbstub_resume act;
		int tid = -1;
		bool known = false;
		if (!parse_action(a, &act) || (cursor_take(a, ':') && !cursor_tid(a, &tid))) {
			reply_malformed(s);
			return;
		}
		if (tid == 0) /* any: there is always a first one */
			tid = s->resume[0].tid;
		for (size_t i = 0; i < s->nresume; i++) {
			if (tid > 0 && s->resume[i].tid != tid)
				continue;
			known = true;
			if (s->resume[i].act == GDBSTUB_NONE) { /* the leftmost action counts */
				act.tid = s->resume[i].tid;
				s->resume[i] = act;
			}
		}
		if (!known) {
			reply_error(s, ESRCH, NULL);
			return;
		}
	} while (cursor_take(a, ';'));
	if (cursor_left(a))
		reply_malformed(s);
	else
		go(s);
}

void cmd_ctrl_c(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	if (s->running)
		s->ops->interrupt(s->ctx);
	reply_text(s, "OK");
}

/* --- ends */

void cmd_detach(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	if (s->ops->clear_points)
		s->ops->clear_points(s->ctx);
	int r = s->ops->detach ? s->ops->detach(s->ctx) : 0;
	if (r < 0) {
		reply_error(s, r, NULL);
		return;
	}
	reply_text(s, "OK");
	s->over = s->detached = true;
}

void cmd_kill(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	if (s->ops->kill)
		s->ops->kill(s->ctx);
	s->quiet = true;
	s->over = true;
}

void cmd_vkill(struct gdbstub *s, struct cursor *a)
{
	cmd_kill(s, a);
	s->quiet = false;
	reply_text(s, "OK");
}
