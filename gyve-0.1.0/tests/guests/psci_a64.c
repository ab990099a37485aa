/* Turns the machine off, or has it reset, as Linux does. */
#include "guest.h"

#ifndef FUNCTION
#define FUNCTION 0x84000008 /* SYSTEM_OFF; 9: SYSTEM_RESET */
#endif

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	put_text("off\n");
	register uint64_t function __asm__("x0") = FUNCTION;
	__asm__ volatile("hvc #0" : "+r"(function) : : "memory");
	return 1;
}
