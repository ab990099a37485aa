/* What every vCPU of a Hermit guest begins with. All of them begin at the entry point at once. */
#include <elf.h>
#include <string.h>

#include "hermit.h"

static void init_x86(const struct hermit *h, unsigned cpu, struct gyve_x86_regs *r)
{
	struct gyve_x86_seg code = {.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct gyve_x86_seg data = {.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .g = 1};

	memset(r->gpr, 0, sizeof(r->gpr));
	r->rip = h->elf->entry + (h->elf->dyn ? h->ka : 0);
	r->rflags = 2;
	r->gpr[GYVE_RDI] = h->ga + HERMIT_BOOT_INFO;
	r->gpr[GYVE_RSI] = cpu;
	r->gpr[GYVE_RSP] = h->ka - HERMIT_STACK;
	r->cr0 = 0x80000031;
	r->cr3 = h->ga + HERMIT_TABLES;
	r->cr4 = 0x20;
	r->efer = 0xd00;
	r->seg[GYVE_CS] = code;
	r->seg[GYVE_DS] = r->seg[GYVE_ES] = r->seg[GYVE_SS] = data;
	r->gdt_base = h->ga + HERMIT_GDT;
	r->gdt_limit = 23;
}

/* MAIR, TCR, SCTLR: constants of the interface; SCTLR has M, C and I on. */
static void init_a64(const struct hermit *h, unsigned cpu, struct gyve_a64_regs *r)
{
	uint64_t pa_range = r->id_aa64mmfr0_el1 & 0xf;

	r->pc = h->elf->entry + (h->elf->dyn ? h->ka : 0);
	r->pstate = 0x3c5;
	r->x[0] = h->ga + HERMIT_BOOT_INFO;
	r->x[1] = cpu;
	r->sp = r->sp_el1 = h->ka - HERMIT_STACK;
	r->mair_el1 = UINT64_C(0x000000ff440c0400);
	r->tcr_el1 = UINT64_C(0x35103510) | (pa_range > 6 ? 6 : pa_range) << 32;
	r->ttbr0_el1 = h->ga + HERMIT_TABLES;
	r->ttbr1_el1 = 0;
	r->cpacr_el1 |= 3u << 20;
	r->mdscr_el1 = 0;
	r->sctlr_el1 = 0x04d5d91d;
	r->esr_el1 = r->far_el1 = r->elr_el1 = r->spsr_el1 = 0; /* KVM leaves noise here, a crash report shows it */
}

void hermit_cpu_init(void *state, unsigned cpu, struct gyve_regs *r)
{
	const struct hermit *h = state;

	if (h->elf->machine == EM_X86_64)
		init_x86(h, cpu, &r->x86);
	else
		init_a64(h, cpu, &r->a64);
}
