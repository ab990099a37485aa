/* Where a Linux kernel has moved itself: told from its exception entries, in page tables and memory made here. */
#include "unit.h"

#include "../../src/base/bytes.h"
#include "../../src/target/slide.h"
#include "gyve/sym.h"

#include <elf.h>

#define LINKED UINT64_C(0xffffffff81000000)
#define SLIDE UINT64_C(0x12200000)
enum { TABLES = 0x1000, IDT = 0x4000, BANNER = 0x5000, DIVIDE = 0x600, SYSCALL = 0x700, VECTORS = 0x800 };

static uint8_t ram[0x8000]; /* the kernel's image, from guest-physical 0 on */
static struct gyve_memmap map;
static struct gyve_regs regs;
static struct gyve_symtab *syms;
static struct gyve_target t;
static bool stopped;

static bool is_stopped(void *ctx)
{
	(void)ctx;
	return stopped;
}

static struct gyve_regs *get_regs(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)cpu, (void)groups;
	return &regs;
}

static const struct gyve_target_ops ops = {.name = "fake", .stopped = is_stopped, .regs = get_regs};

static size_t build_elf(uint8_t *buf)
{
	static const struct {
		const char *name;
		uint64_t at;
	} names[] = {{"_text", 0},
		     {"asm_exc_divide_error", DIVIDE},
		     {"entry_SYSCALL_64", SYSCALL},
		     {"vectors", VECTORS},
		     {"linux_banner", BANNER}};
	enum { N = GYVE_ARRAY_SIZE(names) };
	Elf64_Ehdr *eh = (void *)buf;
	Elf64_Shdr *sh = (void *)(buf + sizeof(*eh));
	Elf64_Sym *sym = (void *)(sh + 4);
	char *str = (char *)(sym + N + 1);
	size_t len = 1;

	*eh = (Elf64_Ehdr){.e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = 1,
			   .e_shoff = sizeof(*eh),
			   .e_ehsize = sizeof(*eh),
			   .e_shentsize = sizeof(*sh),
			   .e_shnum = 4};
	memcpy(eh->e_ident, "\177ELF\2\1\1", 7);
	for (size_t i = 0; i < N; i++) {
		sym[i + 1] = (Elf64_Sym){.st_name = (uint32_t)len,
					 .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					 .st_shndx = 1,
					 .st_value = LINKED + names[i].at,
					 .st_size = 16};
		strcpy(str + len, names[i].name);
		len += strlen(names[i].name) + 1;
	}
	sh[1] = (Elf64_Shdr){
		.sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_addr = LINKED, .sh_size = sizeof(ram)};
	sh[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
			     .sh_offset = (uint64_t)((uint8_t *)sym - buf),
			     .sh_size = (N + 1) * sizeof(*sym),
			     .sh_entsize = sizeof(*sym),
			     .sh_link = 3};
	sh[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = (uint64_t)((uint8_t *)str - buf), .sh_size = len};
	return (size_t)((uint8_t *)str - buf) + len;
}

static void put_gate(uint64_t handler)
{
	put_le16(ram + IDT, (uint16_t)handler);
	put_le16(ram + IDT + 6, (uint16_t)(handler >> 16));
	put_le32(ram + IDT + 8, (uint32_t)(handler >> 32));
}

/* The image by one entry of 2 MiB at LINKED + SLIDE. */
static void map_x86(void)
{
	const uint64_t at = LINKED + SLIDE;

	put_le64(ram + TABLES + 8 * (at >> 39 & 511), (TABLES + 0x1000) | 3);
	put_le64(ram + TABLES + 0x1000 + 8 * (at >> 30 & 511), (TABLES + 0x2000) | 3);
	put_le64(ram + TABLES + 0x2000 + 8 * (at >> 21 & 511), 0x83);
	regs.arch = GYVE_X86_64;
	regs.x86.cr0 = 0x80000001;
	regs.x86.cr4 = 0x20;
	regs.x86.efer = 0x500;
	regs.x86.cr3 = TABLES;
	regs.x86.idt_base = at + IDT;
}

