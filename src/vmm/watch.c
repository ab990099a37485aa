/* Watchpoints by comparing: changed bytes are a write, the operands of the instruction tell reads. After every step (SOFT), or
 * after those the protection of pages (page.c) does not see. */
#include "point.h"
#include "space.h"

#include "gyve/assist.h"

#include <string.h>

static bool compared(const struct point *p)
{
	return point_is_watch(p->kind) && (p->state == POINT_SOFT || p->state == POINT_PAGE);
}

void watch_arm(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; vm->nwatch && i < vm->npoints; i++) {
		struct point *p = &vm->points[i];
		if (compared(p))
			p->old_known = space_read(&vm->cpus[0], &p->in, p->gva, p->old, p->len) == (ssize_t)p->len;
	}
	pthread_mutex_unlock(&vm->book_lock);
}

static bool any_read_watch(const struct gyve_vm *vm)
{
	for (size_t i = 0; vm->nwatch && i < vm->npoints; i++)
		if (compared(&vm->points[i]) && vm->points[i].kind != GYVE_POINT_WRITE)
			return true;
	return false;
}

void watch_before(struct gyve_vcpu *v, struct watch_touch *ret)
{
	struct gyve_vm *vm = v->vm;
	uint8_t insn[15];

	ret->n = 0;
	pthread_mutex_lock(&vm->book_lock);
	bool any = vm->arch->id == GYVE_X86_64 && any_read_watch(vm);
	pthread_mutex_unlock(&vm->book_lock);
	const struct gyve_regs *r = any ? vcpu_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS) : NULL;
	ssize_t len = r ? vcpu_read(v, r->x86.rip, insn, sizeof(insn)) : 0;
	if (len <= 0)
		return;
	ret->n = gyve_x86_data_refs(&r->x86, insn, (size_t)len, ret->refs);
	ret->count = r->x86.gpr[GYVE_RCX];
}

/* How many elements of a repeated instruction the step has done; it can be one of many, or all. */
static uint64_t elements(struct gyve_vcpu *v, const struct watch_touch *t, const struct gyve_x86_data_ref *ref)
{
	const struct gyve_regs *r = ref->repeated ? vcpu_regs(v, GYVE_REGS_GPR) : NULL;
	uint64_t done = r ? t->count - r->x86.gpr[GYVE_RCX] : 1;

	return done > UINT32_MAX ? 1 : done;
}

static bool touches(struct gyve_vcpu *v, const struct point *p, const struct watch_touch *t,
		    const struct gyve_x86_data_ref *ref, gyve_gva_t *addr)
{
	bool wanted = p->kind == GYVE_POINT_READ ? ref->read : p->kind == GYVE_POINT_ACCESS;
	uint64_t n = elements(v, t, ref), more = (n - 1) * ref->len;
	gyve_gva_t from = ref->down ? ref->gva - more : ref->gva, to = (ref->down ? ref->gva : ref->gva + more) + ref->len;

	*addr = from > p->gva ? from : p->gva;
	return n && wanted && from < p->gva + p->len && p->gva < to;
}

/* The first byte of p that differs from what was last seen. */
static bool differs(struct gyve_vcpu *v, struct point *p, gyve_gva_t *addr)
{
	uint8_t now[256];

	if (!p->old_known) { /* mapped only now: what it begins with is no change */
		p->old_known = space_read(v, &p->in, p->gva, p->old, p->len) == (ssize_t)p->len;
		return false;
	}
	for (uint64_t at = 0; at < p->len; at += sizeof(now)) {
		size_t n = p->len - at < sizeof(now) ? p->len - at : sizeof(now);
		if (space_read(v, &p->in, p->gva + at, now, n) != (ssize_t)n)
			return false;
		if (memcmp(now, p->old + at, n) == 0)
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

static bool is_hit(struct gyve_vcpu *v, struct point *p, const struct watch_touch *touch, gyve_gva_t *addr)
{
	bool here = space_current(v, &p->in, p->gva);

	if (p->kind != GYVE_POINT_READ && differs(v, p, addr)) {
		p->old_known = space_read(v, &p->in, p->gva, p->old, p->len) == (ssize_t)p->len;
		if (here)
			return true;
	}
	for (int k = 0; here && touch && k < touch->n; k++)
		if (touches(v, p, touch, &touch->refs[k], addr))
			return true;
	return false;
}

bool watch_after(struct gyve_vcpu *v, const struct watch_touch *touch, struct gyve_stop *stop)
{
	struct gyve_vm *vm = v->vm;
	gyve_gva_t addr;
	bool hit = false;

	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; vm->nwatch && i < vm->npoints && !hit; i++) {
		struct point *p = &vm->points[i];
		hit = compared(p) && is_hit(v, p, touch, &addr);
		if (hit)
			set_stop(v, stop, p->kind, addr);
	}
	pthread_mutex_unlock(&vm->book_lock);
	return hit;
}
