/* One vCPU's registers and its view of memory. */
#include "vmm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct gyve_regs *vcpu_regs(struct gyve_vcpu *v, unsigned groups)
{
	unsigned have = v->regs.valid, missing;

	if (v->vm->arch->id != GYVE_AARCH64) { /* only there it costs something to get the rest, too */
		groups |= groups & (GYVE_REGS_PC | GYVE_REGS_PC_ONLY) ? GYVE_REGS_GPR : 0;
		groups |= groups & (GYVE_REGS_XLAT | GYVE_REGS_LOW | GYVE_REGS_HIGH) ? GYVE_REGS_MMU : 0;
		groups &= ~(unsigned)(GYVE_REGS_PC | GYVE_REGS_PC_ONLY | GYVE_REGS_XLAT | GYVE_REGS_LOW | GYVE_REGS_HIGH);
	}
	have |= (have & GYVE_REGS_GPR ? GYVE_REGS_PC : 0) | (have & GYVE_REGS_SYS ? GYVE_REGS_MMU : 0);
	have |= have & GYVE_REGS_MMU ? GYVE_REGS_LOW | GYVE_REGS_HIGH : 0;
	have |= have & (GYVE_REGS_LOW | GYVE_REGS_HIGH) ? GYVE_REGS_XLAT : 0;
	have |= (have & GYVE_REGS_PC ? GYVE_REGS_PC_ONLY : 0) | (have & GYVE_REGS_GPR ? GYVE_REGS_SOME : 0);
	missing = groups & ~have;
	v->regs.arch = v->vm->arch->id;
	unsigned parts = v->dirty & (GYVE_REGS_PC | GYVE_REGS_SOME);
	if (missing & GYVE_REGS_GPR && parts) { /* they come with them: not the old ones */
		if (v->vm->ops->set_regs(v->b, parts, &v->regs) < 0)
			return NULL;
		v->dirty &= ~parts;
	}
	if (missing && v->vm->ops->get_regs(v->b, missing, &v->regs) < 0)
		return NULL;
	v->regs.valid |= missing;
	return &v->regs;
}

static uint32_t some(const struct gyve_vcpu *v)
{
	return v->regs.valid & GYVE_REGS_GPR ? UINT32_MAX : v->regs.valid & GYVE_REGS_SOME ? v->regs.a64.some : 0;
}

bool vcpu_x(struct gyve_vcpu *v, uint32_t mask)
{
	struct gyve_a64_regs *r = &v->regs.a64;

	if (v->vm->arch->id != GYVE_AARCH64)
		return vcpu_regs(v, GYVE_REGS_GPR);
	uint32_t have = some(v);
	if (!(mask & ~have))
		return true;
	r->some = mask & ~have;
	int res = v->vm->ops->get_regs(v->b, GYVE_REGS_SOME, &v->regs);
	r->some = res < 0 ? have : have | mask;
	v->regs.valid |= GYVE_REGS_SOME;
	return res == 0;
}

void vcpu_x_changed(struct gyve_vcpu *v, uint32_t mask)
{
	if (!mask)
		return;
	v->regs.a64.some = some(v) | mask;
	v->regs.valid |= GYVE_REGS_SOME;
	v->dirty |= v->regs.valid & GYVE_REGS_GPR ? GYVE_REGS_GPR : GYVE_REGS_SOME;
}

int vcpu_flush(struct gyve_vcpu *v)
{
	unsigned have = v->regs.valid | (v->regs.valid & GYVE_REGS_GPR ? GYVE_REGS_PC : 0);
	unsigned dirty = v->dirty & have;
	int r = dirty ? v->vm->ops->set_regs(v->b, dirty, &v->regs) : 0;

	v->dirty = 0;
	v->regs.valid = 0;
	return r;
}

