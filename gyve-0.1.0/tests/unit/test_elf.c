/* ELF images: good ones, and a table of bad ones with the sentence each of them earns. */
#include "unit.h"

#include "../support/elf_build.h"
#include "gyve/loader.h"
#include "gyve/walk.h"

static struct elf_build b;
static struct gyve_elf elf;
static struct gyve_err err;
static uint8_t ram[0x8000];
static struct gyve_memmap map;

static const struct hermit_image x86 = {.machine = EM_X86_64, .entry_version = 4, .minor = 11};

static int setup(void **state)
{
	(void)state;
	memset(ram, 0xaa, sizeof(ram));
	gyve_memmap_init(&map);
	return gyve_memmap_add(&map, 0x10000, sizeof(ram), ram, GYVE_REGION_RAM, "ram");
}

static int teardown(void **state)
{
	(void)state;
	gyve_memmap_deinit(&map);
	return 0;
}

static void test_good_image(void **state)
{
	uint64_t lo, hi;

	(void)state;
	elf_build_hermit(&b, &x86);
	elf_build_load(&b, 0x5000, "abc", 3, 3)->p_flags = PF_R;
	assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), 0);
	assert_true(elf.dyn && elf.tls.present && elf.note.present && elf.dynamic.present);
	assert_int_equal(elf.machine, EM_X86_64);
	assert_int_equal(elf.nsegs, 2);
	assert_int_equal(elf.seg[0].perms, GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X);
	assert_int_equal(elf.seg[1].perms, GYVE_PERM_R);
	gyve_elf_span(&elf, &lo, &hi);
	assert_int_equal(lo, 0);
	assert_int_equal(hi, 0x5003);
}

static void test_segments_are_sorted_and_empty_ones_dropped(void **state)
{
	(void)state;
	elf_build_init(&b, EM_X86_64, ET_EXEC, 0x1000);
	elf_build_load(&b, 0x3000, NULL, 4, 4);
	elf_build_load(&b, 0x1000, NULL, 4, 4);
	elf_build_load(&b, 0x1000, NULL, 0, 0);
	assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), 0);
	assert_int_equal(elf.nsegs, 2);
	assert_int_equal(elf.seg[0].vaddr, 0x1000);
}

/* --- what is refused at once */

static void with_truncation(void)
{
	b.size = ELF_BUILD_DATA + 0x20;
}
static void with_half_a_header(void)
{
	b.size = 40;
}
static void with_phdrs_behind_the_end(void)
{
	b.size = 100;
}
static void with_gzip(void)
{
	b.data[0] = 0x1f;
	b.data[1] = 0x8b;
}
static void with_no_magic(void)
{
	b.data[0] = 'x';
}
static void with_32_bits(void)
{
	b.data[EI_CLASS] = ELFCLASS32;
}
static void with_big_endian(void)
{
	b.data[EI_DATA] = ELFDATA2MSB;
}
static void with_object(void)
{
	elf_build_ehdr(&b)->e_type = ET_REL;
}
static void with_dump(void)
{
	elf_build_ehdr(&b)->e_type = ET_CORE;
}
static void with_phentsize(void)
{
	elf_build_ehdr(&b)->e_phentsize = 8;
}
static void with_phnum(void)
{
	elf_build_ehdr(&b)->e_phnum = 0x7000;
}
static void with_phoff(void)
{
	elf_build_ehdr(&b)->e_phoff = UINT64_MAX - 8;
}
static void with_no_segment(void)
{
	elf_build_phdr(&b, 0)->p_type = PT_NULL;
}
static void with_filesz_over_memsz(void)
{
	elf_build_phdr(&b, 0)->p_memsz = 8;
}
static void with_offset_wrap(void)
{
	elf_build_phdr(&b, 0)->p_offset = UINT64_MAX - 16;
}
static void with_vaddr_wrap(void)
{
	elf_build_phdr(&b, 0)->p_memsz = UINT64_MAX;
	elf_build_phdr(&b, 0)->p_vaddr = 0x1000;
}
static void with_paddr_wrap(void)
{
	elf_build_phdr(&b, 0)->p_paddr = UINT64_MAX - 0x100;
}
static void with_overlap(void)
{
	elf_build_load(&b, 0x2fff, NULL, 4, 4);
}
static void with_physical_overlap(void)
{
	elf_build_load(&b, 0x8000, NULL, 4, 4)->p_paddr = 0x10;
}
static void with_entry_outside(void)
{
	elf_build_ehdr(&b)->e_entry = HERMIT_IMAGE_MEMSZ;
}
static void with_notes_outside(void)
{
	elf_build_phdr(&b, b.note_phdr - 1)->p_filesz = 0x100000;
}
static void with_dynamic_outside(void)
{
	elf_build_phdr(&b, 2)->p_offset = UINT64_MAX;
}
static void with_large_tls(void)
{
	elf_build_phdr(&b, 1)->p_filesz = 0x21;
}
static void with_interpreter(void)
{
	elf_build_add(&b, PT_INTERP);
}

