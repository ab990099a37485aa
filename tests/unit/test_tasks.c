/* Tasks of a Linux kernel, and what a client sees of them as threads. The kernel is memory written here by hand, of an arm64
 * machine with two vCPUs: one in the kernel, with its task in SP_EL0; one in a program, so that the tasks' own account counts.
 */
#include "unit.h"

#include "../../src/base/bytes.h"
#include "../../src/target/stub_glue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BASE UINT64_C(0xffff800010000000)
enum { RAM = 16384, SLOT = 512 };
/* task_struct */
enum {
	CPU = 0,
	STATE = 8,
	TASKS = 16,
	PID = 32,
	TGID = 36,
	COMM = 40,
	SIGNAL = 56,
	MM = 64,
	NODE = 72,
	ON_CPU = 88,
	CONTEXT = 96
};

static uint8_t ram[RAM];
static struct gyve_regs regs[2];
static struct gyve_resume resumed[2];
static unsigned resumes;
static struct gyve_kernel k;
static struct gyve_target t;
static struct gyve_glue g;

/* --- types */

static uint8_t types[4096];
static char names[1024];
static size_t ntypes, nnames;

static void u32(uint32_t v)
{
	put_le32(types + ntypes, v);
	ntypes += 4;
}

static uint32_t named(const char *s)
{
	size_t at = nnames;

	strcpy(names + at, s);
	nnames += strlen(s) + 1;
	return (uint32_t)at;
}

static void type(const char *name, unsigned kind, unsigned members, uint32_t size)
{
	u32(*name ? named(name) : 0);
	u32(kind << 24 | members);
	u32(size);
}

static void member(const char *name, uint32_t id, uint32_t byte)
{
	u32(named(name));
	u32(id);
	u32(8 * byte);
}

static void make_types(void)
{
	static const char *const saved[] = {"x19", "x20", "x21", "x22", "x23", "x24", "x25",
					    "x26", "x27", "x28", "fp",  "sp",  "pc"};
	enum { INT = 1, ARRAY = 3, STRUCT = 4 };
	uint8_t blob[24 + sizeof(types) + sizeof(names)] = {0x9f, 0xeb, 1};

	ntypes = 0;
	nnames = 1;
	for (unsigned i = 0; i < 3; i++) { /* 1, 2, 3: of 4, 8, 1 bytes */
		static const uint32_t sizes[] = {4, 8, 1};
		type("number", INT, 0, sizes[i]);
		u32(8 * sizes[i]);
	}
	type("", ARRAY, 0, 0); /* 4 */
	u32(3), u32(1), u32(16);
	type("list_head", STRUCT, 2, 16); /* 5 */
	member("next", 2, 0);
	member("prev", 2, 8);
	type("cpu_context", STRUCT, 13, 104); /* 6 */
	for (uint32_t i = 0; i < 13; i++)
		member(saved[i], 2, 8 * i);
	type("thread_struct", STRUCT, 1, 104); /* 7 */
	member("cpu_context", 6, 0);
	type("thread_info", STRUCT, 1, 8); /* 8 */
	member("cpu", 1, 0);
	type("task_struct", STRUCT, 11, 200);
	member("thread_info", 8, CPU);
	member("__state", 1, STATE);
	member("tasks", 5, TASKS);
	member("pid", 1, PID);
	member("tgid", 1, TGID);
	member("comm", 4, COMM);
	member("signal", 2, SIGNAL);
	member("mm", 2, MM);
	member("thread_node", 5, NODE);
	member("on_cpu", 1, ON_CPU);
	member("thread", 7, CONTEXT);
	type("signal_struct", STRUCT, 1, 16);
	member("thread_head", 5, 0);
	type("mm_struct", STRUCT, 1, 8);
	member("pgd", 2, 0);
	put_le32(blob + 4, 24);
	put_le32(blob + 12, (uint32_t)ntypes);
	put_le32(blob + 16, (uint32_t)ntypes);
	put_le32(blob + 20, (uint32_t)nnames);
	memcpy(blob + 24, types, ntypes);
	memcpy(blob + 24 + ntypes, names, nnames);
	assert_int_equal(gyve_btf_create(&k.btf, blob, 24 + ntypes + nnames, NULL), 0);
}

