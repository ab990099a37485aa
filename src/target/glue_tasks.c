/* Which threads a client sees: the vCPUs, by their number + 1; or the tasks of a Linux guest, by their pids. A task that runs
 * is its vCPU; of one that does not the kernel has saved some registers. What a vCPU runs when that is not known, and its idle
 * task, have ids of their own, as no task has a pid of 0 for a client. */
#include "stub_glue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PID_LIMIT = 4 << 20 }; /* PID_MAX_LIMIT of include/linux/threads.h */

void gyve_glue_tasks_stale(struct gyve_glue *g)
{
	g->seen.fresh = false;
	g->seen.saved_tid = 0;
}

void gyve_glue_tasks_free(struct gyve_glue *g)
{
	free(g->seen.list);
	g->seen.list = NULL;
	g->seen.n = 0;
}

/* "swapper/3": the kernel names the idle tasks so. */
static int idle_tid(const struct gyve_task *task)
{
	unsigned cpu = 0;

	if (task->cpu >= 0)
		cpu = (unsigned)task->cpu;
	else if (sscanf(task->comm, "swapper/%6u", &cpu) != 1)
		cpu = 0;
	return GYVE_IDLE_TID + (int)cpu;
}

static void add(struct gyve_glue *g, int tid, int cpu, const struct gyve_task *task)
{
	struct glue_seen *s = &g->seen.list[g->seen.n++];

	*s = (struct glue_seen){.tid = tid, .cpu = cpu, .known = task};
	if (task)
		s->task = *task;
}

/* By id; what runs before what does not. */
static int compare(const void *a, const void *b)
{
	const struct glue_seen *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return (x->cpu < 0) - (y->cpu < 0);
}

static void sort_unique(struct gyve_glue *g)
{
	size_t n = 0;

	qsort(g->seen.list, g->seen.n, sizeof(*g->seen.list), compare);
	for (size_t i = 0; i < g->seen.n; i++)
		if (n == 0 || g->seen.list[n - 1].tid != g->seen.list[i].tid)
			g->seen.list[n++] = g->seen.list[i];
	g->seen.n = n;
}

static void add_vcpu(struct gyve_glue *g, unsigned cpu, const struct gyve_task *tasks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tasks[i].cpu == (int)cpu && tasks[i].pid >= 0 && tasks[i].pid < PID_LIMIT) {
			add(g, tasks[i].pid ? tasks[i].pid : idle_tid(&tasks[i]), (int)cpu, &tasks[i]);
			return;
		}
	add(g, GYVE_IDLE_TID + (int)cpu, (int)cpu, NULL);
}

static int make_list(struct gyve_glue *g, const struct gyve_task *tasks, size_t n)
{
	unsigned ncpus = g->target->ncpus;

	g->seen.list = calloc(ncpus + n, sizeof(*g->seen.list));
	if (!g->seen.list)
		return -ENOMEM;
	for (unsigned i = 0; i < ncpus; i++)
		add_vcpu(g, i, tasks, n);
	for (size_t i = 0; i < n; i++)
		if (tasks[i].cpu < 0 && tasks[i].pid >= 0 && tasks[i].pid < PID_LIMIT)
			add(g, tasks[i].pid ? tasks[i].pid : idle_tid(&tasks[i]), -1, &tasks[i]);
	sort_unique(g);
	return 0;
}

/* While it runs, the tasks are those of the last stop. A guest whose kernel is not known (yet) has its vCPUs. */
static void refresh(struct gyve_glue *g)
{
	struct gyve_err none = {0};
	struct gyve_task *tasks = NULL;
	struct gyve_kernel *k;

	if (g->seen.fresh || (g->seen.n && !gyve_target_stopped(g->target)))
		return;
	gyve_glue_tasks_free(g);
	k = gyve_target_stopped(g->target) ? gyve_kernel_of(g->target, &none) : NULL;
	ssize_t n = k ? gyve_tasks_list(k, &tasks, &none) : 0;
	g->seen.fresh = make_list(g, tasks, n > 0 ? (size_t)n : 0) == 0;
	g->seen.saved_tid = 0;
	free(tasks);
}

static const struct glue_seen *find(struct gyve_glue *g, int tid)
{
	size_t from = 0, to;

	refresh(g);
	to = g->seen.n;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		if (g->seen.list[mid].tid == tid)
			return &g->seen.list[mid];
		if (g->seen.list[mid].tid < tid)
			from = mid + 1;
		else
			to = mid;
	}
	return NULL;
}

