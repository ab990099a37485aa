/* Operands and flags; see skip_x86.h. SDM vol. 1 section 3.7, vol. 2 chapter 2. */
#include "skip_x86.h"

#include <string.h>

#define STATUS ((uint64_t)(SKIP_CF | SKIP_PF | SKIP_AF | SKIP_ZF | SKIP_SF | SKIP_OF))

uint64_t skip_fetch(struct skip_insn *i, unsigned len)
{
	uint64_t v = 0;

	if (i->n - i->at < len) {
		i->bad = true;
		return 0;
	}
	for (unsigned k = 0; k < len; k++)
		v |= (uint64_t)i->p[i->at + k] << 8 * k;
	i->at += len;
	return v;
}

uint64_t skip_fetch_signed(struct skip_insn *i, unsigned len)
{
	uint64_t v = skip_fetch(i, len), sign = UINT64_C(1) << (8 * len - 1);

	return (v ^ sign) - sign;
}

uint64_t skip_fetch_imm(struct skip_insn *i, unsigned size)
{
	return skip_fetch_signed(i, size == 8 ? 4 : size) & skip_mask(size);
}

/* --- operands */

/* The register file has gdb's order. */
uint64_t *skip_gpr(const struct skip_insn *i, unsigned n)
{
	static const uint8_t order[] = {GYVE_RAX, GYVE_RCX, GYVE_RDX, GYVE_RBX, GYVE_RSP, GYVE_RBP, GYVE_RSI, GYVE_RDI};

	return &i->r->gpr[n < sizeof(order) ? order[n] : n];
}

static unsigned rm_field(const struct skip_insn *i)
{
	return (i->modrm & 7) | (i->rex & 1 ? 8 : 0);
}

static uint64_t sib(struct skip_insn *i)
{
	uint8_t s = (uint8_t)skip_fetch(i, 1);
	unsigned index = (s >> 3 & 7) | (i->rex & 2 ? 8 : 0), base = (s & 7) | (i->rex & 1 ? 8 : 0);
	uint64_t v = index == 4 ? 0 : *skip_gpr(i, index) << (s >> 6);

	if ((s & 7) == 5 && i->modrm >> 6 == 0)
		return v + skip_fetch_signed(i, 4);
	return v + *skip_gpr(i, base);
}

void skip_fetch_modrm(struct skip_insn *i)
{
	i->modrm = (uint8_t)skip_fetch(i, 1);
	unsigned mod = i->modrm >> 6, rm = i->modrm & 7;

	if (mod == 3)
		return;
	if (rm == 4) {
		i->ea = sib(i);
	} else if (rm == 5 && mod == 0) {
		i->ea = skip_fetch_signed(i, 4);
		i->relative = true;
	} else {
		i->ea = *skip_gpr(i, rm_field(i));
	}
	if (mod)
		i->ea += skip_fetch_signed(i, mod == 1 ? 1 : 4);
}

uint64_t skip_address(const struct skip_insn *i)
{
	return i->ea + (i->relative ? i->r->rip + i->at : 0) + (i->seg >= 0 ? i->r->seg[i->seg].base : 0);
}

uint64_t skip_get_reg(const struct skip_insn *i, unsigned n, unsigned size)
{
	if (size == 1 && !i->rex && n >= 4 && n < 8) /* AH, CH, DH, BH */
		return *skip_gpr(i, n - 4) >> 8 & 0xff;
	return *skip_gpr(i, n) & skip_mask(size);
}

void skip_set_reg(struct skip_insn *i, unsigned n, unsigned size, uint64_t v)
{
	uint64_t *g = skip_gpr(i, n);

	if (size == 1 && !i->rex && n >= 4 && n < 8)
		*skip_gpr(i, n - 4) = (*skip_gpr(i, n - 4) & ~UINT64_C(0xff00)) | (v & 0xff) << 8;
	else if (size >= 4)
		*g = v & skip_mask(size);
	else
		*g = (*g & ~skip_mask(size)) | (v & skip_mask(size));
}

