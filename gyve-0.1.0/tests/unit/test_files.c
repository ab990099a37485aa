/* Hypercalls on files, from the guest's side: both interfaces, both architectures, with a tree on the host beside the mapped
 * one that must stay as it is. */
#include "unit.h"

#include "../support/boot.h"
#include "../support/tree.h"
#include "gyve/filemap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KERNEL = 0x40000, BLOCK = KERNEL + 0x1000, PATH = KERNEL + 0x2000, DATA = KERNEL + 0x3000, RAM = 64 << 20 };
enum { WRONLY = 1, RDWR = 2, CREAT = 0100, EXCL = 0200, TRUNC = 01000, APPEND = 02000, DIRECTORY = 0200000 };

static struct elf_build file;
static struct boot b;
static struct tree t;
static struct gyve_filemap *map;

static void map_one(const char *host, const char *rest)
{
	char spec[256];

	snprintf(spec, sizeof(spec), "%s/%s:%s", t.path, host, rest);
	assert_int_equal(gyve_filemap_add(map, spec, NULL), 0);
}

static int start(uint16_t machine)
{
	if (tree_make(&t) < 0 || gyve_filemap_create(&map) < 0 || mkdirat(t.fd, "in", 0755) || mkdirat(t.fd, "ro", 0755))
		return -1;
	if (!tree_write(&t, "in/file", "0123456789") || !tree_write(&t, "ro/file", "read only") ||
	    !tree_write(&t, "single", "single") || !tree_write(&t, "canary", "alive"))
		return -1;
	if (symlinkat("../canary", t.fd, "in/link") || symlinkat("file", t.fd, "in/alias"))
		return -1;
	map_one("in", "/root");
	map_one("ro", "/ro:ro");
	map_one("single", "/etc/single");
	map_one("born", "/etc/born");
	gyve_filemap_add_memory(map, "etc/virtual", "virtual text", 12, NULL);
	memset(&b, 0, sizeof(b));
	b.params = (struct gyve_boot_params){.path = "kernel", .files = map, .tempdir = t.path};
	elf_build_hermit(&file, &(struct hermit_image){.machine = machine, .entry_version = 4, .minor = 11});
	if (boot_start(&b, &gyve_platform_hermit, file.data, file.size) < 0)
		return -1;
	boot_cpu(&b, 0);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return start(EM_X86_64);
}

static int setup_a64(void **state)
{
	(void)state;
	return start(EM_AARCH64);
}

static int teardown(void **state)
{
	(void)state;
	boot_end(&b);
	gyve_filemap_destroy(map);
	bool alive = tree_holds(&t, "canary", "alive");
	tree_remove(&t);
	return alive ? 0 : -1;
}

static uint8_t *at(uint64_t offset)
{
	uint8_t *p = boot_ptr(&b, b.layout.ram_gpa + offset, 16);
	assert_non_null(p);
	return p;
}

static void put(unsigned where, uint64_t v, unsigned len)
{
	memcpy(at(BLOCK) + where, &v, len);
}

static int64_t get(unsigned where, unsigned len)
{
	int32_t w;
	int64_t v;

	memcpy(&w, at(BLOCK) + where, 4);
	memcpy(&v, at(BLOCK) + where, 8);
	return len == 4 ? w : v;
}

static enum gyve_access_result call(uint16_t number)
{
	uint64_t block = b.layout.ram_gpa + BLOCK;

	if (b.layout.arch == GYVE_AARCH64) {
		b.regs.a64.x[8] = block;
		return boot_store(&b, b.layout.ram_gpa + number, block);
	}
	b.regs.x86.gpr[GYVE_RDI] = block;
	return boot_out(&b, number, (uint32_t)block, 4);
}

static void done(uint16_t number)
{
	assert_int_equal(call(number), GYVE_ACCESS_DONE);
}

static uint64_t path(const char *s)
{
	memcpy(at(PATH), s, strlen(s) + 1);
	return b.layout.ram_gpa + PATH;
}

static int sys_open(const char *name, int flags)
{
	put(0, path(name), 8);
	put(8, (uint32_t)flags, 4);
	put(12, 0644, 4);
	done(0x1110);
	return (int)get(16, 4);
}

