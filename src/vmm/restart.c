/* The same guest from its beginning, and what it is given then: arguments, environment. */
#include "catch.h"
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- lists of strings, NULL-terminated; owned */

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static size_t length(const char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* Room for one more. NULL: no memory. */
static char **copy_list(const char *const *list)
{
	size_t n = length(list);
	char **copy = calloc(n + 2, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++)
		if (!(copy[i] = strdup(list[i]))) {
			free_list(copy);
			return NULL;
		}
	return copy;
}

int gyve_vm_arguments(struct gyve_vm *vm, const char *const *args)
{
	char **copy = args ? copy_list(args) : NULL;

	if (args && !copy)
		return -ENOMEM;
	if (!vm->own_args)
		vm->first_args = vm->opt.boot.args;
	vm->opt.boot.args = args ? (const char *const *)copy : vm->first_args;
	free_list(vm->own_args);
	vm->own_args = copy;
	return 0;
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");
	return n == strcspn(b, "=") && memcmp(a, b, n) == 0;
}

/* Without the variable of text's name; and with text, if that sets it. */
static int change(char **list, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; list[i]; i++) {
		if (same_name(list[i], text))
			free(list[i]);
		else
			list[n++] = list[i];
	}
	list[n] = strchr(text, '=') ? strdup(text) : NULL;
	if (!list[n] && strchr(text, '='))
		return -ENOMEM;
	if (list[n])
		list[n + 1] = NULL;
	return 0;
}

int gyve_vm_environment(struct gyve_vm *vm, const char *text)
{
	char **copy = NULL;

	if (!vm->own_env)
		vm->first_env = vm->opt.boot.env;
	if (text && (!(copy = copy_list(vm->opt.boot.env)) || change(copy, text) < 0)) {
		free_list(copy);
		return -ENOMEM;
	}
	vm->opt.boot.env = text ? (const char *const *)copy : vm->first_env;
	free_list(vm->own_env);
	vm->own_env = copy;
	return 0;
}

void restart_deinit(struct gyve_vm *vm)
{
	free_list(vm->own_args);
	free_list(vm->own_env);
}

/* --- the machine */

/* Everybody is out; and nobody goes in before the phase is RUNNING again. */
static int reset_vcpu(struct gyve_vcpu *v, struct gyve_err *err)
{
	v->hit.kind = GYVE_STOP_NONE;
	v->call.waits = v->posted = v->agent_done = false;
	trace_steps_end(v);
	v->act.act = GYVE_ACT_NONE;
	__atomic_store_n(&v->stop_me, STOP_ME_NOT, __ATOMIC_SEQ_CST);
	v->told = v->told_watch = v->over = v->over_watch = v->done_watch = v->started = false;
	v->regs.valid = v->dirty = 0;
	int r = v->vm->ops->reset(v->b);
	if (r < 0)
		return gyve_err_set(err, r, "vCPU %u cannot be reset: %s", v->index, strerror(-r));
	return vcpu_init_state(v, err);
}

/* An end that was reported, or is about to be, is undone. */
static void forget_end(struct gyve_vm *vm)
{
	uint64_t n;

	pthread_mutex_lock(&vm->lock);
	vm->phase = PHASE_STOPPED;
	vm->ending = false;
	vm->report.kind = GYVE_STOP_NONE;
	if (read(vm->event_fd, &n, sizeof(n)) < 0)
		n = 0; /* nothing waited */
	pthread_mutex_unlock(&vm->lock);
}

int gyve_vm_reset(struct gyve_vm *vm, struct gyve_err *err)
{
	if (!gyve_run_stopped(vm))
		return gyve_err_set(err, -EBUSY, "only a stopped guest can be reset");
	bp_forget_plants(vm);
	if (madvise(vm->ram, vm->layout.ram_len, MADV_DONTNEED) < 0)
		return gyve_err_set(err, -errno, "cannot clear guest memory: %s", strerror(errno));
	int r = vm->platform->load(vm->platform_state, &vm->map, err);
	for (unsigned i = 0; r == 0 && i < vm->ncpus; i++)
		r = reset_vcpu(&vm->cpus[i], err);
	if (r < 0)
		return r;
	forget_end(vm);
	bp_sync(vm, NULL);
	return 0;
}
