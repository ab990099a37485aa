/* x86 kernels: the header, what they find in memory and registers, ACPI tables, the doors out. */
#include "unit.h"

#include "../../src/base/bytes.h"
#include "../../src/linux/x86_64.h"
#include "../support/boot.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIZE = 4096, SETUP = 1024, LOAD = 0x1000000 };

static uint8_t file[SIZE];
static struct boot b;

static int no_irq(void *ctx, unsigned line, bool level)
{
	(void)ctx, (void)line, (void)level;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	memset(file, 0, sizeof(file));
	for (size_t i = SETUP; i < SIZE; i++)
		file[i] = (uint8_t)(i * 7);
	file[0x1f1] = SETUP / 512 - 1;
	put_le32(file + 0x1f4, (SIZE - SETUP) / 16);
	put_le16(file + 0x1fe, 0xaa55);
	file[0x201] = 0x6a;
	memcpy(file + 0x202, "HdrS", 4);
	put_le16(file + 0x206, 0x20f);
	put_le32(file + 0x22c, 0x7fffffff);
	put_le16(file + 0x236, 1);
	put_le32(file + 0x238, 2047);
	put_le64(file + 0x258, LOAD);
	put_le32(file + 0x260, 0x200000);
	b.params.no_input = true;
	b.host.irq = no_irq;
	return gyve_loop_create(&b.host.loop);
}

static int teardown(void **state)
{
	(void)state;
	boot_end(&b);
	gyve_loop_destroy(b.host.loop);
	return 0;
}

static int start(void)
{
	return boot_start(&b, &gyve_platform_linux_x86_64, file, SIZE);
}

static void test_bzimage(void **state)
{
	static const char *const args[] = {"quiet", NULL};
	char disk[5000] = "a RAM disk";

	(void)state;
	b.params.append = "console=ttyS0";
	b.params.args = args;
	b.params.initrd = disk;
	b.params.initrd_len = sizeof(disk);
	b.params.mem_size = UINT64_C(64) << 20;
	b.params.mem_size_given = true;
	assert_int_equal(start(), 0);
	boot_cpu(&b, 0);
	const struct gyve_x86_regs *r = &b.regs.x86;
	assert_int_equal(r->rip, LOAD + 0x200);
	assert_int_equal(r->seg[GYVE_CS].selector, 0x10);
	assert_int_equal(r->seg[GYVE_CS].l, 1);
	assert_int_equal(b.layout.entry, r->rip);
	const uint8_t *p = boot_ptr(&b, r->gpr[GYVE_RSI], 4096);
	assert_memory_equal(p + 0x202, "HdrS", 4);
	assert_int_equal(p[0x210], 0xff);
	assert_string_equal((const char *)boot_ptr(&b, get_le32(p + 0x228), 100), "console=ttyS0 quiet");
	assert_int_equal(get_le32(p + 0x21c), sizeof(disk));
	assert_int_equal(get_le32(p + 0x218) & 0xfff, 0);
	assert_memory_equal(boot_ptr(&b, get_le32(p + 0x218), sizeof(disk)), disk, sizeof(disk));
	assert_memory_equal(boot_ptr(&b, LOAD, SIZE - SETUP), file + SETUP, SIZE - SETUP);
	/* memory: all of it but what lies below 1 MiB and is no memory on a PC */
	assert_int_equal(p[0x1e8], 3);
	assert_int_equal(get_le64(p + 0x2d0 + 2 * 20), 0x100000);
	assert_int_equal(get_le64(p + 0x2d0 + 2 * 20 + 8), (64 << 20) - 0x100000);
	/* the seed is one */
	const uint8_t *seed = boot_ptr(&b, get_le64(p + 0x250), 48);
	assert_int_equal(get_le32(seed + 8), 9);
	assert_int_equal(get_le32(seed + 12), 32);
}

