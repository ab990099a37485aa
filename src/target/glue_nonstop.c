/* Non-stop's part of the glue: what the client knows of each thread. That is not what the vCPU does now: a stop may be on its
 * way. */
#include "stub_glue.h"

#include <errno.h>
#include <string.h>

int gyve_glue_set_nonstop(void *ctx, bool on)
{
	struct gyve_glue *g = ctx;
	struct gyve_target *t = g->target;

	if (!t->ops->nonstop || t->tasks) /* tasks stop and go as their kernel will have it */
		return -EOPNOTSUPP;
	if (!on && !gyve_target_stopped(t))
		return -EBUSY;
	g->nonstop = on;
	t->ops->nonstop(t->ctx, on);
	for (unsigned i = 0; on && i < t->ncpus; i++) {
		bool last = t->last.cpu == i && t->last.kind != GYVE_STOP_NONE && t->last.kind != GYVE_STOP_EXIT;
		g->threads[i].stopped = gyve_target_cpu_stopped(t, i);
		g->threads[i].stop = last ? t->last : (struct gyve_stop){.kind = GYVE_STOP_PAUSE, .cpu = i};
	}
	return 0;
}

void gyve_glue_note_stop(struct gyve_glue *g, const struct gyve_stop *stop)
{
	if (!g->nonstop || stop->kind == GYVE_STOP_EXIT || stop->cpu >= g->target->ncpus)
		return;
	g->threads[stop->cpu].stopped = true;
	g->threads[stop->cpu].stop = *stop;
}

const struct gyve_stop *gyve_glue_thread(const struct gyve_glue *g, int tid)
{
	unsigned cpu = (unsigned)tid - 1;

	if (!g->nonstop)
		return !gyve_target_stopped(g->target) ? NULL : &g->target->last;
	return cpu < g->target->ncpus && g->threads[cpu].stopped ? &g->threads[cpu].stop : NULL;
}

int gyve_glue_thread_stop(void *ctx, int tid, struct gdbstub_stop *ret)
{
	struct gyve_glue *g = ctx;
	const struct gyve_stop *stop = gyve_glue_thread(g, tid);

	if (!stop)
		return -EBUSY;
	gyve_glue_translate_stop(g, stop, ret);
	return 0;
}

int gyve_glue_resume_nonstop(struct gyve_glue *g, struct gyve_err *err)
{
	int ret;

	for (unsigned i = 0; i < g->target->ncpus; i++) {
		enum gyve_action act = g->actions[i].act;
		if ((act == GYVE_ACT_STOP) == g->threads[i].stopped) /* as the client wants it already */
			g->actions[i].act = GYVE_ACT_NONE;
	}
	ret = gyve_target_resume(g->target, g->actions, err);
	for (unsigned i = 0; ret == 0 && i < g->target->ncpus; i++)
		if (g->actions[i].act != GYVE_ACT_NONE && g->actions[i].act != GYVE_ACT_STOP)
			g->threads[i].stopped = false;
	return ret;
}

/* After a start the client hears of one thread as the answer; the others are stopped, too. */
void gyve_glue_report_others(struct gyve_glue *g)
{
	for (unsigned i = 0; g->nonstop && i < g->target->ncpus; i++) {
		struct gyve_stop stop = {.kind = GYVE_STOP_PAUSE, .cpu = i};
		if (i != g->target->last.cpu)
			gyve_glue_report(g, &stop);
	}
}

bool gyve_glue_any_crashed(const struct gyve_glue *g, int *code)
{
	const struct gyve_stop *stop = &g->target->last;

	for (unsigned i = 0; g->nonstop && i < g->target->ncpus; i++)
		if (g->threads[i].stopped && g->threads[i].stop.kind == GYVE_STOP_CRASH)
			stop = &g->threads[i].stop;
	*code = stop->code;
	return stop->kind == GYVE_STOP_CRASH;
}
