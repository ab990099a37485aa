/* The search against the plainest loop there is. */
#include "unit.h"

#include "gyve/search.h"

#include <stdlib.h>

static uint8_t data[5000] __attribute__((aligned(64)));

static size_t slow(const struct gyve_search *s, size_t len, size_t from)
{
	for (size_t at = from; at + gyve_search_len(s) <= len; at++) {
		uint64_t v = 0;
		bool hit = true;
		if (s->width && at % s->width)
			continue;
		if (s->width) {
			memcpy(&v, data + at, s->width);
			hit = (v & s->vmask) >= s->lo && (v & s->vmask) <= s->hi;
		}
		for (size_t i = 0; i < s->len && hit; i++)
			hit = !((data[at + i] ^ s->bytes[i]) & s->mask[i]);
		if (hit)
			return at;
	}
	return len;
}

static void compare(const struct gyve_search *s)
{
	for (size_t len = 0; len <= sizeof(data); len += len < 200 ? 1 : 311) {
		size_t a = 0, b = 0;
		while (a < len) {
			a = gyve_search_next(s, data, len, a);
			b = slow(s, len, b);
			assert_int_equal(a, b);
			a++, b++;
		}
	}
}

static void test_against_slow(void **state)
{
	static const char *const hex[] = {
		"00", "01", "0001", "ff??01", "??", "00000000000000000001", "01??????????????????01", "7f45 4c46"};
	static const char *const numbers[] = {"0", "1-3", "0x100/0xff00", "0xfff0-0xffffffffffffffff", "5-4294967300"};
	struct gyve_search s;
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++) {
		x = x * 1103515245 + 12345;
		data[i] = x >> 16 & 7 ? 0 : (uint8_t)(x >> 24);
	}
	memcpy(data + 4000, "\x7f\x45\x4c\x46", 4);
	memcpy(data + sizeof(data) - 4, "\x7f\x45\x4c\x46", 4);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(hex); i++) {
		assert_int_equal(gyve_search_hex(&s, hex[i], NULL), 0);
		compare(&s);
	}
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(numbers); i++)
		for (unsigned w = 2; w <= 8; w *= 2) {
			assert_int_equal(gyve_search_number(&s, w, numbers[i], NULL), 0);
			compare(&s);
		}
	assert_int_equal(gyve_search_string(&s, "ELF", NULL), 0);
	compare(&s);
}

static void test_wrong_patterns(void **state)
{
	struct gyve_search s;
	struct gyve_err err;

	(void)state;
	assert_int_equal(gyve_search_hex(&s, "", &err), -EINVAL);
	assert_int_equal(gyve_search_hex(&s, "123", &err), -EINVAL);
	assert_int_equal(gyve_search_hex(&s, "zz", &err), -EINVAL);
	assert_int_equal(gyve_search_string(&s, "", &err), -EINVAL);
	assert_int_equal(gyve_search_number(&s, 4, "", &err), -EINVAL);
	assert_int_equal(gyve_search_number(&s, 4, "5-4", &err), -EINVAL);
	assert_int_equal(gyve_search_number(&s, 4, "5/", &err), -EINVAL);
	assert_int_equal(gyve_search_number(&s, 4, "5x", &err), -EINVAL);
	char text[600];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(gyve_search_string(&s, text, &err), -EINVAL);
	assert_int_equal(gyve_search_hex(&s, text, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_slow),
		cmocka_unit_test(test_wrong_patterns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
