/* Call frame information and expressions. Input: a byte that says which section the rest is (bit 0: .eh_frame), the rest; the
 * rest is also run as an expression. */
#include "../../src/sym/cfi.h"

#include <stdlib.h>

enum { ADDR = 0x1000 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int read_memory(void *ctx, uint64_t addr, unsigned size, uint64_t *ret)
{
	(void)ctx;
	must(size >= 1 && size <= 8);
	*ret = addr * 3;
	return addr & 1 ? -1 : 0;
}

static void evaluate(const uint8_t *expr, size_t len)
{
	uint64_t reg[GYVE_DWARF_REGS] = {0};
	struct gyve_expr_env env = {.reg = reg, .known = 0x1ffff, .has_cfa = true, .read = read_memory};
	struct gyve_expr_result x;

	if (gyve_expr_eval(expr, len, &env, NULL, &x) == 0)
		must(x.where <= GYVE_EXPR_VALUE);
}

static void check_rule(const struct gyve_cfi_rule *r, const struct gyve_cfi_bytes *b)
{
	if (r->kind == GYVE_CFI_EXPR || r->kind == GYVE_CFI_VAL_EXPR) {
		must(r->expr >= b->data && r->len <= b->len - (size_t)(r->expr - b->data));
		evaluate(r->expr, r->len);
	}
	must(r->reg < GYVE_DWARF_REGS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gyve_cfi_bytes none = {0}, some = {data + 1, size - 1, ADDR};
	struct gyve_cfi_row row;
	struct gyve_cfi *c;

	if (!size)
		return 0;
	c = data[0] & 1 ? gyve_cfi_create_from(&none, &some) : gyve_cfi_create_from(&some, &none);
	must(c != NULL);
	for (uint64_t pc = 0; pc < 0x3000; pc += 13) {
		if (gyve_cfi_find(c, pc - 0x800, &row) < 0)
			continue;
		must(row.return_reg < GYVE_DWARF_REGS);
		check_rule(&row.cfa, &some);
		for (unsigned i = 0; i < GYVE_DWARF_REGS; i++)
			check_rule(&row.reg[i], &some);
	}
	gyve_cfi_destroy(c);
	evaluate(data + 1, size - 1);
	return 0;
}
