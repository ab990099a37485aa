/* Address spaces of processes: a virtual address means something else in each of them, so a point can belong to one.
 *
 * Tables are walked from a root that a client named only when it names it: later a process may have ended, and what was its
 * root may be anything. From then on they are looked at through a vCPU that uses them. */
#include "plant.h"
#include "point.h"
#include "space.h"

#include <string.h>

#define X86_ROOT UINT64_C(0x000ffffffffff000)
#define A64_ROOT UINT64_C(0x0000fffffffffffe)

enum { CHECKS = 32 };

static bool upper_half(const struct gyve_vm *vm, gyve_gva_t gva)
{
	return gva >> (vm->arch->id == GYVE_AARCH64 ? 55 : 63) & 1;
}

static bool is_linux(const struct gyve_vm *vm)
{
	return strcmp(vm->platform->name, "linux") == 0;
}

/* Linux with page-table isolation: user and kernel mode have roots of their own, side by side. */
static uint64_t root_mask(const struct gyve_vm *vm)
{
	if (vm->arch->id == GYVE_AARCH64)
		return A64_ROOT;
	return is_linux(vm) ? X86_ROOT & ~UINT64_C(0x1000) : X86_ROOT;
}

void gyve_bp_space(struct gyve_vm *vm, const struct gyve_space *s)
{
	uint64_t mask = vm->arch->id == GYVE_AARCH64 ? A64_ROOT : X86_ROOT;

	pthread_mutex_lock(&vm->book_lock);
	memset(&vm->space, 0, sizeof(vm->space));
	if (s && s->on) {
		vm->space = *s;
		vm->space.root &= mask;
		vm->space.root1 &= mask;
	}
	pthread_mutex_unlock(&vm->book_lock);
}

struct gyve_space space_for(const struct gyve_vm *vm, gyve_gva_t gva)
{
	bool shared = upper_half(vm, gva) && (vm->arch->id == GYVE_AARCH64 ? !vm->space.has_root1 : is_linux(vm));

	return shared ? (struct gyve_space){0} : vm->space;
}

bool space_same(const struct gyve_vm *vm, const struct gyve_space *a, const struct gyve_space *b)
{
	if (!a->on || !b->on)
		return a->on == b->on;
	return !((a->root ^ b->root) & root_mask(vm)) && a->has_root1 == b->has_root1 && a->root1 == b->root1;
}

static bool paging(const struct gyve_regs *r)
{
	return r->arch == GYVE_X86_64 ? r->x86.cr0 >> 31 & 1 : r->a64.sctlr_el1 & 1;
}

bool space_current(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva)
{
	const struct gyve_vm *vm = v->vm;
	const struct gyve_regs *r;

	if (!s->on)
		return true;
	r = vcpu_regs(v, GYVE_REGS_MMU);
	if (!r || !paging(r))
		return false;
	if (vm->arch->id == GYVE_AARCH64 && upper_half(vm, gva))
		return !((r->a64.ttbr1_el1 ^ s->root1) & A64_ROOT);
	return !((vm->arch->root(r) ^ s->root) & root_mask(vm));
}

/* Paging state of v, with s in place of its own space. */
static bool space_mmu(struct gyve_vcpu *v, const struct gyve_space *s, struct gyve_mmu *ret)
{
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_MMU);

	if (!r || (s->on && !paging(r)))
		return false;
	gyve_mmu_from_regs(ret, r);
	if (s->on && ret->arch == GYVE_X86_64) {
		ret->x86.cr3 = s->root;
	} else if (s->on) {
		ret->a64.ttbr0 = s->root;
		ret->a64.ttbr1 = s->has_root1 ? s->root1 : ret->a64.ttbr1;
	}
	return true;
}

bool space_walk(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva, gyve_gpa_t *ret)
{
	struct gyve_mem phys = gyve_memmap_mem(&v->vm->map);
	struct gyve_mmu mmu;
	struct gyve_walk w;

	if (!space_mmu(v, s, &mmu) || gyve_walk(&mmu, &phys, gva, &w) < 0)
		return false;
	*ret = w.gpa;
	return true;
}

bool space_has(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva)
{
	gyve_gpa_t gpa;

	return !s->on || (space_current(v, s, gva) && space_walk(v, s, gva, &gpa));
}

ssize_t space_read(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva, void *buf, size_t len)
{
	struct gyve_mem phys = gyve_vm_phys(v->vm);
	struct gyve_mmu mmu;

	return space_mmu(v, s, &mmu) ? gyve_virt_read(&mmu, &phys, gva, buf, len, NULL) : -1;
}

/* --- planted points: their page may have come, gone or moved */

static void check(struct gyve_vm *vm, struct gyve_vcpu *v, struct point *p)
{
	gyve_gpa_t gpa;

	if (!space_walk(v, &p->in, p->gva, &gpa) || !gyve_memmap_ptr(&vm->map, gpa, vm->arch->bp_len))
		bp_unplant(vm, p);
	else if (p->state == POINT_BYTES && p->gpa == gpa)
		plant_keep(vm, gpa);
	else
		bp_plant(vm, p, gpa);
}

void space_sync(struct gyve_vm *vm, struct gyve_vcpu *v)
{
	unsigned from = v ? v->index : 0, to = v ? v->index + 1 : vm->ncpus;
	size_t left = vm->nspaced < CHECKS ? vm->nspaced : CHECKS;

	for (size_t n = vm->npoints; n && left; n--) {
		if (vm->spaced_checked >= vm->npoints)
			vm->spaced_checked = 0;
		struct point *p = &vm->points[vm->spaced_checked++];
		if (!space_plants(p))
			continue;
		left--;
		for (unsigned i = from; i < to; i++)
			if (space_current(&vm->cpus[i], &p->in, p->gva)) {
				check(vm, &vm->cpus[i], p);
				break;
			}
	}
}
