/* Page tables of a granule (GRANULE: 12, 14 or 16 address bits a page) with 48 bits of address for both halves. */
#ifndef TABLES_A64_H
#define TABLES_A64_H
#include "guest.h"

#ifndef GRANULE
#define GRANULE 12
#endif
#define PER (GRANULE - 3) /* address bits a level */
#define START (GRANULE == 16 ? 1 : 0)
#define RUN (GRANULE == 12 ? 16 : GRANULE == 14 ? 128 : 32) /* pages of a contiguous run */
#define PAGE (1ull << GRANULE)
#define BLOCK (PAGE << PER)
#define HIGH 0xffff000000000000ull
enum { DEVICE = 0x401, NORMAL = 0x709, READONLY = 0x80, CONTIGUOUS = 52, NO_EXEC = 53 };

static uint64_t pool[16][1 << PER] __attribute__((aligned(PAGE)));
static unsigned used;

static inline unsigned shift(int level)
{
	return GRANULE + (unsigned)(3 - level) * PER;
}

/* entry: address and attributes; leaf: the level it stands at. */
static inline void map(uint64_t *table, uint64_t at, uint64_t entry, int leaf)
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

/* Translation is off meanwhile: the new tables may be of another granule. */
static inline void move(uint64_t *low, uint64_t *high)
{
	static const uint8_t tg0[] = {[12] = 0, [14] = 2, [16] = 1}, tg1[] = {[12] = 2, [14] = 1, [16] = 3};
	uint64_t pa = READ_REG(id_aa64mmfr0_el1) & 7, sctlr = READ_REG(sctlr_el1);
	uint64_t tcr = 0x35103510 | (uint64_t)tg0[GRANULE] << 14 | (uint64_t)tg1[GRANULE] << 30 | (pa > 5 ? 5 : pa) << 32;

	__asm__ volatile("dsb sy\n"
			 "	msr sctlr_el1, %[off]\n"
			 "	isb\n"
			 "	msr mair_el1, %[mair]\n"
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
			 : [off] "r"(sctlr & ~5ull), [on] "r"(sctlr | 0x1005), [mair] "r"(0xff4400ull), [tcr] "r"(tcr),
			   [low] "r"(low), [high] "r"(high)
			 : "memory");
}
#endif
