/* The target's checks, its monitor and its crash report against a fake: one vCPU, paging off, 4 KiB of memory at 0x1000. */
#include "unit.h"

#include "gyve/target.h"

#include <stdio.h>
#include <stdlib.h>

static uint8_t ram[0x1000];
static struct gyve_memmap map;
static struct gyve_regs regs;
static struct gyve_layout layout;
static struct gyve_target t;
static bool stopped;
static char text[8192];

static bool fake_stopped(void *ctx)
{
	(void)ctx;
	return stopped;
}

static struct gyve_regs *fake_regs(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)cpu, (void)groups;
	return &regs;
}

static void fake_regs_dirty(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)cpu, (void)groups;
}

static ssize_t fake_stats(void *ctx, struct gyve_stat **ret)
{
	(void)ctx;
	*ret = calloc(2, sizeof(**ret));
	strcpy((*ret)[0].name, "exit io");
	strcpy((*ret)[1].name, "assist pxor");
	(*ret)[0].count = 3;
	(*ret)[1].count = 7;
	return 2;
}

static const struct gyve_target_ops ops = {
	.name = "fake",
	.stopped = fake_stopped,
	.regs = fake_regs,
	.regs_dirty = fake_regs_dirty,
	.stats = fake_stats,
};

static void collect(void *ctx, const void *buf, size_t len)
{
	size_t have = strlen(text);

	(void)ctx;
	len = len < sizeof(text) - have - 1 ? len : sizeof(text) - have - 1;
	memcpy(text + have, buf, len);
	text[have + len] = '\0';
}

static int monitor(const char *cmd, struct gyve_err *err)
{
	const struct gyve_sink out = {collect, NULL};

	text[0] = '\0';
	return gyve_monitor(&t, 0, cmd, &out, err);
}

static int setup(void **state)
{
	(void)state;
	memset(&regs, 0, sizeof(regs));
	memset(ram, 0, sizeof(ram));
	regs.arch = GYVE_X86_64;
	regs.valid = GYVE_REGS_ALL;
	regs.x86.rip = 0x1010;
	regs.x86.gpr[GYVE_RSP] = 0x2000 - 8;
	stopped = true;
	gyve_memmap_init(&map);
	layout = (struct gyve_layout){.arch = GYVE_X86_64, .nsegs = 1};
	layout.seg[0].gva = 0xffffffff80000000;
	layout.seg[0].gpa = 0x1800;
	layout.seg[0].len = 0x100;
	t = (struct gyve_target){.ops = &ops, .arch = &gyve_arch_x86_64, .ncpus = 1, .map = &map, .layout = &layout};
	t.phys = gyve_memmap_mem(&map);
	gyve_target_note_boot(&t);
	return gyve_memmap_add(&map, 0x1000, sizeof(ram), ram, GYVE_REGION_RAM, "ram");
}

static int teardown(void **state)
{
	(void)state;
	gyve_memmap_deinit(&map);
	return 0;
}

static void test_memory(void **state)
{
	struct gyve_err err = {0};
	uint8_t buf[64];

	(void)state;
	assert_int_equal(gyve_target_write(&t, 0, 0x1ff0, "0123456789abcdef", 16, &err), 0);
	assert_int_equal(gyve_target_read(&t, 0, 0x1ff8, buf, sizeof(buf), &err), 8);
	assert_memory_equal(buf, "89abcdef", 8);
	assert_int_equal(gyve_target_read(&t, 0, 0x2000, buf, 1, &err), -EFAULT);
	assert_non_null(strstr(err.text, "0x2000"));
	assert_int_equal(gyve_target_write(&t, 0, 0x1ff0, buf, 17, &err), -EFAULT);
	assert_int_equal(gyve_target_read(&t, 1, 0x1000, buf, 1, &err), -ESRCH);
	assert_int_equal(gyve_target_read(&t, 0, UINT64_MAX, buf, 2, &err), -EFAULT);
	stopped = false;
	assert_int_equal(gyve_target_read(&t, 0, 0x1000, buf, 1, &err), -EBUSY);
	assert_int_equal(gyve_target_read_phys(&t, 0x1ff8, buf, 64, &err), 8);
}

static void test_layout_stands_in_until_the_root_changes(void **state)
{
	uint8_t buf[4] = {0};

	(void)state;
	ram[0x8fe] = 0x5a;
	assert_int_equal(gyve_target_read(&t, 0, 0xffffffff800000fe, buf, 4, NULL), 2);
	assert_int_equal(buf[0], 0x5a);
	assert_int_equal(gyve_target_write(&t, 0, 0xffffffff80000000, "x", 1, NULL), 0);
	assert_int_equal(ram[0x800], 'x');
	regs.x86.cr3 = 0x5000;
	assert_int_equal(gyve_target_read(&t, 0, 0xffffffff80000000, buf, 4, NULL), -EFAULT);
}

