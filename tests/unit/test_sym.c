/* The image is this program itself: it has symbols, and lines when compiled with -g. */
#define _GNU_SOURCE
#include "unit.h"

#include "gyve/sym.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t *image;
static size_t image_len;

int gyve_test_landmark(int x);
/* compilers differ about which of the next lines a function starts on */
static const int landmark_line = __LINE__ + 1;
__attribute__((noinline)) int gyve_test_landmark(int x)
{
	return x * 3 + landmark_line;
}

static int setup(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	struct stat st;

	(void)state;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	image_len = (size_t)st.st_size;
	image = mmap(NULL, image_len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return image == MAP_FAILED ? -1 : 0;
}

static bool has_section(const char *name)
{
	const Elf64_Ehdr *eh = (const void *)image;
	const Elf64_Shdr *sh = (const void *)(image + eh->e_shoff);

	for (unsigned i = 0; i < eh->e_shnum; i++)
		if (strcmp((const char *)image + sh[eh->e_shstrndx].sh_offset + sh[i].sh_name, name) == 0)
			return true;
	return false;
}

static void test_lookup_and_format(void **state)
{
	struct gyve_symtab *t;
	uint64_t addr = 0, biased = 0;
	char text[256];
	int n, line;

	(void)state;
	assert_int_equal(gyve_symtab_create(&t, image, image_len, 0, NULL), 0);
	assert_int_equal(gyve_symtab_lookup(t, "gyve_test_landmark", &addr), 0);
	assert_int_equal(addr & 0xfff, (uintptr_t)gyve_test_landmark & 0xfff);
	assert_int_equal(gyve_symtab_lookup(t, "no such symbol", &biased), -ENOENT);
	n = gyve_symtab_format(t, addr, text, sizeof(text));
	assert_int_equal(n, strlen(text));
	assert_memory_equal(text, "gyve_test_landmark+0x0", 22);
	if (has_section(".debug_line")) {
		assert_memory_equal(text, "gyve_test_landmark+0x0 (test_sym.c:", 35);
		line = atoi(text + 35);
		assert_in_range(line, landmark_line, landmark_line + 3);
		gyve_symtab_format(t, addr + 1, text, sizeof(text));
		assert_memory_equal(text, "gyve_test_landmark+0x1 (test_sym.c:", 35);
	}
	gyve_symtab_destroy(t);
	assert_int_equal(gyve_symtab_create(&t, image, image_len, 0x1000000, NULL), 0);
	assert_int_equal(gyve_symtab_lookup(t, "gyve_test_landmark", &biased), 0);
	assert_int_equal(biased, addr + 0x1000000);
	gyve_symtab_format(t, biased + 2, text, sizeof(text));
	assert_memory_equal(text, "gyve_test_landmark+0x2", 22);
	gyve_symtab_destroy(t);
}

static void test_unknown_and_short_buffers(void **state)
{
	struct gyve_symtab *t;
	uint64_t addr;
	char text[64], small[8];
	int n;

	(void)state;
	assert_int_equal(gyve_symtab_format(NULL, 0x1234, text, sizeof(text)), 6);
	assert_string_equal(text, "0x1234");
	assert_int_equal(gyve_symtab_lookup(NULL, "main", &addr), -ENOENT);
	gyve_symtab_destroy(NULL);
	assert_int_equal(gyve_symtab_create(&t, image, image_len, 0, NULL), 0);
	gyve_symtab_format(t, 0xffffffff00000000, text, sizeof(text));
	assert_string_equal(text, "0xffffffff00000000");
	assert_int_equal(gyve_symtab_lookup(t, "gyve_test_landmark", &addr), 0);
	n = gyve_symtab_format(t, addr, small, sizeof(small));
	assert_string_equal(small, "gyve_te");
	assert_int_equal(gyve_symtab_format(t, addr, NULL, 0), n);
	for (size_t size = 1; size < sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		assert_int_equal(gyve_symtab_format(t, addr, text, size), n);
		assert_int_equal(strlen(text), (size_t)n < size ? (size_t)n : size - 1);
	}
	gyve_symtab_destroy(t);
}

/* An image of symbols only: address, size, type, binding, section. */
struct spec {
	const char *name;
	uint64_t value, size;
	int type, bind;
	uint16_t section;
};

static size_t build(uint8_t *buf, const struct spec *s, size_t n)
{
	Elf64_Ehdr *eh = (void *)buf;
	Elf64_Shdr *sh = (void *)(buf + sizeof(*eh));
	Elf64_Sym *sym = (void *)(sh + 4);
	char *str = (char *)(sym + n + 1);
	size_t len = 1;

	memset(buf, 0, 4096);
	*eh = (Elf64_Ehdr){.e_type = ET_EXEC,
			   .e_machine = EM_X86_64,
			   .e_version = 1,
			   .e_shoff = sizeof(*eh),
			   .e_ehsize = sizeof(*eh),
			   .e_shentsize = sizeof(*sh),
			   .e_shnum = 4};
	memcpy(eh->e_ident, "\177ELF\2\1\1", 7);
	for (size_t i = 0; i < n; i++) {
		sym[i + 1] = (Elf64_Sym){.st_name = (uint32_t)len,
					 .st_info = ELF64_ST_INFO(s[i].bind, s[i].type),
					 .st_shndx = s[i].section,
					 .st_value = s[i].value,
					 .st_size = s[i].size};
		memcpy(str + len, s[i].name, strlen(s[i].name) + 1);
		len += strlen(s[i].name) + 1;
	}
	sh[1] = (Elf64_Shdr){.sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addr = 0x1000, .sh_size = 0x1000};
	sh[2] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
			     .sh_offset = (uint64_t)((uint8_t *)sym - buf),
			     .sh_size = (n + 1) * sizeof(*sym),
			     .sh_entsize = sizeof(*sym),
			     .sh_link = 3};
	sh[3] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = (uint64_t)((uint8_t *)str - buf), .sh_size = len};
	return (size_t)((uint8_t *)str - buf) + len;
}

