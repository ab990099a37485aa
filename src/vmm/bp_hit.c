/* The breakpoint book: whose hit is it, and does it stop? */
#include "catch.h"
#include "plant.h"
#include "point.h"
#include "space.h"

static bool overlaps(const struct point *p, gyve_gva_t addr, uint64_t len)
{
	return addr < p->gva + p->len && p->gva < addr + len;
}

/* Whatever else is there: who is told of this looks for its own points, too. */
static bool is_library(const struct gyve_vm *vm, gyve_gva_t pc)
{
	const struct point *p;
	size_t at = SIZE_MAX;

	while ((p = point_at(vm, pc, &at)) != NULL)
		if (p->owners & POINT_LIBRARY)
			return true;
	return false;
}

static void set_stop(struct gyve_vcpu *v, struct gyve_stop *stop, enum gyve_stop_kind kind, gyve_gva_t addr)
{
	stop->kind = kind;
	stop->cpu = v->index;
	stop->pc = vcpu_pc(v);
	stop->addr = addr;
	if (kind != GYVE_STOP_SW_BP && kind != GYVE_STOP_HW_BP)
		return;
	if (is_library(v->vm, stop->pc))
		stop->kind = GYVE_STOP_LIBRARY;
	else if (v->catches.n)
		catch_mark(v, stop);
}

static enum gyve_stop_kind stop_kind(enum gyve_point_kind kind)
{
	static const enum gyve_stop_kind kinds[] = {[GYVE_POINT_SW] = GYVE_STOP_SW_BP,
						    [GYVE_POINT_HW] = GYVE_STOP_HW_BP,
						    [GYVE_POINT_WRITE] = GYVE_STOP_WATCH,
						    [GYVE_POINT_READ] = GYVE_STOP_RWATCH,
						    [GYVE_POINT_ACCESS] = GYVE_STOP_AWATCH};
	return kinds[kind];
}

static struct point *find_exec(struct gyve_vm *vm, gyve_gva_t pc)
{
	size_t at = SIZE_MAX;
	struct point *p;

	while ((p = point_at(vm, pc, &at)) != NULL)
		if (!point_is_watch(p->kind))
			return p;
	return NULL;
}

static bool planted(struct gyve_vcpu *v, gyve_gva_t pc)
{
	gyve_gpa_t gpa;
	return v->vm->nplants && bp_walk(v, pc, &gpa) && plant_find(v->vm, gpa);
}

bool bp_only_spaced(struct gyve_vcpu *v, gyve_gva_t pc)
{
	const struct plant *p;
	gyve_gpa_t gpa;

	pthread_mutex_lock(&v->vm->book_lock);
	bool only = bp_walk(v, pc, &gpa) && (p = plant_find(v->vm, gpa)) && p->refs == p->spaced;
	pthread_mutex_unlock(&v->vm->book_lock);
	return only;
}

bool bp_at(struct gyve_vcpu *v, gyve_gva_t pc)
{
	pthread_mutex_lock(&v->vm->book_lock);
	bool at = find_exec(v->vm, pc) || planted(v, pc);
	pthread_mutex_unlock(&v->vm->book_lock);
	return at;
}

bool bp_still_hit(struct gyve_vcpu *v, struct gyve_stop *hit)
{
	struct gyve_vm *vm = v->vm;
	enum gyve_stop_kind kind = GYVE_STOP_SW_BP, was = hit->kind;
	bool any = false, stops = false;

	pthread_mutex_lock(&vm->book_lock);
	const struct point *p;
	size_t at = SIZE_MAX;
	while ((p = point_at(vm, hit->pc, &at)) != NULL) {
		if (point_is_watch(p->kind))
			continue;
		any = true;
		if (!space_current(v, &p->in, hit->pc) ||
		    !((p->owners & POINT_USER && !p->cmds) || p->owners & (POINT_CATCH | POINT_LIBRARY)))
			continue;
		if (!stops || stop_kind(p->kind) == was)
			kind = stop_kind(p->kind);
		stops = true;
	}
	stops = stops || (!any && planted(v, hit->pc) && !bp_only_spaced(v, hit->pc));
	if (stops)
		set_stop(v, hit, kind, hit->addr);
	pthread_mutex_unlock(&vm->book_lock);
	return stops;
}

bool bp_step_hit(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	gyve_gva_t pc = vcpu_pc(v);
	const struct point *p;
	size_t at = SIZE_MAX;
	bool hit = false;

	pthread_mutex_lock(&v->vm->book_lock);
	while (!hit && (p = point_at(v->vm, pc, &at)) != NULL) {
		hit = !point_is_watch(p->kind) && p->state == POINT_SOFT && space_current(v, &p->in, pc);
		if (hit)
			set_stop(v, stop, stop_kind(p->kind), pc);
	}
	pthread_mutex_unlock(&v->vm->book_lock);
	return hit;
}

bool bp_hit(struct gyve_vcpu *v, gyve_gva_t pc, struct gyve_stop *stop)
{
	pthread_mutex_lock(&v->vm->book_lock);
	bool ours = planted(v, pc);
	if (ours)
		set_stop(v, stop, GYVE_STOP_SW_BP, pc);
	pthread_mutex_unlock(&v->vm->book_lock);
	return ours;
}

bool bp_watches(struct gyve_vm *vm, enum gyve_stop_kind kind, gyve_gva_t addr)
{
	bool any = false;

	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->npoints; i++)
		any |= stop_kind(vm->points[i].kind) == kind && overlaps(&vm->points[i], addr, 1);
	pthread_mutex_unlock(&vm->book_lock);
	return any;
}

bool bp_hw_hit(struct gyve_vcpu *v, const struct gyve_exit *e, struct gyve_stop *stop)
{
	struct gyve_vm *vm = v->vm;
	bool found = false, elsewhere = false;

	pthread_mutex_lock(&vm->book_lock);
	for (unsigned s = 0; s < GYVE_HW_MAX && !found; s++) {
		if (!(e->debug.slots & 1u << s) || v->debug.hw[s].type == GYVE_HW_NONE)
			continue;
		bool exec = v->debug.hw[s].type == GYVE_HW_EXEC;
		for (size_t i = 0; i < vm->npoints && !found; i++) {
			const struct point *p = &vm->points[i];
			found = exec ? !point_is_watch(p->kind) && p->gva == v->debug.hw[s].addr
				     : point_hw_type(p->kind) == v->debug.hw[s].type &&
						overlaps(p, v->debug.hw[s].addr, v->debug.hw[s].len);
			if (found && !exec && !space_current(v, &p->in, p->gva))
				found = !(elsewhere = true);
			if (found)
				set_stop(v, stop, stop_kind(p->kind), v->debug.hw[s].addr);
		}
	}
	pthread_mutex_unlock(&vm->book_lock);
	if (elsewhere && !found && vm->arch->id == GYVE_AARCH64) /* the access is still to come */
		v->skip = v->lift = v->skip_watch = true;
	return found;
}