static const struct {
	void (*damage)(void);
	const char *says;
} bad[] = {
	{with_truncation, "truncated"},
	{with_half_a_header, "ends inside the ELF header"},
	{with_phdrs_behind_the_end, "program headers lie outside the file"},
	{with_gzip, "gzip"},
	{with_no_magic, "not an ELF file"},
	{with_32_bits, "not 64-bit"},
	{with_big_endian, "not little-endian"},
	{with_object, "object file"},
	{with_dump, "dump"},
	{with_phentsize, "wrong size"},
	{with_phnum, "outside the file"},
	{with_phoff, "program headers lie outside the file"},
	{with_no_segment, "no loadable segment"},
	{with_filesz_over_memsz, "larger in the file"},
	{with_offset_wrap, "truncated"},
	{with_vaddr_wrap, "wraps around"},
	{with_paddr_wrap, "wraps around"},
	{with_overlap, "overlap at 0x2fff"},
	{with_physical_overlap, "overlap at physical address"},
	{with_entry_outside, "entry point 0x3000"},
	{with_notes_outside, "note segment"},
	{with_dynamic_outside, "dynamic segment"},
	{with_large_tls, "TLS"},
	{with_interpreter, "interpreter"},
};

static void test_bad_images(void **state)
{
	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad); i++) {
		elf_build_hermit(&b, &x86);
		bad[i].damage();
		err.text[0] = '\0';
		assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), -ENOEXEC);
		if (!strstr(err.text, bad[i].says))
			fail_msg("no \"%s\" in: %s", bad[i].says, err.text);
		assert_null(strchr(err.text, '\n'));
		assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, NULL), -ENOEXEC);
	}
}

/* Every shorter file is refused or (when only bytes that nothing needs are missing) parsed. */
static void test_every_truncation(void **state)
{
	(void)state;
	elf_build_hermit(&b, &x86);
	for (size_t n = 0; n < b.size; n++)
		assert_int_equal(gyve_elf_parse(&elf, b.data, n, &err), -ENOEXEC);
}

static void test_machines_have_names(void **state)
{
	char buf[24];

	(void)state;
	assert_string_equal(gyve_elf_machine(EM_AARCH64, buf), "aarch64");
	assert_string_equal(gyve_elf_machine(EM_RISCV, buf), "RISC-V");
	assert_string_equal(gyve_elf_machine(65535, buf), "machine 65535");
	assert_string_equal(gyve_elf_machine(INT32_MIN, buf), "machine -2147483648");
}

/* --- notes */

static void test_notes(void **state)
{
	const uint8_t *desc;

	(void)state;
	elf_build_hermit(&b, &x86);
	assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), 0);
	assert_int_equal(gyve_elf_note(&elf, "HERMIT", 0x5a00, &desc), 1);
	assert_int_equal(*desc, 4);
	assert_int_equal(gyve_elf_note(&elf, "GNU", 1, &desc), 16);
	assert_int_equal(gyve_elf_note(&elf, "GNU", 2, &desc), -ENOENT);
	assert_int_equal(gyve_elf_note(&elf, "HERMI", 0x5a00, &desc), -ENOENT);
	elf.note.present = false;
	assert_int_equal(gyve_elf_note(&elf, "HERMIT", 0x5a00, &desc), -ENOENT);
}

static void test_notes_of_other_alignment(void **state)
{
	/* name of 4 bytes, descriptor at 16, the next note at 24 */
	static const uint32_t notes[] = {4, 4, 9, 0x00554e47, 77, 0, 7, 1, 0x5a00, 0x4d524548, 0x00005449, 0, 4};
	const uint8_t *desc;

	(void)state;
	elf_build_init(&b, EM_X86_64, ET_EXEC, 0x1000);
	elf_build_load(&b, 0x1000, notes, sizeof(notes), sizeof(notes));
	Elf64_Phdr *p = elf_build_add(&b, PT_NOTE);
	p->p_offset = elf_build_phdr(&b, 0)->p_offset;
	p->p_filesz = sizeof(notes);
	p->p_align = 8;
	assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), 0);
	assert_int_equal(gyve_elf_note(&elf, "GNU", 9, &desc), 4);
	assert_int_equal(*desc, 77);
	assert_int_equal(gyve_elf_note(&elf, "HERMIT", 0x5a00, &desc), 1);
	assert_int_equal(*desc, 4);
}

