/* Instructions carried out at points (src/vmm/skip_a64.c): beside the same ones in a step where this host's KVM runs aarch64
 * guests, and by what the manual says. */
#include "unit.h"

#include "../../src/vmm/skip.h"
#include "gyve/backend.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

enum {
	RAM_GPA = 0x40000000,
	RAM = 0x10000,
	CODE = RAM_GPA + 0x1000,
	DATA = RAM_GPA + 0x4000,
	STACK = RAM_GPA + 0xe000,
	ROUNDS = 6
};
enum { EL1H_MASKED = 0x3c5, STEPS = 4 };
#define NZCV (UINT64_C(15) << 28)

struct insn {
	uint32_t code;
	const char *text;
};
/* X2 leads to memory, X5 is small, X1 and X30 are addresses of code. */
static const struct insn insns[] = {
	{0xd503201f, "nop"},
	{0xd503245f, "bti c"},
	{0xd50324df, "bti jc"},
	{0xa9be7bfd, "stp x29, x30, [sp, #-32]!"},
	{0x910003fd, "mov x29, sp"},
	{0xd100c3ff, "sub sp, sp, #0x30"},
	{0xd14007ff, "sub sp, sp, #0x1, lsl #12"},
	{0xa90153f3, "stp x19, x20, [sp, #16]"},
	{0xa8c27bfd, "ldp x29, x30, [sp], #32"},
	{0x297f1043, "ldp w3, w4, [x2, #-8]"},
	{0x28811043, "stp w3, w4, [x2], #8"},
	{0xa940105f, "ldp xzr, x4, [x2]"},
	{0xd65f03c0, "ret"},
	{0xd65f0020, "ret x1"},
	{0xf90007e0, "str x0, [sp, #8]"},
	{0xb9000fe0, "str w0, [sp, #12]"},
	{0xf81f0fff, "str xzr, [sp, #-16]!"},
	{0xf9400040, "ldr x0, [x2]"},
	{0xb9400440, "ldr w0, [x2, #4]"},
	{0x39400c40, "ldrb w0, [x2, #3]"},
	{0x39000c43, "strb w3, [x2, #3]"},
	{0x79400c40, "ldrh w0, [x2, #6]"},
	{0x78002443, "strh w3, [x2], #2"},
	{0x39800440, "ldrsb x0, [x2, #1]"},
	{0x39c00440, "ldrsb w0, [x2, #1]"},
	{0x79800040, "ldrsh x0, [x2]"},
	{0x79c00040, "ldrsh w0, [x2]"},
	{0xb9800440, "ldrsw x0, [x2, #4]"},
	{0xf85f8c40, "ldr x0, [x2, #-8]!"},
	{0xf85f0040, "ldur x0, [x2, #-16]"},
	{0xb81fc043, "stur w3, [x2, #-4]"},
	{0xf8657840, "ldr x0, [x2, x5, lsl #3]"},
	{0xb8655840, "ldr w0, [x2, w5, uxtw #2]"},
	{0xf865d840, "ldr x0, [x2, w5, sxtw #3]"},
	{0x38256843, "strb w3, [x2, x5]"},
	{0xf81f8443, "str x3, [x2], #-8"},
	{0x10000120, "adr x0, b4"},
	{0x90000000, "adrp x0, 0"},
	{0x91000060, "add x0, x3, #0x0"},
	{0x913ffc60, "add x0, x3, #0xfff"},
	{0x11404860, "add w0, w3, #0x12, lsl #12"},
	{0xb1001460, "adds x0, x3, #0x5"},
	{0x31001460, "adds w0, w3, #0x5"},
	{0xf1000460, "subs x0, x3, #0x1"},
	{0x712af060, "subs w0, w3, #0xabc"},
	{0xf100007f, "cmp x3, #0x0"},
	{0x7100047f, "cmp w3, #0x1"},
	{0xb100047f, "cmn x3, #0x1"},
	{0x8b040060, "add x0, x3, x4"},
	{0x0b041060, "add w0, w3, w4, lsl #4"},
	{0x8b841c60, "add x0, x3, x4, asr #7"},
	{0xcb44fc60, "sub x0, x3, x4, lsr #63"},
	{0xeb040060, "subs x0, x3, x4"},
	{0x6b040060, "subs w0, w3, w4"},
	{0xeb04007f, "cmp x3, x4"},
	{0x6b840c7f, "cmp w3, w4, asr #3"},
	{0xcb0303e0, "neg x0, x3"},
	{0xab040060, "adds x0, x3, x4"},
	{0x2b040060, "adds w0, w3, w4"},
	{0xaa0303e0, "mov x0, x3"},
	{0x2a0303e0, "mov w0, w3"},
	{0xaa1f03e0, "mov x0, xzr"},
	{0xaac42460, "orr x0, x3, x4, ror #9"},
	{0x2ac42460, "orr w0, w3, w4, ror #9"},
	{0x8a040860, "and x0, x3, x4, lsl #2"},
	{0x8a240060, "bic x0, x3, x4"},
	{0x2a240060, "orn w0, w3, w4"},
	{0x4a040060, "eor w0, w3, w4"},
	{0xca240060, "eon x0, x3, x4"},
	{0xea040060, "ands x0, x3, x4"},
	{0x6a240060, "bics w0, w3, w4"},
	{0xea04007f, "tst x3, x4"},
	{0x72001c7f, "tst w3, #0xff"},
	{0x927cec60, "and x0, x3, #0xfffffffffffffff0"},
	{0x1200cc60, "and w0, w3, #0xf0f0f0f"},
	{0xb200f060, "orr x0, x3, #0x5555555555555555"},
	{0xd27d2c60, "eor x0, x3, #0x7ff8"},
	{0xf2410460, "ands x0, x3, #0x8000000000000001"},
	{0x72010060, "ands w0, w3, #0x80000000"},
	{0x927cecdf, "and sp, x6, #0xfffffffffffffff0"},
	{0xd2800020, "mov x0, #0x1"},
	{0x92800000, "mov x0, #0xffffffffffffffff"},
	{0x12800000, "mov w0, #0xffffffff"},
	{0xd2e24680, "mov x0, #0x1234000000000000"},
	{0x92a24680, "mov x0, #0xffffffffedcbffff"},
	{0xf2d579a3, "movk x3, #0xabcd, lsl #32"},
	{0x72b579a3, "movk w3, #0xabcd, lsl #16"},
	{0x9a840060, "csel x0, x3, x4, eq"},
	{0x1a84b060, "csel w0, w3, w4, lt"},
	{0x9a848460, "csinc x0, x3, x4, hi"},
	{0x1a9f07e0, "cset w0, ne"},
	{0xda9f53e0, "csetm x0, mi"},
	{0xda846060, "csinv x0, x3, x4, vs"},
	{0x5a84a460, "csneg w0, w3, w4, ge"},
	{0x14000010, "b 1b8"},
	{0x17fffff0, "b 13c"},
	{0x94000020, "bl 200"},
	{0x54000100, "b.eq 1a4"},
	{0x54000101, "b.ne 1a8"},
	{0x54000102, "b.cs 1ac"},
	{0x54000104, "b.mi 1b0"},
	{0x54000106, "b.vs 1b4"},
	{0x54000108, "b.hi 1b8"},
	{0x54ffff09, "b.ls 17c"},
	{0x5400010a, "b.ge 1c0"},
	{0x5400010b, "b.lt 1c4"},
	{0x5400010c, "b.gt 1c8"},
	{0x5400010d, "b.le 1cc"},
	{0xb4000103, "cbz x3, 1d0"},
	{0x34000103, "cbz w3, 1d4"},
	{0xb5000103, "cbnz x3, 1d8"},
	{0x35ffff03, "cbnz w3, 19c"},
	{0xb6f80103, "tbz x3, #63, 1e0"},
	{0x36000103, "tbz w3, #0, 1e4"},
	{0xb7080103, "tbnz x3, #33, 1e8"},
	{0x372fff03, "tbnz w3, #5, 1ac"},
};
static const struct insn refused[] = {
	{0xd503207f, "wfi"},
	{0xd503205f, "wfe"},
	{0xd4000001, "svc #0x0"},
	{0xd4200000, "brk #0x0"},
	{0xd61f0020, "br x1"},
	{0xd63f0020, "blr x1"},
	{0xc85f7c40, "ldxr x0, [x2]"},
	{0xc8007c41, "stxr w0, x1, [x2]"},
	{0xc8dffc40, "ldar x0, [x2]"},
	{0xd53b4220, "mrs x0, daif"},
	{0xd50342df, "msr daifset, #0x2"},
	{0xd5033fdf, "isb"},
	{0xd5033bbf, "dmb ish"},
	{0xd69f03e0, "eret"},
	{0x3dc00040, "ldr q0, [x2]"},
	{0xad000440, "stp q0, q1, [x2]"},
	{0x1e604020, "fmov d0, d1"},
	{0x9b027c20, "mul x0, x1, x2"},
	{0x69400440, "ldpsw x0, x1, [x2]"},
	{0xf8400840, "ldtr x0, [x2]"},
	{0xf9800040, "prfm pldl1keep, [x2]"},
	{0xa9c10421, "ldp x1, x1, [x1, #16]!"},
	{0xf8408c21, "ldr x1, [x1, #8]!"},
	{0xa9400020, "ldp x0, x0, [x1]"},
	{0x00000000, "udf #0"},
	{0xffffffff, ".inst 0xffffffff"},
	{0x12e00000, ".inst 0x12e00000"},
};

