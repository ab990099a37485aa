/* See skip.h. Encodings and what they do: Arm ARM (DDI 0487) C4.1 and C6.2. Constrained unpredictable forms are refused. */
#include "skip.h"

#include <string.h>

enum { ZR = 31, MODE_EL1H = 5 };
#define NZCV (UINT64_C(15) << 28)

struct a64_insn {
	struct gyve_a64_regs *r;
	const struct skip_env *env;
	uint32_t i;
	bool bad;
	uint64_t changed, next;
};

static uint64_t field(const struct a64_insn *s, unsigned top, unsigned low)
{
	return s->i >> low & ((UINT64_C(2) << (top - low)) - 1);
}

static bool is_set(const struct a64_insn *s, unsigned n)
{
	return s->i >> n & 1;
}

static uint64_t sign(uint64_t v, unsigned bits)
{
	return (uint64_t)((int64_t)(v << (64 - bits)) >> (64 - bits));
}

static uint64_t narrow(uint64_t v, bool wide)
{
	return wide ? v : (uint32_t)v;
}

static void need(struct a64_insn *s, uint64_t mask)
{
	mask &= ~s->changed;
	if (!s->bad && mask && s->env->need && !s->env->need(s->env->ctx, mask))
		s->bad = true;
}

/* --- registers */

static uint64_t get_x(struct a64_insn *s, uint64_t n)
{
	if (n == ZR)
		return 0;
	need(s, UINT64_C(1) << n);
	return s->r->x[n];
}

static uint64_t get_x_sp(struct a64_insn *s, uint64_t n)
{
	if (n != ZR)
		return get_x(s, n);
	need(s, SKIP_SP);
	return s->r->sp;
}

static void set_x(struct a64_insn *s, uint64_t n, uint64_t v)
{
	if (s->bad || n == ZR)
		return;
	s->r->x[n] = v;
	s->changed |= UINT64_C(1) << n;
}

static void set_x_sp(struct a64_insn *s, uint64_t n, uint64_t v)
{
	if (n != ZR) {
		set_x(s, n, v);
		return;
	}
	if (s->bad)
		return;
	s->r->sp = v;
	s->changed |= SKIP_SP;
}

static void set_nzcv(struct a64_insn *s, uint64_t result, bool wide, bool c, bool v)
{
	uint64_t n = result >> (wide ? 63 : 31) & 1, z = !narrow(result, wide);

	if (!s->bad)
		s->r->pstate = (s->r->pstate & ~NZCV) | n << 31 | z << 30 | (uint64_t)c << 29 | (uint64_t)v << 28;
}

static bool condition(const struct a64_insn *s, uint64_t cond)
{
	uint64_t p = s->r->pstate;
	bool n = p >> 31 & 1, z = p >> 30 & 1, c = p >> 29 & 1, v = p >> 28 & 1, yes = true;

	switch (cond >> 1) {
	case 0:
		yes = z;
		break;
	case 1:
		yes = c;
		break;
	case 2:
		yes = n;
		break;
	case 3:
		yes = v;
		break;
	case 4:
		yes = c && !z;
		break;
	case 5:
		yes = n == v;
		break;
	case 6:
		yes = n == v && !z;
		break;
	default:
		return true;
	}
	return yes != (cond & 1);
}

/* --- data processing */

static uint64_t add_sub(struct a64_insn *s, uint64_t a, uint64_t b, bool wide)
{
	bool sub = is_set(s, 30);
	uint64_t result = narrow(sub ? a - b : a + b, wide), top = UINT64_C(1) << (wide ? 63 : 31);

	a = narrow(a, wide);
	b = narrow(b, wide);
	if (is_set(s, 29))
		set_nzcv(s, result, wide, sub ? a >= b : result < a, ((a ^ result) & ((sub ? ~b : b) ^ result) & top) != 0);
	return result;
}

static void add_imm(struct a64_insn *s)
{
	bool wide = is_set(s, 31);
	uint64_t imm = field(s, 21, 10) << (is_set(s, 22) ? 12 : 0), a = get_x_sp(s, field(s, 9, 5));
	uint64_t v = add_sub(s, a, imm, wide);

	if (is_set(s, 29))
		set_x(s, field(s, 4, 0), v);
	else
		set_x_sp(s, field(s, 4, 0), v);
}

