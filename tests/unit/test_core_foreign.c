/* Dumps of others: Solo5's, flattened ones, cores of processes. */
#include "unit.h"

#include "gyve/core.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REG = 112, REGS = 336, RBX = 5 * 8, RIP = 16 * 8, RSP = 19 * 8 }; /* in NT_PRSTATUS and its pr_reg */

static size_t add_note(uint8_t *p, const char *owner, uint32_t type, const void *desc, uint32_t len)
{
	const uint32_t head[] = {(uint32_t)strlen(owner) + 1, len, type};

	memcpy(p, head, sizeof(head));
	memset(p + 12, 0, 8);
	strcpy((char *)p + 12, owner);
	memcpy(p + 20, desc, len);
	return 20 + ((size_t)len + 3) / 4 * 4;
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, 8);
}

/* Headers, notes at 0x1000, one segment's bytes at 0x2000. */
static uint8_t *make_core(Elf64_Phdr load, size_t notes, size_t size)
{
	uint8_t *f = calloc(1, size);
	Elf64_Ehdr e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
			.e_type = ET_CORE,
			.e_machine = EM_X86_64,
			.e_phoff = sizeof(e),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2};
	Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = 0x1000, .p_filesz = notes};

	memcpy(f, &e, sizeof(e));
	memcpy(f + sizeof(e), &note, sizeof(note));
	memcpy(f + sizeof(e) + sizeof(note), &load, sizeof(load));
	return f;
}

/* One vCPU, one segment from 0 on, and a file that ends where the last page with something in it does. */
static void test_solo5(void **state)
{
	uint8_t status[REGS] = {0}, b[8], notes[400];
	struct gyve_core *core;
	struct gyve_err err = {0};
	size_t n;

	(void)state;
	put64(status + REG + RIP, 0x100123);
	put64(status + REG + RSP, 0x1ffff8);
	n = add_note(notes, "CORE", NT_PRSTATUS, status, sizeof(status));
	Elf64_Phdr load = {.p_type = PT_LOAD, .p_flags = 7, .p_offset = 0x2000, .p_filesz = 0x200000, .p_memsz = 0x200000};
	uint8_t *f = make_core(load, n, 0x2000 + 0x101000);
	memcpy(f + 0x1000, notes, n);
	memcpy(f + 0x2000 + 0x100123, "solo5...", 8);
	if (gyve_core_open_mem(&core, f, 0x2000 + 0x101000, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(core->ncpus, 1);
	assert_int_equal(core->regs[0].x86.rip, 0x100123);
	assert_int_equal(core->regs[0].x86.gpr[GYVE_RSP], 0x1ffff8);
	assert_false(core->have_sys || core->is_virtual);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x100123, b, 8), 8);
	assert_memory_equal(b, "solo5...", 8);
	assert_non_null(core->warnings); /* what is missing is said, and not zeros */
	assert_int_not_equal(core->phys.read(core->phys.ctx, 0x180000, b, 8), 8);
	gyve_core_close(core);
	free(f);
}

