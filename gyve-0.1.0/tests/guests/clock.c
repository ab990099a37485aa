/* Looks at its clock before and after a stop in held(). x86_64: KVM's clock page says that the guest was stopped, so that a
 * watchdog forgives; aarch64: the virtual counter has stood still. */
#include "guest.h"

#ifdef __aarch64__
static uint64_t now(void)
{
	uint64_t n;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(n) : : "memory");
	return n;
}

static uint64_t second(void)
{
	uint64_t hz;

	__asm__("mrs %0, cntfrq_el0" : "=r"(hz));
	return hz;
}
#else
/* Documentation/virt/kvm/x86/msr.rst: MSR_KVM_SYSTEM_TIME_NEW */
static volatile struct {
	uint32_t version, pad;
	uint64_t tsc, system_time;
	uint32_t mul;
	int8_t shift;
	uint8_t flags;
	uint8_t pad2[2];
} page __attribute__((aligned(64)));

static void clock_on(void)
{
	uint64_t at = (uint64_t)&page | 1;

	__asm__ volatile("wrmsr" : : "c"(0x4b564d01), "a"((uint32_t)at), "d"((uint32_t)(at >> 32)) : "memory");
}

enum { STABLE = 1, STOPPED = 2 };
#endif

static void held(void)
{
	__asm__ volatile("nop");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
#ifdef __aarch64__
	uint64_t before = now();
	held();
	put_text(now() - before < second() ? "the counter was held\n" : "the counter ran on\n");
#else
	clock_on();
	put_text("clock on\n");
	page.flags &= (uint8_t)~STOPPED;
	held();
	put_text("on again\n"); /* out of the guest and back: KVM has brought the page up to date */
	put_text(!page.version          ? "no clock here\n"
		 : page.flags & STOPPED ? "the guest was told\n"
					: "the guest was not told\n");
#endif
	return 0;
}
