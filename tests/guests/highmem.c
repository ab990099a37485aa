/* With 4 GiB of memory: the last word below the gap and both ends of what lies behind it, by a page directory of our own. */
#include "guest.h"

#define GIB (1ull << 30)

static uint64_t directory[512] __attribute__((aligned(4096)));

static int holds(uint64_t gpa, uint64_t value)
{
	volatile uint64_t *p = (volatile uint64_t *)gpa;

	if (*p)
		return 0;
	*p = value;
	return *p == value;
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	uint64_t root;

	(void)cpu, (void)ncpus;
	__asm__ volatile("mov %%cr3, %0" : "=r"(root));
	for (uint64_t i = 0; i < 512; i++)
		directory[i] = (4 * GIB + (i << 21)) | 0x83;
	((volatile uint64_t *)(root + 0x1000))[4] = (uint64_t)directory | 3;
	load_cr3(root);
	if (!holds(3 * GIB - 8, 1) || !holds(4 * GIB, 2) || !holds(5 * GIB - 8, 3))
		return 1;
	put_text("all there\n");
	return *(volatile uint64_t *)(3 * GIB - 8) == 1 ? 0 : 2;
}
