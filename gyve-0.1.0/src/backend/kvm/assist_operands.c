/* Decoding in the guest's mode, general registers and effective addresses. */
#include "assist_priv.h"

#include <errno.h>

#define EFER_LMA (1u << 10)

bool assist_mode64(const struct gyve_x86_regs *regs)
{
	return regs->efer & EFER_LMA && regs->seg[GYVE_CS].l;
}

int assist_decode(const struct gyve_x86_regs *regs, const uint8_t *bytes, size_t n, ZydisDecodedInstruction *insn,
		  ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT])
{
	ZydisDecoder d;
	ZyanStatus st;

	if (!regs || assist_mode64(regs))
		st = ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	else if (regs->seg[GYVE_CS].db)
		st = ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
	else
		st = ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
	if (n > ZYDIS_MAX_INSTRUCTION_LENGTH)
		n = ZYDIS_MAX_INSTRUCTION_LENGTH;
	if (!ZYAN_SUCCESS(st) || !n || !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, bytes, n, insn, op)))
		return -EINVAL;
	return 0;
}

int assist_gpr_index(ZydisRegister reg)
{
	static const uint8_t of_hw[16] = {GYVE_RAX, GYVE_RCX, GYVE_RDX, GYVE_RBX, GYVE_RSP, GYVE_RBP, GYVE_RSI, GYVE_RDI,
					  8,        9,        10,       11,       12,       13,       14,       15};
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
		return -1;
	return of_hw[whole - ZYDIS_REGISTER_RAX];
}

uint64_t assist_gpr(const struct gyve_x86_regs *regs, ZydisRegister reg)
{
	int i = assist_gpr_index(reg);
	unsigned bits = ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, reg);
	uint64_t v;

	if (i < 0)
		return 0;
	v = regs->gpr[i];
	if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
		v >>= 8;
	return bits < 64 ? v & ((1ull << bits) - 1) : v;
}

static uint64_t segment_base(const struct gyve_x86_regs *regs, ZydisRegister seg, bool mode64)
{
	switch (seg) {
	case ZYDIS_REGISTER_FS:
		return regs->seg[GYVE_FS].base;
	case ZYDIS_REGISTER_GS:
		return regs->seg[GYVE_GS].base;
	case ZYDIS_REGISTER_CS:
		return mode64 ? 0 : regs->seg[GYVE_CS].base;
	case ZYDIS_REGISTER_SS:
		return mode64 ? 0 : regs->seg[GYVE_SS].base;
	case ZYDIS_REGISTER_ES:
		return mode64 ? 0 : regs->seg[GYVE_ES].base;
	default:
		return mode64 ? 0 : regs->seg[GYVE_DS].base;
	}
}

gyve_gva_t assist_address(const struct gyve_x86_regs *regs, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *op)
{
	bool mode64 = insn->machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
	uint64_t ea = op->mem.disp.has_displacement ? (uint64_t)op->mem.disp.value : 0;

	if (op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP)
		ea += regs->rip + insn->length;
	else if (op->mem.base != ZYDIS_REGISTER_NONE)
		ea += assist_gpr(regs, op->mem.base);
	if (op->mem.index != ZYDIS_REGISTER_NONE)
		ea += assist_gpr(regs, op->mem.index) * (op->mem.scale ? op->mem.scale : 1u);
	if (insn->address_width < 64)
		ea &= (1ull << insn->address_width) - 1;
	ea += segment_base(regs, op->mem.segment, mode64);
	return mode64 ? ea : (uint32_t)ea;
}