static int setup(void **state)
{
	static uint64_t space[512];

	(void)state;
	memset(ram, 0, sizeof(ram));
	memset(&regs, 0, sizeof(regs));
	memset(space, 0, sizeof(space));
	regs.valid = GYVE_REGS_ALL;
	strcpy((char *)ram + BANNER, "Linux version 6.1");
	stopped = true;
	assert_int_equal(gyve_symtab_create(&syms, space, build_elf((uint8_t *)space), 0, NULL), 0);
	gyve_memmap_init(&map);
	t = (struct gyve_target){.ops = &ops, .arch = &gyve_arch_x86_64, .ncpus = 1, .map = &map, .syms = syms};
	t.phys = gyve_memmap_mem(&map);
	t.drifts = syms;
	t.syms_adrift = true;
	return gyve_memmap_add(&map, 0, sizeof(ram), ram, GYVE_REGION_RAM, "ram");
}

static int teardown(void **state)
{
	(void)state;
	gyve_memmap_deinit(&map);
	gyve_symtab_destroy(syms);
	return 0;
}

static void test_interrupt_table(void **state)
{
	uint64_t slide = 0;

	(void)state;
	map_x86();
	assert_false(gyve_slide_find(&t, &slide)); /* an empty gate */
	assert_int_equal(gyve_slide_text(&t), 0);
	put_gate(LINKED + SLIDE + DIVIDE + 0x10); /* of somebody else: the distance is no multiple of 2 MiB */
	assert_false(gyve_slide_find(&t, &slide));
	put_gate(LINKED + SLIDE + DIVIDE);
	assert_true(gyve_slide_find(&t, &slide));
	assert_int_equal(slide, SLIDE);
	ram[BANNER] = 'l';
	assert_false(gyve_slide_find(&t, &slide));
}

static void test_settles_once(void **state)
{
	uint64_t at;

	(void)state;
	map_x86();
	put_gate(LINKED + SLIDE + DIVIDE);
	stopped = false;
	gyve_slide_settle(&t);
	assert_true(t.syms_adrift);
	stopped = true;
	gyve_slide_settle(&t);
	assert_false(t.syms_adrift);
	assert_int_equal(gyve_symtab_lookup(syms, "_text", &at), 0);
	assert_int_equal(at, LINKED + SLIDE);
	assert_int_equal(gyve_slide_text(&t), LINKED + SLIDE);
	assert_true(gyve_slide_find(&t, &at)); /* from symbols that are moved: the same */
	assert_int_equal(at, SLIDE);
	gyve_slide_forget(&t);
	assert_true(t.syms_adrift);
	assert_int_equal(gyve_symtab_bias(syms), 0);
}

static void test_system_call(void **state)
{
	uint64_t slide = 0;

	(void)state;
	map_x86();
	regs.x86.lstar = LINKED + SLIDE + SYSCALL;
	assert_true(gyve_slide_find(&t, &slide));
	assert_int_equal(slide, SLIDE);
	regs.x86.lstar = 0x1000; /* not the kernel's half */
	assert_false(gyve_slide_find(&t, &slide));
}

/* User mode's vectors are at a page boundary, too, and there is no banner to be read. */
static void test_vectors(void **state)
{
	uint64_t slide = 0;

	(void)state;
	t.arch = &gyve_arch_aarch64;
	regs.arch = GYVE_AARCH64;
	regs.a64.vbar_el1 = LINKED + SLIDE + VECTORS;
	assert_false(gyve_slide_find(&t, &slide));
	assert_true(t.syms_adrift);
}

static void test_nothing_to_do(void **state)
{
	uint64_t slide;

	(void)state;
	map_x86();
	put_gate(LINKED + SLIDE + DIVIDE);
	t.syms_adrift = false;
	gyve_slide_settle(&t);
	assert_int_equal(gyve_symtab_bias(syms), 0);
	t.syms = NULL;
	assert_false(gyve_slide_find(&t, &slide));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_interrupt_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_settles_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_system_call, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vectors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_to_do, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
