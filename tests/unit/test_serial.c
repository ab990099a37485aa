/* Where a guest's console leads: files, and sockets whose clients come, type, do not read, and go. */
#include "unit.h"

#include "../../src/cli/serial.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char dir[] = "/tmp/gyve-serial.XXXXXX", path[64], spec[80];
static struct serial s;

static int setup(void **state)
{
	(void)state;
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(spec, sizeof(spec), "unix:%s", path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	serial_close(&s);
	return rmdir(dir);
}

static void open_it(const char *what)
{
	struct gyve_err err = {0};

	assert_int_equal(serial_open(&s, what, &err), 0);
}

static int dial(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* Serve until there is nothing to do. */
static void serve(void)
{
	struct pollfd p = {s.epoll, POLLIN, 0};

	for (int i = 0; i < 1000 && poll(&p, 1, 20) > 0; i++)
		serial_poll(&s);
}

static void reads(int fd, const char *want)
{
	char buf[128] = "";
	struct pollfd p = {fd, POLLIN, 0};

	assert_int_equal(poll(&p, 1, 5000), 1);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	assert_int_equal(n, strlen(want));
	assert_memory_equal(buf, want, strlen(want));
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void test_client(void **state)
{
	(void)state;
	open_it(spec);
	assert_string_equal(serial_address(&s), path);
	assert_false(serial_write(&s, "early", 5));
	int fd = dial();
	serve();
	assert_true(serial_write(&s, "login: ", 7));
	reads(fd, "login: ");
	put(fd, "root\n");
	serve();
	reads(s.guest, "root\n");
	int other = dial();
	serve();
	reads(other, "gyve: somebody is at this console\r\n");
	reads(other, "");
	close(other);
	put(fd, "bye\n");
	close(fd);
	serve();
	assert_false(serial_write(&s, "nobody", 6));
	reads(s.guest, "bye\n");
	fd = dial();
	serve();
	assert_true(serial_write(&s, "again", 5));
	reads(fd, "again");
	close(fd);
}

/* It types more than a pipe holds, goes, and all of it is read. */
static void test_much_input(void **state)
{
	static char lots[150000], got[sizeof(lots)];
	size_t sent = 0, n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(lots); i++)
		lots[i] = (char)('a' + i % 23);
	open_it(spec);
	int fd = dial();
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(s.guest, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 5000 && n < sizeof(lots); i++) {
		ssize_t r = sent < sizeof(lots) ? write(fd, lots + sent, sizeof(lots) - sent) : 0;
		sent += r > 0 ? (size_t)r : 0;
		if (fd >= 0 && sent == sizeof(lots)) {
			close(fd);
			fd = -1;
		}
		for (int k = 0; k < 100; k++)
			serial_poll(&s);
		r = i % 3 == 0 ? read(s.guest, got + n, sizeof(got) - n) : 0;
		n += r > 0 ? (size_t)r : 0;
	}
	assert_int_equal(n, sizeof(lots));
	assert_memory_equal(got, lots, sizeof(lots));
	serve();
	assert_false(serial_write(&s, "x", 1));
}

/* A client that does not read holds nobody up; when it does, what was said first is there. */
static void test_slow_client(void **state)
{
	static char line[1000];
	char buf[4096];
	size_t n = 0;
	ssize_t r;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[0] = '1';
	open_it(spec);
	int fd = dial();
	serve();
	for (int i = 0; i < 2000; i++)
		assert_true(serial_write(&s, line, sizeof(line)));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int i = 0; i < 2000; i++) {
		serial_poll(&s);
		while ((r = read(fd, buf, sizeof(buf))) > 0)
			for (ssize_t k = 0; k < r; k++, n++)
				assert_int_equal(buf[k], n % sizeof(line) ? 'x' : '1');
	}
	assert_true(n >= SERIAL_AHEAD && n < 2000 * sizeof(line));
	close(fd);
}

static void test_last_words(void **state)
{
	static char line[1000], buf[4 << 20];
	size_t n = 0;
	ssize_t r;

	(void)state;
	open_it(spec);
	int fd = dial();
	serve();
	for (int i = 0; !s.ahead_len && i < 10000; i++)
		serial_write(&s, line, sizeof(line));
	assert_true(s.ahead_len > 0);
	while ((r = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) /* room in its socket */
		n += (size_t)r;
	serial_close(&s);
	while ((r = read(fd, buf, sizeof(buf))) > 0)
		n += (size_t)r;
	assert_int_equal(n % sizeof(line), 0);
	close(fd);
}

static void test_files(void **state)
{
	char in[80], both[200], got[32] = "";
	int fd;

	(void)state;
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(both, sizeof(both), "file:%s,input=%s", path, in);
	fd = open(path, O_CREAT | O_WRONLY, 0666);
	put(fd, "old ");
	close(fd);
	assert_int_equal(mkfifo(in, 0666), 0);
	open_it(both);
	assert_null(serial_address(&s));
	assert_true(serial_write(&s, "new", 3));
	fd = open(in, O_WRONLY);
	put(fd, "typed");
	close(fd);
	reads(s.guest, "typed");
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, got, sizeof(got)), 7);
	assert_string_equal(got, "old new");
	close(fd);
	unlink(path);
	serial_close(&s);
	snprintf(both, sizeof(both), "file:,input=%s", in);
	open_it(both);
	assert_false(serial_write(&s, "to the console", 14));
	unlink(in);
	serial_close(&s);
	open_it("null");
	assert_true(serial_write(&s, "lost", 4));
	assert_int_equal(s.guest, -1);
	serial_close(&s);
	open_it("stdio");
	assert_false(serial_write(&s, "to the console", 14));
}

static void test_bad(void **state)
{
	static const char *const bad[] = {"",          "file",        "file:",         "file:x,input=", "unix:", "tcp:",
					  "tcp:stdio", "tcp:unix:/x", "tcp:1.2.3.4:x", "pty",           "stdio2"};
	struct gyve_err err = {0};
	char big[9000];

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad); i++)
		assert_int_equal(serial_check(bad[i], &err), -EINVAL);
	memset(big, 'x', sizeof(big));
	memcpy(big, "file:", 5);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(serial_check(big, &err), -EINVAL);
	assert_int_equal(serial_check("tcp:0", &err), 0);
	assert_int_equal(serial_check("tcp:127.0.0.1:2000", &err), 0);
	assert_int_equal(serial_open(&s, "file:/nonexistent/x", &err), -ENOENT);
	assert_int_equal(serial_open(&s, "unix:/nonexistent/x", &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_much_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test(test_bad),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
