/* The bare-metal contract (docs/bare-metal.md): tables, stacks, registers, ports, and what is refused. */
#include "unit.h"

#include "../support/boot.h"
#include "gyve/arch.h"
#include "gyve/walk.h"

enum { BASE = 0x200000 };

static struct elf_build file;
static struct boot b;

static void build(uint64_t vaddr, uint64_t memsz)
{
	elf_build_init(&file, EM_X86_64, ET_EXEC, vaddr);
	elf_build_load(&file, vaddr, "\xf4", 1, memsz);
}

static int start(void)
{
	return boot_start(&b, &gyve_platform_bare, file.data, file.size);
}

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	build(BASE, 0x1000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	boot_end(&b);
	return 0;
}

static void test_takes_fixed_x86_programs_only(void **state)
{
	struct gyve_elf elf = {.machine = EM_X86_64};

	(void)state;
	assert_true(gyve_platform_bare.probe(&elf));
	elf.dyn = true;
	assert_false(gyve_platform_bare.probe(&elf));
	elf = (struct gyve_elf){.machine = EM_AARCH64};
	assert_false(gyve_platform_bare.probe(&elf));
}

static void test_layout(void **state)
{
	(void)state;
	elf_build_load(&file, 0xffffffff80000000, "x", 1, 0x800)->p_paddr = 0x300000;
	assert_int_equal(start(), 0);
	assert_int_equal(b.layout.arch, GYVE_X86_64);
	assert_int_equal(b.layout.ram_gpa, 0);
	assert_int_equal(b.layout.ram_len, 64 << 20);
	assert_int_equal(b.layout.bias, 0);
	assert_int_equal(b.layout.entry, BASE);
	assert_int_equal(b.layout.nsegs, 2);
	assert_int_equal(b.layout.seg[1].gva, 0xffffffff80000000);
	assert_int_equal(b.layout.seg[1].gpa, 0x300000);
	assert_int_equal(b.layout.seg[1].len, 0x800);
	assert_int_equal(b.ram[BASE], 0xf4);
	assert_int_equal(b.ram[0x300000], 'x');
}

/* A kernel linked high and loaded low is entered where it lies: the first map is the identity. */
static void test_entry_is_physical(void **state)
{
	(void)state;
	build(0xffffffff80000000, 0x1000);
	elf_build_phdr(&file, 0)->p_paddr = 0x100000;
	elf_build_ehdr(&file)->e_entry += 0x10;
	assert_int_equal(start(), 0);
	boot_cpu(&b, 0);
	assert_int_equal(b.regs.x86.rip, 0x100010);
}

static void test_identity_map_of_4_gib(void **state)
{
	static const uint64_t at[] = {0, 0x1fffff, BASE + 5, 0x40000000, 0xfee00000, 0xffffffff};
	struct gyve_mmu mmu;
	struct gyve_walk w;

	(void)state;
	assert_int_equal(start(), 0);
	struct gyve_mem phys = gyve_memmap_mem(&b.map);
	boot_cpu(&b, 0);
	gyve_mmu_from_regs(&mmu, &b.regs);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(at); i++) {
		assert_int_equal(gyve_walk(&mmu, &phys, at[i], &w), 0);
		assert_int_equal(w.gpa, at[i]);
		assert_int_equal(w.page_size, 2 << 20);
		assert_int_equal(w.perms, GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X);
	}
	assert_int_equal(gyve_walk(&mmu, &phys, UINT64_C(1) << 32, &w), -EFAULT);
	assert_int_equal(w.status, GYVE_WALK_NOT_PRESENT);
}

static void test_each_vcpu_has_a_stack(void **state)
{
	uint64_t last = 0;

	(void)state;
	b.params.ncpus = 4;
	assert_int_equal(start(), 0);
	for (unsigned i = 0; i < 4; i++) {
		boot_cpu(&b, i);
		const struct gyve_x86_regs *r = &b.regs.x86;
		assert_int_equal(r->rip, BASE);
		assert_int_equal(r->rflags, 2);
		assert_int_equal(r->gpr[GYVE_RDI], i);
		assert_int_equal(r->gpr[GYVE_RSI], 4);
		assert_int_equal(r->gpr[GYVE_RSP] % 16, 8);
		assert_true(r->gpr[GYVE_RSP] >= last + (16 << 10));
		assert_non_null(boot_ptr(&b, r->gpr[GYVE_RSP] - (16 << 10) + 8, 16 << 10));
		assert_non_null(boot_ptr(&b, r->gdt_base, r->gdt_limit + 1u));
		assert_int_equal(r->gdt_limit, 23);
		assert_int_equal(r->efer, 0xd00);
		assert_int_equal(r->seg[GYVE_CS].l, 1);
		last = r->gpr[GYVE_RSP];
	}
	uint64_t gdt[3];
	memcpy(gdt, boot_ptr(&b, b.regs.x86.gdt_base, 24), 24);
	assert_int_equal(gdt[1], 0x00af9b000000ffff);
	assert_int_equal(gdt[2], 0x00cf93000000ffff);
}

