/* Dumps of Linux guests: what VMCOREINFO tells. */
#include "unit.h"

#include "gyve/core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A Linux kernel says where its tables are, in memory or in the note. */
static void tables_of_linux(const struct gyve_arch *arch)
{
	static const char x86[] =
		"OSRELEASE=6.1-test\nBUILD-ID=0011aaff\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffffffff94621000\n"
		"NUMBER(phys_base)=-341835776\nNUMBER(pgtable_l5_enabled)=0\nKERNELOFFSET=13600000\n";
	static const char a64[] =
		"OSRELEASE=6.1-test\nBUILD-ID=0011aaff\nPAGESIZE=4096\nSYMBOL(swapper_pg_dir)=ffff800009021000\n"
		"NUMBER(kimage_voffset)=0xffff800009000000\nNUMBER(TCR_EL1_T1SZ)=0x10\n"
		"NUMBER(KERNELPACMASK)=0xff7f000000000000\nKERNELOFFSET=13600000\n";
	bool is_x86 = arch->id == GYVE_X86_64;
	struct gyve_core_open open = {.raw = true, .arch = arch, .find_roots = true};
	uint8_t *ram = calloc(1, 0x40000);
	uint64_t e[] = {0x22003, 0x23003, is_x86 ? 0x200083 : 0x200701};
	struct gyve_core *core;
	struct gyve_err err = {0};
	struct gyve_mmu mmu;
	struct gyve_walk w;

	memcpy(ram + 0x5000, "OSRELEASE=something else", 24);
	strcpy((char *)ram + 0x6000, is_x86 ? x86 : a64);
	memcpy(ram + 0x21000 + 8 * 511, &e[0], 8);
	memcpy(ram + 0x22000 + 8 * 510, &e[1], 8);
	memcpy(ram + 0x23000, &e[2], 8);
	if (gyve_core_open_mem(&core, ram, 0x40000, &open, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(core->guest_linux.there && core->guest_linux.offset_known && core->have_sys);
	assert_string_equal(core->guest_linux.release, "6.1-test");
	assert_int_equal(core->guest_linux.offset, 0x13600000);
	assert_int_equal(core->guest_linux.build_id_len, 4);
	assert_memory_equal(core->guest_linux.build_id, "\x00\x11\xaa\xff", 4);
	assert_int_equal(is_x86 ? core->regs[0].x86.cr3 : core->regs[0].a64.ttbr1_el1, 0x21000);
	gyve_mmu_from_regs(&mmu, &core->regs[0]);
	assert_int_equal(gyve_walk(&mmu, &core->phys, 0xffffffff80001234, &w), 0);
	assert_int_equal(w.gpa, 0x201234);
	gyve_core_close(core);
	/* tables that are said to be where no memory is: nobody is led there */
	memcpy(strstr((char *)ram + 0x6000, is_x86 ? "94621" : "09021"), is_x86 ? "f4621" : "79021", 5);
	assert_int_equal(gyve_core_open_mem(&core, ram, 0x40000, &open, &err), -ENOENT);
	free(ram);
}

static void test_x86_64(void **state)
{
	(void)state;
	tables_of_linux(&gyve_arch_x86_64);
}

static void test_aarch64(void **state)
{
	(void)state;
	tables_of_linux(&gyve_arch_aarch64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86_64),
		cmocka_unit_test(test_aarch64),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