static int sys_close(int fd)
{
	put(0, (uint32_t)fd, 4);
	done(0x1120);
	return (int)get(4, 4);
}

static int sys_unlink(const char *name)
{
	put(0, path(name), 8);
	done(0x1150);
	return (int)get(8, 4);
}

static int64_t sys_rw(uint16_t number, int fd, uint64_t len)
{
	put(0, len, 8);
	put(16, b.layout.ram_gpa + DATA, 8);
	put(24, (uint32_t)fd, 4);
	done(number);
	return get(8, 8);
}

static int64_t sys_write(int fd, const char *text)
{
	memcpy(at(DATA), text, strlen(text));
	return sys_rw(0x1100, fd, strlen(text));
}

static void reads(int fd, const char *text)
{
	memset(at(DATA), 0, 64);
	assert_int_equal(sys_rw(0x1130, fd, 64), strlen(text));
	assert_memory_equal(at(DATA), text, strlen(text));
}

static int64_t sys_seek(int fd, int64_t offset, int whence)
{
	put(0, (uint64_t)offset, 8);
	put(8, (uint32_t)whence, 4);
	put(12, (uint32_t)fd, 4);
	done(0x1140);
	return get(0, 8);
}

/* 0 or a positive errno. */
static int tagged(unsigned where)
{
	assert_in_range(get(where, 4), 1, 2);
	return get(where, 4) == 1 ? 0 : (int)get(where + 4, 4);
}

static int sys_stat(const char *name, int kind)
{
	put(0, path(name), 8);
	put(8, (uint32_t)kind, 4);
	put(16, b.layout.ram_gpa + DATA, 8);
	done(0x1170);
	return tagged(24);
}

static int sys_fstat(int fd)
{
	put(0, (uint32_t)fd, 4);
	put(8, b.layout.ram_gpa + DATA, 8);
	done(0x1180);
	return tagged(16);
}

static int sys_mkdir(const char *name)
{
	put(0, path(name), 8);
	done(0x1190);
	return tagged(16);
}

/* The count, 0 at the end, or a negative errno. */
static int64_t sys_getdents(int fd, uint64_t len)
{
	put(0, (uint32_t)fd, 4);
	put(8, b.layout.ram_gpa + DATA, 8);
	put(16, len, 8);
	done(0x1160);
	assert_in_range(get(24, 4), 1, 3);
	return get(24, 4) == 1 ? get(32, 8) : get(24, 4) == 2 ? 0 : -get(32, 4);
}

static void test_open_read_seek(void **state)
{
	(void)state;
	int fd = sys_open("/root/file", 0);
	assert_int_equal(fd, 3);
	reads(fd, "0123456789");
	reads(fd, "");
	assert_int_equal(sys_seek(fd, -4, 2), 6);
	reads(fd, "6789");
	assert_int_equal(sys_seek(fd, 2, 0), 2);
	assert_int_equal(sys_seek(fd, 3, 1), 5);
	reads(fd, "56789");
	assert_int_equal(sys_seek(fd, -1, 0), -EINVAL);
	assert_int_equal(sys_seek(fd, 0, 7), -EINVAL);
	assert_int_equal(sys_seek(99, 0, 0), -EBADF);
	assert_int_equal(sys_write(fd, "x"), -EBADF); /* opened for reading */
	assert_int_equal(sys_close(fd), 0);
	assert_int_equal(sys_close(fd), -EBADF);
	assert_int_equal(sys_rw(0x1130, fd, 1), -EBADF);
	assert_int_equal(sys_open("/root/file", 0), 4); /* no number twice */
	assert_int_equal(sys_open("/root/none", 0), -ENOENT);
	assert_int_equal(sys_open("/none", 0), -ENOENT);
	assert_int_equal(sys_open("/root/file", DIRECTORY), -EPERM); /* ENOTDIR: guests do not know it */
	assert_int_equal(sys_open("/root", DIRECTORY | CREAT), -EINVAL);
	assert_int_equal(sys_open("/root/file", CREAT | EXCL | WRONLY), -EEXIST);
	assert_int_equal(sys_open("/root/file", WRONLY | RDWR), -EINVAL);
	assert_int_equal(sys_open("/root/\xff", 0), -EINVAL);
}

