/* aarch64 registers: one row each, one ioctl each. Encodings: Arm ARM (DDI 0487) D19. */
#include "kvm_aarch64.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct one_reg {
	uint64_t id;
	uint16_t offset, size; /* in struct gyve_a64_regs */
	uint16_t group;        /* GYVE_REGS_*, any of them */
	bool readonly;
	bool fixed; /* for the vCPU's life */
};

#define CORE(field, member, group_)                                                                \
	{                                                                                          \
		KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field), \
			offsetof(struct gyve_a64_regs, member), 8, group_, false, false            \
	}
#define CORE32(field, member)                                                                      \
	{                                                                                          \
		KVM_REG_ARM64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field), \
			offsetof(struct gyve_a64_regs, member), 4, GYVE_REGS_FP, false, false      \
	}
#define SYS(op0, op1, crn, crm, op2, member)                                                                                   \
	{                                                                                                                      \
		ARM64_SYS_REG(op0, op1, crn, crm, op2), offsetof(struct gyve_a64_regs, member), 8, GYVE_REGS_SYS, false, false \
	}
#define MMU(op0, op1, crn, crm, op2, member, part)                                                 \
	{                                                                                          \
		ARM64_SYS_REG(op0, op1, crn, crm, op2), offsetof(struct gyve_a64_regs, member), 8, \
			GYVE_REGS_SYS | GYVE_REGS_MMU | (part), false, false                       \
	}
#define SYS_RO(op0, op1, crn, crm, op2, member)                                                                               \
	{                                                                                                                     \
		ARM64_SYS_REG(op0, op1, crn, crm, op2), offsetof(struct gyve_a64_regs, member), 8, GYVE_REGS_SYS, true, false \
	}
#define SYS_ID(op0, op1, crn, crm, op2, member)                                                                              \
	{                                                                                                                    \
		ARM64_SYS_REG(op0, op1, crn, crm, op2), offsetof(struct gyve_a64_regs, member), 8, GYVE_REGS_SYS, true, true \
	}

static const struct one_reg rows[] = {
	CORE(regs.pc, pc, GYVE_REGS_GPR | GYVE_REGS_PC | GYVE_REGS_PC_ONLY),
	CORE(regs.pstate, pstate, GYVE_REGS_GPR | GYVE_REGS_PC),
	CORE(regs.sp, sp_el0, GYVE_REGS_GPR | GYVE_REGS_SYS),
	CORE(sp_el1, sp_el1, GYVE_REGS_GPR | GYVE_REGS_SYS),
	CORE(elr_el1, elr_el1, GYVE_REGS_SYS),
	CORE(spsr[0], spsr_el1, GYVE_REGS_SYS),
	CORE32(fp_regs.fpsr, fpsr),
	CORE32(fp_regs.fpcr, fpcr),
	MMU(3, 0, 1, 0, 0, sctlr_el1, GYVE_REGS_XLAT | GYVE_REGS_LOW | GYVE_REGS_HIGH),
	MMU(3, 0, 2, 0, 2, tcr_el1, GYVE_REGS_LOW | GYVE_REGS_HIGH),
	MMU(3, 0, 2, 0, 0, ttbr0_el1, GYVE_REGS_LOW),
	MMU(3, 0, 2, 0, 1, ttbr1_el1, GYVE_REGS_HIGH),
	MMU(3, 0, 10, 2, 0, mair_el1, 0),
	SYS(3, 0, 12, 0, 0, vbar_el1),
	SYS(3, 0, 5, 2, 0, esr_el1),
	SYS(3, 0, 6, 0, 0, far_el1),
	SYS(3, 3, 13, 0, 2, tpidr_el0),
	SYS(3, 3, 13, 0, 3, tpidrro_el0),
	SYS(3, 0, 13, 0, 4, tpidr_el1),
	SYS(3, 0, 1, 0, 2, cpacr_el1),
	SYS(3, 0, 13, 0, 1, contextidr_el1),
	SYS(3, 0, 7, 4, 0, par_el1),
	SYS(3, 0, 5, 1, 0, afsr0_el1),
	SYS(3, 0, 5, 1, 1, afsr1_el1),
	SYS(3, 0, 10, 3, 0, amair_el1),
	SYS(2, 0, 0, 2, 2, mdscr_el1),
	SYS(3, 0, 14, 1, 0, cntkctl_el1),
	SYS_RO(3, 3, 14, 3, 1, cntv_ctl_el0),  /* writing would move the guest's time */
	SYS_RO(3, 3, 14, 0, 2, cntv_cval_el0), /* KVM's number for it, not the architecture's */
	SYS_ID(3, 0, 0, 0, 5, mpidr_el1),
	SYS_ID(3, 0, 0, 0, 0, midr_el1),
	SYS_ID(3, 0, 0, 4, 0, id_aa64pfr0_el1),
	SYS_ID(3, 0, 0, 4, 1, id_aa64pfr1_el1),
	SYS_ID(3, 0, 0, 5, 0, id_aa64dfr0_el1),
	SYS_ID(3, 0, 0, 6, 0, id_aa64isar0_el1),
	SYS_ID(3, 0, 0, 6, 1, id_aa64isar1_el1),
	{ARM64_SYS_REG(3, 0, 0, 7, 0), offsetof(struct gyve_a64_regs, id_aa64mmfr0_el1), 8,
	 GYVE_REGS_SYS | GYVE_REGS_MMU | GYVE_REGS_XLAT | GYVE_REGS_LOW | GYVE_REGS_HIGH, true, true},
	SYS_ID(3, 0, 0, 7, 1, id_aa64mmfr1_el1),
	SYS_ID(3, 0, 0, 7, 2, id_aa64mmfr2_el1),
	SYS(3, 0, 1, 2, 0, zcr_el1),
};

