/* Running and stopping: ? c C s S vCont, and stop replies. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- stop replies */

static void put_reason(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	switch (stop->kind) {
	case GDBSTUB_STOP_SWBREAK:
		if (s->features & GDBSTUB_CLIENT_SWBREAK)
			gdbstub_reply_fmt(s, "swbreak:;");
		break;
	case GDBSTUB_STOP_HWBREAK:
		if (s->features & GDBSTUB_CLIENT_HWBREAK)
			gdbstub_reply_fmt(s, "hwbreak:;");
		break;
	case GDBSTUB_STOP_WATCH:
		gdbstub_reply_fmt(s, "watch:%llx;", (unsigned long long)stop->addr);
		break;
	case GDBSTUB_STOP_RWATCH:
		gdbstub_reply_fmt(s, "rwatch:%llx;", (unsigned long long)stop->addr);
		break;
	case GDBSTUB_STOP_AWATCH:
		gdbstub_reply_fmt(s, "awatch:%llx;", (unsigned long long)stop->addr);
		break;
	case GDBSTUB_STOP_CALL:
		gdbstub_reply_fmt(s, "syscall_entry:%x;", (unsigned)stop->code);
		break;
	case GDBSTUB_STOP_CALL_RETURN:
		gdbstub_reply_fmt(s, "syscall_return:%x;", (unsigned)stop->code);
		break;
	case GDBSTUB_STOP_LIBRARY:
		gdbstub_reply_fmt(s, "library:;");
		break;
	default:
		break;
	}
}

/* What the client would ask for next anyway. */
static void put_expedited(struct gdbstub *s, int tid)
{
	const unsigned regs[] = {s->arch->pc_reg, s->arch->sp_reg, s->arch->fp_reg};

	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		struct gdbstub_err err = {0};
		char value[512];
		if (!s->ops->read_reg || regs[i] >= s->arch->nregs || s->arch->regs[regs[i]].bits > 64 ||
		    (i > 0 && regs[i] == regs[i - 1]))
			continue;
		if (s->ops->read_reg(s->ctx, tid, regs[i], value, &err) < 0)
			continue;
		gdbstub_reply_fmt(s, "%02x:", regs[i]);
		gdbstub_reply_hex(s, value, s->arch->regs[regs[i]].bits / 8);
		gdbstub_reply_raw(s, ";", 1);
	}
}

void gdbstub_put_stop(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	if (stop->kind == GDBSTUB_STOP_EXITED) {
		gdbstub_reply_fmt(s, "W%02x", (unsigned)stop->code & 0xff);
		s->gone = s->extended;
	} else if (stop->kind == GDBSTUB_STOP_KILLED) {
		gdbstub_reply_fmt(s, "X%02x", (unsigned)stop->signal & 0xff);
		s->gone = s->extended;
	} else {
		if (!s->nonstop) /* the client takes this thread for the selected one from now on */
			s->g_tid = stop->tid;
		gdbstub_reply_fmt(s, "T%02xthread:%x;", (unsigned)stop->signal & 0xff, (unsigned)stop->tid);
		put_reason(s, stop);
		put_expedited(s, stop->tid);
		gdbstub_lldb_stop(s, stop);
	}
}

void gdbstub_send_stop(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	gdbstub_reply_begin(s);
	gdbstub_put_stop(s, stop);
	gdbstub_reply_end(s);
}

/* Not stopped though this client resumed nothing: stop it, and that stop is the answer. */
void gdbstub_tell_reason(struct gdbstub *s)
{
	struct gdbstub_stop stop = {.kind = GDBSTUB_STOP_SIGNAL, .signal = 5};
	int ret = 0;

	if (s->ops->stop_reason)
		ret = s->ops->stop_reason(s->ctx, &stop);
	else
		stop.tid = gdbstub_general_thread(s);
	if (ret == -EBUSY && s->ops->interrupt) {
		s->running = true;
		s->ops->interrupt(s->ctx);
	} else if (ret < 0) {
		gdbstub_reply_error(s, ret, "why the target stopped is unknown");
	} else {
		gdbstub_send_stop(s, &stop);
	}
}

