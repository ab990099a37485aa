/* Every vCPU runs through hot() until all of them together did it `total` times; then vCPU 0 compares and exits. */
#include "guest.h"

volatile uint64_t total = 10000; /* a debugger may change it before the first instruction */
uint64_t hits, done;

__attribute__((noinline)) void hot(uint64_t cpu)
{
	(void)cpu;
	fetch_add(&hits, 1);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	uint64_t rounds = total / ncpus;

	take_interrupts();
	for (uint64_t i = 0; i < rounds; i++)
		hot(cpu);
	fetch_add(&done, 1);
	if (cpu != 0)
		halt();
	while (*(volatile uint64_t *)&done != ncpus)
		pause();
	put_text("hits ");
	put_number(hits);
	put_text("\n");
	return hits == rounds * ncpus ? 0 : 1;
}