static uint64_t shifted(struct a64_insn *s, bool wide)
{
	uint64_t v = narrow(get_x(s, field(s, 20, 16)), wide);
	unsigned n = (unsigned)field(s, 15, 10), bits = wide ? 64 : 32;

	s->bad |= n >= bits;
	if (s->bad || !n)
		return v;
	switch (field(s, 23, 22)) {
	case 0:
		return narrow(v << n, wide);
	case 1:
		return v >> n;
	case 2:
		return narrow((uint64_t)((int64_t)sign(v, bits) >> n), wide);
	default:
		return narrow(v >> n | v << (bits - n), wide);
	}
}

static void add_shifted(struct a64_insn *s)
{
	bool wide = is_set(s, 31);

	s->bad |= field(s, 23, 22) == 3;
	uint64_t a = get_x(s, field(s, 9, 5)), b = shifted(s, wide);
	set_x(s, field(s, 4, 0), add_sub(s, a, b, wide));
}

static uint64_t logic(struct a64_insn *s, uint64_t a, uint64_t b, bool wide)
{
	uint64_t op = field(s, 30, 29), v = op == 1 ? a | b : op == 2 ? a ^ b : a & b;

	v = narrow(v, wide);
	if (op == 3)
		set_nzcv(s, v, wide, false, false);
	return v;
}

static void logic_shifted(struct a64_insn *s)
{
	bool wide = is_set(s, 31);
	uint64_t b = shifted(s, wide), a = get_x(s, field(s, 9, 5));

	set_x(s, field(s, 4, 0), logic(s, a, is_set(s, 21) ? ~b : b, wide));
}

/* DecodeBitMasks() of the manual. */
static uint64_t bit_mask(struct a64_insn *s, bool wide)
{
	unsigned n = is_set(s, 22), imms = (unsigned)field(s, 15, 10), immr = (unsigned)field(s, 21, 16);
	unsigned which = n << 6 | (~imms & 63), len = which ? 31 - (unsigned)__builtin_clz(which) : 0, size = 1u << len;
	unsigned ones = (imms & (size - 1)) + 1, turn = immr & (size - 1);

	s->bad |= len < 1 || ones == size || (n && !wide);
	if (s->bad)
		return 0;
	uint64_t m = (UINT64_C(1) << ones) - 1;
	if (turn)
		m = m >> turn | m << (size - turn);
	if (size < 64)
		m &= (UINT64_C(1) << size) - 1;
	for (; size < 64; size *= 2)
		m |= m << size;
	return narrow(m, wide);
}

static void logic_imm(struct a64_insn *s)
{
	bool wide = is_set(s, 31);
	uint64_t m = bit_mask(s, wide), v = logic(s, get_x(s, field(s, 9, 5)), m, wide);

	if (field(s, 30, 29) == 3)
		set_x(s, field(s, 4, 0), v);
	else
		set_x_sp(s, field(s, 4, 0), v);
}

static void mov_wide(struct a64_insn *s)
{
	bool wide = is_set(s, 31);
	unsigned shift = 16 * (unsigned)field(s, 22, 21);
	uint64_t op = field(s, 30, 29), v = field(s, 20, 5) << shift, rd = field(s, 4, 0);

	s->bad |= op == 1 || (!wide && shift > 16);
	if (op == 0)
		v = ~v;
	else if (op == 3)
		v |= get_x(s, rd) & ~(UINT64_C(0xffff) << shift);
	set_x(s, rd, narrow(v, wide));
}

static void adr(struct a64_insn *s)
{
	uint64_t imm = sign(field(s, 23, 5) << 2 | field(s, 30, 29), 21), pc = s->r->pc;

	set_x(s, field(s, 4, 0), is_set(s, 31) ? (pc & ~UINT64_C(0xfff)) + (imm << 12) : pc + imm);
}

static void choose(struct a64_insn *s)
{
	bool wide = is_set(s, 31);
	uint64_t a = get_x(s, field(s, 9, 5)), b = get_x(s, field(s, 20, 16));

	s->bad |= is_set(s, 29) || is_set(s, 11);
	b = is_set(s, 30) ? ~b : b;
	b += is_set(s, 10);
	set_x(s, field(s, 4, 0), narrow(condition(s, field(s, 15, 12)) ? a : b, wide));
}

