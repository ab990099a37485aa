/* DWARF expressions: a stack machine, bounded in steps and depth. */
#include "gyve/unwind.h"

#include "../base/reader.h"

#include <errno.h>

enum { MAX_STEPS = 1000, MAX_DEPTH = 64 };

/* operations (DWARF 5 section 7.7.1) */
enum {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONSTS = 0x11,
	OP_DUP,
	OP_DROP,
	OP_OVER,
	OP_PICK,
	OP_SWAP,
	OP_ROT,
	OP_ABS = 0x19,
	OP_AND,
	OP_DIV,
	OP_MINUS,
	OP_MOD,
	OP_MUL,
	OP_NEG,
	OP_NOT,
	OP_OR,
	OP_PLUS,
	OP_PLUS_UCONST,
	OP_SHL,
	OP_SHR,
	OP_SHRA,
	OP_XOR,
	OP_BRA,
	OP_EQ,
	OP_GE,
	OP_GT,
	OP_LE,
	OP_LT,
	OP_NE,
	OP_SKIP,
	OP_LIT0,
	OP_LIT31 = 0x4f,
	OP_REG0,
	OP_REG31 = 0x6f,
	OP_BREG0,
	OP_BREG31 = 0x8f,
	OP_REGX,
	OP_FBREG,
	OP_BREGX,
	OP_PIECE,
	OP_DEREF_SIZE,
	OP_NOP = 0x96,
	OP_CALL_FRAME_CFA = 0x9c,
	OP_STACK_VALUE = 0x9f,
};

struct machine {
	struct reader r;
	const struct gyve_expr_env *env;
	uint64_t stack[MAX_DEPTH];
	unsigned depth;
	int ret;
	struct gyve_expr_result result;
	bool done;
};

static void push(struct machine *m, uint64_t v)
{
	if (m->depth == MAX_DEPTH)
		m->ret = -EBADMSG;
	else
		m->stack[m->depth++] = v;
}

static uint64_t pop(struct machine *m)
{
	if (m->depth)
		return m->stack[--m->depth];
	m->ret = -EBADMSG;
	return 0;
}

static uint64_t reg(struct machine *m, uint64_t n)
{
	if (n < GYVE_DWARF_REGS && m->env->known >> n & 1)
		return m->env->reg[n];
	m->ret = -ENODATA;
	return 0;
}

static void push_known(struct machine *m, bool has, uint64_t v)
{
	if (has)
		push(m, v);
	else
		m->ret = -ENODATA;
}

static void finish(struct machine *m, enum gyve_expr_where where, uint64_t value)
{
	m->result = (struct gyve_expr_result){where, value};
	m->done = true;
}

static void deref(struct machine *m, unsigned size)
{
	uint64_t addr = pop(m), v = 0;

	if (!size || size > 8)
		m->ret = -EBADMSG;
	if (!m->ret)
		m->ret = m->env->read(m->env->ctx, addr, size, &v);
	push(m, v);
}

static uint64_t constant(struct machine *m, uint8_t op)
{
	switch (op - OP_CONST1U) {
	case 0:
		return read_u8(&m->r);
	case 1:
		return (uint64_t)(int8_t)read_u8(&m->r);
	case 2:
		return read_u16(&m->r);
	case 3:
		return (uint64_t)(int16_t)read_u16(&m->r);
	case 4:
		return read_u32(&m->r);
	case 5:
		return (uint64_t)(int32_t)read_u32(&m->r);
	case 6:
	case 7:
		return read_u64(&m->r);
	case 8:
		return read_uleb(&m->r);
	default:
		return (uint64_t)read_sleb(&m->r);
	}
}

static void jump(struct machine *m)
{
	int16_t by = (int16_t)read_u16(&m->r);
	int64_t to = (int64_t)m->r.at + by;

	if (m->r.bad || to < 0 || (uint64_t)to > m->r.end)
		m->ret = -EBADMSG;
	else
		m->r.at = (size_t)to;
}

static void shuffle(struct machine *m, uint8_t op)
{
	uint64_t a, b, c;

	switch (op) {
	case OP_DUP:
		a = pop(m);
		push(m, a), push(m, a);
		break;
	case OP_DROP:
		pop(m);
		break;
	case OP_OVER:
	case OP_PICK:
		a = op == OP_OVER ? 1 : read_u8(&m->r);
		if (a < m->depth)
			push(m, m->stack[m->depth - 1 - a]);
		else
			m->ret = -EBADMSG;
		break;
	case OP_SWAP:
		a = pop(m), b = pop(m);
		push(m, a), push(m, b);
		break;
	default: /* OP_ROT */
		a = pop(m), b = pop(m), c = pop(m);
		push(m, a), push(m, c), push(m, b);
	}
}

static uint64_t divide(struct machine *m, uint64_t a, uint64_t b)
{
	if (!b)
		m->ret = -EBADMSG;
	else if (b == UINT64_MAX)
		return -a; /* the one quotient that would not fit is its own negative */
	else
		return (uint64_t)((int64_t)a / (int64_t)b);
	return 0;
}

