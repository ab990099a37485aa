/* The guest's own INT3s: with its own handler they are its business, debugger or not. */
#include "idt.h"

volatile uint64_t taken;

__attribute__((interrupt)) static void on_bp(struct frame *f)
{
	(void)f;
	taken = taken + 1;
}

static void own_breakpoint(void)
{
	__asm__ volatile("int3");
}

static void after(void)
{
	put_text("int3 handled ");
	put_number(taken);
	put_text(" times\n");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	idt_set(3, on_bp);
	idt_load();
	for (int i = 0; i < 3; i++)
		own_breakpoint();
	after();
	return taken == 3 ? 0 : 1;
}