/* --- memory */

static ssize_t read_kernel(void *ctx, uint64_t at, void *buf, size_t len)
{
	(void)ctx;
	if (at < BASE || at - BASE >= RAM)
		return -EFAULT;
	len = len < RAM - (at - BASE) ? len : RAM - (at - BASE);
	memcpy(buf, ram + (at - BASE), len);
	return (ssize_t)len;
}

static ssize_t no_memory(void *ctx, uint64_t at, void *buf, size_t len)
{
	(void)ctx, (void)at, (void)buf, (void)len;
	return -EFAULT;
}

static uint64_t task_at(unsigned slot)
{
	return BASE + (uint64_t)slot * SLOT;
}

static void put64(uint64_t at, uint64_t v)
{
	put_le64(ram + (at - BASE), v);
}

static void put32(uint64_t at, uint32_t v)
{
	put_le32(ram + (at - BASE), v);
}

/* Before head: the last of its list. */
static void link_in(uint64_t head, uint64_t node)
{
	uint64_t last = get_le64(ram + (head - BASE) + 8);

	put64(last, node);
	put64(node, head);
	put64(node + 8, last);
	put64(head + 8, node);
}

/* A task in its slot, with its signal_struct behind it if it leads a process. */
static uint64_t make_task(unsigned slot, uint32_t pid, uint64_t leader, uint32_t state, const char *comm)
{
	uint64_t at = task_at(slot), signal = at + 256;

	memset(ram + (at - BASE), 0, SLOT);
	if (leader) {
		signal = leader + 256;
	} else {
		put64(signal, signal);
		put64(signal + 8, signal);
	}
	put32(at + PID, pid);
	put32(at + TGID, leader ? get_le32(ram + (leader + PID - BASE)) : pid);
	put32(at + STATE, state);
	strncpy((char *)ram + (at + COMM - BASE), comm, 16);
	put64(at + SIGNAL, signal);
	put64(at + TASKS, at + TASKS);
	put64(at + TASKS + 8, at + TASKS);
	if (!leader && slot)
		link_in(task_at(0) + TASKS, at + TASKS);
	link_in(signal, at + NODE);
	for (unsigned i = 0; i < 13; i++)
		put64(at + CONTEXT + 8 * i, (uint64_t)pid << 16 | (19 + i));
	return at;
}

/* --- the machine */

static struct gyve_regs *fake_regs(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)groups;
	return &regs[cpu];
}

static void fake_dirty(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)cpu, (void)groups;
}

static int fake_resume(void *ctx, const struct gyve_resume *actions)
{
	(void)ctx;
	memcpy(resumed, actions, sizeof(resumed));
	resumes++;
	return 0;
}

static const struct gyve_target_ops ops = {.name = "fake", .regs = fake_regs, .regs_dirty = fake_dirty, .resume = fake_resume};

static int setup(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	memset(&k, 0, sizeof(k));
	memset(regs, 0, sizeof(regs));
	resumes = 0;
	make_types();
	make_task(0, 0, 0, 0, "swapper/0");
	uint64_t init = make_task(1, 1, 0, 1, "init");
	make_task(2, 2, 0, 0x402, "kworker/0:0");
	uint64_t busy = make_task(3, 30, 0, 0, "busy");
	put32(busy + ON_CPU, 1);
	put32(busy + CPU, 1);
	make_task(4, 40, init, 2, "second");
	make_task(5, 50, 0, 0, "next");
	k.t = &t;
	k.root_known = true;
	k.init_task = task_at(0);
	k.mem = (struct gyve_mem){.read = read_kernel};
	t = (struct gyve_target){
		.ops = &ops, .arch = &gyve_arch_aarch64, .ncpus = 2, .phys.read = no_memory, .kernel = &k, .tasks = true};
	regs[0].arch = regs[1].arch = GYVE_AARCH64;
	regs[0].valid = regs[1].valid = ~0u;
	regs[0].a64.pstate = 5;
	regs[0].a64.sp_el0 = task_at(0);
	regs[0].a64.pc = 0x1111;
	regs[1].a64.pc = 0x2222;
	return gyve_glue_init(&g, &t);
}

