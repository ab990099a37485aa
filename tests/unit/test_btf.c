/* BTF: types written here by hand. */
#include "unit.h"

#include "gyve/btf.h"

#include "../../src/base/bytes.h"

static uint8_t blob[4096];
static size_t types_len, names_len;
static uint8_t types[2048];
static char names[1024];

static void u32(uint32_t v)
{
	put_le32(types + types_len, v);
	types_len += 4;
}

static uint32_t named(const char *s)
{
	size_t at = names_len;

	memcpy(names + at, s, strlen(s) + 1);
	names_len += strlen(s) + 1;
	return (uint32_t)at;
}

static void type(const char *name, unsigned kind, unsigned vlen, bool flag, uint32_t size)
{
	u32(*name ? named(name) : 0);
	u32(kind << 24 | vlen | (uint32_t)flag << 31);
	u32(size);
}

static void member(const char *name, uint32_t id, uint32_t at)
{
	u32(*name ? named(name) : 0);
	u32(id);
	u32(at);
}

enum { INT = 1, PTR, ARRAY, STRUCT, UNION, TYPEDEF = 8, CONST = 10 };

static size_t finish(void)
{
	put_le16(blob, 0xeb9f);
	blob[2] = 1;
	put_le32(blob + 4, 24);
	put_le32(blob + 8, 0);
	put_le32(blob + 12, (uint32_t)types_len);
	put_le32(blob + 16, (uint32_t)types_len);
	put_le32(blob + 20, (uint32_t)names_len);
	memcpy(blob + 24, types, types_len);
	memcpy(blob + 24 + types_len, names, names_len);
	return 24 + types_len + names_len;
}

static size_t sample(void)
{
	types_len = 0;
	names_len = 1;
	type("int", INT, 0, false, 4);
	u32(32);
	type("", PTR, 0, false, 1);   /* 2: int * */
	type("", ARRAY, 0, false, 0); /* 3: int [16] */
	u32(1), u32(1), u32(16);
	type("inner", STRUCT, 2, false, 16); /* 4 */
	member("a", 1, 0);
	member("b", 2, 64);
	type("", UNION, 2, false, 16); /* 5: unnamed */
	member("one", 1, 0);
	member("two", 4, 0);
	type("task", STRUCT, 4, true, 100); /* 6 */
	member("bits", 1, 3u << 24 | 5);
	member("", 5, 64);
	member("list", 3, 256);
	member("sub", 7, 768);
	type("inner_t", TYPEDEF, 0, false, 8); /* 7 */
	type("", CONST, 0, false, 4);          /* 8: const struct inner */
	return finish();
}

static void test_members(void **state)
{
	struct gyve_member m;
	struct gyve_err err = {0};
	struct gyve_btf *b;
	uint64_t size;

	(void)state;
	assert_int_equal(gyve_btf_create(&b, blob, sample(), &err), 0);
	assert_int_equal(gyve_btf_size(b, "task", &size), 0);
	assert_int_equal(size, 100);
	assert_int_equal(gyve_btf_size(b, "inner_t", &size), 0);
	assert_int_equal(size, 16);
	assert_int_equal(gyve_btf_size(b, "nothing", &size), -ENOENT);
	assert_int_equal(gyve_btf_member(b, "task", "list", &m), 0);
	assert_int_equal(m.offset, 32);
	assert_int_equal(m.size, 64);
	assert_int_equal(gyve_btf_member(b, "task", "two.b", &m), 0); /* through the unnamed union */
	assert_int_equal(m.offset, 16);
	assert_int_equal(m.size, 8);
	assert_int_equal(gyve_btf_member(b, "task", "sub.b", &m), 0); /* through typedef and const */
	assert_int_equal(m.offset, 104);
	assert_int_equal(gyve_btf_member(b, "task", "bits", &m), 0);
	assert_int_equal(m.offset, 0);
	assert_int_equal(gyve_btf_member(b, "task", "sub.c", &m), -ENOENT);
	assert_int_equal(gyve_btf_member(b, "task", "list.x", &m), -ENOENT);
	assert_int_equal(gyve_btf_member(b, "task", "", &m), -ENOENT);
	assert_int_equal(gyve_btf_member(b, "int", "a", &m), -ENOENT);
	gyve_btf_destroy(b);
}

/* Every beginning of it, and every byte of it wrong: refused or read, never more. */
static void test_damaged(void **state)
{
	struct gyve_member m;
	struct gyve_err err = {0};
	struct gyve_btf *b;
	size_t size = sample();

	(void)state;
	for (size_t n = 0; n < size; n++) {
		assert_true(gyve_btf_create(&b, blob, n, &err) < 0);
		assert_null(b);
	}
	for (size_t i = 0; i < 8 * size; i++) {
		blob[i / 8] ^= (uint8_t)(1 << i % 8);
		if (gyve_btf_create(&b, blob, size, &err) == 0) {
			gyve_btf_member(b, "task", "two.b", &m);
			gyve_btf_destroy(b);
		}
		blob[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

/* Unions that hold each other many times over end soon. */
static void test_endless(void **state)
{
	struct gyve_member m;
	struct gyve_err err = {0};
	struct gyve_btf *b;

	(void)state;
	types_len = 0;
	names_len = 1;
	type("outer", UNION, 60, false, 8);
	for (unsigned i = 0; i < 60; i++)
		member("", 2, 0);
	type("", UNION, 60, false, 8);
	for (unsigned i = 0; i < 60; i++)
		member("", 2, 0);
	assert_int_equal(gyve_btf_create(&b, blob, finish(), &err), 0);
	assert_int_equal(gyve_btf_member(b, "outer", "x", &m), -ENOENT);
	gyve_btf_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_endless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
