/* Sessions of a client that does anything and goes at any time. GYVE_SESSIONS: how many random ones. */
#include "unit.h"

#include "../support/session_play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Goes on over breakpoints, all-stop and non-stop; gone behind any of its bytes. */
static void cut_everywhere(const char *const *bodies)
{
	char text[1000];
	size_t n = 0;

	for (; *bodies; bodies++) {
		uint8_t sum = 0;
		for (const char *c = *bodies; *c; c++)
			sum = (uint8_t)(sum + (uint8_t)*c);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "+$%s#%02x", *bodies, sum);
	}
	assert_true(n < sizeof(text));
	for (size_t len = 0; len <= n; len++)
		session_cut(text, len);
}

static void test_cut_all_stop(void **state)
{
	(void)state;
	cut_everywhere((const char *const[]){"Z0,200007,1", "vCont;c", "z0,200007,1", "Z2,200200,1", "vCont;s:2;c", NULL});
}

static void test_cut_non_stop(void **state)
{
	(void)state;
	cut_everywhere(
		(const char *const[]){"QNonStop:1", "Z0,200008,1", "vCont;c", "vStopped", "z0,200008,1", "vCont;t:2", NULL});
}

static void test_cut_extended(void **state)
{
	(void)state;
	cut_everywhere((const char *const[]){"!", "Z0,200007,1", "vRun;", "vCont;c", "vKill;1", "vRun;;61", "D;1", NULL});
}

static uint32_t draw(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	return *x ^= *x << 5;
}

static void test_random(void **state)
{
	const char *wish = getenv("GYVE_SESSIONS");
	unsigned count = wish ? (unsigned)atoi(wish) : 60, sent = 0;

	(void)state;
	for (unsigned i = 1; i <= count; i++) {
		uint32_t x = i * 2654435761u;
		uint8_t data[200];
		size_t n = 20 + draw(&x) % (sizeof(data) - 20);
		for (size_t k = 0; k < n; k++)
			data[k] = (uint8_t)(draw(&x) >> 8);
		sent += session_play(data, n);
	}
	assert_true(sent > count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_all_stop),
		cmocka_unit_test(test_cut_non_stop),
		cmocka_unit_test(test_cut_extended),
		cmocka_unit_test(test_random),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