static int teardown(void **state)
{
	(void)state;
	gyve_glue_deinit(&g);
	gyve_btf_destroy(k.btf);
	return 0;
}

/* --- tests */

static void test_list(void **state)
{
	struct gyve_task *all;
	struct gyve_err err = {0};
	char seen[400] = "";

	(void)state;
	ssize_t n = gyve_tasks_list(&k, &all, &err);
	for (ssize_t i = 0; i < n; i++)
		snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%d/%d %c %d %s; ", all[i].pid, all[i].tgid,
			 gyve_task_state(&all[i]), all[i].cpu, all[i].comm);
	assert_string_equal(seen, "1/1 S -1 init; 40/1 D -1 second; 2/2 I -1 kworker/0:0; 30/30 R 1 busy; 50/50 R -1 next; "
				  "0/0 R 0 swapper/0; ");
	free(all);
}

static void say(char *buf, size_t size, int tid)
{
	gyve_glue_thread_info(&g, tid, buf, size);
}

static void test_threads(void **state)
{
	static const int want[] = {1, 2, 30, 40, 50, GYVE_IDLE_TID};
	int tids[8];
	char text[200];

	(void)state;
	assert_int_equal(gyve_glue_threads(&g, tids, 8), 6);
	assert_memory_equal(tids, want, sizeof(want));
	assert_int_equal(gyve_glue_cpu(&g, 30), 1);
	assert_int_equal(gyve_glue_cpu(&g, GYVE_IDLE_TID), 0);
	assert_int_equal(gyve_glue_cpu(&g, 1), -1);
	assert_int_equal(gyve_glue_cpu(&g, 3), -1);
	assert_int_equal(gyve_glue_tid(&g, 1), 30);
	say(text, sizeof(text), 1);
	assert_string_equal(text, "init, pid 1, S (sleeping)");
	say(text, sizeof(text), 40);
	assert_string_equal(text, "second, pid 40 of process 1, D (disk sleep)");
	say(text, sizeof(text), 50);
	assert_string_equal(text, "next, pid 50, R (waits for a CPU)");
	say(text, sizeof(text), 30);
	assert_string_equal(text, "busy, pid 30, R (running), vCPU 1");
}

/* "0*&": run lengths, counted from ' ' - 3 on. */
static const char *plain(const char *from)
{
	static char to[8192];
	size_t n = 0;

	for (; *from; from++)
		if (*from != '*')
			to[n++] = *from;
		else
			for (int i = *++from - 29; i > 0; i--, n++)
				to[n] = to[n - 1];
	to[n] = '\0';
	return to;
}

/* A packet and its answer, which is acknowledged; what comes to the console before it is left out. */
static const char *ask(const char *packet)
{
	static char answer[8192];
	const void *out;
	char sum[4], *at;
	uint8_t s = 0;
	size_t n;

	for (const char *p = packet; *p; p++)
		s = (uint8_t)(s + (uint8_t)*p);
	snprintf(sum, sizeof(sum), "#%02x", s);
	gdbstub_feed(g.stub, "$", 1);
	gdbstub_feed(g.stub, packet, strlen(packet));
	gdbstub_feed(g.stub, sum, 3);
	n = gdbstub_output(g.stub, &out);
	snprintf(answer, sizeof(answer), "%.*s", (int)n, (const char *)out);
	gdbstub_sent(g.stub, n);
	gdbstub_feed(g.stub, "+", 1);
	if ((at = strrchr(answer, '#')))
		*at = '\0';
	at = strrchr(answer, '$');
	return plain(at ? at + 1 : answer);
}

