/* The instruction assist: state instructions by hand, refusals, disassembly, data references, random bytes. */
#include "assist_guest.h"

#include <stdlib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

INSN(i_addps, "addps %xmm1, %xmm0");
INSN(i_movaps_store, "movaps %xmm1, (%rbx)");
INSN(i_movups_load, "movups (%rbx), %xmm0");
INSN(i_prefetch, "prefetcht0 (%rbx)");
INSN(i_xgetbv, "xgetbv");
INSN(i_xsetbv, "xsetbv");
INSN(i_xsave, "xsave64 (%rbx)");
INSN(i_xsavec, "xsavec64 (%rbx)");
INSN(i_xrstor, "xrstor64 (%rbx)");
INSN(i_fxsave, "fxsave64 (%rbx)");
INSN(i_fxrstor, "fxrstor64 (%rbx)");
INSN(i_ldmxcsr, "ldmxcsr (%rbx)");
INSN(i_stmxcsr, "stmxcsr (%rbx)");
INSN(i_rdtscp, "rdtscp");
INSN(i_swapgs, "swapgs");
INSN(i_wrfsbase, "wrfsbase %rax");
INSN(i_in, "in %dx, %al");
INSN(i_syscall, "syscall");
INSN(i_int3, "int3");
INSN(i_mov_cr3, "mov %rax, %cr3");
INSN(i_hlt, "hlt");
INSN(i_jmp, "jmp *%rax");
INSN(i_ret, "ret");
INSN(i_cpuid, "cpuid");
INSN(i_mov_store, "mov %rax, (%rbx)");
INSN(i_lidt, "lidt (%rbx)");
INSN(i_wrmsr, "wrmsr");
INSN(i_wrpkru, ".byte 0x0f, 0x01, 0xef");
INSN(i_garbage, ".byte 0x62, 0xff, 0xff, 0xff, 0x06");
INSN(i_push, "push %rax");
INSN(i_pop_rsp, "pop 8(%rsp)");
INSN(i_call, "call *(%rbx)");
INSN(i_movs, "rep movsq");
INSN(i_bts, "bts %rax, (%rbx)");
INSN(i_lea, "lea (%rbx), %rax");
INSN(i_add_mem, "addl $1, 4(%rbx)");

/* An emulated host takes minutes for what a real one does in seconds. */
static unsigned rounds(unsigned n)
{
	return getenv("GYVE_SLOW_HOST") ? n / 100 : n;
}

static void test_xcr(void **state)
{
	(void)state;
	regs.gpr[GYVE_RCX] = 0;
	ok(i_xgetbv);
	assert_int_equal(regs.gpr[GYVE_RAX], regs.xcr0);
	assert_int_equal(regs.gpr[GYVE_RDX], 0);
	regs.gpr[GYVE_RAX] = 3;
	ok(i_xsetbv);
	assert_int_equal(regs.xcr0, 3);
	assert_true(out.changed & GYVE_REGS_FP);
	regs.gpr[GYVE_RAX] = 2;
	faults(i_xsetbv, 13);
	regs.gpr[GYVE_RAX] = 5;
	faults(i_xsetbv, 13);
	regs.gpr[GYVE_RAX] = 3;
	regs.seg[GYVE_SS].dpl = 3;
	faults(i_xsetbv, 13);
	regs.gpr[GYVE_RCX] = 5;
	faults(i_xgetbv, 13);
	regs.cr4 &= ~0x40000ull;
	faults(i_xgetbv, 6);
}

static void fill_state(uint8_t seed)
{
	for (unsigned i = 32; i < 416; i++)
		regs.xsave[i] = (uint8_t)(i * 3 + seed);
	for (unsigned c = 2; c < 8; c++)
		if (regs.xcr0 >> c & 1)
			memset(regs.xsave + xoffset(c), seed + (int)c, c == 5 ? 64 : c == 7 ? 1024 : c == 6 ? 512 : 256);
}

