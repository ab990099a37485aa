/* Vectors of whatever length the processor has: a debugger changes one element, and the sum shows it. */
#include "guest.h"

volatile uint64_t length, sum;

static void loaded(void)
{
	__asm__ volatile("nop");
}

static void added(void)
{
	put_text("added\n");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	uint64_t n, total;

	(void)ncpus;
	if (cpu != 0)
		halt();
	__asm__ volatile(".arch_extension sve\n"
			 "	msr cpacr_el1, %1\n"
			 "	isb\n"
			 "	msr S3_0_C1_C2_0, %2\n" /* ZCR_EL1: the longest */
			 "	isb\n"
			 "	rdvl %0, #1\n"
			 "	ptrue p0.d\n"
			 "	ptrue p1.b\n"
			 "	setffr\n"
			 "	index z0.d, #1, #2\n"
			 "	dup z1.b, #7\n"
			 : "=r"(n)
			 : "r"(READ_REG(cpacr_el1) | 3 << 16), "r"(15ul));
	length = n;
	loaded();
	__asm__ volatile(".arch_extension sve\n"
			 "	uaddv d2, p0, z0.d\n"
			 "	fmov %0, d2"
			 : "=r"(total));
	sum = total;
	added();
	return 0;
}
