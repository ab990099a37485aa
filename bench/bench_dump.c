/* Dumps: what writing, opening, reading and searching cost. bench_dump DIRECTORY: rows "what|number|peer|goal". */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gyve/core.h"
#include "gyve/search.h"

static struct gyve_regs regs;
static char path[2048], other[2048];

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const struct gyve_regs *get_regs(void *ctx, unsigned cpu)
{
	(void)ctx, (void)cpu;
	return &regs;
}

static void must(int ret, const struct gyve_err *err)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "bench_dump: %s\n", err->text);
	exit(1);
}

static void write_dump(uint8_t *ram, uint64_t len, double *seconds)
{
	struct gyve_memmap map;
	struct gyve_core_info info = {0};
	struct gyve_err err;
	struct gyve_core_result res;

	gyve_memmap_init(&map);
	gyve_memmap_add(&map, 0, len, ram, GYVE_REGION_RAM, "ram");
	struct gyve_core_source src = {&gyve_arch_x86_64, 1, get_regs, NULL, NULL, gyve_memmap_mem(&map), &map, &info};
	unlink(path);
	double start = now();
	must(gyve_core_write(path, &src, NULL, &res, &err), &err);
	*seconds = now() - start;
	gyve_memmap_deinit(&map);
}

static uint8_t *memory(uint64_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	return p;
}

static void fill(uint8_t *p, uint64_t len)
{
	uint64_t x = 88172645463325252;

	for (uint64_t i = 0; i < len; i += 8) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		memcpy(p + i, &x, 8);
	}
}

static double best(double a, double b)
{
	return !a || b < a ? b : a;
}

/* The same bytes copied by cp, both synced; the better of three each. */
static void bench_write(void)
{
	enum { LEN = 512 << 20 };
	uint8_t *ram = memory(LEN);
	double mine = 0, cp = 0, t;
	char command[9000];

	fill(ram, LEN);
	for (int i = 0; i < 3; i++) {
		write_dump(ram, LEN, &t);
		mine = best(mine, t);
		snprintf(command, sizeof(command), "rm -f '%s'; cp --reflink=never '%s' '%s' && sync '%s'", other, path, other,
			 other);
		t = now();
		if (system(command) != 0)
			exit(1);
		cp = best(cp, now() - t);
	}
	unlink(other);
	printf("writing 512 MiB of dump, MB/s|%.0f|%.0f|0.9 of cp (%.2f)\n", LEN / mine / 1e6, LEN / cp / 1e6, cp / mine);
	munmap(ram, LEN);
}

static void bench_sparse(void)
{
	uint64_t small = 64 << 20, huge = UINT64_C(1) << 40;
	uint8_t *a = memory(small), *b = memory(huge);
	double alone = 0, sparse = 0, t;

	fill(a, small);
	for (unsigned i = 0; i < 64; i++)
		fill(b + i * (huge / 64), 1 << 20);
	for (int i = 0; i < 3; i++) {
		write_dump(a, small, &t);
		alone = best(alone, t);
		write_dump(b, huge, &t);
		sparse = best(sparse, t);
	}
	printf("1 TiB guest with 64 MiB resident, s|%.3f|%.3f|as 64 MiB alone\n", sparse, alone);
	munmap(a, small);
	munmap(b, huge);
}

static void bench_open(void)
{
	uint64_t len = UINT64_C(100) << 30;
	uint8_t *ram = memory(len);
	struct gyve_core *core;
	struct gyve_err err;
	double t, open = 0;

	for (unsigned i = 0; i < 100; i++)
		ram[(uint64_t)i << 30] = 1;
	write_dump(ram, len, &t);
	munmap(ram, len);
	for (int i = 0; i < 3; i++) {
		t = now();
		must(gyve_core_open(&core, path, NULL, &err), &err);
		open = best(open, now() - t);
		gyve_core_close(core);
	}
	printf("opening a dump of 100 GiB, ms|%.2f|-|50\n", open * 1e3);
}

