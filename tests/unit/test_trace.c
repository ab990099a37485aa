/* Tracepoints and conditions on a pretended host: limits are refused with a reason, and what a hit costs. */
#include "unit.h"

#include "../../src/vmm/trace.h"
#include "../support/run_guest.h"
#include "gyve/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NOP_AT = BASE + 7 }; /* in loop_code */

static const struct gyve_resume cont[] = {{.act = GYVE_ACT_CONT}, {.act = GYVE_ACT_CONT}, {.act = GYVE_ACT_CONT}};

static struct gyve_trace *begin(struct guest **g)
{
	*g = start(1, loop_code, sizeof(loop_code));
	struct gyve_trace *t = gyve_vm_trace((*g)->vm);
	assert_int_equal(gyve_trace_init(t, 16), 0);
	return t;
}

static void test_points(void **state)
{
	struct gyve_err err = {0};
	struct guest *g;
	struct gyve_trace *t = begin(&g);
	struct gyve_tracepoint p = {.number = 1, .enabled = true};

	(void)state;
	for (unsigned i = 0; i < TRACE_MAX_POINTS; i++) {
		p.addr = 0x10000 + i;
		assert_int_equal(gyve_trace_define(t, &p, &err), 0);
	}
	p.addr++;
	assert_int_equal(gyve_trace_define(t, &p, &err), -E2BIG);
	assert_non_null(strstr(err.text, "1024 tracepoints"));
	assert_int_equal(gyve_trace_init(t, 16), 0);
	p.number = 0x10000;
	assert_int_equal(gyve_trace_define(t, &p, &err), -E2BIG);
	assert_non_null(strstr(err.text, "16 bits"));
	end(g);
}

static void test_actions(void **state)
{
	static uint8_t mask[513];
	struct gyve_err err = {0};
	struct guest *g;
	struct gyve_trace *t = begin(&g);
	struct gyve_tracepoint p = {.number = 1, .addr = NOP_AT, .enabled = true};
	struct gyve_trace_action a = {.what = GYVE_TRACE_MEM, .base = -1, .offset = DATA, .len = 8};

	(void)state;
	assert_int_equal(gyve_trace_define(t, &p, &err), 0);
	a.len = TRACE_MAX_FRAME + 1;
	assert_int_equal(gyve_trace_action(t, 1, NOP_AT, &a, &err), -E2BIG);
	assert_non_null(strstr(err.text, "1048576 bytes"));
	struct gyve_trace_action regs = {.what = GYVE_TRACE_REGS, .e = {mask, sizeof(mask)}};
	assert_int_equal(gyve_trace_action(t, 1, NOP_AT, &regs, &err), -E2BIG);
	a.len = 8;
	for (unsigned i = 0; i < TRACE_MAX_ACTIONS; i++)
		assert_int_equal(gyve_trace_action(t, 1, NOP_AT, &a, &err), 0);
	assert_int_equal(gyve_trace_action(t, 1, NOP_AT, &a, &err), -E2BIG);
	assert_non_null(strstr(err.text, "64 actions"));
	assert_int_equal(gyve_trace_action(t, 2, NOP_AT, &a, &err), -ENOENT);
	end(g);
}

static void test_rest(void **state)
{
	static const char text[8192];
	struct gyve_err err = {0};
	struct guest *g;
	struct gyve_trace *t = begin(&g);
	struct gyve_tracepoint p = {.number = 1, .addr = NOP_AT, .enabled = true};

	(void)state;
	assert_int_equal(gyve_trace_define(t, &p, &err), 0);
	for (unsigned i = 0; i < TRACE_MAX_TEXTS; i++)
		assert_int_equal(gyve_trace_text(t, 1, NOP_AT, "cmd", 3, &err), 0);
	assert_int_equal(gyve_trace_text(t, 1, NOP_AT, "cmd", 3, &err), -E2BIG);
	assert_int_equal(gyve_trace_text(t, 1, NOP_AT, text, sizeof(text), &err), -E2BIG);
	for (unsigned i = 0; i < TRACE_MAX_READONLY; i++)
		assert_int_equal(gyve_trace_readonly(t, i, i + 1, &err), 0);
	assert_int_equal(gyve_trace_readonly(t, 0, 1, &err), -E2BIG);
	assert_non_null(strstr(err.text, "64 read-only ranges"));
	int r = 0;
	for (unsigned i = 0; r == 0 && i <= TRACE_MAX_VARS; i++)
		r = gyve_trace_variable(t, 100 + i, 0, "v", &err);
	assert_int_equal(r, -E2BIG);
	assert_non_null(strstr(err.text, "256 variables"));
	assert_int_equal(gyve_trace_buffer(t, 0), 0);
	end(g);
}

