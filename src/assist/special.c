/* Instructions about the guest's own state: done by hand. SDM vol. 2. */
#include <cpuid.h>
#include <string.h>

#include "assist_priv.h"

enum { CR4_FSGSBASE = 1u << 16, CR4_OSXSAVE = 1u << 18, RFLAGS_AC = 1u << 18 };

static uint64_t edx_eax(const struct gyve_x86_regs *r)
{
	return r->gpr[GYVE_RDX] << 32 | (uint32_t)r->gpr[GYVE_RAX];
}

static enum gyve_assist_result xgetbv(struct assist *a)
{
	uint64_t v, bv;

	if (!(a->r->cr4 & CR4_OSXSAVE))
		return assist_fault(a, VEC_UD, false, 0);
	memcpy(&bv, a->r->xsave + XS_BV, 8);
	switch ((uint32_t)a->r->gpr[GYVE_RCX]) {
	case 0:
		v = a->r->xcr0;
		break;
	case 1: /* what is not in its initial state */
		v = bv & a->r->xcr0;
		break;
	default:
		return assist_fault(a, VEC_GP, true, 0);
	}
	a->r->gpr[GYVE_RAX] = (uint32_t)v;
	a->r->gpr[GYVE_RDX] = v >> 32;
	return assist_done(a, 0);
}

/* SDM vol. 1 section 13.3: which combinations are legal. */
static bool legal_xcr0(uint64_t v)
{
	if (!(v & XC_X87) || v & ~assist_host_xcr0())
		return false;
	if (v & XC_AVX && !(v & XC_SSE))
		return false;
	return !(v & XC_AVX512) || ((v & XC_AVX512) == XC_AVX512 && v & XC_AVX);
}

static enum gyve_assist_result xsetbv(struct assist *a)
{
	if (!(a->r->cr4 & CR4_OSXSAVE))
		return assist_fault(a, VEC_UD, false, 0);
	if (assist_cpl(a->r) || (uint32_t)a->r->gpr[GYVE_RCX] || !legal_xcr0(edx_eax(a->r)))
		return assist_fault(a, VEC_GP, true, 0);
	a->r->xcr0 = edx_eax(a->r);
	return assist_done(a, GYVE_REGS_FP);
}

static enum gyve_assist_result ldmxcsr(struct assist *a, const ZydisDecodedOperand *op)
{
	gyve_gva_t gva = assist_address(a->r, &a->insn, op), bad;
	uint32_t v;

	if (a->mem->read(a->mem->ctx, gva, &v, 4, &bad) < 0)
		return assist_page_fault(a, bad, false);
	if (v & ~0xffffu)
		return assist_fault(a, VEC_GP, true, 0);
	memcpy(a->r->xsave + XS_MXCSR, &v, 4);
	a->r->xsave[XS_BV] |= XC_SSE;
	return assist_done(a, GYVE_REGS_FP);
}

static enum gyve_assist_result stmxcsr(struct assist *a, const ZydisDecodedOperand *op)
{
	gyve_gva_t gva = assist_address(a->r, &a->insn, op), bad;

	if (a->mem->write(a->mem->ctx, gva, a->r->xsave + XS_MXCSR, 4, &bad) < 0)
		return assist_page_fault(a, bad, true);
	return assist_done(a, 0);
}

static enum gyve_assist_result segment_base(struct assist *a, int seg, bool write)
{
	int n = assist_gpr(a->ops[0].reg.value);
	bool wide = a->ops[0].size == 64;

	if (!(a->r->cr4 & CR4_FSGSBASE) || n < 0)
		return assist_fault(a, VEC_UD, false, 0);
	if (!write) {
		a->r->gpr[n] = wide ? a->r->seg[seg].base : (uint32_t)a->r->seg[seg].base;
		return assist_done(a, 0);
	}
	uint64_t v = wide ? a->r->gpr[n] : (uint32_t)a->r->gpr[n];
	if ((uint64_t)((int64_t)(v << 16) >> 16) != v && !(a->r->cr4 & 1u << 12))
		return assist_fault(a, VEC_GP, true, 0);
	a->r->seg[seg].base = v;
	return assist_done(a, GYVE_REGS_SYS);
}

