/* Run control and the breakpoint book, over a pretended hypervisor that behaves as either kind of host. */
#include "unit.h"

#include "../support/run_guest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_step_and_range(void **state)
{
	(void)state;
	struct guest *g = start(1, loop_code, sizeof(loop_code));
	struct gyve_stop s = go(g, GYVE_ACT_STEP, -1);
	assert_int_equal(s.kind, GYVE_STOP_STEP);
	assert_int_equal(s.pc, LOOP);
	struct gyve_resume r = {GYVE_ACT_RANGE, LOOP, BASE + 8};
	assert_int_equal(gyve_run_resume(g->vm, &r), 0);
	s = wait_stop(g);
	assert_int_equal(s.kind, GYVE_STOP_STEP);
	assert_int_equal(s.pc, BASE + 8);
	end(g);
}

static void test_step_that_does_not_move(void **state)
{
	static const uint8_t jump_to_itself[] = {0xeb, 0xfe};

	(void)state;
	struct guest *g = start(1, loop_code, sizeof(loop_code));
	fake_host.lazy_steps = 3;
	assert_int_equal(go(g, GYVE_ACT_STEP, -1).pc, LOOP);
	/* over a breakpoint as well: it is not hit a second time */
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 7);
	fake_host.lazy_steps = 3;
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 7);
	assert_int_equal(byte_at(g, DATA), 2);
	assert_int_equal(fake_host.lazy_steps, 0);
	end(g);
	g = start(1, jump_to_itself, sizeof(jump_to_itself));
	struct gyve_stop s = go(g, GYVE_ACT_STEP, -1);
	assert_int_equal(s.kind, GYVE_STOP_STEP);
	assert_int_equal(s.pc, BASE);
	end(g);
}

static void test_breakpoint_is_hidden_and_kept(void **state)
{
	(void)state;
	struct guest *g = start(1, loop_code, sizeof(loop_code));
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	assert_int_equal(raw_at(g, BASE + 7), 0xcc);
	assert_int_equal(byte_at(g, BASE + 7), 0x90);
	for (int i = 1; i <= 100; i++) {
		struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
		assert_int_equal(s.kind, GYVE_STOP_SW_BP);
		assert_int_equal(s.pc, BASE + 7);
		assert_int_equal(byte_at(g, DATA), i & 0xff);
	}
	/* a step from it goes over it */
	struct gyve_stop s = go(g, GYVE_ACT_STEP, -1);
	assert_int_equal(s.kind, GYVE_STOP_STEP);
	assert_int_equal(s.pc, BASE + 8);
	/* writes keep it and change what is under it */
	struct gyve_mem m = gyve_vm_phys(g->vm);
	uint8_t nops[2] = {0x90, 0xeb};
	assert_int_equal(m.write(m.ctx, BASE + 7, nops, 2), 2);
	assert_int_equal(raw_at(g, BASE + 7), 0xcc);
	/* the guest rewrites it: planted again at the next resume */
	((uint8_t *)gyve_memmap_ptr(gyve_vm_memmap(g->vm), BASE + 7, 1))[0] = 0x90;
	s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.pc, BASE + 7);
	gyve_bp_clear(g->vm);
	assert_int_equal(raw_at(g, BASE + 7), 0x90);
	end(g);
}

static void test_foreign_int3_goes_back(void **state)
{
	(void)state;
	static const uint8_t code[] = {0x90, 0xcc, 0xcc, 0x90, 0xf4};
	struct guest *g = start(1, code, sizeof(code));
	fake_host.reinjected = 0;
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 3, 1, NULL), 0);
	struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.kind, GYVE_STOP_SW_BP);
	assert_int_equal(s.pc, BASE + 3);
	assert_int_equal(fake_host.reinjected, 2);
	end(g);
}

static void test_interrupt_halt_and_loop(void **state)
{
	(void)state;
	static const uint8_t halt[] = {0xf4}, loop[] = {0xeb, 0xfe};
	for (int i = 0; i < 2; i++) {
		struct guest *g = i ? start(2, loop, sizeof(loop)) : start(2, halt, sizeof(halt));
		for (int k = 0; k < 50; k++) {
			struct gyve_resume r[2] = {{.act = GYVE_ACT_CONT}, {.act = GYVE_ACT_CONT}};
			assert_int_equal(gyve_run_resume(g->vm, r), 0);
			assert_false(gyve_run_stopped(g->vm));
			gyve_run_interrupt(g->vm);
			struct gyve_stop s = wait_stop(g);
			assert_int_equal(s.kind, GYVE_STOP_INTERRUPT);
			assert_int_equal(pc(g, 1), BASE);
		}
		end(g);
	}
}

/* Every pass of every vCPU over the breakpoint is told exactly once. */
static void test_no_hit_is_lost(void **state)
{
	(void)state;
	struct guest *g = start(4, loop_code, sizeof(loop_code));
	unsigned hits[4] = {0}, total = 0;
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	for (int i = 0; i < 4000; i++) {
		struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
		assert_int_equal(s.kind, GYVE_STOP_SW_BP);
		assert_int_equal(s.pc, BASE + 7);
		assert_int_equal(pc(g, s.cpu), BASE + 7);
		hits[s.cpu]++;
		total++;
	}
	/* each increment ends at the breakpoint; those not yet told are at it or on the way */
	unsigned done = byte_at(g, DATA);
	unsigned behind = (done - total) & 0xff;
	assert_true(behind <= 3);
	for (int i = 0; i < 4; i++)
		assert_true(hits[i] > 0);
	end(g);
}

