/* See skip.h. SDM vol. 2; flags that the SDM calls undefined are left to the processor: such instructions are refused, but for
 * AF after logical operations, which all processors clear. */
#include "skip_x86.h"

#include <string.h>

/* --- instructions: each fetches all of itself first, and changes nothing where it is refused */

static void alu_insn(struct skip_insn *i, uint8_t opcode)
{
	unsigned op = opcode >> 3 & 7, form = opcode & 7, size = form & 1 ? i->size : 1;
	uint64_t v;

	if (form >= 4) {
		uint64_t imm = skip_fetch_imm(i, size);
		if (i->bad)
			return;
		v = skip_alu(i, op, skip_get_reg(i, GYVE_RAX, size), imm, size);
		if (op != SKIP_CMP)
			skip_set_reg(i, GYVE_RAX, size, v);
		return;
	}
	skip_fetch_modrm(i);
	bool to_reg = form & 2;
	struct skip_operand o = skip_rm(i, size, !to_reg && op != SKIP_CMP);
	if (i->bad)
		return;
	uint64_t reg = skip_get_reg(i, skip_reg_field(i), size);
	v = skip_alu(i, op, to_reg ? reg : o.value, to_reg ? o.value : reg, size);
	if (op == SKIP_CMP)
		return;
	if (to_reg)
		skip_set_reg(i, skip_reg_field(i), size, v);
	else
		skip_set_rm(i, &o, size, v);
}

static void alu_imm(struct skip_insn *i, uint8_t opcode)
{
	unsigned size = opcode & 1 ? i->size : 1;

	skip_fetch_modrm(i);
	unsigned op = i->modrm >> 3 & 7;
	uint64_t imm = opcode == 0x81 ? skip_fetch_imm(i, size) : skip_fetch_signed(i, 1) & skip_mask(size);
	struct skip_operand o = skip_rm(i, size, op != SKIP_CMP);
	if (i->bad)
		return;
	uint64_t v = skip_alu(i, op, o.value, imm, size);
	if (op != SKIP_CMP)
		skip_set_rm(i, &o, size, v);
}

static void test_insn(struct skip_insn *i, uint8_t opcode)
{
	unsigned size = opcode & 1 ? i->size : 1;

	skip_fetch_modrm(i);
	struct skip_operand o = skip_rm(i, size, false);
	if (!i->bad)
		skip_alu(i, SKIP_AND, o.value, skip_get_reg(i, skip_reg_field(i), size), size);
}

static void mov_insn(struct skip_insn *i, uint8_t opcode)
{
	unsigned size = opcode & 1 ? i->size : 1;

	skip_fetch_modrm(i);
	struct skip_operand o = skip_rm(i, size, !(opcode & 2));
	if (i->bad)
		return;
	if (opcode & 2)
		skip_set_reg(i, skip_reg_field(i), size, o.value);
	else
		skip_set_rm(i, &o, size, skip_get_reg(i, skip_reg_field(i), size));
}

static void mov_imm(struct skip_insn *i, uint8_t opcode)
{
	unsigned size = opcode & 1 ? i->size : 1;

	skip_fetch_modrm(i);
	uint64_t imm = skip_fetch_imm(i, size);
	i->bad |= (i->modrm & 0x38) != 0;
	struct skip_operand o = skip_rm(i, size, true);
	skip_set_rm(i, &o, size, imm);
}

static void lea(struct skip_insn *i, uint8_t opcode)
{
	(void)opcode;
	skip_fetch_modrm(i);
	i->bad |= skip_is_reg(i);
	i->seg = -1;
	if (!i->bad)
		skip_set_reg(i, skip_reg_field(i), i->size, skip_address(i));
}

