/* Builds page tables of its own (GRANULE: 12, 14 or 16 address bits a page) for both halves of the address space and moves to
 * them: blocks, a contiguous run, a read-only page high up, holes. Then the processor itself says where addresses lead (AT). */
#include "tables_a64.h"
#include "vectors_a64.h"

#define PAGES_AT 0x80000000ull
#define PAGES_PA 0x42000000ull

uint64_t page[PAGE / 8] __attribute__((aligned(PAGE)));
volatile uint64_t seen;

/* What gdb compares. */
#define COUNT 14
uint64_t va[COUNT] = {0x40200123,
		      0x09000000,
		      HIGH + 0x40200123,
		      PAGES_AT,
		      PAGES_AT + 5 * PAGE + 8,
		      PAGES_AT + RUN *PAGE - 1,
		      PAGES_AT + RUN *PAGE,
		      HIGH + PAGES_AT + 0x10,
		      HIGH + PAGES_AT + PAGE,
		      0x190000000,
		      HIGH + 0x190000000,
		      0x0001000000000000,
		      HIGH - 8,
		      0x43fff000};
uint64_t par[COUNT];

void on_exception(uint64_t vector)
{
	exit_guest((int)(100 + vector));
}

static void build(uint64_t *low, uint64_t *high)
{
	map(low, 0x09000000, (0x09000000 & ~(BLOCK - 1)) | DEVICE, 2);
	for (uint64_t a = 0x40000000; a < 0x44000000; a += BLOCK) {
		map(low, a, a | NORMAL, 2);
		map(high, HIGH + a, a | NORMAL, 2);
	}
	for (uint64_t i = 0; i < RUN; i++)
		map(low, PAGES_AT + i * PAGE, (PAGES_PA + i * PAGE) | NORMAL | 1ull << CONTIGUOUS, 3);
	map(high, HIGH + PAGES_AT, (uint64_t)page | NORMAL | READONLY | 3ull << NO_EXEC, 3);
}

static void ask(void)
{
	for (unsigned i = 0; i < COUNT; i++) {
		__asm__ volatile("at s1e1r, %0\n\tisb" : : "r"(va[i]) : "memory");
		par[i] = READ_REG(par_el1);
	}
}

static void mapped(void)
{
	seen = *(volatile uint64_t *)(HIGH + PAGES_AT + 8);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	uint64_t *low = pool[used++], *high = pool[used++];

	(void)ncpus;
	if (cpu != 0)
		halt();
	set_vectors();
	page[1] = 0x1122334455667788;
	build(low, high);
	move(low, high);
	ask();
	mapped();
	put_text("moved to own tables\n");
	return seen == page[1] ? 0 : 1;
}
