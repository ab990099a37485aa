#include "unit.h"

#include "../../src/base/toml.h"

static struct toml *parse(const char *text)
{
	struct gyve_err err = {0};
	struct toml *t = NULL;

	if (toml_parse(&t, text, strlen(text), &err) < 0)
		fail_msg("%s", err.text);
	return t;
}

static void refused(const char *text, const char *why)
{
	struct gyve_err err = {0};
	struct toml *t = NULL;

	assert_int_equal(toml_parse(&t, text, strlen(text), &err), -EINVAL);
	if (!strstr(err.text, why))
		fail_msg("'%s' is not about %s", err.text, why);
}

static void test_scalars(void **state)
{
	struct toml *t = parse("s = \"a\\u00e9\\n\" # comment\r\nl = 'C:\\x'\nn = -1_000\nh = 0xFf\nf = 6.5e-1\nb = true\n"
			       "d = 1979-05-27 07:32:00.5Z\nm = \"\"\"\nx\\\n   y\"\"\"\"\n\"a key\" = 1\n");

	(void)state;
	assert_string_equal(toml_get(t, "s")->text, "a\xc3\xa9\n");
	assert_string_equal(toml_get(t, "l")->text, "C:\\x");
	assert_true(toml_get(t, "n")->i == -1000 && toml_get(t, "h")->i == 255 && toml_get(t, "f")->f == 0.65);
	assert_true(toml_get(t, "b")->type == TOML_BOOL && toml_get(t, "b")->b);
	assert_int_equal(toml_get(t, "d")->type, TOML_DATETIME);
	assert_string_equal(toml_get(t, "m")->text, "xy\"");
	assert_int_equal(toml_get(t, "m")->line, 8);
	assert_int_equal(toml_get(t, "a key")->i, 1);
	assert_null(toml_get(t, "none"));
	assert_null(toml_get(toml_get(t, "s"), "none"));
	toml_free(t);
}

static void test_tables(void **state)
{
	struct toml *t = parse("a.b = 1\n[memory]\nsize = \"1GiB\"\n[x.y]\nz = {k = [1, {q.r = 2}, ], 'e' = 3}\n[x]\n"
			       "[[arr]]\nn = 1\n[[arr]]\nn = 2\n[arr.sub]\n");

	(void)state;
	assert_int_equal(toml_get(toml_get(t, "a"), "b")->i, 1);
	assert_string_equal(toml_get(toml_get(t, "memory"), "size")->text, "1GiB");
	const struct toml *k = toml_get(toml_get(toml_get(toml_get(t, "x"), "y"), "z"), "k");
	assert_int_equal(k->type, TOML_ARRAY);
	assert_int_equal(toml_get(toml_get(k->child->next, "q"), "r")->i, 2);
	const struct toml *arr = toml_get(t, "arr");
	assert_int_equal(toml_get(arr->child, "n")->i, 1);
	assert_int_equal(toml_get(arr->child->next, "n")->i, 2);
	assert_non_null(toml_get(arr->last, "sub"));
	toml_free(t);
}

static void test_refused(void **state)
{
	char deep[300];

	(void)state;
	refused("a = 1\na = 2\n", "line 2");
	refused("a = -0x0\n", "no number");
	refused("a = 01\n", "no value");
	refused("a = yes\n", "quotes");
	refused("a = 99999999999999999999\n", "64 bits");
	refused("a = \"x\ny\"\n", "line");
	refused("a = \"\\q\"", "escape");
	refused("a = \"\\ud800\"", "Unicode");
	refused("a = 2023-02-29\n", "date");
	refused("a = {b = 1,}\n", "key");
	refused("a = {b = 1}\n[a.c]\n", "inline");
	refused("a.b = 1\n[a]\n", "defined");
	refused("[a]\n[a]\n", "defined");
	refused("[[a]]\n[a]\n", "defined");
	refused("a = [1]\n[[a]]\n", "something else");
	refused("a 1\n", "=");
	refused("a = 1 b = 2\n", "follows");
	refused("a = \"\xff\"\n", "UTF-8");
	refused("a = # nothing\n", "missing");
	refused("= 1\n", "key");
	refused("# \x01\n", "control");
	memset(deep, '[', sizeof(deep));
	memcpy(deep, "a = ", 4);
	deep[sizeof(deep) - 1] = '\0';
	refused(deep, "deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
