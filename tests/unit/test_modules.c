/* A Linux kernel's modules: its list, in memory made here; their files. */
#include "unit.h"

#include "../../src/target/modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AT 0xffffffffc0000000 /* guest-virtual address of memory[0] */

static uint8_t memory[0x8000];

static ssize_t read_memory(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (addr - AT >= sizeof(memory))
		return -EFAULT;
	if (len > sizeof(memory) - (addr - AT))
		len = sizeof(memory) - (size_t)(addr - AT);
	memcpy(buf, memory + (addr - AT), len);
	return (ssize_t)len;
}

static const struct gyve_mem mem = {.read = read_memory};

/* As an older kernel has them, and as a newer one. */
static const struct gyve_module_layout older = {.list = 8,
						.state = 0,
						.name = 24,
						.sect_attrs = 80,
						.base = 88,
						.size = 96,
						.mem = -1,
						.mem_each = -1,
						.nsections = 0,
						.attrs = 8,
						.bin_attrs = -1,
						.attr_each = 16,
						.attr_name = 0,
						.attr_address = 8};
static const struct gyve_module_layout recent = {.list = 8,
						 .state = 0,
						 .name = 24,
						 .sect_attrs = 80,
						 .base = -1,
						 .size = -1,
						 .mem = 88,
						 .mem_base = 0,
						 .mem_size = 8,
						 .mem_each = 16,
						 .mem_n = 4,
						 .nsections = -1,
						 .attrs = -1,
						 .bin_attrs = 0,
						 .attr_each = -1,
						 .attr_name = 0,
						 .attr_address = 8};

static void put(size_t at, uint64_t value)
{
	memcpy(memory + at, &value, 8);
}

static void text(size_t at, const char *value)
{
	strcpy((char *)memory + at, value);
}

/* A module at `at`, the next entry of the list being at next. */
static void module(size_t at, const char *name, uint32_t state, size_t next)
{
	memset(memory + at, 0, 0x100);
	memcpy(memory + at, &state, 4);
	put(at + 8, AT + next);
	text(at + 24, name);
}

static void test_list(void **state)
{
	(void)state;
	static const uint8_t note[] = {4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4};
	struct gyve_module *m;
	struct gyve_err err = {0};

	memset(memory, 0, sizeof(memory));
	put(0, AT);
	assert_int_equal(gyve_modules_read(&mem, &older, AT, &m, &err), 0);
	gyve_modules_free(m, 0);
	put(0, AT + 0x108);
	module(0x100, "one", GYVE_MODULE_COMING, 0x208);
	module(0x200, "two<&", GYVE_MODULE_LIVE, 0x308);
	module(0x300, "three", GYVE_MODULE_UNFORMED, 0);
	put(0x100 + 80, AT + 0x1000);
	put(0x100 + 88, AT + 0x4000);
	put(0x100 + 96, 0x2000);
	put(0x1000, 2);
	put(0x1008, AT + 0x2000);
	put(0x1010, 0xffffffffc0444000);
	put(0x1018, AT + 0x2010);
	put(0x1020, AT + 0x3000);
	text(0x2000, ".text");
	text(0x2010, ".note.gnu.build-id");
	memcpy(memory + 0x3000, note, sizeof(note));
	put(0x200 + 80, 0x1234); /* nowhere */
	assert_int_equal(gyve_modules_read(&mem, &older, AT, &m, &err), 3);
	assert_string_equal(m[0].name, "one");
	assert_string_equal(gyve_module_state(&m[0]), "coming");
	assert_int_equal(m[0].base, AT + 0x4000);
	assert_int_equal(m[0].size, 0x2000);
	assert_int_equal(m[0].nsections, 2);
	assert_int_equal(gyve_module_section(&m[0], ".text"), 0xffffffffc0444000);
	assert_int_equal(gyve_module_section(&m[0], ".data"), 0);
	assert_int_equal(m[0].build_id_len, 4);
	assert_int_equal(m[0].build_id[3], 4);
	assert_string_equal(m[1].name, "two");
	assert_int_equal(m[1].nsections, 0);
	assert_int_equal(m[2].state, GYVE_MODULE_UNFORMED);
	gyve_modules_free(m, 3);
	/* damaged: a list that never comes back, one that leads away, no list */
	put(0x208, AT + 0x108);
	assert_int_equal(gyve_modules_read(&mem, &older, AT, &m, &err), GYVE_MODULES_MAX);
	gyve_modules_free(m, GYVE_MODULES_MAX);
	put(0x108, 0x5555555555555555);
	assert_int_equal(gyve_modules_read(&mem, &older, AT, &m, &err), 1);
	gyve_modules_free(m, 1);
	assert_int_equal(gyve_modules_read(&mem, &older, 0x1000, &m, &err), -EFAULT);
}

static void test_newer_list(void **state)
{
	(void)state;
	struct gyve_module *m;
	struct gyve_err err = {0};

	memset(memory, 0, sizeof(memory));
	put(0, AT + 0x108);
	module(0x100, "newer", GYVE_MODULE_LIVE, 0);
	put(0x100 + 80, AT + 0x1000);
	for (unsigned i = 0; i < 5; i++) {
		put(0x100 + 88 + 16 * i, AT + 0x4000 + 0x1000 * i);
		put(0x100 + 96 + 16 * i, 0x1000);
	}
	put(0x1000, AT + 0x1100); /* the list of pointers */
	put(0x1100, AT + 0x1200);
	put(0x1200, AT + 0x2000);
	put(0x1208, AT + 0x4000);
	text(0x2000, ".text");
	assert_int_equal(gyve_modules_read(&mem, &recent, AT, &m, &err), 1);
	assert_int_equal(m->base, AT + 0x4000);
	assert_int_equal(m->size, 0x4000);
	assert_int_equal(m->nsections, 1);
	assert_int_equal(gyve_module_section(m, ".text"), AT + 0x4000);
	gyve_modules_free(m, 1);
}