static void test_write(void **state)
{
	(void)state;
	int fd = sys_open("/root/new", CREAT | EXCL | RDWR);
	assert_true(fd > 2);
	assert_int_equal(sys_write(fd, "hello "), 6);
	assert_int_equal(sys_write(fd, "world"), 5);
	assert_true(tree_holds(&t, "in/new", "hello world"));
	assert_int_equal(sys_close(fd), 0);
	fd = sys_open("/root/new", APPEND | WRONLY);
	assert_int_equal(sys_write(fd, "!"), 1);
	assert_true(tree_holds(&t, "in/new", "hello world!"));
	fd = sys_open("/root/new", TRUNC | WRONLY);
	assert_true(tree_holds(&t, "in/new", ""));
	fd = sys_open("/etc/single", TRUNC | WRONLY);
	assert_int_equal(sys_write(fd, "changed"), 7);
	assert_true(tree_holds(&t, "single", "changed"));
	assert_int_equal(sys_open("/etc/born", RDWR), -ENOENT);
	fd = sys_open("/etc/born", CREAT | RDWR);
	assert_int_equal(sys_write(fd, "born"), 4);
	assert_true(tree_holds(&t, "born", "born"));
	fd = sys_open("/root/suid", CREAT | RDWR);
	struct stat st;
	put(0, path("/root/suid2"), 8);
	put(8, CREAT | RDWR, 4);
	put(12, 06777, 4);
	done(0x440);
	assert_int_equal(fstatat(t.fd, "in/suid2", &st, 0), 0);
	assert_int_equal(st.st_mode & 07000, 0);
}

static void test_unmapped(void **state)
{
	(void)state;
	int fd = sys_open("/some/where/new", CREAT | RDWR);
	assert_true(fd > 2);
	assert_int_equal(sys_write(fd, "temp"), 4);
	assert_int_equal(sys_close(fd), 0);
	fd = sys_open("/some/where/new", 0);
	reads(fd, "temp");
	assert_int_equal(sys_stat("/some/where/new", 0), 0);
	assert_int_equal(sys_open("/some/where/new/below", CREAT | RDWR), -EINVAL);
	assert_int_equal(sys_unlink("/some/where/new"), 0);
	reads(fd, ""); /* it lives on while open */
	assert_int_equal(sys_seek(fd, 0, 0), 0);
	reads(fd, "temp");
	assert_int_equal(sys_unlink("/some/where/new"), -ENOENT);
	assert_int_equal(sys_close(fd), 0);
	assert_int_equal(sys_open("/some/where/new", 0), -ENOENT);
	assert_false(tree_exists(&t, "some"));
}

static void test_unlink(void **state)
{
	(void)state;
	int fd = sys_open("/root/file", RDWR);
	assert_int_equal(sys_unlink("/root/file"), 0);
	assert_false(tree_exists(&t, "in/file"));
	reads(fd, "0123456789");
	assert_int_equal(sys_write(fd, "more"), 4);
	assert_int_equal(sys_unlink("/root/file"), -ENOENT);
	assert_int_equal(sys_close(fd), 0);
	assert_int_equal(sys_unlink("/etc/single"), 0);
	assert_false(tree_exists(&t, "single"));
	assert_int_equal(sys_unlink("/etc/single"), -ENOENT);
	fd = sys_open("/etc/single", CREAT | RDWR); /* and again where it was */
	assert_int_equal(sys_write(fd, "again"), 5);
	assert_true(tree_holds(&t, "single", "again"));
	assert_int_equal(sys_unlink("/etc/virtual"), 0);
	assert_int_equal(sys_unlink("/etc/virtual"), -ENOENT);
	assert_int_equal(sys_unlink("/etc"), -ENOENT); /* not empty */
	assert_int_equal(sys_unlink("/"), -ENOENT);
	assert_int_equal(sys_unlink("/root"), -EISDIR);
	assert_int_equal(sys_unlink("/nowhere"), -ENOENT);
	assert_int_equal(sys_unlink("/root/link"), 0); /* the link, not what it names */
}