static void test_damaged_notes(void **state)
{
	const uint8_t *desc;

	(void)state;
	for (unsigned field = 0; field < 2; field++)
		for (unsigned v = 0; v < 3; v++) {
			static const uint32_t sizes[] = {0xffffffff, 0x80000000, 0x1000};
			elf_build_hermit(&b, &x86);
			memcpy(b.data + b.note_at + 4 * field, &sizes[v], 4);
			assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), 0);
			assert_int_equal(gyve_elf_note(&elf, "HERMIT", 0x5a00, &desc), -ENOEXEC);
		}
}

/* --- copy */

static void test_copy_fills_and_zeroes(void **state)
{
	(void)state;
	elf_build_init(&b, EM_X86_64, ET_EXEC, 0x11000);
	elf_build_load(&b, 0x11000, "text", 4, 0x100);
	assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), 0);
	assert_int_equal(gyve_elf_copy(&elf, &map, 0, false, &err), 0);
	assert_memory_equal(ram + 0x1000, "text\0", 6);
	assert_int_equal(ram[0x10ff], 0);
	assert_int_equal(ram[0x1100], 0xaa);
	assert_int_equal(ram[0xfff], 0xaa);
	elf.seg[0].paddr = 0x12000;
	assert_int_equal(gyve_elf_copy(&elf, &map, 0x100, true, &err), 0);
	assert_memory_equal(ram + 0x2100, "text", 4);
}

static void test_copy_stays_in_memory(void **state)
{
	static const uint64_t bias[] = {0x8000 - 0xff, -UINT64_C(0x1001), UINT64_MAX, 1ull << 63};

	(void)state;
	elf_build_init(&b, EM_X86_64, ET_EXEC, 0x10000);
	elf_build_load(&b, 0x10000, "text", 4, 0x100);
	assert_int_equal(gyve_elf_parse(&elf, b.data, b.size, &err), 0);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bias); i++)
		assert_int_equal(gyve_elf_copy(&elf, &map, bias[i], false, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "the guest does not have"));
	assert_int_equal(ram[0], 0xaa);
}

/* --- relocations */

enum { BIAS = 0x11000 };

static int relocate(void)
{
	int r = gyve_elf_parse(&elf, b.data, b.size, &err);

	if (r == 0)
		r = gyve_elf_copy(&elf, &map, BIAS, false, &err);
	return r < 0 ? r : gyve_elf_relocate(&elf, &map, BIAS, &err);
}

static uint64_t slot(unsigned i)
{
	uint64_t v;

	memcpy(&v, ram + (BIAS - 0x10000) + HERMIT_IMAGE_SLOTS + 8 * i, 8);
	return v;
}

static void set_rela(unsigned i, uint64_t offset, uint32_t sym, uint32_t type, int64_t addend)
{
	*elf_build_rela(&b, i) =
		(Elf64_Rela){.r_offset = offset, .r_info = ELF64_R_INFO((uint64_t)sym, type), .r_addend = addend};
}

static void check_kinds(uint16_t machine, uint32_t abs64, uint32_t glob_dat, bool glob_dat_adds)
{
	struct hermit_image what = x86;

	what.machine = machine;
	elf_build_hermit(&b, &what);
	set_rela(1, HERMIT_IMAGE_SLOTS + 8, 1, abs64, 5);
	set_rela(2, HERMIT_IMAGE_SLOTS + 16, 1, glob_dat, glob_dat_adds ? 3 : 0);
	set_rela(3, HERMIT_IMAGE_SLOTS + 24, 4, abs64, 1);
	assert_int_equal(relocate(), 0);
	assert_int_equal(slot(0), BIAS + HERMIT_IMAGE_ENTRY);
	assert_int_equal(slot(1), BIAS + HERMIT_IMAGE_SYM + 5);
	assert_int_equal(slot(2), BIAS + HERMIT_IMAGE_SYM + (glob_dat_adds ? 3 : 0));
	assert_int_equal(slot(3), 0x1235);
}

static void test_relocation_kinds(void **state)
{
	(void)state;
	check_kinds(EM_X86_64, R_X86_64_64, R_X86_64_GLOB_DAT, false);
	check_kinds(EM_AARCH64, R_AARCH64_ABS64, R_AARCH64_GLOB_DAT, true);
}

static void test_relocation_of_weak_symbol(void **state)
{
	(void)state;
	elf_build_hermit(&b, &x86);
	set_rela(1, HERMIT_IMAGE_SLOTS + 8, 2, R_X86_64_64, 0);
	assert_int_equal(relocate(), 0);
	assert_int_equal(slot(1), 0);
}