/* A mebibyte at a time, beside memcpy. */
static void bench_linear(struct gyve_core *core, const struct gyve_mmu *mmu, const uint8_t *ram, uint64_t len)
{
	uint8_t *buf = malloc(1 << 20);
	double mine = 0, copy = 0, t;

	for (int k = 0; k < 3; k++) {
		t = now();
		for (uint64_t at = 0; at < len; at += 1 << 20)
			gyve_virt_read(mmu, &core->phys, at, buf, 1 << 20, NULL);
		mine = best(mine, now() - t);
		t = now();
		for (uint64_t at = 0; at < len; at += 1 << 20) {
			memcpy(buf, ram + at, 1 << 20);
			__asm__ volatile("" : : "r"(buf) : "memory");
		}
		copy = best(copy, now() - t);
	}
	printf("linear by virtual address, GB/s|%.1f|%.1f|memcpy\n", (double)len / mine / 1e9, (double)len / copy / 1e9);
	free(buf);
}

/* 2 MiB pages over 256 MiB. */
static void bench_read(void)
{
	enum { LEN = 256 << 20, READS = 2000000 };
	uint8_t *ram = memory(LEN);
	struct gyve_core *core;
	struct gyve_mmu mmu;
	struct gyve_err err;
	uint64_t e, v, sum = 0;
	double t, ns = 0;

	fill(ram, LEN);
	memset(ram + 0x1000, 0, 0x3000);
	e = 0x2003, memcpy(ram + 0x1000, &e, 8);
	e = 0x3003, memcpy(ram + 0x2000, &e, 8);
	for (uint64_t i = 0; i < 128; i++)
		e = i << 21 | 0x83, memcpy(ram + 0x3000 + 8 * i, &e, 8);
	regs.x86.cr0 = 0x80000001;
	regs.x86.cr3 = 0x1000;
	regs.x86.cr4 = 0x20;
	regs.x86.efer = 0x500;
	write_dump(ram, LEN, &t);
	must(gyve_core_open(&core, path, NULL, &err), &err);
	gyve_mmu_from_regs(&mmu, &core->regs[0]);
	for (int k = 0; k < 5; k++) {
		t = now();
		for (uint64_t i = 0; i < READS; i++) {
			gyve_virt_read(&mmu, &core->phys, (i * 4096 & 0xfffff) + 64, &v, 8, NULL);
			sum += v;
		}
		ns = best(ns, (now() - t) * 1e9 / READS);
	}
	printf("8 bytes by virtual address, ns|%.1f|-|100\n", ns);
	bench_linear(core, &mmu, ram, LEN);
	static const char *const what[] = {"text", "bytes with ??", "u64 in a range"};
	for (unsigned w = 0; w < 3; w++) {
		struct gyve_search s;
		double best_t = 0;
		must(w == 0   ? gyve_search_string(&s, "not in there", &err)
		     : w == 1 ? gyve_search_hex(&s, "4889e5??c3909090", &err)
			      : gyve_search_number(&s, 8, "0xffff800000000000-0xffff800000000010", &err),
		     &err);
		for (int k = 0; k < 3; k++) {
			uint64_t len = LEN;
			const uint8_t *p = gyve_core_ptr(core, 0, &len);
			t = now();
			for (size_t at = 0; (at = gyve_search_next(&s, p, len, at)) < len; at++)
				sum++;
			best_t = best(best_t, now() - t);
		}
		printf("search for %s, GB/s|%.1f|-|4\n", what[w], LEN / best_t / 1e9);
	}
	gyve_core_close(core);
	munmap(ram, LEN);
	if (sum == 1)
		puts("");
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	snprintf(path, sizeof(path), "%s/bench.core", argv[1]);
	snprintf(other, sizeof(other), "%s/bench.copy", argv[1]);
	regs.arch = GYVE_X86_64;
	regs.valid = GYVE_REGS_GPR | GYVE_REGS_SYS;
	bench_write();
	bench_sparse();
	bench_open();
	bench_read();
	unlink(path);
	return 0;
}