static void refuse(const char *why)
{
	assert_true(start() < 0);
	if (!strstr(b.err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", b.err.text, why);
	teardown(NULL);
	setup(NULL);
}

static void test_refused(void **state)
{
	(void)state;
	put_le16(file + 0x206, 0x20b);
	refuse("without a 64-bit entry");
	put_le16(file + 0x236, 0);
	refuse("without a 64-bit entry");
	put_le32(file + 0x1f4, UINT32_MAX);
	refuse("ends early");
	file[0x1f1] = 255;
	refuse("ends early");
	put_le64(file + 0x258, 4096);
	refuse("wants to be at");
	put_le64(file + 0x258, UINT64_MAX);
	refuse("wants to be at");
	put_le32(file + 0x260, UINT32_MAX);
	refuse("do not hold the kernel");
	put_le32(file + 0x238, 4);
	b.params.append = "quiet";
	refuse("command line of 4 bytes");
	b.params.initrd = file;
	b.params.initrd_len = UINT64_MAX - 5;
	refuse("do not hold the kernel");
	b.params.ncpus = 255;
	refuse("at most 254 vCPUs");
	b.params.mem_size_given = true;
	b.params.mem_size = 1 << 20;
	refuse("do not hold the kernel");
	file[0x202] = 'h';
	assert_true(start() < 0);
}

/* --- a kernel inside a bzImage: not compressed, which is one of the ways */

enum { TEXT = 0x400, KERNEL_LEN = 0x3000 };
#define LINKED (UINT64_C(0xffffffff80000000) + LOAD)
static uint8_t packed[64 << 10];
static size_t packed_size;

static void put_word(uint32_t v)
{
	put_le32(packed + packed_size, v);
	packed_size += 4;
}

/* With words for the three lists of addresses at its beginning, and those lists behind it. */
static void pack_kernel(bool with_second)
{
	static struct elf_build e;
	uint8_t text[TEXT] = {0};

	put_le32(text, (uint32_t)LINKED + 0x10);
	put_le32(text + 8, (uint32_t) - (LINKED + 0x20));
	put_le64(text + 16, LINKED + 0x30);
	elf_build_init(&e, EM_X86_64, ET_EXEC, LOAD);
	elf_build_load(&e, LINKED, text, TEXT, KERNEL_LEN)->p_paddr = LOAD;
	memset(packed, 0, sizeof(packed));
	memcpy(packed, file, SETUP + 0x200);
	packed_size = SETUP + 0x200;
	memcpy(packed + packed_size, e.data, e.size);
	packed_size += e.size;
	put_word(0);
	put_word((uint32_t)LINKED + 16);
	if (with_second) {
		put_word(0);
		put_word((uint32_t)LINKED + 8);
	}
	put_word(0);
	put_word((uint32_t)LINKED);
	put_word((uint32_t)e.size); /* as for a compressed one */
	put_le32(packed + 0x248, 0x200);
	put_le32(packed + 0x24c, (uint32_t)(packed_size - SETUP - 0x200));
	put_le32(packed + 0x1f4, (uint32_t)(packed_size - SETUP) / 16);
	put_le32(packed + 0x230, 0x200000);
	put_le32(packed + 0x260, 1 << 20);
}

static int start_packed(void)
{
	return boot_start(&b, &gyve_platform_linux_x86_64, packed, packed_size);
}

static void need_libarchive(void)
{
	uint8_t *p;
	size_t n;
	struct gyve_err err;

	if (gyve_unpack("x", 1, 1, &p, &n, &err) < 0) {
		print_message("SKIP: %s\n", err.text);
		skip();
	}
	free(p);
}

static void test_moved_kernel(void **state)
{
	(void)state;
	need_libarchive();
	for (int second = 0; second < 2; second++) {
		uint64_t slide = 0;
		for (int i = 0; i < 20 && !slide; i++) { /* 0 is one of 496 */
			teardown(NULL);
			setup(NULL);
			pack_kernel(second);
			b.params.aslr = true;
			assert_int_equal(start_packed(), 0);
			slide = b.layout.bias;
		}
		assert_true(slide && slide % 0x200000 == 0 && slide < UINT64_C(1) << 30);
		boot_cpu(&b, 0);
		assert_int_equal(b.regs.x86.rip, LOAD);
		assert_int_equal(b.layout.seg[0].gva, LINKED + slide);
		assert_int_equal(b.layout.seg[0].gpa, LOAD);
		const uint8_t *mem = boot_ptr(&b, LOAD, KERNEL_LEN);
		assert_int_equal(get_le32(mem), (uint32_t)(LINKED + 0x10 + slide));
		assert_int_equal(get_le32(mem + 8), (uint32_t) - (LINKED + 0x20 + (second ? slide : 0)));
		assert_int_equal(get_le64(mem + 16), LINKED + 0x30 + slide);
		assert_int_equal(boot_ptr(&b, b.regs.x86.gpr[GYVE_RSI], 4096)[0x211] & 2, 2);
	}
}

static void test_kernel_stays(void **state)
{
	(void)state;
	need_libarchive();
	pack_kernel(true);
	b.params.aslr = true;
	b.params.append = "quiet nokaslr";
	assert_int_equal(start_packed(), 0);
	boot_cpu(&b, 0);
	assert_int_equal(b.regs.x86.rip, LOAD);
	assert_int_equal(b.layout.bias, 0);
	assert_int_equal(get_le32(boot_ptr(&b, LOAD, 4)), (uint32_t)LINKED + 0x10);
	assert_int_equal(boot_ptr(&b, b.regs.x86.gpr[GYVE_RSI], 4096)[0x211] & 2, 0);
	teardown(NULL);
	setup(NULL);
	pack_kernel(true);
	b.params.self_unpack = true;
	assert_int_equal(start_packed(), 0);
	boot_cpu(&b, 0);
	assert_int_equal(b.regs.x86.rip, LOAD + 0x200);
}

/* What is in it is not understood: then the bzImage is started as it is. */
static void test_unknown_kernel(void **state)
{
	static const struct {
		size_t at;
		uint32_t v;
	} changes[] = {
		{0x248, UINT32_MAX}, {0x24c, UINT32_MAX}, {0x24c, 0}, {SETUP + 0x200, 0}, {SETUP + 0x200 + 24, LOAD - 1},
	};

	(void)state;
	need_libarchive();
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		teardown(NULL);
		setup(NULL);
		pack_kernel(true);
		put_le32(packed + changes[i].at, changes[i].v);
		assert_int_equal(start_packed(), 0);
		boot_cpu(&b, 0);
		assert_int_equal(b.regs.x86.rip, LOAD + 0x200);
	}
	/* addresses that lead out of it */
	teardown(NULL);
	setup(NULL);
	pack_kernel(true);
	put_le32(packed + packed_size - 8, 16);
	b.params.aslr = true;
	int r = start_packed();
	assert_true(r < 0 || b.layout.bias == 0);
}

/* --- ACPI */

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n--)
		s = (uint8_t)(s + *p++);
	return s;
}