size_t gyve_glue_threads(void *ctx, int *tids, size_t max)
{
	struct gyve_glue *g = ctx;

	if (g->target->tasks) {
		refresh(g);
		for (size_t i = 0; i < g->seen.n && i < max; i++)
			tids[i] = g->seen.list[i].tid;
		return g->seen.n;
	}
	for (size_t i = 0; i < g->target->ncpus && i < max; i++)
		tids[i] = (int)i + 1;
	return g->target->ncpus;
}

int gyve_glue_tid(struct gyve_glue *g, unsigned cpu)
{
	if (!g->target->tasks)
		return (int)cpu + 1;
	refresh(g);
	for (size_t i = 0; i < g->seen.n; i++)
		if (g->seen.list[i].cpu == (int)cpu)
			return g->seen.list[i].tid;
	return GYVE_IDLE_TID + (int)cpu;
}

int gyve_glue_cpu(struct gyve_glue *g, int tid)
{
	if (!g->target->tasks)
		return tid > 0 && (unsigned)tid <= g->target->ncpus ? tid - 1 : -1;
	const struct glue_seen *s = find(g, tid);
	return s ? s->cpu : -1;
}

const struct gyve_task *gyve_glue_select(struct gyve_glue *g, int tid)
{
	const struct glue_seen *s;

	if (!g->target->tasks) {
		g->cpu = (unsigned)tid - 1;
		return NULL;
	}
	s = find(g, tid);
	if (s && s->cpu >= 0)
		g->cpu = (unsigned)s->cpu;
	else if (g->target->last.cpu < g->target->ncpus)
		g->cpu = g->target->last.cpu;
	return s && s->cpu < 0 ? &s->task : NULL;
}

int gyve_glue_thread_core(void *ctx, int tid)
{
	return gyve_glue_cpu(ctx, tid);
}

/* --- one that does not run */

int gyve_glue_saved_reg(struct gyve_glue *g, const struct gyve_task *task, const struct gyve_reg_row *row, void *buf)
{
	struct gyve_err none = {0};
	struct gyve_kernel *k = g->target->kernel; /* whose list the task is from */
	int tid = task->pid ? task->pid : idle_tid(task);

	if (!k || !gyve_task_saves(g->target->arch, row))
		return -ENODATA;
	if (g->seen.saved_tid != tid) {
		g->seen.saved_ok = gyve_task_regs(k, task, &g->seen.saved, &none) == 0;
		g->seen.saved_tid = tid;
	}
	return g->seen.saved_ok ? row->get(row, &g->seen.saved, buf) : -ENODATA;
}

/* A vCPU that stands in for the task has another program's page tables, or none of the kernel's. */
struct gyve_space gyve_glue_enter(struct gyve_glue *g, const struct gyve_task *task)
{
	struct gyve_target *t = g->target;
	struct gyve_space before = t->as;
	struct gyve_kernel *k = task && !before.on ? t->kernel : NULL;
	uint64_t root = task && task->root ? task->root : k ? k->root : 0;

	if (k && (task->root || k->root_known))
		t->as = (struct gyve_space){.on = true, .has_root1 = k->root_known, .root = root, .root1 = k->root};
	return before;
}

void gyve_glue_leave(struct gyve_glue *g, struct gyve_space before)
{
	g->target->as = before;
}

/* As /proc/PID/status has them. */
static const char *state_words(char state)
{
	static const struct {
		char letter;
		const char *words;
	} table[] = {{'R', "waits for a CPU"}, {'S', "sleeping"},     {'D', "disk sleep"},
		     {'T', "stopped"},         {'t', "tracing stop"}, {'X', "dead"},
		     {'Z', "zombie"},          {'P', "parked"},       {'I', "idle"}};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(table); i++)
		if (table[i].letter == state)
			return table[i].words;
	return "in no state known";
}

int gyve_glue_task_text(struct gyve_glue *g, int tid, const char *vcpu, char *buf, size_t size)
{
	const struct glue_seen *s = g->target->tasks ? find(g, tid) : NULL;
	char process[32] = "";

	if (!s || !s->known)
		return snprintf(buf, size, "%s", vcpu);
	if (s->task.tgid != s->task.pid)
		snprintf(process, sizeof(process), " of process %d", s->task.tgid);
	if (s->cpu >= 0)
		return snprintf(buf, size, "%s, pid %d%s, R (running), %s", s->task.comm, s->task.pid, process, vcpu);
	char state = gyve_task_state(&s->task);
	return snprintf(buf, size, "%s, pid %d%s, %c (%s)", s->task.comm, s->task.pid, process, state, state_words(state));
}

int gyve_glue_asleep(const struct gyve_task *task, struct gyve_err *err)
{
	return gyve_err_set(
		err, -EINVAL,
		"task %d (%s) does not run, so it cannot be stepped: set a breakpoint where it will come, and continue",
		task->pid, task->comm);
}
