/* An exception, and the vectors are nowhere. */
#include "vectors_a64.h"

void on_exception(uint64_t vector)
{
	(void)vector;
}

static void die(void)
{
	__asm__ volatile("udf #0");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	WRITE_REG(vbar_el1, 0x7000000000);
	put_text("about to crash\n");
	die();
	return 0;
}
