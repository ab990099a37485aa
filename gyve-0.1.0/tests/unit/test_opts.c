#include "unit.h"

#include "../../src/cli/opts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t size; /* 0: refused */
	} table[] = {
		{"10", 10},
		{"10B", 10},
		{"16MiB", 16 << 20},
		{"1GiB", 1 << 30},
		{"64M", 64000000},
		{"64MB", 64000000},
		{"2KiB", 2048},
		{"1TiB", 1ull << 40},
		{"", 0},
		{"MiB", 0},
		{"0", 0},
		{"64b", 0},
		{"64mib", 0},
		{"-1", 0},
		{"1 GiB", 0},
		{"1GiBx", 0},
		{"99999999999999999999", 0},
		{"99999999999TiB", 0},
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(table); i++) {
		int ret = gyve_size_parse(&v, table[i].text, NULL);
		assert_int_equal(ret, table[i].size ? 0 : -EINVAL);
		if (ret == 0)
			assert_true(v == table[i].size);
	}
}

static void check_tcp(const char *spec, const char *host, const char *port)
{
	struct gyve_listen l;

	assert_int_equal(gyve_listen_parse(&l, spec, NULL), 0);
	assert_int_equal(l.kind, GYVE_LISTEN_TCP);
	assert_string_equal(l.host, host);
	assert_string_equal(l.port, port);
}

static void test_listen(void **state)
{
	static const char *const bad[] = {"unix:", "tty:", "host", "1.2.3.4:", "65536", ":x", "12 34", "+5", "a:-1", "999999"};
	struct gyve_listen l;
	char long_path[200] = "unix:";

	(void)state;
	check_tcp(NULL, "127.0.0.1", "6677");
	check_tcp("", "127.0.0.1", "6677");
	check_tcp("1234", "127.0.0.1", "1234");
	check_tcp(":1234", "127.0.0.1", "1234");
	check_tcp("0.0.0.0:1", "0.0.0.0", "1");
	check_tcp("[::1]:9", "::1", "9");
	check_tcp("0", "127.0.0.1", "0");
	assert_int_equal(gyve_listen_parse(&l, "stdio", NULL), 0);
	assert_int_equal(l.kind, GYVE_LISTEN_STDIO);
	assert_int_equal(gyve_listen_parse(&l, "unix:/x/y:1", NULL), 0);
	assert_int_equal(l.kind, GYVE_LISTEN_UNIX);
	assert_string_equal(l.path, "/x/y:1");
	assert_int_equal(gyve_listen_parse(&l, "tty:/dev/ttyS1", NULL), 0);
	assert_int_equal(l.kind, GYVE_LISTEN_TTY);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad); i++)
		assert_int_equal(gyve_listen_parse(&l, bad[i], NULL), -EINVAL);
	memset(long_path + 5, 'a', sizeof(long_path) - 6);
	assert_int_equal(gyve_listen_parse(&l, long_path, NULL), -EINVAL);
}

#define PARSE(...)                                                                 \
	({                                                                         \
		static const char *argv[] = {"run", __VA_ARGS__, NULL};            \
		gyve_opts_parse(&o, GYVE_ARRAY_SIZE(argv) - 1, (char **)argv, &e); \
	})

