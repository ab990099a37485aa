/* A Hermit guest without a hypervisor: notes, boot information, device tree, first registers. */
#include "unit.h"

#include "../support/boot.h"

#include <libfdt.h>
#include <time.h>

enum { FDT = 0x5000, BOOT_INFO = 0x9000, TABLES = 0x10000, KERNEL = 0x40000, STACK = 0x8000 };

static struct elf_build file;
static struct boot b;
static struct hermit_image what;
static const void *fdt;

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

static int try_start(void)
{
	return boot_start(&b, &gyve_platform_hermit, file.data, file.size);
}

static void start(void)
{
	elf_build_hermit(&file, &what);
	if (try_start() < 0)
		fail_msg("%s", b.err.text);
	boot_cpu(&b, 0);
	fdt = boot_ptr(&b, b.layout.ram_gpa + FDT, 0x4000);
}

/* --- which images it takes */

static void test_probe(void **state)
{
	struct gyve_elf elf;

	(void)state;
	elf_build_hermit(&file, &what);
	assert_int_equal(gyve_elf_parse(&elf, file.data, file.size, NULL), 0);
	assert_true(gyve_platform_hermit.probe(&elf));
	what = (struct hermit_image){.machine = EM_X86_64, .fixed = true, .base = 0x800000};
	elf_build_hermit(&file, &what);
	assert_int_equal(gyve_elf_parse(&elf, file.data, file.size, NULL), 0);
	assert_false(gyve_platform_hermit.probe(&elf));
}

static void refused(int code, const char *says)
{
	assert_int_equal(try_start(), code);
	if (!strstr(b.err.text, says))
		fail_msg("no \"%s\" in: %s", says, b.err.text);
	boot_end(&b);
	setup(NULL);
}

static void test_bad_notes(void **state)
{
	(void)state;
	what.entry_version = 0;
	elf_build_hermit(&file, &what);
	refused(-ENOEXEC, "no Hermit entry version note");
	what.minor = what.entry_version = 0;
	elf_build_hermit(&file, &what);
	refused(-ENOEXEC, "no Hermit entry version note");
	what.entry_version = 3;
	elf_build_hermit(&file, &what);
	refused(-ENOEXEC, "entry version 3, this program knows version 4");
	elf_build_hermit(&file, &what);
	file.data[file.note_at] = 0xff;
	refused(-ENOEXEC, "notes are damaged");
	what.interface = 4;
	elf_build_hermit(&file, &what);
	refused(-ENOEXEC, "uhyve interface version 4, this program 1 to 3");
}

static void memory(uint64_t size, const char *says)
{
	elf_build_hermit(&file, &what);
	b.params.mem_size_given = true;
	b.params.mem_size = size;
	refused(-ENOEXEC, says);
}

static void test_bad_memory(void **state)
{
	(void)state;
	memory(8 << 20, "at least 16 MiB");
	memory(0, "at least 16 MiB");
	memory((16 << 20) + 4096, "multiple of 2 MiB");
	memory(UINT64_C(4) << 30, "do not fit the guest's address range");
	memory(-(UINT64_C(2) << 20), "do not fit the guest's address range");
	elf_build_hermit(&file, &what);
	elf_build_phdr(&file, 0)->p_memsz = 64 << 20;
	refused(-ENOEXEC, "give it more with --memory-size");
	elf_build_hermit(&file, &what);
	elf_build_phdr(&file, 0)->p_memsz = UINT64_C(1) << 63;
	refused(-ENOEXEC, "do not fit the guest's address range");
}

static void test_bad_places(void **state)
{
	static const uint64_t bad[] = {0x1000, 0x3f000, 0xbfff0000, UINT64_C(1) << 32, UINT64_C(1) << 62};

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad); i++) {
		what.fixed = true;
		what.base = bad[i];
		elf_build_hermit(&file, &what);
		refused(-ENOEXEC, "where a Hermit guest has no room for it");
	}
	what.base = 0x1000;
	elf_build_hermit(&file, &what);
	refused(-ENOEXEC, "position-independent but linked at 0x1000");
	elf_build_hermit(&file, &what);
	elf_build_rela(&file, 0)->r_offset = 0x4000;
	refused(-ENOEXEC, "lies outside the image");
}