static void test_xsave(void **state)
{
	const uint8_t *const saves[] = {i_xsave, i_xsavec};
	struct gyve_x86_regs kept;

	(void)state;
	regs.gpr[GYVE_RAX] = regs.gpr[GYVE_RDX] = (uint64_t)-1;
	for (size_t i = 0; i < 2; i++) {
		fill_state((uint8_t)(40 + i));
		regs.gpr[GYVE_RBX] = BASE + 0x1000;
		memset(at(BASE + 0x1000 + 512), 0, 64);
		kept = regs;
		ok(saves[i]);
		assert_int_equal(get64(at(BASE + 0x1200)), regs.xcr0);
		if (i == 0)
			assert_memory_equal(at(BASE + 0x1000 + 576), regs.xsave + 576, has_avx() ? 256 : 0);
		assert_int_equal(get64(at(BASE + 0x1208)), i ? regs.xcr0 | 1ull << 63 : 0);
		fill_state(1);
		set32(regs.xsave + 24, 0x1fa0);
		ok(i_xrstor);
		set32(regs.xsave + 28, get32(kept.xsave + 28));
		assert_memory_equal(regs.xsave, kept.xsave, sizeof(regs.xsave));
	}
	/* initial configuration: the second component asked for, not the others */
	set64(at(BASE + 0x1200), 0);
	regs.gpr[GYVE_RAX] = 2;
	regs.gpr[GYVE_RDX] = 0;
	ok(i_xrstor);
	assert_int_equal(get64(regs.xsave + 512), regs.xcr0 & ~2ull);
	/* what the header may not hold */
	set64(at(BASE + 0x1200), 1ull << 40);
	faults(i_xrstor, 13);
	set64(at(BASE + 0x1200), 3);
	set64(at(BASE + 0x1208), 1);
	faults(i_xrstor, 13);
	set64(at(BASE + 0x1208), 0);
	set32(at(BASE + 0x1018), 0xffff0000);
	faults(i_xrstor, 13);
	regs.gpr[GYVE_RBX] += 16;
	faults(i_xsave, 13);
	regs.gpr[GYVE_RBX] = HOLE - 64;
	faults(i_xsave, 14);
	assert_int_equal(out.cr2, HOLE);
}

static void test_fxsave(void **state)
{
	struct gyve_x86_regs kept;

	(void)state;
	fill_state(7);
	kept = regs;
	ok(i_fxsave);
	fill_state(9);
	ok(i_fxrstor);
	assert_memory_equal(regs.xsave + 32, kept.xsave + 32, 416 - 32);
	set32(at(BASE + 0x100), 0x1f00);
	ok(i_ldmxcsr);
	assert_int_equal(get32(regs.xsave + 24), 0x1f00);
	set32(at(BASE + 0x100), 0x80000000);
	faults(i_ldmxcsr, 13);
	ok(i_stmxcsr);
	assert_int_equal(get32(at(BASE + 0x100)), 0x1f00);
}

static void test_system(void **state)
{
	(void)state;
	regs.tsc_aux = 42;
	ok(i_rdtscp);
	assert_int_equal(regs.gpr[GYVE_RDX] << 32 | regs.gpr[GYVE_RAX], 0x123456789abcull);
	assert_int_equal(regs.gpr[GYVE_RCX], 42);
	regs.seg[GYVE_GS].base = 1;
	regs.kernel_gs_base = 2;
	ok(i_swapgs);
	assert_int_equal(regs.seg[GYVE_GS].base, 2);
	assert_int_equal(out.changed, GYVE_REGS_GPR | GYVE_REGS_SYS);
	faults(i_wrfsbase, 6);
	regs.cr4 |= 1 << 16;
	regs.gpr[GYVE_RAX] = 1ull << 63;
	faults(i_wrfsbase, 13);
	regs.gpr[GYVE_RAX] = 0x7777;
	ok(i_wrfsbase);
	assert_int_equal(regs.seg[GYVE_FS].base, 0x7777);
}