GDBSTUB_HANDLER(reason)
{
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else if (s->gone)
		gdbstub_reply(s, s->nonstop ? "OK" : "W00");
	else if (s->nonstop)
		gdbstub_list_stops(s);
	else
		gdbstub_tell_reason(s);
}

/* --- resuming */

/* NULL: an error was sent. One entry for each thread, all GDBSTUB_NONE. */
static struct gdbstub_resume *new_plan(struct gdbstub *s)
{
	size_t n = gdbstub_threads(s);
	struct gdbstub_resume *plan = n ? calloc(n, sizeof(*plan)) : NULL;

	if (!plan) {
		gdbstub_reply_error(s, n ? ENOMEM : ESRCH, n ? "no memory" : "there is no thread");
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		plan[i].tid = s->tids[i];
	return plan;
}

static bool anything_runs(const struct gdbstub_resume *plan, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (plan[i].act != GDBSTUB_NONE && plan[i].act != GDBSTUB_STOP)
			return true;
	return false;
}

/* The op may report the stop before it returns. */
static void resume(struct gdbstub *s, const struct gdbstub_resume *plan, size_t n)
{
	struct gdbstub_err err = {0};
	int ret;

	if (s->nonstop) {
		ret = s->gone ? -ESRCH : s->ops->resume(s->ctx, plan, n, &err);
		if (ret < 0)
			gdbstub_reply_op_error(s, ret, &err);
		else
			gdbstub_reply(s, "OK");
		return;
	}
	if (!anything_runs(plan, n)) {
		gdbstub_reply_error(s, EINVAL, "no thread would run, so none would ever stop");
		return;
	}
	s->running = true;
	ret = s->ops->resume(s->ctx, plan, n, &err);
	if (ret < 0) {
		s->running = false;
		gdbstub_reply_op_error(s, ret, &err);
	}
}

/* The old packets. Hc names one thread: it alone runs. Else the selected thread acts and the others continue. */
static void resume_old(struct gdbstub *s, enum gdbstub_action act, int signal)
{
	struct gdbstub_resume *plan = new_plan(s);
	bool alone = s->c_tid > 0, found = false;
	int tid = alone ? s->c_tid : gdbstub_general_thread(s);
	size_t n = s->ntids;

	if (!plan)
		return;
	for (size_t i = 0; i < n; i++) {
		if (plan[i].tid == tid) {
			plan[i].act = act;
			plan[i].signal = signal;
			found = true;
		} else if (!alone) {
			plan[i].act = GDBSTUB_CONT;
		}
	}
	if (found)
		resume(s, plan, n);
	else
		gdbstub_reply_error(s, ESRCH, "thread %d is gone", tid);
	free(plan);
}

static bool set_pc(struct gdbstub *s, uint64_t addr)
{
	int tid = s->c_tid > 0 ? s->c_tid : gdbstub_general_thread(s), ret;
	struct gdbstub_err err = {0};
	char value[512] = {0};

	if (!s->ops->write_reg || s->arch->pc_reg >= s->arch->nregs || tid == 0) {
		gdbstub_reply_error(s, EOPNOTSUPP, "the pc cannot be set");
		return false;
	}
	for (unsigned i = 0; i < sizeof(addr); i++)
		value[i] = (char)(addr >> 8 * i);
	ret = s->ops->write_reg(s->ctx, tid, s->arch->pc_reg, value, &err);
	if (ret < 0)
		gdbstub_reply_op_error(s, ret, &err);
	return ret == 0;
}

/* c[ADDR], s[ADDR], C SIG[;ADDR], S SIG[;ADDR] */
static void old_packet(struct gdbstub *s, struct gdbstub_cur *c, enum gdbstub_action act, bool has_signal)
{
	int signal = has_signal ? (int)gdbstub_cur_hex_max(c, 0xff) : 0;
	bool has_addr = has_signal ? gdbstub_cur_accept(c, ';') : gdbstub_cur_left(c) > 0;
	uint64_t addr = has_addr ? gdbstub_cur_hex(c) : 0;

	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (s->nonstop)
		gdbstub_reply_error(s, EOPNOTSUPP, "non-stop takes vCont");
	else if (!has_addr || set_pc(s, addr))
		resume_old(s, act, signal);
}

GDBSTUB_HANDLER(cont)
{
	old_packet(s, c, GDBSTUB_CONT, false);
}

GDBSTUB_HANDLER(cont_sig)
{
	old_packet(s, c, GDBSTUB_CONT, true);
}

GDBSTUB_HANDLER(step)
{
	old_packet(s, c, GDBSTUB_STEP, false);
}

GDBSTUB_HANDLER(step_sig)
{
	old_packet(s, c, GDBSTUB_STEP, true);
}

GDBSTUB_HANDLER(vcont_query)
{
	(void)c;
	gdbstub_reply(s, "vCont;c;C;s;S;t;r");
}

/* One action, without its thread id, into a template. */
static struct gdbstub_resume parse_action(struct gdbstub_cur *c)
{
	struct gdbstub_resume r = {0};
	char what = '\0';