/* to_size from size bytes, with the sign or zeros. */
static void extend(struct skip_insn *i, unsigned size, unsigned to_size, bool sign)
{
	skip_fetch_modrm(i);
	struct skip_operand o = skip_rm(i, size, false);
	uint64_t top = UINT64_C(1) << (8 * size - 1);
	if (!i->bad)
		skip_set_reg(i, skip_reg_field(i), to_size, sign ? (o.value ^ top) - top : o.value);
}

static void push(struct skip_insn *i, uint64_t v)
{
	uint64_t sp = i->r->gpr[GYVE_RSP] - 8;
	void *p = i->bad ? NULL : i->env->ptr(i->env->ctx, sp, 8, true);

	i->bad |= !p;
	if (i->bad)
		return;
	skip_store(p, 8, v);
	i->r->gpr[GYVE_RSP] = sp;
}

static uint64_t pop(struct skip_insn *i, uint64_t sp)
{
	const void *p = i->bad ? NULL : i->env->ptr(i->env->ctx, sp, 8, false);

	i->bad |= !p;
	if (i->bad)
		return 0;
	i->r->gpr[GYVE_RSP] = sp + 8;
	return skip_load(p, 8);
}

/* Only where no #GP can come of it, with 4 levels of tables or with 5; operand size prefixes mean different things on Intel's
 * and AMD's processors. */
static void jump(struct skip_insn *i, uint64_t target)
{
	i->bad |= (uint64_t)((int64_t)(target << 16) >> 16) != target || i->operand_size;
	i->jumps = true;
	i->target = target;
}

static void call(struct skip_insn *i, uint64_t target)
{
	jump(i, target);
	push(i, i->r->rip + i->at);
}

static void jump_short(struct skip_insn *i, uint8_t opcode)
{
	uint64_t off = skip_fetch_signed(i, opcode == 0xeb ? 1 : 4);

	jump(i, i->r->rip + i->at + off);
}

static void jump_if(struct skip_insn *i, uint8_t opcode)
{
	uint64_t off = skip_fetch_signed(i, opcode < 0x80 ? 1 : 4);

	jump(i, i->r->rip + i->at + (skip_condition(i, opcode & 15) ? off : 0));
}

static void call_near(struct skip_insn *i, uint8_t opcode)
{
	uint64_t off = skip_fetch_signed(i, 4);

	(void)opcode;
	call(i, i->r->rip + i->at + off);
}

static void ret(struct skip_insn *i, uint8_t opcode)
{
	uint64_t sp = i->r->gpr[GYVE_RSP];

	(void)opcode;
	i->bad |= i->operand_size;
	jump(i, pop(i, sp));
	if (i->bad)
		i->r->gpr[GYVE_RSP] = sp;
}

static void leave(struct skip_insn *i, uint8_t opcode)
{
	(void)opcode;
	i->bad |= i->operand_size;
	uint64_t v = pop(i, i->r->gpr[GYVE_RBP]);
	if (!i->bad)
		i->r->gpr[GYVE_RBP] = v;
}

static unsigned opcode_reg(const struct skip_insn *i, uint8_t opcode)
{
	return (opcode & 7) | (i->rex & 1 ? 8 : 0);
}

static void push_reg(struct skip_insn *i, uint8_t opcode)
{
	i->bad |= i->operand_size;
	push(i, *skip_gpr(i, opcode_reg(i, opcode)));
}

static void pop_reg(struct skip_insn *i, uint8_t opcode)
{
	i->bad |= i->operand_size;
	uint64_t v = pop(i, i->r->gpr[GYVE_RSP]);
	if (!i->bad)
		*skip_gpr(i, opcode_reg(i, opcode)) = v;
}

static void push_imm(struct skip_insn *i, uint8_t opcode)
{
	uint64_t v = skip_fetch_signed(i, opcode == 0x68 ? 4 : 1);

	i->bad |= i->operand_size;
	push(i, v);
}

