/* Tracepoints as they are defined, started and stopped. */
#include "trace.h"
#include "catch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { USUAL_SIZE = 5 << 20, MAX_TEXT = 1 << 16 };
#define MAX_SIZE (UINT64_C(1) << 32)

uint64_t trace_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

struct gyve_trace *gyve_vm_trace(struct gyve_vm *vm)
{
	return vm->trace;
}

/* --- points */

static struct trace_point *find(struct gyve_trace *t, unsigned number, gyve_gva_t addr)
{
	for (unsigned i = 0; i < t->npoints; i++)
		if (t->points[i]->p.number == number && t->points[i]->p.addr == addr)
			return t->points[i];
	return NULL;
}

static void free_point(struct trace_point *p)
{
	free((void *)p->p.cond.code);
	for (unsigned i = 0; i < p->nactions; i++)
		free((void *)p->actions[i].e.code);
	for (unsigned i = 0; i < p->ntexts; i++)
		free(p->texts[i]);
	free(p);
}

static int copy_expr(struct gyve_agent_expr *e, struct gyve_err *err)
{
	uint8_t *copy = e->len ? malloc(e->len) : NULL;

	if (e->len && !copy)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	if (copy)
		memcpy(copy, e->code, e->len);
	e->code = copy;
	return 0;
}

int gyve_trace_define(struct gyve_trace *t, const struct gyve_tracepoint *p, struct gyve_err *err)
{
	struct trace_point *new;
	int r;

	if (!gyve_run_stopped(t->vm) || t->running)
		return gyve_err_set(err, -EBUSY, "tracing goes on");
	if (find(t, p->number, p->addr))
		return gyve_err_set(err, -EEXIST, "tracepoint %u is defined at 0x%" PRIx64, p->number, p->addr);
	if (t->npoints == TRACE_MAX_POINTS || p->number > UINT16_MAX)
		return gyve_err_set(err, -E2BIG, "there can be %d tracepoints, with numbers of 16 bits", TRACE_MAX_POINTS);
	if (p->cond.len && (r = agent_check(p->cond.code, p->cond.len, AGENT_VARS, err)) < 0)
		return r;
	void *points = reallocarray(t->points, t->npoints + 1, sizeof(*t->points));
	if (!points || !(t->points = points, new = calloc(1, sizeof(*new))))
		return gyve_err_set(err, -ENOMEM, "out of memory");
	new->p = *p;
	new->p.hits = new->p.usage = 0;
	r = copy_expr(&new->p.cond, err);
	if (r < 0)
		free(new);
	else
		t->points[t->npoints++] = new;
	return r;
}

static int check_action(const struct gyve_trace_action *a, struct gyve_err *err)
{
	switch (a->what) {
	case GYVE_TRACE_REGS:
		return a->e.len <= 512 ? 0 : gyve_err_set(err, -E2BIG, "a mask of more registers than there are");
	case GYVE_TRACE_MEM:
		return a->len <= TRACE_MAX_FRAME ? 0 : gyve_err_set(err, -E2BIG, "a frame has up to %d bytes", TRACE_MAX_FRAME);
	default:
		return agent_check(a->e.code, a->e.len, AGENT_VARS | AGENT_TRACE, err);
	}
}

int gyve_trace_action(struct gyve_trace *t, unsigned number, gyve_gva_t addr, const struct gyve_trace_action *a,
		      struct gyve_err *err)
{
	struct trace_point *p = find(t, number, addr);
	struct gyve_trace_action copy = *a;

	if (!gyve_run_stopped(t->vm) || t->running)
		return gyve_err_set(err, -EBUSY, "tracing goes on");
	if (!p)
		return gyve_err_set(err, -ENOENT, "there is no tracepoint %u at 0x%" PRIx64, number, addr);
	if (p->nactions == TRACE_MAX_ACTIONS)
		return gyve_err_set(err, -E2BIG, "a tracepoint has up to %d actions", TRACE_MAX_ACTIONS);
	int r = check_action(a, err);
	if (r == 0)
		r = copy_expr(&copy.e, err);
	if (r == 0)
		p->actions[p->nactions++] = copy;
	return r;
}

int gyve_trace_text(struct gyve_trace *t, unsigned number, gyve_gva_t addr, const char *text, size_t len, struct gyve_err *err)
{
	struct trace_point *p = find(t, number, addr);

	if (!p)
		return gyve_err_set(err, -ENOENT, "there is no tracepoint %u at 0x%" PRIx64, number, addr);
	if (p->ntexts == TRACE_MAX_TEXTS || len > MAX_TEXT)
		return gyve_err_set(err, -E2BIG, "its definition is too long");
	if (!(p->texts[p->ntexts] = strndup(text, len)))
		return gyve_err_set(err, -ENOMEM, "out of memory");
	p->ntexts++;
	return 0;
}

int gyve_trace_enable(struct gyve_trace *t, unsigned number, gyve_gva_t addr, bool on)
{
	struct trace_point *p = find(t, number, addr);

	if (!p)
		return -ENOENT;
	__atomic_store_n(&p->p.enabled, on, __ATOMIC_RELAXED);
	return 0;
}