static void test_options(void **state)
{
	struct gyve_opts o;
	struct gyve_err e;

	(void)state;
	assert_int_equal(
		PARSE("-m", "1GiB", "-c4", "--gdb=unix:/tmp/s,nowait", "-e", "A=1", "--env-vars=B=2", "img", "--", "x", "--"),
		0);
	assert_true(o.mem_size == 1 << 30 && o.mem_size_given && o.ncpus == 4 && o.gdb && o.nowait && o.aslr);
	assert_int_equal(o.listen.kind, GYVE_LISTEN_UNIX);
	assert_string_equal(o.listen.path, "/tmp/s");
	assert_string_equal(o.env[1], "B=2");
	assert_null(o.env[2]);
	assert_string_equal(o.image, "img");
	assert_string_equal(o.args[0], "x");
	assert_string_equal(o.args[1], "--");
	assert_null(o.args[2]);
	gyve_opts_deinit(&o);

	assert_int_equal(PARSE("--gdb", "img", "-m", "7"), 0);
	assert_true(o.gdb && !o.nowait && !o.mem_size_given && o.mem_size == 64 << 20);
	assert_string_equal(o.args[0], "-m");
	gyve_opts_deinit(&o);

	assert_int_equal(PARSE("-s", "1234", "--no-aslr", "img"), 0);
	assert_true(o.gdb && !o.aslr);
	assert_string_equal(o.listen.port, "1234");
	gyve_opts_deinit(&o);

	assert_int_equal(PARSE("--break-strategy=step", "--watch-strategy", "page", "--no-probe-cache", "img"), 0);
	assert_int_equal(o.break_strategy, GYVE_BREAK_STEP);
	assert_int_equal(o.watch_strategy, GYVE_WATCH_PAGE);
	assert_true(o.no_probe_cache);
	gyve_opts_deinit(&o);

	assert_int_equal(PARSE("-s", "img"), 0);
	assert_string_equal(o.listen.port, "6677");
	assert_string_equal(o.image, "img");
	gyve_opts_deinit(&o);
}

static void test_options_refused(void **state)
{
	struct gyve_opts o;
	struct gyve_err e = {0};

	(void)state;
	assert_int_equal(PARSE("--nonsense", "img"), -EINVAL);
	assert_non_null(strstr(e.text, "--nonsense"));
	assert_int_equal(PARSE("-c", "0", "img"), -EINVAL);
	assert_int_equal(PARSE("-m"), -EINVAL);
	assert_int_equal(PARSE("--stats=yes", "img"), -EINVAL);
	assert_int_equal(PARSE("-e", "NOEQ", "img"), -EINVAL);
	assert_int_equal(PARSE("-x"), -EINVAL);
	assert_int_equal(PARSE("--gdb=nowhere", "img"), -EINVAL);
	assert_int_equal(PARSE("--watch-strategy=native", "img"), -EINVAL);
	assert_non_null(strstr(e.text, "auto, debug-register, page, step"));
}

static void test_environment(void **state)
{
	struct gyve_opts o;
	struct gyve_err e = {0};

	(void)state;
	setenv("HERMIT_CPU_COUNT", "3", 1);
	setenv("HERMIT_MEMORY_SIZE", "32MiB", 1);
	assert_int_equal(PARSE("-m", "16MiB", "img"), 0);
	assert_true(o.ncpus == 3 && o.mem_size == 16 << 20);
	gyve_opts_deinit(&o);
	setenv("HERMIT_CPU_COUNT", "three", 1);
	assert_int_equal(PARSE("img"), -EINVAL);
	assert_non_null(strstr(e.text, "HERMIT_CPU_COUNT"));
	unsetenv("HERMIT_CPU_COUNT");
	unsetenv("HERMIT_MEMORY_SIZE");
}

