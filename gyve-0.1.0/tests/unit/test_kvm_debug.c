/* The KVM backend on the real /dev/kvm: what a debugger asks of it, as this host's KVM does it. */
#include "kvm_guest.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

GUEST(steps, "nop\n nop\n inc eax\n nop\n out 0x80, al");
GUEST(int3, "nop\n int3\n hlt");
GUEST(points, "nop\n nop\n nop\n nop\n hlt");
GUEST(store, "mov byte ptr [0x6010], 7\n nop\n hlt");
/* Interrupts are let in: Bochs' VMX never leaves a guest that has entered with them held and doesn't touch the flag. */
GUEST(spin, "sti; 1: jmp 1b");
GUEST(halt, "1: hlt\n jmp 1b");
GUEST(xor_sse, "xorps xmm0, xmm0\n hlt");

static void set_debug(const struct gyve_debug *d)
{
	assert_int_equal(kvm->set_debug(t.cpu[0], d), 0);
}

static const struct gyve_host_caps *probed(void)
{
	kvm->probe(t.vm);
	return kvm->caps(t.vm);
}

/* --- steps and points */

static void test_step(void **state)
{
	struct gyve_debug d = {.step = true, .block_irq = true};
	uint64_t pc = CODE;

	(void)state;
	guest_need();
	LOAD(steps);
	guest_enter(0);
	set_debug(&d);
	for (int i = 0; i < 20 && pc < CODE + 4; i++) {
		struct gyve_exit e = guest_run(0);
		assert_int_equal(e.kind, GYVE_EXIT_DEBUG);
		assert_int_equal(e.debug.kinds, 1u << GYVE_DBG_STEP);
		assert_int_equal(e.debug.pc, guest_regs(GYVE_REGS_GPR)->rip);
		if (e.debug.pc != pc) /* emulated VMX sometimes ends a step before its instruction */
			assert_int_equal(e.debug.pc, pc + (pc == CODE + 2 ? 2 : 1));
		pc = e.debug.pc;
	}
	assert_int_equal(pc, CODE + 4);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RAX], 1);
	set_debug(&(struct gyve_debug){0});
	guest_run_to(GYVE_EXIT_IO);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rflags & 0x100, 0);
}

static void run_to_int3(void)
{
	set_debug(&(struct gyve_debug){.sw_bp = true});
	struct gyve_exit e = guest_run(0);
	if (probed()->sw_bp_is_internal_error) {
		assert_int_equal(e.kind, GYVE_EXIT_EMULATION);
		assert_true(!e.emul.ninsn || e.emul.insn[0] == 0xcc);
	} else {
		assert_int_equal(e.kind, GYVE_EXIT_DEBUG);
		assert_int_equal(e.debug.kinds, 1u << GYVE_DBG_SW_BP);
		assert_int_equal(e.debug.pc, CODE + 1);
	}
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE + 1);
}

static void test_sw_breakpoint(void **state)
{
	(void)state;
	guest_need();
	LOAD(int3);
	guest_enter(0);
	run_to_int3();
	t.ram[CODE + 1] = 0x90; /* the byte is back: go on over it */
	guest_run_to(GYVE_EXIT_HLT);
}

static void load_with_handler(void)
{
	LOAD(int3);
	guest_gate(3, CODE + 0x100);
	memcpy(t.ram + CODE + 0x100, "\x8f\x04\x25\x00\x60\x00\x00\xf4", 8); /* pop [DATA]; hlt */
	guest_enter(0);
}

static void check_handler_ran(void)
{
	uint64_t saved;

	guest_run_to(GYVE_EXIT_HLT);
	memcpy(&saved, t.ram + DATA, 8);
	assert_int_equal(saved, CODE + 2); /* a trap: behind the INT3 */
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE + 0x108);
}

static void test_reinject(void **state)
{
	(void)state;
	guest_need();
	load_with_handler();
	run_to_int3();
	assert_int_equal(kvm->reinject_bp(t.cpu[0]), 0);
	check_handler_ran();
}

/* Registers set on either side of it are no reason to lose the exception. */
static void test_reinject_and_registers(void **state)
{
	(void)state;
	guest_need();
	load_with_handler();
	run_to_int3();
	guest_set_gpr(GYVE_RBX, 0x1234);
	assert_int_equal(kvm->reinject_bp(t.cpu[0]), 0);
	guest_set_gpr(GYVE_RCX, 0x5678);
	check_handler_ran();
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RBX], 0x1234);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RCX], 0x5678);
}