static void test_refused(void **state)
{
	const uint8_t *const insns[] = {i_in,    i_syscall, i_int3,      i_mov_cr3, i_hlt,    i_jmp,  i_ret,
					i_cpuid, i_lidt,    i_mov_store, i_wrmsr,   i_wrpkru, i_push, i_garbage};
	struct gyve_x86_regs before = regs;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(insns); i++) {
		err.text[0] = 0;
		assert_int_equal(run(insns[i]), GYVE_ASSIST_UNSUPPORTED);
		assert_non_null(strstr(err.text, "cannot carry out"));
	}
	assert_memory_equal(&before, &regs, sizeof(regs));
	assert_int_equal(ram.reads + ram.writes, 0);
	run(i_in);
	assert_string_equal(err.text, "cannot carry out 'in al, dx': not an instruction the assist knows");
	regs.xsave_len = 0;
	assert_int_equal(run(i_addps), GYVE_ASSIST_UNSUPPORTED);
	assert_int_equal(gyve_assist_x86(&regs, i_addps + 1, 1, &mem, &out, &err), GYVE_ASSIST_UNSUPPORTED);
	assert_int_equal(gyve_assist_x86(&regs, i_addps + 1, 0, &mem, &out, NULL), GYVE_ASSIST_UNSUPPORTED);
}

static void test_disasm(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(gyve_x86_disasm(i_movups_load + 1, i_movups_load[0], 0, text, sizeof(text)), i_movups_load[0]);
	assert_string_equal(text, "movups xmm0, [rbx]");
	assert_int_equal(gyve_x86_disasm(i_garbage + 1, i_garbage[0], 0, text, sizeof(text)), -EINVAL);
	assert_int_equal(gyve_x86_disasm(i_addps + 1, 0, 0, text, sizeof(text)), -EINVAL);
}

static void refs(const uint8_t *insn, int want, gyve_gva_t gva, uint32_t len, bool r, bool w)
{
	struct gyve_x86_data_ref ref[4] = {0};
	int n = gyve_x86_data_refs(&regs, insn + 1, insn[0], ref);

	assert_int_equal(n, want);
	for (int i = 0; i < n; i++)
		if (ref[i].gva == gva && ref[i].len == len && ref[i].read == r && ref[i].write == w)
			return;
	if (want)
		fail_msg("not among them: first %lx+%u r%d w%d", ref[0].gva, ref[0].len, ref[0].read, ref[0].write);
}

static void test_data_refs(void **state)
{
	uint64_t rsp = regs.gpr[GYVE_RSP];

	(void)state;
	refs(i_add_mem, 1, BASE + 0x104, 4, true, true);
	refs(i_movaps_store, 1, BASE + 0x100, 16, false, true);
	refs(i_lea, 0, 0, 0, false, false);
	refs(i_prefetch, 0, 0, 0, false, false);
	refs(i_push, 1, rsp - 8, 8, false, true);
	refs(i_call, 2, rsp - 8, 8, false, true);
	refs(i_call, 2, BASE + 0x100, 8, true, false);
	refs(i_ret, 1, rsp, 8, true, false);
	refs(i_pop_rsp, 2, rsp + 16, 8, false, true);
	refs(i_pop_rsp, 2, rsp, 8, true, false);
	regs.gpr[GYVE_RSI] = 0x1000;
	regs.gpr[GYVE_RDI] = 0x2000;
	refs(i_movs, 2, 0x1000, 8, true, false);
	refs(i_movs, 2, 0x2000, 8, false, true);
	regs.gpr[GYVE_RCX] = 0;
	refs(i_movs, 0, 0, 0, false, false);
	regs.gpr[GYVE_RAX] = (uint64_t)-1;
	refs(i_bts, 1, BASE + 0xf8, 8, true, true);
	assert_int_equal(gyve_x86_data_refs(&regs, i_garbage + 1, i_garbage[0], (struct gyve_x86_data_ref[4]){{0}}), -EINVAL);
}

INSN(i_add_loop, "addsd (%rbx), %xmm0");

static atomic_uint signals, running;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}
static int one_read(void *ctx, gyve_gva_t gva, void *buf, size_t len, gyve_gva_t *fault)
{
	(void)gva, (void)fault;
	memcpy(buf, ctx, len);
	return 0;
}
/* A sum that would go wrong if another thread's or a signal handler's registers came in. */
static void *add_up(void *arg)
{
	struct gyve_x86_regs *r = arg;
	double one = 1;
	struct gyve_assist_mem m = {.read = one_read, .write = NULL, .ctx = &one};
	struct gyve_assist_out o;

	for (unsigned i = 0; i < rounds(20000); i++)
		if (gyve_assist_x86(r, i_add_loop + 1, i_add_loop[0], &m, &o, NULL) != GYVE_ASSIST_DONE)
			break;
	running--;
	return NULL;
}

