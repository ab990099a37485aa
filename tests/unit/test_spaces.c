/* Points of one address space: the guest's vCPUs run the same memory under different roots. */
#include "unit.h"

#include "../support/run_guest.h"

#include <string.h>

#define TABLES 0x300000 /* guest-physical: where the tests put page tables of their own */
#define USER 0x700000000000
#define PRESENT 3

/* nop; L: inc [DATA]; out 0xe9, al; nop; jmp L */
static const uint8_t out_code[] = {0x90, 0xfe, 0x05, 0xf9, 0x01, 0, 0, 0xe6, 0xe9, 0x90, 0xeb, 0xf5};

static void put(struct guest *g, uint64_t gpa, uint64_t value)
{
	assert_int_equal(gyve_memmap_write(gyve_vm_memmap(g->vm), gpa, &value, 8), 8);
}

static uint64_t root_of(struct guest *g, unsigned cpu)
{
	return gyve_vcpu_regs(g->vm, cpu, GYVE_REGS_SYS)->x86.cr3 & 0x000ffffffffff000;
}

static void set_root(struct guest *g, unsigned cpu, uint64_t cr3)
{
	gyve_vcpu_regs(g->vm, cpu, GYVE_REGS_SYS)->x86.cr3 = cr3;
	gyve_vcpu_regs_dirty(g->vm, cpu, GYVE_REGS_SYS);
}

/* A space with the same low half as the first vCPU's, whose tables begin at `at` and whose page at USER is `page` (0: none). */
static struct gyve_space make_space(struct guest *g, uint64_t at, uint64_t page)
{
	uint8_t low[8];

	assert_int_equal(gyve_memmap_read(gyve_vm_memmap(g->vm), root_of(g, 0), low, 8), 8);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 512; k++)
			put(g, at + 0x1000 * i + 8 * k, 0);
	assert_int_equal(gyve_memmap_write(gyve_vm_memmap(g->vm), at, low, 8), 8);
	put(g, at + 8 * (USER >> 39 & 511), (at + 0x1000) | PRESENT);
	put(g, at + 0x1000 + 8 * (USER >> 30 & 511), (at + 0x2000) | PRESENT);
	put(g, at + 0x2000 + 8 * (USER >> 21 & 511), (at + 0x3000) | PRESENT);
	put(g, at + 0x3000 + 8 * (USER >> 12 & 511), page ? page | PRESENT : 0);
	return (struct gyve_space){.on = true, .root = at};
}

static void map_user(struct guest *g, const struct gyve_space *s, uint64_t page)
{
	put(g, s->root + 0x3000 + 8 * (USER >> 12 & 511), page ? page | PRESENT : 0);
}

/* Both run the same bytes; only one of them is stopped, the other passes them as if they were not there. */
static void test_other_space_passes(void **state)
{
	(void)state;
	for (int kind = GYVE_POINT_SW; kind <= GYVE_POINT_HW; kind++) {
		struct guest *g = start(2, loop_code, sizeof(loop_code));
		struct gyve_space s = make_space(g, TABLES, 0);
		set_root(g, 1, s.root | 0x18); /* the bits that are no address do not matter */
		gyve_bp_space(g->vm, &s);
		assert_int_equal(gyve_bp_insert(g->vm, kind, BASE + 7, 1, NULL), 0);
		unsigned before = fake_host.incs;
		for (int i = 0; i < 50; i++) {
			struct gyve_stop stop = go(g, GYVE_ACT_CONT, -1);
			assert_int_equal(stop.cpu, 1);
			assert_int_equal(stop.pc, BASE + 7);
		}
		/* vCPU 0 alone: it meets them, and nobody hears of it */
		struct gyve_resume r[2] = {{.act = GYVE_ACT_CONT}};
		before = fake_host.incs;
		assert_int_equal(gyve_run_resume(g->vm, r), 0);
		while (__atomic_load_n(&fake_host.incs, __ATOMIC_SEQ_CST) < before + 20)
			;
		gyve_run_interrupt(g->vm);
		assert_int_equal(wait_stop(g).kind, GYVE_STOP_INTERRUPT);
		assert_int_equal(gyve_bp_remove(g->vm, kind, BASE + 7, 1), 0);
		assert_int_equal(raw_at(g, BASE + 7), 0x90);
		end(g);
	}
}

/* A point for all beside one of a space: both are told, and taking out one leaves the other. */
static void test_both_kinds(void **state)
{
	(void)state;
	struct guest *g = start(2, loop_code, sizeof(loop_code));
	struct gyve_space s = make_space(g, TABLES, 0);
	bool seen[2] = {false, false};

	set_root(g, 1, s.root);
	gyve_bp_space(g->vm, &s);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	gyve_bp_space(g->vm, NULL);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	for (int i = 0; i < 10000 && !(seen[0] && seen[1]); i++)
		seen[go(g, GYVE_ACT_CONT, -1).cpu] = true;
	assert_true(seen[0] && seen[1]);
	assert_int_equal(gyve_bp_remove(g->vm, GYVE_POINT_SW, BASE + 7, 1), 0);
	assert_int_equal(raw_at(g, BASE + 7), 0xcc);
	go(g, GYVE_ACT_CONT, -1); /* a hit of vCPU 0 may still wait, and is none any more */
	for (int i = 0; i < 20; i++)
		assert_int_equal(go(g, GYVE_ACT_CONT, -1).cpu, 1);
	end(g);
}

