/* Non-stop: each vCPU stops and goes on by itself. The phase is RUNNING all the time, even when each of them is stopped, unless
 * all are stopped together (a dump, the end); one that is stopped has act NONE and waits outside. Its hit is posted until the
 * session thread takes it. */
#include "catch.h"

#include <errno.h>

/* --- the vCPUs' side; lock held */

void nonstop_post(struct gyve_vcpu *v)
{
	v->act.act = GYVE_ACT_NONE;
	v->posted = true;
	__atomic_store_n(&v->stop_me, STOP_ME_NOT, __ATOMIC_SEQ_CST);
	run_signal(v->vm);
}

static void post_request(struct gyve_vcpu *v)
{
	v->hit = (struct gyve_stop){.kind = v->stop_me == STOP_ME_INTERRUPT ? GYVE_STOP_INTERRUPT : GYVE_STOP_PAUSE,
				    .cpu = v->index,
				    .pc = vcpu_pc(v)};
	v->hit_seq = v->vm->next_seq++;
	nonstop_post(v);
}

void nonstop_came_out(struct gyve_vcpu *v)
{
	if (v->hit.kind != GYVE_STOP_NONE)
		nonstop_post(v);
	else if (v->stop_me)
		post_request(v);
}

/* --- everybody waits for a moment */

static struct gyve_vcpu session; /* stands for the session thread in vm->alone */

bool run_is_held(const struct gyve_vm *vm)
{
	return vm->alone == &session;
}

bool run_hold(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	bool running = vm->phase == PHASE_RUNNING;
	while (running && vm->alone)
		pthread_cond_wait(&vm->cond, &vm->lock);
	if (running) {
		__atomic_store_n(&vm->alone, &session, __ATOMIC_SEQ_CST);
		run_kick_all(vm, NULL);
		while (vm->ninside > vm->npaused)
			pthread_cond_wait(&vm->cond, &vm->lock);
	}
	pthread_mutex_unlock(&vm->lock);
	return running;
}

void run_release(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	__atomic_store_n(&vm->alone, NULL, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vm->cond);
	pthread_mutex_unlock(&vm->lock);
}

bool run_change_begin(struct gyve_vm *vm, bool *held)
{
	pthread_mutex_lock(&vm->lock);
	bool may = vm->phase != PHASE_RUNNING || vm->nonstop;
	pthread_mutex_unlock(&vm->lock);
	*held = may && run_hold(vm);
	return may;
}

void run_change_end(struct gyve_vm *vm, bool held)
{
	if (!held)
		return;
	page_arm(vm);
	watch_arm(vm);
	run_release(vm);
}

/* --- the session thread's side */

bool nonstop_take(struct gyve_vm *vm, struct gyve_stop *ret)
{
	struct gyve_vcpu *first = NULL;

	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		if (v->posted && (!first || v->hit_seq < first->hit_seq))
			first = v;
	}
	if (!first)
		return false;
	first->posted = false;
	*ret = run_told(first);
	return true;
}

/* Something that it met before, while all stood, and that nobody was told? */
static bool post_waiting(struct gyve_vcpu *v)
{
	if (v->hit.kind == GYVE_STOP_NONE)
		return false;
	if (run_still_true(v)) {
		nonstop_post(v);
		return true;
	}
	v->hit.kind = GYVE_STOP_NONE;
	return false;
}

static void request_stop(struct gyve_vcpu *v, int how)
{
	if (v->posted || v->act.act == GYVE_ACT_NONE)
		return;
	__atomic_store_n(&v->stop_me, how, __ATOMIC_SEQ_CST);
	if (!v->inside) {
		post_request(v);
		return;
	}
	v->vm->ops->kick(v->b);
	pthread_kill(v->thread, KICK_SIGNAL);
	pthread_cond_broadcast(&v->vm->cond); /* it may halt */
}

/* All of them stand. Who is not to run is stopped by itself from now on. */
static void open_all(struct gyve_vm *vm, const struct gyve_resume *actions)
{
	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		if (actions)
			v->act = actions[i];
		if (v->act.act == GYVE_ACT_STOP)
			v->act.act = GYVE_ACT_NONE;
		if (v->act.act != GYVE_ACT_NONE)
			post_waiting(v);
	}
	run_open(vm);
	vm->over = NULL;
}

static void act_on(struct gyve_vcpu *v, const struct gyve_resume *a)
{
	if (a->act == GYVE_ACT_NONE)
		return;
	if (a->act == GYVE_ACT_STOP)
		request_stop(v, STOP_ME_PAUSE);
	else if (!v->inside && !v->posted && v->act.act == GYVE_ACT_NONE && !post_waiting(v))
		run_prepare(v, a);
}

int nonstop_resume(struct gyve_vm *vm, const struct gyve_resume *actions)
{
	if (vm->phase == PHASE_ENDED)
		return -ESRCH;
	if (vm->phase == PHASE_STOPPED)
		open_all(vm, actions);
	else
		for (unsigned i = 0; actions && i < vm->ncpus; i++)
			act_on(&vm->cpus[i], &actions[i]);
	return 0;
}

/* Back to one for all: who is stopped goes on; what nobody has been told stops all. */
static void let_all_go(struct gyve_vm *vm)
{
	const struct gyve_resume on = {.act = GYVE_ACT_CONT};
	bool any = false;

	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		v->posted = false;
		if (v->stop_me)
			__atomic_store_n(&v->stop_me, STOP_ME_NOT, __ATOMIC_SEQ_CST);
		if (v->hit.kind != GYVE_STOP_NONE && !run_still_true(v))
			v->hit.kind = GYVE_STOP_NONE;
		if (v->hit.kind != GYVE_STOP_NONE) {
			v->act = on;
			any = true;
		} else if (!v->inside && v->act.act == GYVE_ACT_NONE) {
			run_prepare(v, &on);
		}
	}
	if (any)
		run_want_stop(vm);
}

void gyve_run_nonstop(struct gyve_vm *vm, bool on)
{
	pthread_mutex_lock(&vm->lock);
	bool off = vm->nonstop && !on;
	vm->nonstop = on;
	if (off && vm->phase == PHASE_RUNNING)
		let_all_go(vm);
	for (unsigned i = 0; off && i < vm->ncpus; i++)
		vm->cpus[i].posted = false;
	pthread_cond_broadcast(&vm->cond);
	pthread_mutex_unlock(&vm->lock);
}

bool gyve_vcpu_stopped(struct gyve_vm *vm, unsigned cpu)
{
	pthread_mutex_lock(&vm->lock);
	const struct gyve_vcpu *v = &vm->cpus[cpu];
	bool stopped = vm->phase != PHASE_RUNNING || (vm->nonstop && !v->inside && v->act.act == GYVE_ACT_NONE);
	pthread_mutex_unlock(&vm->lock);
	return stopped;
}

void gyve_run_interrupt_one(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	for (unsigned i = 0; vm->phase == PHASE_RUNNING && i < vm->ncpus; i++)
		if (!vm->cpus[i].posted && vm->cpus[i].act.act != GYVE_ACT_NONE) {
			request_stop(&vm->cpus[i], STOP_ME_INTERRUPT);
			break;
		}
	pthread_mutex_unlock(&vm->lock);
}

int gyve_vcpu_peek(struct gyve_vm *vm, unsigned cpu, unsigned groups, struct gyve_regs *ret)
{
	bool held = !gyve_vcpu_stopped(vm, cpu) && run_hold(vm);
	const struct gyve_regs *r = vcpu_regs(&vm->cpus[cpu], groups);

	if (r)
		*ret = *r;
	if (held)
		run_release(vm);
	return r ? 0 : -EIO;
}