static void test_read_only(void **state)
{
	static const int flags[] = {WRONLY, RDWR, TRUNC, APPEND | WRONLY, CREAT | WRONLY};

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(flags); i++)
		assert_int_equal(sys_open("/ro/file", flags[i]), -EROFS);
	assert_int_equal(sys_open("/ro/new", CREAT), -EROFS);
	assert_int_equal(sys_open("/ro/file", CREAT | EXCL), -EEXIST);
	assert_int_equal(sys_unlink("/ro/file"), -EROFS);
	assert_int_equal(sys_mkdir("/ro/dir"), EROFS);
	int fd = sys_open("/ro/file", CREAT);
	reads(fd, "read only");
	assert_int_equal(sys_write(fd, "x"), -EBADF);
	assert_true(tree_holds(&t, "ro/file", "read only"));
}

static void test_virtual_file(void **state)
{
	(void)state;
	int fd = sys_open("/etc/virtual", 0);
	reads(fd, "virtual text");
	reads(fd, "");
	assert_int_equal(sys_seek(fd, -4, 2), 8);
	reads(fd, "text");
	assert_int_equal(sys_seek(fd, 1000, 0), 1000);
	reads(fd, "");
	assert_int_equal(sys_seek(fd, -1, 0), -EOVERFLOW);
	assert_int_equal(sys_seek(fd, INT64_MAX, 1), -EOVERFLOW);
	assert_int_equal(sys_write(fd, "x"), -EROFS);
	assert_int_equal(sys_fstat(fd), 0);
	assert_int_equal(*(uint32_t *)(void *)(at(DATA) + 24), 0100444);
	assert_int_equal(*(uint64_t *)(void *)(at(DATA) + 48), 12);
	assert_int_equal(sys_open("/etc/virtual", CREAT | EXCL), -EEXIST);
	assert_int_equal(sys_getdents(fd, 100), -EBADF);
}

static void test_no_way_out(void **state)
{
	static const char *const out[] = {"/root/link", "/root/../canary", "/root/./../../canary",    "/root/link/../canary",
					  "/canary",    "../canary",       "/root/alias/../../canary"};

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(out); i++) {
		assert_true(sys_open(out[i], 0) < 0);
		assert_true(sys_open(out[i], RDWR) < 0);
		assert_true(sys_open(out[i], TRUNC | RDWR) < 0);
		assert_true(sys_stat(out[i], 0) != 0);
	}
	assert_int_equal(sys_open("/root/link", CREAT | RDWR | TRUNC), -EPERM);
	assert_true(tree_holds(&t, "canary", "alive"));
	int fd = sys_open("/root/alias", 0);
	reads(fd, "0123456789");
	assert_int_equal(sys_stat("/root/link", 1), 0); /* lstat */
	assert_int_equal(*(uint32_t *)(void *)(at(DATA) + 24) & S_IFMT, S_IFLNK);
}

static void test_stat(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(fstatat(t.fd, "in/file", &st, 0), 0);
	assert_int_equal(sys_stat("/root/file", 0), 0);
	assert_int_equal(*(uint64_t *)(void *)at(DATA), st.st_dev);
	assert_int_equal(*(uint64_t *)(void *)(at(DATA) + 8), st.st_ino);
	assert_int_equal(*(uint64_t *)(void *)(at(DATA) + 48), 10);
	assert_int_equal(*(uint64_t *)(void *)(at(DATA) + 88), st.st_mtim.tv_sec);
	int fd = sys_open("/root/file", 0);
	memset(at(DATA), 0, 120);
	assert_int_equal(sys_fstat(fd), 0);
	assert_int_equal(*(uint64_t *)(void *)(at(DATA) + 8), st.st_ino);
	assert_int_equal(sys_fstat(0), EBADF);
	assert_int_equal(sys_fstat(-1), EBADF);
	assert_int_equal(sys_stat("/etc", 0), 0);
	assert_int_equal(*(uint32_t *)(void *)(at(DATA) + 24), 040755);
	assert_int_equal(sys_stat("/none", 0), ENOENT);
	assert_int_equal(sys_stat("/root/file", 2), EINVAL);
	put(0, path("/root/file"), 8);
	put(8, 0, 4);
	put(16, b.layout.ram_gpa + RAM - 119, 8);
	done(0x1170);
	assert_int_equal(tagged(24), EFAULT);
}