static void write_config(const char *text)
{
	FILE *f = fopen("test_opts.toml", "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Command line, environment, file: in this order, key by key. */
static void test_config(void **state)
{
	struct gyve_opts o;
	struct gyve_err e = {0};

	(void)state;
	write_config("[uhyve]\nstats = true\noutput = \"none\"\ngdb_port = 1234\nunknown = 1\n"
		     "[memory]\nmemory_size = \"32MiB\"\nno_aslr = true\nthp = true\nksm = false\n"
		     "[cpu]\ncpu_count = 2\npit = true\naffinity = [0, 0]\n"
		     "[guest]\nenv_vars = [\"A=file\", \"B=file\"]\n[gyve]\nstrict = true\n");
	setenv("HERMIT_CPU_COUNT", "3", 1);
	assert_int_equal(PARSE("--config=test_opts.toml", "-e", "A=1", "-e", "A=2", "-c", "2", "-s", "99", "img"), 0);
	assert_true(o.stats && !o.aslr && o.thp && !o.ksm && o.pit && !o.cpu_pm && o.strict);
	assert_true(o.mem_size == 32 << 20 && o.mem_size_given && o.ncpus == 2 && o.naffinity == 2);
	assert_string_equal(o.output, "none");
	assert_string_equal(o.listen.port, "99");
	assert_string_equal(o.env[0], "A=2");
	assert_string_equal(o.env[1], "B=file");
	assert_null(o.env[2]);
	gyve_opts_deinit(&o);
	assert_int_equal(PARSE("--config=test_opts.toml", "img"), -EINVAL); /* 3 vCPUs, 2 CPUs */
	assert_non_null(strstr(e.text, "--affinity"));
	unsetenv("HERMIT_CPU_COUNT");
	setenv("GYVE_CONFIG", "test_opts.toml", 1);
	assert_int_equal(PARSE("img"), 0);
	assert_true(o.ncpus == 2 && o.gdb);
	gyve_opts_deinit(&o);
	write_config("[memory]\nmemory_size = true\n");
	assert_int_equal(PARSE("img"), -EINVAL);
	assert_non_null(strstr(e.text, "memory.memory_size"));
	write_config("[memory]\nthp = \"yes\"\n");
	assert_int_equal(PARSE("img"), -EINVAL);
	write_config("[memory\n");
	assert_int_equal(PARSE("img"), -EINVAL);
	assert_non_null(strstr(e.text, "test_opts.toml: line 1"));
	unlink("test_opts.toml");
	assert_int_equal(PARSE("img"), -EINVAL);
	unsetenv("GYVE_CONFIG");
}

static void test_affinity(void **state)
{
	static const char *const bad[] = {"", "a", "1-", "2-1", "1,,x", "99999999999999", "-1", "0-1000000"};
	struct gyve_opts o;
	struct gyve_err e = {0};

	(void)state;
	assert_int_equal(PARSE("-c2", "-a", "0 0", "img"), 0);
	assert_true(o.naffinity == 2 && o.affinity[1] == 0);
	gyve_opts_deinit(&o);
	assert_int_equal(PARSE("-c2", "-a", "0", "img"), -EINVAL);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad); i++) {
		const char *argv[] = {"run", "-a", bad[i], "img", NULL};
		assert_int_equal(gyve_opts_parse(&o, 4, (char **)argv, &e), -EINVAL);
	}
}

static void test_variables(void **state)
{
	struct gyve_opts o;
	struct gyve_err e = {0};

	(void)state;
	setenv("GYVE_STATS", "yes", 1);
	setenv("GYVE_NO_ASLR", "0", 1);
	setenv("GYVE_MEMORY_SIZE", "16MiB", 1);
	setenv("HERMIT_MEMORY_SIZE", "32MiB", 1);
	setenv("GYVE_TEST_HOST", "x", 1);
	assert_int_equal(PARSE("-e", "host", "-e", "GYVE_TEST_HOST=y", "img"), 0);
	assert_true(o.stats && o.aslr && o.mem_size == 16 << 20);
	assert_string_equal(o.env[0], "GYVE_TEST_HOST=y");
	assert_non_null(o.env[1]);
	for (const char **v = o.env + 1; *v; v++)
		assert_true(strncmp(*v, "GYVE_TEST_HOST=", 15) != 0);
	gyve_opts_deinit(&o);
	setenv("GYVE_STATS", "perhaps", 1);
	assert_int_equal(PARSE("img"), -EINVAL);
	assert_non_null(strstr(e.text, "GYVE_STATS"));
	unsetenv("GYVE_STATS");
	unsetenv("GYVE_NO_ASLR");
	unsetenv("GYVE_MEMORY_SIZE");
	unsetenv("HERMIT_MEMORY_SIZE");
}

static void test_help(void **state)
{
	char name[64];

	(void)state;
	for (size_t i = 0; gyve_opts_name(i); i++) {
		snprintf(name, sizeof(name), "--%s", gyve_opts_name(i));
		assert_non_null(strstr(gyve_opts_help(), name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),           cmocka_unit_test(test_listen),      cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_refused), cmocka_unit_test(test_environment), cmocka_unit_test(test_config),
		cmocka_unit_test(test_affinity),        cmocka_unit_test(test_variables),   cmocka_unit_test(test_help),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
