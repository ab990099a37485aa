#define _GNU_SOURCE
#include "unit.h"

#include "../../src/base/bytes.h"
#include "../../src/base/cleanup.h"
#include "../../src/base/io.h"
#include "gyve/error.h"
#include "gyve/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_err_set(void **state)
{
	struct gyve_err err = {0};

	(void)state;
	assert_int_equal(gyve_err_set(NULL, -EIO, "nobody reads %d", 1), -EIO);
	assert_int_equal(gyve_err_set(&err, -EINVAL, "%s: %d", "file", 7), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, "file: 7");
}

static void test_err_is_cut_at_its_size(void **state)
{
	struct {
		struct gyve_err err;
		uint8_t after[16];
	} s;
	char lengthy[2000];

	(void)state;
	memset(&s, 0x5a, sizeof(s));
	memset(lengthy, 'a', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = 0;
	gyve_err_set(&s.err, -E2BIG, "%s", lengthy);
	assert_int_equal(strlen(s.err.text), sizeof(s.err.text) - 1);
	gyve_err_prefix(&s.err, "%s", "prefix");
	assert_int_equal(strlen(s.err.text), sizeof(s.err.text) - 1);
	assert_memory_equal(s.err.text, "prefix: aaa", 11);
	gyve_err_prefix(&s.err, "%s", lengthy);
	assert_int_equal(strlen(s.err.text), sizeof(s.err.text) - 1);
	for (size_t i = 0; i < sizeof(s.after); i++)
		assert_int_equal(s.after[i], 0x5a);
}

static void test_err_prefix(void **state)
{
	struct gyve_err err;

	(void)state;
	gyve_err_set(&err, -ENOENT, "no such segment");
	assert_int_equal(gyve_err_prefix(&err, "image %s", "x"), -ENOENT);
	assert_string_equal(err.text, "image x: no such segment");
	assert_int_equal(gyve_err_prefix(&err, "load"), -ENOENT);
	assert_string_equal(err.text, "load: image x: no such segment");
	assert_int_equal(gyve_err_prefix(NULL, "x"), -EIO);
}

static void test_log_configure(void **state)
{
	static const char *const bad[] = {"loud", "gdb=", "=debug",      "gdb=loud", "nobody=info", "gdb=debug,oops",
					  "gdb",  ",",    "info,,debug", " info",    "INFO",        "gdb==debug"};
	unsigned char before[GYVE_LOG_SUBS];

	(void)state;
	assert_int_equal(gyve_log_configure("info"), 0);
	for (int i = 0; i < GYVE_LOG_SUBS; i++)
		assert_int_equal(gyve_log_levels[i], GYVE_LOG_INFO);
	assert_int_equal(gyve_log_configure("gdb=debug,kvm=off"), 0);
	assert_int_equal(gyve_log_levels[GYVE_LOG_GDB], GYVE_LOG_DEBUG);
	assert_int_equal(gyve_log_levels[GYVE_LOG_KVM], GYVE_LOG_OFF);
	assert_int_equal(gyve_log_levels[GYVE_LOG_BP], GYVE_LOG_INFO);
	assert_int_equal(gyve_log_configure("error,load=warn"), 0);
	assert_int_equal(gyve_log_levels[GYVE_LOG_GDB], GYVE_LOG_ERROR);
	assert_int_equal(gyve_log_levels[GYVE_LOG_LOAD], GYVE_LOG_WARN);
	assert_int_equal(gyve_log_configure(""), 0);
	memcpy(before, gyve_log_levels, sizeof(before));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (gyve_log_configure(bad[i]) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_memory_equal(before, gyve_log_levels, sizeof(before));
	}
}

static void test_log_rust(void **state)
{
	static const struct {
		const char *spec;
		enum gyve_log_level level;
	} table[] = {
		{"", GYVE_LOG_WARN},
		{"error", GYVE_LOG_ERROR},
		{"WARN", GYVE_LOG_WARN},
		{"info", GYVE_LOG_INFO},
		{"Debug", GYVE_LOG_DEBUG},
		{"trace", GYVE_LOG_DEBUG},
		{"off", GYVE_LOG_OFF},
		{"uhyve=debug", GYVE_LOG_DEBUG},
		{"uhyve", GYVE_LOG_DEBUG},
		{"gyve=info", GYVE_LOG_INFO},
		{"error,uhyvelib::linux=info", GYVE_LOG_INFO},
		{"uhyve=info,error", GYVE_LOG_INFO}, /* what names us counts, wherever it is */
		{"hyper=trace", GYVE_LOG_WARN},
		{"info,hyper=off", GYVE_LOG_INFO},
		{"nonsense", GYVE_LOG_WARN},
		{"uhyve=nonsense", GYVE_LOG_WARN},
		{"=,,==,", GYVE_LOG_WARN},
		{"info/text=debug,error", GYVE_LOG_INFO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		gyve_log_configure_rust(table[i].spec);
		for (unsigned sub = 0; sub < GYVE_LOG_SUBS; sub++)
			if (gyve_log_levels[sub] != table[i].level)
				fail_msg("RUST_LOG=%s gives level %d", table[i].spec, gyve_log_levels[sub]);
	}
	assert_int_equal(gyve_log_configure("warn"), 0);
}

/* What emit writes to stderr, as text. */
static void captured(char *text, size_t size, const char *msg)
{
	int keep = dup(STDERR_FILENO), fd = memfd_create("stderr", 0);
	ssize_t n;

	assert_true(keep >= 0 && fd >= 0);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	gyve_log(GYVE_LOG_WARN, GYVE_LOG_RUN, "%s", msg);
	fflush(stderr);
	dup2(keep, STDERR_FILENO);
	n = pread(fd, text, size - 1, 0);
	text[n > 0 ? n : 0] = 0;
	close(fd);
	close(keep);
}

static void test_log_emit(void **state)
{
	char text[4096], lengthy[3000];

	(void)state;
	assert_int_equal(gyve_log_configure("run=warn"), 0);
	captured(text, sizeof(text), "vCPU 3 is lost");
	assert_string_equal(text, "gyve: warn: run: vCPU 3 is lost\n");
	memset(lengthy, 'z', sizeof(lengthy));
	lengthy[sizeof(lengthy) - 1] = 0;
	captured(text, sizeof(text), lengthy);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_true(strlen(text) > 1000 && strlen(text) < 1100);
	assert_int_equal(gyve_log_configure("run=error"), 0);
	captured(text, sizeof(text), "not said");
	assert_string_equal(text, "");
}

static void *slow_reader(void *arg)
{
	int fd = *(int *)arg;
	static uint8_t got[1 << 20];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, got + total, sizeof(got) - total)) > 0)
		total += (size_t)n;
	for (size_t i = 0; i < total; i++)
		if (got[i] != (uint8_t)(i * 7 >> 3))
			return NULL;
	return (void *)total;
}

