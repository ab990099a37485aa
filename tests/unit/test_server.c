/* The server with a real session over a unix socket; the target is a fake that runs nothing. */
#include "unit.h"

#include "gyve/target.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	int event;
	bool stopped, pending;
	struct gyve_stop stop;
	unsigned resumes, clears;
} f = {.lock = PTHREAD_MUTEX_INITIALIZER};
static struct gyve_regs regs;
static struct gyve_target t;
static struct gyve_server *server;
static struct gyve_stop end;
static char path[64];
static pthread_t thread;

static void post(enum gyve_stop_kind kind, int code)
{
	pthread_mutex_lock(&f.lock);
	f.stop = (struct gyve_stop){.kind = kind, .code = code};
	f.stopped = f.pending = true;
	eventfd_write(f.event, 1);
	pthread_mutex_unlock(&f.lock);
}

static bool fake_stopped(void *ctx)
{
	bool ret;

	(void)ctx;
	pthread_mutex_lock(&f.lock);
	ret = f.stopped;
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
	post(GYVE_STOP_INTERRUPT, 0);
}

static void fake_kill(void *ctx, int code)
{
	(void)ctx;
	post(GYVE_STOP_EXIT, code);
}

static int fake_event_fd(void *ctx)
{
	(void)ctx;
	return f.event;
}

static bool fake_take_stop(void *ctx, struct gyve_stop *ret)
{
	eventfd_t v;
	bool was;

	(void)ctx;
	pthread_mutex_lock(&f.lock);
	was = f.pending;
	if (was) {
		eventfd_read(f.event, &v);
		*ret = f.stop;
		f.pending = false;
	}
	pthread_mutex_unlock(&f.lock);
	return was;
}

static void fake_points_clear(void *ctx)
{
	(void)ctx;
	f.clears++;
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
	.points_clear = fake_points_clear,
};

static void *serve_thread(void *arg)
{
	struct gyve_serve serve = {.target = &t, .quit_fd = -1, .client_required = true};

	(void)arg;
	gyve_server_run(server, &serve, &end);
	return NULL;
}

static ssize_t no_memory(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx, (void)addr, (void)buf, (void)len;
	return -EFAULT;
}

static int setup(void **state)
{
	struct gyve_listen l;
	char spec[80];

	(void)state;
	memset(&regs, 0, sizeof(regs));
	regs.arch = GYVE_X86_64;
	regs.valid = GYVE_REGS_ALL;
	f.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f.stopped = true;
	f.pending = false;
	f.resumes = f.clears = 0;
	t = (struct gyve_target){.ops = &ops, .arch = &gyve_arch_x86_64, .ncpus = 1, .phys.read = no_memory};
	snprintf(path, sizeof(path), "test_server.%d", (int)getpid());
	snprintf(spec, sizeof(spec), "unix:%s", path);
	if (gyve_listen_parse(&l, spec, NULL) < 0 || gyve_server_open(&server, &l, NULL) < 0)
		return -1;
	return pthread_create(&thread, NULL, serve_thread, NULL);
}

static int teardown(void **state)
{
	struct stat st;

	(void)state;
	gyve_server_close(server);
	close(f.event);
	return stat(path, &st) == 0 ? -1 : 0;
}

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void send_packet(int fd, const char *body)
{
	char buf[200];
	unsigned char sum = 0;

	for (const char *p = body; *p; p++)
		sum = (unsigned char)(sum + (unsigned char)*p);
	snprintf(buf, sizeof(buf), "$%s#%02x", body, sum);
	assert_int_equal(write(fd, buf, strlen(buf)), strlen(buf));
}

/* Body of the next packet, acknowledged; "" at the end of the connection. */
static const char *receive(int fd)
{
	static char body[4096];
	struct pollfd p = {fd, POLLIN, 0};
	size_t n = 0;
	bool in = false;
	char c;

	while (poll(&p, 1, 3000) == 1 && read(fd, &c, 1) == 1) {
		if (!in) {
			in = c == '$';
		} else if (c == '#') {
			assert_int_equal(read(fd, &c, 1) + read(fd, &c, 1), 2);
			(void)!write(fd, "+", 1); /* the server may have closed after its last words */
			break;
		} else if (n + 1 < sizeof(body)) {
			body[n++] = c;
		}
	}
	body[n] = '\0';
	return body;
}

static void ask(int fd, const char *packet, const char *prefix)
{
	send_packet(fd, packet);
	assert_memory_equal(receive(fd), prefix, strlen(prefix));
}

