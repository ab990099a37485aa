/* The first page tables of a Hermit guest: entry by entry as the interface has them, and walked as the processor would. */
#include "unit.h"

#include "../support/boot.h"
#include "gyve/arch.h"
#include "gyve/walk.h"

enum { TABLES = 0x10000, KERNEL = 0x40000, PAGE_2M = 2 << 20 };

static struct elf_build file;
static struct boot b;
static struct hermit_image what;

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	what = (struct hermit_image){.machine = EM_X86_64, .entry_version = 4, .minor = 11};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	boot_end(&b);
	return 0;
}

static int start(uint64_t memsz)
{
	elf_build_hermit(&file, &what);
	if (memsz)
		elf_build_phdr(&file, 0)->p_memsz = memsz;
	int r = boot_start(&b, &gyve_platform_hermit, file.data, file.size);
	if (r == 0)
		boot_cpu(&b, 0);
	return r;
}

static uint64_t entry(uint64_t gpa, unsigned i)
{
	uint64_t v;

	memcpy(&v, boot_ptr(&b, gpa + 8 * i, 8), 8);
	return v;
}

static int walk(uint64_t gva, struct gyve_walk *w)
{
	struct gyve_mem phys = gyve_memmap_mem(&b.map);
	struct gyve_mmu mmu;

	gyve_mmu_from_regs(&mmu, &b.regs);
	return gyve_walk(&mmu, &phys, gva, w);
}

static void is_identity(uint64_t gva, uint64_t size)
{
	struct gyve_walk w;

	assert_int_equal(walk(gva, &w), 0);
	assert_int_equal(w.gpa, gva);
	assert_int_equal(w.page_size, size);
	assert_int_equal(w.perms, GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X);
}

static void is_unmapped(uint64_t gva)
{
	struct gyve_walk w;

	assert_int_equal(walk(gva, &w), -EFAULT);
	assert_int_equal(w.status, GYVE_WALK_NOT_PRESENT);
}

/* --- x86_64 */

static void test_x86_entries(void **state)
{
	(void)state;
	assert_int_equal(start(0), 0);
	assert_int_equal(b.regs.x86.cr3, TABLES);
	assert_int_equal(entry(TABLES, 511), TABLES | 3);
	assert_int_equal(entry(TABLES, 0), (TABLES + 0x1000) | 3);
	assert_int_equal(entry(TABLES + 0x1000, 0), (TABLES + 0x2000) | 3);
	assert_int_equal(entry(TABLES + 0x2000, 0), 0x83);
	for (unsigned i = 1; i < 512; i++)
		assert_int_equal(entry(TABLES + 0x2000, i), 0);
	assert_int_equal(entry(0x1000, 0), 0);
	assert_int_equal(entry(0x1000, 1), 0x00af9b000000ffff);
	assert_int_equal(entry(0x1000, 2), 0x00cf93000000ffff);
	is_identity(KERNEL, PAGE_2M);
	is_unmapped(PAGE_2M);
}

/* The end is inclusive: an image that ends where a page does has the next one mapped as well. */
static void test_x86_end_is_inclusive(void **state)
{
	(void)state;
	assert_int_equal(start(PAGE_2M - KERNEL), 0);
	is_identity(PAGE_2M, PAGE_2M);
	is_unmapped(2 * PAGE_2M);
}

static void test_x86_root_is_seen_through_itself(void **state)
{
	struct gyve_walk w;

	(void)state;
	assert_int_equal(start(0), 0);
	assert_int_equal(walk(0xfffffffffffff000, &w), 0);
	assert_int_equal(w.gpa, TABLES);
}

static void check_legacy(unsigned minor, bool legacy)
{
	setup(NULL);
	what.minor = minor;
	assert_int_equal(start(0), 0);
	is_identity(0, PAGE_2M);
	if (legacy)
		is_identity(0x3fffffff, PAGE_2M);
	else
		is_unmapped(0x3fffffff);
	is_unmapped(0x40000000);
	boot_end(&b);
}

static void test_x86_old_kernels_get_a_gib(void **state)
{
	(void)state;
	check_legacy(0, true); /* no note at all */
	check_legacy(9, true);
	check_legacy(10, false);
}

static void test_x86_at_random_places(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		setup(NULL);
		b.params.aslr = true;
		what.minor = i % 2 ? 11 : 0;
		what.interface = (unsigned)i % 3 + 1;
		assert_int_equal(start(5 << 20), 0);
		uint64_t ga = b.layout.ram_gpa, end = ga + b.layout.ram_len;
		assert_int_equal(ga % PAGE_2M, 0);
		if (what.interface == 1)
			assert_true(end <= 0xc0000000);
		else
			assert_true(ga >= UINT64_C(1) << 32 && end <= UINT64_C(0x1000000000));
		assert_int_equal(b.layout.bias, ga + KERNEL);
		assert_int_equal(b.layout.entry, ga + KERNEL + HERMIT_IMAGE_ENTRY);
		is_identity(ga, PAGE_2M);
		is_identity(ga + KERNEL + (5 << 20), PAGE_2M);
		boot_end(&b);
	}
}

