/* Stops at the guest's hypercalls: before one is carried out and, for a client that asks so, after it. A hypercall is a write,
 * so the instruction is finished first and the call waits with its bytes until the vCPU goes on. */
#include "vmm.h"

#include <errno.h>
#include <string.h>

static bool in_set(const struct call_set *s, uint32_t number)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->numbers[i] == number)
			return true;
	return s->all;
}

static bool wanted(const struct gyve_vm *vm, uint32_t number)
{
	return in_set(&vm->call_sets[GYVE_CALLS_CLIENT], number) || in_set(&vm->call_sets[GYVE_CALLS_MONITOR], number);
}

static enum exit_result stop_at_call(struct gyve_vcpu *v, enum gyve_stop_kind kind, struct gyve_stop *stop)
{
	stop->kind = kind;
	stop->cpu = v->index;
	stop->pc = vcpu_pc(v);
	stop->code = (int)v->call.number;
	return EXIT_STOP;
}

bool call_caught(struct gyve_vcpu *v, const struct gyve_access *a, struct gyve_stop *stop)
{
	const struct gyve_platform_ops *p = v->vm->platform;
	int64_t number;

	if (!v->vm->calls_caught || !p->call_number || !a->write || a->len > sizeof(v->call.data))
		return false;
	number = p->call_number(v->vm->platform_state, a);
	if (number < 0 || !wanted(v->vm, (uint32_t)number))
		return false;
	v->call =
		(struct waiting_call){.waits = true, .pio = a->pio, .number = (uint32_t)number, .addr = a->addr, .len = a->len};
	memcpy(v->call.data, a->data, a->len);
	v->regs.valid = 0;
	v->vm->ops->settle(v->b);
	stop_at_call(v, GYVE_STOP_CALL, stop);
	return true;
}

enum exit_result call_serve(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	struct gyve_access a = {
		.write = true, .pio = v->call.pio, .addr = v->call.addr, .len = v->call.len, .data = v->call.data};
	enum exit_result res;

	v->call.waits = false;
	res = exit_device(v, &a, stop);
	if (res == EXIT_AGAIN && in_set(&v->vm->call_sets[GYVE_CALLS_CLIENT], v->call.number))
		return stop_at_call(v, GYVE_STOP_CALL_RETURN, stop);
	return res;
}

bool call_still_wanted(const struct gyve_vcpu *v, const struct gyve_stop *stop)
{
	return wanted(v->vm, (uint32_t)stop->code);
}

void call_clear(struct gyve_vm *vm)
{
	memset(vm->call_sets, 0, sizeof(vm->call_sets));
	vm->calls_caught = false;
}

/* --- the session thread's side */

int gyve_vm_catch_calls(struct gyve_vm *vm, enum gyve_call_owner owner, bool all, const uint32_t *numbers, size_t n,
			struct gyve_err *err)
{
	struct call_set *s = &vm->call_sets[owner];

	if (!gyve_run_stopped(vm))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	if ((all || n) && !vm->platform->call_number)
		return gyve_err_set(err, -ENOTSUP, "a guest of this kind makes no hypercalls");
	if (n > GYVE_ARRAY_SIZE(s->numbers))
		return gyve_err_set(err, -E2BIG, "no more than %zu hypercalls can be caught one by one",
				    GYVE_ARRAY_SIZE(s->numbers));
	s->all = all;
	s->n = n;
	if (n)
		memcpy(s->numbers, numbers, n * sizeof(*numbers));
	vm->calls_caught = false;
	for (unsigned i = 0; i < GYVE_CALLS_OWNERS; i++)
		vm->calls_caught |= vm->call_sets[i].all || vm->call_sets[i].n;
	return 0;
}

bool gyve_vm_call_caught(const struct gyve_vm *vm, enum gyve_call_owner owner, uint32_t number)
{
	return in_set(&vm->call_sets[owner], number);
}

const char *gyve_vm_call(const struct gyve_vm *vm, size_t i, uint32_t *number)
{
	return vm->platform->call_row ? vm->platform->call_row(i, number) : NULL;
}