/* A pipe takes such a write only in pieces. */
static void test_write_all(void **state)
{
	static uint8_t data[1 << 20];
	pthread_t reader;
	void *total;
	int p[2];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 >> 3);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(pthread_create(&reader, NULL, slow_reader, &p[0]), 0);
	assert_int_equal(gyve_write_all(p[1], data, sizeof(data)), 0);
	close(p[1]);
	pthread_join(reader, &total);
	assert_int_equal((size_t)total, sizeof(data));
	close(p[0]);
}

static void test_write_errors(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(gyve_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(gyve_write_all(-1, "x", 0), 0);
	assert_int_equal(pipe(p), 0);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(gyve_write_all(p[1], "x", 1), -EPIPE);
	close(p[1]);
}

static void test_file_map(void **state)
{
	char path[] = "/tmp/gyve_test_base.XXXXXX";
	int fd = mkstemp(path);
	struct gyve_err err;
	const uint8_t *data;
	size_t size;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(gyve_file_map(path, &data, &size, &err), 0);
	assert_null(data);
	assert_int_equal(size, 0);
	gyve_file_unmap(data, size);
	assert_int_equal(gyve_write_all(fd, "twelve bytes", 12), 0);
	close(fd);
	assert_int_equal(gyve_file_map(path, &data, &size, &err), 0);
	assert_int_equal(size, 12);
	assert_memory_equal(data, "twelve bytes", 12);
	gyve_file_unmap(data, size);
	unlink(path);
	data = (const uint8_t *)path;
	assert_int_equal(gyve_file_map(path, &data, &size, &err), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_non_null(strstr(err.text, path));
	assert_ptr_equal(data, path); /* untouched on failure */
	assert_int_equal(gyve_file_map("/", &data, &size, &err), -EINVAL);
	assert_int_equal(gyve_file_map("/dev/null", &data, &size, NULL), -EINVAL);
}

/* A FIFO that nobody writes must be refused, not waited for. */
static void test_file_map_of_a_fifo(void **state)
{
	char dir[] = "/tmp/gyve_test_base.XXXXXX", path[64];
	struct gyve_err err;
	const uint8_t *data;
	size_t size;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(5);
	assert_int_equal(gyve_file_map(path, &data, &size, &err), -EINVAL);
	alarm(0);
	unlink(path);
	rmdir(dir);
}

static void test_bytes(void **state)
{
	uint8_t b[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};

	(void)state;
	assert_int_equal(get_le16(b + 1), 0x201);
	assert_int_equal(get_le32(b + 1), 0x4030201);
	assert_true(get_le64(b + 1) == 0x807060504030201);
	put_le32(b + 3, 0xa1b2c3d4);
	assert_memory_equal(b, "\0\1\2\xd4\xc3\xb2\xa1\7\10", 9);
	assert_int_equal(align_up(0x1001, 0x1000), 0x2000);
	assert_int_equal(align_up(0x1000, 0x1000), 0x1000);
	assert_int_equal(align_down(0x1fff, 0x1000), 0x1000);
}

static char *handed_out(void)
{
	_cleanup_free_ char *p = strdup("kept");
	return_ptr(p);
}

static void test_cleanup(void **state)
{
	char *p = handed_out();
	int fd;

	(void)state;
	assert_string_equal(p, "kept");
	free(p);
	{
		_cleanup_close_ int inner = dup(STDERR_FILENO);
		fd = inner;
		assert_true(fd >= 0);
	}
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_set),    cmocka_unit_test(test_err_is_cut_at_its_size),
		cmocka_unit_test(test_err_prefix), cmocka_unit_test(test_log_configure),
		cmocka_unit_test(test_log_rust),   cmocka_unit_test(test_log_emit),
		cmocka_unit_test(test_write_all),  cmocka_unit_test(test_write_errors),
		cmocka_unit_test(test_file_map),   cmocka_unit_test(test_file_map_of_a_fifo),
		cmocka_unit_test(test_bytes),      cmocka_unit_test(test_cleanup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
