/* The aarch64 half of the bare-metal contract (docs/bare-metal.md): registers, stacks, vectors, devices, and what is refused.
 */
#include "unit.h"

#include "../support/boot.h"
#include "gyve/arch.h"

enum { RAM = 0x40000000, BASE = RAM + 0x200000, DEFAULT = 64 << 20, STACK = 16 << 10, UART = 0x09000000, EXIT = 0x09001000 };

static struct elf_build file;
static struct boot b;

static void build(uint64_t vaddr, uint64_t memsz)
{
	elf_build_init(&file, EM_AARCH64, ET_EXEC, vaddr);
	elf_build_load(&file, vaddr, "\x1f\x20\x03\xd5", 4, memsz);
}

static int start(void)
{
	return boot_start(&b, &gyve_platform_bare_aarch64, file.data, file.size);
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

static void test_takes_fixed_aarch64_programs_only(void **state)
{
	struct gyve_elf elf = {.machine = EM_AARCH64};

	(void)state;
	assert_true(gyve_platform_bare_aarch64.probe(&elf));
	elf.dyn = true;
	assert_false(gyve_platform_bare_aarch64.probe(&elf));
	elf = (struct gyve_elf){.machine = EM_X86_64};
	assert_false(gyve_platform_bare_aarch64.probe(&elf));
}

static void test_layout(void **state)
{
	(void)state;
	elf_build_load(&file, 0xffff000040300000, "x", 1, 0x800)->p_paddr = 0x40300000;
	assert_int_equal(start(), 0);
	assert_int_equal(b.layout.arch, GYVE_AARCH64);
	assert_int_equal(b.layout.ram_gpa, RAM);
	assert_int_equal(b.layout.ram_len, DEFAULT);
	assert_int_equal(b.layout.entry, BASE);
	assert_int_equal(b.layout.nsegs, 2);
	assert_int_equal(b.layout.seg[1].gva, 0xffff000040300000);
	assert_int_equal(b.layout.seg[1].gpa, 0x40300000);
	assert_int_equal(*boot_ptr(&b, 0x40300000, 1), 'x');
}

/* Translation is off at the start: a kernel linked high is entered where it lies. */
static void test_entry_is_physical(void **state)
{
	(void)state;
	build(0xffff000040200000, 0x1000);
	elf_build_phdr(&file, 0)->p_paddr = BASE;
	elf_build_ehdr(&file)->e_entry += 0x10;
	assert_int_equal(start(), 0);
	boot_cpu(&b, 0);
	assert_int_equal(b.regs.a64.pc, BASE + 0x10);
}

static void test_each_vcpu_has_a_stack(void **state)
{
	uint64_t last = 0;

	(void)state;
	b.params.ncpus = 4;
	assert_int_equal(start(), 0);
	for (unsigned i = 0; i < 4; i++) {
		boot_cpu(&b, i);
		const struct gyve_a64_regs *r = &b.regs.a64;
		assert_int_equal(r->pc, BASE);
		assert_int_equal(r->x[0], i);
		assert_int_equal(r->x[1], 4);
		assert_int_equal(r->pstate, 0x3c5);
		assert_int_equal(r->sctlr_el1 & 0x1005, 0); /* M, C, I */
		assert_int_equal(r->cpacr_el1 >> 20 & 3, 3);
		assert_int_equal(r->sp, r->sp_el1);
		assert_int_equal(r->sp % 16, 0);
		assert_true(r->sp >= last + STACK);
		assert_non_null(boot_ptr(&b, r->sp - STACK, STACK));
		assert_true(r->sp <= r->vbar_el1);
		last = r->sp;
	}
}

/* Each of the sixteen entries reads the one place behind RAM that says so, then stands still. */
static void test_vectors(void **state)
{
	uint8_t byte[4] = {0};
	struct gyve_access a = {.len = 4, .data = byte};

	(void)state;
	assert_int_equal(start(), 0);
	boot_cpu(&b, 0);
	uint64_t vbar = b.regs.a64.vbar_el1, end = RAM + (uint64_t)DEFAULT;
	assert_int_equal(vbar % 2048, 0);
	for (uint64_t at = vbar; at < vbar + 2048; at += 128) {
		uint32_t code[2];
		memcpy(code, boot_ptr(&b, at, 8), 8);
		assert_int_equal(code[0] & 0xff00001f, 0x1800001f); /* LDR WZR, label */
		a.addr = at + 4 * (code[0] >> 5 & 0x7ffff);
		assert_true(a.addr >= end && a.addr < end + 4096);
		assert_int_equal(code[1], 0x14000000);
		assert_int_equal(b.ops->access(b.state, &a, &b.code, &b.err), GYVE_ACCESS_CRASH);
		assert_non_null(strstr(b.err.text, "no vectors"));
	}
	a.addr = end + 4096;
	assert_int_equal(b.ops->access(b.state, &a, &b.code, &b.err), GYVE_ACCESS_UNKNOWN);
}

static void test_devices(void **state)
{
	uint8_t data[4] = {0xff, 0xff, 0xff, 0xff};
	struct gyve_access read = {.addr = UART + 0x18, .len = 4, .data = data};

	(void)state;
	assert_int_equal(start(), 0);
	assert_int_equal(boot_store(&b, UART, 'h'), GYVE_ACCESS_DONE);
	assert_int_equal(boot_store(&b, UART + 0x30, 0x301), GYVE_ACCESS_DONE); /* control: no output */
	assert_int_equal(boot_store(&b, UART, 'i'), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "hi");
	assert_int_equal(b.ops->access(b.state, &read, &b.code, &b.err), GYVE_ACCESS_DONE);
	assert_int_equal(data[0], 0x90); /* nothing to read, room to write */
	read.addr = UART;
	assert_int_equal(b.ops->access(b.state, &read, &b.code, &b.err), GYVE_ACCESS_DONE);
	assert_int_equal(data[0] | data[1] | data[2] | data[3], 0);
	assert_int_equal(boot_store(&b, EXIT, 0x1ff), GYVE_ACCESS_EXIT);
	assert_int_equal(b.code, 255);
	assert_int_equal(boot_store(&b, EXIT + 8, 0), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_store(&b, 0x0a000000, 0), GYVE_ACCESS_UNKNOWN);
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
	build(0x200000, 0x1000);
	refused(-ENOEXEC, "guest memory begins at 0x40000000");
	build(BASE, DEFAULT);
	refused(-ENOEXEC, "give it more with --memory-size");
	build(BASE, DEFAULT - 0x200000 - STACK); /* where the stack and the vectors go */
	refused(-ENOEXEC, "of which stacks and vectors take");
	build(UINT64_C(1) << 44, 0x1000);
	refused(-ENOEXEC, "give it more with --memory-size");
	build(BASE, 0x1000);
	b.params.ncpus = 100000;
	refused(-ENOEXEC, "--memory-size");
	b.params = (struct gyve_boot_params){.mem_size_given = true, .mem_size = 100};
	refused(-ENOEXEC, "--memory-size");
	b.params = (struct gyve_boot_params){.mem_size_given = true, .mem_size = UINT64_MAX};
	refused(-EINVAL, "at most 64 GiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_fixed_aarch64_programs_only),
		cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_entry_is_physical, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_vcpu_has_a_stack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_memory, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
