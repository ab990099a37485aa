/* Points where the hypervisor does not do them: protected pages, stepping; each by choice. */
#include "unit.h"

#include "../support/run_guest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The page is read-only for one vCPU, absent for several. No increment is lost, and only what changes the byte is a hit. */
static void test_watch_page(void **state)
{
	(void)state;
	for (unsigned ncpus = 1; ncpus <= 4; ncpus += 3) {
		fake_host.incs = fake_host.maps = 0;
		struct guest *g = start(ncpus, loop_code, sizeof(loop_code));
		assert_int_equal(fake_host.maps, 1);
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_WRITE, DATA, 4, NULL), 0);
		for (unsigned i = 1; i < 100; i++) {
			struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
			assert_int_equal(s.kind, GYVE_STOP_WATCH);
			assert_int_equal(s.addr, DATA);
			assert_int_equal(s.pc, BASE + 7);
			assert_int_equal(byte_at(g, DATA), fake_host.incs);
			assert_true(fake_host.incs >= i && fake_host.incs < i + ncpus);
		}
		assert_true(fake_host.maps < 6); /* the same at each resume: nothing to change */
		assert_int_equal(gyve_bp_remove(g->vm, GYVE_POINT_WRITE, DATA, 4), 0);
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_ACCESS, DATA + 8, 1, NULL), 0);
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 8, 1, NULL), 0);
		for (unsigned i = 0; i < 20; i++)
			assert_int_equal(go(g, GYVE_ACT_CONT, -1).kind, GYVE_STOP_SW_BP);
		assert_int_equal(byte_at(g, DATA), fake_host.incs & 0xff);
		gyve_bp_clear(g->vm);
		assert_int_equal(go(g, GYVE_ACT_STEP, 0).kind, GYVE_STOP_STEP);
		end(g);
	}
}

static void test_access_page(void **state)
{
	(void)state;
	struct guest *g = start(2, loop_code, sizeof(loop_code));
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_READ, DATA - 7, 8, NULL), 0);
	struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.kind, GYVE_STOP_RWATCH);
	assert_int_equal(s.addr, DATA);
	assert_int_equal(gyve_bp_remove(g->vm, GYVE_POINT_READ, DATA - 7, 8), 0);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_ACCESS, DATA, 1, NULL), 0);
	s = go(g, GYVE_ACT_CONT, -1);
	assert_int_equal(s.kind, GYVE_STOP_AWATCH);
	assert_int_equal(byte_at(g, DATA), fake_host.incs & 0xff);
	end(g);
}

/* No INT3, no debug registers: what is left is stepping, for each kind of breakpoint. */
static void test_break_by_step(void **state)
{
	(void)state;
	for (int forced = 0; forced < 2; forced++) {
		fake_host.no_int3 = fake_host.no_regs = !forced;
		fake_host.int3_is_emulation &= forced;
		break_strategy = forced ? GYVE_BREAK_STEP : GYVE_BREAK_AUTO;
		for (int kind = GYVE_POINT_SW; kind <= (forced ? GYVE_POINT_SW : GYVE_POINT_HW); kind++) {
			struct guest *g = start(2, loop_code, sizeof(loop_code));
			assert_int_equal(gyve_bp_insert(g->vm, kind, BASE + 7, 1, NULL), 0);
			assert_int_equal(raw_at(g, BASE + 7), 0x90);
			for (int i = 0; i < 20; i++) {
				struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
				assert_int_equal(s.kind, kind == GYVE_POINT_SW ? GYVE_STOP_SW_BP : GYVE_STOP_HW_BP);
				assert_int_equal(s.pc, BASE + 7);
			}
			struct gyve_stop s = go(g, GYVE_ACT_STEP, 0);
			assert_true(s.kind == GYVE_STOP_STEP || s.cpu == 0);
			end(g);
		}
	}
	break_strategy = GYVE_BREAK_AUTO;
}

