/* A hostile guest's hypercalls, all versions, both architectures, with real files behind them and a tree beside the mapped
 * one that must stay as it is. Input: a byte of settings (bit 0: aarch64; bit 1: no openat2), then records:
 *	0, offset (2), length (1), bytes    into guest memory
 *	1, number (2), argument (8)         a call; argument 0..0xffff: an offset in the memory that records fill
 *	2, seed (8), count (2)              so many calls of a generator that knows what blocks look like */
#include "config.h"

#include "../../src/hermit/filemap.h"
#include "../support/boot.h"
#include "../support/tree.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA = 0x100000, ARENA_LEN = 0x10000, RAM = 64 << 20 };

static struct tree tree;
static struct boot b;
static uint64_t seed;
static int32_t last_fd;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void remove_made(void)
{
	tree_remove(&tree);
}

static void fill_tree(void)
{
	must(mkdirat(tree.fd, "in", 0755) == 0 && mkdirat(tree.fd, "in/sub", 0755) == 0 && mkdirat(tree.fd, "out", 0755) == 0 &&
	     mkdirat(tree.fd, "ro", 0755) == 0 && mkdirat(tree.fd, "tmp", 0755) == 0);
	must(tree_write(&tree, "in/file", "inside") && tree_write(&tree, "out/canary", "alive") &&
	     tree_write(&tree, "ro/file", "read only") && tree_write(&tree, "canary", "alive") &&
	     tree_write(&tree, "one", "one"));
	must(symlinkat("../canary", tree.fd, "in/link") == 0 && symlinkat("../out", tree.fd, "in/dirlink") == 0 &&
	     symlinkat("/tmp", tree.fd, "in/abs") == 0 && symlinkat("file", tree.fd, "in/x") == 0);
}

static void map_one(struct gyve_filemap *map, const char *host, const char *rest)
{
	char spec[256];

	snprintf(spec, sizeof(spec), "%s/%s:%s", tree.path, host, rest);
	must(gyve_filemap_add(map, spec, NULL) == 0);
}

static struct gyve_filemap *make_map(void)
{
	struct gyve_filemap *map;

	must(gyve_filemap_create(&map) == 0);
	map_one(map, "in", "/root");
	map_one(map, "ro", "/ro:ro");
	map_one(map, "one", "/etc/one");
	map_one(map, "born", "/etc/born");
	must(gyve_filemap_add_memory(map, "etc/virtual", "virtual text", 12, NULL) == 0);
	return map;
}

static void check_tree(void)
{
	must(tree_holds(&tree, "canary", "alive") && tree_holds(&tree, "out/canary", "alive") &&
	     tree_holds(&tree, "ro/file", "read only"));
	must(!tree_exists(&tree, "out/x") && !tree_exists(&tree, "x") && !tree_exists(&tree, "ro/x"));
}

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

#define PICK(list) ((list)[random64() % GYVE_ARRAY_SIZE(list)])

static uint8_t *arena(uint64_t offset, uint64_t len)
{
	return boot_ptr(&b, b.layout.ram_gpa + ARENA + offset, len);
}

static uint64_t address(void)
{
	static const uint64_t odd[] = {0,          RAM,   RAM - 1, RAM - 64,  UINT64_MAX, UINT64_MAX - 7,
				       1ull << 63, 0xfff, 0x3fff,  0x40000000};

	return random64() % 8 ? b.layout.ram_gpa + ARENA + random64() % ARENA_LEN
			      : (random64() % 2 ? b.layout.ram_gpa : 0) + PICK(odd);
}

static uint64_t length(void)
{
	static const uint64_t odd[] = {0,          1,  4096, 1 << 20, 1ull << 31, 1ull << 32, UINT64_MAX, UINT64_MAX - 4095,
				       1ull << 63, RAM};

	return random64() % 16 ? random64() % 3000 : PICK(odd);
}

static uint64_t descriptor(void)
{
	static const uint64_t odd[] = {0, 1, 2, 42, 0xffffffff, 0x7fffffff, 0x80000000};

	return random64() % 4 ? (uint64_t)last_fd - random64() % 8 : PICK(odd);
}

static uint64_t path(void)
{
	static const char *const parts[] = {"root", "..",      ".",    "/",       "canary", "tmp", "etc", "one",
					    "link", "dirlink", "abs",  "sub",     "x",      "x",   "//",  "out",
					    "\xff", "ro",      "born", "virtual", "new",    "file"};
	uint64_t at = random64() % (ARENA_LEN - 256);
	uint8_t *p = arena(at, 256);

	if (random64() % 2)
		p = (uint8_t *)mempcpy(p, "/root", 5);
	for (uint64_t n = random64() % 6; n; n--) {
		*p++ = '/';
		p = (uint8_t *)stpcpy((char *)p, PICK(parts));
	}
	if (random64() % 32)
		*p = 0;
	return b.layout.ram_gpa + ARENA + at;
}

static uint64_t word(void)
{
	switch (random64() % 6) {
	case 0:
		return address();
	case 1:
		return length();
	case 2:
		return descriptor();
	case 3:
		return path();
	case 4:
		return random64() & 0203303; /* flags that open knows */
	default:
		return random64();
	}
}