static void run_guest(int fd, unsigned resumes)
{
	send_packet(fd, "vCont;c");
	for (int i = 0; i < 3000 && (fake_stopped(NULL) || f.resumes < resumes); i++)
		usleep(1000);
}

static void test_run_interrupt_kill(void **state)
{
	int fd = dial();

	(void)state;
	ask(fd, "?", "T05");
	run_guest(fd, 1);
	assert_int_equal(write(fd, "\x03", 1), 1);
	assert_memory_equal(receive(fd), "T02", 3);
	run_guest(fd, 2);
	post(GYVE_STOP_EXIT, 42);
	assert_string_equal(receive(fd), "W2a");
	pthread_join(thread, NULL);
	assert_int_equal(end.kind, GYVE_STOP_EXIT);
	assert_int_equal(end.code, 42);
	assert_int_equal(f.resumes, 2);
	close(fd);
}

static void test_detach_and_come_back(void **state)
{
	int fd = dial();

	(void)state;
	ask(fd, "?", "T05");
	ask(fd, "D", "OK");
	assert_string_equal(receive(fd), ""); /* the end of the connection */
	assert_true(f.clears > 0 && f.resumes == 1 && !fake_stopped(NULL));
	close(fd);
	fd = dial(); /* stops the guest */
	ask(fd, "?", "T05");
	assert_true(fake_stopped(NULL));
	send_packet(fd, "k");
	pthread_join(thread, NULL);
	assert_int_equal(end.kind, GYVE_STOP_EXIT);
	close(fd);
}

static void test_second_client_and_lost_client(void **state)
{
	int fd = dial(), other;
	char c;

	(void)state;
	ask(fd, "?", "T05");
	other = dial();
	ask(other, "qSupported", "E.another debugger is connected");
	assert_int_equal(read(other, &c, 1), 0);
	close(other);
	close(fd); /* never resumed: the guest still waits */
	fd = dial();
	ask(fd, "?", "T05");
	assert_int_equal(f.resumes, 0);
	run_guest(fd, 1);
	f.clears = 0;
	close(fd); /* resumed: it goes on alone, after a stop that clears the points */
	fd = dial();
	ask(fd, "?", "T05");
	assert_true(f.resumes >= 1 && f.clears > 0);
	close(fd);
	for (int i = 0; i < 300 && fake_stopped(NULL); i++)
		usleep(10000);
	assert_false(fake_stopped(NULL));
	post(GYVE_STOP_EXIT, 0);
	pthread_join(thread, NULL);
}

static void test_death_is_kept(void **state)
{
	int fd = dial();

	(void)state;
	ask(fd, "?", "T05");
	run_guest(fd, 1);
	post(GYVE_STOP_CRASH, 0);
	assert_memory_equal(receive(fd), "O", 1);
	assert_memory_equal(receive(fd), "T0b", 3);
	send_packet(fd, "k");
	pthread_join(thread, NULL);
	assert_int_equal(end.kind, GYVE_STOP_CRASH);
	close(fd);
}

/* gdb acknowledges the reply to D like any other, and not at once. */
static void test_late_acknowledgement(void **state)
{
	int fd = dial();
	char buf[64];

	(void)state;
	ask(fd, "?", "T05");
	send_packet(fd, "D");
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	assert_int_equal(write(fd, "+", 1), 1);
	close(fd);
	post(GYVE_STOP_EXIT, 0);
	pthread_join(thread, NULL);
}

static void test_taken_places(void **state)
{
	struct gyve_server *a = NULL, *b = NULL;
	struct gyve_err err = {0};
	struct gyve_listen l;

	(void)state;
	assert_int_equal(gyve_listen_parse(&l, "0", NULL), 0);
	assert_int_equal(gyve_server_open(&a, &l, &err), 0);
	assert_int_equal(gyve_listen_parse(&l, gyve_server_address(a), NULL), 0);
	assert_int_equal(gyve_server_open(&b, &l, &err), -EADDRINUSE);
	assert_non_null(strstr(err.text, l.port));
	gyve_server_close(a);
	assert_int_equal(gyve_listen_parse(&l, "unix:/nonexistent/x", NULL), 0);
	assert_int_equal(gyve_server_open(&b, &l, &err), -ENOENT);
	assert_null(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_run_interrupt_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_detach_and_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_second_client_and_lost_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_death_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_acknowledgement, setup, teardown),
		cmocka_unit_test(test_taken_places),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
