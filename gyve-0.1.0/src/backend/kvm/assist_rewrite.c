/* The guest's instruction, byte for byte, with two changes: the memory operand becomes [rip+disp32] (the scratch buffer), and
 * RSP, if named as a register operand, becomes a register the instruction does not use. Then it is decoded again: anything but
 * the same instruction with the same operands is refused, so that no guest byte reaches the processor unread. */
#include "assist_priv.h"

#include <errno.h>
#include <string.h>

struct builder {
	const struct assist *a;
	struct assist_code *code;
	uint8_t len;
	uint8_t fields; /* which register fields name RSP */
	uint8_t stand_in_hw;
};
enum { FIELD_REG = 1, FIELD_RM = 2, FIELD_VVVV = 4 };

static int emit(struct builder *b, uint8_t v)
{
	if (b->len >= sizeof(b->code->bytes))
		return -ENOTSUP;
	b->code->bytes[b->len++] = v;
	return 0;
}

static bool is_legacy_prefix(uint8_t v)
{
	switch (v) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
	case 0x64:
	case 0x65:
	case 0x66:
	case 0x67:
	case 0xf0:
	case 0xf2:
	case 0xf3:
		return true;
	default:
		return false;
	}
}

/* Segment and address size belong to the operand that goes away; of the others each is kept once. Returns where the opcode or
 * VEX/EVEX prefix begins; *rex: the REX prefix in force, 0 if none. */
static int emit_prefixes(struct builder *b, uint8_t *rex)
{
	bool opsize = false, lock = false;
	uint8_t rep = 0, i = 0;

	*rex = 0;
	for (; i < b->a->insn.length; i++) {
		uint8_t v = b->a->bytes[i];
		if (is_legacy_prefix(v)) {
			*rex = 0; /* a REX that another prefix follows is ignored */
			opsize |= v == 0x66;
			lock |= v == 0xf0;
			rep = v == 0xf2 || v == 0xf3 ? v : rep;
		} else if (b->a->mode64 && (v & 0xf0) == 0x40) {
			*rex = v;
		} else {
			break;
		}
	}
	if ((opsize && emit(b, 0x66)) || (lock && emit(b, 0xf0)) || (rep && emit(b, rep)))
		return -ENOTSUP;
	return i;
}

/* REX has R, X, B upright; VEX and EVEX inverted: "base" is what clears the bit. All stand-ins are below register 8. */
static int emit_legacy(struct builder *b, uint8_t at, uint8_t rex)
{
	bool mem = b->a->memop != NULL;

	if (mem)
		rex &= (uint8_t)~3; /* X, B */
	if (b->fields & FIELD_RM)
		rex &= (uint8_t)~1;
	if (b->fields & FIELD_REG)
		rex &= (uint8_t)~4;
	if (rex && emit(b, rex))
		return -ENOTSUP;
	for (; at < b->a->insn.raw.modrm.offset; at++)
		if (emit(b, b->a->bytes[at]))
			return -ENOTSUP;
	return 0;
}

static uint8_t vvvv(const struct builder *b, uint8_t byte)
{
	if (!b->a->mode64)
		byte |= 0x40; /* ignored outside 64-bit mode */
	if (b->fields & FIELD_VVVV)
		byte = (uint8_t)((byte & ~0x78) | (~b->stand_in_hw & 0xf) << 3);
	return byte;
}

static int emit_vex(struct builder *b, uint8_t at)
{
	const uint8_t *p = b->a->bytes + at;
	bool mem = b->a->memop != NULL, two = p[0] == 0xc5;
	uint8_t rxb = p[1];

	if (mem && !two)
		rxb |= 0x60;
	if (b->fields & FIELD_RM && !two)
		rxb |= 0x20;
	if (b->fields & FIELD_REG)
		rxb |= 0x80;
	if (two)
		return emit(b, p[0]) || emit(b, vvvv(b, rxb)) || emit(b, p[2]) ? -ENOTSUP : 0;
	return emit(b, p[0]) || emit(b, rxb) || emit(b, vvvv(b, p[2])) || emit(b, p[3]) ? -ENOTSUP : 0;
}

static int emit_evex(struct builder *b, uint8_t at)
{
	const uint8_t *p = b->a->bytes + at;
	uint8_t rxbr = p[1];

	if (b->a->memop || b->fields & FIELD_RM)
		rxbr |= 0x60;
	if (b->fields & FIELD_REG)
		rxbr |= 0x90;
	return emit(b, p[0]) || emit(b, rxbr) || emit(b, vvvv(b, p[2])) || emit(b, p[3]) || emit(b, p[4]) ? -ENOTSUP : 0;
}

static int emit_modrm(struct builder *b)
{
	const ZydisDecodedInstruction *in = &b->a->insn;
	uint8_t modrm = b->a->bytes[in->raw.modrm.offset], tail;

	if (b->fields & FIELD_REG)
		modrm = (uint8_t)((modrm & ~0x38) | b->stand_in_hw << 3);
	if (b->fields & FIELD_RM)
		modrm = (uint8_t)((modrm & ~7) | b->stand_in_hw);
	if (b->a->memop)
		modrm = (modrm & 0x38) | 5; /* [rip+disp32] */
	if (emit(b, modrm))
		return -ENOTSUP;
	tail = in->raw.modrm.offset + 1;
	if (b->a->memop) {
		if (in->raw.sib.offset)
			tail = in->raw.sib.offset + 1;
		if (in->raw.disp.offset)
			tail = (uint8_t)(in->raw.disp.offset + in->raw.disp.size / 8);
		b->code->disp_at = b->len;
		for (int i = 0; i < 4; i++)
			if (emit(b, 0))
				return -ENOTSUP;
	}
	for (; tail < in->length; tail++)
		if (emit(b, b->a->bytes[tail]))
			return -ENOTSUP;
	return 0;
}