static const uint8_t *table(uint64_t gpa, const char *signature)
{
	const uint8_t *p = boot_ptr(&b, gpa, 36);

	assert_non_null(p);
	assert_memory_equal(p, signature, 4);
	assert_non_null(boot_ptr(&b, gpa, get_le32(p + 4)));
	assert_int_equal(sum(p, get_le32(p + 4)), 0);
	return p;
}

/* The terms of an AML package of devices fill it exactly. */
static unsigned devices_in(const uint8_t *p, const uint8_t *end)
{
	unsigned n = 0;

	for (; p < end; n++) {
		assert_int_equal(get_le16(p), 0x825b);
		assert_int_equal(p[2] >> 6, 1);
		p += 2 + ((p[2] & 0xf) | p[3] << 4);
	}
	assert_ptr_equal(p, end);
	return n;
}

static void test_acpi(void **state)
{
	(void)state;
	b.params.ncpus = 3;
	assert_int_equal(start(), 0);
	boot_cpu(&b, 0);
	const uint8_t *params = boot_ptr(&b, b.regs.x86.gpr[GYVE_RSI], 4096), *root = boot_ptr(&b, get_le64(params + 0x70), 36);
	assert_memory_equal(root, "RSD PTR ", 8);
	assert_int_equal(sum(root, 20), 0);
	assert_int_equal(sum(root, 36), 0);
	const uint8_t *xsdt = table(get_le64(root + 24), "XSDT");
	assert_int_equal(get_le32(xsdt + 4), 36 + 16);
	const uint8_t *fadt = table(get_le64(xsdt + 36), "FACP"), *madt = table(get_le64(xsdt + 44), "APIC");
	const uint8_t *dsdt = table(get_le64(fadt + 140), "DSDT");
	assert_int_equal(get_le32(fadt + 40), get_le64(fadt + 140));
	unsigned cpus = 0;
	for (const uint8_t *p = madt + 44; p < madt + get_le32(madt + 4); p += p[1]) {
		assert_true(p[1] >= 2);
		cpus += p[0] == 0;
	}
	assert_int_equal(cpus, 3);
	/* Name (_S5_, Package (4) ...), Scope (\_SB_) { COM1, FWCF, random numbers } */
	const uint8_t *scope = dsdt + 36 + 5 + 9;
	assert_int_equal(scope[0], 0x10);
	assert_ptr_equal(scope + 1 + ((scope[1] & 0xf) | scope[2] << 4), dsdt + get_le32(dsdt + 4));
	assert_int_equal(devices_in(scope + 8, dsdt + get_le32(dsdt + 4)), 3);
}

