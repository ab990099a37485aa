/* Enables all that XCR0 has of SSE, AVX, AVX-512 and protection keys here, for a debugger that looks at the registers. */
#include "guest.h"

volatile uint64_t enabled;

static void held(void)
{
	__asm__ volatile("nop; nop; nop; nop");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	uint32_t a = 1, b, c = 0, d;
	uint64_t cr4;

	(void)ncpus;
	if (cpu != 0)
		halt();
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c >> 26 & 1)) {
		put_text("no XSAVE\n");
		return 0;
	}
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | 1u << 18));
	a = 0xd;
	c = 0;
	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	enabled = a & 0x2e7;
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)enabled), "d"(0));
	held();
	put_text("done\n");
	return 0;
}
