/* Takes each of the exceptions that `monitor catch` knows, and goes on behind the instruction. */
#include "idt.h"

#define FAR_AWAY 0x700000001000ull
#define NOT_CANONICAL 0x8000000000000000ull

volatile uint64_t resume; /* behind the instruction under test */
volatile uint64_t taken;

static inline void go_on(struct frame *f)
{
	taken = taken + 1;
	f->rip = resume;
}

__attribute__((interrupt)) static void on_ud(struct frame *f)
{
	go_on(f);
}

__attribute__((interrupt)) static void on_gp(struct frame *f, uint64_t code)
{
	(void)code;
	go_on(f);
}

__attribute__((interrupt)) static void on_pf(struct frame *f, uint64_t code)
{
	(void)code;
	go_on(f);
}

__attribute__((interrupt)) static void on_pf_again(struct frame *f, uint64_t code)
{
	(void)code;
	go_on(f);
}

__attribute__((interrupt)) static void on_df(struct frame *f, uint64_t code)
{
	(void)f, (void)code;
	put_text("double fault\n");
	exit_guest(taken == 4 ? 0 : 1);
}

static void store(uint64_t at)
{
	__asm__ volatile("leaq 1f(%%rip), %%rcx\n"
			 "	movq %%rcx, %0\n"
			 "	movb $1, (%1)\n"
			 "1:"
			 : "=m"(resume)
			 : "r"(at)
			 : "rcx", "memory");
}

static void undefined(void)
{
	__asm__ volatile("leaq 1f(%%rip), %%rcx\n"
			 "	movq %%rcx, %0\n"
			 "	ud2\n"
			 "1:"
			 : "=m"(resume)
			 :
			 : "rcx", "memory");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	(void)ncpus;
	if (cpu != 0)
		halt();
	idt_set(6, on_ud);
	idt_set(8, on_df);
	idt_set(13, on_gp);
	idt_set(14, on_pf);
	idt_load();
	/* the table has to be looked at before it is used */
	put_text("table loaded\n");
	store(FAR_AWAY);
	store(NOT_CANONICAL);
	undefined();
	idt_set(14, on_pf_again);
	put_text("handler changed\n");
	store(FAR_AWAY + 8);
	idt[14].type = 0; /* delivering it fails: double fault */
	store(FAR_AWAY);
	return 1;
}