	if (c->p < c->end)
		what = *c->p++;
	switch (what) {
	case 'c':
	case 's':
		r.act = what == 'c' ? GDBSTUB_CONT : GDBSTUB_STEP;
		break;
	case 'C':
	case 'S':
		r.act = what == 'C' ? GDBSTUB_CONT : GDBSTUB_STEP;
		r.signal = (int)gdbstub_cur_hex_max(c, 0xff);
		break;
	case 'r':
		r.act = GDBSTUB_RANGE;
		r.start = gdbstub_cur_hex(c);
		gdbstub_cur_expect(c, ',');
		r.end = gdbstub_cur_hex(c);
		if (r.end < r.start)
			c->bad = true;
		break;
	case 't':
		r.act = GDBSTUB_STOP;
		break;
	default:
		c->bad = true;
	}
	return r;
}

/* Give the action to the threads it names that have none yet: the leftmost match wins. false: no such thread. */
static bool apply(struct gdbstub_resume *plan, size_t n, struct gdbstub_resume r, int tid)
{
	bool found = tid < 0;

	for (size_t i = 0; i < n; i++) {
		if (tid > 0 && plan[i].tid != tid)
			continue;
		found = true;
		if (plan[i].act == GDBSTUB_NONE) {
			r.tid = plan[i].tid;
			plan[i] = r;
		}
	}
	return found;
}

GDBSTUB_HANDLER(vcont)
{
	struct gdbstub_resume *plan = new_plan(s);
	int general = gdbstub_general_thread(s);
	size_t n = s->ntids;
	bool known = true;

	if (!plan)
		return;
	do {
		struct gdbstub_resume r;
		int tid = -1;
		gdbstub_cur_expect(c, ';');
		r = parse_action(c);
		if (gdbstub_cur_accept(c, ':'))
			tid = gdbstub_cur_thread(c);
		if (!c->bad)
			known = apply(plan, n, r, tid ? tid : general) && known;
	} while (!c->bad && c->p < c->end);
	if (c->bad)
		gdbstub_reply_malformed(s);
	else if (!known)
		gdbstub_reply_error(s, ESRCH, "there is no such thread");
	else
		resume(s, plan, n);
	free(plan);
}

GDBSTUB_HANDLER(ctrl_c)
{
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	gdbstub_reply(s, "OK");
	if (s->running || (s->nonstop && !s->gone))
		s->ops->interrupt(s->ctx);
}

/* --- threads */

GDBSTUB_HANDLER(set_thread)
{
	char what = c->p < c->end ? *c->p++ : '\0';
	int tid = gdbstub_cur_thread(c);

	if ((what != 'g' && what != 'c') || !gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (tid > 0 && !gdbstub_thread_exists(s, tid)) {
		gdbstub_reply_error(s, ESRCH, "there is no thread %d", tid);
		return;
	}
	if (what == 'c')
		s->c_tid = tid;
	else if (tid > 0) /* any: the one selected will do */
		s->g_tid = tid;
	gdbstub_reply(s, "OK");
}

GDBSTUB_HANDLER(thread_alive)
{
	int tid = gdbstub_cur_thread(c);

	if (!gdbstub_cur_done(c) || tid <= 0)
		gdbstub_reply_malformed(s);
	else if (!gdbstub_thread_exists(s, tid))
		gdbstub_reply_error(s, ESRCH, "there is no thread %d", tid);
	else
		gdbstub_reply(s, "OK");
}
