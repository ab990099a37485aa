/* What the sample kernels share. They run on gyve's bare platform (docs/bare-metal.md): an identity map, a stack per vCPU, no
 * interrupt table. */
#ifndef GUEST_H
#define GUEST_H
#include <stdint.h>

/** Every sample defines it; start.S calls it on each vCPU. What it returns becomes the exit code. */
int kmain(uint64_t cpu, uint64_t ncpus);

#ifdef __aarch64__
#define CONSOLE_BYTE ((volatile uint8_t *)0x09000000)
#define EXIT_BYTE ((volatile uint8_t *)0x09001000)

#define READ_REG(name)                                                          \
	({                                                                      \
		uint64_t value_;                                                \
		__asm__ volatile("mrs %0, " #name : "=r"(value_) : : "memory"); \
		value_;                                                         \
	})

static inline void put_char(char c)
{
	*CONSOLE_BYTE = (uint8_t)c;
}

static inline void put_exit(int code)
{
	*EXIT_BYTE = (uint8_t)code;
}

static inline _Noreturn void halt(void)
{
	__asm__ volatile("msr daifset, #15");
	for (;;)
		__asm__ volatile("wfi");
}

static inline void pause(void)
{
	__asm__ volatile("yield");
}

static inline void take_interrupts(void) {}

/* The exclusives, not LSE's one instruction: steps have to get through them. */
static inline uint64_t fetch_add(uint64_t *p, uint64_t n)
{
	uint64_t old, sum;
	uint32_t failed;

	__asm__ volatile("1:	ldaxr %0, %3\n"
			 "	add %1, %0, %4\n"
			 "	stlxr %w2, %1, %3\n"
			 "	cbnz %w2, 1b"
			 : "=&r"(old), "=&r"(sum), "=&r"(failed), "+Q"(*p)
			 : "r"(n)
			 : "memory");
	return old;
}

/* After code was written. */
static inline void sync_code(const volatile void *from, uint64_t len)
{
	for (uint64_t a = (uint64_t)from & ~15ull; a < (uint64_t)from + len; a += 16)
		__asm__ volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0" : : "r"(a) : "memory");
	__asm__ volatile("dsb ish\n\tisb" : : : "memory");
}
#else
#define PORT_CONSOLE 0xE9
#define PORT_EXIT 0xF4

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void put_char(char c)
{
	outb(PORT_CONSOLE, (uint8_t)c);
}

static inline void put_exit(int code)
{
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

/* None will come. But Bochs' VMX does not leave a guest that entered with interrupts held, unless it leaves by itself. */
static inline void take_interrupts(void)
{
	__asm__ volatile("sti");
}

static inline void load_cr3(uint64_t root)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

static inline uint64_t fetch_add(uint64_t *p, uint64_t n)
{
	__asm__ volatile("lock xaddq %0, %1" : "+r"(n), "+m"(*p) : : "memory");
	return n;
}

static inline void sync_code(const volatile void *from, uint64_t len)
{
	(void)from, (void)len;
}
#endif

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
		put_exit(code);
}
#endif
