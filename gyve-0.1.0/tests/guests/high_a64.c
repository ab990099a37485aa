/* Start of a sample that runs in the upper half of the address space: page tables of GRANULE, a contiguous run for the program,
 * blocks for the rest. Called before translation is on, at physical addresses. */
#include "tables_a64.h"

#define PROGRAM 0x40200000ull /* physical, as guest_high_a64.ld says */
enum { PROGRAM_LEN = 2 << 20 };

void enter_high(void)
{
	uint64_t *low = pool[used++], *high = pool[used++];

	map(low, 0x09000000, (0x09000000 & ~(BLOCK - 1)) | DEVICE, 2);
	for (uint64_t a = 0x40000000; a < 0x44000000; a += BLOCK)
		map(low, a, a | NORMAL, 2);
	for (uint64_t off = 0; off < PROGRAM_LEN; off += PAGE)
		map(high, HIGH + PROGRAM + off, (PROGRAM + off) | NORMAL | 1ull << CONTIGUOUS, 3);
	map(high, HIGH + 0x80000000, 0x40000000 | NORMAL, 2);
	move(low, high);
}