static void expect(const struct gyve_symtab *t, uint64_t addr, const char *want)
{
	char text[64];

	gyve_symtab_format(t, addr, text, sizeof(text));
	assert_string_equal(text, want);
}

static void test_which_symbol(void **state)
{
	static const struct spec specs[] = {
		{"outer", 0x1000, 0x100, STT_FUNC, STB_GLOBAL, 1},
		{"weak_alias", 0x1000, 0x100, STT_FUNC, STB_WEAK, 1},
		{"label", 0x1010, 0, STT_NOTYPE, STB_LOCAL, 1},
		{"inner", 0x1020, 0x10, STT_FUNC, STB_LOCAL, 1},
		{"asm_entry", 0x1200, 0, STT_NOTYPE, STB_GLOBAL, 1},
		{"$x", 0x1300, 0, STT_NOTYPE, STB_LOCAL, 1},
		{"number", 0x1210, 0, STT_NOTYPE, STB_GLOBAL, SHN_ABS},
		{"absent", 0, 0, STT_FUNC, STB_GLOBAL, SHN_UNDEF},
		{"wraps", 0xfffffffffffffff0, 0x20, STT_OBJECT, STB_GLOBAL, 1},
		{"file.c", 0x1201, 0, STT_FILE, STB_LOCAL, SHN_ABS},
	};
	static uint64_t space[512];
	uint8_t *buf = (uint8_t *)space;
	struct gyve_symtab *t;
	uint64_t addr;

	(void)state;
	assert_int_equal(gyve_symtab_create(&t, buf, build(buf, specs, GYVE_ARRAY_SIZE(specs)), 0x10000, NULL), 0);
	memset(buf, 0xff, sizeof(space)); /* the table has its own copy */
	expect(t, 0x11000, "outer+0x0");
	expect(t, 0x11018, "outer+0x18"); /* a label inside a function does not hide it */
	expect(t, 0x11028, "inner+0x8");
	expect(t, 0x11030, "outer+0x30");
	expect(t, 0x11100, "0x11100"); /* past the end of a sized symbol */
	expect(t, 0x11344, "asm_entry+0x144");
	expect(t, 0x12000, "0x12000"); /* past the end of the section */
	expect(t, 0x10fff, "0x10fff");
	assert_int_equal(gyve_symtab_lookup(t, "number", &addr), 0);
	assert_int_equal(addr, 0x1210);
	assert_int_equal(gyve_symtab_lookup(t, "asm_entry", &addr), 0);
	assert_int_equal(addr, 0x11200);
	assert_int_equal(gyve_symtab_lookup(t, "absent", &addr), -ENOENT);
	gyve_symtab_destroy(t);
}

static void probe(const void *bytes, size_t len)
{
	struct gyve_symtab *t;
	uint64_t addr = 0x1000;
	char text[128];

	if (gyve_symtab_create(&t, bytes, len, 0, NULL) < 0)
		return;
	gyve_symtab_lookup(t, "gyve_test_landmark", &addr);
	gyve_symtab_format(t, addr, text, sizeof(text));
	gyve_symtab_format(t, addr + 0x40, text, sizeof(text));
	gyve_symtab_format(t, 0, text, sizeof(text));
	gyve_symtab_destroy(t);
}

static void test_truncated(void **state)
{
	struct gyve_symtab *t;

	(void)state;
	assert_int_equal(gyve_symtab_create(&t, "not an ELF file, really", 23, 0, NULL), -ENOEXEC);
	assert_int_equal(gyve_symtab_create(&t, image, 3, 0, NULL), -ENOEXEC);
	for (size_t len = 16; len < 256; len++)
		probe(image, len);
	for (size_t len = 256; len < image_len; len += 1 + image_len / 150)
		probe(image, len);
}

