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
	OP_TRACE,
	OP_TRACE_QUICK,
	OP_LOG_NOT,
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
	OP_GETV,
	OP_SETV,
	OP_TRACEV,
	OP_TRACENZ,
	OP_TRACE16,
	OP_PICK = 0x32,
	OP_ROT,
	OP_PRINTF,
	OP_LAST = OP_PRINTF,
};

/* Bytes of operands, before a printf's format; NO: gdb has none of these any more, or they are for floats. */
enum { NO = 0xff, PRINTF_OPERANDS = 3 };
static const uint8_t operands[OP_LAST + 1] = {
	[0x00] = NO,       [0x01] = NO,      [OP_TRACE_QUICK] = 1, [OP_EXT] = 1,
	[0x1b] = NO,       [0x1c] = NO,      [0x1d] = NO,          [0x1e] = NO,
	[0x1f] = NO,       [OP_IF_GOTO] = 2, [OP_GOTO] = 2,        [OP_CONST8] = 1,
	[OP_CONST16] = 2,  [OP_CONST32] = 4, [OP_CONST64] = 8,     [OP_REG] = 2,
	[OP_ZERO_EXT] = 1, [OP_GETV] = 2,    [OP_SETV] = 2,        [OP_TRACEV] = 2,
	[OP_TRACE16] = 2,  [0x31] = NO,      [OP_PICK] = 1,        [OP_PRINTF] = PRINTF_OPERANDS,
};

/* What an operation is allowed by; 0: always. */
static unsigned needs(uint8_t op)
{
	switch (op) {
	case OP_GETV:
	case OP_SETV:
		return AGENT_VARS;
	case OP_TRACE:
	case OP_TRACE_QUICK:
	case OP_TRACEV:
	case OP_TRACENZ:
	case OP_TRACE16:
		return AGENT_TRACE;
	case OP_PRINTF:
		return AGENT_PRINT;
	default:
		return 0;
	}
}

/* Operands are big-endian. */
static uint64_t operand(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

/* Bytes of the operation at code, which has been checked, or whose operands are there at least. */
static size_t op_len(const uint8_t *code)
{
	return 1u + operands[code[0]] + (code[0] == OP_PRINTF ? (size_t)operand(code + 2, 2) : 0);
}

static int check_op(const uint8_t *code, size_t left, unsigned allowed, struct gyve_err *err)
{
	if (code[0] > OP_LAST || operands[code[0]] == NO)
		return gyve_err_set(err, -EINVAL, "there is no operation 0x%02x", code[0]);
	if (needs(code[0]) & ~allowed)
		return gyve_err_set(err, -EINVAL, "operation 0x%02x is not for this kind of expression", code[0]);
	if (operands[code[0]] >= left || op_len(code) > left)
		return gyve_err_set(err, -EINVAL, "operation 0x%02x lacks its operand", code[0]);
	if (code[0] == OP_PRINTF)
		return agent_format_check((const char *)code + 1 + PRINTF_OPERANDS, (size_t)operand(code + 2, 2), code[1], err);
	return 0;
}

int agent_check(const uint8_t *code, size_t len, unsigned allowed, struct gyve_err *err)
{
	uint8_t begins[AGENT_MAX_LEN] = {0};
	size_t at;

	if (!len || len > AGENT_MAX_LEN)
		return gyve_err_set(err, -EINVAL, "an expression has 1 to %d bytes", AGENT_MAX_LEN);
	for (at = 0; at < len; at += op_len(code + at)) {
		int r = check_op(code + at, len - at, allowed, err);
		if (r < 0)
			return r;
		begins[at] = 1;
	}
	for (at = 0; at < len; at += op_len(code + at)) {
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

static void variable(struct machine *m, uint8_t op, unsigned number)
{
	uint64_t v = 0;

	if (m->ret)
		return;
	if (op == OP_TRACEV) {
		m->ret = m->env->trace_var(m->env->ctx, number);
	} else if (op == OP_GETV) {
		m->ret = m->env->var_get(m->env->ctx, number, &v);
		push(m, v);
	} else if (m->depth) { /* the value stays */
		m->ret = m->env->var_set(m->env->ctx, number, m->stack[m->depth - 1]);
	} else {
		m->ret = -EOVERFLOW;
	}
}

/* Record memory. The quick ones leave the address. */
static void record(struct machine *m, uint8_t op, uint64_t arg)
{
	bool quick = op == OP_TRACE_QUICK || op == OP_TRACE16;
	uint64_t len = quick ? arg : pop(m), addr = pop(m);

	if (!m->ret)
		m->ret =
			op == OP_TRACENZ ? m->env->trace_string(m->env->ctx, addr, len) : m->env->trace(m->env->ctx, addr, len);
	if (quick)
		push(m, addr);
}

static void effect(struct machine *m, uint8_t op, uint64_t arg)
{
	if (op == OP_GETV || op == OP_SETV || op == OP_TRACEV)
		variable(m, op, (unsigned)arg);
	else
		record(m, op, arg);
}

/* Function and channel, of which there is one each, are on top of the arguments. */
static void print(struct machine *m, const uint8_t *code)
{
	uint64_t args[UINT8_MAX];
	char text[AGENT_MAX_TEXT];

	pop(m), pop(m);
	for (unsigned i = 0; i < code[1]; i++)
		args[i] = pop(m);
	if (!m->ret)
		m->ret = m->env->print(m->env->ctx, text,
				       agent_format(m->env, (const char *)code + 1 + PRINTF_OPERANDS, args, text));
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
		if (needs(op))
			effect(m, op, arg);
		else
			push(m, binary(m, op));
	}
}

int agent_eval(const uint8_t *code, size_t len, const struct agent_env *env, uint64_t *ret)
{
	struct machine m = {.env = env};
	size_t at = 0;

	for (int steps = 0; at < len && code[at] != OP_END; steps++) {
		const uint8_t *now = code + at;
		uint64_t arg = operand(now + 1, operands[*now]);
		if (steps == MAX_STEPS)
			return -ELOOP;
		at += op_len(now);
		if (*now == OP_GOTO || (*now == OP_IF_GOTO && pop(&m)))
			at = (size_t)arg;
		else if (*now == OP_PRINTF)
			print(&m, now);
		else if (*now != OP_IF_GOTO)
			step(&m, *now, arg);
		if (m.ret)
			return m.ret;
	}
	if (ret)
		*ret = pop(&m);
	return m.ret;
}