/* A stop between giving back and going on: the debugger sees the INT3, may set registers, and the exception still comes. */
static void test_reinject_and_kick(void **state)
{
	(void)state;
	guest_need();
	load_with_handler();
	run_to_int3();
	assert_int_equal(kvm->reinject_bp(t.cpu[0]), 0);
	kvm->kick(t.cpu[0]);
	guest_run_to(GYVE_EXIT_INTR);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE + 1);
	guest_set_gpr(GYVE_RBX, 0x1234);
	check_handler_ran();
}

/* ... and does not if the debugger moved the vCPU elsewhere, or reset it. */
static void test_reinject_elsewhere(void **state)
{
	struct gyve_regs r = {0};

	(void)state;
	guest_need();
	load_with_handler();
	run_to_int3();
	assert_int_equal(kvm->reinject_bp(t.cpu[0]), 0);
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_GPR, &r), 0);
	r.x86.rip = CODE + 2;
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_GPR, &r), 0);
	guest_run_to(GYVE_EXIT_HLT);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE + 3);
	assert_int_equal(t.ram[DATA], 0);

	guest_enter(0);
	run_to_int3();
	assert_int_equal(kvm->reinject_bp(t.cpu[0]), 0);
	assert_int_equal(kvm->reset(t.cpu[0]), 0);
	guest_enter(0);
	run_to_int3();
}

static void test_hw_breakpoints(void **state)
{
	struct gyve_debug d = {0};

	(void)state;
	guest_need();
	assert_int_equal(kvm->caps(t.vm)->hw_bps, 4);
	assert_true(kvm->caps(t.vm)->hw_shared);
	LOAD(points);
	guest_enter(0);
	for (unsigned i = 0; i < 4; i++) { /* slot 3 is met first */
		d.hw[i].type = GYVE_HW_EXEC;
		d.hw[i].addr = CODE + 3 - i;
		d.hw[i].len = 1;
	}
	for (unsigned i = 4; i-- > 0;) {
		set_debug(&d);
		struct gyve_exit e = guest_run(0);
		assert_int_equal(e.kind, GYVE_EXIT_DEBUG);
		assert_int_equal(e.debug.kinds, 1u << GYVE_DBG_HW_BP);
		assert_int_equal(e.debug.slots, 1u << i);
		assert_int_equal(e.debug.pc, CODE + 3 - i);
		d.hw[i].type = GYVE_HW_NONE;
	}
	set_debug(&d);
	guest_run_to(GYVE_EXIT_HLT);
}

static void watch(enum gyve_hw_type type, uint64_t addr, uint64_t len)
{
	struct gyve_debug d = {.hw = {[2] = {type, addr, len}}};

	LOAD(store);
	guest_enter(0);
	set_debug(&d);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_DEBUG);
	assert_int_equal(e.debug.kinds, 1u << GYVE_DBG_WATCH);
	assert_int_equal(e.debug.slots, 1u << 2);
	assert_int_equal(e.debug.addr, addr);
	assert_int_equal(t.ram[DATA + 0x10], 7);
	guest_run_to(GYVE_EXIT_HLT);
}

static void test_watchpoints(void **state)
{
	(void)state;
	guest_need();
	if (!probed()->hw_watch_works) {
		print_message("# SKIP data watchpoints do not fire on this host's KVM\n");
		skip();
	}
	watch(GYVE_HW_WRITE, DATA + 0x10, 1);
	watch(GYVE_HW_WRITE, DATA + 0x10, 8);
	watch(GYVE_HW_ACCESS, DATA + 0x10, 2);
	watch(GYVE_HW_ACCESS, DATA + 0x10, 4);
}

/* What was probed is what a guest meets. */
static void test_probe_tells_the_truth(void **state)
{
	(void)state;
	guest_need();
	bool emulates = probed()->emulates;
	LOAD(xor_sse);
	guest_enter(0);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.kind, emulates ? GYVE_EXIT_EMULATION : GYVE_EXIT_HLT);
	if (emulates && e.emul.ninsn)
		assert_memory_equal(e.emul.insn, "\x0f\x57\xc0", 3);
}

/* --- kicks */

struct kicker {
	pthread_t runner;
	unsigned cpu;
	bool signal;
};

static void *kick_later(void *arg)
{
	const struct kicker *k = arg;
	struct timespec wait = {.tv_nsec = 20 * 1000 * 1000};

	nanosleep(&wait, NULL);
	kvm->kick(t.cpu[k->cpu]);
	if (k->signal)
		pthread_kill(k->runner, SIGUSR1);
	return NULL;
}