static void test_threads_and_signals(void **state)
{
	static struct gyve_x86_regs r[20]; /* more threads than slots to run in */
	struct sigaction sa = {.sa_handler = on_signal}, old;
	pthread_t thread[GYVE_ARRAY_SIZE(r)];
	double sum;

	(void)state;
	assert_int_equal(sigaction(SIGUSR1, &sa, &old), 0);
	running = GYVE_ARRAY_SIZE(r);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(r); i++) {
		r[i] = regs;
		set64(r[i].xsave + 160, 0);
		assert_int_equal(pthread_create(&thread[i], NULL, add_up, &r[i]), 0);
	}
	while (running)
		for (size_t i = 0; i < GYVE_ARRAY_SIZE(r); i++)
			pthread_kill(thread[i], SIGUSR1);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(r); i++) {
		pthread_join(thread[i], NULL);
		memcpy(&sum, r[i].xsave + 160, 8);
		assert_true(sum == rounds(20000));
	}
	assert_true(signals);
	sigaction(SIGUSR1, &old, NULL);
}

static uint64_t random64(void)
{
	static uint64_t s = 0x9e3779b97f4a7c15ull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s;
}

/* Bytes likely to be vector instructions: random ones rarely are. */
static void random_insn(uint8_t *b, unsigned kind)
{
	static const uint8_t prefix[] = {0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x64, 0x65, 0x48, 0x41, 0x4f};
	unsigned n = 0;

	for (unsigned i = 0; i < 15; i++)
		b[i] = (uint8_t)(random64() >> 20);
	if (kind == 0)
		return;
	for (unsigned i = random64() % 3; i; i--)
		b[n++] = prefix[random64() % sizeof(prefix)];
	switch (kind) {
	case 1:
		b[n] = 0x0f;
		break;
	case 2:
		b[n++] = 0x0f;
		b[n] = random64() & 1 ? 0x38 : 0x3a;
		break;
	case 3:
		b[n] = 0xc5;
		break;
	case 4:
		b[n++] = 0xc4;
		b[n] = (uint8_t)((b[n] & 0xe0) | (1 + random64() % 3));
		break;
	case 5:
		b[n++] = 0x62;
		b[n] = (uint8_t)((b[n] & 0xf0) | (1 + random64() % 3));
		b[n + 1] |= 4;
		break;
	default:
		b[n] = (uint8_t)(0xd8 + random64() % 8);
		break;
	}
}

/* Whatever the bytes: no crash, no host state lost, and every change of memory came by the callbacks. */
static void test_random(void **state)
{
	unsigned done = 0, faulted = 0;
	uint8_t insn[15];

	(void)state;
	for (unsigned i = 0, n = rounds(200000); i < n; i++) {
		if (i % 64 == 0) {
			fresh(NULL);
			for (unsigned g = 0; g < 16; g++)
				regs.gpr[g] = i & 64 ? BASE + random64() % (END - BASE) : random64();
			for (unsigned x = 0; i & 128 && x < 832; x++)
				regs.xsave[x] = (uint8_t)random64();
			regs.cr4 |= 1 << 16;
		}
		random_insn(insn, random64() % 7);
		regs.rip = CODE;
		switch (gyve_assist_x86(&regs, insn, 15, &mem, &out, &err)) {
		case GYVE_ASSIST_DONE:
			done++;
			break;
		case GYVE_ASSIST_FAULT:
			faulted++;
			break;
		default:
			break;
		}
	}
	print_message("%u done, %u faulted\n", done, faulted);
	assert_true(done > rounds(10000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_xcr, fresh),       cmocka_unit_test_setup(test_xsave, fresh),
		cmocka_unit_test_setup(test_fxsave, fresh),    cmocka_unit_test_setup(test_system, fresh),
		cmocka_unit_test_setup(test_refused, fresh),   cmocka_unit_test_setup(test_disasm, fresh),
		cmocka_unit_test_setup(test_data_refs, fresh), cmocka_unit_test_setup(test_threads_and_signals, fresh),
		cmocka_unit_test_setup(test_random, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