static struct gyve_trace_status run_until_end(struct guest *g, struct gyve_trace *t)
{
	struct gyve_trace_status st = {.running = true};
	struct gyve_err err = {0};

	assert_int_equal(gyve_trace_start(t, &err), 0);
	assert_int_equal(gyve_run_resume(g->vm, cont), 0);
	for (int i = 0; st.running && i < 20000; i++) {
		usleep(1000);
		gyve_trace_status(t, &st);
	}
	gyve_run_interrupt(g->vm);
	wait_stop(g);
	return st;
}

/* A frame that is too large ends tracing with a reason; one that just fits does not. */
static void test_frame(void **state)
{
	enum { HEAD = 11, PIECES = TRACE_MAX_FRAME / UINT16_MAX + 1 };
	struct gyve_err err = {0};
	struct guest *g;
	struct gyve_trace *t = begin(&g);
	struct gyve_tracepoint p = {.number = 7, .addr = NOP_AT, .enabled = true, .pass = 1};
	struct gyve_trace_action a = {
		.what = GYVE_TRACE_MEM, .base = -1, .offset = BASE, .len = TRACE_MAX_FRAME - HEAD * PIECES};

	(void)state;
	assert_int_equal(gyve_trace_define(t, &p, &err), 0);
	assert_int_equal(gyve_trace_action(t, 7, NOP_AT, &a, &err), 0);
	struct gyve_trace_status st = run_until_end(g, t);
	assert_int_equal(st.end, GYVE_TRACE_PASSCOUNT);
	assert_int_equal(st.frames, 1);

	assert_int_equal(gyve_trace_init(t, 16), 0);
	a.len = TRACE_MAX_FRAME;
	assert_int_equal(gyve_trace_define(t, &p, &err), 0);
	assert_int_equal(gyve_trace_action(t, 7, NOP_AT, &a, &err), 0);
	st = run_until_end(g, t);
	assert_int_equal(st.end, GYVE_TRACE_ERROR);
	assert_int_equal(st.point, 7);
	assert_string_equal(st.text, "a frame is too large");
	assert_int_equal(st.frames, 0);
	end(g);
}

static uint64_t count_of(struct guest *g, const char *name)
{
	struct gyve_stat *s = NULL;
	ssize_t n = gyve_vm_stats(g->vm, &s);
	uint64_t count = 0;

	for (ssize_t i = 0; i < n; i++)
		count += strcmp(s[i].name, name) == 0 ? s[i].count : 0;
	free(s);
	return count;
}

/* As a processor would: each entry for the loop's page is accessed, the last one dirty. The pretended host does not. */
static void mark_tables(struct guest *g)
{
	enum { ACCESSED = 1 << 5, DIRTY = 1 << 6 };
	struct gyve_regs *r = gyve_vcpu_regs(g->vm, 0, GYVE_REGS_SYS);
	struct gyve_mem phys = gyve_vm_phys(g->vm);
	struct gyve_mmu mmu;
	struct gyve_walk w;

	assert_non_null(r);
	gyve_mmu_from_regs(&mmu, r);
	assert_int_equal(gyve_walk(&mmu, &phys, BASE, &w), 0);
	for (unsigned i = 0; i < w.nsteps; i++) {
		uint64_t e = w.step[i].entry | ACCESSED | (i + 1 == w.nsteps ? DIRTY : 0);
		assert_int_equal(phys.write(phys.ctx, w.step[i].entry_gpa, &e, sizeof(e)), sizeof(e));
	}
}