static void test_what_it_cannot_do(void **state)
{
	struct gyve_err err = {0};
	struct gyve_resume a = {.act = GYVE_ACT_CONT};

	(void)state;
	assert_int_equal(gyve_target_resume(&t, &a, &err), -ENOTSUP);
	assert_int_equal(gyve_target_point_insert(&t, GYVE_POINT_SW, 0x1000, 1, &err), -ENOTSUP);
	assert_int_equal(gyve_target_reset(&t, &err), -ENOTSUP);
	assert_int_equal(gyve_target_event_fd(&t), -1);
	gyve_target_interrupt(&t);
	gyve_target_kill(&t, 0);
}

static void test_monitor(void **state)
{
	struct gyve_err err = {0};
	static const char *const each[] = {"help", "", "info", "vtop 0x1010", "pt", "pt 4096", "stats", "  vtop   0x1010  "};

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(each); i++) {
		assert_int_equal(monitor(each[i], &err), 0);
		assert_true(strlen(text) > 10 && text[strlen(text) - 1] == '\n');
	}
	assert_int_equal(monitor("vtop 0xffffffff80000004", &err), 0);
	assert_non_null(strstr(text, "0x1804"));
	assert_int_equal(monitor("assist", &err), 0);
	assert_non_null(strstr(text, "pxor"));
	assert_null(strstr(text, "exit"));
	static const char *const more[] = {"regs",
					   "sregs",
					   "info registers",
					   "info registers -a",
					   "info mem",
					   "info tlb",
					   "as",
					   "as 0x1000",
					   "as off",
					   "cpu 0",
					   "cpu auto",
					   "log",
					   "gva2gpa 0x1010",
					   "gva2gpa 0x9000",
					   "xp /4gx 0x1000",
					   "xp /9c 0x1ffc",
					   "help as"};
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(more); i++)
		assert_int_equal(monitor(more[i], &err), 0);
	memcpy(ram + 0x123, "sought", 6);
	assert_int_equal(monitor("search -p 0 0x10000 \"sought\"", &err), 0);
	assert_non_null(strstr(text, "0x0000000000001123"));
	assert_int_equal(monitor("search 0x1000 0x1000 73 6f75", &err), 0);
	assert_non_null(strstr(text, "1 found"));
	static const char *const bad[] = {"xp /0x 0",
					  "xp /4q 0",
					  "xp",
					  "search",
					  "search 0 4 abc",
					  "search 0 4 \"",
					  "search 0 x 41",
					  "cpu 1",
					  "log what",
					  "info nothing",
					  "as nowhere",
					  "as 1 2",
					  "info registers b",
					  "gic",
					  "in 0x10000",
					  "out 1",
					  "in /x 1",
					  "idt 256",
					  "msr",
					  "vtop $nothing",
					  "lapic",
					  "pt 1+",
					  "regs too much"};
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad); i++)
		if (monitor(bad[i], &err) >= 0)
			fail_msg("monitor %s was taken", bad[i]);
	assert_int_equal(monitor("frobnicate 1", &err), -ENOENT);
	assert_non_null(strstr(err.text, "frobnicate"));
	assert_int_equal(monitor("vtop", &err), -EINVAL);
	assert_int_equal(monitor("vtop nowhere", &err), -EINVAL);
	assert_int_equal(monitor("vtop 0x12345678123456789", &err), -EINVAL);
	assert_int_equal(monitor("breakpoints", &err), -ENOTSUP);
	assert_int_equal(monitor("a-word-that-is-much-longer-than-any-command-could-be", &err), -ENOENT);
}

static void test_crash_text(void **state)
{
	struct gyve_stop stop = {.kind = GYVE_STOP_CRASH, .pc = 0x1010, .text = "triple fault"};
	char buf[2048], tiny[20];

	(void)state;
	regs.x86.exc_pending = 1;
	regs.x86.exc_nr = 14;
	regs.x86.cr2 = 0x1008;
	gyve_crash_text(&t, &stop, buf, sizeof(buf));
	assert_non_null(strstr(buf, "triple fault"));
	assert_non_null(strstr(buf, "0x1010"));
	assert_non_null(strstr(buf, "page fault"));
	assert_non_null(strstr(buf, "CR2 is 0x1008"));
	assert_null(strchr(buf, '\n'));
	assert_int_equal(gyve_crash_text(&t, &stop, tiny, sizeof(tiny)), (int)strlen(buf));
	assert_int_equal(strlen(tiny), sizeof(tiny) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layout_stands_in_until_the_root_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_it_cannot_do, setup, teardown),
		cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_text, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