static void test_pending_hit_is_withdrawn(void **state)
{
	(void)state;
	static const uint8_t code[] = {0x90, 0x90, 0xf4};
	struct guest *g = start(2, code, sizeof(code));
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 1, 1, NULL), 0);
	struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.kind, GYVE_STOP_SW_BP);
	assert_int_equal(gyve_bp_remove(g->vm, GYVE_POINT_SW, BASE + 1, 1), 0);
	/* however busy the machine: sooner or later both have got to the HLT, and nothing else stops them before */
	for (int i = 0; i < 1000 && (pc(g, 0) != BASE + 2 || pc(g, 1) != BASE + 2); i++) {
		struct gyve_resume r[2] = {{.act = GYVE_ACT_CONT}, {.act = GYVE_ACT_CONT}};
		assert_int_equal(gyve_run_resume(g->vm, r), 0);
		usleep(5000);
		gyve_run_interrupt(g->vm);
		assert_int_equal(wait_stop(g).kind, GYVE_STOP_INTERRUPT);
	}
	assert_int_equal(pc(g, 0), BASE + 2);
	assert_int_equal(pc(g, 1), BASE + 2);
	end(g);
}

static void test_one_steps_the_other_stays(void **state)
{
	(void)state;
	struct guest *g = start(2, loop_code, sizeof(loop_code));
	struct gyve_stop s = go(g, GYVE_ACT_STEP, 1);
	assert_int_equal(s.kind, GYVE_STOP_STEP);
	assert_int_equal(s.cpu, 1);
	assert_int_equal(pc(g, 0), BASE);
	assert_int_equal(pc(g, 1), LOOP);
	end(g);
}

static void test_watch(void **state)
{
	(void)state;
	for (int works = 0; works < 2; works++) {
		fake_host.watch_works = works;
		struct guest *g = start(1, loop_code, sizeof(loop_code));
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_WRITE, DATA, 4, NULL), 0);
		for (int i = 1; i < 5; i++) {
			struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
			assert_int_equal(s.kind, GYVE_STOP_WATCH);
			assert_int_equal(s.addr, DATA);
			assert_int_equal(s.pc, BASE + 7);
			assert_int_equal(byte_at(g, DATA), i);
		}
		gyve_bp_clear(g->vm);
		end(g);
	}
}

static void test_debug_registers(void **state)
{
	(void)state;
	struct guest *g = start(1, loop_code, sizeof(loop_code));
	struct gyve_err err = {0};
	/* not mapped, nowhere: a debug register stands in, and the intent stays */
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, 0xffff800000000000, 1, &err), 0);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_HW, BASE + 8, 1, &err), 0);
	struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.kind, GYVE_STOP_HW_BP);
	assert_int_equal(s.pc, BASE + 8);
	s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.pc, BASE + 8);
	assert_int_equal(byte_at(g, DATA), 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_HW, BASE + 0x100 + i, 1, &err), 0);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_HW, BASE + 0x110, 1, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "4 debug registers"));
	/* a page rewritten between two exits still stops, by the shadow */
	gyve_bp_clear(g->vm);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, &err), 0);
	s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.kind, GYVE_STOP_SW_BP);
	end(g);
}

static void test_out_is_one_step(void **state)
{
	(void)state;
	static const uint8_t code[] = {0xe6, 0xe9, 0x90, 0xe6, 0xf4};
	struct guest *g = start(1, code, sizeof(code));
	gyve_vcpu_regs(g->vm, 0, GYVE_REGS_GPR)->x86.gpr[GYVE_RAX] = 'x';
	gyve_vcpu_regs_dirty(g->vm, 0, GYVE_REGS_GPR);
	struct gyve_stop s = go(g, GYVE_ACT_STEP, -1);
	assert_int_equal(s.kind, GYVE_STOP_STEP);
	assert_int_equal(s.pc, BASE + 2);
	assert_int_equal(g->nout, 1);
	s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.kind, GYVE_STOP_EXIT);
	assert_int_equal(s.code, 'x');
	struct gyve_resume r = {.act = GYVE_ACT_CONT};
	assert_int_equal(gyve_run_resume(g->vm, &r), -ESRCH);
	end(g);
}

static void test_crash_kill_reset(void **state)
{
	(void)state;
	static const uint8_t code[] = {0x90, 0x0f, 0x0b};
	struct guest *g = start(2, code, sizeof(code));
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE, 1, NULL), 0);
	struct gyve_stop s = go(g, GYVE_ACT_CONT, 0);
	assert_int_equal(s.kind, GYVE_STOP_SW_BP);
	s = go(g, GYVE_ACT_CONT, 0);
	assert_int_equal(s.kind, GYVE_STOP_CRASH);
	assert_int_equal(s.pc, BASE + 1);
	assert_int_equal(gyve_vm_reset(g->vm, NULL), 0);
	assert_int_equal(pc(g, 0), BASE);
	assert_int_equal(raw_at(g, BASE), 0xcc);
	assert_int_equal(go(g, GYVE_ACT_CONT, 0).kind, GYVE_STOP_SW_BP);
	gyve_run_kill(g->vm, 7);
	s = wait_stop(g);
	assert_int_equal(s.kind, GYVE_STOP_EXIT);
	assert_int_equal(s.code, 7);
	end(g);
}

#define BOTH(f) cmocka_unit_test_setup(f, as_plain_host), cmocka_unit_test_setup(f, as_emulating_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_step_and_range),
		BOTH(test_step_that_does_not_move),
		BOTH(test_breakpoint_is_hidden_and_kept),
		BOTH(test_foreign_int3_goes_back),
		BOTH(test_interrupt_halt_and_loop),
		BOTH(test_no_hit_is_lost),
		BOTH(test_pending_hit_is_withdrawn),
		BOTH(test_one_steps_the_other_stays),
		BOTH(test_watch),
		BOTH(test_debug_registers),
		BOTH(test_out_is_one_step),
		BOTH(test_crash_kill_reset),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
