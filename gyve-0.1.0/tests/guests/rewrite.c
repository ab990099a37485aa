/* Writes a function's code again (from a copy) before it calls it: breakpoints in it must survive that. */
#include "guest.h"

static uint8_t copy[256];
volatile int calls;

__attribute__((noinline, aligned(16))) int target(int n)
{
	calls = calls + 1;
	return n + 1;
}
void target_end(void) {}

static void rewrite(void)
{
	volatile uint8_t *code = (volatile uint8_t *)&target;
	uint64_t len = (uint64_t)&target_end - (uint64_t)&target;

	for (uint64_t i = 0; i < len && i < sizeof(copy); i++)
		copy[i] = code[i];
	for (uint64_t i = 0; i < len && i < sizeof(copy); i++)
		code[i] = 0x90; /* x86_64: NOP */
	for (uint64_t i = 0; i < len && i < sizeof(copy); i++)
		code[i] = copy[i];
	sync_code(code, len);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	int n;

	(void)ncpus;
	if (cpu != 0)
		halt();
	rewrite();
	n = target(1);
	return n == 2 && calls == 1 ? 0 : 1;
}
