/* Stops where a kernel's list of modules changes, for a client that wants to hear of it. */
#include "catch.h"
#include "point.h"

#include <errno.h>

static int own_all(struct gyve_vm *vm, const gyve_gva_t *at, size_t n)
{
	int r = 0;

	for (size_t i = vm->npoints; i-- > 0;)
		if (vm->points[i].owners & POINT_LIBRARY)
			bp_disown(vm, &vm->points[i], POINT_LIBRARY);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bp_own(vm, NULL, at[i], POINT_LIBRARY);
	return r;
}

int gyve_vm_library_at(struct gyve_vm *vm, const gyve_gva_t *at, size_t n, struct gyve_err *err)
{
	bool held;

	if (n && strategy_break(vm) > GYVE_BREAK_INTERNAL_ERROR)
		return gyve_err_set(err, -ENOTSUP, "breakpoints are dear on this host");
	if (!run_change_begin(vm, &held))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	pthread_mutex_lock(&vm->book_lock);
	int r = own_all(vm, at, n);
	pthread_mutex_unlock(&vm->book_lock);
	run_change_end(vm, held);
	return r < 0 ? gyve_err_set(err, r, "out of memory") : 0;
}
