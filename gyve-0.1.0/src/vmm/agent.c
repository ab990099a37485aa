/* The agent expression machine: a stack of 64-bit values, bounded in depth and steps. */
#include "agent.h"

#include <errno.h>
#include <string.h>

enum { MAX_STEPS = 10000, MAX_DEPTH = 64 };

enum {
	OP_ADD = 0x02,
	OP_SUB,
	OP_MUL,
	OP_DIV_S,
	OP_DIV_U,
	OP_REM_S,
	OP_REM_U,
	OP_LSH,
	OP_RSH_S,
	OP_RSH_U,
	OP_LOG_NOT = 0x0e,
	OP_AND,
	OP_OR,
	OP_XOR,
	OP_NOT,
	OP_EQUAL,
	OP_LESS_S,
	OP_LESS_U,
	OP_EXT,
	OP_REF8,
	OP_REF64 = 0x1a,
	OP_IF_GOTO = 0x20,
	OP_GOTO,
	OP_CONST8,
	OP_CONST16,
	OP_CONST32,
	OP_CONST64,
	OP_REG,
	OP_END,
	OP_DUP,
	OP_POP,
	OP_ZERO_EXT,
	OP_SWAP,
	OP_PICK = 0x32,
	OP_ROT,
	OP_LAST = OP_ROT,
};

/* Bytes of operands; NO: not in a condition (floats, tracing, trace variables, output). */
enum { NO = 0xff };
static const uint8_t operands[OP_LAST + 1] = {
	[0x00] = NO,      [0x01] = NO, /* float */
	[0x0c] = NO,                   /* trace */
	[0x0d] = NO,                   /* trace_quick */
	[OP_EXT] = 1,     [0x1b] = NO, /* ref_float, ref_double, ref_long_double, l_to_d, d_to_l */
	[0x1c] = NO,      [0x1d] = NO,      [0x1e] = NO,      [0x1f] = NO,  [OP_IF_GOTO] = 2,  [OP_GOTO] = 2, [OP_CONST8] = 1,
	[OP_CONST16] = 2, [OP_CONST32] = 4, [OP_CONST64] = 8, [OP_REG] = 2, [OP_ZERO_EXT] = 1, [0x2c] = NO, /* getv, setv,
													       tracev, tracenz,
													       trace16 */
	[0x2d] = NO,      [0x2e] = NO,      [0x2f] = NO,      [0x30] = NO,  [0x31] = NO,       [OP_PICK] = 1,
};

