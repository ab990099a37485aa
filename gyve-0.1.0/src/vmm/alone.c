/* One vCPU in the guest, the others wait where they are: between two instructions, out of the guest but still "inside", so that
 * none of their own state (a step under way, a waiting room's rule) is disturbed.
 *
 * Everybody inside is either on the way to alone_pause(), or counted in npaused: there, in alone_begin(), or halted. */
#include "vmm.h"

static struct gyve_vcpu *who(const struct gyve_vm *vm)
{
	return __atomic_load_n(&vm->alone, __ATOMIC_SEQ_CST);
}

static void set_who(struct gyve_vm *vm, struct gyve_vcpu *v)
{
	__atomic_store_n(&vm->alone, v, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vm->cond);
}

bool alone_wanted(const struct gyve_vcpu *v)
{
	const struct gyve_vcpu *w = who(v->vm);
	return w && w != v;
}

static void wait_for_end(struct gyve_vm *vm)
{
	vm->npaused++;
	pthread_cond_broadcast(&vm->cond);
	while (vm->alone)
		pthread_cond_wait(&vm->cond, &vm->lock);
	vm->npaused--;
}

void alone_begin(struct gyve_vcpu *v)
{
	struct gyve_vm *vm = v->vm;

	if (v->alone)
		return;
	v->alone = true;
	if (vm->ncpus == 1)
		return;
	pthread_mutex_lock(&vm->lock);
	wait_for_end(vm);
	set_who(vm, v);
	run_kick_all(vm, v);
	while (vm->ninside > vm->npaused + 1)
		pthread_cond_wait(&vm->cond, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
}

void alone_end_locked(struct gyve_vcpu *v)
{
	if (v->alone && v->vm->ncpus > 1)
		set_who(v->vm, NULL);
	v->alone = false;
}

void alone_end(struct gyve_vcpu *v)
{
	if (!v->alone)
		return;
	pthread_mutex_lock(&v->vm->lock);
	alone_end_locked(v);
	pthread_mutex_unlock(&v->vm->lock);
}

bool alone_pause(struct gyve_vcpu *v)
{
	struct gyve_vm *vm = v->vm;

	if (!alone_wanted(v))
		return false;
	pthread_mutex_lock(&vm->lock);
	if (alone_wanted(v))
		wait_for_end(vm);
	pthread_mutex_unlock(&vm->lock);
	return true;
}
