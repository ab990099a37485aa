#include "unit.h"

#include "../../src/backend/kvm/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "gyve probe 1, boot x"

static void test_round_trip(void **state)
{
	struct gyve_host_caps c = {.hw_bps = 4, .no_sw_bp = true, .absent_exits = true}, d = {.hw_bps = 7};
	char text[1024];

	(void)state;
	size_t n = probe_cache_format(text, sizeof(text), KEY, &c);
	assert_true(n == strlen(text));
	assert_true(probe_cache_parse(text, n, KEY, &d));
	assert_true(d.no_sw_bp && d.absent_exits && !d.readonly_exits && !d.emulates);
	assert_int_equal(d.hw_bps, 7); /* asked for, not cached */
}

/* Of another boot, cut short, with something behind it, with any byte changed: not used. */
static void test_refused(void **state)
{
	struct gyve_host_caps c = {.no_hw_bp = true}, d = {.hw_bps = 7};
	const struct gyve_host_caps before = d;
	char text[1024];

	(void)state;
	size_t n = probe_cache_format(text, sizeof(text), KEY, &c);
	assert_false(probe_cache_parse(text, n, KEY "y", &d));
	for (size_t i = 0; i < n; i++) {
		assert_false(probe_cache_parse(text, i, KEY, &d));
		char was = text[i];
		text[i] = '2';
		assert_false(probe_cache_parse(text, n, KEY, &d));
		text[i] = was;
	}
	text[n] = '\n';
	assert_false(probe_cache_parse(text, n + 1, KEY, &d));
	assert_memory_equal(&d, &before, sizeof(d));
}

/* Through the file; where there is no /dev/kvm nothing is kept. */
static void test_file(void **state)
{
	struct gyve_host_caps c = {.emulates = true}, d = {0};
	char dir[] = "/tmp/test_probe_cache.XXXXXX", path[64];
	struct stat st;

	(void)state;
	if (stat("/dev/kvm", &st) < 0)
		skip();
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a/b", dir);
	setenv("XDG_CACHE_HOME", path, 1);
	assert_false(probe_cache_load(&d));
	probe_cache_store(&c);
	assert_true(probe_cache_load(&d));
	assert_true(d.emulates);
	snprintf(path, sizeof(path), "%s/a/b/gyve/probe", dir);
	assert_int_equal(truncate(path, 5), 0);
	assert_false(probe_cache_load(&d));
	unlink(path);
	mkdir(path, 0700); /* in the way */
	probe_cache_store(&c);
	assert_false(probe_cache_load(&d));
	for (size_t n = strlen(path); n > strlen(dir) - 1; n = (size_t)(strrchr(path, '/') - path), path[n] = '\0')
		rmdir(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