static bool listed(const char *name, int64_t n, uint8_t type)
{
	for (int64_t i = 0; i < n;) {
		const uint8_t *e = at(DATA) + i;
		uint16_t len;
		memcpy(&len, e + 16, 2);
		if (strcmp((const char *)e + 19, name) == 0)
			return e[18] == type;
		i += len;
	}
	return false;
}

static void test_getdents(void **state)
{
	(void)state;
	int fd = sys_open("/root", DIRECTORY);
	int64_t n = sys_getdents(fd, 1024);
	assert_true(n > 0);
	assert_true(listed(".", n, DT_DIR) && listed("..", n, DT_DIR) && listed("file", n, DT_REG) &&
		    listed("link", n, DT_LNK));
	assert_int_equal(sys_getdents(fd, 1024), 0);
	assert_int_equal(sys_seek(fd, 0, 0), 0);
	assert_int_equal(sys_getdents(fd, 4), -EINVAL);
	assert_int_equal(sys_getdents(99, 64), -EBADF);
	assert_int_equal(sys_getdents(1, 64), -EBADF);
	fd = sys_open("/etc", DIRECTORY);
	assert_int_equal(sys_open("/etc", 0), -EINVAL);
	assert_int_equal(sys_rw(0x1130, fd, 4), -EBADF);
	assert_int_equal(sys_getdents(fd, 16), -EINVAL);
	n = sys_getdents(fd, 24);
	assert_int_equal(n, 24);
	assert_true(listed("born", n, DT_UNKNOWN));
	n = sys_getdents(fd, 1024);
	assert_true(listed("single", n, DT_REG) && listed("virtual", n, DT_REG));
	assert_int_equal(sys_getdents(fd, 1024), 0);
	assert_int_equal(sys_seek(fd, 1, 0), 1);
	assert_int_equal(sys_seek(fd, 0, 2), -EINVAL);
	put(8, b.layout.ram_gpa + RAM - 8, 8);
	put(16, 64, 8);
	done(0x1160);
	assert_int_equal(get(24, 4), 3);
	assert_int_equal(get(32, 4), EFAULT);
}

static void test_mkdir(void **state)
{
	(void)state;
	assert_int_equal(sys_mkdir("/root/dir"), 0);
	assert_int_equal(sys_mkdir("/root/dir"), EEXIST);
	assert_true(sys_open("/root/dir/f", CREAT | RDWR) > 2);
	assert_true(tree_exists(&t, "in/dir/f"));
	assert_int_equal(sys_mkdir("/root/no/dir"), ENOENT);
	assert_int_equal(sys_mkdir("/etc/virtual"), EROFS);
	assert_int_equal(sys_mkdir("/etc/virtual/x"), EINVAL);
	assert_int_equal(sys_mkdir("/etc"), EEXIST);
	assert_int_equal(sys_mkdir("/root/link"), EEXIST);
	assert_int_equal(sys_mkdir("/un/mapped"), 0);
	int fd = sys_open("/un/mapped/f", CREAT | RDWR);
	assert_int_equal(sys_write(fd, "x"), 1);
	assert_int_equal(sys_mkdir("/un/mapped/g"), 0);
	assert_int_equal(sys_stat("/un/mapped/f", 0), 0);
	assert_int_equal(sys_unlink("/un/mapped/f"), 0);
	assert_false(tree_exists(&t, "un"));
}

