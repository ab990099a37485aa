/* Non-stop run control, over a pretended hypervisor. */
#include "unit.h"

#include "../support/run_guest.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void act(struct guest *g, unsigned cpu, enum gyve_action a)
{
	struct gyve_resume r[8] = {0};

	r[cpu].act = a;
	assert_int_equal(gyve_run_resume(g->vm, r), 0);
}

static void act_all(struct guest *g, enum gyve_action a)
{
	struct gyve_resume r[8];

	for (unsigned i = 0; i < 8; i++)
		r[i] = (struct gyve_resume){.act = a};
	assert_int_equal(gyve_run_resume(g->vm, r), 0);
}

static struct gyve_stop next_stop(struct guest *g)
{
	struct pollfd p = {gyve_run_eventfd(g->vm), POLLIN, 0};
	struct gyve_stop stop;

	do
		assert_int_equal(poll(&p, 1, 10000), 1);
	while (!gyve_run_take_stop(g->vm, &stop));
	return stop;
}

static bool any_stop(struct guest *g)
{
	struct gyve_stop stop;
	return gyve_run_take_stop(g->vm, &stop);
}

static struct guest *start_nonstop(unsigned ncpus, const uint8_t *code, size_t len)
{
	struct guest *g = start(ncpus, code, len);
	gyve_run_nonstop(g->vm, true);
	return g;
}

static void expect_stop(struct guest *g, enum gyve_stop_kind kind, unsigned cpu)
{
	struct gyve_stop s = next_stop(g);
	assert_int_equal(s.kind, kind);
	assert_int_equal(s.cpu, cpu);
}

static bool changes(struct guest *g)
{
	unsigned now = byte_at(g, DATA);

	for (int i = 0; i < 1000; i++) {
		if (byte_at(g, DATA) != now)
			return true;
		usleep(1000);
	}
	return false;
}

static void test_one_stops(void **state)
{
	(void)state;
	struct guest *g = start_nonstop(4, loop_code, sizeof(loop_code));
	act_all(g, GYVE_ACT_CONT);
	for (int i = 0; i < 50; i++) {
		act(g, 2, GYVE_ACT_STOP);
		expect_stop(g, GYVE_STOP_PAUSE, 2);
		assert_true(gyve_vcpu_stopped(g->vm, 2));
		assert_false(gyve_vcpu_stopped(g->vm, 1));
		assert_false(gyve_run_stopped(g->vm));
		assert_null(gyve_vcpu_regs(g->vm, 0, GYVE_REGS_GPR));
		uint64_t before = pc(g, 2);
		assert_true(changes(g));
		assert_int_equal(pc(g, 2), before);
		act(g, 2, GYVE_ACT_STEP);
		expect_stop(g, GYVE_STOP_STEP, 2);
		act(g, 2, GYVE_ACT_STOP); /* it is stopped: nothing to tell */
		assert_false(any_stop(g));
		act(g, 2, GYVE_ACT_CONT);
	}
	gyve_run_interrupt_one(g->vm);
	expect_stop(g, GYVE_STOP_INTERRUPT, 0);
	end(g);
}

/* Set and removed while they run, met by all, stepped over while the others run: none is lost, none runs through. */
static void test_points_while_running(void **state)
{
	(void)state;
	struct guest *g = start_nonstop(4, loop_code, sizeof(loop_code));
	act_all(g, GYVE_ACT_CONT);
	for (int i = 0; i < 50; i++) {
		unsigned seen = 0;
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
		for (int k = 0; k < 4; k++) {
			struct gyve_stop s = next_stop(g);
			assert_int_equal(s.kind, GYVE_STOP_SW_BP);
			assert_int_equal(s.pc, BASE + 7);
			assert_false(seen & 1u << s.cpu);
			seen |= 1u << s.cpu;
		}
		assert_false(any_stop(g));
		/* two go over it at the same time, and come to it again */
		act(g, 0, GYVE_ACT_CONT);
		act(g, 1, GYVE_ACT_STEP);
		seen = 1u << next_stop(g).cpu;
		seen |= 1u << next_stop(g).cpu;
		assert_int_equal(seen, 3);
		assert_int_equal(pc(g, 0), BASE + 7);
		assert_int_equal(pc(g, 1), BASE + 8);
		assert_int_equal(raw_at(g, BASE + 7), 0xcc);
		assert_int_equal(gyve_bp_remove(g->vm, GYVE_POINT_SW, BASE + 7, 1), 0);
		assert_int_equal(raw_at(g, BASE + 7), 0x90);
		act_all(g, GYVE_ACT_CONT);
	}
	end(g);
}

static void test_every_pass_is_told(void **state)
{
	(void)state;
	struct guest *g = start_nonstop(4, loop_code, sizeof(loop_code));
	unsigned hits[4] = {0}, total = 0;
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	act_all(g, GYVE_ACT_CONT);
	for (int i = 0; i < 2000; i++) {
		struct gyve_stop s = next_stop(g);
		assert_int_equal(s.kind, GYVE_STOP_SW_BP);
		assert_int_equal(pc(g, s.cpu), BASE + 7);
		hits[s.cpu]++;
		total++;
		act(g, s.cpu, GYVE_ACT_CONT);
	}
	act_all(g, GYVE_ACT_STOP);
	for (unsigned n = 0; n < 4;) {
		struct gyve_stop s = next_stop(g);
		total += s.kind == GYVE_STOP_SW_BP;
		n += gyve_vcpu_stopped(g->vm, s.cpu);
	}
	/* an increment comes before each pass */
	unsigned ahead = (byte_at(g, DATA) - total) & 0xff;
	assert_true(ahead <= 4);
	for (int i = 0; i < 4; i++)
		assert_true(hits[i] > 0);
	end(g);
}

