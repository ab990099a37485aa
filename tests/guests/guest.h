/* What the sample kernels share. They run on gyve's bare platform (docs/bare-metal.md): long mode, one identity map of the
 * first 4 GiB, a stack per vCPU, no interrupt table. */
#ifndef GUEST_H
#define GUEST_H
#include <stdint.h>

#define PORT_CONSOLE 0xE9
#define PORT_EXIT 0xF4

/** Every sample defines it; start.S calls it on each vCPU. What it returns becomes the exit code. */
int kmain(uint64_t cpu, uint64_t ncpus);

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void put_char(char c)
{
	outb(PORT_CONSOLE, (uint8_t)c);
}

static inline void put_text(const char *text)
{
	while (*text)
		put_char(*text++);
}

static inline void put_number(uint64_t n)
{
	if (n >= 10)
		put_number(n / 10);
	put_char((char)('0' + n % 10));
}

static inline _Noreturn void exit_guest(int code)
{
	for (;;)
		outb(PORT_EXIT, (uint8_t)code);
}

static inline _Noreturn void halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

static inline void pause(void)
{
	__asm__ volatile("pause");
}

static inline void load_cr3(uint64_t root)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}
#endif