static uint8_t *ram, copy[RAM];
static struct gyve_bvm *vm;
static struct gyve_bvcpu *cpu;
static struct gyve_regs all;

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static uint64_t some_value(void)
{
	static const uint64_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
	uint64_t r = next_random();

	return r & 1 ? next_random() : edges[(r >> 8) % GYVE_ARRAY_SIZE(edges)];
}

static void *place(void *ctx, gyve_gva_t gva, unsigned len, bool write)
{
	(void)write;
	return gva >= DATA && gva + len <= RAM_GPA + RAM ? (uint8_t *)ctx + (gva - RAM_GPA) : NULL;
}

static void make_state(struct gyve_a64_regs *r)
{
	for (unsigned n = 0; n < 31; n++)
		r->x[n] = some_value();
	for (unsigned at = DATA - RAM_GPA; at < RAM; at += 8) {
		uint64_t v = some_value();
		memcpy(ram + at, &v, 8);
	}
	r->x[1] = CODE + 0x40;
	r->x[2] = DATA + 0x400;
	r->x[5] = next_random() % 8;
	r->x[30] = CODE + 0x80;
	r->sp = STACK - 16 * (next_random() % 8);
	r->pc = CODE + 0x800;
	r->pstate = EL1H_MASKED | (next_random() & NZCV);
}