/* --- layout and registers */

static void test_layout(void **state)
{
	(void)state;
	start();
	assert_int_equal(b.layout.arch, GYVE_X86_64);
	assert_int_equal(b.layout.ram_gpa, 0);
	assert_int_equal(b.layout.ram_len, 64 << 20);
	assert_int_equal(b.layout.window_len, 0);
	assert_int_equal(b.layout.bias, KERNEL);
	assert_int_equal(b.layout.entry, KERNEL + HERMIT_IMAGE_ENTRY);
	assert_int_equal(b.layout.nsegs, 1);
	assert_int_equal(b.layout.seg[0].gva, KERNEL);
	assert_int_equal(b.layout.seg[0].gpa, KERNEL);
	assert_int_equal(b.layout.seg[0].len, HERMIT_IMAGE_MEMSZ);
	uint64_t word;
	memcpy(&word, boot_ptr(&b, KERNEL + HERMIT_IMAGE_SLOTS, 8), 8);
	assert_int_equal(word, KERNEL + HERMIT_IMAGE_ENTRY);
}

static void test_fixed_image_stays_where_it_is_linked(void **state)
{
	(void)state;
	what.fixed = true;
	what.base = 0x800000;
	start();
	assert_int_equal(b.layout.bias, 0);
	assert_int_equal(b.layout.entry, 0x800000 + HERMIT_IMAGE_ENTRY);
	assert_int_equal(b.regs.x86.gpr[GYVE_RSP], 0x800000 - STACK);
}

static void test_x86_registers(void **state)
{
	(void)state;
	b.params.ncpus = 3;
	start();
	boot_cpu(&b, 2);
	const struct gyve_x86_regs *r = &b.regs.x86;
	assert_int_equal(r->rip, KERNEL + HERMIT_IMAGE_ENTRY);
	assert_int_equal(r->rflags, 2);
	assert_int_equal(r->gpr[GYVE_RDI], BOOT_INFO);
	assert_int_equal(r->gpr[GYVE_RSI], 2);
	assert_int_equal(r->gpr[GYVE_RSP], KERNEL - STACK);
	assert_int_equal(r->cr0, 0x80000031);
	assert_int_equal(r->cr3, TABLES);
	assert_int_equal(r->cr4, 0x20);
	assert_int_equal(r->efer, 0xd00);
	assert_int_equal(r->seg[GYVE_CS].selector, 8);
	assert_int_equal(r->seg[GYVE_CS].type, 11);
	assert_int_equal(r->seg[GYVE_CS].l, 1);
	assert_int_equal(r->seg[GYVE_SS].selector, 0x10);
	assert_int_equal(r->seg[GYVE_SS].type, 3);
	assert_int_equal(r->gdt_base, 0x1000);
	assert_int_equal(r->gdt_limit, 23);
}

static void test_a64_registers(void **state)
{
	(void)state;
	what.machine = EM_AARCH64;
	b.params.ncpus = 2;
	start();
	boot_cpu(&b, 1);
	const struct gyve_a64_regs *r = &b.regs.a64;
	uint64_t ga = 0x10000000;
	assert_int_equal(b.layout.ram_gpa, ga);
	assert_int_equal(b.layout.window_len, 0x4000);
	assert_int_equal(r->pc, ga + KERNEL + HERMIT_IMAGE_ENTRY);
	assert_int_equal(r->pstate, 0x3c5);
	assert_int_equal(r->x[0], ga + BOOT_INFO);
	assert_int_equal(r->x[1], 1);
	assert_int_equal(r->sp, ga + KERNEL - STACK);
	assert_int_equal(r->sp_el1, ga + KERNEL - STACK);
	assert_int_equal(r->mair_el1, 0xff440c0400);
	assert_int_equal(r->tcr_el1, UINT64_C(5) << 32 | 0x35103510);
	assert_int_equal(r->ttbr0_el1, ga + TABLES);
	assert_int_equal(r->ttbr1_el1, 0);
	assert_int_equal(r->cpacr_el1 & 3u << 20, 3u << 20);
	assert_int_equal(r->sctlr_el1, 0x04d5d91d);
}

