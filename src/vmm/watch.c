/* Watchpoints for hosts whose own do not fire: every vCPU steps; changed bytes are a write, the operands of the instruction
 * tell reads. */
#include "vmm.h"

#include "gyve/assist.h"

#include <string.h>

void watch_arm(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->npoints; i++) {
		struct point *p = &vm->points[i];
		if (p->state == POINT_SOFT)
			p->old_known = vcpu_read(&vm->cpus[0], p->gva, p->old, p->len) == (ssize_t)p->len;
	}
	pthread_mutex_unlock(&vm->book_lock);
}

static bool touches(const struct point *p, const struct gyve_x86_data_ref *ref)
{
	bool wanted = p->kind == GYVE_POINT_READ ? ref->read : p->kind == GYVE_POINT_ACCESS;

	return p->state == POINT_SOFT && wanted && ref->gva < p->gva + p->len && p->gva < ref->gva + ref->len;
}

static bool any_read_watch(const struct gyve_vm *vm)
{
	for (size_t i = 0; i < vm->npoints; i++)
		if (vm->points[i].state == POINT_SOFT && vm->points[i].kind != GYVE_POINT_WRITE)
			return true;
	return false;
}

void watch_before(struct gyve_vcpu *v, struct watch_touch *ret)
{
	struct gyve_vm *vm = v->vm;
	struct gyve_x86_data_ref refs[4];
	uint8_t insn[15];

	pthread_mutex_lock(&vm->book_lock);
	const struct gyve_regs *r = any_read_watch(vm) ? vcpu_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS) : NULL;
	ssize_t len = r && r->arch == GYVE_X86_64 ? vcpu_read(v, r->x86.rip, insn, sizeof(insn)) : 0;
	int n = len > 0 ? gyve_x86_data_refs(&r->x86, insn, (size_t)len, refs) : 0;
	for (int k = 0; k < n && !ret->hit; k++)
		for (size_t i = 0; i < vm->npoints && !ret->hit; i++) {
			const struct point *p = &vm->points[i];
			if (!touches(p, &refs[k]))
				continue;
			ret->hit = true;
			ret->kind = p->kind;
			ret->addr = refs[k].gva > p->gva ? refs[k].gva : p->gva;
		}
	pthread_mutex_unlock(&vm->book_lock);
}

/* The first byte of p that differs from what was last seen. */
static bool differs(struct gyve_vcpu *v, struct point *p, gyve_gva_t *addr)
{
	uint8_t now[256];

	for (uint64_t at = 0; at < p->len; at += sizeof(now)) {
		size_t n = p->len - at < sizeof(now) ? p->len - at : sizeof(now);
		if (vcpu_read(v, p->gva + at, now, n) != (ssize_t)n)
			return false;
		if (!p->old_known || memcmp(now, p->old + at, n) == 0)
			continue;
		size_t i = 0;
		while (now[i] == p->old[at + i])
			i++;
		*addr = p->gva + at + i;
		return true;
	}
	return false;
}

static void set_stop(struct gyve_vcpu *v, struct gyve_stop *stop, enum gyve_point_kind kind, gyve_gva_t addr)
{
	stop->kind = kind == GYVE_POINT_WRITE ? GYVE_STOP_WATCH : kind == GYVE_POINT_READ ? GYVE_STOP_RWATCH : GYVE_STOP_AWATCH;
	stop->cpu = v->index;
	stop->pc = vcpu_pc(v);
	stop->addr = addr;
}

bool watch_after(struct gyve_vcpu *v, const struct watch_touch *touch, struct gyve_stop *stop)
{
	struct gyve_vm *vm = v->vm;
	gyve_gva_t addr;
	bool hit = false;

	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->npoints && !hit; i++) {
		struct point *p = &vm->points[i];
		if (p->state != POINT_SOFT || p->kind == GYVE_POINT_READ || !differs(v, p, &addr))
			continue;
		hit = true;
		set_stop(v, stop, p->kind, addr);
		p->old_known = vcpu_read(v, p->gva, p->old, p->len) == (ssize_t)p->len;
	}
	pthread_mutex_unlock(&vm->book_lock);
	if (!hit && touch && touch->hit) {
		hit = true;
		set_stop(v, stop, touch->kind, touch->addr);
	}
	return hit;
}
