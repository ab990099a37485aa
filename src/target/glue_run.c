/* The glue's part in running: what threads shall do as actions of the vCPUs, and stops as the client hears of them. */
#include "stub_glue.h"

#include <errno.h>
#include <string.h>

enum { SIG_INT = 2, SIG_ILL = 4, SIG_TRAP = 5, SIG_ABRT = 6, SIG_BUS = 10, SIG_SEGV = 11 }; /* gdb's numbers */

static struct gyve_resume translate_action(const struct gdbstub_resume *r)
{
	switch (r->act) {
	case GDBSTUB_CONT:
		return (struct gyve_resume){.act = GYVE_ACT_CONT};
	case GDBSTUB_STEP:
		return (struct gyve_resume){.act = GYVE_ACT_STEP};
	case GDBSTUB_RANGE:
		return (struct gyve_resume){.act = GYVE_ACT_RANGE, .start = r->start, .end = r->end};
	case GDBSTUB_STOP:
		return (struct gyve_resume){.act = GYVE_ACT_STOP};
	default:
		return (struct gyve_resume){.act = GYVE_ACT_NONE};
	}
}

static bool runs(const struct gdbstub_resume *r)
{
	return r->act != GDBSTUB_NONE && r->act != GDBSTUB_STOP;
}

/* What each vCPU does, from what the threads that run on them shall do. Those that do not run go on by themselves when their
 * time has come. */
static int plan(struct gyve_glue *g, const struct gdbstub_resume *r, size_t n, struct gyve_err *err)
{
	bool any = !g->target->tasks;

	memset(g->actions, 0, g->target->ncpus * sizeof(*g->actions));
	for (size_t i = 0; i < n; i++) {
		int cpu = gyve_glue_cpu(g, r[i].tid);
		if (cpu >= 0)
			g->actions[cpu] = translate_action(&r[i]);
		any |= cpu >= 0 && runs(&r[i]);
	}
	for (size_t i = 0; g->target->tasks && i < n; i++) {
		const struct gyve_task *asleep = runs(&r[i]) ? gyve_glue_select(g, r[i].tid) : NULL;
		if (asleep && (!any || r[i].act != GDBSTUB_CONT))
			return gyve_glue_asleep(asleep, err);
	}
	for (unsigned i = 0; !g->nonstop && i < g->target->ncpus; i++)
		if (g->actions[i].act == GYVE_ACT_STOP)
			g->actions[i].act = GYVE_ACT_NONE;
	return 0;
}

int gyve_glue_resume(void *ctx, const struct gdbstub_resume *r, size_t n, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	int ret = plan(g, r, n, &err);

	if (ret == 0)
		ret = g->nonstop ? gyve_glue_resume_nonstop(g, &err) : gyve_target_resume(g->target, g->actions, &err);
	if (ret == 0) {
		g->resumed = true;
		gyve_glue_tasks_stale(g);
		gyve_glue_points_resumed(g, r, n);
		gyve_glue_libraries_changed(g);
	} else if (ret == -ENOTSUP || ret == -EINVAL) { /* clients show an error's number only */
		gdbstub_monitor_print(g->stub, err.text, strlen(err.text));
		gdbstub_monitor_print(g->stub, "\n", 1);
	}
	return gyve_glue_err(out, &err, ret);
}

void gyve_glue_interrupt(void *ctx)
{
	struct gyve_glue *g = ctx;

	if (g->nonstop)
		g->target->ops->interrupt_one(g->target->ctx);
	else
		gyve_target_interrupt(g->target);
}

void gyve_glue_translate_stop(struct gyve_glue *g, const struct gyve_stop *stop, struct gdbstub_stop *ret)
{
	static const struct {
		enum gdbstub_stop_kind kind;
		int signal;
	} table[] = {
		[GYVE_STOP_NONE] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_SW_BP] = {GDBSTUB_STOP_SWBREAK, SIG_TRAP},
		[GYVE_STOP_HW_BP] = {GDBSTUB_STOP_HWBREAK, SIG_TRAP},
		[GYVE_STOP_WATCH] = {GDBSTUB_STOP_WATCH, SIG_TRAP},
		[GYVE_STOP_RWATCH] = {GDBSTUB_STOP_RWATCH, SIG_TRAP},
		[GYVE_STOP_AWATCH] = {GDBSTUB_STOP_AWATCH, SIG_TRAP},
		[GYVE_STOP_STEP] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_INTERRUPT] = {GDBSTUB_STOP_SIGNAL, SIG_INT},
		[GYVE_STOP_CRASH] = {GDBSTUB_STOP_SIGNAL, SIG_SEGV},
		[GYVE_STOP_EXIT] = {GDBSTUB_STOP_EXITED, 0},
		[GYVE_STOP_CATCH] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_CALL] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_CALL_RETURN] = {GDBSTUB_STOP_CALL_RETURN, SIG_TRAP},
		[GYVE_STOP_PAUSE] = {GDBSTUB_STOP_SIGNAL, 0},
		[GYVE_STOP_LIBRARY] = {GDBSTUB_STOP_LIBRARY, SIG_TRAP},
	};
	struct gyve_target *t = g->target;

	memset(ret, 0, sizeof(*ret));
	ret->kind = table[stop->kind].kind;
	ret->signal = table[stop->kind].signal;
	if (stop->kind == GYVE_STOP_CATCH)
		ret->signal = stop->catches & 1u << GYVE_CATCH_UD      ? SIG_ILL
			      : stop->catches & 1u << GYVE_CATCH_DF    ? SIG_BUS
			      : stop->catches & 1u << GYVE_CATCH_PANIC ? SIG_ABRT
								       : SIG_SEGV;
	ret->tid = gyve_glue_tid(g, stop->cpu);
	ret->addr = stop->addr;
	ret->code = stop->code & 0xff;
	if (stop->kind == GYVE_STOP_CALL || stop->kind == GYVE_STOP_CALL_RETURN)
		ret->code = stop->code;
	if (stop->kind == GYVE_STOP_CALL && t->ops->call_caught(t->ctx, GYVE_CALLS_CLIENT, (uint32_t)stop->code))
		ret->kind = GDBSTUB_STOP_CALL;
}
