/* The guest's own BRKs: with its own handler they are its business, debugger or not. */
#include "vectors_a64.h"

volatile uint64_t taken, immediates;

void on_exception(uint64_t vector)
{
	uint64_t esr = READ_REG(esr_el1);

	if (vector != 4 || esr >> 26 != 0x3c)
		exit_guest(3);
	taken = taken + 1;
	immediates = immediates + (esr & 0xffff);
	WRITE_REG(elr_el1, READ_REG(elr_el1) + 4);
}

static void own_breakpoint(void)
{
	__asm__ volatile("nop\n\tbrk #7");
}

static void after(void)
{
	put_text("brk handled ");
	put_number(taken);
	put_text(" times\n");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	set_vectors();
	for (int i = 0; i < 3; i++)
		own_breakpoint();
	after();
	return taken == 3 && immediates == 21 ? 0 : 1;
}
