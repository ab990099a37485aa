/* Never ends: a busy loop, or (HALTED) a halt that no interrupt ends. For Ctrl-C and for kill. */
#include "guest.h"

volatile uint64_t ticks;

#ifdef HALTED
int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)cpu, (void)ncpus;
	ticks = ticks + 1;
	halt();
}
#else
static void spin(void)
{
	for (;;)
		ticks = ticks + 1;
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)cpu, (void)ncpus;
	take_interrupts();
	spin();
	return 0;
}
#endif