/* --- branches. Indirect ones are refused but for RET: they leave BTYPE behind. */

static void branch(struct a64_insn *s)
{
	if (is_set(s, 31))
		set_x(s, 30, s->r->pc + 4);
	s->next = s->r->pc + sign(field(s, 25, 0), 26) * 4;
}

static void branch_cond(struct a64_insn *s)
{
	if (condition(s, field(s, 3, 0)))
		s->next = s->r->pc + sign(field(s, 23, 5), 19) * 4;
}

static void branch_zero(struct a64_insn *s)
{
	if (!narrow(get_x(s, field(s, 4, 0)), is_set(s, 31)) != is_set(s, 24))
		s->next = s->r->pc + sign(field(s, 23, 5), 19) * 4;
}

static void branch_bit(struct a64_insn *s)
{
	uint64_t bit = field(s, 23, 19) | (uint64_t)is_set(s, 31) << 5;

	if ((get_x(s, field(s, 4, 0)) >> bit & 1) == is_set(s, 24))
		s->next = s->r->pc + sign(field(s, 18, 5), 14) * 4;
}

static void ret(struct a64_insn *s)
{
	s->next = get_x(s, field(s, 9, 5));
	s->bad |= s->next & 3 || sign(s->next, 48) != s->next; /* no tag, no fault */
}

/* What does nothing, or nothing while pointer authentication is off. */
static void hint(struct a64_insn *s)
{
	enum { ENIA = 31, ENIB = 30 };

	switch (field(s, 11, 5)) {
	case 0x00: /* NOP */
	case 0x20: /* BTI and its kinds; BTYPE is 0 */
	case 0x22:
	case 0x24:
	case 0x26:
		return;
	case 0x18: /* PACIAZ, PACIASP, AUTIAZ, AUTIASP */
	case 0x19:
	case 0x1c:
	case 0x1d:
		need(s, SKIP_MMU);
		s->bad |= s->r->sctlr_el1 >> ENIA & 1;
		return;
	case 0x1a:
	case 0x1b:
	case 0x1e:
	case 0x1f:
		need(s, SKIP_MMU);
		s->bad |= s->r->sctlr_el1 >> ENIB & 1;
		return;
	}
	s->bad = true;
}

/* --- loads and stores: aligned, so that each is one access */

static uint8_t *place(struct a64_insn *s, uint64_t gva, unsigned size, unsigned n, bool write)
{
	void *p = NULL;

	s->bad |= gva & (size - 1);
	need(s, SKIP_MMU);
	if (!s->bad)
		p = s->env->ptr(s->env->ctx, gva, size * n, write);
	s->bad |= !p;
	return p;
}

static uint64_t load(const void *p, unsigned size)
{
	switch (size) {
	case 1:
		return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
	case 2:
		return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
	case 4:
		return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
	default:
		return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
	}
}

static void store(void *p, unsigned size, uint64_t v)
{
	switch (size) {
	case 1:
		__atomic_store_n((uint8_t *)p, (uint8_t)v, __ATOMIC_RELAXED);
		return;
	case 2:
		__atomic_store_n((uint16_t *)p, (uint16_t)v, __ATOMIC_RELAXED);
		return;
	case 4:
		__atomic_store_n((uint32_t *)p, (uint32_t)v, __ATOMIC_RELAXED);
		return;
	default:
		__atomic_store_n((uint64_t *)p, v, __ATOMIC_RELAXED);
	}
}

/* Base register; a misaligned SP is a fault of its own. */
static uint64_t base(struct a64_insn *s)
{
	uint64_t rn = field(s, 9, 5), v = get_x_sp(s, rn);

	s->bad |= rn == ZR && v & 15;
	return v;
}

enum { POST = 1, OFFSET = 2, PRE = 3 };

