/* Instructions whose meaning lies in control registers, MSRs or MXCSR: done by hand on the register file.
 * Conditions and faults: Intel SDM vol. 2, each instruction's own page. */
#include "assist_priv.h"

#include "../../base/bytes.h"

#include <x86intrin.h>

#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR4_TSD (1u << 2)
#define CR4_OSFXSR (1u << 9)
#define CR4_FSGSBASE (1u << 16)
#define CR4_OSXSAVE (1u << 18)
#define CR4_SMAP (1u << 21)
#define RFLAGS_AC (1u << 18)

static enum gyve_assist_result do_xgetbv(struct assist *a)
{
	struct gyve_x86_regs *r = a->regs;
	uint64_t v = r->xcr0;

	if (!(r->cr4 & CR4_OSXSAVE))
		return assist_fault(a, VEC_UD);
	if ((uint32_t)r->gpr[GYVE_RCX] > 1)
		return assist_fault(a, VEC_GP);
	if ((uint32_t)r->gpr[GYVE_RCX] == 1)
		v &= get_le64(r->xsave + XS_BV);
	r->gpr[GYVE_RAX] = (uint32_t)v;
	r->gpr[GYVE_RDX] = v >> 32;
	return assist_done(a, GYVE_REGS_GPR);
}

static bool xcr0_valid(uint64_t v)
{
	uint64_t avx512 = v & XCOMP_AVX512;

	return v & XCOMP_X87 && !(v & ~assist_host()->xcr0) && (!(v & XCOMP_AVX) || v & XCOMP_SSE) &&
	       (!avx512 || (avx512 == XCOMP_AVX512 && v & XCOMP_AVX));
}

static enum gyve_assist_result do_xsetbv(struct assist *a)
{
	struct gyve_x86_regs *r = a->regs;
	uint64_t v = r->gpr[GYVE_RDX] << 32 | (uint32_t)r->gpr[GYVE_RAX];

	if (!(r->cr4 & CR4_OSXSAVE))
		return assist_fault(a, VEC_UD);
	if (assist_cpl(r) || (uint32_t)r->gpr[GYVE_RCX] || !xcr0_valid(v))
		return assist_fault(a, VEC_GP);
	r->xcr0 = v;
	return assist_done(a, GYVE_REGS_GPR | GYVE_REGS_FP | GYVE_REGS_SYS);
}

static enum gyve_assist_result do_rdtscp(struct assist *a)
{
	struct gyve_x86_regs *r = a->regs;
	uint64_t tsc;

	if (r->cr4 & CR4_TSD && assist_cpl(r))
		return assist_fault(a, VEC_GP);
	tsc = a->mem->tsc ? a->mem->tsc(a->mem->ctx) : __rdtsc();
	r->gpr[GYVE_RAX] = (uint32_t)tsc;
	r->gpr[GYVE_RDX] = tsc >> 32;
	r->gpr[GYVE_RCX] = (uint32_t)r->tsc_aux;
	return assist_done(a, GYVE_REGS_GPR);
}

static enum gyve_assist_result do_rdpid(struct assist *a)
{
	int i = assist_gpr_index(a->op[0].reg.value);

	if (i < 0)
		return assist_refuse(a, "its operand is not a general register");
	a->regs->gpr[i] = (uint32_t)a->regs->tsc_aux;
	return assist_done(a, GYVE_REGS_GPR);
}

static enum gyve_assist_result do_fsgsbase(struct assist *a)
{
	struct gyve_x86_regs *r = a->regs;
	bool gs = a->insn.mnemonic == ZYDIS_MNEMONIC_RDGSBASE || a->insn.mnemonic == ZYDIS_MNEMONIC_WRGSBASE;
	bool write = a->insn.mnemonic == ZYDIS_MNEMONIC_WRFSBASE || a->insn.mnemonic == ZYDIS_MNEMONIC_WRGSBASE;
	uint64_t *base = &r->seg[gs ? GYVE_GS : GYVE_FS].base, v;
	const ZydisDecodedOperand *op = NULL;