static void inc_dec(struct skip_insn *i, unsigned size, bool dec)
{
	struct skip_operand o = skip_rm(i, size, true);
	uint64_t carry = i->r->rflags & SKIP_CF;

	if (i->bad)
		return;
	uint64_t v = skip_alu(i, dec ? SKIP_SUB : SKIP_ADD, o.value, 1, size);
	skip_set_flags(i, SKIP_CF, carry);
	skip_set_rm(i, &o, size, v);
}

static void group_f6(struct skip_insn *i, uint8_t opcode)
{
	enum { TEST = 0, NOT = 2, NEG = 3 };
	unsigned size = opcode & 1 ? i->size : 1, which;

	skip_fetch_modrm(i);
	which = i->modrm >> 3 & 7;
	i->bad |= which != TEST && which != NOT && which != NEG;
	uint64_t imm = which == TEST ? skip_fetch_imm(i, size) : 0;
	struct skip_operand o = skip_rm(i, size, which != TEST);
	if (i->bad)
		return;
	if (which == TEST)
		skip_alu(i, SKIP_AND, o.value, imm, size);
	else
		skip_set_rm(i, &o, size, which == NOT ? ~o.value : skip_alu(i, SKIP_SUB, 0, o.value, size));
}

static void group_ff(struct skip_insn *i, uint8_t opcode)
{
	enum { CALL = 2, JMP = 4, PUSH = 6 };

	skip_fetch_modrm(i);
	unsigned which = i->modrm >> 3 & 7;
	if (which < 2) {
		inc_dec(i, opcode & 1 ? i->size : 1, which);
		return;
	}
	i->bad |= !(opcode & 1) || i->operand_size || (which != CALL && which != JMP && which != PUSH);
	struct skip_operand o = skip_rm(i, 8, false);
	if (which == CALL)
		call(i, o.value);
	else if (which == JMP)
		jump(i, o.value);
	else
		push(i, o.value);
}

static void nop(struct skip_insn *i, uint8_t opcode)
{
	if (opcode == 0x90) {
		i->bad |= i->rex & 1; /* XCHG with R8 */
		return;
	}
	skip_fetch_modrm(i);
	i->bad |= (i->modrm & 0x38) != 0;
}

/* Reads its operand in any case. */
static void cmov(struct skip_insn *i, uint8_t opcode)
{
	skip_fetch_modrm(i);
	unsigned n = skip_reg_field(i);
	struct skip_operand o = skip_rm(i, i->size, false);
	if (!i->bad)
		skip_set_reg(i, n, i->size, skip_condition(i, opcode & 15) ? o.value : skip_get_reg(i, n, i->size));
}

static void setcc(struct skip_insn *i, uint8_t opcode)
{
	skip_fetch_modrm(i);
	struct skip_operand o = skip_rm(i, 1, true);
	skip_set_rm(i, &o, 1, skip_condition(i, opcode & 15));
}

static void movx(struct skip_insn *i, uint8_t opcode)
{
	extend(i, opcode & 1 ? 2 : 1, i->size, opcode & 8);
}

static void movsxd(struct skip_insn *i, uint8_t opcode)
{
	(void)opcode;
	i->bad |= i->operand_size;
	extend(i, 4, i->size, true);
}

/* CBW, CWDE, CDQE */
static void extend_a(struct skip_insn *i, uint8_t opcode)
{
	uint64_t top = UINT64_C(1) << (4 * i->size - 1), v = i->r->gpr[GYVE_RAX] & (2 * top - 1);

	(void)opcode;
	skip_set_reg(i, GYVE_RAX, i->size, (v ^ top) - top);
}

static void test_a(struct skip_insn *i, uint8_t opcode)
{
	unsigned size = opcode & 1 ? i->size : 1;
	uint64_t imm = skip_fetch_imm(i, size);

	if (!i->bad)
		skip_alu(i, SKIP_AND, skip_get_reg(i, GYVE_RAX, size), imm, size);
}

