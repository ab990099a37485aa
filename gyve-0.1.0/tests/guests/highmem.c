/* With GIBS GiB of memory: a word of every STEP bytes of what lies behind the gap for devices, and the last word below the gap,
 * by page directories of our own. */
#include "guest.h"

#define GIB (1ull << 30)
#ifndef GIBS
#define GIBS 4
#define STEP (GIB - 8)
#endif

static uint64_t directory[512] __attribute__((aligned(4096)));
#if GIBS > 4
static uint64_t more[GIBS - 4][512] __attribute__((aligned(4096)));
#endif

static int holds(uint64_t gpa, uint64_t value)
{
	volatile uint64_t *p = (volatile uint64_t *)gpa;

	if (*p)
		return 0;
	*p = value;
	return *p == value;
}

static int part(uint64_t from, uint64_t to)
{
	for (uint64_t a = from; a < to; a += STEP)
		if (!holds(a, a + 1))
			return 0;
	for (uint64_t a = from; a < to; a += STEP)
		if (*(volatile uint64_t *)a != a + 1)
			return 0;
	return 1;
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	uint64_t root, end = (GIBS + 1) * GIB;

	(void)cpu, (void)ncpus;
	__asm__ volatile("mov %%cr3, %0" : "=r"(root));
	for (uint64_t i = 0; i < 512; i++)
		directory[i] = (4 * GIB + (i << 21)) | 0x83;
	((volatile uint64_t *)(root + 0x1000))[4] = (uint64_t)directory | 3;
#if GIBS > 4
	for (uint64_t n = 0; n < GIBS - 4; n++) {
		for (uint64_t i = 0; i < 512; i++)
			more[n][i] = ((5 + n) * GIB + (i << 21)) | 0x83;
		((volatile uint64_t *)(root + 0x1000))[5 + n] = (uint64_t)more[n] | 3;
	}
	if (!part(16 << 20, 3 * GIB - 8))
		return 3;
#endif
	load_cr3(root);
	if (!holds(3 * GIB - 8, 1) || !part(4 * GIB, end))
		return 1;
	put_text("all there\n");
	return *(volatile uint64_t *)(3 * GIB - 8) == 1 ? 0 : 2;
}