static void make_call(uint16_t number, uint64_t arg)
{
	enum gyve_access_result r;
	uint32_t v;

	b.err.text[0] = '\0';
	b.nout = 0;
	if (b.layout.arch == GYVE_AARCH64) {
		b.regs.a64.x[8] = arg;
		r = boot_store(&b, b.layout.ram_gpa + number, arg);
	} else {
		b.regs.x86.gpr[GYVE_RDI] = arg;
		r = number == 0x1040 ? boot_in(&b, number, 4, &v) : boot_out(&b, number, (uint32_t)arg, 4);
	}
	must(r != GYVE_ACCESS_CRASH || b.err.text[0] != '\0');
}

/* Packed and 8-byte layouts alike: what a call takes for a path or a length is likely to be one. */
static void generated_call(void)
{
	static const uint16_t v1[] = {0x400, 0x440, 0x480, 0x500, 0x580, 0x840, 0x880, 0x740, 0x780};
	static const uint16_t v2[] = {0x1030, 0x1050, 0x1100, 0x1110, 0x1120, 0x1130,
				      0x1140, 0x1150, 0x1160, 0x1170, 0x1180, 0x1190};
	uint16_t number = random64() % 3 ? PICK(v2) : random64() % 16 ? PICK(v1) : (uint16_t)random64();
	uint64_t at = random64() % (ARENA_LEN - 64) & ~UINT64_C(7), w[6];
	uint32_t fd = (uint32_t)descriptor();

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(w); i++)
		w[i] = word();
	switch (number) {
	case 0x440:
	case 0x1110:
		w[0] = path();
		w[1] = (random64() & 0203303) | 0700ull << 32;
		break;
	case 0x840:
	case 0x1150:
	case 0x1170:
	case 0x1190:
		w[0] = path();
		w[1] = random64() % 3;
		w[2] = address();
		break;
	case 0x1100:
	case 0x1130:
		w[0] = length();
		w[2] = address();
		w[3] = fd;
		break;
	case 0x1160:
	case 0x1180:
		w[0] = fd;
		w[1] = address();
		w[2] = length();
		break;
	case 0x480:
	case 0x1120:
		w[0] = fd;
		break;
	}
	memcpy(arena(at, sizeof(w)), w, sizeof(w));
	if (number == 0x400 || number == 0x500) {
		uint64_t buf = address(), len = length();
		memcpy(arena(at, 4), &fd, 4);
		memcpy(arena(at + 4, 8), &buf, 8);
		memcpy(arena(at + 12, 8), &len, 8);
	}
	make_call(number, random64() % 32 ? b.layout.ram_gpa + ARENA + at : address());
	if (number == 0x440 || number == 0x1110) {
		int32_t got;
		memcpy(&got, arena(at + 16, 4), 4);
		if (got > last_fd && got <= last_fd + 16)
			last_fd = got;
	}
}

/* One record; its length, 0 at the end. */
static size_t record(const uint8_t *p, size_t size)
{
	uint16_t offset, count;
	uint64_t arg;

	if (size >= 4 && p[0] == 0) {
		memcpy(&offset, p + 1, 2);
		size_t n = size - 4 < p[3] ? size - 4 : p[3];
		memcpy(arena(offset, 512), p + 4, n);
		return 4 + n;
	}
	if (size < 11 || p[0] > 2)
		return 0;
	if (p[0] == 1) {
		memcpy(&offset, p + 1, 2);
		memcpy(&arg, p + 3, 8);
		make_call(offset, arg < ARENA_LEN ? b.layout.ram_gpa + ARENA + arg : arg);
	} else {
		memcpy(&seed, p + 1, 8);
		memcpy(&count, p + 9, 2);
		seed |= 1;
		while (count--)
			generated_call();
	}
	return 11;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct elf_build file;
	struct gyve_filemap *map;
	size_t n;

	if (size < 1)
		return 0;
	if (!tree.path[0])
		atexit(remove_made);
	else
		tree_remove(&tree);
	must(tree_make(&tree) == 0);
	fill_tree();
	map = make_map();
	memset(&b, 0, sizeof(b));
	b.params = (struct gyve_boot_params){.path = "image", .files = map, .no_input = true};
	char tmp[128];
	snprintf(tmp, sizeof(tmp), "%s/tmp", tree.path);
	b.params.tempdir = tmp;
	b.wanted = true; /* nothing is waited for */
	hostfs_without_openat2(data[0] & 2);
	elf_build_hermit(&file, &(struct hermit_image){
					.machine = data[0] & 1 ? EM_AARCH64 : EM_X86_64, .entry_version = 4, .minor = 11});
	must(boot_start(&b, &gyve_platform_hermit, file.data, file.size) == 0);
	boot_cpu(&b, 0);
	last_fd = 3;
	data++, size--;
	while ((n = record(data, size)) > 0)
		data += n, size -= n;
	boot_end(&b);
	gyve_filemap_destroy(map);
	check_tree();
	must(tree_exists(&tree, "tmp") && unlinkat(tree.fd, "tmp", AT_REMOVEDIR) == 0); /* empty again */
	return 0;
}