static void pair(struct a64_insn *s)
{
	bool wide = is_set(s, 31), is_load = is_set(s, 22);
	unsigned size = wide ? 8 : 4, mode = (unsigned)field(s, 24, 23);
	uint64_t rt = field(s, 4, 0), rt2 = field(s, 14, 10), rn = field(s, 9, 5), at = base(s);
	uint64_t moved = at + sign(field(s, 21, 15), 7) * size;

	s->bad |= is_set(s, 30) || mode < POST || (mode != OFFSET && rn != ZR && (rn == rt || rn == rt2)) ||
		  (is_load && rt == rt2);
	uint64_t a = is_load ? 0 : get_x(s, rt), b = is_load ? 0 : get_x(s, rt2);
	uint8_t *p = place(s, mode == POST ? at : moved, size, 2, !is_load);
	if (s->bad)
		return;
	if (is_load) {
		set_x(s, rt, load(p, size));
		set_x(s, rt2, load(p + size, size));
	} else {
		store(p, size, a);
		store(p + size, size, b);
	}
	if (mode != OFFSET)
		set_x_sp(s, rn, moved);
}

static void one(struct a64_insn *s, uint64_t gva)
{
	unsigned size = 1u << field(s, 31, 30), kind = (unsigned)field(s, 23, 22);
	uint64_t rt = field(s, 4, 0), v = kind ? 0 : get_x(s, rt);

	s->bad |= (kind == 2 && size == 8) || (kind == 3 && size >= 4); /* prefetches, and what does not exist */
	uint8_t *p = place(s, gva, size, 1, !kind);
	if (s->bad)
		return;
	if (!kind) {
		store(p, size, v);
		return;
	}
	v = load(p, size);
	v = kind >= 2 ? sign(v, 8 * size) : v;
	set_x(s, rt, kind == 3 ? (uint32_t)v : v);
}

static void one_unsigned(struct a64_insn *s)
{
	one(s, base(s) + (field(s, 21, 10) << field(s, 31, 30)));
}

static void one_imm9(struct a64_insn *s)
{
	unsigned mode = (unsigned)field(s, 11, 10);
	uint64_t rn = field(s, 9, 5), at = base(s), moved = at + sign(field(s, 20, 12), 9);

	s->bad |= mode == 2 || (mode && rn != ZR && rn == field(s, 4, 0));
	one(s, mode == POST ? at : moved);
	if (mode)
		set_x_sp(s, rn, moved);
}

static void one_register(struct a64_insn *s)
{
	uint64_t option = field(s, 15, 13), off = get_x(s, field(s, 20, 16));

	s->bad |= !(option & 2);
	if (option == 2)
		off = (uint32_t)off;
	else if (option == 6)
		off = sign(off, 32);
	one(s, base(s) + (off << (is_set(s, 12) ? field(s, 31, 30) : 0)));
}

static const struct {
	uint32_t mask, value;
	void (*insn)(struct a64_insn *s);
} rows[] = {
	{0x1f800000, 0x11000000, add_imm},     {0x1f000000, 0x10000000, adr},           {0x1f800000, 0x12000000, logic_imm},
	{0x1f800000, 0x12800000, mov_wide},    {0x1f000000, 0x0a000000, logic_shifted}, {0x1f200000, 0x0b000000, add_shifted},
	{0x1fe00000, 0x1a800000, choose},      {0x7c000000, 0x14000000, branch},        {0xff000010, 0x54000000, branch_cond},
	{0x7e000000, 0x34000000, branch_zero}, {0x7e000000, 0x36000000, branch_bit},    {0xfffffc1f, 0xd65f0000, ret},
	{0xfffff01f, 0xd503201f, hint},        {0x3e000000, 0x28000000, pair},          {0x3f000000, 0x39000000, one_unsigned},
	{0x3f200000, 0x38000000, one_imm9},    {0x3f200c00, 0x38200800, one_register},
};

bool skip_a64(struct gyve_a64_regs *r, uint32_t insn, const struct skip_env *env, uint64_t *changed)
{
	struct a64_insn s = {.r = r, .env = env, .i = insn, .next = r->pc + 4};
	size_t n = 0;

	while (n < GYVE_ARRAY_SIZE(rows) && (insn & rows[n].mask) != rows[n].value)
		n++;
	if (n == GYVE_ARRAY_SIZE(rows))
		return false;
	rows[n].insn(&s);
	if (s.bad)
		return false;
	r->pc = s.next;
	*changed = s.changed;
	return true;
}
