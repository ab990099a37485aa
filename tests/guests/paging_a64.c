/* Builds page tables of its own (GRANULE: 12, 14 or 16 address bits a page) for both halves of the address space and moves to
 * them: blocks, a contiguous run, a read-only page high up, holes. Then the processor itself says where addresses lead (AT). */
#include "vectors_a64.h"

#ifndef GRANULE
#define GRANULE 12
#endif
#define PER (GRANULE - 3) /* address bits a level */
#define START (GRANULE == 16 ? 1 : 0)
#define RUN (GRANULE == 12 ? 16 : GRANULE == 14 ? 128 : 32) /* pages of a contiguous run */
#define PAGE (1ull << GRANULE)
#define BLOCK (PAGE << PER)
#define HIGH 0xffff000000000000ull
#define PAGES_AT 0x80000000ull
#define PAGES_PA 0x42000000ull
enum { DEVICE = 0x401, NORMAL = 0x709, READONLY = 0x80, CONTIGUOUS = 52, NO_EXEC = 53 };

static uint64_t pool[16][1 << PER] __attribute__((aligned(PAGE)));
static unsigned used;
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

static unsigned shift(int level)
{
	return GRANULE + (unsigned)(3 - level) * PER;
}

static void map(uint64_t *table, uint64_t at, uint64_t entry, int leaf)
{
	for (int level = START; level <= leaf; level++) {
		uint64_t *e = &table[(at & ~HIGH) >> shift(level) & ((1 << PER) - 1)];
		if (level == leaf)
			*e = entry | (leaf == 3 ? 3 : 1);
		else if (!(*e & 1))
			*e = (uint64_t)pool[used++] | 3;
		table = (uint64_t *)(*e & (HIGH - 1) & ~(PAGE - 1));
	}
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

/* Translation is off meanwhile: the new tables are of another granule. */
static void move(uint64_t *low, uint64_t *high)
{
	static const uint64_t tg0[] = {[12] = 0, [14] = 2, [16] = 1}, tg1[] = {[12] = 2, [14] = 1, [16] = 3};
	uint64_t pa = READ_REG(id_aa64mmfr0_el1) & 7, sctlr = READ_REG(sctlr_el1);
	uint64_t tcr = 0x35103510 | tg0[GRANULE] << 14 | tg1[GRANULE] << 30 | (pa > 5 ? 5 : pa) << 32;

	__asm__ volatile("dsb sy\n"
			 "	msr sctlr_el1, %[off]\n"
			 "	isb\n"
			 "	msr tcr_el1, %[tcr]\n"
			 "	msr ttbr0_el1, %[low]\n"
			 "	msr ttbr1_el1, %[high]\n"
			 "	isb\n"
			 "	tlbi vmalle1\n"
			 "	dsb sy\n"
			 "	isb\n"
			 "	msr sctlr_el1, %[on]\n"
			 "	isb"
			 :
			 : [off] "r"(sctlr & ~5ull), [on] "r"(sctlr), [tcr] "r"(tcr), [low] "r"(low), [high] "r"(high)
			 : "memory");
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