/* A version 1 buffer whose two pages are far apart in physical memory, the other way round. */
static void test_buffer_across_pages(void **state)
{
	static const uint64_t low = 0x300000, high = 0x500000, gva = 0x40000000;
	uint64_t tables = b.layout.ram_gpa + 0x600000, root = b.regs.x86.cr3 & ~UINT64_C(0xfff);
	uint64_t entry[] = {tables + 0x1000, tables + 0x2000};

	(void)state;
	/* PML4[0] is there: its PDPT gets a second entry, with a directory and a table of its own */
	uint64_t pdpt;
	memcpy(&pdpt, boot_ptr(&b, root, 8), 8);
	entry[0] |= 3, entry[1] |= 3;
	memcpy(boot_ptr(&b, (pdpt & ~UINT64_C(0xfff)) + 8, 8), &entry[0], 8);
	memcpy(boot_ptr(&b, tables + 0x1000, 8), &entry[1], 8);
	uint64_t pages[] = {high | 3, low | 3};
	memcpy(boot_ptr(&b, tables + 0x2000, 16), pages, 16);
	memcpy(boot_ptr(&b, high + 0xffc, 4), "abcd", 4);
	memcpy(boot_ptr(&b, low, 4), "efgh", 4);
	int fd = sys_open("/root/pages", CREAT | RDWR);
	put(0, (uint32_t)fd, 4);
	put(4, gva + 0xffc, 8);
	put(12, 8, 8);
	done(0x400);
	assert_true(tree_holds(&t, "in/pages", "abcdefgh"));
	memset(boot_ptr(&b, high + 0xffc, 4), 0, 4);
	memset(boot_ptr(&b, low, 4), 0, 4);
	assert_int_equal(sys_seek(fd, 0, 0), 0);
	put(0, (uint32_t)fd, 4);
	put(4, gva + 0xffc, 8);
	put(12, 8, 8);
	done(0x500);
	assert_int_equal(get(20, 8), 8);
	assert_memory_equal(boot_ptr(&b, high + 0xffc, 4), "abcd", 4);
	assert_memory_equal(boot_ptr(&b, low, 4), "efgh", 4);
	put(12, 0x2000, 8); /* its third page is missing */
	assert_int_equal(sys_seek(fd, 0, 0), 0);
	put(0, (uint32_t)fd, 4);
	put(4, gva + 0xffc, 8);
	put(12, 0x2000, 8);
	done(0x500);
	assert_int_equal(get(20, 8), 8);
}

/* A fifo that nobody writes to holds nothing up, and does not keep the guest from being stopped. */
static void test_fifo(void **state)
{
	(void)state;
	assert_int_equal(mkfifoat(t.fd, "in/fifo", 0600), 0);
	assert_int_equal(sys_open("/root/fifo", WRONLY), -EPERM); /* ENXIO */
	int fd = sys_open("/root/fifo", RDWR);
	assert_true(fd > 2);
	b.wanted = true;
	assert_int_equal(sys_rw(0x1130, fd, 4), -EINTR);
	assert_int_equal(sys_write(fd, "pipe"), 4);
	reads(fd, "pipe");
}

static void test_too_many(void **state)
{
	int fd = 0, n = 0;

	(void)state;
	while (n < 5000 && (fd = sys_open("/etc/virtual", 0)) > 0)
		n++;
	assert_int_equal(fd, -EPERM);
	assert_int_equal(n, 1024);
	assert_int_equal(sys_close(500), 0);
	assert_int_equal(sys_open("/etc/virtual", 0), 1027);
	char name[32];
	for (n = 0; n < 70000; n++) {
		snprintf(name, sizeof(name), "/many/%d", n);
		if (sys_mkdir(name) != 0)
			break;
		if (n > 200) /* the tree's own limit is far away: enough seen */
			break;
	}
	assert_true(n > 200);
}

static void test_reset_closes(void **state)
{
	(void)state;
	int fd = sys_open("/root/file", 0);
	assert_int_equal(gyve_platform_hermit.load(b.state, &b.map, NULL), 0);
	assert_int_equal(sys_rw(0x1130, fd, 4), -EBADF);
	assert_int_equal(sys_open("/root/file", 0), 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_A64(name)                                        \
	{                                                     \
		"a64 " #name, name, setup_a64, teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open_read_seek),
		TEST(test_write),
		TEST(test_unmapped),
		TEST(test_unlink),
		TEST(test_read_only),
		TEST(test_virtual_file),
		TEST(test_no_way_out),
		TEST(test_stat),
		TEST(test_getdents),
		TEST(test_mkdir),
		TEST(test_buffer_across_pages),
		TEST(test_fifo),
		TEST(test_too_many),
		TEST(test_reset_closes),
		TEST_A64(test_open_read_seek),
		TEST_A64(test_write),
		TEST_A64(test_unmapped),
		TEST_A64(test_unlink),
		TEST_A64(test_read_only),
		TEST_A64(test_no_way_out),
		TEST_A64(test_stat),
		TEST_A64(test_getdents),
		TEST_A64(test_mkdir),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
