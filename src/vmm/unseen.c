/* Software breakpoints in debug registers, as long as nothing else needs those, so that the guest's code stays as it is: a
 * kernel that patches itself (ftrace, static keys, kprobes, alternatives) looks first what is there, and gives up over a byte
 * of ours. */
#include "point.h"
#include "space.h"

static bool is_wanted(struct gyve_vm *vm, const struct point *p)
{
	return p->owners & POINT_USER && !p->in.on && strategy_unseen(vm) && point_registers_left(vm);
}

/* Bytes may go when every vCPU has the register at its next entry, not while one is in the guest. */
bool unseen_take(struct gyve_vcpu *v, struct point *p, bool all_stand)
{
	if (!is_wanted(v->vm, p))
		return false;
	if (!all_stand) {
		v->wants_alone = true;
		return true;
	}
	bp_unplant(v->vm, p);
	p->state = POINT_DEBUG_REG;
	p->yields = true;
	bp_changed(v->vm);
	return true;
}

bool unseen_yield(struct gyve_vm *vm)
{
	size_t i = vm->npoints;
	gyve_gpa_t gpa;

	while (i > 0 && !vm->points[i - 1].yields)
		i--;
	if (!i)
		return false;
	struct point *p = &vm->points[i - 1];
	p->yields = false;
	p->state = POINT_PENDING;
	for (unsigned c = 0; c < vm->ncpus; c++)
		if (bp_walk(&vm->cpus[c], p->gva, &gpa) && bp_plant(vm, p, gpa))
			break;
	bp_changed(vm);
	return true;
}
