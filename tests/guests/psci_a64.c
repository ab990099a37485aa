/* Turns the machine off as Linux does. */
#include "guest.h"

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	put_text("off\n");
	register uint64_t function __asm__("x0") = 0x84000008; /* SYSTEM_OFF */
	__asm__ volatile("hvc #0" : "+r"(function) : : "memory");
	return 1;
}