/* Tables and stacks are never put where the image lies. */
static void test_image_in_low_memory(void **state)
{
	static const uint64_t where[] = {0x1000, 0x10000, 0x17000, 0x1a000};

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(where); i++) {
		memset(&b, 0, sizeof(b));
		build(where[i], 0xf000);
		assert_int_equal(start(), 0);
		boot_cpu(&b, 0);
		uint64_t from = b.regs.x86.cr3, to = b.regs.x86.gpr[GYVE_RSP] + 8;
		assert_true(to <= where[i] || from >= where[i] + 0xf000);
		assert_int_equal(*boot_ptr(&b, where[i], 1), 0xf4);
		if (i + 1 < GYVE_ARRAY_SIZE(where))
			boot_end(&b);
	}
}

static void test_ports(void **state)
{
	uint32_t v;

	(void)state;
	assert_int_equal(start(), 0);
	assert_int_equal(boot_out(&b, 0xe9, 'h', 1), GYVE_ACCESS_DONE);
	assert_int_equal(boot_out(&b, 0x3fb, 0x80, 1), GYVE_ACCESS_DONE); /* the baud rate is not output */
	assert_int_equal(boot_out(&b, 0x3f8, 1, 1), GYVE_ACCESS_DONE);
	assert_int_equal(boot_out(&b, 0x3fb, 3, 1), GYVE_ACCESS_DONE);
	assert_int_equal(boot_in(&b, 0x3fb, 1, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v, 3);
	assert_int_equal(boot_in(&b, 0x3fd, 1, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v, 0x60);
	assert_int_equal(boot_out(&b, 0x3f8, 'i', 1), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "hi");
	assert_int_equal(boot_in(&b, 0xe9, 1, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v, 0xe9);
	assert_int_equal(boot_out(&b, 0xf4, 0x1ff, 4), GYVE_ACCESS_EXIT);
	assert_int_equal(b.code, 255);
	assert_int_equal(boot_out(&b, 0x80, 0, 1), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_in(&b, 0x60, 1, &v), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_store(&b, 0xfed00000, 0), GYVE_ACCESS_UNKNOWN);
}

static void refused(int code, const char *says)
{
	assert_int_equal(start(), code);
	if (!strstr(b.err.text, says))
		fail_msg("no \"%s\" in: %s", says, b.err.text);
	boot_end(&b);
	memset(&b, 0, sizeof(b));
}

static void test_bad_memory(void **state)
{
	(void)state;
	build(BASE, 64 << 20);
	refused(-ENOEXEC, "the image reaches up to 0x4200000, guest memory only to 0x4000000");
	build(UINT64_C(1) << 40, 0x1000);
	refused(-ENOEXEC, "guest memory only to");
	build(0x1000, (64 << 20) - 0x2000);
	refused(-ENOEXEC, "are left beside the image");
	build(BASE, 0x1000);
	b.params.ncpus = 100000;
	refused(-ENOEXEC, "are left beside the image");
	b.params = (struct gyve_boot_params){.mem_size_given = true, .mem_size = 4096};
	refused(-ENOEXEC, "--memory-size");
	b.params = (struct gyve_boot_params){.mem_size_given = true, .mem_size = 100};
	refused(-ENOEXEC, "--memory-size");
	b.params = (struct gyve_boot_params){.mem_size_given = true, .mem_size = UINT64_C(513) << 30};
	refused(-EINVAL, "at most 512 GiB");
	b.params = (struct gyve_boot_params){.mem_size_given = true, .mem_size = UINT64_MAX};
	refused(-EINVAL, "at most 512 GiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_fixed_x86_programs_only),
		cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entry_is_physical, setup, teardown),
		cmocka_unit_test_setup_teardown(test_identity_map_of_4_gib, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_vcpu_has_a_stack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_image_in_low_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