int vcpu_init_state(struct gyve_vcpu *v, struct gyve_err *err)
{
	if (!vcpu_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS))
		return gyve_err_set(err, -EIO, "cannot read the registers of vCPU %u", v->index);
	v->masked = false;
	v->vm->platform->cpu_init(v->vm->platform_state, v->index, &v->regs);
	v->first_steps = v->index && v->vm->arch->id == GYVE_AARCH64 ? v->vm->platform->first_steps : 0;
	if (v->index == 0)
		v->vm->boot_root = v->vm->arch->root(&v->regs);
	int r = v->vm->ops->set_regs(v->b, GYVE_REGS_GPR | GYVE_REGS_SYS, &v->regs);
	v->regs.valid = v->dirty = 0;
	if (r < 0)
		return gyve_err_set(err, r, "KVM refuses the initial registers of vCPU %u: %s", v->index, strerror(-r));
	return 0;
}

gyve_gva_t vcpu_pc(struct gyve_vcpu *v)
{
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_PC_ONLY);
	return r ? v->vm->arch->pc(r) : 0;
}

void vcpu_note_entry(struct gyve_vcpu *v)
{
	v->entry_pc = vcpu_pc(v);
	if (v->vm->arch->id != GYVE_X86_64)
		return;
	_Static_assert(offsetof(struct gyve_x86_regs, rip) <= sizeof(v->entry_gpr), "general registers do not fit");
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_GPR);
	if (r)
		memcpy(v->entry_gpr, &r->x86, offsetof(struct gyve_x86_regs, rip));
}

bool vcpu_unchanged(struct gyve_vcpu *v)
{
	/* aarch64 hosts count a step when its instruction is through */
	if (v->vm->arch->id != GYVE_X86_64 || vcpu_pc(v) != v->entry_pc)
		return false;
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_GPR);
	return r && memcmp(v->entry_gpr, &r->x86, offsetof(struct gyve_x86_regs, rip)) == 0;
}

bool vcpu_mmu(struct gyve_vcpu *v, struct gyve_mmu *ret)
{
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_MMU);
	if (r)
		gyve_mmu_from_regs(ret, r);
	return r != NULL;
}

bool vcpu_mmu_at(struct gyve_vcpu *v, gyve_gva_t gva, struct gyve_mmu *ret)
{
	enum { SCTLR_M = 1, HALF = 55, TAG = 56 };
	const struct gyve_regs *r = v->vm->arch->id == GYVE_AARCH64 ? vcpu_regs(v, GYVE_REGS_XLAT) : NULL;

	if (!r)
		return vcpu_mmu(v, ret);
	bool off = !(r->a64.sctlr_el1 & SCTLR_M) && !(gva >> TAG); /* the tag's meaning is in TCR */
	if (!off && !vcpu_regs(v, gva >> HALF & 1 ? GYVE_REGS_HIGH : GYVE_REGS_LOW))
		return false;
	gyve_mmu_from_regs(ret, r);
	return true;
}

ssize_t vcpu_read(struct gyve_vcpu *v, gyve_gva_t gva, void *buf, size_t len)
{
	struct gyve_mem phys = gyve_vm_phys(v->vm);
	struct gyve_mmu mmu;

	if (!vcpu_mmu_at(v, gva, &mmu))
		return -EIO;
	return gyve_virt_read(&mmu, &phys, gva, buf, len, NULL);
}

/* --- for the session thread */

struct gyve_regs *gyve_vcpu_regs(struct gyve_vm *vm, unsigned cpu, unsigned groups)
{
	return cpu < vm->ncpus && gyve_vcpu_stopped(vm, cpu) ? vcpu_regs(&vm->cpus[cpu], groups) : NULL;
}

void gyve_vcpu_regs_dirty(struct gyve_vm *vm, unsigned cpu, unsigned groups)
{
	if (cpu >= vm->ncpus || !gyve_vcpu_stopped(vm, cpu))
		return;
	struct gyve_vcpu *v = &vm->cpus[cpu];
	v->dirty |= groups;
	v->masked = false;
	/* Somewhere else now: what was told about the old place says nothing about the new one. */
	if (v->told && v->told_pc != vcpu_pc(v))
		v->told = false;
	if (v->agent_done && v->agent_pc != vcpu_pc(v))
		v->agent_done = false;
}

int gyve_vcpu_describe(struct gyve_vm *vm, unsigned cpu, char *buf, size_t size)
{
	if (cpu >= vm->ncpus)
		return -ESRCH;
	return snprintf(buf, size, "%s", gyve_vcpu_stopped(vm, cpu) ? "stopped" : "running");
}