static bool open_host(void)
{
	const struct gyve_backend_ops *kvm = &gyve_backend_kvm;
	struct gyve_vm_config cfg = {.ncpus = 1};
	struct gyve_err err = {0};

	if (gyve_arch_host()->id != GYVE_AARCH64 || kvm->vm_create(&cfg, &vm, &err) < 0) {
		print_message("no KVM for aarch64 guests here\n");
		return false;
	}
	assert_int_equal(kvm->map(vm, 0, RAM_GPA, ram, RAM, 0), 0);
	assert_int_equal(kvm->vcpu_create(vm, 0, &cpu, &err), 0);
	assert_int_equal(kvm->get_regs(cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &all), 0);
	assert_int_equal(kvm->set_debug(cpu, &(struct gyve_debug){.step = true}), 0);
	return true;
}

static void close_host(void)
{
	gyve_backend_kvm.vcpu_destroy(cpu);
	gyve_backend_kvm.vm_destroy(vm);
}

static void step(const struct insn *i)
{
	const struct gyve_backend_ops *kvm = &gyve_backend_kvm;
	struct gyve_exit e = {.kind = GYVE_EXIT_INTR};

	memcpy(ram + all.a64.pc - RAM_GPA, &i->code, 4);
	if (kvm->sync_code)
		kvm->sync_code(ram, RAM);
	assert_int_equal(kvm->set_regs(cpu, GYVE_REGS_GPR, &all), 0);
	for (int n = 0; n < STEPS && e.kind == GYVE_EXIT_INTR; n++)
		assert_int_equal(kvm->run(cpu, &e), 0);
	if (e.kind != GYVE_EXIT_DEBUG || e.debug.kinds != 1u << GYVE_DBG_STEP)
		fail_msg("%s: exit %d", i->text, e.kind);
	assert_int_equal(kvm->get_regs(cpu, GYVE_REGS_GPR, &all), 0);
	if (kvm->sync_code)
		kvm->sync_code(ram, RAM);
}

