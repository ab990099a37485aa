/* Builds page tables of its own and moves to them: the first 1 GiB stays identity mapped, one page appears again high up,
 * read-only and no-execute, and one in the middle is taken away. */
#include "guest.h"

#define PRESENT 1ull
#define WRITE 2ull
#define LARGE 0x80ull
#define NO_EXECUTE (1ull << 63)
#define ALIAS 0xffff900000000000ull
#define GONE 0x600000ull /* a large page that is not mapped afterwards */

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t low_pdpt[512] __attribute__((aligned(4096)));
static uint64_t low_pd[512] __attribute__((aligned(4096)));
static uint64_t high_pdpt[512] __attribute__((aligned(4096)));
static uint64_t high_pd[512] __attribute__((aligned(4096)));
static uint64_t high_pt[512] __attribute__((aligned(4096)));
uint64_t page[512] __attribute__((aligned(4096)));
volatile uint64_t seen;

static void build(void)
{
	pml4[0] = (uint64_t)low_pdpt | PRESENT | WRITE;
	low_pdpt[0] = (uint64_t)low_pd | PRESENT | WRITE;
	for (uint64_t i = 0; i < 64; i++)
		if (i != GONE >> 21)
			low_pd[i] = i << 21 | PRESENT | WRITE | LARGE;
	pml4[ALIAS >> 39 & 511] = (uint64_t)high_pdpt | PRESENT | WRITE;
	high_pdpt[ALIAS >> 30 & 511] = (uint64_t)high_pd | PRESENT | WRITE;
	high_pd[ALIAS >> 21 & 511] = (uint64_t)high_pt | PRESENT | WRITE;
	high_pt[ALIAS >> 12 & 511] = (uint64_t)page | PRESENT | NO_EXECUTE;
}

static void mapped(void)
{
	seen = *(volatile uint64_t *)(ALIAS + 8);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	page[1] = 0x1122334455667788;
	build();
	load_cr3((uint64_t)pml4);
	mapped();
	put_text("moved to own tables\n");
	return seen == page[1] ? 0 : 1;
}
