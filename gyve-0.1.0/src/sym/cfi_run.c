/* The program of call frame information: it builds the rules up to an address. */
#include "cfi_priv.h"

enum { MAX_REMEMBER = 16 };

struct machine {
	const struct section *s;
	const struct cie *cie;
	struct gyve_cfi_row *row;
	const struct gyve_cfi_row *initial; /* NULL: none yet */
	struct gyve_cfi_row stack[MAX_REMEMBER];
	unsigned depth;
	uint64_t loc, pc;
	struct reader r;
};

static void set_rule(struct machine *m, uint64_t reg, enum gyve_cfi_kind kind, int64_t offset)
{
	if (reg < GYVE_DWARF_REGS) /* vector registers and the like are not followed */
		m->row->reg[reg] = (struct gyve_cfi_rule){.kind = kind, .offset = offset};
}

static void set_expr(struct machine *m, struct gyve_cfi_rule *rule, enum gyve_cfi_kind kind)
{
	uint64_t len = read_uleb(&m->r);
	const uint8_t *expr = m->r.base + m->r.at;

	reader_skip(&m->r, len);
	if (rule && !m->r.bad)
		*rule = (struct gyve_cfi_rule){.kind = kind, .expr = expr, .len = (size_t)len};
}

static struct gyve_cfi_rule *rule_of(struct machine *m, uint64_t reg)
{
	return reg < GYVE_DWARF_REGS ? &m->row->reg[reg] : NULL;
}

/* false: the location has passed pc, the row is complete. */
static bool advance(struct machine *m, uint64_t delta)
{
	uint64_t next = m->loc + delta * m->cie->code_align;

	if (next > m->pc || next < m->loc)
		return false;
	m->loc = next;
	return true;
}

static void restore(struct machine *m, uint64_t reg)
{
	if (reg < GYVE_DWARF_REGS && m->initial)
		m->row->reg[reg] = m->initial->reg[reg];
}

static int64_t factored(const struct machine *m, int64_t v)
{
	return (int64_t)((uint64_t)v * (uint64_t)m->cie->data_align);
}

static void set_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
	m->row->cfa = (struct gyve_cfi_rule){.kind = GYVE_CFI_OFFSET, .reg = (uint32_t)reg, .offset = offset};
	if (reg >= GYVE_DWARF_REGS)
		m->r.bad = true;
}

static void run_cfa(struct machine *m, uint8_t op)
{
	uint64_t reg;

	switch (op) {
	case 0x0c: /* DW_CFA_def_cfa */
		reg = read_uleb(&m->r);
		set_cfa(m, reg, (int64_t)read_uleb(&m->r));
		break;
	case 0x12: /* DW_CFA_def_cfa_sf */
		reg = read_uleb(&m->r);
		set_cfa(m, reg, factored(m, read_sleb(&m->r)));
		break;
	case 0x0d: /* DW_CFA_def_cfa_register */
		set_cfa(m, read_uleb(&m->r), m->row->cfa.offset);
		break;
	case 0x0e: /* DW_CFA_def_cfa_offset */
		m->row->cfa.offset = (int64_t)read_uleb(&m->r);
		break;
	case 0x13: /* DW_CFA_def_cfa_offset_sf */
		m->row->cfa.offset = factored(m, read_sleb(&m->r));
		break;
	default: /* DW_CFA_def_cfa_expression */
		set_expr(m, &m->row->cfa, GYVE_CFI_VAL_EXPR);
	}
}

static bool run_location(struct machine *m, uint8_t op)
{
	switch (op) {
	case 0x01: /* DW_CFA_set_loc */
		m->loc = gyve_cfi_pointer(m->s, &m->r, m->cie->encoding);
		return m->loc <= m->pc;
	case 0x02: /* DW_CFA_advance_loc1, 2, 4 */
		return advance(m, read_u8(&m->r));
	case 0x03:
		return advance(m, read_u16(&m->r));
	default:
		return advance(m, read_u32(&m->r));
	}
}

static void run_stack(struct machine *m, uint8_t op)
{
	if (op == 0x0a && m->depth < MAX_REMEMBER)
		m->stack[m->depth++] = *m->row;
	else if (op == 0x0b && m->depth)
		*m->row = m->stack[--m->depth];
	else
		m->r.bad = true;
}