/* The same address, another page in each space: the bytes go where the space has it. */
static void test_page_of_the_space(void **state)
{
	(void)state;
	struct guest *g = start(1, loop_code, sizeof(loop_code));
	struct gyve_space a = make_space(g, TABLES, 0x400000), b = make_space(g, TABLES + 0x4000, 0x401000);

	gyve_bp_space(g->vm, &b);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, USER + 0x10, 1, NULL), 0);
	assert_int_equal(raw_at(g, 0x400010), 0);
	assert_int_equal(raw_at(g, 0x401010), 0xcc);
	gyve_bp_space(g->vm, &a);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, USER + 0x10, 1, NULL), 0);
	assert_int_equal(raw_at(g, 0x400010), 0xcc);
	gyve_bp_space(g->vm, &b);
	assert_int_equal(gyve_bp_remove(g->vm, GYVE_POINT_SW, USER + 0x10, 1), 0);
	assert_int_equal(raw_at(g, 0x400010), 0xcc);
	assert_int_equal(raw_at(g, 0x401010), 0);
	gyve_bp_clear(g->vm);
	assert_int_equal(raw_at(g, 0x400010), 0);
	end(g);
}

/* Demand paging, and a page that goes: looked at when a vCPU that has the space leaves the guest, through no other. */
static void test_page_comes_and_goes(void **state)
{
	(void)state;
	struct guest *g = start(1, out_code, sizeof(out_code));
	struct gyve_space s = make_space(g, TABLES, 0);
	uint64_t first = root_of(g, 0);

	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 9, 1, NULL), 0);
	gyve_bp_space(g->vm, &s);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, USER, 1, NULL), 0);
	map_user(g, &s, 0x400000);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 9);
	assert_int_equal(raw_at(g, 0x400000), 0); /* nobody has that space */
	set_root(g, 0, s.root);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 9);
	assert_int_equal(raw_at(g, 0x400000), 0xcc);
	assert_int_equal(byte_at(g, 0x400000), 0);
	/* moved */
	map_user(g, &s, 0x402000);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 9);
	assert_int_equal(raw_at(g, 0x400000), 0);
	assert_int_equal(raw_at(g, 0x402000), 0xcc);
	/* taken away and used for something else: that is left alone, also while another space runs */
	map_user(g, &s, 0);
	put(g, 0x402000, 0x1122334455667788);
	set_root(g, 0, first);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 9);
	assert_int_equal(raw_at(g, 0x402000), 0x88);
	set_root(g, 0, s.root);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 9);
	assert_int_equal(raw_at(g, 0x402000), 0x88);
	/* written anew where it is: planted again */
	map_user(g, &s, 0x403000);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 9);
	put(g, 0x403000, 0x90);
	assert_int_equal(go(g, GYVE_ACT_CONT, -1).pc, BASE + 9);
	assert_int_equal(raw_at(g, 0x403000), 0xcc);
	assert_int_equal(byte_at(g, 0x403000), 0x90);
	end(g);
}

/* Watchpoints by debug registers, by pages and by stepping. */
static void test_watch(void **state)
{
	(void)state;
	for (int how = 0; how < 3; how++) {
		fake_host.watch_works = how == 0;
		fake_host.pages = how == 1;
		struct guest *g = start(2, loop_code, sizeof(loop_code));
		struct gyve_space s = make_space(g, TABLES, 0);
		set_root(g, 1, s.root);
		gyve_bp_space(g->vm, &s);
		assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_WRITE, DATA, 4, NULL), 0);
		for (int i = 0; i < 10; i++) {
			struct gyve_stop stop = go(g, GYVE_ACT_CONT, -1);
			assert_int_equal(stop.kind, GYVE_STOP_WATCH);
			assert_int_equal(stop.cpu, 1);
		}
		end(g);
	}
}

static void test_by_step(void **state)
{
	(void)state;
	break_strategy = GYVE_BREAK_STEP;
	struct guest *g = start(2, loop_code, sizeof(loop_code));
	struct gyve_space s = make_space(g, TABLES, 0);
	set_root(g, 1, s.root);
	gyve_bp_space(g->vm, &s);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(go(g, GYVE_ACT_CONT, -1).cpu, 1);
	end(g);
	break_strategy = GYVE_BREAK_AUTO;
}

static void find_line(void *ctx, const char *line)
{
	if (strstr(line, "in address space 0x300000: pid 42"))
		++*(int *)ctx;
}

static void test_list(void **state)
{
	(void)state;
	struct guest *g = start(1, loop_code, sizeof(loop_code));
	struct gyve_space s = make_space(g, TABLES, 0);
	int lines = 0;

	strcpy(s.name, "pid 42");
	gyve_bp_space(g->vm, &s);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_SW, BASE + 7, 1, NULL), 0);
	assert_int_equal(gyve_bp_insert(g->vm, GYVE_POINT_WRITE, DATA, 4, NULL), 0);
	gyve_bp_list(g->vm, find_line, &lines);
	assert_int_equal(lines, 2);
	end(g);
}

#define BOTH(f) cmocka_unit_test_setup(f, as_plain_host), cmocka_unit_test_setup(f, as_emulating_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_other_space_passes),
		BOTH(test_both_kinds),
		BOTH(test_page_of_the_space),
		BOTH(test_page_comes_and_goes),
		cmocka_unit_test_setup(test_watch, as_plain_host),
		BOTH(test_by_step),
		BOTH(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