/* --- files */

enum { SECTIONS = 6 };

struct ko_file {
	Elf64_Ehdr eh;
	char names[96];
	uint8_t note[20];
	Elf64_Shdr sh[SECTIONS];
};

static struct ko_file make_ko(uint8_t id, bool debug)
{
	struct ko_file f = {.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
				   .e_type = ET_REL,
				   .e_machine = EM_X86_64,
				   .e_version = EV_CURRENT,
				   .e_shoff = offsetof(struct ko_file, sh),
				   .e_ehsize = sizeof(Elf64_Ehdr),
				   .e_shentsize = sizeof(Elf64_Shdr),
				   .e_shnum = SECTIONS,
				   .e_shstrndx = 1},
			    .note = {4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, id, 2, 3, 4}};

	memcpy(f.names, "\0.shstrtab\0.text\0.note.gnu.build-id\0.debug_info\0.data", 54);
	f.sh[1] = (Elf64_Shdr){
		.sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = offsetof(struct ko_file, names), .sh_size = sizeof(f.names)};
	f.sh[2] = (Elf64_Shdr){.sh_name = 11, .sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR, .sh_size = 0x100};
	f.sh[3] = (Elf64_Shdr){.sh_name = 17,
			       .sh_type = SHT_NOTE,
			       .sh_flags = SHF_ALLOC,
			       .sh_offset = offsetof(struct ko_file, note),
			       .sh_size = sizeof(f.note)};
	f.sh[4] = (Elf64_Shdr){.sh_name = debug ? 36 : 0, .sh_type = SHT_PROGBITS, .sh_offset = 64, .sh_size = 4};
	f.sh[5] = (Elf64_Shdr){.sh_name = 48, .sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_WRITE, .sh_size = 8};
	return f;
}

static void test_ko(void **state)
{
	(void)state;
	struct ko_file f = make_ko(1, true);
	struct gyve_ko ko;

	assert_int_equal(gyve_ko_read(&f, sizeof(f), &ko), 0);
	assert_int_equal(ko.n, 3);
	assert_string_equal(ko.sections[0].name, ".text");
	assert_int_equal(ko.sections[0].size, 0x100);
	assert_string_equal(ko.sections[2].name, ".data");
	assert_int_equal(ko.build_id_len, 4);
	assert_true(ko.has_debug);
	gyve_ko_free(&ko);
	for (size_t n = 0; n < sizeof(f); n++)
		if (gyve_ko_read(&f, n, &ko) == 0)
			gyve_ko_free(&ko);
	f.eh.e_type = ET_EXEC;
	assert_int_equal(gyve_ko_read(&f, sizeof(f), &ko), -ENOEXEC);
}

static char dir[32];

static void write_ko(const char *name, uint8_t id, bool debug)
{
	struct ko_file f = make_ko(id, debug);
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, &f, sizeof(f)), sizeof(f));
	close(fd);
}

static void remove_tree(void)
{
	static const char *const files[] = {
		"/a/my-mod.ko", "/b/my_mod.ko", "/b/my-mod.ko.debug", "/b/other.ko.xz", "/a", "/b", ""};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s%s", dir, files[i]);
		remove(path);
	}
}

static void test_files(void **state)
{
	(void)state;
	struct gyve_module m = {.name = "my_mod", .build_id = {1, 2, 3, 4}, .build_id_len = 4};
	struct gyve_module_files *f;
	struct gyve_err err = {0};
	struct gyve_ko ko;
	char path[64];

	strcpy(dir, "/tmp/test_modules.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/b", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	write_ko("a/my-mod.ko", 1, false);
	write_ko("b/my_mod.ko", 9, true); /* of another kernel */
	write_ko("b/other.ko.xz", 1, true);
	assert_int_equal(gyve_module_files_open(&f, dir, &err), 0);
	const char *found = gyve_module_files_find(f, &m, &ko);
	assert_non_null(found);
	assert_non_null(strstr(found, "/a/my-mod.ko"));
	assert_true(gyve_module_files_has(f, found));
	assert_false(gyve_module_files_has(f, "/etc/passwd"));
	gyve_ko_free(&ko);
	gyve_module_files_close(f);
	/* with debug information: better */
	write_ko("b/my-mod.ko.debug", 1, true);
	assert_int_equal(gyve_module_files_open(&f, dir, &err), 0);
	assert_non_null(strstr(gyve_module_files_find(f, &m, &ko), "/b/my-mod.ko.debug"));
	gyve_ko_free(&ko);
	strcpy(m.name, "other");
	assert_null(gyve_module_files_find(f, &m, &ko));
	assert_null(gyve_module_files_find(NULL, &m, &ko));
	gyve_module_files_close(f);
	remove_tree();
	assert_int_equal(gyve_module_files_open(&f, dir, &err), -ENOENT);
	assert_non_null(strstr(err.text, "modules in"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_newer_list),
		cmocka_unit_test(test_ko),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
