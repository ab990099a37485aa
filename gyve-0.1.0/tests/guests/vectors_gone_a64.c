/* An exception, and the vectors are nowhere, or (STACK_GONE) the stack is where they would save registers. */
#include "vectors_a64.h"

void on_exception(uint64_t vector)
{
	(void)vector;
}

static void die(void)
{
#ifdef STACK_GONE
	__asm__ volatile("mov sp, %0" : : "r"(0x7000000000));
#endif
	__asm__ volatile("udf #0");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
#ifndef STACK_GONE
	WRITE_REG(vbar_el1, 0x7000000000);
#else
	set_vectors();
#endif
	put_text("about to crash\n");
	die();
	return 0;
}
