/* The vCPU threads' beginning and end. What they do in between is run.c. */
#include "config.h"

#include "vmm.h"

#include "gyve/assist.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void on_kick(int sig)
{
	(void)sig; /* its only work is to interrupt a system call */
}

static int start_thread(struct gyve_vcpu *v)
{
	const unsigned *cpus = v->vm->opt.affinity;
	pthread_attr_t attr;
	cpu_set_t set;
	int r = pthread_attr_init(&attr);

	if (r)
		return r;
	CPU_ZERO(&set);
	if (cpus) {
		CPU_SET(cpus[v->index], &set);
		r = pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	if (!r)
		r = pthread_create(&v->thread, &attr, run_vcpu, v);
	pthread_attr_destroy(&attr);
	return r;
}

static int create_thread(struct gyve_vcpu *v, struct gyve_err *err)
{
	sigset_t all, old;

	/* Signals for the program belong to the session thread. */
	sigfillset(&all);
	sigdelset(&all, KICK_SIGNAL);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = start_thread(v);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return gyve_err_set(err, -r, "cannot start the thread of vCPU %u: %s", v->index, strerror(r));
	v->has_thread = true;
	return 0;
}

/* The first thing a vCPU thread does. false: it must not go on; run_init() tells why. */
bool run_thread_begins(struct gyve_vcpu *v)
{
	struct gyve_vm *vm = v->vm;
	struct gyve_err err = {0};
	int r = vm->opt.isolate_thread ? vm->opt.isolate_thread(vm->opt.isolate_ctx, &err) : 0;

	pthread_mutex_lock(&vm->lock);
	if (r < 0 && vm->begin_err.code == 0)
		vm->begin_err = err;
	vm->nbegun++;
	pthread_cond_broadcast(&vm->cond);
	pthread_mutex_unlock(&vm->lock);
	return r == 0;
}

static int wait_for_threads(struct gyve_vm *vm, struct gyve_err *err)
{
	pthread_mutex_lock(&vm->lock);
	while (vm->nbegun < vm->ncpus)
		pthread_cond_wait(&vm->cond, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
	return vm->begin_err.code ? gyve_err_set(err, vm->begin_err.code, "%s", vm->begin_err.text) : 0;
}

int run_init(struct gyve_vm *vm, struct gyve_err *err)
{
	struct sigaction sa = {.sa_handler = on_kick};

	sigaction(KICK_SIGNAL, &sa, NULL);
	vm->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->event_fd < 0)
		return gyve_err_set(err, -errno, "cannot make an event descriptor: %s", strerror(errno));
	if (vm->opt.isolate) {
		if (vm->opt.debugger)
			gyve_vm_caps(vm); /* the probe opens what may not be opened later */
		gyve_assist_prepare();
		int r = vm->opt.isolate(vm->opt.isolate_ctx, err);
		if (r < 0)
			return r;
	}
	int r = dev_start(vm, err);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < vm->ncpus; i++) {
		r = create_thread(&vm->cpus[i], err);
		if (r < 0)
			return r;
	}
	return wait_for_threads(vm, err);
}

void run_deinit(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	vm->dying = true;
	__atomic_store_n(&vm->stop_wanted, true, __ATOMIC_SEQ_CST);
	if (vm->ninside)
		run_kick_all(vm, NULL);
	pthread_cond_broadcast(&vm->cond);
	pthread_mutex_unlock(&vm->lock);
	for (unsigned i = 0; vm->cpus && i < vm->ncpus; i++)
		if (vm->cpus[i].has_thread)
			pthread_join(vm->cpus[i].thread, NULL);
	if (vm->event_fd >= 0)
		close(vm->event_fd);
}

int gyve_vm_start(struct gyve_vm *vm)
{
	if (vm->opt.stopped)
		return 0;
	struct gyve_resume *all = calloc(vm->ncpus, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (unsigned i = 0; i < vm->ncpus; i++)
		all[i].act = GYVE_ACT_CONT;
	int r = gyve_run_resume(vm, all);
	free(all);
	return r;
}