/* --- boot information */

static uint64_t info(unsigned at, unsigned len)
{
	uint64_t v = 0;

	memcpy(&v, boot_ptr(&b, b.layout.ram_gpa + BOOT_INFO + at, len), len);
	return v;
}

static void check_common_info(uint64_t ga)
{
	assert_int_equal(info(0, 8), ga);
	assert_int_equal(info(8, 8), ga + (64 << 20));
	assert_int_equal(info(24, 8), ga + FDT);
	assert_int_equal(info(32, 8), ga + KERNEL);
	assert_int_equal(info(40, 8), ga + KERNEL + HERMIT_IMAGE_MEMSZ);
	assert_int_equal(info(48, 8), ga + KERNEL + HERMIT_IMAGE_TLS);
	assert_int_equal(info(56, 8), 0x10);
	assert_int_equal(info(64, 8), 0x20);
	assert_int_equal(info(72, 8), 8);
	assert_int_equal(info(80, 4), 1);
	assert_int_equal(info(96, 8), 5);
}

static void is_now(uint64_t ns)
{
	uint64_t now = (uint64_t)time(NULL);

	assert_in_range(ns / 1000000000, now - 60, now + 60);
}

static void test_x86_boot_info(void **state)
{
	(void)state;
	b.params.ncpus = 5;
	b.params.tsc_khz = 2500000;
	start();
	check_common_info(0);
	assert_int_equal(info(16, 8), 0x800);
	assert_int_equal(info(88, 8), 1);
	assert_int_equal(info(104, 8), 2500000);
	is_now(info(112, 8));
	assert_int_equal(info(120, 8), 0);
}

static void test_a64_boot_info(void **state)
{
	(void)state;
	what.machine = EM_AARCH64;
	b.params.ncpus = 5;
	b.params.tsc_khz = 2500000;
	start();
	check_common_info(0x10000000);
	assert_int_equal(info(16, 8), 0x800);
	assert_int_equal(info(88, 8), 0);
	assert_int_equal(info(104, 4), 0);
	is_now(info(108, 8));
	assert_int_equal(info(116, 8), 0);
}

static void test_later_interfaces_have_another_console(void **state)
{
	(void)state;
	what.interface = 2;
	start();
	assert_int_equal(b.layout.ram_gpa, UINT64_C(1) << 32);
	assert_int_equal(info(16, 8), 0x1030);
}

static void test_no_tls(void **state)
{
	(void)state;
	elf_build_hermit(&file, &what);
	elf_build_phdr(&file, 1)->p_type = PT_NULL;
	assert_int_equal(try_start(), 0);
	for (unsigned at = 48; at < 80; at += 8)
		assert_int_equal(info(at, 8), 0);
}

/* --- device tree */

static const void *prop(const char *path, const char *name, int want)
{
	int len, node = fdt_path_offset(fdt, path);

	assert_true(node >= 0);
	const void *p = fdt_getprop(fdt, node, name, &len);
	assert_non_null(p);
	if (want >= 0)
		assert_int_equal(len, want);
	return p;
}

static uint32_t cell(const char *path, const char *name, unsigned i)
{
	return fdt32_ld((const fdt32_t *)prop(path, name, -1) + i);
}

static uint64_t reg(const char *path, unsigned i)
{
	return fdt64_ld((const fdt64_t *)prop(path, "reg", -1) + i);
}

static void test_x86_device_tree(void **state)
{
	(void)state;
	b.params.ncpus = 3;
	b.params.tsc_khz = 2400000;
	start();
	assert_int_equal(fdt_check_full(fdt, 0x4000), 0);
	assert_string_equal(prop("/", "compatible", -1), "hermit,uhyve");
	assert_int_equal(cell("/", "#address-cells", 0), 2);
	assert_int_equal(cell("/", "#size-cells", 0), 2);
	assert_string_equal(prop("/memory@0", "device_type", 7), "memory");
	assert_int_equal(reg("/memory@0", 0), 0);
	assert_int_equal(reg("/memory@0", 1), 64 << 20);
	assert_int_equal(cell("/hermit,tsc", "khz", 0), 2400000);
	assert_string_equal(prop("/cpus/cpu@2", "device_type", 4), "cpu");
	assert_true(fdt_path_offset(fdt, "/cpus/cpu@3") < 0);
	assert_true(fdt_path_offset(fdt, "/timer") < 0);
	assert_string_equal(prop("/chosen", "bootargs", -1), "");
}