/* Which fields name RSP, and which of RAX RCX RDX RBX RSI RDI is free to stand in. */
static int choose_stand_in(struct builder *b)
{
	static const uint8_t candidates[][2] = {{3, GYVE_RBX}, {6, GYVE_RSI}, {7, GYVE_RDI},
						{1, GYVE_RCX}, {2, GYVE_RDX}, {0, GYVE_RAX}};
	unsigned used = 0;

	for (unsigned i = 0; i < b->a->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &b->a->op[i];
		int gpr = op->type == ZYDIS_OPERAND_TYPE_REGISTER ? assist_gpr_index(op->reg.value) : -1;
		if (gpr < 0)
			continue;
		used |= 1u << gpr;
		if (gpr != GYVE_RSP)
			continue;
		if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG)
			b->fields |= FIELD_REG;
		else if (op->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM)
			b->fields |= FIELD_RM;
		else if (op->encoding == ZYDIS_OPERAND_ENCODING_NDSNDD)
			b->fields |= FIELD_VVVV;
		else
			return -ENOTSUP;
	}
	b->code->stand_in = -1;
	for (size_t i = 0; b->fields && b->code->stand_in < 0 && i < GYVE_ARRAY_SIZE(candidates); i++)
		if (!(used >> candidates[i][1] & 1)) {
			b->stand_in_hw = candidates[i][0];
			b->code->stand_in = candidates[i][1];
		}
	return b->fields && b->code->stand_in < 0 ? -ENOTSUP : 0;
}

static bool same_register(const struct builder *b, ZydisRegister was, ZydisRegister is)
{
	if (assist_gpr_index(was) == GYVE_RSP)
		return assist_gpr_index(is) == b->code->stand_in &&
		       ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, was) ==
			       ZydisRegisterGetWidth(ZYDIS_MACHINE_MODE_LONG_64, is);
	return was == is;
}

static bool same_operand(const struct builder *b, const ZydisDecodedOperand *was, const ZydisDecodedOperand *is)
{
	if (was->type != is->type || was->size != is->size || was->actions != is->actions || was->visibility != is->visibility)
		return false;
	switch (was->type) {
	case ZYDIS_OPERAND_TYPE_REGISTER:
		return same_register(b, was->reg.value, is->reg.value);
	case ZYDIS_OPERAND_TYPE_IMMEDIATE:
		return was->imm.value.u == is->imm.value.u;
	case ZYDIS_OPERAND_TYPE_MEMORY:
		return was == b->a->memop && is->mem.type == ZYDIS_MEMOP_TYPE_MEM && is->mem.base == ZYDIS_REGISTER_RIP &&
		       is->mem.index == ZYDIS_REGISTER_NONE && is->mem.segment != ZYDIS_REGISTER_FS &&
		       is->mem.segment != ZYDIS_REGISTER_GS;
	default:
		return false;
	}
}

/* Is what was built the instruction it came from? */
static bool verify(const struct builder *b)
{
	const ZydisDecodedInstruction *was = &b->a->insn;
	ZydisDecodedInstruction is;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

	if (assist_decode(NULL, b->code->bytes, b->len, &is, op) < 0 || is.length != b->len || is.mnemonic != was->mnemonic ||
	    is.meta.isa_set != was->meta.isa_set || is.encoding != was->encoding || is.opcode != was->opcode ||
	    is.opcode_map != was->opcode_map || is.operand_count_visible != was->operand_count_visible ||
	    is.operand_count != was->operand_count || is.avx.mask.reg != was->avx.mask.reg ||
	    is.avx.vector_length != was->avx.vector_length)
		return false;
	for (unsigned i = 0; i < is.operand_count; i++) {
		bool hidden_elsewhere = !b->a->mode64 && i >= is.operand_count_visible; /* EFLAGS and RFLAGS */
		if (!hidden_elsewhere && !same_operand(b, &b->a->op[i], &op[i]))
			return false;
		if (hidden_elsewhere && op[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
			return false;
	}
	return true;
}

int assist_rewrite(const struct assist *a, struct assist_code *code)
{
	struct builder b = {.a = a, .code = code};
	uint8_t rex;
	int at, res;

	memset(code, 0, sizeof(*code));
	if (choose_stand_in(&b) < 0 || (at = emit_prefixes(&b, &rex)) < 0)
		return -ENOTSUP;
	if (!(a->insn.attributes & ZYDIS_ATTRIB_HAS_MODRM)) {
		if (a->memop || b.fields || (rex && emit(&b, rex)))
			return -ENOTSUP;
		for (; at < a->insn.length; at++)
			if (emit(&b, a->bytes[at]))
				return -ENOTSUP;
	} else {
		switch (a->insn.encoding) {
		case ZYDIS_INSTRUCTION_ENCODING_LEGACY:
			res = emit_legacy(&b, (uint8_t)at, rex);
			break;
		case ZYDIS_INSTRUCTION_ENCODING_VEX:
			res = emit_vex(&b, (uint8_t)at);
			break;
		case ZYDIS_INSTRUCTION_ENCODING_EVEX:
			res = emit_evex(&b, (uint8_t)at);
			break;
		default:
			return -ENOTSUP;
		}
		/* a memory form must have exactly the operand that is replaced */
		if (res || (a->insn.raw.modrm.mod != 3) != (a->memop != NULL) || emit_modrm(&b))
			return -ENOTSUP;
	}
	code->len = b.len;
	return verify(&b) ? 0 : -ENOTSUP;
}
