/* Looks at its own code, as a kernel does before it patches itself: are the functions still what the compiler made of them? */
#include "guest.h"

#define SAME(name)                                    \
	__attribute__((noinline)) unsigned name(void) \
	{                                             \
		return 7;                             \
	}
SAME(a1)
SAME(a2)
SAME(a3)
SAME(a4)
SAME(a5)
SAME(as_made)

static unsigned (*const all[])(void) = {a1, a2, a3, a4, a5};

__attribute__((noinline)) static unsigned changed(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 5; i++) {
		const volatile uint8_t *is = (const volatile uint8_t *)(uintptr_t)all[i];
		const volatile uint8_t *was = (const volatile uint8_t *)(uintptr_t)as_made;
		unsigned differ = 0;
		for (unsigned k = 0; k < 8; k++)
			differ |= is[k] != was[k];
		n += differ;
	}
	return n;
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu)
		return 0;
	for (unsigned round = 0; round < 2; round++) {
		unsigned sum = 0;
		for (unsigned i = 0; i < 5; i++)
			sum += all[i]();
		put_text("sum ");
		put_number(sum);
		put_text(", changed ");
		put_number(changed());
		put_text("\n");
	}
	return 0;
}
