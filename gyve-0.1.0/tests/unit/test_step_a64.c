/* The pure part of stepping aarch64 guests. */
#include "../../src/vmm/step_a64.h"
#include "unit.h"

enum { I = 0x80, A = 0x100, F = 0x40, D = 0x200, EL1H = 5 };

static void test_classify(void **state)
{
	static const struct {
		uint32_t insn;
		enum a64_insn kind;
	} t[] = {
		{0xd503201f, A64_PLAIN}, /* nop */
		{0xd503207f, A64_WAIT},
		{0xd503205f, A64_PLAIN},       /* wfe */
		{0xd5031023, A64_WAIT},        /* wfit x3 */
		{0x885f7c01, A64_LOAD_EXCL},   /* ldxr w1, [x0] */
		{0xc85ffc01, A64_LOAD_EXCL},   /* ldaxr x1, [x0] */
		{0x085f7c01, A64_LOAD_EXCL},   /* ldxrb */
		{0x485f7c01, A64_LOAD_EXCL},   /* ldxrh */
		{0xc87f0801, A64_LOAD_EXCL},   /* ldxp x1, x2, [x0] */
		{0xc8037c01, A64_STORE_EXCL},  /* stxr w3, x1, [x0] */
		{0x8803fc01, A64_STORE_EXCL},  /* stlxr w3, w1, [x0] */
		{0xc8230801, A64_STORE_EXCL},  /* stxp w3, x1, x2, [x0] */
		{0x48207c82, A64_PLAIN},       /* casp x0, x1, x2, x3, [x4] */
		{0x48607c82, A64_PLAIN},       /* caspa */
		{0xc8a17c02, A64_PLAIN},       /* cas x1, x2, [x0] */
		{0xc8dffc01, A64_PLAIN},       /* ldar x1, [x0] */
		{0xc89ffc01, A64_PLAIN},       /* stlr x1, [x0] */
		{0xd51b4225, A64_WRITES_DAIF}, /* msr daif, x5 */
		{0xd69f03e0, A64_WRITES_DAIF}, /* eret */
		{0xd69f0bff, A64_WRITES_DAIF}, /* eretaa */
		{0xd50342df, A64_SETS_DAIF},   /* msr daifset, #2 */
		{0xd50342ff, A64_PLAIN},       /* msr daifclr, #2: clears what is borrowed, too */
		{0xd53b4227, A64_READS_DAIF},  /* mrs x7, daif */
		{0xd53b4207, A64_PLAIN},       /* mrs x7, nzcv */
		{0xf9400001, A64_PLAIN},       /* ldr */
		{0, A64_PLAIN},
	};

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(t); i++)
		assert_int_equal(a64_classify(t[i].insn), t[i].kind);
}

static void test_writes_system(void **state)
{
	(void)state;
	assert_true(a64_writes_system(0xd5182000));  /* msr ttbr0_el1, x0 */
	assert_true(a64_writes_system(0xd5181000));  /* msr sctlr_el1, x0 */
	assert_false(a64_writes_system(0xd5382000)); /* mrs x0, ttbr0_el1 */
	assert_false(a64_writes_system(0xd503201f));
	assert_false(a64_writes_system(0xf9000001));
}

/* Step insn from pstate `before`; the processor makes `after` of what it finds. */
static uint64_t step(uint32_t insn, uint64_t before, uint64_t set, uint64_t clear)
{
	struct gyve_a64_regs r = {.pc = 0x1000, .pstate = before | EL1H};
	struct a64_lent l;

	a64_lend(&l, &r, insn);
	assert_int_equal(r.pstate & (A | I | F), A | I | F);
	r.pstate = (r.pstate & ~clear) | set;
	r.pc += 4;
	a64_give_back(&l, &r, false);
	assert_int_equal(r.pstate & 0xf, EL1H);
	return r.pstate & (D | A | I | F);
}

static void test_restored(void **state)
{
	(void)state;
	assert_int_equal(step(0xd503201f, 0, 0, 0), 0);
	assert_int_equal(step(0xd503201f, I, 0, 0), I);
	assert_int_equal(step(0xd503201f, D | A | I | F, 0, 0), D | A | I | F);
	assert_int_equal(step(0xd503201f, D, 0, 0), D);
}

static void test_written(void **state)
{
	(void)state;
	assert_int_equal(step(0xd50342df, 0, I, 0), I); /* daifset #2 */
	assert_int_equal(step(0xd50342df, F, I, 0), I | F);
	assert_int_equal(step(0xd5034fdf, 0, D | A | I | F, 0), D | A | I | F);
	assert_int_equal(step(0xd50342ff, I, 0, I), 0); /* daifclr #2 */
	assert_int_equal(step(0xd50342ff, I | F, 0, I), F);
	assert_int_equal(step(0xd51b4225, 0, I, A | F), I); /* msr daif, x5 = I */
	assert_int_equal(step(0xd51b4225, 0, A | I | F, 0), A | I | F);
	assert_int_equal(step(0xd69f03e0, I, A, I | F), A); /* eret */
}