/* Told as what it is, whatever else is there, and stepped over like any other. */
static void test_library(void **state)
{
	(void)state;
	struct guest *g = start(2, loop_code, sizeof(loop_code));
	const gyve_gva_t at[] = {BASE + 7, BASE + 8};
	struct gyve_err err = {0};

	assert_int_equal(gyve_vm_library_at(g->vm, at, 2, &err), 0);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	for (int i = 0; i < 20; i++) {
		struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
		assert_int_equal(s.kind, GYVE_STOP_LIBRARY);
		assert_true(s.pc == BASE + 7 || s.pc == BASE + 8);
	}
	assert_int_equal(gyve_vm_library_at(g->vm, at + 1, 1, &err), 0);
	assert_int_equal(raw_at(g, BASE + 7), 0xcc);
	for (int i = 0; i < 20; i++) {
		struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
		assert_int_equal(s.kind, s.pc == BASE + 7 ? GYVE_STOP_SW_BP : GYVE_STOP_LIBRARY);
	}
	/* a hit of another vCPU that waited meanwhile is told as what it is by then */
	for (int i = 0; i < 100; i++) {
		assert_int_equal(gyve_vm_library_at(g->vm, at, i % 2 ? 2 : 0, &err), 0);
		struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
		assert_true(s.pc == BASE + 7 || i % 2);
		assert_int_equal(s.kind, i % 2 ? GYVE_STOP_LIBRARY : GYVE_STOP_SW_BP);
	}
	gyve_bp_clear(g->vm);
	assert_int_equal(raw_at(g, BASE + 7), 0x90);
	assert_int_equal(raw_at(g, BASE + 8), 0xeb);
	end(g);
	/* by stepping it would cost too much */
	break_strategy = GYVE_BREAK_STEP;
	g = start(1, loop_code, sizeof(loop_code));
	assert_int_equal(gyve_vm_library_at(g->vm, at, 2, &err), -ENOTSUP);
	assert_int_equal(gyve_vm_library_at(g->vm, NULL, 0, &err), 0);
	break_strategy = GYVE_BREAK_AUTO;
	end(g);
}

/* Nothing is planted while there are registers; who must have one gets it. */
static void test_unseen(void **state)
{
	(void)state;
	const gyve_gva_t at[] = {BASE + 7, BASE + 8, LOOP, BASE};
	const uint8_t bytes[] = {0x90, 0xeb, 0xfe, 0x90};
	bool watches = fake_host.watch_works;

	break_strategy = GYVE_BREAK_UNSEEN;
	for (unsigned ncpus = 1; ncpus <= 4; ncpus += 3) {
		struct guest *g = start(ncpus, loop_code, sizeof(loop_code));
		unsigned hits[3] = {0};
		for (int i = 0; i < 4; i++)
			assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, at[i], 1, NULL), 0);
		for (int i = 0; i < 60; i++) {
			struct gyve_stop s = go(g, GYVE_ACT_CONT, -1);
			assert_int_equal(s.kind, GYVE_STOP_SW_BP);
			for (int k = 0; k < 3; k++)
				hits[k] += s.pc == at[k];
			for (int k = 0; k < 4; k++)
				assert_int_equal(raw_at(g, at[k]), bytes[k]);
		}
		assert_true(hits[0] >= 5 && hits[1] >= 5 && hits[2] >= 5);
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_HW, BASE + 7, 1, NULL), 0);
		assert_int_equal(raw_at(g, BASE), 0xcc);
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_WRITE, DATA, 1, NULL), 0);
		assert_int_equal(raw_at(g, LOOP), watches ? 0xcc : 0xfe);
		assert_int_equal(raw_at(g, BASE + 8), 0xeb);
		for (int i = 0; i < 20; i++)
			assert_int_not_equal(go(g, GYVE_ACT_CONT, -1).kind, GYVE_STOP_CRASH);
		assert_int_equal(gyve_bp_remove(g->vm, GYVE_POINT_HW, BASE + 7, 1), 0);
		gyve_bp_clear(g->vm);
		for (int k = 0; k < 4; k++)
			assert_int_equal(raw_at(g, at[k]), bytes[k]);
		end(g);
	}
	break_strategy = GYVE_BREAK_AUTO;
}

static void test_strategy_refused(void **state)
{
	(void)state;
	struct gyve_err err = {0};
	struct gyve_vm *vm;
	struct guest g = {0};
	write_elf(&g, loop_code, sizeof(loop_code));
	struct gyve_vm_options opt = {.boot = {.path = g.path}, .backend = &fake_backend};

	opt.break_strategy = fake_host.int3_is_emulation ? GYVE_BREAK_NATIVE : GYVE_BREAK_INTERNAL_ERROR;
	assert_int_equal(gyve_vm_create(&opt, &vm, &err), -ENOTSUP);
	opt.break_strategy = GYVE_BREAK_AUTO;
	opt.watch_strategy = GYVE_WATCH_PAGE;
	assert_int_equal(gyve_vm_create(&opt, &vm, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "protected pages"));
	unlink(g.path);
}

static int as_host_with_pages(void **state)
{
	(void)state;
	fake_host = (struct fake_host){.hw_bps = 4, .pages = true};
	watch_strategy = GYVE_WATCH_PAGE; /* although the code is in the page */
	return 0;
}

static int back_to_auto(void **state)
{
	(void)state;
	watch_strategy = GYVE_WATCH_AUTO;
	return 0;
}

#define PAGES(f) cmocka_unit_test_setup_teardown(f, as_host_with_pages, back_to_auto)
#define BOTH(f) cmocka_unit_test_setup(f, as_plain_host), cmocka_unit_test_setup(f, as_emulating_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGES(test_watch_page), PAGES(test_access_page), BOTH(test_break_by_step),
		BOTH(test_library),     BOTH(test_unseen),       BOTH(test_strategy_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