/* Operands are big-endian. */
static uint64_t operand(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

int agent_check(const uint8_t *code, size_t len, struct gyve_err *err)
{
	uint8_t begins[AGENT_MAX_LEN] = {0};
	size_t at;

	if (!len || len > AGENT_MAX_LEN)
		return gyve_err_set(err, -EINVAL, "a condition has 1 to %d bytes", AGENT_MAX_LEN);
	for (at = 0; at < len; at += 1u + operands[code[at]]) {
		begins[at] = 1;
		if (code[at] > OP_LAST || operands[code[at]] == NO)
			return gyve_err_set(err, -EINVAL, "operation 0x%02x is not for conditions", code[at]);
		if (operands[code[at]] > len - at - 1)
			return gyve_err_set(err, -EINVAL, "operation 0x%02x lacks its operand", code[at]);
	}
	for (at = 0; at < len; at += 1u + operands[code[at]]) {
		bool jumps = code[at] == OP_GOTO || code[at] == OP_IF_GOTO;
		uint64_t to = jumps ? operand(code + at + 1, 2) : 0;
		if (jumps && (to >= len || !begins[to]))
			return gyve_err_set(err, -EINVAL, "a jump leads to byte %u, where no operation begins", (unsigned)to);
	}
	return 0;
}

struct machine {
	const struct agent_env *env;
	uint64_t stack[MAX_DEPTH];
	unsigned depth;
	int ret;
};

static void push(struct machine *m, uint64_t v)
{
	if (m->depth == MAX_DEPTH)
		m->ret = -EOVERFLOW;
	else
		m->stack[m->depth++] = v;
}

static uint64_t pop(struct machine *m)
{
	if (m->depth)
		return m->stack[--m->depth];
	m->ret = -EOVERFLOW;
	return 0;
}

static uint64_t divide(struct machine *m, uint8_t op, uint64_t a, uint64_t b)
{
	bool remainder = op == OP_REM_S || op == OP_REM_U;

	if (!b) {
		m->ret = -EDOM;
		return 0;
	}
	if (op == OP_DIV_U || op == OP_REM_U)
		return remainder ? a % b : a / b;
	if (b == UINT64_MAX) /* the one quotient that would not fit */
		return remainder ? 0 : -a;
	return (uint64_t)(remainder ? (int64_t)a % (int64_t)b : (int64_t)a / (int64_t)b);
}

static uint64_t binary(struct machine *m, uint8_t op)
{
	uint64_t b = pop(m), a = pop(m);

	switch (op) {
	case OP_ADD:
		return a + b;
	case OP_SUB:
		return a - b;
	case OP_MUL:
		return a * b;
	case OP_DIV_S ... OP_REM_U:
		return divide(m, op, a, b);
	case OP_LSH:
		return b < 64 ? a << b : 0;
	case OP_RSH_S:
		return (uint64_t)((int64_t)a >> (b < 64 ? b : 63));
	case OP_RSH_U:
		return b < 64 ? a >> b : 0;
	case OP_AND:
		return a & b;
	case OP_OR:
		return a | b;
	case OP_XOR:
		return a ^ b;
	case OP_EQUAL:
		return a == b;
	case OP_LESS_S:
		return (int64_t)a < (int64_t)b;
	default:
		return a < b; /* OP_LESS_U */
	}
}

static uint64_t extend(uint64_t v, uint64_t bits, bool sign)
{
	if (!bits || bits >= 64)
		return v;
	v &= (UINT64_C(1) << bits) - 1;
	return sign && v >> (bits - 1) ? v | ~UINT64_C(0) << bits : v;
}

static uint64_t fetch(struct machine *m, uint8_t op)
{
	uint64_t addr = pop(m), v = 0;

	if (!m->ret)
		m->ret = m->env->read(m->env->ctx, addr, &v, (size_t)1 << (op - OP_REF8));
	return v;
}

static void shuffle(struct machine *m, uint8_t op, uint64_t n)
{
	uint64_t a, b, c;

	switch (op) {
	case OP_DUP:
		n = 0; /* fall through */
	case OP_PICK:
		if (n < m->depth)
			push(m, m->stack[m->depth - 1 - n]);
		else
			m->ret = -EOVERFLOW;
		break;
	case OP_POP:
		pop(m);
		break;
	case OP_SWAP:
		a = pop(m), b = pop(m);
		push(m, a), push(m, b);
		break;
	default: /* OP_ROT: a b c becomes c a b */
		c = pop(m), b = pop(m), a = pop(m);
		push(m, c), push(m, a), push(m, b);
	}
}

static void step(struct machine *m, uint8_t op, uint64_t arg)
{
	uint64_t v;

	switch (op) {
	case OP_LOG_NOT:
		push(m, !pop(m));
		break;
	case OP_NOT:
		push(m, ~pop(m));
		break;
	case OP_EXT:
	case OP_ZERO_EXT:
		push(m, extend(pop(m), arg, op == OP_EXT));
		break;
	case OP_REF8 ... OP_REF64:
		push(m, fetch(m, op));
		break;
	case OP_CONST8 ... OP_CONST64:
		push(m, arg);
		break;
	case OP_REG:
		v = 0;
		if (!m->ret)
			m->ret = m->env->reg(m->env->ctx, (unsigned)arg, &v);
		push(m, v);
		break;
	case OP_DUP:
	case OP_POP:
	case OP_SWAP:
	case OP_PICK:
	case OP_ROT:
		shuffle(m, op, arg);
		break;
	default:
		push(m, binary(m, op));
	}
}

int agent_eval(const uint8_t *code, size_t len, const struct agent_env *env, uint64_t *ret)
{
	struct machine m = {.env = env};
	size_t at = 0;

	for (int steps = 0; at < len && code[at] != OP_END; steps++) {
		uint8_t op = code[at];
		uint64_t arg = operand(code + at + 1, operands[op]);
		if (steps == MAX_STEPS)
			return -ELOOP;
		at += 1u + operands[op];
		if (op == OP_GOTO || (op == OP_IF_GOTO && pop(&m)))
			at = (size_t)arg;
		else if (op != OP_IF_GOTO)
			step(&m, op, arg);
		if (m.ret)
			return m.ret;
	}
	*ret = pop(&m);
	return m.ret;
}
