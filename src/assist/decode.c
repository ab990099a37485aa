/* Decoding, addresses, disassembly, data references. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "assist_priv.h"

bool assist_decode(const struct gyve_x86_regs *r, const uint8_t *bytes, size_t n, ZydisDecodedInstruction *insn,
		   ZydisDecodedOperand *ops)
{
	const struct gyve_x86_seg *cs = &r->seg[GYVE_CS];
	bool lng = cs->l && r->efer & 1u << 10;
	ZydisDecoder d;

	ZydisDecoderInit(&d,
			 lng      ? ZYDIS_MACHINE_MODE_LONG_64
			 : cs->db ? ZYDIS_MACHINE_MODE_LEGACY_32
				  : ZYDIS_MACHINE_MODE_LEGACY_16,
			 lng      ? ZYDIS_STACK_WIDTH_64
			 : cs->db ? ZYDIS_STACK_WIDTH_32
				  : ZYDIS_STACK_WIDTH_16);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&d, bytes, n < 15 ? n : 15, insn, ops));
}

int assist_gpr(ZydisRegister reg)
{
	/* Zydis counts rax rcx rdx rbx rsp rbp rsi rdi */
	static const int8_t order[8] = {GYVE_RAX, GYVE_RCX, GYVE_RDX, GYVE_RBX, GYVE_RSP, GYVE_RBP, GYVE_RSI, GYVE_RDI};
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64)
		return -1;
	int id = ZydisRegisterGetId(whole);
	return id < 0 || id > 15 ? -1 : id < 8 ? order[id] : id;
}

static uint64_t read_address_reg(const struct gyve_x86_regs *r, const ZydisDecodedInstruction *insn, ZydisRegister reg)
{
	int n;

	if (reg == ZYDIS_REGISTER_NONE)
		return 0;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return r->rip + insn->length;
	n = assist_gpr(reg);
	return n < 0 ? 0 : r->gpr[n];
}

gyve_gva_t assist_address(const struct gyve_x86_regs *r, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *op)
{
	uint64_t a = read_address_reg(r, insn, op->mem.base) + read_address_reg(r, insn, op->mem.index) * op->mem.scale;

	if (op->mem.disp.has_displacement)
		a += (uint64_t)op->mem.disp.value;
	if (insn->address_width < 64)
		a &= (UINT64_C(1) << insn->address_width) - 1;
	bool lng = insn->machine_mode == ZYDIS_MACHINE_MODE_LONG_64;
	switch (op->mem.segment) {
	case ZYDIS_REGISTER_FS:
		return a + r->seg[GYVE_FS].base;
	case ZYDIS_REGISTER_GS:
		return a + r->seg[GYVE_GS].base;
	case ZYDIS_REGISTER_SS:
		return lng ? a : a + r->seg[GYVE_SS].base;
	case ZYDIS_REGISTER_ES:
		return lng ? a : a + r->seg[GYVE_ES].base;
	case ZYDIS_REGISTER_CS:
		return lng ? a : a + r->seg[GYVE_CS].base;
	default:
		return lng ? a : a + r->seg[GYVE_DS].base;
	}
}

int gyve_x86_disasm(const uint8_t *insn, size_t ninsn, uint64_t rip, char *buf, size_t size)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction d;
	ZydisDecoder decoder;
	ZydisFormatter f;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, insn, ninsn < 15 ? ninsn : 15, &d, ops)))
		return -EINVAL;
	ZydisFormatterInit(&f, ZYDIS_FORMATTER_STYLE_INTEL);
	if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&f, &d, ops, d.operand_count_visible, buf, size, rip, NULL)))
		return -EINVAL;
	return d.length;
}

/* The stack pointer moves before the store. */
static bool pushes(const ZydisDecodedInstruction *d, const ZydisDecodedOperand *op)
{
	return op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && op->mem.base == ZYDIS_REGISTER_RSP &&
	       op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE && d->meta.category != ZYDIS_CATEGORY_POP;
}

int gyve_x86_data_refs(const struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn, struct gyve_x86_data_ref ret[4])
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction d;
	int n = 0;

	if (!assist_decode(regs, insn, ninsn, &d, ops))
		return -EINVAL;
	for (unsigned i = 0; i < d.operand_count && n < 4; i++) {
		const ZydisDecodedOperand *op = &ops[i];
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY || op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
			continue;
		ret[n].gva = assist_address(regs, &d, op);
		ret[n].len = op->size / 8;
		ret[n].read = op->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
		ret[n].write = op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
		if (pushes(&d, op))
			ret[n].gva -= ret[n].len;
		n++;
	}
	return n;
}
