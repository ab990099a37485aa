/* Dies, two calls deep, in the way that the build chose. There is no interrupt table, so any exception is a triple fault. */
#include "guest.h"

#ifdef __aarch64__
#define FAR_AWAY 0x7000001000
#define NO_DEVICE 0x0A000000
#define UNDEFINED "udf #0"
#else
#define FAR_AWAY 0x700000001000
#define NO_DEVICE 0xE0000000
#define UNDEFINED "ud2"
#endif

static void die(uint64_t depth)
{
	(void)depth;
#if defined(CRASH_PF) /* outside the identity map */
	*(volatile uint64_t *)FAR_AWAY = 1;
#elif defined(CRASH_UD)
	__asm__ volatile(UNDEFINED);
#elif defined(CRASH_PORT)  /* a crash only with --strict */
	outb(0x5555, 1);
#elif defined(CRASH_MMIO)  /* mapped, but nothing is there; a crash only with --strict */
	*(volatile uint32_t *)NO_DEVICE = 1;
#elif defined(CRASH_JUMP)  /* the instruction address itself cannot be read */
	((void (*)(void))(FAR_AWAY + 0x1000))();
#elif defined(CRASH_STACK) /* the stack is not mapped */
	__asm__ volatile("movq $0x700000003000, %rsp; pushq $1");
#endif
}

static void outer(uint64_t depth)
{
	die(depth + 1);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	put_text("about to crash\n");
	outer(1);
	put_text("survived\n");
	return 0;
}
