/* What a debugger that steps must not change: the interrupt masks, as read, as written, as an exception saves them; and a
 * timer's interrupts, which wait while somebody steps. Exits with 0 if all was as it should be. */
#include "vectors_a64.h"

#define GICR_SGI ((volatile uint32_t *)(0x080a0000 + 0x10000))
#define GICD ((volatile uint32_t *)0x08000000)
enum { TIMER = 27, I = 0x80, A = 0x100, F = 0x40 };

volatile uint64_t ticks, turns, wrong, saved;

void on_exception(uint64_t vector)
{
	if (vector == 4 && READ_REG(esr_el1) >> 26 == 0x15) { /* SVC */
		saved = READ_REG(spsr_el1) & 0x3c0;
		return;
	}
	if (vector != 5)
		exit_guest(3);
	uint64_t id = READ_REG(s3_0_c12_c12_0); /* ICC_IAR1_EL1 */
	if (id == TIMER) {
		ticks = ticks + 1;
		WRITE_REG(cntv_tval_el0, READ_REG(cntfrq_el0) / 1000);
	}
	WRITE_REG(s3_0_c12_c12_1, id); /* ICC_EOIR1_EL1 */
}

static void want(uint64_t have, uint64_t expected)
{
	if (have != expected)
		wrong = wrong + 1;
}

static void masks(void)
{
	__asm__ volatile("msr daifclr, #15");
	want(READ_REG(daif), 0);
	__asm__ volatile("msr daifset, #2");
	want(READ_REG(daif), I);
	__asm__ volatile("msr daifset, #4");
	want(READ_REG(daif), A | I);
	WRITE_REG(daif, F);
	want(READ_REG(daif), F);
	__asm__ volatile("svc #0" : : : "memory");
	want(saved, F);
	want(READ_REG(daif), F);
	__asm__ volatile("msr daifclr, #1");
	want(READ_REG(daif), 0);
	__asm__ volatile("msr daifset, #15");
	want(READ_REG(daif), 0x3c0);
}

static void start_timer(void)
{
	volatile uint32_t *waker = (volatile uint32_t *)(0x080a0000 + 0x14);

	*waker = *waker & ~2u;
	while (*waker & 4)
		;
	GICD[0] = 0x12;           /* affinity routing, group 1 */
	GICR_SGI[0x80 / 4] = ~0u; /* all in group 1 */
	GICR_SGI[0x100 / 4] = 1u << TIMER;
	WRITE_REG(s3_0_c12_c12_5, 7);  /* ICC_SRE_EL1 */
	WRITE_REG(s3_0_c4_c6_0, 0xff); /* ICC_PMR_EL1 */
	WRITE_REG(s3_0_c12_c12_7, 1);  /* ICC_IGRPEN1_EL1 */
	WRITE_REG(cntv_tval_el0, READ_REG(cntfrq_el0) / 1000);
	WRITE_REG(cntv_ctl_el0, 1);
}

static void waiting(void)
{
	while (ticks < 3)
		turns = turns + 1;
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	set_vectors();
	masks();
	start_timer();
	__asm__ volatile("msr daifclr, #2");
	waiting();
	__asm__ volatile("msr daifset, #2");
	put_text(wrong ? "masks are wrong\n" : "masks are right\n");
	return wrong ? 1 : 0;
}