static void test_relocation_tables_are_both_applied(void **state)
{
	(void)state;
	elf_build_hermit(&b, &x86);
	set_rela(1, HERMIT_IMAGE_SLOTS + 8, 1, R_X86_64_JUMP_SLOT, 0);
	elf_build_dyn(&b, 1)->d_un.d_val = sizeof(Elf64_Rela);
	*elf_build_dyn(&b, 3) = (Elf64_Dyn){.d_tag = DT_JMPREL, .d_un.d_val = HERMIT_IMAGE_RELA + sizeof(Elf64_Rela)};
	*elf_build_dyn(&b, 4) = (Elf64_Dyn){.d_tag = DT_PLTRELSZ, .d_un.d_val = sizeof(Elf64_Rela)};
	assert_int_equal(relocate(), 0);
	assert_int_equal(slot(0), BIAS + HERMIT_IMAGE_ENTRY);
	assert_int_equal(slot(1), BIAS + HERMIT_IMAGE_SYM);
}

static const struct {
	uint64_t offset;
	uint32_t sym, type;
	uint64_t tag, val; /* of dynamic entry 3, if not 0 */
	const char *says;
} bad_rela[] = {
	{HERMIT_IMAGE_MEMSZ - 7, 0, R_X86_64_RELATIVE, 0, 0, "a relocation at 0x2ff9 lies outside the image"},
	{UINT64_MAX - 3, 0, R_X86_64_RELATIVE, 0, 0, "outside the image"},
	{0x100000, 0, R_X86_64_RELATIVE, 0, 0, "outside the image"},
	{0, 0, R_X86_64_PC32, 0, 0, "relocation type 2 at 0x0 is not supported"},
	{0, 0, R_AARCH64_RELATIVE, 0, 0, "not supported"},
	{0, 3, R_X86_64_64, 0, 0, "symbol 3, which is not defined"},
	{0, 0x10000, R_X86_64_64, 0, 0, "symbol 65536, which lies outside the image"},
	{0, UINT32_MAX, R_X86_64_64, 0, 0, "outside the image"},
	{0, 1, R_X86_64_64, DT_SYMTAB, UINT64_MAX - 8, "outside the image"},
	{0, 0, R_X86_64_NONE, DT_NEEDED, 1, "shared libraries"},
	{0, 0, R_X86_64_NONE, DT_REL, 1, "REL"},
	{0, 0, R_X86_64_NONE, 36, 1, "DT_RELR"},
	{0, 0, R_X86_64_NONE, DT_RELAENT, 23, "wrong size"},
	{0, 0, R_X86_64_NONE, DT_RELASZ, UINT64_MAX, "table lies outside"},
	{0, 0, R_X86_64_NONE, DT_RELA, 0x2ff0, "table lies outside"},
	{0, 0, R_X86_64_NONE, DT_PLTRELSZ, 0x10000, "table lies outside"},
};

static void test_bad_relocations(void **state)
{
	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad_rela); i++) {
		elf_build_hermit(&b, &x86);
		set_rela(1, bad_rela[i].offset, bad_rela[i].sym, bad_rela[i].type, 0);
		if (bad_rela[i].tag)
			*elf_build_dyn(&b, 3) =
				(Elf64_Dyn){.d_tag = (Elf64_Sxword)bad_rela[i].tag, .d_un.d_val = bad_rela[i].val};
		assert_int_equal(relocate(), -ENOEXEC);
		if (!strstr(err.text, bad_rela[i].says))
			fail_msg("no \"%s\" in: %s", bad_rela[i].says, err.text);
	}
}

/* A relocation that changes the table it comes from: the changed entry is checked like any other. */
static void test_relocation_of_the_relocations(void **state)
{
	(void)state;
	elf_build_hermit(&b, &x86);
	set_rela(0, HERMIT_IMAGE_RELA + sizeof(Elf64_Rela), 0, R_X86_64_RELATIVE, 0x40000000);
	set_rela(1, HERMIT_IMAGE_SLOTS, 0, R_X86_64_RELATIVE, 0);
	assert_int_equal(relocate(), -ENOEXEC);
	assert_non_null(strstr(err.text, "outside the image"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_image),
		cmocka_unit_test(test_segments_are_sorted_and_empty_ones_dropped),
		cmocka_unit_test(test_bad_images),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_machines_have_names),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_notes_of_other_alignment),
		cmocka_unit_test(test_damaged_notes),
		cmocka_unit_test_setup_teardown(test_copy_fills_and_zeroes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_stays_in_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relocation_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relocation_of_weak_symbol, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relocation_tables_are_both_applied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_relocations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relocation_of_the_relocations, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