static void compare(const struct insn *i, bool real)
{
	static struct gyve_a64_regs mine, before;
	struct skip_env env = {.ptr = place, .ctx = copy};
	uint64_t changed = UINT64_MAX;

	make_state(&all.a64);
	memcpy(copy, ram, RAM);
	mine = before = all.a64;
	if (!skip_a64(&mine, i->code, &env, &changed))
		fail_msg("refused: %s", i->text);
	for (unsigned n = 0; n < 31; n++)
		if (mine.x[n] != before.x[n] && !(changed & UINT64_C(1) << n))
			fail_msg("%s: x%u is not told of", i->text, n);
	assert_true(mine.sp == before.sp || changed & SKIP_SP);
	if (!real)
		return;
	step(i);
	for (unsigned n = 0; n < 31; n++)
		if (mine.x[n] != all.a64.x[n])
			fail_msg("%s: x%u is 0x%" PRIx64 ", not 0x%" PRIx64, i->text, n, mine.x[n], all.a64.x[n]);
	if (mine.sp != all.a64.sp || mine.pc != all.a64.pc || (mine.pstate ^ all.a64.pstate) & NZCV)
		fail_msg("%s: sp, pc, pstate are 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 ", not 0x%" PRIx64 " 0x%" PRIx64
			 " 0x%" PRIx64,
			 i->text, mine.sp, mine.pc, mine.pstate, all.a64.sp, all.a64.pc, all.a64.pstate);
	for (unsigned at = DATA - RAM_GPA; at < RAM; at++)
		if (copy[at] != ram[at])
			fail_msg("%s: the byte at 0x%x is %02x, not %02x", i->text, at, copy[at], ram[at]);
}

static void test_as_stepped(void **state)
{
	bool real = open_host();

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(insns); i++)
		for (unsigned k = 0; k < ROUNDS; k++)
			compare(&insns[i], real);
	if (real)
		close_host();
}

static void test_refused(void **state)
{
	static struct gyve_a64_regs r, before;
	struct skip_env env = {.ptr = place, .ctx = copy};
	uint64_t changed;

	(void)state;
	make_state(&r);
	before = r;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(refused); i++) {
		if (skip_a64(&r, refused[i].code, &env, &changed))
			fail_msg("carried out: %s", refused[i].text);
		assert_memory_equal(&r, &before, sizeof(r));
	}
}

/* Whatever the bits are: no undefined shift, nothing changed where it is refused. */
static void *nowhere(void *ctx, gyve_gva_t gva, unsigned len, bool write)
{
	(void)ctx, (void)gva, (void)len, (void)write;
	return NULL;
}

static void test_any(void **state)
{
	static struct gyve_a64_regs r, before;
	struct skip_env env = {.ptr = nowhere};
	uint64_t changed;

	(void)state;
	for (unsigned n = 0; n < 200000; n++) {
		r.x[n % 31] = some_value();
		r.pstate = next_random();
		before = r;
		if (!skip_a64(&r, (uint32_t)next_random(), &env, &changed))
			assert_memory_equal(&r, &before, offsetof(struct gyve_a64_regs, v));
	}
}

/* Pointer authentication is a NOP only while it is off; memory that is not aligned, a stack pointer that is not, are refused.
 */
static void test_state(void **state)
{
	enum { PACIASP = 0xd503233f, AUTIBSP = 0xd50323ff, LDR_X2_1 = 0xf8401040, STR_SP = 0xf90003e0 };
	static struct gyve_a64_regs r;
	struct skip_env env = {.ptr = place, .ctx = copy};
	uint64_t changed;

	(void)state;
	make_state(&r);
	assert_true(skip_a64(&r, PACIASP, &env, &changed));
	assert_true(skip_a64(&r, AUTIBSP, &env, &changed));
	r.sctlr_el1 = UINT64_C(1) << 31;
	assert_false(skip_a64(&r, PACIASP, &env, &changed));
	assert_true(skip_a64(&r, AUTIBSP, &env, &changed));
	assert_false(skip_a64(&r, LDR_X2_1, &env, &changed)); /* ldur x0, [x2, #1] */
	assert_true(skip_a64(&r, STR_SP, &env, &changed));
	r.sp += 8;
	assert_false(skip_a64(&r, STR_SP, &env, &changed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_stepped),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_any),
		cmocka_unit_test(test_state),
	};
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return ram == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
