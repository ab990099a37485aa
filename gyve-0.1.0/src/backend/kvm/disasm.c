/* Text of an instruction, and what data it touches. */
#include "assist_priv.h"

#include <errno.h>

int gyve_x86_disasm(const uint8_t *insn, size_t ninsn, uint64_t rip, char *buf, size_t size)
{
	ZydisDecodedInstruction in;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisFormatter f;

	if (!size || assist_decode(NULL, insn, ninsn, &in, op) < 0 ||
	    !ZYAN_SUCCESS(ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL)) ||
	    !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&f, &in, op, in.operand_count_visible, buf, size, rip, NULL)))
		return -EINVAL;
	return in.length;
}

static bool is_repeated(const ZydisDecodedInstruction *in)
{
	return in->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
}

/* BT and its kin with a register reach beyond their operand: the bit offset is signed and as wide as the operand. */
static int64_t bit_string_offset(const struct gyve_x86_regs *regs, const ZydisDecodedInstruction *in,
				 const ZydisDecodedOperand *op)
{
	int64_t bit;

	switch (in->mnemonic) {
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		break;
	default:
		return 0;
	}
	if (op[1].type != ZYDIS_OPERAND_TYPE_REGISTER || !op[0].size)
		return 0;
	bit = (int64_t)(assist_gpr(regs, op[1].reg.value) << (64 - op[0].size)) >> (64 - op[0].size);
	return (bit - (bit & (op[0].size - 1))) / 8;
}

/* What Zydis gives as [rsp] for the stack operand of an instruction that pushes is written below it; POP [rsp+x] is computed
 * after RSP has moved. */
static int64_t stack_offset(const ZydisDecodedInstruction *in, const ZydisDecodedOperand *op)
{
	bool implied = op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->mem.base == ZYDIS_REGISTER_RSP;

	if (implied && op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE && !op->mem.disp.has_displacement)
		return -(int64_t)(op->size / 8);
	if (!implied && in->meta.category == ZYDIS_CATEGORY_POP && op->mem.base == ZYDIS_REGISTER_RSP)
		return in->operand_width / 8;
	return 0;
}

int gyve_x86_data_refs(const struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn, struct gyve_x86_data_ref ret[4])
{
	struct assist a = {.bytes = insn};
	int n = 0;

	if (assist_decode(regs, insn, ninsn, &a.insn, a.op) < 0)
		return -EINVAL;
	if (assist_is_nop(&a) || (is_repeated(&a.insn) && !assist_gpr(regs, a.insn.address_width == 64   ? ZYDIS_REGISTER_RCX
									    : a.insn.address_width == 32 ? ZYDIS_REGISTER_ECX
													 : ZYDIS_REGISTER_CX)))
		return 0;
	for (unsigned i = 0; i < a.insn.operand_count && n < 4; i++) {
		const ZydisDecodedOperand *op = &a.op[i];
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type == ZYDIS_MEMOP_TYPE_AGEN || !op->actions)
			continue;
		if (op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
			return -EINVAL; /* a gather: as many addresses as elements */
		ret[n].gva = assist_address(regs, &a.insn, op) + (uint64_t)stack_offset(&a.insn, op);
		if (i == 0)
			ret[n].gva += (uint64_t)bit_string_offset(regs, &a.insn, a.op);
		ret[n].len = op->size ? op->size / 8u : regs->xsave_len; /* the XSAVE family has no size of its own */
		ret[n].read = op->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
		ret[n].write = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
		ret[n].repeated = is_repeated(&a.insn);
		ret[n].down = regs->rflags & 1u << 10;
		n++;
	}
	return n;
}
