/* A kernel's own symbols: tables written here by hand, at kernel addresses. */
#include "unit.h"

#include "gyve/kallsyms.h"

#include "../../src/base/bytes.h"

#include <stdlib.h>

enum { BASE = 0x1000, SIZE = 0x4000, NAMES = 0, NUM = 0x400, TABLE = 0x800, INDEX = 0xc00, OFFSETS = 0x1000, REL = 0x2000 };
static uint8_t mem[SIZE];

static ssize_t read_mem(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (addr < BASE || addr >= BASE + SIZE)
		return -EFAULT;
	if (len > BASE + SIZE - addr)
		len = (size_t)(BASE + SIZE - addr);
	memcpy(buf, mem + (addr - BASE), len);
	return (ssize_t)len;
}

static const struct gyve_mem kernel = {.read = read_mem};
static const struct gyve_kallsyms at = {BASE + NAMES, BASE + NUM, BASE + TABLE, BASE + INDEX, BASE + OFFSETS, BASE + REL};

/* A token for each character, and one for "start_". */
static void tokens(void)
{
	size_t end = 0;

	memset(mem, 0, sizeof(mem));
	for (unsigned i = 0; i < 256; i++) {
		put_le16(mem + INDEX + 2 * (size_t)i, (uint16_t)end);
		if (i == 1) {
			memcpy(mem + TABLE + end, "start_", 7);
			end += 7;
		} else if (i > ' ' && i < 0x7f) {
			mem[TABLE + end] = (uint8_t)i;
			end += 2;
		}
	}
}

static size_t put_name(size_t to, const char *name)
{
	size_t n = strlen(name);

	mem[NAMES + to++] = (uint8_t)n;
	memcpy(mem + NAMES + to, name, n);
	return to + n;
}

static void sample(bool percpu)
{
	size_t to = 0;

	tokens();
	put_le32(mem + NUM, 4);
	to = put_name(to, percpu ? "Acpu_number" : "T_text");
	to = put_name(to, "T\1kernel");
	to = put_name(to, "tstatic_one");
	put_name(to, "Dinit_task");
	put_le64(mem + REL, UINT64_C(0xffffffff81000000));
	const uint32_t offsets[] = {percpu ? 0x1fb80 : 0, 0x100, 0x140, 0x5000};
	for (unsigned i = 0; i < 4; i++)
		put_le32(mem + OFFSETS + 4 * (size_t)i, percpu && i ? ~offsets[i] : offsets[i]);
}

static struct gyve_symtab *symbols(void)
{
	struct gyve_symtab *t = NULL;
	struct gyve_err err = {0};
	uint8_t *elf = NULL;
	size_t size;

	if (gyve_kallsyms_elf(&at, &kernel, GYVE_X86_64, &elf, &size, &err) == 0)
		gyve_symtab_create(&t, elf, size, 0, &err);
	free(elf);
	return t;
}

static void test_names(void **state)
{
	char text[64];
	uint64_t v;

	for (int percpu = 0; percpu < 2; percpu++) {
		sample(percpu);
		struct gyve_symtab *t = symbols();
		assert_non_null(t);
		assert_int_equal(gyve_symtab_lookup(t, "start_kernel", &v), 0);
		assert_int_equal(v, UINT64_C(0xffffffff81000100));
		assert_int_equal(gyve_symtab_lookup(t, "init_task", &v), 0);
		assert_int_equal(v, UINT64_C(0xffffffff81005000));
		gyve_symtab_format(t, UINT64_C(0xffffffff81000123), text, sizeof(text));
		assert_string_equal(text, "start_kernel+0x23");
		gyve_symtab_format(t, UINT64_C(0xffffffff81000141), text, sizeof(text));
		assert_string_equal(text, "static_one+0x1");
		assert_int_equal(gyve_symtab_lookup(t, percpu ? "cpu_number" : "_text", &v), 0);
		assert_int_equal(v, percpu ? UINT64_C(0x1fb80) : UINT64_C(0xffffffff81000000));
		gyve_symtab_destroy(t);
	}
	(void)state;
}

/* A length of two bytes (Linux 6.1). */
static void test_long_name(void **state)
{
	uint64_t v;

	(void)state;
	sample(false);
	put_le32(mem + NUM, 1);
	mem[NAMES] = 0x80 | 44; /* 300 */
	mem[NAMES + 1] = 2;
	memset(mem + NAMES + 2, 'x', 300);
	mem[NAMES + 2] = 'T';
	struct gyve_symtab *t = symbols();
	char name[301];
	memset(name, 'x', 299);
	name[299] = '\0';
	assert_int_equal(gyve_symtab_lookup(t, name, &v), 0);
	gyve_symtab_destroy(t);
}

static void test_damaged(void **state)
{
	(void)state;
	sample(false);
	put_le32(mem + NUM, 0);
	assert_null(symbols());
	put_le32(mem + NUM, UINT32_MAX);
	assert_null(symbols());
	put_le32(mem + NUM, SIZE / 4); /* the addresses end before */
	assert_null(symbols());
	sample(false);
	memset(mem + INDEX, 0xff, 512); /* names from behind the table */
	gyve_symtab_destroy(symbols());
	for (size_t i = 0; i < 0x2010; i++) {
		sample(true);
		mem[i] ^= 0xff;
		gyve_symtab_destroy(symbols());
	}
}

static void test_vmcoreinfo(void **state)
{
	static const char text[] =
		"OSRELEASE=6.1\nSYMBOL(kallsyms_names)=ffffffff82175590\nSYMBOL(kallsyms_num_syms)=1\n"
		"SYMBOL(kallsyms_token_table)=2\nSYMBOL(kallsyms_token_index)=3\nSYMBOL(kallsyms_offsets)=4\n"
		"SYMBOL(kallsyms_relative_base)=5\n";
	struct gyve_kallsyms k;
	uint64_t v;

	(void)state;
	assert_int_equal(gyve_kallsyms_find(text, &k), 0);
	assert_int_equal(k.names, UINT64_C(0xffffffff82175590));
	assert_int_equal(k.relative_base, 5);
	assert_int_equal(gyve_kallsyms_find("OSRELEASE=5.10\n", &k), -ENOENT);
	assert_false(gyve_vmcoreinfo_symbol(text, "kallsyms", &v));
	assert_false(gyve_vmcoreinfo_symbol("SYMBOL(x)=\n", "x", &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_vmcoreinfo),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