static void binary(struct machine *m, uint8_t op)
{
	uint64_t b = pop(m), a = pop(m);
	int64_t sa = (int64_t)a, sb = (int64_t)b;

	switch (op) {
	case OP_AND:
		push(m, a & b);
		break;
	case OP_DIV:
		push(m, divide(m, a, b));
		break;
	case OP_MINUS:
		push(m, a - b);
		break;
	case OP_MOD:
		if (!b)
			m->ret = -EBADMSG;
		else
			push(m, a % b);
		break;
	case OP_MUL:
		push(m, a * b);
		break;
	case OP_OR:
		push(m, a | b);
		break;
	case OP_PLUS:
		push(m, a + b);
		break;
	case OP_SHL:
		push(m, b < 64 ? a << b : 0);
		break;
	case OP_SHR:
		push(m, b < 64 ? a >> b : 0);
		break;
	case OP_SHRA:
		push(m, (uint64_t)(sa >> (b < 64 ? b : 63)));
		break;
	case OP_XOR:
		push(m, a ^ b);
		break;
	case OP_EQ:
		push(m, a == b);
		break;
	case OP_GE:
		push(m, sa >= sb);
		break;
	case OP_GT:
		push(m, sa > sb);
		break;
	case OP_LE:
		push(m, sa <= sb);
		break;
	case OP_LT:
		push(m, sa < sb);
		break;
	default:
		push(m, a != b); /* OP_NE */
	}
}

static void unary(struct machine *m, uint8_t op)
{
	uint64_t a = pop(m);

	if (op == OP_ABS)
		push(m, (int64_t)a < 0 ? -a : a);
	else
		push(m, op == OP_NEG ? -a : ~a);
}

static void step(struct machine *m)
{
	const struct gyve_expr_env *env = m->env;
	uint8_t op = read_u8(&m->r);
	uint64_t v;

	switch (op) {
	case OP_ADDR:
		push(m, read_u64(&m->r) + env->bias);
		break;
	case OP_DEREF:
		deref(m, 8);
		break;
	case OP_DEREF_SIZE:
		deref(m, read_u8(&m->r));
		break;
	case OP_CONST1U ... OP_CONSTS:
		push(m, constant(m, op));
		break;
	case OP_DUP ... OP_ROT:
		shuffle(m, op);
		break;
	case OP_ABS:
	case OP_NEG:
	case OP_NOT:
		unary(m, op);
		break;
	case OP_AND ... OP_MUL:
	case OP_OR:
	case OP_PLUS:
	case OP_SHL ... OP_XOR:
	case OP_EQ ... OP_NE:
		binary(m, op);
		break;
	case OP_PLUS_UCONST:
		push(m, pop(m) + read_uleb(&m->r));
		break;
	case OP_BRA:
		v = pop(m);
		if (v)
			jump(m);
		else
			read_u16(&m->r);
		break;
	case OP_SKIP:
		jump(m);
		break;
	case OP_LIT0 ... OP_LIT31:
		push(m, op - OP_LIT0);
		break;
	case OP_REG0 ... OP_REG31:
		finish(m, GYVE_EXPR_REGISTER, op - OP_REG0);
		break;
	case OP_REGX:
		finish(m, GYVE_EXPR_REGISTER, read_uleb(&m->r));
		break;
	case OP_BREG0 ... OP_BREG31:
		v = reg(m, op - OP_BREG0);
		push(m, v + (uint64_t)read_sleb(&m->r));
		break;
	case OP_BREGX:
		v = reg(m, read_uleb(&m->r));
		push(m, v + (uint64_t)read_sleb(&m->r));
		break;
	case OP_FBREG:
		push_known(m, env->has_frame_base, env->frame_base + (uint64_t)read_sleb(&m->r));
		break;
	case OP_CALL_FRAME_CFA:
		push_known(m, env->has_cfa, env->cfa);
		break;
	case OP_STACK_VALUE:
		finish(m, GYVE_EXPR_VALUE, pop(m));
		break;
	case OP_NOP:
		break;
	default:
		m->ret = -ENOTSUP; /* pieces, thread-local storage, values at a call site */
	}
}

int gyve_expr_eval(const uint8_t *expr, size_t len, const struct gyve_expr_env *env, const uint64_t *initial,
		   struct gyve_expr_result *ret)
{
	struct machine m = {.r = reader_at(expr, len, 0), .env = env};

	if (initial)
		push(&m, *initial);
	for (int i = 0; !m.ret && !m.done && m.r.at < m.r.end; i++) {
		if (i == MAX_STEPS)
			return -EBADMSG;
		step(&m);
		if (m.r.bad)
			m.ret = -EBADMSG;
	}
	if (!m.ret && m.done && m.r.at < m.r.end)
		return -ENOTSUP; /* a value in pieces */
	if (!m.ret && !m.done)
		finish(&m, GYVE_EXPR_MEMORY, pop(&m));
	*ret = m.result;
	return m.ret;
}