static struct one_reg x_row(unsigned n)
{
	return (struct one_reg){KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
					(KVM_REG_ARM_CORE_REG(regs.regs[0]) + 2 * n),
				(uint16_t)(offsetof(struct gyve_a64_regs, x) + 8 * n),
				8,
				GYVE_REGS_GPR,
				false,
				false};
}

static struct one_reg v_row(unsigned n)
{
	return (struct one_reg){KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE |
					(KVM_REG_ARM_CORE_REG(fp_regs.vregs[0]) + 4 * n),
				(uint16_t)(offsetof(struct gyve_a64_regs, v) + 16 * n),
				16,
				GYVE_REGS_FP,
				false,
				false};
}

/* Row n of those that take the place of v_row() where there is SVE: z, p, ffr. KVM moves them in their largest size. */
enum { SVE_ROWS = 32 + 16 + 1 };
static struct one_reg sve_row(unsigned n)
{
	struct one_reg r = {.size = GYVE_SVE_VL_MAX / 8, .group = GYVE_REGS_FP};

	if (n < 32) {
		r.id = KVM_REG_ARM64_SVE_ZREG(n, 0);
		r.offset = (uint16_t)(offsetof(struct gyve_a64_regs, z) + GYVE_SVE_VL_MAX * n);
		r.size = GYVE_SVE_VL_MAX;
	} else if (n < 48) {
		r.id = KVM_REG_ARM64_SVE_PREG(n - 32, 0);
		r.offset = (uint16_t)(offsetof(struct gyve_a64_regs, p) + GYVE_SVE_VL_MAX / 8 * (n - 32));
	} else {
		r.id = KVM_REG_ARM64_SVE_FFR(0);
		r.offset = offsetof(struct gyve_a64_regs, ffr);
	}
	return r;
}

int kvm_a64_get_one(struct gyve_bvcpu *v, uint64_t id, void *val)
{
	struct kvm_one_reg r = {id, (uintptr_t)val};
	int ret = kvm_ioctl(v->fd, KVM_GET_ONE_REG, &r);
	return ret < 0 ? ret : 0;
}

int kvm_a64_set_one(struct gyve_bvcpu *v, uint64_t id, const void *val)
{
	struct kvm_one_reg r = {id, (uintptr_t)val};
	int ret = kvm_ioctl(v->fd, KVM_SET_ONE_REG, &r);
	return ret < 0 ? ret : 0;
}