/* The whole range for one guest: there is one place left, and it has to be good. */
static void test_x86_largest_memory(void **state)
{
	(void)state;
	for (unsigned aslr = 0; aslr < 2; aslr++) {
		setup(NULL);
		b.params.aslr = aslr;
		b.params.mem_size_given = true;
		b.params.mem_size = 0xc0000000 - PAGE_2M;
		assert_int_equal(start(0), 0);
		boot_end(&b);
	}
}

/* --- aarch64 */

static void start_a64(uint64_t memsz)
{
	what.machine = EM_AARCH64;
	assert_int_equal(start(memsz), 0);
}

#define SELF (UINT64_C(1) << 55)
#define CONTIGUOUS (UINT64_C(1) << 52)

static void test_a64_entries(void **state)
{
	(void)state;
	start_a64(0);
	uint64_t ga = b.layout.ram_gpa, root = ga + TABLES;
	assert_int_equal(ga, 0x10000000);
	assert_int_equal(b.regs.a64.ttbr0_el1, root);
	assert_int_equal(entry(root, 511), root | 0x713 | SELF);
	assert_int_equal(entry(root, 0), (root + 0x1000) | 0x713);
	assert_int_equal(entry(root + 0x1000, 0), (root + 0x2000) | 0x713);
	assert_int_equal(entry(root + 0x2000, 0), (root + 0x3000) | 0x713);
	assert_int_equal(entry(root + 0x3000, 0), ga | 0x70f);
	assert_int_equal(entry(root + 0x3000, 1), (ga + 0x1000) | 0x70f);
	assert_int_equal(entry(root + 0x3000, 2), 0);
	/* RAM at 0x10000000: the same level 2 table, entry 0x80 */
	assert_int_equal(entry(root + 0x2000, 0x80), (root + 0x4000) | 0x713);
	assert_int_equal(entry(root + 0x4000, 0x10), (ga + 0x10000) | 0x713 | CONTIGUOUS);
}

static void test_a64_hypercall_pages(void **state)
{
	struct gyve_walk w;

	(void)state;
	start_a64(0);
	assert_int_equal(b.layout.window_len, 0x4000);
	assert_null(boot_ptr(&b, b.layout.ram_gpa, 1));
	assert_int_equal(walk(0x880, &w), 0);
	assert_int_equal(w.gpa, b.layout.ram_gpa + 0x880);
	assert_int_equal(walk(0x1030, &w), 0);
	assert_int_equal(w.gpa, b.layout.ram_gpa + 0x1030);
	is_unmapped(0x2000);
	assert_int_equal(walk(0x0000fffffffff000, &w), 0);
	assert_int_equal(w.gpa, b.layout.ram_gpa + TABLES);
}

/* The hint is only legal for sixteen pages that are all mapped. */
static void test_a64_contiguous_only_where_whole(void **state)
{
	struct gyve_walk w;

	(void)state;
	start_a64(0x2d000); /* two runs and thirteen pages */
	uint64_t ga = b.layout.ram_gpa, end = ga + KERNEL + 0x2d000;
	for (uint64_t a = ga; a < end; a += 0x1000) {
		is_identity(a, 0x1000);
		assert_int_equal(walk(a, &w), 0);
		assert_int_equal(w.contiguous, a < ga + KERNEL + 0x20000);
	}
	is_unmapped(end);
}

static void test_a64_memory_type(void **state)
{
	struct gyve_walk w;

	(void)state;
	start_a64(0);
	assert_int_equal(walk(b.layout.entry, &w), 0);
	assert_int_equal(w.memtype, 0xff);
}

/* 39 frames, five of them not leaf tables of RAM. */
static void test_a64_image_too_large_for_the_tables(void **state)
{
	(void)state;
	what.machine = EM_AARCH64;
	b.params.mem_size_given = true;
	b.params.mem_size = 256 << 20;
	assert_int_equal(start(100 << 20), -ENOEXEC);
	assert_non_null(strstr(b.err.text, "too large for the first page tables"));
}

static void test_a64_at_random_places(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++) {
		setup(NULL);
		b.params.aslr = true;
		start_a64(5 << 20);
		is_identity(b.layout.ram_gpa, 0x1000);
		is_identity(b.layout.entry, 0x1000);
		is_identity(b.layout.ram_gpa + KERNEL + (5 << 20) - 1, 0x1000);
		boot_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_x86_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_x86_end_is_inclusive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_x86_root_is_seen_through_itself, setup, teardown),
		cmocka_unit_test(test_x86_old_kernels_get_a_gib),
		cmocka_unit_test(test_x86_at_random_places),
		cmocka_unit_test(test_x86_largest_memory),
		cmocka_unit_test_setup_teardown(test_a64_entries, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_hypercall_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_contiguous_only_where_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_memory_type, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_image_too_large_for_the_tables, setup, teardown),
		cmocka_unit_test(test_a64_at_random_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