/* gdb's numbers: x0-x30, sp, pc */
static void test_registers(void **state)
{
	struct gyve_regs r;
	struct gyve_err err = {0};

	(void)state;
	assert_string_equal(ask("Hg32"), "OK"); /* 50 */
	assert_string_equal(ask("p20"), "1f00320000000000");
	assert_string_equal(ask("p1f"), "1e00320000000000");
	assert_string_equal(ask("p13"), "1300320000000000");
	assert_string_equal(ask("p0"), "xxxxxxxxxxxxxxxx");
	assert_string_equal(ask("P13=0000000000000000"), "E1e");
	assert_string_equal(ask("Hg1e"), "OK"); /* 30 runs */
	assert_string_equal(ask("p20"), "2222000000000000");
	assert_string_equal(ask("P0=0100000000000000"), "OK");
	assert_int_equal(regs[1].a64.x[0], 1);
	struct gyve_task gone = {.addr = 0x1000};
	assert_int_equal(gyve_task_regs(&k, &gone, &r, &err), -EFAULT);
}

static void test_resume(void **state)
{
	(void)state;
	assert_string_equal(ask("vCont;s:28"), "E16"); /* 40 sleeps */
	assert_string_equal(ask("vCont;s:28;c"), "E16");
	assert_string_equal(ask("vCont;c:28"), "E16"); /* nothing would run */
	assert_int_equal(resumes, 0);
	ask("vCont;s:1e;c");
	assert_int_equal(resumes, 1);
	assert_true(resumed[0].act == GYVE_ACT_CONT && resumed[1].act == GYVE_ACT_STEP);
	/* it has gone to sleep, and another task is there when the vCPU stops */
	put32(task_at(3) + ON_CPU, 0);
	put32(task_at(5) + ON_CPU, 1);
	put32(task_at(5) + CPU, 1);
	t.last = (struct gyve_stop){.kind = GYVE_STOP_STEP, .cpu = 1};
	gyve_glue_report(&g, &t.last);
	assert_non_null(strstr(ask("?"), "thread:32;"));
	ask("vCont;c:32;t");
	assert_true(resumes == 2 && resumed[0].act == GYVE_ACT_NONE && resumed[1].act == GYVE_ACT_CONT);
}

/* Numbers that are no pids, the same twice, more vCPUs in the lists than there are. */
static void test_damaged_tasks(void **state)
{
	int tids[8];

	(void)state;
	put32(task_at(1) + PID, 0x80000000);
	put32(task_at(2) + PID, 50);
	put32(task_at(3) + CPU, 900);
	put32(task_at(4) + PID, 5 << 20);
	memset(ram + (task_at(5) + COMM - BASE), 7, 16);
	assert_int_equal(gyve_glue_threads(&g, tids, 8), 4);
	assert_true(tids[0] == 30 && tids[1] == 50 && tids[2] == GYVE_IDLE_TID && tids[3] == GYVE_IDLE_TID + 1);
	assert_int_equal(gyve_glue_cpu(&g, GYVE_IDLE_TID + 1), 1);
}

/* Lists that lead nowhere, or round and round without their head. */
static void test_damaged_lists(void **state)
{
	struct gyve_task *all;
	struct gyve_err err = {0};
	int tids[8];

	(void)state;
	put64(task_at(2) + TASKS, task_at(1) + TASKS);
	put64(task_at(4) + NODE, task_at(4) + NODE);
	ssize_t n = gyve_tasks_list(&k, &all, &err);
	assert_in_range(n, 1, GYVE_TASKS_MAX);
	free(all);
	assert_in_range(gyve_glue_threads(&g, tids, 8), 3, 8);
	put64(task_at(0) + TASKS, 0x10);
	gyve_glue_tasks_stale(&g);
	assert_int_equal(gyve_glue_threads(&g, tids, 8), 2); /* what the vCPUs run */
	k.init_task = 0;
	gyve_glue_tasks_stale(&g);
	assert_int_equal(gyve_glue_threads(&g, tids, 8), 2);
	assert_true(tids[0] == GYVE_IDLE_TID && tids[1] == GYVE_IDLE_TID + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_tasks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_lists, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