static uint64_t fresh_bit(const struct one_reg *row)
{
	bool any = row >= rows && row < rows + GYVE_ARRAY_SIZE(rows);

	_Static_assert(GYVE_ARRAY_SIZE(rows) <= 64, "no room for all rows");
	return any ? UINT64_C(1) << (row - rows) : 0;
}

void kvm_a64_forget(struct gyve_bvcpu *v, bool all)
{
	struct kvm_host_vcpu *h = v->host;

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(rows); i++)
		h->fixed |= rows[i].fixed ? UINT64_C(1) << i : 0;
	h->fresh &= all ? 0 : h->fixed;
	h->fresh_x = 0;
	h->last_valid = 0;
}

static int get_row(struct gyve_bvcpu *v, const struct one_reg *row, struct gyve_a64_regs *r)
{
	uint8_t *at = (uint8_t *)r + row->offset;
	uint64_t bit = fresh_bit(row);

	if (v->host->fresh & bit) {
		memcpy(at, (uint8_t *)&v->host->last + row->offset, row->size);
		return 0;
	}
	int ret = kvm_a64_get_one(v, row->id, at);

	if (ret == -ENOENT) { /* this CPU has no such register */
		memset(at, 0, row->size);
		ret = 0;
	}
	memcpy((uint8_t *)&v->host->last + row->offset, at, row->size);
	if (ret == 0)
		v->host->fresh |= bit;
	return ret;
}

/* Only what changed since it was read: most register stores change the pc alone. */
static int set_row(struct gyve_bvcpu *v, const struct one_reg *row, const struct gyve_a64_regs *r)
{
	const uint8_t *at = (const uint8_t *)r + row->offset;
	uint8_t *last = (uint8_t *)&v->host->last + row->offset;

	if (row->readonly ||
	    ((v->host->fresh & fresh_bit(row) || v->host->last_valid & row->group) && memcmp(at, last, row->size) == 0))
		return 0;
	memcpy(last, at, row->size);
	v->host->fresh |= fresh_bit(row);
	return kvm_a64_set_one(v, row->id, at);
}

static int get_x(struct gyve_bvcpu *v, unsigned n, struct gyve_a64_regs *r)
{
	struct one_reg row = x_row(n);
	int res = 0;

	if (v->host->fresh_x & 1u << n)
		r->x[n] = v->host->last.x[n];
	else
		res = get_row(v, &row, r);
	if (res == 0)
		v->host->fresh_x |= 1u << n;
	return res;
}

static int set_x(struct gyve_bvcpu *v, unsigned n, const struct gyve_a64_regs *r)
{
	struct one_reg row = x_row(n);

	if (v->host->fresh_x & 1u << n && r->x[n] == v->host->last.x[n])
		return 0;
	int res = set_row(v, &row, r);
	v->host->fresh_x |= res == 0 ? 1u << n : 0;
	return res;
}

static bool uses_sp_el1(const struct gyve_a64_regs *r)
{
	return (r->pstate & 0xf) == 5; /* EL1h */
}

enum { PSTATE_ROW = 1, SP_EL0_ROW, SP_EL1_ROW, SOME_SP = 31 };

/* GYVE_REGS_SOME. The stack pointer in use is one of two rows. */
static int get_some(struct gyve_bvcpu *v, struct gyve_a64_regs *r)
{
	int res = 0;

	for (unsigned n = 0; res == 0 && n < SOME_SP; n++)
		if (r->some & 1u << n)
			res = get_x(v, n, r);
	if (res < 0 || !(r->some & 1u << SOME_SP))
		return res;
	struct gyve_a64_regs now;
	res = get_row(v, &rows[PSTATE_ROW], &now);
	if (res == 0)
		res = get_row(v, &rows[uses_sp_el1(&now) ? SP_EL1_ROW : SP_EL0_ROW], &now);
	if (res == 0)
		r->sp = uses_sp_el1(&now) ? now.sp_el1 : now.sp_el0;
	return res;
}

