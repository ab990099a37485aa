/* The breakpoint book's index against an array that is searched from its beginning. */
#include "unit.h"

#include "../../src/vmm/addr_index.h"

#include <stdbool.h>
#include <stdio.h>

enum { MAX = 3000, KEYS = 200 };

static uint64_t keys[MAX];
static size_t n;

static uint64_t key_of(const void *ctx, size_t pos)
{
	assert_ptr_equal(ctx, keys);
	assert_true(pos < n);
	return keys[pos];
}

static uint32_t random_number(void)
{
	static uint32_t seed = 7;

	return (seed = seed * 1103515245 + 12345) >> 8;
}

/* Each position of this key once, and nothing else of it. */
static void check(const struct addr_index *x, uint64_t key)
{
	static bool seen[MAX];
	size_t at = SIZE_MAX, pos, found = 0, want = 0;

	memset(seen, 0, sizeof(seen));
	while ((pos = addr_index_next(x, key, &at)) != SIZE_MAX) {
		assert_true(pos < n);
		if (keys[pos] != key)
			continue;
		assert_false(seen[pos]);
		seen[pos] = true;
		found++;
	}
	for (size_t i = 0; i < n; i++)
		want += keys[i] == key;
	assert_int_equal(found, want);
}

static void test_random(void **state)
{
	struct addr_index x = {0};

	(void)state;
	check(&x, 5);
	for (int round = 0; round < 20000; round++) {
		bool grow = n == 0 || (n < MAX && random_number() % 100 < (round / 4000 % 2 ? 30 : 70));
		if (grow) {
			assert_int_equal(addr_index_reserve(&x, n, key_of, keys), 0);
			keys[n] = (random_number() % KEYS) * 0x1000;
			addr_index_add(&x, keys[n], n);
			n++;
		} else { /* the last one takes its place */
			size_t pos = random_number() % n, last = --n;
			addr_index_remove(&x, keys[pos], pos);
			if (pos != last) {
				keys[pos] = keys[last];
				addr_index_move(&x, keys[pos], last, pos);
			}
		}
		assert_true(x.used * 4 <= x.cap * 3);
		if (round % 10 == 0)
			check(&x, (random_number() % KEYS) * 0x1000);
	}
	addr_index_clear(&x);
	n = 0;
	check(&x, 0x1000);
	addr_index_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests_name("addr_index", tests, NULL, NULL);
}