/* Told to stop while some are about to step over the breakpoint and one does so, alone: that one's step is left as it is. */
static void test_stop_among_steps(void **state)
{
	(void)state;
	struct guest *g = start_nonstop(4, loop_code, sizeof(loop_code));
	unsigned total = 0;
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	for (int i = 0; i < 300; i++) {
		act_all(g, GYVE_ACT_CONT);
		for (int k = 0; k < i % 4; k++)
			total += next_stop(g).kind == GYVE_STOP_SW_BP;
		act_all(g, GYVE_ACT_STOP);
		struct gyve_stop s;
		for (bool all = false; !all || gyve_run_take_stop(g->vm, &s);) {
			if (!all)
				s = next_stop(g);
			total += s.kind == GYVE_STOP_SW_BP;
			all = true;
			for (unsigned c = 0; c < 4; c++)
				all &= gyve_vcpu_stopped(g->vm, c);
		}
		unsigned ahead = (byte_at(g, DATA) - total) & 0xff;
		assert_true(ahead <= 4);
	}
	end(g);
}

static void test_halted(void **state)
{
	static const uint8_t halt[] = {0xf4};

	(void)state;
	struct guest *g = start_nonstop(2, halt, sizeof(halt));
	act_all(g, GYVE_ACT_CONT);
	for (int i = 0; i < 30; i++) {
		act(g, 1, GYVE_ACT_STOP);
		expect_stop(g, GYVE_STOP_PAUSE, 1);
		act(g, 1, GYVE_ACT_CONT);
	}
	end(g);
}

/* A stop of all in between, as for a dump; then as before. */
static void test_stop_of_all(void **state)
{
	(void)state;
	struct guest *g = start_nonstop(3, loop_code, sizeof(loop_code));
	act_all(g, GYVE_ACT_CONT);
	act(g, 1, GYVE_ACT_STOP);
	expect_stop(g, GYVE_STOP_PAUSE, 1);
	for (int i = 0; i < 30; i++) {
		gyve_run_interrupt(g->vm);
		struct gyve_stop s = next_stop(g);
		assert_int_equal(s.kind, GYVE_STOP_INTERRUPT);
		assert_true(gyve_run_stopped(g->vm));
		assert_int_equal(gyve_run_resume(g->vm, NULL), 0);
		assert_true(gyve_vcpu_stopped(g->vm, 1));
		assert_false(gyve_vcpu_stopped(g->vm, 0));
	}
	assert_true(changes(g));
	end(g);
}

static void test_back_to_all_stop(void **state)
{
	(void)state;
	struct guest *g = start_nonstop(3, loop_code, sizeof(loop_code));
	act_all(g, GYVE_ACT_CONT);
	act(g, 1, GYVE_ACT_STOP);
	expect_stop(g, GYVE_STOP_PAUSE, 1);
	gyve_run_nonstop(g->vm, false);
	assert_false(gyve_vcpu_stopped(g->vm, 1));
	gyve_run_interrupt(g->vm);
	assert_int_equal(next_stop(g).kind, GYVE_STOP_INTERRUPT);
	/* a hit that nobody has taken stops all */
	gyve_run_nonstop(g->vm, true);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	act_all(g, GYVE_ACT_CONT);
	while (!gyve_vcpu_stopped(g->vm, 2))
		usleep(1000);
	gyve_run_nonstop(g->vm, false);
	assert_int_equal(next_stop(g).kind, GYVE_STOP_SW_BP);
	end(g);
}

static void test_end(void **state)
{
	static const uint8_t code[] = {0xe6, 0xf4};

	(void)state;
	struct guest *g = start_nonstop(2, code, sizeof(code));
	act(g, 1, GYVE_ACT_CONT);
	struct gyve_stop s = next_stop(g);
	assert_int_equal(s.kind, GYVE_STOP_EXIT);
	assert_true(gyve_run_stopped(g->vm));
	assert_int_equal(gyve_vm_reset(g->vm, NULL), 0);
	act(g, 0, GYVE_ACT_CONT);
	assert_int_equal(next_stop(g).kind, GYVE_STOP_EXIT);
	end(g);
}

static void test_peek(void **state)
{
	(void)state;
	struct guest *g = start(2, loop_code, sizeof(loop_code));
	struct gyve_resume r[2] = {{.act = GYVE_ACT_CONT}, {.act = GYVE_ACT_CONT}};
	assert_int_equal(gyve_run_resume(g->vm, r), 0);
	for (int i = 0; i < 200; i++) {
		struct gyve_regs regs;
		assert_int_equal(gyve_vcpu_peek(g->vm, (unsigned)i % 2, GYVE_REGS_GPR, &regs), 0);
		assert_in_range(regs.x86.rip, BASE, BASE + 9);
	}
	assert_true(changes(g));
	gyve_run_interrupt(g->vm);
	wait_stop(g);
	end(g);
}

#define BOTH(f) cmocka_unit_test_setup(f, as_plain_host), cmocka_unit_test_setup(f, as_emulating_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_one_stops),
		BOTH(test_points_while_running),
		BOTH(test_every_pass_is_told),
		BOTH(test_stop_among_steps),
		BOTH(test_halted),
		BOTH(test_stop_of_all),
		BOTH(test_back_to_all_stop),
		BOTH(test_end),
		BOTH(test_peek),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
