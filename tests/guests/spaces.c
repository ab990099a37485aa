/* Two address spaces. Code at `work` and at LATE is a page of its own in each of them, `shared` is the same page in both; LATE
 * is mapped only when it is wanted. */
#include "guest.h"

#define LATE 0x60000000ull
#define ROUNDS 5

volatile uint64_t in_space, rounds, uses;
uint64_t roots[2], late_pages[2];

__attribute__((noinline, aligned(4096), section(".text.work"))) void work(uint64_t *n)
{
	++*n;
}

/* What is behind is not in that page. */
__attribute__((noinline, aligned(4096), section(".text.work"))) void shared(uint64_t *n)
{
	++*n;
}

__attribute__((noinline)) void ready(void)
{
	rounds = 0;
}

static uint8_t pages[4][4096] __attribute__((aligned(4096)));

#ifdef __aarch64__
#include "tables_a64.h"

static void map_small(unsigned s, uint64_t at, uint64_t to)
{
	map((uint64_t *)roots[s], at, to | NORMAL, 3);
	__asm__ volatile("dsb sy\n\tisb" : : : "memory");
}

static void build(unsigned s)
{
	roots[s] = (uint64_t)pool[used++];
	map((uint64_t *)roots[s], 0x09000000, (0x09000000 & ~(BLOCK - 1)) | DEVICE, 2);
	for (uint64_t a = 0x40000000; a < 0x44000000; a += BLOCK)
		if (a != ((uint64_t)work & ~(BLOCK - 1)))
			map((uint64_t *)roots[s], a, a | NORMAL, 2);
	for (uint64_t a = (uint64_t)work & ~(BLOCK - 1), end = a + BLOCK; a < end; a += PAGE)
		map_small(s, a, a);
}

static void use(unsigned s)
{
	static uint64_t *high;

	uses++;
	in_space = s;
	if (!high) {
		high = pool[used++];
		move((uint64_t *)roots[s], high);
		return;
	}
	__asm__ volatile("msr ttbr0_el1, %0\n\tisb\n\ttlbi vmalle1\n\tdsb sy\n\tic iallu\n\tdsb sy\n\tisb"
			 :
			 : "r"(roots[s])
			 : "memory");
}
#else
#define PRESENT_WRITE 3ull
#define LARGE 0x80ull

static uint64_t tables[2][5][512] __attribute__((aligned(4096)));

static void map_small(unsigned s, uint64_t at, uint64_t to)
{
	uint64_t *pt = at == LATE ? tables[s][4] : tables[s][3];

	pt[at >> 12 & 511] = to | PRESENT_WRITE;
}

static void build(unsigned s)
{
	uint64_t work_at = (uint64_t)work >> 21;

	roots[s] = (uint64_t)tables[s][0];
	tables[s][0][0] = (uint64_t)tables[s][1] | PRESENT_WRITE;
	tables[s][1][0] = (uint64_t)tables[s][2] | PRESENT_WRITE;
	for (uint64_t i = 0; i < 32; i++)
		tables[s][2][i] = i << 21 | PRESENT_WRITE | LARGE;
	tables[s][2][work_at] = (uint64_t)tables[s][3] | PRESENT_WRITE;
	for (uint64_t i = 0; i < 512; i++)
		tables[s][3][i] = work_at << 21 | i << 12 | PRESENT_WRITE;
	/* one table twice: its entry LATE >> 21 leads to itself */
	tables[s][1][LATE >> 30] = (uint64_t)tables[s][4] | PRESENT_WRITE;
	tables[s][4][LATE >> 21 & 511] = (uint64_t)tables[s][4] | PRESENT_WRITE;
}

static void use(unsigned s)
{
	uses++;
	in_space = s;
	load_cr3(roots[s]);
}
#endif

static void copy(uint8_t *to, const void *from)
{
	for (unsigned i = 0; i < 4096; i++)
		to[i] = ((const uint8_t *)from)[i];
	sync_code(to, 4096);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	uint64_t n[2] = {0}, shares = 0, late[2] = {0};

	(void)ncpus;
	if (cpu != 0)
		halt();
	for (unsigned s = 0; s < 2; s++) {
		copy(pages[s], (const void *)work);
		copy(pages[2 + s], (const void *)work);
		late_pages[s] = (uint64_t)pages[2 + s];
		build(s);
		map_small(s, (uint64_t)work, (uint64_t)pages[s]);
	}
	use(0);
	ready();
	for (rounds = 1; rounds <= ROUNDS; rounds++)
		for (unsigned s = 0; s < 2; s++) {
			use(s);
			work(&n[s]);
			shared(&shares);
		}
	for (unsigned s = 0; s < 2; s++) {
		use(s);
		map_small(s, LATE, (uint64_t)pages[2 + s]);
		use(s);
		((void (*)(uint64_t *))LATE)(&late[s]);
	}
	put_text("done\n");
	return n[0] == ROUNDS && n[1] == ROUNDS && shares == 2 * ROUNDS && late[0] == 1 && late[1] == 1 ? 0 : 1;
}