static enum gyve_assist_result set_ac(struct assist *a, bool on)
{
	if (assist_cpl(a->r))
		return assist_fault(a, VEC_UD, false, 0);
	a->r->rflags = on ? a->r->rflags | RFLAGS_AC : a->r->rflags & ~(uint64_t)RFLAGS_AC;
	return assist_done(a, 0);
}

static enum gyve_assist_result rdpid(struct assist *a)
{
	int n = assist_gpr(a->ops[0].reg.value);

	if (n < 0)
		return assist_fault(a, VEC_UD, false, 0);
	a->r->gpr[n] = (uint32_t)a->r->tsc_aux;
	return assist_done(a, 0);
}

bool assist_special(struct assist *a, enum gyve_assist_result *ret)
{
	const ZydisDecodedOperand *op = assist_mem_operand(a);

	if (a->insn.meta.category == ZYDIS_CATEGORY_PREFETCH) {
		*ret = assist_done(a, 0);
		return true;
	}
	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_XGETBV:
		*ret = xgetbv(a);
		return true;
	case ZYDIS_MNEMONIC_XSETBV:
		*ret = xsetbv(a);
		return true;
	case ZYDIS_MNEMONIC_XSAVE:
	case ZYDIS_MNEMONIC_XSAVE64:
	case ZYDIS_MNEMONIC_XSAVEOPT:
	case ZYDIS_MNEMONIC_XSAVEOPT64:
		*ret = assist_xsave(a, false);
		return true;
	case ZYDIS_MNEMONIC_XSAVEC:
	case ZYDIS_MNEMONIC_XSAVEC64:
	case ZYDIS_MNEMONIC_XSAVES:
	case ZYDIS_MNEMONIC_XSAVES64:
		*ret = assist_xsave(a, true);
		return true;
	case ZYDIS_MNEMONIC_XRSTOR:
	case ZYDIS_MNEMONIC_XRSTOR64:
	case ZYDIS_MNEMONIC_XRSTORS:
	case ZYDIS_MNEMONIC_XRSTORS64:
		*ret = assist_xrstor(a);
		return true;
	case ZYDIS_MNEMONIC_FXSAVE:
	case ZYDIS_MNEMONIC_FXSAVE64:
		*ret = assist_fxsave(a);
		return true;
	case ZYDIS_MNEMONIC_FXRSTOR:
	case ZYDIS_MNEMONIC_FXRSTOR64:
		*ret = assist_fxrstor(a);
		return true;
	case ZYDIS_MNEMONIC_LDMXCSR:
	case ZYDIS_MNEMONIC_VLDMXCSR:
		*ret = ldmxcsr(a, op);
		return true;
	case ZYDIS_MNEMONIC_STMXCSR:
	case ZYDIS_MNEMONIC_VSTMXCSR:
		*ret = stmxcsr(a, op);
		return true;
	case ZYDIS_MNEMONIC_RDFSBASE:
		*ret = segment_base(a, GYVE_FS, false);
		return true;
	case ZYDIS_MNEMONIC_RDGSBASE:
		*ret = segment_base(a, GYVE_GS, false);
		return true;
	case ZYDIS_MNEMONIC_WRFSBASE:
		*ret = segment_base(a, GYVE_FS, true);
		return true;
	case ZYDIS_MNEMONIC_WRGSBASE:
		*ret = segment_base(a, GYVE_GS, true);
		return true;
	case ZYDIS_MNEMONIC_STAC:
	case ZYDIS_MNEMONIC_CLAC:
		*ret = set_ac(a, a->insn.mnemonic == ZYDIS_MNEMONIC_STAC);
		return true;
	case ZYDIS_MNEMONIC_RDPID:
		*ret = rdpid(a);
		return true;
	case ZYDIS_MNEMONIC_CLFLUSH: /* the guest's memory is coherent anyway */
	case ZYDIS_MNEMONIC_CLFLUSHOPT:
	case ZYDIS_MNEMONIC_CLWB:
	case ZYDIS_MNEMONIC_CLDEMOTE:
	case ZYDIS_MNEMONIC_LFENCE:
	case ZYDIS_MNEMONIC_SFENCE:
	case ZYDIS_MNEMONIC_MFENCE:
	case ZYDIS_MNEMONIC_PAUSE:
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_ENDBR64:
	case ZYDIS_MNEMONIC_ENDBR32:
		*ret = assist_done(a, 0);
		return true;
	default:
		return false;
	}
}
