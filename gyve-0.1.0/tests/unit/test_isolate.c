/* What isolation leaves possible and what not: each case in a child process, on this machine's own kernel. */
#include "config.h"

#include "unit.h"

#include "../support/tree.h"
#include "gyve/isolate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct tree t;
static struct gyve_isolate_info info;

static int setup(void **state)
{
	(void)state;
	gyve_isolate_probe(&info);
	if (tree_make(&t) < 0 || mkdirat(t.fd, "rw", 0755) || mkdirat(t.fd, "ro", 0755) || mkdirat(t.fd, "no", 0755))
		return -1;
	return tree_write(&t, "rw/f", "f") && tree_write(&t, "ro/f", "f") && tree_write(&t, "no/f", "f") ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tree_remove(&t);
	return 0;
}

/* The wait status of a child that does this. Its exit code is the number of the line that is wrong, or 0. */
static int in_child(int (*what)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(what());
	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

#define CHECK(cond)                                                   \
	do {                                                          \
		if (!(cond)) {                                        \
			fprintf(stderr, "%d: %s\n", __LINE__, #cond); \
			return __LINE__ % 250 + 1;                    \
		}                                                     \
	} while (0)

static int open_at(const char *name, int flags)
{
	int fd = openat(t.fd, name, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int restrict_files(enum gyve_isolation mode, unsigned flags)
{
	struct gyve_grant g[] = {{openat(t.fd, "rw", O_PATH), GYVE_GRANT_ALL}, {openat(t.fd, "ro", O_PATH), GYVE_GRANT_READ}};
	struct gyve_err warning, err = {0};
	int r = gyve_isolate_files(mode, flags, g, 2, &warning, &err);

	return r == 0 && !warning.text[0] ? 0 : -1;
}

static int files(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int held = openat(t.fd, "no/f", O_RDWR | O_CLOEXEC), pipes[2], s = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(held >= 0 && pipe(pipes) == 0 && s >= 0);
	CHECK(restrict_files(GYVE_ISOLATION_NORMAL, GYVE_ISOLATE_SCOPE) == 0);
	CHECK(open_at("rw/f", O_RDWR) == 0);
	CHECK(open_at("rw/new", O_RDWR | O_CREAT) == 0);
	CHECK(unlinkat(t.fd, "rw/new", 0) == 0);
	CHECK(mkdirat(t.fd, "rw/dir", 0755) == 0);
	CHECK(open_at("rw", O_RDONLY | O_DIRECTORY) == 0);
	CHECK(symlinkat("f", t.fd, "rw/link") < 0 && errno == EACCES);
	CHECK(mkfifoat(t.fd, "rw/fifo", 0600) < 0 && errno == EACCES);
	CHECK(open_at("ro/f", O_RDONLY) == 0);
	CHECK(open_at("ro/f", O_WRONLY) == -EACCES);
	CHECK(open_at("ro/new", O_WRONLY | O_CREAT) == -EACCES);
	CHECK(unlinkat(t.fd, "ro/f", 0) < 0);
	CHECK(open_at("no/f", O_RDONLY) == -EACCES);
	CHECK(open_at("/", O_RDONLY | O_DIRECTORY) == -EACCES);
	CHECK(renameat(t.fd, "rw/f", t.fd, "no/g") < 0);
	CHECK(write(held, "x", 1) == 1); /* what was open stays so */
	if (info.network) {
		CHECK(bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == EACCES);
		CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) < 0 && errno == EACCES);
	}
	CHECK(kill(getpid(), 0) == 0);
	CHECK(info.landlock < 6 || kill(getppid(), 0) < 0);
	return 0;
}

static int strict(void)
{
	struct gyve_err err = {0};
	int r = gyve_isolate_files(GYVE_ISOLATION_STRICT, 0, NULL, 0, NULL, &err);

	CHECK(r == (info.landlock >= 3 ? 0 : -EINVAL));
	CHECK(r == 0 || strstr(err.text, "Landlock"));
	CHECK(r < 0 || open_at("rw/f", O_RDONLY) == -EACCES);
	return 0;
}

#ifdef HAVE_SECCOMP
/* As on a kernel without Landlock, or with it switched off. */
static int without_landlock(int error)
{
	struct gyve_err warning = {0}, err = {0};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	CHECK(ctx && seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)error), SCMP_SYS(landlock_create_ruleset), 0) == 0 &&
	      seccomp_load(ctx) == 0);
	CHECK(gyve_isolate_files(GYVE_ISOLATION_STRICT, 0, NULL, 0, &warning, &err) == -EINVAL);
	CHECK(strstr(err.text, "Landlock") && strstr(err.text, error == ENOSYS ? "5.13" : "lsm="));
	CHECK(gyve_isolate_files(GYVE_ISOLATION_NORMAL, 0, NULL, 0, &warning, &err) == 0);
	CHECK(strstr(warning.text, "no Landlock"));
	CHECK(gyve_isolate_files(GYVE_ISOLATION_NONE, 0, NULL, 0, &warning, &err) == 0 && !warning.text[0]);
	return 0;
}

