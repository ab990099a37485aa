/* Symbols, lines, inlined functions and variables of an ELF file that nobody vouches for. */
#include "gyve/sym.h"
#include "gyve/unwind.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int read_memory(void *ctx, uint64_t addr, unsigned size, uint64_t *ret)
{
	(void)ctx;
	must(size >= 1 && size <= 8);
	*ret = addr * 7 + 1;
	return addr & 0x10000000 ? -1 : 0;
}

static void take(void *ctx, const char *name, const char *value, bool parameter)
{
	(void)parameter;
	*(size_t *)ctx += strlen(name) + strlen(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t reg[GYVE_DWARF_REGS] = {0};
	struct gyve_expr_env env = {.reg = reg, .known = 0x1ffff, .has_cfa = true, .cfa = 0x8000, .read = read_memory};
	struct gyve_source source[8];
	struct gyve_symtab *t;
	struct gyve_cfi_row row;
	char text[256];
	size_t total = 0;

	if (gyve_symtab_create(&t, data, size, 0, NULL) < 0)
		return 0;
	for (uint64_t addr = 0x1000; addr < 0x1100; addr += 5) {
		must(gyve_symtab_format(t, addr, text, sizeof(text)) > 0);
		int n = gyve_symtab_sources(t, addr, source, GYVE_ARRAY_SIZE(source));
		must(n >= 0 && n <= (int)GYVE_ARRAY_SIZE(source));
		for (int i = 0; i < n; i++) {
			must(strlen(source[i].place) < sizeof(source[i].place));
			total += source[i].function ? strlen(source[i].function) : 0;
			gyve_symtab_locals(t, addr, (unsigned)i, &env, take, &total);
		}
		gyve_symtab_cfi(t, addr, &row);
	}
	must(total < SIZE_MAX);
	gyve_symtab_destroy(t);
	return 0;
}