bool gyve_trace_point(struct gyve_trace *t, size_t i, struct gyve_tracepoint *ret)
{
	if (i >= t->npoints)
		return false;
	pthread_mutex_lock(&t->lock);
	*ret = t->points[i]->p;
	pthread_mutex_unlock(&t->lock);
	return true;
}

const char *gyve_trace_point_text(struct gyve_trace *t, size_t i, size_t k)
{
	return i < t->npoints && k < t->points[i]->ntexts ? t->points[i]->texts[k] : NULL;
}

/* --- variables */

struct trace_var *trace_var(struct gyve_trace *t, unsigned number)
{
	for (unsigned i = 0; i < t->nvars; i++)
		if (t->vars[i].number == number)
			return &t->vars[i];
	return NULL;
}

int gyve_trace_variable(struct gyve_trace *t, unsigned number, uint64_t initial, const char *name, struct gyve_err *err)
{
	struct trace_var *v = trace_var(t, number);

	if (t->running)
		return gyve_err_set(err, -EBUSY, "tracing goes on");
	if (number == GYVE_TRACE_TIMESTAMP && v)
		return 0; /* the client says what it was told */
	if (!v && t->nvars == TRACE_MAX_VARS)
		return gyve_err_set(err, -E2BIG, "there can be %d variables", TRACE_MAX_VARS);
	char *copy = strdup(name);
	if (!copy)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	if (v)
		free(v->name);
	else
		v = &t->vars[t->nvars++];
	*v = (struct trace_var){number, initial, initial, copy};
	return 0;
}

const char *gyve_trace_var(struct gyve_trace *t, size_t i, unsigned *number, uint64_t *initial)
{
	if (i >= t->nvars)
		return NULL;
	*number = t->vars[i].number;
	*initial = t->vars[i].initial;
	return t->vars[i].name;
}