static void run_register(struct machine *m, uint8_t op)
{
	uint64_t reg = read_uleb(&m->r);

	switch (op) {
	case 0x05: /* DW_CFA_offset_extended */
		set_rule(m, reg, GYVE_CFI_OFFSET, factored(m, (int64_t)read_uleb(&m->r)));
		break;
	case 0x06: /* DW_CFA_restore_extended */
		restore(m, reg);
		break;
	case 0x07: /* DW_CFA_undefined */
		set_rule(m, reg, GYVE_CFI_UNDEFINED, 0);
		break;
	case 0x08: /* DW_CFA_same_value */
		set_rule(m, reg, GYVE_CFI_SAME, 0);
		break;
	case 0x09: { /* DW_CFA_register */
		uint64_t from = read_uleb(&m->r);
		bool followed = from < GYVE_DWARF_REGS;
		set_rule(m, reg, followed ? GYVE_CFI_REGISTER : GYVE_CFI_UNDEFINED, 0);
		if (followed && reg < GYVE_DWARF_REGS)
			m->row->reg[reg].reg = (uint32_t)from;
		break;
	}
	case 0x10: /* DW_CFA_expression */
		set_expr(m, rule_of(m, reg), GYVE_CFI_EXPR);
		break;
	case 0x16: /* DW_CFA_val_expression */
		set_expr(m, rule_of(m, reg), GYVE_CFI_VAL_EXPR);
		break;
	case 0x11: /* DW_CFA_offset_extended_sf */
		set_rule(m, reg, GYVE_CFI_OFFSET, factored(m, read_sleb(&m->r)));
		break;
	case 0x14: /* DW_CFA_val_offset */
		set_rule(m, reg, GYVE_CFI_VAL_OFFSET, factored(m, (int64_t)read_uleb(&m->r)));
		break;
	case 0x15: /* DW_CFA_val_offset_sf */
		set_rule(m, reg, GYVE_CFI_VAL_OFFSET, factored(m, read_sleb(&m->r)));
		break;
	default: /* DW_CFA_GNU_negative_offset_extended */
		set_rule(m, reg, GYVE_CFI_OFFSET, factored(m, -(int64_t)read_uleb(&m->r)));
	}
}

/* One instruction; false: done, or bad. */
static bool run_one(struct machine *m)
{
	uint8_t op = read_u8(&m->r);

	switch (op >> 6) {
	case 1: /* DW_CFA_advance_loc */
		return advance(m, op & 0x3f);
	case 2: /* DW_CFA_offset */
		set_rule(m, op & 0x3f, GYVE_CFI_OFFSET, factored(m, (int64_t)read_uleb(&m->r)));
		return true;
	case 3: /* DW_CFA_restore */
		restore(m, op & 0x3f);
		return true;
	}
	switch (op) {
	case 0x00: /* DW_CFA_nop */
	case 0x2d: /* DW_CFA_AARCH64_negate_ra_state: pointers are stripped of their signature whether they have one or not */
		return true;
	case 0x01 ... 0x04:
		return run_location(m, op);
	case 0x0a:
	case 0x0b:
		run_stack(m, op);
		return true;
	case 0x0c ... 0x0f:
	case 0x12:
	case 0x13:
		run_cfa(m, op);
		return true;
	case 0x05 ... 0x09:
	case 0x10:
	case 0x11:
	case 0x14 ... 0x16:
	case 0x2f:
		run_register(m, op);
		return true;
	case 0x2e: /* DW_CFA_GNU_args_size */
		read_uleb(&m->r);
		return true;
	default:
		m->r.bad = true;
		return false;
	}
}

bool gyve_cfi_run(const struct section *s, const struct cie *cie, struct reader program, uint64_t start, uint64_t pc,
		  const struct gyve_cfi_row *initial, struct gyve_cfi_row *row)
{
	struct machine m = {.s = s, .cie = cie, .row = row, .initial = initial, .loc = start, .pc = pc, .r = program};

	while (!m.r.bad && m.r.at < m.r.end && run_one(&m))
		;
	return !m.r.bad;
}
