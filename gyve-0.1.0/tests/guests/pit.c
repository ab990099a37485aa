/* Does counter 0 of an interval timer count? */
#include "guest.h"

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static unsigned latched(void)
{
	outb(0x43, 0x00);
	unsigned low = inb(0x40);
	return low | (unsigned)inb(0x40) << 8;
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	unsigned first;

	(void)cpu, (void)ncpus;
	outb(0x43, 0x34); /* counter 0, low and high byte, rate generator */
	outb(0x40, 0xff);
	outb(0x40, 0xff);
	first = latched();
	for (int i = 0; i < 1000; i++)
		if (latched() != first) {
			put_text("the timer counts\n");
			return 0;
		}
	put_text("no timer\n");
	return 3;
}