static int set_some(struct gyve_bvcpu *v, const struct gyve_a64_regs *r)
{
	int res = 0;

	for (unsigned n = 0; res == 0 && n < SOME_SP; n++)
		if (r->some & 1u << n)
			res = set_x(v, n, r);
	if (res < 0 || !(r->some & 1u << SOME_SP))
		return res;
	struct gyve_a64_regs now;
	res = get_row(v, &rows[PSTATE_ROW], &now);
	if (res < 0)
		return res;
	now.sp_el0 = now.sp_el1 = v->host->last.sp = r->sp;
	return set_row(v, &rows[uses_sp_el1(&now) ? SP_EL1_ROW : SP_EL0_ROW], &now);
}

static int get_vectors(struct gyve_bvcpu *v, struct gyve_a64_regs *r)
{
	int res = 0;

	r->sve_vl = v->vm->caps.sve_vl;
	for (unsigned n = 0; res == 0 && n < (r->sve_vl ? SVE_ROWS : 32); n++) {
		struct one_reg row = r->sve_vl ? sve_row(n) : v_row(n);
		res = get_row(v, &row, r);
	}
	for (unsigned n = 0; res == 0 && r->sve_vl && n < 32; n++)
		memcpy(r->v[n], r->z[n], sizeof(r->v[n]));
	return res;
}

int kvm_host_get_regs(struct gyve_bvcpu *v, unsigned groups, struct gyve_regs *ret)
{
	struct gyve_a64_regs *r = &ret->a64;
	int res = 0;

	ret->arch = GYVE_AARCH64;
	for (size_t i = 0; res == 0 && i < GYVE_ARRAY_SIZE(rows); i++)
		if (rows[i].group & groups)
			res = get_row(v, &rows[i], r);
	for (unsigned n = 0; res == 0 && (groups & GYVE_REGS_GPR) && n < 31; n++)
		res = get_x(v, n, r);
	if (res == 0 && groups & GYVE_REGS_SOME)
		res = get_some(v, r);
	if (res == 0 && groups & GYVE_REGS_FP)
		res = get_vectors(v, r);
	if (res < 0)
		return res;
	if (groups & GYVE_REGS_GPR)
		v->host->last.sp = r->sp = uses_sp_el1(r) ? r->sp_el1 : r->sp_el0;
	ret->valid |= groups;
	v->host->last_valid |= groups;
	return 0;
}

int kvm_host_set_regs(struct gyve_bvcpu *v, unsigned groups, const struct gyve_regs *regs)
{
	bool sve = v->vm->caps.sve_vl;
	struct gyve_a64_regs r;
	int res = 0;

	memcpy(&r, &regs->a64, groups & GYVE_REGS_FP && sve ? sizeof(r) : offsetof(struct gyve_a64_regs, sve_vl));

	/* sp is a name for one of the two; whichever was changed wins */
	if (groups & GYVE_REGS_GPR) {
		uint64_t *real = uses_sp_el1(&r) ? &r.sp_el1 : &r.sp_el0;
		if (!(v->host->last_valid & GYVE_REGS_GPR) || r.sp != v->host->last.sp)
			*real = r.sp;
		v->host->last.sp = r.sp;
	}
	for (size_t i = 0; res == 0 && i < GYVE_ARRAY_SIZE(rows); i++)
		if (rows[i].group & groups)
			res = set_row(v, &rows[i], &r);
	for (unsigned n = 0; res == 0 && (groups & GYVE_REGS_GPR) && n < 31; n++)
		res = set_x(v, n, &r);
	if (res == 0 && groups & GYVE_REGS_SOME)
		res = set_some(v, &r);
	unsigned nvectors = groups & GYVE_REGS_FP ? (sve ? SVE_ROWS : 32) : 0;
	for (unsigned n = 0; res == 0 && n < nvectors; n++) {
		struct one_reg row = sve ? sve_row(n) : v_row(n);
		res = set_row(v, &row, &r);
	}
	return res;
}

uint64_t kvm_a64_pc(struct gyve_bvcpu *v)
{
	struct gyve_a64_regs r;

	_Static_assert(offsetof(struct gyve_a64_regs, pc) < UINT16_MAX, "an offset does not fit");
	return get_row(v, &rows[0], &r) == 0 ? r.pc : 0; /* the first row */
}