/* A false condition: the guest goes on without a step, and misses nothing. */
static void test_false_condition(void **state)
{
	static const uint8_t no[] = {0x22, 0, 0x27};
	const struct gyve_agent_expr e = {no, sizeof(no)};
	struct gyve_err err = {0};

	(void)state;
	for (unsigned ncpus = 1; ncpus <= 3; ncpus += 2) {
		struct guest *g = start(ncpus, loop_code, sizeof(loop_code));
		fake_host.incs = 0;
		mark_tables(g);
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, NOP_AT, 1, &err), 0);
		assert_int_equal(gyve_bp_conditions(g->vm, GYVE_POINT_SW, NOP_AT, &e, 1, &err), 0);
		unsigned set = fake_host.set_debugs;
		assert_int_equal(gyve_run_resume(g->vm, cont), 0);
		while (__atomic_load_n(&fake_host.incs, __ATOMIC_RELAXED) < 1000)
			usleep(1000);
		gyve_run_interrupt(g->vm);
		assert_int_equal(wait_stop(g).kind, GYVE_STOP_INTERRUPT);
		assert_true(fake_host.set_debugs - set <= ncpus); /* one for each when it begins */
		uint64_t n = count_of(g, "instructions carried out at points");
		assert_true(n + ncpus >= fake_host.incs && n <= fake_host.incs);
		assert_int_equal(byte_at(g, DATA), fake_host.incs & 0xff);
		end(g);
	}
}

/* Its fetch would set a flag in the guest's tables: that is left to the processor. */
static void test_not_accessed(void **state)
{
	static const uint8_t no[] = {0x22, 0, 0x27};
	const struct gyve_agent_expr e = {no, sizeof(no)};
	struct gyve_err err = {0};
	struct guest *g = start(1, loop_code, sizeof(loop_code));

	(void)state;
	fake_host.incs = 0;
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, NOP_AT, 1, &err), 0);
	assert_int_equal(gyve_bp_conditions(g->vm, GYVE_POINT_SW, NOP_AT, &e, 1, &err), 0);
	assert_int_equal(gyve_run_resume(g->vm, cont), 0);
	while (__atomic_load_n(&fake_host.incs, __ATOMIC_RELAXED) < 10)
		usleep(1000);
	gyve_run_interrupt(g->vm);
	assert_int_equal(wait_stop(g).kind, GYVE_STOP_INTERRUPT);
	assert_int_equal(count_of(g, "instructions carried out at points"), 0);
	end(g);
}

/* With somebody who looks at each step or access it is a step. */
static void test_watched(void **state)
{
	static const uint8_t no[] = {0x22, 0, 0x27};
	const struct gyve_agent_expr e = {no, sizeof(no)};
	struct gyve_err err = {0};
	struct guest *g = start(1, loop_code, sizeof(loop_code));

	(void)state;
	fake_host.incs = 0;
	mark_tables(g);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, LOOP, 1, &err), 0);
	assert_int_equal(gyve_bp_conditions(g->vm, GYVE_POINT_SW, LOOP, &e, 1, &err), 0);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_WRITE, DATA, 1, &err), 0);
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(go(g, GYVE_ACT_CONT, -1).kind, GYVE_STOP_WATCH);
		assert_int_equal(fake_host.incs, i);
	}
	assert_int_equal(count_of(g, "instructions carried out at points"), 0);
	end(g);
}

#define BOTH(f) cmocka_unit_test_setup(f, as_plain_host), cmocka_unit_test_setup(f, as_emulating_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_points, as_plain_host),
		cmocka_unit_test_setup(test_actions, as_plain_host),
		cmocka_unit_test_setup(test_rest, as_plain_host),
		BOTH(test_frame),
		BOTH(test_false_condition),
		cmocka_unit_test_setup(test_not_accessed, as_plain_host),
		BOTH(test_watched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