static void run_until_kicked(void)
{
	struct kicker k = {.runner = pthread_self(), .signal = true};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, kick_later, &k), 0);
	struct gyve_exit e = guest_run(0);
	pthread_join(thread, NULL);
	assert_int_equal(e.kind, GYVE_EXIT_INTR);
}

static void test_kick_in_loop(void **state)
{
	(void)state;
	guest_need();
	LOAD(spin);
	guest_enter(0);
	for (int i = 0; i < 3; i++)
		run_until_kicked();
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE + 1);
}

/* A kick before run() is not lost, is answered once, and survives a settle(). */
static void test_kick_before_run(void **state)
{
	(void)state;
	guest_need();
	LOAD(halt);
	guest_enter(0);
	kvm->kick(t.cpu[0]);
	assert_int_equal(kvm->settle(t.cpu[0]), 0);
	guest_run_to(GYVE_EXIT_INTR);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE);
	guest_run_to(GYVE_EXIT_HLT);
}

static void test_kick_and_settle(void **state)
{
	(void)state;
	guest_need();
	LOAD(store);
	t.ram[CODE + 4] = 0x00; /* mov [0x400000], 7: an access to settle */
	memcpy(t.ram + CODE, "\xc6\x04\x25\x00\x00\x40\x00\x07", 8);
	guest_enter(0);
	guest_run_to(GYVE_EXIT_MMIO);
	kvm->kick(t.cpu[0]);
	assert_int_equal(kvm->settle(t.cpu[0]), 0);
	guest_run_to(GYVE_EXIT_INTR);
	guest_run_to(GYVE_EXIT_HLT);
}

/* The in-kernel interrupt controller keeps a halted vCPU inside. */
static void test_kick_and_unhalt(void **state)
{
	(void)state;
	guest_need();
	LOAD(halt);
	guest_enter(0);
	run_until_kicked();
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE + 1);
	run_until_kicked(); /* still halted */
	assert_int_equal(kvm->unhalt(t.cpu[0]), 0);
	set_debug(&(struct gyve_debug){.step = true});
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_DEBUG);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->rip, CODE);
}

/* After a reset a halted vCPU runs. */
static void test_reset_wakes(void **state)
{
	(void)state;
	guest_need();
	LOAD(halt);
	guest_enter(0);
	run_until_kicked();
	assert_int_equal(kvm->reset(t.cpu[0]), 0);
	LOAD(points);
	memcpy(t.ram + CODE, "\xe6\x80", 2); /* out 0x80, al */
	guest_enter(0);
	guest_run_to(GYVE_EXIT_IO);
}

struct runner {
	unsigned cpu;
	enum gyve_exit_kind kind;
};

static void *run_cpu(void *arg)
{
	struct runner *r = arg;
	struct gyve_exit e = {.kind = GYVE_EXIT_UNKNOWN};

	if (kvm->run(t.cpu[r->cpu], &e) == 0)
		r->kind = e.kind;
	return NULL;
}

static void test_two_run_at_once(void **state)
{
	struct runner r[NCPU] = {{0, GYVE_EXIT_UNKNOWN}, {1, GYVE_EXIT_UNKNOWN}};
	struct timespec wait = {.tv_nsec = 20 * 1000 * 1000};
	pthread_t thread[NCPU];

	(void)state;
	guest_need();
	LOAD(spin);
	for (unsigned i = 0; i < NCPU; i++) {
		guest_enter(i);
		assert_int_equal(pthread_create(&thread[i], NULL, run_cpu, &r[i]), 0);
	}
	nanosleep(&wait, NULL);
	for (unsigned i = 0; i < NCPU; i++) {
		kvm->kick(t.cpu[i]);
		pthread_kill(thread[i], SIGUSR1);
	}
	for (unsigned i = 0; i < NCPU; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(r[i].kind, GYVE_EXIT_INTR);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, guest_open, guest_close)
#define TEST_IRQCHIP(name) cmocka_unit_test_setup_teardown(test_##name, guest_open_irqchip, guest_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(step),
		TEST_IRQCHIP(step),
		TEST(sw_breakpoint),
		TEST(reinject),
		TEST(reinject_and_registers),
		TEST(reinject_and_kick),
		TEST(reinject_elsewhere),
		TEST(hw_breakpoints),
		TEST(watchpoints),
		TEST(probe_tells_the_truth),
		TEST(kick_in_loop),
		TEST(kick_before_run),
		TEST(kick_and_settle),
		TEST_IRQCHIP(kick_and_unhalt),
		TEST_IRQCHIP(reset_wakes),
		TEST_IRQCHIP(two_run_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
