/* Nanoseconds per warm translation of both walkers through the memory map, median of runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gyve/walk.h"

enum { RUNS = 15, WALKS = 400000, MEM = 1 << 20 };

static _Alignas(4096) uint8_t ram[MEM];

static void put(uint64_t at, uint64_t v)
{
	memcpy(ram + at, &v, 8);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void measure(const char *name, const struct gyve_mmu *mmu, const struct gyve_mem *phys)
{
	double ns[RUNS];
	uint64_t sum = 0;

	for (int r = 0; r < RUNS; r++) {
		double start = now();
		for (uint64_t i = 0; i < WALKS; i++) {
			struct gyve_walk w;
			if (gyve_walk(mmu, phys, (i & 15) << 12 | 8, &w) < 0)
				exit(1);
			sum += w.gpa;
		}
		ns[r] = (now() - start) / WALKS;
	}
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	printf("%s %.1f\n", name, ns[RUNS / 2]);
	if (!sum)
		exit(1);
}

int main(void)
{
	struct gyve_mmu x86 = {.arch = GYVE_X86_64, .x86 = {.cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00}};
	struct gyve_mmu a64 = {.arch = GYVE_AARCH64, .a64 = {.sctlr = 1, .tcr = 16 | UINT64_C(5) << 32, .ttbr0 = 0x11000}};
	struct gyve_memmap map;

	gyve_memmap_init(&map);
	if (gyve_memmap_add(&map, 0, MEM, ram, GYVE_REGION_RAM, "ram") < 0)
		return 1;
	struct gyve_mem phys = gyve_memmap_mem(&map);
	for (uint64_t level = 1; level < 4; level++) {
		put(level << 12, (level + 1) << 12 | 3);
		put(0x10000 | level << 12, 0x10003 | (level + 1) << 12);
	}
	for (uint64_t i = 0; i < 16; i++) {
		put(0x4000 + 8 * i, i << 12 | 0x23);
		put(0x14000 + 8 * i, i << 12 | 0x703);
	}
	measure("x86_64", &x86, &phys);
	measure("aarch64", &a64, &phys);
	gyve_memmap_deinit(&map);
	return 0;
}
