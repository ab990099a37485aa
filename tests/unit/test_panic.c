/* A kernel's panic while no debugger looks; the target is a fake, its kernel's functions are this program's. */
#include "unit.h"

#include "../../src/base/io.h"
#include "gyve/target.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void panic(void);
void console_flush_on_panic(void);
__attribute__((noinline)) void panic(void)
{
	__asm__ volatile("nop");
}
__attribute__((noinline)) void console_flush_on_panic(void)
{
	__asm__ volatile("nop; nop");
}

static struct {
	pthread_mutex_t lock;
	int event, quit;
	bool stopped, pending;
	struct gyve_stop stop;
	unsigned resumes, interrupts;
	gyve_gva_t point;
	char dumped[16], notice[1024];
} f = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct gyve_regs regs;
static struct gyve_target t;
static struct gyve_panic *p;
static struct gyve_stop end;
static pthread_t thread;

static void post(enum gyve_stop_kind kind, gyve_gva_t pc)
{
	pthread_mutex_lock(&f.lock);
	f.stop = (struct gyve_stop){.kind = kind, .pc = pc};
	regs.a64.pc = pc;
	f.stopped = f.pending = true;
	eventfd_write(f.event, 1);
	pthread_mutex_unlock(&f.lock);
}

static bool fake_stopped(void *ctx)
{
	(void)ctx;
	pthread_mutex_lock(&f.lock);
	bool ret = f.stopped;
	pthread_mutex_unlock(&f.lock);
	return ret;
}

static struct gyve_regs *fake_regs(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)cpu, (void)groups;
	return &regs;
}

static int fake_resume(void *ctx, const struct gyve_resume *a)
{
	(void)ctx, (void)a;
	pthread_mutex_lock(&f.lock);
	f.resumes++;
	f.stopped = false;
	pthread_mutex_unlock(&f.lock);
	return 0;
}

static void fake_interrupt(void *ctx)
{
	(void)ctx;
	f.interrupts++;
	post(GYVE_STOP_INTERRUPT, 0);
}

static void fake_kill(void *ctx, int code)
{
	(void)ctx, (void)code;
	post(GYVE_STOP_EXIT, 0);
}

static int fake_event_fd(void *ctx)
{
	(void)ctx;
	return f.event;
}

static bool fake_take_stop(void *ctx, struct gyve_stop *ret)
{
	eventfd_t v;

	(void)ctx;
	pthread_mutex_lock(&f.lock);
	bool was = f.pending;
	if (was) {
		eventfd_read(f.event, &v);
		*ret = f.stop;
		f.pending = false;
	}
	pthread_mutex_unlock(&f.lock);
	return was;
}

static int fake_insert(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len, struct gyve_err *err)
{
	(void)ctx, (void)kind, (void)len, (void)err;
	__atomic_store_n(&f.point, gva, __ATOMIC_SEQ_CST);
	return 0;
}

static int fake_remove(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len)
{
	(void)ctx, (void)kind, (void)len;
	assert_int_equal(gva, f.point);
	f.point = 0;
	return 0;
}

static const struct gyve_target_ops ops = {
	.name = "fake",
	.stopped = fake_stopped,
	.regs = fake_regs,
	.resume = fake_resume,
	.interrupt = fake_interrupt,
	.kill = fake_kill,
	.event_fd = fake_event_fd,
	.take_stop = fake_take_stop,
	.point_insert = fake_insert,
	.point_remove = fake_remove,
};

static void on_dump(void *ctx, const char *why, const struct gyve_stop *stop)
{
	(void)ctx, (void)stop;
	snprintf(f.dumped, sizeof(f.dumped), "%s", why);
}

static void on_notice(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(f.notice, sizeof(f.notice), "%s", text);
}

static void *serve_thread(void *arg)
{
	struct gyve_serve serve = {.target = &t, .quit_fd = f.quit, .panic = p, .dump = on_dump, .notice = on_notice};

	(void)arg;
	gyve_server_run(NULL, &serve, &end);
	return NULL;
}

static ssize_t no_memory(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx, (void)addr, (void)buf, (void)len;
	return -EFAULT;
}