static void test_read(void **state)
{
	struct gyve_a64_regs r = {.pc = 0x1000, .pstate = I | EL1H};
	struct a64_lent l;

	(void)state;
	a64_lend(&l, &r, 0xd53b4227);
	r.x[7] = r.pstate & (D | A | I | F);
	r.pc += 4;
	assert_int_equal(a64_give_back(&l, &r, false), GYVE_REGS_GPR | GYVE_REGS_PC);
	assert_int_equal(r.x[7], I);
	assert_int_equal(r.pstate, I | EL1H);

	r = (struct gyve_a64_regs){.pc = 0x1000, .pstate = EL1H}; /* mrs xzr, daif */
	r.sp = 0x1c0;
	a64_lend(&l, &r, 0xd53b423f);
	r.pc += 4;
	assert_int_equal(a64_give_back(&l, &r, false), GYVE_REGS_PC);
	assert_int_equal(r.sp, 0x1c0);
}

/* A step that did not happen leaves nothing behind, whatever the instruction is. */
static void test_not_carried_out(void **state)
{
	struct gyve_a64_regs r = {.pc = 0x1000, .pstate = EL1H};
	struct a64_lent l;

	(void)state;
	a64_lend(&l, &r, 0xd50342df);
	a64_give_back(&l, &r, false);
	assert_int_equal(r.pstate, EL1H);
}

static void test_exception(void **state)
{
	struct gyve_a64_regs r = {.pc = 0x1000, .pstate = 0, .vbar_el1 = 0x8000}; /* an SVC at EL0 */
	struct a64_lent l;

	(void)state;
	a64_lend(&l, &r, 0xd4000001);
	assert_false(a64_maybe_exception(&l, &r));
	r.spsr_el1 = r.pstate;
	r.elr_el1 = 0x1004;
	r.pc = 0x8400;
	r.pstate = D | A | I | F | EL1H;
	assert_true(a64_maybe_exception(&l, &r));
	assert_int_equal(a64_give_back(&l, &r, true), GYVE_REGS_SYS);
	assert_int_equal(r.spsr_el1, 0);
	assert_int_equal(r.pstate, D | A | I | F | EL1H);
}

static void test_unit(void **state)
{
	/* ldaxr x0, [x3]; add x1, x0, x4; stlxr w2, x1, [x3]; cbnz w2, . - 12 */
	static const uint32_t add[] = {0xc85ffc60, 0x8b040001, 0xc802fc61, 0x35ffffa2};
	/* ldxr w1, [x0]; cmp w1, w2; b.ne . + 16; stxr w3, w4, [x0]; cbnz w3, . - 16 */
	static const uint32_t cas[] = {0x885f7c01, 0x6b02003f, 0x54000081, 0x88037c04, 0x35ffff83};
	/* ldaxr w1, [x0]; cbnz w1, . - 4; stxr w2, w3, [x0] */
	static const uint32_t lock[] = {0x885ffc01, 0x35ffffe1, 0x88027c03};
	/* ldxr; bl; stxr */
	static const uint32_t call[] = {0x885f7c01, 0x94000000, 0x88037c04};
	/* ldxr; eret */
	static const uint32_t never[] = {0x885f7c01, 0xd69f03e0, 0x88037c04};
	uint64_t ends[A64_UNIT_ENDS];

	(void)state;
	assert_int_equal(a64_unit_ends(add, 4, 0x1000, ends), 1);
	assert_int_equal(ends[0], 0x100c);
	assert_int_equal(a64_unit_ends(add, 2, 0x1000, ends), 0); /* the store is not in sight */
	assert_int_equal(a64_unit_ends(add, 0, 0x1000, ends), 0);
	assert_int_equal(a64_unit_ends(add + 1, 3, 0x1000, ends), 0);
	assert_int_equal(a64_unit_ends(cas, 5, 0x2000, ends), 2);
	assert_int_equal(ends[0], 0x2010);
	assert_int_equal(ends[1], 0x2018);
	assert_int_equal(a64_unit_ends(lock, 3, 0x3000, ends), 1); /* back to the load is no way out */
	assert_int_equal(ends[0], 0x300c);
	assert_int_equal(a64_unit_ends(call, 3, 0x1000, ends), 0);
	assert_int_equal(a64_unit_ends(never, 3, 0x1000, ends), 0);
}

static void test_access_len(void **state)
{
	(void)state;
	assert_int_equal(a64_access_len(0xa9401444), 16); /* ldp x4, x5, [x2] */
	assert_int_equal(a64_access_len(0x29401444), 8);  /* ldp w4, w5, [x2] */
	assert_int_equal(a64_access_len(0xad000440), 32); /* stp q0, q1, [x2] */
	assert_int_equal(a64_access_len(0xc85ffc20), 8);  /* ldaxr x0, [x1] */
	assert_int_equal(a64_access_len(0xc87f0c20), 16); /* ldxp x0, x3, [x1] */
	assert_int_equal(a64_access_len(0xf8408420), 8);  /* ldr x0, [x1], #8 */
	assert_int_equal(a64_access_len(0x3dc00020), 16); /* ldr q0, [x1] */
	assert_int_equal(a64_access_len(0x38401420), 1);  /* ldrb w0, [x1], #1 */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classify), cmocka_unit_test(test_restored),        cmocka_unit_test(test_written),
		cmocka_unit_test(test_read),     cmocka_unit_test(test_not_carried_out), cmocka_unit_test(test_exception),
		cmocka_unit_test(test_unit),     cmocka_unit_test(test_writes_system),   cmocka_unit_test(test_access_len),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
