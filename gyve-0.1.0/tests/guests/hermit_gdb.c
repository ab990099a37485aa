/* Nothing here is as it should be until a debugger has put it right: a local variable, a floating-point one, a register. Exit
 * code: how much is wrong. */
#include "hermit.h"

static volatile int counted, looked_at;

/* What is in the argument's register (rcx, x1) comes back in the result's (rax, x0). */
static uint64_t pass_on(void)
{
	uint64_t result;

#ifdef __aarch64__
	register uint64_t from __asm__("x1") = 0;
	register uint64_t to __asm__("x0");
	__asm__ volatile("	.globl passing\npassing:	mov x0, x1" : "=r"(to) : "r"(from));
	result = to;
#else
	__asm__ volatile("	.globl passing\npassing:	movq %%rcx, %%rax" : "=a"(result) : "c"(0ull));
#endif
	return result;
}

int kmain(int nwords, char **words)
{
	volatile int x = 0;
	volatile float f = 0;
	uint64_t y;
	int wrong = 0;

	(void)nwords, (void)words;
	x = 5;
	f = 3.5f;
	wrong += x != 6;
	wrong += *(volatile uint32_t *)&f != 0x40900000; /* 4.5 */
	y = pass_on();
	wrong += y != 5;
	counted = 2;
	counted = 3;
	looked_at = counted;
	wrong += looked_at != 3;
	return wrong;
}