static void begin(bool by_symbols, struct gyve_symtab *syms)
{
	f.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f.quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f.stopped = true;
	f.pending = false;
	f.resumes = f.interrupts = 0;
	f.point = 0;
	f.dumped[0] = f.notice[0] = '\0';
	memset(&regs, 0, sizeof(regs));
	regs.arch = GYVE_AARCH64;
	regs.valid = GYVE_REGS_ALL;
	t = (struct gyve_target){.ops = &ops, .arch = &gyve_arch_aarch64, .ncpus = 1, .phys.read = no_memory, .syms = syms};
	assert_int_equal(gyve_panic_create(&p, true, by_symbols), 0);
	assert_int_equal(pthread_create(&thread, NULL, serve_thread, NULL), 0);
}

/* It has gone on for the n-th time, having (or not) a breakpoint. */
static void wait_running(unsigned n)
{
	for (int i = 0; i < 10000 && (fake_stopped(NULL) || f.resumes < n); i++)
		usleep(1000);
	assert_int_equal(f.resumes, n);
}

static void finish(void)
{
	pthread_join(thread, NULL);
	gyve_panic_destroy(p);
	close(f.event);
	close(f.quit);
}

static void hear(const char *text)
{
	gyve_panic_hear(p, text, strlen(text));
}

/* Its last words; before them a line that comes in pieces and one that is longer than any of a kernel's. */
static void test_last_words(void **state)
{
	char lots[4000];

	(void)state;
	begin(false, NULL);
	wait_running(1);
	memset(lots, 'x', sizeof(lots));
	gyve_panic_hear(p, lots, sizeof(lots));
	hear("\r\n[    1.2] Kernel pan");
	hear("ic - not syncing: no init found\r\n[    1.3] CPU: 0\r\n");
	hear("---[ end Kernel panic - not syncing: no init found ]---\r\n");
	finish();
	assert_int_equal(f.interrupts, 1);
	assert_int_equal(end.kind, GYVE_STOP_CRASH);
	assert_string_equal(f.dumped, "panic");
	assert_non_null(strstr(f.notice, "kernel panics: no init found"));
}

static void test_reset(void **state)
{
	(void)state;
	begin(false, NULL);
	wait_running(1);
	hear("Kernel panic - not syncing: bad\nRebooting in 1 seconds..");
	post(GYVE_STOP_EXIT, 0);
	finish();
	assert_int_equal(end.kind, GYVE_STOP_CRASH);
	assert_string_equal(f.dumped, "panic");
	assert_non_null(strstr(f.notice, "kernel panics: bad"));
}

static void test_other_end(void **state)
{
	(void)state;
	begin(false, NULL);
	wait_running(1);
	hear("Kernel panics are not expected\n");
	post(GYVE_STOP_EXIT, 0);
	finish();
	assert_int_equal(end.kind, GYVE_STOP_EXIT);
	assert_string_equal(f.dumped, "exit");
	assert_string_equal(f.notice, "");
}

/* From one breakpoint to the next; other stops do not matter. */
static void test_breakpoints(void **state)
{
	const uint8_t *image;
	size_t size;
	struct gyve_symtab *syms = NULL;
	uint64_t at, flush;
	struct gyve_err err = {0};

	(void)state;
	assert_int_equal(gyve_file_map("/proc/self/exe", &image, &size, &err), 0);
	assert_int_equal(gyve_symtab_create(&syms, image, size, 0, &err), 0);
	assert_int_equal(gyve_symtab_lookup(syms, "panic", &at), 0);
	assert_int_equal(gyve_symtab_lookup(syms, "console_flush_on_panic", &flush), 0);
	begin(true, syms);
	wait_running(1);
	assert_int_equal(f.point, at);
	post(GYVE_STOP_INTERRUPT, 0);
	wait_running(2);
	assert_int_equal(f.point, at);
	post(GYVE_STOP_SW_BP, at);
	wait_running(3);
	assert_int_equal(f.point, flush);
	regs.a64.x[30] = at;
	post(GYVE_STOP_SW_BP, flush);
	wait_running(4);
	assert_int_equal(f.point, at);
	post(GYVE_STOP_SW_BP, at);
	finish();
	assert_int_equal(f.point, 0);
	assert_int_equal(end.kind, GYVE_STOP_CRASH);
	assert_string_equal(f.dumped, "panic");
	assert_non_null(strstr(f.notice, "in panic"));
	gyve_symtab_destroy(syms);
	gyve_file_unmap(image, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_words),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_other_end),
		cmocka_unit_test(test_breakpoints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
