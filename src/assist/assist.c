/* The instruction assist's front: decode, say which rule applies, report. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "assist_priv.h"

enum gyve_assist_result assist_done(struct assist *a, unsigned changed)
{
	a->r->rip += a->insn.length;
	a->out->changed = changed | GYVE_REGS_GPR;
	return GYVE_ASSIST_DONE;
}

enum gyve_assist_result assist_fault(struct assist *a, uint8_t vector, bool has_error, uint32_t error)
{
	a->out->vector = vector;
	a->out->has_error = has_error;
	a->out->error = error;
	return GYVE_ASSIST_FAULT;
}

enum gyve_assist_result assist_page_fault(struct assist *a, gyve_gva_t addr, bool write)
{
	a->out->cr2 = addr;
	return assist_fault(a, VEC_PF, true, (write ? 2u : 0) | (assist_cpl(a->r) == 3 ? 4u : 0));
}

enum gyve_assist_result assist_unsupported(struct assist *a, const char *why)
{
	char text[128] = "?";

	gyve_x86_disasm(a->bytes, a->insn.length, a->r->rip, text, sizeof(text));
	gyve_err_set(a->err, -ENOTSUP, "neither this host's KVM nor gyve can carry out '%s': %s", text, why);
	return GYVE_ASSIST_UNSUPPORTED;
}

const ZydisDecodedOperand *assist_mem_operand(const struct assist *a)
{
	for (unsigned i = 0; i < a->insn.operand_count_visible; i++)
		if (a->ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return &a->ops[i];
	return NULL;
}

unsigned assist_cpl(const struct gyve_x86_regs *r)
{
	return r->seg[GYVE_SS].dpl & 3;
}

/* What the CPU checks before it looks at operands: SDM vol. 2, "Exception" tables; vol. 3A 2.5. */
static bool state_faults(struct assist *a, enum gyve_assist_result *ret)
{
	enum { TS = 1u << 3, EM = 1u << 2, OSFXSR = 1u << 9, OSXSAVE = 1u << 18 };
	bool x87 = assist_is_x87(a), vector = assist_is_vector(a);
	bool vex = a->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX,
	     evex = a->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
	uint64_t need = evex ? XC_ALL - XC_X87 : XC_SSE | XC_AVX;
	uint8_t vec = 0;

	if (!x87 && !vector)
		return false;
	if (x87 && a->r->cr0 & EM)
		vec = VEC_NM;
	else if (vector && !vex && !evex && (a->r->cr0 & EM || !(a->r->cr4 & OSFXSR)))
		vec = VEC_UD;
	else if (vector && (vex || evex) && (!(a->r->cr4 & OSXSAVE) || (a->r->xcr0 & need) != need))
		vec = VEC_UD;
	else if (a->r->cr0 & TS)
		vec = VEC_NM;
	if (vec)
		*ret = assist_fault(a, vec, false, 0);
	return vec;
}

enum gyve_assist_result gyve_assist_x86(struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn,
					const struct gyve_assist_mem *mem, struct gyve_assist_out *ret, struct gyve_err *err)
{
	struct assist a = {.r = regs, .mem = mem, .out = ret, .err = err, .bytes = insn};
	enum gyve_assist_result res;

	memset(ret, 0, sizeof(*ret));
	if (!assist_decode(regs, insn, ninsn, &a.insn, a.ops)) {
		char text[3 * 15 + 1] = "";
		for (size_t i = 0; i < ninsn && i < 15; i++)
			snprintf(text + 3 * i, 4, " %02x", insn[i]);
		gyve_err_set(err, -EINVAL,
			     "this host's KVM cannot carry out the instruction, whose bytes%s are none that is known", text);
		return GYVE_ASSIST_UNSUPPORTED;
	}
	const char *name = ZydisMnemonicGetString(a.insn.mnemonic);
	snprintf(ret->mnemonic, sizeof(ret->mnemonic), "%s", name ? name : "?");
	if (assist_special(&a, &res))
		return res;
	const char *why = assist_refusal(&a);
	if (why)
		return assist_unsupported(&a, why);
	if (state_faults(&a, &res))
		return res;
	return assist_native(&a);
}