static void mov_reg_imm(struct skip_insn *i, uint8_t opcode)
{
	unsigned size = opcode & 8 ? i->size : 1;
	uint64_t imm = skip_fetch(i, size);

	if (!i->bad)
		skip_set_reg(i, opcode_reg(i, opcode), size, imm);
}

/* Whatever is not here is refused. 8 rows of one kind begin the opcode map: SKIP_ALU_END is behind them. */
enum { SKIP_ALU_END = 0x40 };
struct row {
	uint8_t first, last;
	void (*insn)(struct skip_insn *i, uint8_t opcode);
};
static const struct row one_byte[] = {
	{0x50, 0x57, push_reg},   {0x58, 0x5f, pop_reg},  {0x63, 0x63, movsxd},      {0x68, 0x68, push_imm},
	{0x6a, 0x6a, push_imm},   {0x70, 0x7f, jump_if},  {0x80, 0x81, alu_imm},     {0x83, 0x83, alu_imm},
	{0x84, 0x85, test_insn},  {0x88, 0x8b, mov_insn}, {0x8d, 0x8d, lea},         {0x90, 0x90, nop},
	{0x98, 0x98, extend_a},   {0xa8, 0xa9, test_a},   {0xb0, 0xbf, mov_reg_imm}, {0xc3, 0xc3, ret},
	{0xc6, 0xc7, mov_imm},    {0xc9, 0xc9, leave},    {0xe8, 0xe8, call_near},   {0xe9, 0xe9, jump_short},
	{0xeb, 0xeb, jump_short}, {0xf6, 0xf7, group_f6}, {0xfe, 0xff, group_ff},
};
static const struct row two_bytes[] = {
	{0x1f, 0x1f, nop},   {0x40, 0x4f, cmov}, {0x80, 0x8f, jump_if},
	{0x90, 0x9f, setcc}, {0xb6, 0xb7, movx}, {0xbe, 0xbf, movx},
};

static void carry_out(struct skip_insn *i, const struct row *rows, size_t n, uint8_t opcode)
{
	for (size_t k = 0; k < n; k++)
		if (opcode >= rows[k].first && opcode <= rows[k].last) {
			rows[k].insn(i, opcode);
			return;
		}
	i->bad = true;
}

/* Prefixes; returns the first byte of the opcode. */
static uint8_t begin(struct skip_insn *i)
{
	for (;;) {
		uint8_t b = (uint8_t)skip_fetch(i, 1);
		if (b == 0x66) {
			i->operand_size = true;
			i->size = 2;
		} else if (b == 0x64 || b == 0x65) {
			i->seg = b == 0x64 ? GYVE_FS : GYVE_GS;
		} else if ((b & 0xf0) == 0x40) {
			i->rex = b;
			i->size = b & 8 ? 8 : i->size;
			return (uint8_t)skip_fetch(i, 1);
		} else {
			return b;
		}
		if (i->bad)
			return 0;
	}
}

bool skip_x86(struct gyve_x86_regs *r, const uint8_t *insn, size_t n, const struct skip_env *env)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct skip_insn i = {.r = r, .env = env, .p = insn, .n = n < 15 ? n : 15, .seg = -1, .size = 4};

	if (n >= sizeof(endbr64) && memcmp(insn, endbr64, sizeof(endbr64)) == 0) {
		i.at = sizeof(endbr64);
	} else {
		uint8_t b = begin(&i);
		if (b < SKIP_ALU_END && (b & 7) < 6)
			alu_insn(&i, b);
		else if (b == 0x0f)
			carry_out(&i, two_bytes, GYVE_ARRAY_SIZE(two_bytes), (uint8_t)skip_fetch(&i, 1));
		else
			carry_out(&i, one_byte, GYVE_ARRAY_SIZE(one_byte), b);
	}
	if (i.bad)
		return false;
	r->rip = i.jumps ? i.target : r->rip + i.at;
	r->rflags &= ~(uint64_t)SKIP_RF;
	return true;
}