int gyve_trace_value(struct gyve_trace *t, unsigned number, uint64_t *ret)
{
	struct trace_var *v = trace_var(t, number);

	if (!v)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	*ret = number == GYVE_TRACE_TIMESTAMP ? trace_now() : v->value;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

int trace_var_get(void *ctx, unsigned number, uint64_t *ret)
{
	return gyve_trace_value(((struct gyve_vcpu *)ctx)->vm->trace, number, ret);
}

int trace_var_set(void *ctx, unsigned number, uint64_t value)
{
	struct gyve_trace *t = ((struct gyve_vcpu *)ctx)->vm->trace;
	struct trace_var *v = trace_var(t, number);

	if (!v)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	v->value = value;
	pthread_mutex_unlock(&t->lock);
	return 0;
}

int gyve_trace_readonly(struct gyve_trace *t, gyve_gva_t start, gyve_gva_t end, struct gyve_err *err)
{
	if (t->nreadonly == TRACE_MAX_READONLY || end < start)
		return gyve_err_set(err, -E2BIG, "there can be %d read-only ranges", TRACE_MAX_READONLY);
	t->readonly[t->nreadonly].start = start;
	t->readonly[t->nreadonly++].end = end;
	return 0;
}

/* --- beginning and end */

/* Nobody is in the guest, or only a vCPU that is alone. */
static void drop_points(struct gyve_trace *t)
{
	struct gyve_vm *vm = t->vm;

	pthread_mutex_lock(&vm->book_lock);
	__atomic_store_n(&t->tidy_due, false, __ATOMIC_SEQ_CST);
	for (size_t i = vm->npoints; i-- > 0;)
		if (vm->points[i].owners & POINT_TRACE)
			bp_disown(vm, &vm->points[i], POINT_TRACE);
	pthread_mutex_unlock(&vm->book_lock);
}

/* Also while vCPUs run: they wait for the moment that it takes. */
static void disown_all(struct gyve_trace *t)
{
	bool held = run_hold(t->vm);

	drop_points(t);
	if (held)
		run_release(t->vm);
}

void trace_tidy(struct gyve_vm *vm)
{
	if (vm->trace && __atomic_load_n(&vm->trace->tidy_due, __ATOMIC_SEQ_CST))
		drop_points(vm->trace);
}

static void forget(struct gyve_trace *t)
{
	for (unsigned i = 0; i < t->npoints; i++)
		free_point(t->points[i]);
	t->npoints = 0;
	for (unsigned i = 0; i < t->nvars; i++)
		free(t->vars[i].name);
	t->nvars = 0;
	t->nreadonly = 0;
	trace_frames_clear(t);
}

static int add_builtin(struct gyve_trace *t)
{
	return gyve_trace_variable(t, GYVE_TRACE_TIMESTAMP, 0, "trace_timestamp", NULL);
}

int gyve_trace_init(struct gyve_trace *t, unsigned g_regs)
{
	if (!gyve_run_stopped(t->vm))
		return -EBUSY;
	gyve_trace_stop(t);
	for (unsigned i = 0; i < t->vm->ncpus; i++)
		t->vm->cpus[i].trace_steps = 0;
	forget(t);
	t->ng = g_regs < t->vm->arch->nregs ? g_regs : t->vm->arch->nregs;
	t->st.start = t->st.stop = t->st.created = 0;
	t->st.end = GYVE_TRACE_NOT_RUN;
	t->st.user[0] = t->st.notes[0] = t->st.text[0] = '\0';
	return add_builtin(t);
}

int gyve_trace_start(struct gyve_trace *t, struct gyve_err *err)
{
	struct gyve_vm *vm = t->vm;
	int r = 0;

	if (!gyve_run_stopped(vm))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	pthread_mutex_lock(&vm->book_lock);
	for (unsigned i = 0; r == 0 && i < t->npoints; i++)
		r = bp_own(vm, NULL, t->points[i]->p.addr, POINT_TRACE);
	pthread_mutex_unlock(&vm->book_lock);
	if (r < 0) {
		disown_all(t);
		return gyve_err_set(err, r, "a tracepoint cannot be set");
	}
	trace_frames_clear(t);
	for (unsigned i = 0; i < t->npoints; i++)
		t->points[i]->p.hits = t->points[i]->p.usage = t->points[i]->busy = 0;
	for (unsigned i = 0; i < vm->ncpus; i++)
		vm->cpus[i].trace_steps = 0;
	for (unsigned i = 0; i < t->nvars; i++)
		t->vars[i].value = t->vars[i].initial;
	t->st.start = trace_now();
	t->st.stop = t->st.created = 0;
	t->st.text[0] = '\0';
	__atomic_store_n(&t->tidy_due, false, __ATOMIC_SEQ_CST);
	__atomic_store_n(&t->running, true, __ATOMIC_SEQ_CST);
	return 0;
}

void trace_end(struct gyve_trace *t, enum gyve_trace_end why, unsigned point, const char *text)
{
	if (!__atomic_exchange_n(&t->running, false, __ATOMIC_SEQ_CST))
		return;
	t->st.end = why;
	t->st.point = point;
	t->st.stop = trace_now();
	snprintf(t->st.text, sizeof(t->st.text), "%s", text);
	__atomic_store_n(&t->tidy_due, true, __ATOMIC_SEQ_CST);
}

int gyve_trace_stop(struct gyve_trace *t)
{
	pthread_mutex_lock(&t->lock);
	trace_end(t, GYVE_TRACE_STOPPED, 0, "");
	pthread_mutex_unlock(&t->lock);
	disown_all(t);
	return 0;
}

void gyve_trace_client_gone(struct gyve_trace *t)
{
	if (t->st.disconnected && t->running)
		return;
	pthread_mutex_lock(&t->lock);
	trace_end(t, GYVE_TRACE_DISCONNECTED, 0, "");
	pthread_mutex_unlock(&t->lock);
	disown_all(t);
}

int gyve_trace_buffer(struct gyve_trace *t, uint64_t size)
{
	if (t->running)
		return -EBUSY;
	if (size > MAX_SIZE)
		return -EINVAL;
	t->st.size = size ? size : USUAL_SIZE;
	trace_frames_clear(t);
	return 0;
}

void gyve_trace_note(struct gyve_trace *t, enum gyve_trace_note which, const char *text)
{
	pthread_mutex_lock(&t->lock);
	struct gyve_trace_status *st = &t->st;
	if (which == GYVE_TRACE_USER)
		snprintf(st->user, sizeof(st->user), "%s", text);
	else if (which == GYVE_TRACE_NOTES)
		snprintf(st->notes, sizeof(st->notes), "%s", text);
	else if (!t->running && st->end == GYVE_TRACE_STOPPED)
		snprintf(st->text, sizeof(st->text), "%s", text);
	pthread_mutex_unlock(&t->lock);
}

void gyve_trace_circular(struct gyve_trace *t, bool on)
{
	pthread_mutex_lock(&t->lock);
	t->st.circular = on;
	pthread_mutex_unlock(&t->lock);
}

void gyve_trace_disconnected(struct gyve_trace *t, bool on)
{
	t->st.disconnected = on;
}

void gyve_trace_status(struct gyve_trace *t, struct gyve_trace_status *ret)
{
	pthread_mutex_lock(&t->lock);
	*ret = t->st;
	ret->running = t->running;
	ret->frames = t->nframes;
	ret->free = t->st.size > t->used ? t->st.size - t->used : 0;
	pthread_mutex_unlock(&t->lock);
}

struct gyve_trace *trace_create(struct gyve_vm *vm)
{
	struct gyve_trace *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->vm = vm;
	t->st.size = USUAL_SIZE;
	pthread_mutex_init(&t->lock, NULL);
	if (add_builtin(t) == 0)
		return t;
	trace_destroy(t);
	return NULL;
}

void trace_destroy(struct gyve_trace *t)
{
	if (!t)
		return;
	forget(t);
	free(t->points);
	free(t->frames);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