static int kernel_without(void)
{
	return without_landlock(ENOSYS);
}

static int switched_off(void)
{
	return without_landlock(EOPNOTSUPP);
}
#endif

static int none(void)
{
	CHECK(restrict_files(GYVE_ISOLATION_NONE, 0) == 0);
	CHECK(open_at("no/f", O_RDWR) == 0);
	return 0;
}

static void *stricter(void *arg)
{
	struct gyve_err err;

	if (gyve_isolate_files(GYVE_ISOLATION_NORMAL, 0, NULL, 0, NULL, &err) == 0 && open_at("rw/f", O_RDONLY) == -EACCES)
		*(bool *)arg = true;
	return NULL;
}

/* A thread takes less than its process has, and that does not touch the others. */
static int threads(void)
{
	bool ok = false;
	pthread_t thread;

	CHECK(restrict_files(GYVE_ISOLATION_NORMAL, GYVE_ISOLATE_NET) == 0);
	CHECK(pthread_create(&thread, NULL, stricter, &ok) == 0);
	pthread_join(thread, NULL);
	CHECK(ok);
	CHECK(open_at("rw/f", O_RDONLY) == 0);
	return 0;
}

static void test_files(void **state)
{
	(void)state;
	if (!info.landlock) {
		print_message("this kernel has no Landlock\n");
		skip();
	}
	assert_int_equal(in_child(files), 0);
	assert_int_equal(in_child(threads), 0);
}

static void test_modes(void **state)
{
	(void)state;
	assert_int_equal(in_child(strict), 0);
	assert_int_equal(in_child(none), 0);
#ifdef HAVE_SECCOMP
	assert_int_equal(in_child(kernel_without), 0);
	assert_int_equal(in_child(switched_off), 0);
#endif
}

static int filtered(unsigned flags)
{
	struct gyve_err err = {0};
	int r = gyve_isolate_calls(flags, &err);

	if (r < 0)
		fprintf(stderr, "%s\n", err.text);
	return r;
}

static int usual_calls(void)
{
	struct timespec ts = {0, 1};
	struct stat st;
	char c = 0;

	CHECK(filtered(0) == 0);
	CHECK(open_at("rw/f", O_RDONLY) == 0);
	CHECK(fstatat(t.fd, "rw/f", &st, 0) == 0);
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && munmap(p, 4096) == 0);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(nanosleep(&ts, NULL) == 0);
	CHECK(ioctl(0, TIOCSTI, &c) < 0 && errno == EPERM);
	CHECK(chmod("/tmp", 0777) < 0 && errno == EPERM);
	CHECK(renameat(t.fd, "rw/f", t.fd, "rw/g") < 0 && errno == EPERM);
	CHECK(setuid(0) < 0 && errno == EPERM);
	return 0;
}

static int run_a_program(void)
{
	CHECK(filtered(0) == 0);
	execl("/bin/true", "true", (char *)NULL);
	return 0;
}

static int make_a_socket(void)
{
	CHECK(filtered(0) == 0);
	return socket(AF_INET, SOCK_STREAM, 0) < 0;
}

static int make_a_network_socket(void)
{
	CHECK(filtered(GYVE_ISOLATE_NET) == 0);
	CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
	return 0;
}

static int make_a_process(void)
{
	CHECK(filtered(0) == 0);
	return fork() != 0;
}

static void test_calls(void **state)
{
	static int (*const deadly[])(void) = {run_a_program, make_a_socket, make_a_process};

	(void)state;
	if (!info.seccomp) {
		print_message("no seccomp: not built in, or not in this kernel\n");
		skip();
	}
	assert_int_equal(in_child(usual_calls), 0);
	assert_int_equal(in_child(make_a_network_socket), 0);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++) {
		int status = in_child(deadly[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_modes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