static void test_a64_device_tree(void **state)
{
	static const uint32_t timer[] = {1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4};

	(void)state;
	what.machine = EM_AARCH64;
	start();
	assert_int_equal(fdt_check_full(fdt, 0x4000), 0);
	assert_int_equal(reg("/memory@10000000", 0), 0x10000000);
	assert_string_equal(prop("/cpus/cpu@0", "compatible", -1), "arm,cortex-a72");
	assert_string_equal(prop("/intc@8000000", "compatible", -1), "arm,gic-v3");
	assert_int_equal(reg("/intc@8000000", 0), 0x8000000);
	assert_int_equal(reg("/intc@8000000", 1), 0x10000);
	assert_int_equal(reg("/intc@8000000", 2), 0x80a0000);
	assert_int_equal(reg("/intc@8000000", 3), 0xf60000);
	assert_int_equal(reg("/intc@8000000/its@8080000", 0), 0x8080000);
	assert_string_equal(prop("/timer", "compatible", -1), "arm,armv8-timer");
	prop("/timer", "always-on", 0);
	for (unsigned i = 0; i < GYVE_ARRAY_SIZE(timer); i++)
		assert_int_equal(cell("/timer", "interrupts", i), timer[i]);
	assert_true(fdt_path_offset(fdt, "/hermit,tsc") < 0);
}

static void bootargs(const char *const *args, const char *const *env, const char *want)
{
	setup(NULL);
	b.params.args = args;
	b.params.env = env;
	start();
	assert_string_equal(prop("/chosen", "bootargs", -1), want);
	boot_end(&b);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_bootargs(void **state)
{
	(void)state;
	bootargs(LIST("-ip", "10.0.5.3"), NULL, "-ip 10.0.5.3");
	bootargs(LIST("--", "one", "two"), NULL, "-- one two");
	bootargs(LIST("-freq", "1", "--", "a", "--", "b"), LIST("K=V"), "-freq 1 env=K=V -- a -- b");
	bootargs(LIST("a", "--"), NULL, "a");
	bootargs(NULL, LIST("A=", "NOTHING", "B=two words", "C=it's", "D=x=y"),
		 "env=A='' env=B='two words' env=C='it'\\''s' env=D=x=y");
}

static void test_too_large_an_environment(void **state)
{
	static char big[20000];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[1] = '=';
	b.params.env = LIST(big);
	elf_build_hermit(&file, &what);
	assert_int_equal(try_start(), -E2BIG);
	assert_non_null(strstr(b.err.text, "do not fit the guest's device tree"));
	boot_end(&b);
	setup(NULL);
	b.params.ncpus = 1000;
	elf_build_hermit(&file, &what);
	assert_int_equal(try_start(), -E2BIG);
}

/* Reset: what the guest did to its memory and its tables is gone. */
static void test_load_again(void **state)
{
	static uint8_t before[KERNEL + HERMIT_IMAGE_MEMSZ];

	(void)state;
	start();
	memcpy(before, boot_ptr(&b, 0, sizeof(before)), sizeof(before));
	memset(boot_ptr(&b, TABLES, 0x28000 + HERMIT_IMAGE_MEMSZ), 0xff, 0x28000 + HERMIT_IMAGE_MEMSZ);
	assert_int_equal(b.ops->load(b.state, &b.map, &b.err), 0);
	for (size_t at = TABLES; at < TABLES + 0x3000; at++)
		assert_int_equal(*boot_ptr(&b, at, 1), before[at]);
	assert_memory_equal(boot_ptr(&b, KERNEL, HERMIT_IMAGE_MEMSZ), before + KERNEL, HERMIT_IMAGE_MEMSZ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_notes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fixed_image_stays_where_it_is_linked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_x86_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_x86_boot_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_boot_info, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later_interfaces_have_another_console, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_tls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_x86_device_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_device_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bootargs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_large_an_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_load_again, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
