/* Return addresses with authentication codes in them. */
#include "guest.h"

volatile uint64_t signed_return;

static void inner(void)
{
	signed_return = signed_return + 0;
}

static __attribute__((noinline)) void signed_call(void)
{
	signed_return = ((uint64_t *)__builtin_frame_address(0))[1];
	inner();
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	__asm__ volatile("msr S3_0_C2_C1_0, %0\n"
			 "	msr S3_0_C2_C1_1, %1\n"
			 "	msr sctlr_el1, %2\n"
			 "	isb"
			 :
			 : "r"(0x123456789abcdef0), "r"(0x0fedcba987654321), "r"(READ_REG(sctlr_el1) | 1ull << 31) /* EnIA */
			 : "memory");
	signed_call();
	exit_guest(0); /* not a return: its own address was taken unsigned */
}