static void test_flipped(void **state)
{
	const Elf64_Ehdr *eh = (const void *)image;
	uint8_t *copy = malloc(image_len);

	(void)state;
	assert_non_null(copy);
	srand(1);
	for (int round = 0; round < 300; round++) {
		memcpy(copy, image, image_len);
		for (int k = 1 + rand() % 20; k > 0; k--) {
			/* anywhere, in the section headers, or in a section's first bytes */
			size_t at = (size_t)rand() % image_len;
			if (k % 3 == 1)
				at = eh->e_shoff + (size_t)rand() % (eh->e_shnum * sizeof(Elf64_Shdr));
			if (k % 3 == 2)
				at = ((const Elf64_Shdr *)(const void *)(image + eh->e_shoff))[rand() % eh->e_shnum].sh_offset +
				     (size_t)rand() % 200;
			if (at < image_len)
				copy[at] = (uint8_t)rand();
		}
		probe(copy, image_len);
	}
	free(copy);
}

/* --- the index */

static char cache[] = "/tmp/gyve-test-sym.XXXXXX";

static void index_path(char *buf, size_t size)
{
	snprintf(buf, size, "%s/gyve/symbols-cafe-%zu", cache, image_len);
}

/* What symbols and lines say, with an index kept under this key. */
static void ask(const char *key, char *text, size_t size)
{
	struct gyve_source source[4];
	struct gyve_symtab *t;
	uint64_t addr;

	assert_int_equal(gyve_symtab_create(&t, image, image_len, 0x10000, NULL), 0);
	if (key)
		gyve_symtab_keep_index(t, key);
	assert_int_equal(gyve_symtab_lookup(t, "gyve_test_landmark", &addr), 0);
	gyve_symtab_format(t, addr + 1, text, size);
	if (has_section(".debug_line")) {
		assert_int_equal(gyve_symtab_sources(t, addr + 1, source, 4), 1);
		assert_string_equal(source[0].function, "gyve_test_landmark");
	}
	gyve_symtab_destroy(t);
}

static size_t read_index(uint8_t **ret)
{
	char path[128];
	struct stat st;
	FILE *f;

	index_path(path, sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	*ret = malloc((size_t)st.st_size);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(*ret, 1, (size_t)st.st_size, f), st.st_size);
	fclose(f);
	return (size_t)st.st_size;
}

static void write_index(const uint8_t *data, size_t len)
{
	char path[128];
	FILE *f;

	index_path(path, sizeof(path));
	unlink(path);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
	chmod(path, 0600);
}

/* Kept, used, refused when it is not what was written, and then written anew. */
static void test_index(void **state)
{
	char want[256], text[256], path[128];
	uint8_t *good, *again;
	size_t len;

	(void)state;
	assert_non_null(mkdtemp(cache));
	setenv("XDG_CACHE_HOME", cache, 1);
	index_path(path, sizeof(path));
	ask(NULL, want, sizeof(want));
	assert_int_not_equal(access(path, F_OK), 0);
	ask("../cafe", text, sizeof(text)); /* a key is no path */
	ask("cafe", text, sizeof(text));
	assert_string_equal(text, want);
	len = read_index(&good);
	ask("cafe", text, sizeof(text));
	assert_string_equal(text, want);
	for (unsigned k = 0; k < 40; k++) {
		uint8_t *bad = malloc(len + 1);
		memcpy(bad, good, len);
		bad[len] = 0;
		size_t n = k == 0 ? 0 : k == 1 ? 10 : k == 2 ? len - 1 : k == 3 ? len + 1 : len;
		if (n == len)
			bad[k < 30 ? 2 * k : k * (len / 41)] ^= 1;
		write_index(bad, n);
		ask("cafe", text, sizeof(text));
		assert_string_equal(text, want);
		assert_int_equal(read_index(&again), len);
		assert_memory_equal(again, good, len);
		free(again);
		free(bad);
	}
	free(good);
	/* what others can write is not read */
	assert_int_equal(chmod(path, 0666), 0);
	ask("cafe", text, sizeof(text));
	assert_string_equal(text, want);
	read_index(&again);
	free(again);
	unlink(path);
	snprintf(path, sizeof(path), "%s/gyve", cache);
	assert_int_equal(rmdir(path), 0); /* nothing else is there */
	assert_int_equal(rmdir(cache), 0);
}

static void test_debug_link(void **state)
{
	struct gyve_debug_link link;

	(void)state;
	assert_int_equal(gyve_debug_crc("123456789", 9), 0xcbf43926);
	gyve_debug_link(image, image_len, &link);
	assert_int_equal(link.has_debug, has_section(".debug_line"));
	assert_string_equal(link.name, "");
	gyve_debug_link("nothing of that kind", 20, &link);
	assert_false(link.has_debug || link.has_symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_and_format), cmocka_unit_test(test_unknown_and_short_buffers),
		cmocka_unit_test(test_which_symbol),      cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped),           cmocka_unit_test(test_index),
		cmocka_unit_test(test_debug_link),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
