/* Stacks without any debug information: what an exception saved, other stacks, damaged ones. The guest is bare memory,
 * translation off. */
#include "unit.h"

#include "gyve/target.h"
#include "gyve/unwind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEN = 0x40000, CODE = 0x2000, IRQ_STACK = 0x20000, STACK = 0x30000 };

static uint8_t ram[LEN];
static struct gyve_core *core;
static struct gyve_target target;

static void put(uint64_t at, uint64_t v)
{
	memcpy(ram + at, &v, 8);
}

static struct gyve_regs *open_guest(const struct gyve_arch *arch)
{
	struct gyve_core_open open = {.raw = true, .writable = true, .arch = arch};
	struct gyve_err err = {0};

	if (gyve_core_open_mem(&core, ram, LEN, &open, &err) < 0)
		fail_msg("%s", err.text);
	core->regs[0].valid |= GYVE_REGS_GPR;
	assert_int_equal(gyve_target_post(&target, core, NULL, NULL), 0);
	return &core->regs[0];
}

static void close_guest(void)
{
	gyve_target_deinit(&target);
	gyve_core_close(core);
	memset(ram, 0, LEN);
}

struct seen {
	unsigned n;
	struct gyve_frame f[16];
};

static bool take(void *ctx, unsigned number, const struct gyve_frame *frame)
{
	struct seen *s = ctx;

	assert_true(number < 16);
	s->f[number] = *frame;
	s->n = number + 1;
	return s->n < 16;
}

static void walk(struct seen *s)
{
	memset(s, 0, sizeof(*s));
	int n = gyve_unwind(&target, 0, 16, take, s, NULL);
	assert_int_equal(n, s->n);
}

/* RIP, CS, RFLAGS, RSP, SS */
static void put_exception(uint64_t at, uint64_t rip, uint64_t rsp)
{
	const uint64_t words[] = {rip, 0x10, 0x246, rsp, 0x18};

	for (unsigned i = 0; i < 5; i++)
		put(at + 8 * i, words[i]);
}

static void test_x86_exception(void **state)
{
	struct seen s;

	(void)state;
	put_exception(STACK + 40, CODE + 0x100, STACK + 0x200);
	struct gyve_regs *r = open_guest(&gyve_arch_x86_64);
	r->x86.rip = CODE;
	r->x86.gpr[GYVE_RSP] = STACK;
	r->x86.seg[GYVE_CS].selector = 0x10;
	walk(&s);
	assert_true(s.n >= 2);
	assert_int_equal(s.f[1].how, GYVE_FRAME_EXCEPTION);
	assert_int_equal(s.f[1].pc, CODE + 0x100);
	assert_int_equal(s.f[1].reg[GYVE_DWARF_X86_RSP], STACK + 0x200);
	close_guest();
}

/* An interrupt has a stack of its own, whose first word is where the other one was left. */
static void test_x86_interrupt_stack(void **state)
{
	struct seen s;

	(void)state;
	put(IRQ_STACK + 16, 0x1234);
	put(IRQ_STACK + 24, STACK);
	put_exception(STACK + 120, CODE + 0x100, STACK + 0x200);
	struct gyve_regs *r = open_guest(&gyve_arch_x86_64);
	r->x86.rip = CODE;
	r->x86.gpr[GYVE_RSP] = IRQ_STACK;
	r->x86.seg[GYVE_CS].selector = 0x10;
	walk(&s);
	assert_true(s.n >= 2);
	assert_int_equal(s.f[1].how, GYVE_FRAME_EXCEPTION);
	assert_int_equal(s.f[1].pc, CODE + 0x100);
	close_guest();
}

/* x0 to x30, SP, PC, PSTATE, somewhere above the stack pointer */
static void put_saved(uint64_t at, uint64_t pc, uint64_t sp, uint64_t pstate)
{
	for (unsigned i = 0; i < 31; i++)
		put(at + 8 * i, 0x1000 + 8 * i);
	put(at + 8 * 31, sp);
	put(at + 8 * 32, pc);
	put(at + 8 * 33, pstate);
}

static void test_a64_saved_registers(void **state)
{
	static const struct {
		uint64_t pc, sp, pstate;
		bool taken;
	} cases[] = {
		{CODE + 0x100, STACK + 0x400, 0x60400005, true},  /* EL1h */
		{CODE + 0x100, STACK + 0x400, 0x4, true},         /* EL1t */
		{CODE + 0x100, STACK + 0x400, 0x60400015, false}, /* AArch32 */
		{CODE + 0x100, STACK + 0x400, 0x6, false},        /* no such mode */
		{CODE + 0x102, STACK + 0x400, 0x5, false},        /* not an instruction */
		{CODE + 0x100, STACK + 0x408, 0x5, false},        /* not a stack */
		{CODE + 0x100, STACK - 0x400, 0x5, false},        /* below what it saved */
		{CODE + 0x100, UINT64_C(1) << 40, 0x5, false},    /* nowhere */
		{UINT64_C(1) << 40, STACK + 0x400, 0x5, false},
	};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(cases); i++) {
		put_saved(STACK + 32, cases[i].pc, cases[i].sp, cases[i].pstate);
		struct gyve_regs *r = open_guest(&gyve_arch_aarch64);
		r->a64.pc = CODE;
		r->a64.sp = STACK;
		walk(&s);
		if ((s.n >= 2 && s.f[1].how == GYVE_FRAME_EXCEPTION) != cases[i].taken)
			fail_msg("case %zu", i);
		if (cases[i].taken) {
			assert_int_equal(s.f[1].pc, cases[i].pc);
			assert_int_equal(s.f[1].reg[GYVE_DWARF_A64_SP], cases[i].sp);
			assert_int_equal(s.f[1].reg[19], 0x1000 + 8 * 19);
		}
		close_guest();
	}
}

/* Stacks of noise end. */
static void test_noise(void **state)
{
	struct seen s;

	(void)state;
	srand(3);
	for (unsigned round = 0; round < 400; round++) {
		bool a64 = round & 1;
		for (uint64_t at = 0; at < LEN; at += 8)
			put(at, (uint64_t)rand() % (LEN + 0x1000) & (round & 2 ? ~UINT64_C(7) : UINT64_MAX));
		struct gyve_regs *r = open_guest(a64 ? &gyve_arch_aarch64 : &gyve_arch_x86_64);
		uint64_t sp = (uint64_t)rand() % LEN & ~UINT64_C(15), pc = (uint64_t)rand() % LEN & ~UINT64_C(3);
		if (a64) {
			r->a64.sp = sp;
			r->a64.pc = pc;
			r->a64.x[29] = sp + 32;
			r->a64.x[30] = pc + 64;
		} else {
			r->x86.gpr[GYVE_RSP] = sp;
			r->x86.rip = pc;
			r->x86.gpr[GYVE_RBP] = sp + 32;
		}
		walk(&s);
		close_guest();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_x86_exception),
		cmocka_unit_test(test_x86_interrupt_stack),
		cmocka_unit_test(test_a64_saved_registers),
		cmocka_unit_test(test_noise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
