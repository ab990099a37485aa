/* Exits with 42. */
#include "guest.h"

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	return 42;
}