/* --- PVH */

static void test_pvh(void **state)
{
	static struct elf_build e;
	uint8_t code[64] = {0xf4};
	uint32_t entry = LOAD + 16;

	(void)state;
	elf_build_init(&e, EM_X86_64, ET_EXEC, LOAD);
	elf_build_load(&e, LOAD, code, sizeof(code), 4096)->p_vaddr = 0xffffffff81000000;
	elf_build_note(&e, "Xen", 18, &entry, sizeof(entry));
	if (boot_start(&b, &gyve_platform_linux_x86_64, e.data, e.size) < 0)
		fail_msg("%s", b.err.text);
	assert_true(gyve_platform_linux_x86_64.probe(&b.elf));
	boot_cpu(&b, 0);
	const struct gyve_x86_regs *r = &b.regs.x86;
	assert_int_equal(r->rip, entry);
	assert_int_equal(r->cr0, 0x11);
	assert_int_equal(r->seg[GYVE_CS].db, 1);
	const uint8_t *info = boot_ptr(&b, r->gpr[GYVE_RBX], 56), *map = boot_ptr(&b, get_le64(info + 40), 72);
	assert_int_equal(get_le32(info), 0x336ec578);
	assert_int_equal(get_le32(info + 48), 3);
	assert_int_equal(get_le64(map + 48), 0x100000);
	assert_int_equal(get_le32(map + 64), 1);
	assert_memory_equal(boot_ptr(&b, get_le64(info + 32), 8), "RSD PTR ", 8);
	boot_end(&b);
	entry = 16;
	elf_build_init(&e, EM_X86_64, ET_EXEC, LOAD);
	elf_build_load(&e, LOAD, code, sizeof(code), 4096);
	elf_build_note(&e, "Xen", 18, &entry, sizeof(entry));
	assert_true(boot_start(&b, &gyve_platform_linux_x86_64, e.data, e.size) < 0);
	assert_non_null(strstr(b.err.text, "is not in it"));
}

/* --- the machine */

static void test_doors(void **state)
{
	uint32_t v = 0, later = 0;

	(void)state;
	assert_int_equal(start(), 0);
	boot_cpu(&b, 0);
	assert_int_equal(boot_in(&b, 0x604, 2, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v & 1, 1);
	assert_int_equal(boot_out(&b, 0x602, 0x20, 2), GYVE_ACCESS_DONE);
	assert_int_equal(boot_in(&b, 0x602, 2, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v & 0xffff, 0x20);
	assert_int_equal(boot_in(&b, 0x608, 4, &v), GYVE_ACCESS_DONE);
	do
		assert_int_equal(boot_in(&b, 0x608, 4, &later), GYVE_ACCESS_DONE);
	while (later == v);
	assert_int_equal(boot_out(&b, 0x604, 1, 2), GYVE_ACCESS_DONE);
	b.code = 9;
	assert_int_equal(boot_out(&b, 0x604, 5 << 10 | 1 << 13, 2), GYVE_ACCESS_EXIT);
	assert_int_equal(b.code, 0);
	assert_int_equal(boot_out(&b, 0x64, 0xfe, 1), GYVE_ACCESS_EXIT);
	assert_int_equal(boot_out(&b, 0xcf9, 6, 1), GYVE_ACCESS_EXIT);
	assert_int_equal(boot_out(&b, 0xcf9, 2, 1), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_out(&b, 0xcf8, 0x80000000, 4), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_out(&b, 0x80, 0, 1), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_out(&b, 0x3f8, 'x', 1), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "x");
	assert_int_equal(boot_out(&b, 0x510, 0, 2), GYVE_ACCESS_DONE); /* fw_cfg's signature */
	assert_int_equal(boot_in(&b, 0x511, 1, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v & 0xff, 'Q');
	assert_int_equal(boot_in(&b, 0x514, 4, &v), GYVE_ACCESS_DONE);
	assert_memory_equal(&v, "QEMU", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bzimage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_acpi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pvh, setup, teardown),
		cmocka_unit_test_setup_teardown(test_doors, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