uint64_t skip_load(const void *p, unsigned size)
{
	uint64_t v = 0;

	switch (size) {
	case 1:
		return *(const volatile uint8_t *)p;
	case 2:
		memcpy(&v, p, 2);
		break;
	case 4:
		memcpy(&v, p, 4);
		break;
	default:
		memcpy(&v, p, 8);
	}
	return v;
}

void skip_store(void *p, unsigned size, uint64_t v)
{
	switch (size) {
	case 1:
		memcpy(p, &v, 1);
		break;
	case 2:
		memcpy(p, &v, 2);
		break;
	case 4:
		memcpy(p, &v, 4);
		break;
	default:
		memcpy(p, &v, 8);
	}
}

struct skip_operand skip_rm(struct skip_insn *i, unsigned size, bool write)
{
	struct skip_operand o = {0};

	if (i->bad)
		return o;
	if (skip_is_reg(i)) {
		o.value = skip_get_reg(i, rm_field(i), size);
		return o;
	}
	o.place = i->env->ptr(i->env->ctx, skip_address(i), size, write);
	if (o.place)
		o.value = skip_load(o.place, size);
	else
		i->bad = true;
	return o;
}

void skip_set_rm(struct skip_insn *i, const struct skip_operand *o, unsigned size, uint64_t v)
{
	if (i->bad)
		return;
	if (o->place)
		skip_store(o->place, size, v);
	else
		skip_set_reg(i, rm_field(i), size, v);
}

/* --- flags */

static uint64_t result_flags(uint64_t v, unsigned size)
{
	uint64_t f = v & skip_mask(size) ? 0 : SKIP_ZF;

	f |= __builtin_parity((unsigned)v & 0xff) ? 0 : SKIP_PF;
	return f | (v >> (8 * size - 1) & 1 ? SKIP_SF : 0);
}

void skip_set_flags(struct skip_insn *i, uint64_t which, uint64_t f)
{
	if (!i->bad)
		i->r->rflags = (i->r->rflags & ~which) | (f & which);
}

uint64_t skip_alu(struct skip_insn *i, enum skip_alu op, uint64_t a, uint64_t b, unsigned size)
{
	uint64_t carry = (op == SKIP_ADC || op == SKIP_SBB) && i->r->rflags & SKIP_CF, m = skip_mask(size), v, f = 0;
	unsigned top = 8 * size - 1;

	switch (op) {
	case SKIP_ADD:
	case SKIP_ADC:
		v = (a + b + carry) & m;
		f |= v < a || (carry && v == a) ? SKIP_CF : 0;
		f |= (a ^ v) & (b ^ v) & UINT64_C(1) << top ? SKIP_OF : 0;
		break;
	case SKIP_SUB:
	case SKIP_CMP:
	case SKIP_SBB:
		v = (a - b - carry) & m;
		f |= a < b || (carry && a == b) ? SKIP_CF : 0;
		f |= (a ^ b) & (a ^ v) & UINT64_C(1) << top ? SKIP_OF : 0;
		break;
	default:
		v = op == SKIP_OR ? a | b : op == SKIP_AND ? a & b : a ^ b;
		skip_set_flags(i, STATUS, result_flags(v, size));
		return v;
	}
	f |= (a ^ b ^ v) & 1 << 4 ? SKIP_AF : 0;
	skip_set_flags(i, STATUS, f | result_flags(v, size));
	return v;
}

bool skip_condition(const struct skip_insn *i, unsigned cc)
{
	uint64_t f = i->r->rflags;
	bool less = !(f & SKIP_SF) != !(f & SKIP_OF), v = false;

	switch (cc >> 1) {
	case 0:
		v = f & SKIP_OF;
		break;
	case 1:
		v = f & SKIP_CF;
		break;
	case 2:
		v = f & SKIP_ZF;
		break;
	case 3:
		v = f & (SKIP_CF | SKIP_ZF);
		break;
	case 4:
		v = f & SKIP_SF;
		break;
	case 5:
		v = f & SKIP_PF;
		break;
	case 6:
		v = less;
		break;
	case 7:
		v = less || f & SKIP_ZF;
		break;
	}
	return v != (cc & 1);
}
