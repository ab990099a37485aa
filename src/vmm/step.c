/* One step of an aarch64 vCPU: interrupts kept out by borrowed PSTATE bits, exclusive accesses run as one. What the
 * instructions mean is step_a64.c's business, and x86_64's part is step_x86.c's. */
#include "vmm.h"

#include "../base/bytes.h"

#include <string.h>

static bool is_a64(const struct gyve_vcpu *v)
{
	return v->vm->arch->id == GYVE_AARCH64;
}

static unsigned read_insns(struct gyve_vcpu *v, gyve_gva_t pc, uint32_t *insn, unsigned n)
{
	uint8_t bytes[4 * A64_UNIT_MAX];
	ssize_t len = vcpu_read(v, pc, bytes, 4 * (size_t)n);

	n = len > 0 ? (unsigned)len / 4 : 0;
	for (unsigned i = 0; i < n; i++)
		insn[i] = get_le32(bytes + 4 * i);
	return n;
}

static bool begin_unit(struct gyve_vcpu *v, gyve_gva_t pc)
{
	uint32_t insn[A64_UNIT_MAX];
	unsigned n = read_insns(v, pc, insn, A64_UNIT_MAX);

	v->nunit_ends = a64_unit_ends(insn, n, pc, v->unit_ends);
	if (v->nunit_ends > v->vm->ops->caps(v->vm->b)->hw_bps)
		v->nunit_ends = 0;
	return v->nunit_ends;
}

/* Interrupts out. Where the last step found them so and could not change that, PSTATE need not even be read. */
static void borrow(struct gyve_vcpu *v, uint32_t insn, bool masked)
{
	struct gyve_a64_regs *r = &v->regs.a64;

	if (masked)
		v->lent = (struct a64_lent){.pc = r->pc, .insn = insn};
	else
		a64_lend(&v->lent, r, insn);
	if (v->lent.bits)
		v->dirty |= GYVE_REGS_PC;
	v->masked = !v->lent.bits && insn && a64_classify(insn) == A64_PLAIN && !a64_writes_system(insn);
}

enum step_way step_begin(struct gyve_vcpu *v)
{
	uint32_t insn = 0;
	bool masked = v->masked;

	v->nunit_ends = 0;
	v->masked = false;
	memset(&v->lent, 0, sizeof(v->lent));
	if (!is_a64(v))
		step_x86_begin(v);
	if (!is_a64(v) || !vcpu_regs(v, masked ? GYVE_REGS_PC_ONLY : GYVE_REGS_PC))
		return STEP_HOST;
	struct gyve_a64_regs *r = &v->regs.a64;
	read_insns(v, r->pc, &insn, 1);
	switch (a64_classify(insn)) {
	case A64_WAIT:
		if (!vcpu_regs(v, GYVE_REGS_PC))
			return STEP_HOST;
		r->pc += 4;
		v->dirty |= GYVE_REGS_PC;
		return STEP_DONE;
	case A64_LOAD_EXCL:
		if (begin_unit(v, r->pc))
			return STEP_UNIT;
		break;
	default:
		break;
	}
	borrow(v, insn, masked);
	return STEP_HOST;
}

void step_end(struct gyve_vcpu *v)
{
	v->nunit_ends = 0;
	if (!is_a64(v))
		step_x86_end(v);
	if (!v->lent.bits || !vcpu_regs(v, GYVE_REGS_PC))
		return;
	struct gyve_a64_regs *r = &v->regs.a64;
	bool sys = a64_maybe_exception(&v->lent, r) && vcpu_regs(v, GYVE_REGS_SYS);
	if (a64_classify(v->lent.insn) == A64_READS_DAIF)
		vcpu_regs(v, GYVE_REGS_GPR);
	v->dirty |= a64_give_back(&v->lent, r, sys);
	v->lent.bits = 0;
}

unsigned step_keeps(const struct gyve_vcpu *v)
{
	bool known = v->lent.insn && !v->nunit_ends && !a64_writes_system(v->lent.insn);

	unsigned all = v->regs.valid & (GYVE_REGS_MMU | GYVE_REGS_SYS) ? GYVE_REGS_MMU : 0;

	return known ? all | (v->regs.valid & (GYVE_REGS_XLAT | GYVE_REGS_LOW | GYVE_REGS_HIGH)) : 0;
}

void step_debug_regs(const struct gyve_vcpu *v, struct gyve_debug *d)
{
	for (unsigned i = 0; i < v->nunit_ends; i++) {
		d->hw[i].type = GYVE_HW_EXEC;
		d->hw[i].addr = v->unit_ends[i];
		d->hw[i].len = 1;
	}
}

bool step_unit_ended(const struct gyve_vcpu *v, gyve_gva_t pc)
{
	for (unsigned i = 0; i < v->nunit_ends; i++)
		if (v->unit_ends[i] == pc)
			return true;
	return false;
}