/* A position-independent program: where it is, which file it is, and text that only the file has. */
static void test_process(void **state)
{
	static const char text[] = "text of the program";
	uint8_t status[REGS] = {0}, auxv[48] = {0}, files[128] = {0}, notes[800], b[32];
	struct gyve_core *core;
	size_t n = 0;

	(void)state;
	put64(auxv, 3);
	put64(auxv + 16, 9); /* AT_ENTRY */
	put64(auxv + 24, 0x555555555040);
	put64(files, 2);
	put64(files + 8, 4096);
	put64(files + 16, 0x7ffff0000000);
	put64(files + 24, 0x7ffff0001000);
	put64(files + 40, 0x555555555000);
	put64(files + 48, 0x555555556000);
	memcpy(files + 64, "/lib/first\0/bin/prog", 21);
	n += add_note(notes + n, "CORE", NT_PRSTATUS, status, sizeof(status));
	n += add_note(notes + n, "CORE", NT_AUXV, auxv, sizeof(auxv));
	n += add_note(notes + n, "CORE", NT_FILE, files, 85);
	Elf64_Phdr load = {.p_type = PT_LOAD, .p_offset = 0x2000, .p_vaddr = 0x555555556000, .p_filesz = 8, .p_memsz = 8};
	uint8_t *f = make_core(load, n, 0x2008);
	memcpy(f + 0x1000, notes, n);
	memcpy(f + 0x2000, "the core", 8);
	assert_int_equal(gyve_core_open_mem(&core, f, 0x2008, NULL, NULL), 0);
	assert_true(core->is_virtual);
	assert_int_equal(core->info.entry, 0x555555555040);
	assert_string_equal(core->info.image, "/bin/prog");
	/* around and over what is there: that wins */
	gyve_core_add_image(core, 0x555555556000 - 10, text, sizeof(text));
	assert_int_equal(core->phys.read(core->phys.ctx, 0x555555556000 - 10, b, 20), 20);
	assert_memory_equal(b, "text of ththe corem", 20);
	gyve_core_add_image(core, UINT64_MAX - 4, text, sizeof(text));
	gyve_core_close(core);
	/* lists that lie about their length */
	uint8_t *count = f + 0x1000 + n - 20 - 88 + 20;
	assert_memory_equal(count, files, 16);
	for (uint64_t lie = 3; lie; lie <<= 5) {
		put64(count, lie);
		assert_int_equal(gyve_core_open_mem(&core, f, 0x2008, NULL, NULL), 0);
		gyve_core_close(core);
	}
	free(f);
}

static void put_be64(uint8_t *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (56 - 8 * i));
}

/* makedumpfile -F: pieces in any order, an end mark. */
static void test_flattened(void **state)
{
	enum { SIZE = 0x2010, HALF = 0x1100, LEN = 4096 + 3 * 16 + SIZE };
	uint8_t status[REGS] = {0}, notes[400], b[16];
	struct gyve_core *core;
	struct gyve_err err = {0};
	size_t n, at = 4096;

	(void)state;
	put64(status + REG + RIP, 0x1234);
	n = add_note(notes, "CORE", NT_PRSTATUS, status, sizeof(status));
	Elf64_Phdr load = {
		.p_type = PT_LOAD, .p_offset = 0x2000, .p_vaddr = 0x8000, .p_paddr = 0x8000, .p_filesz = 16, .p_memsz = 16};
	uint8_t *f = make_core(load, n, SIZE), *flat = calloc(1, LEN);
	memcpy(f + 0x1000, notes, n);
	memcpy(f + 0x2000, "sixteen bytes...", 16);
	strcpy((char *)flat, "makedumpfile");
	put_be64(flat + at, HALF);
	put_be64(flat + at + 8, SIZE - HALF);
	memcpy(flat + at + 16, f + HALF, SIZE - HALF);
	at += 16 + SIZE - HALF;
	put_be64(flat + at, 0);
	put_be64(flat + at + 8, HALF);
	memcpy(flat + at + 16, f, HALF);
	at += 16 + HALF;
	put_be64(flat + at, UINT64_MAX);
	put_be64(flat + at + 8, UINT64_MAX);
	if (gyve_core_open_mem(&core, flat, LEN, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(core->regs[0].x86.rip, 0x1234);
	assert_int_equal(core->phys.read(core->phys.ctx, 0x8000, b, 16), 16);
	assert_memory_equal(b, "sixteen bytes...", 16);
	assert_null(core->warnings);
	gyve_core_close(core);
	/* without its end mark; cut short; an offset from nowhere */
	assert_int_equal(gyve_core_open_mem(&core, flat, LEN - 16, NULL, &err), 0);
	assert_non_null(core->warnings);
	gyve_core_close(core);
	assert_int_equal(gyve_core_open_mem(&core, flat, 4096 + 16 + 100, NULL, &err), -ENOEXEC);
	assert_int_equal(gyve_core_open_mem(&core, flat, 4096, NULL, &err), -ENOEXEC);
	put_be64(flat + 4096, UINT64_C(1) << 60);
	assert_int_equal(gyve_core_open_mem(&core, flat, LEN, NULL, &err), -ENOEXEC);
	free(flat);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_solo5),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_flattened),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
