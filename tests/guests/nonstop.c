/* Every vCPU counts for itself until it is told to finish; then vCPU 0 ends the guest. For stopping them one by one. */
#include "guest.h"

volatile uint64_t counts[8], finish;

__attribute__((noinline)) void work(uint64_t cpu)
{
	uint64_t n = counts[cpu];

	n = n + 1;
	counts[cpu] = n;
}

__attribute__((noinline)) void rare(uint64_t cpu)
{
	work(cpu);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	take_interrupts();
	while (!finish) {
		work(cpu);
		if (counts[cpu] % 256 == 0)
			rare(cpu);
	}
	if (cpu != 0)
		halt();
	return 7;
}