	for (unsigned i = 0; i < a->insn.operand_count_visible; i++)
		if (assist_gpr_index(a->op[i].reg.value) >= 0 && a->op[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
			op = &a->op[i];
	if (!op || !a->mode64 || !(r->cr4 & CR4_FSGSBASE))
		return assist_fault(a, VEC_UD);
	if (!write) {
		r->gpr[assist_gpr_index(op->reg.value)] = op->size == 64 ? *base : (uint32_t)*base;
		return assist_done(a, GYVE_REGS_GPR);
	}
	v = assist_gpr(r, op->reg.value);
	if (!assist_canonical(a, v, 1))
		return assist_fault(a, VEC_GP);
	*base = v;
	return assist_done(a, GYVE_REGS_GPR | GYVE_REGS_SYS);
}

static enum gyve_assist_result do_swapgs(struct assist *a)
{
	struct gyve_x86_regs *r = a->regs;
	uint64_t base = r->seg[GYVE_GS].base;

	if (!a->mode64)
		return assist_fault(a, VEC_UD);
	if (assist_cpl(r))
		return assist_fault(a, VEC_GP);
	r->seg[GYVE_GS].base = r->kernel_gs_base;
	r->kernel_gs_base = base;
	return assist_done(a, GYVE_REGS_GPR | GYVE_REGS_SYS);
}

static enum gyve_assist_result do_smap(struct assist *a)
{
	if (assist_cpl(a->regs) || !(a->regs->cr4 & CR4_SMAP))
		return assist_fault(a, VEC_UD);
	if (a->insn.mnemonic == ZYDIS_MNEMONIC_STAC)
		a->regs->rflags |= RFLAGS_AC;
	else
		a->regs->rflags &= ~(uint64_t)RFLAGS_AC;
	return assist_done(a, GYVE_REGS_GPR);
}

static enum gyve_assist_result do_mxcsr(struct assist *a)
{
	struct gyve_x86_regs *r = a->regs;
	bool vex = a->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
	bool load = a->insn.mnemonic == ZYDIS_MNEMONIC_LDMXCSR || a->insn.mnemonic == ZYDIS_MNEMONIC_VLDMXCSR;
	enum gyve_assist_result res;
	uint8_t buf[4];

	if (vex ? !(r->cr4 & CR4_OSXSAVE) || (r->xcr0 & 6) != 6 : r->cr0 & CR0_EM || !(r->cr4 & CR4_OSFXSR))
		return assist_fault(a, VEC_UD);
	if (r->cr0 & CR0_TS)
		return assist_fault(a, VEC_NM);
	if (!assist_find_memop(a) || !a->memop)
		return assist_refuse(a, "its kind of memory operand is not supported");
	if (!load) {
		res = assist_write(a, a->gva, r->xsave + XS_MXCSR, 4);
		return res == GYVE_ASSIST_DONE ? assist_done(a, GYVE_REGS_GPR) : res;
	}
	if ((res = assist_read(a, a->gva, buf, 4, false)) != GYVE_ASSIST_DONE)
		return res;
	if (get_le32(buf) & ~assist_host()->mxcsr_mask)
		return assist_fault(a, VEC_GP);
	memcpy(r->xsave + XS_MXCSR, buf, 4);
	return assist_done(a, GYVE_REGS_GPR | GYVE_REGS_FP);
}

enum gyve_assist_result assist_special(struct assist *a, bool *handled)
{
	static const struct {
		ZydisMnemonic mnemonic;
		enum gyve_assist_result (*run)(struct assist *a);
	} rows[] = {
		{ZYDIS_MNEMONIC_XGETBV, do_xgetbv},     {ZYDIS_MNEMONIC_XSETBV, do_xsetbv},
		{ZYDIS_MNEMONIC_RDTSCP, do_rdtscp},     {ZYDIS_MNEMONIC_RDPID, do_rdpid},
		{ZYDIS_MNEMONIC_RDFSBASE, do_fsgsbase}, {ZYDIS_MNEMONIC_RDGSBASE, do_fsgsbase},
		{ZYDIS_MNEMONIC_WRFSBASE, do_fsgsbase}, {ZYDIS_MNEMONIC_WRGSBASE, do_fsgsbase},
		{ZYDIS_MNEMONIC_SWAPGS, do_swapgs},     {ZYDIS_MNEMONIC_STAC, do_smap},
		{ZYDIS_MNEMONIC_CLAC, do_smap},         {ZYDIS_MNEMONIC_LDMXCSR, do_mxcsr},
		{ZYDIS_MNEMONIC_STMXCSR, do_mxcsr},     {ZYDIS_MNEMONIC_VLDMXCSR, do_mxcsr},
		{ZYDIS_MNEMONIC_VSTMXCSR, do_mxcsr},
	};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(rows); i++)
		if (rows[i].mnemonic == a->insn.mnemonic) {
			*handled = true;
			return rows[i].run(a);
		}
	return GYVE_ASSIST_UNSUPPORTED;
}
