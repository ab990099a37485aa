/* Agent expressions: what is refused, and what the rest evaluates to. */
#include "unit.h"

#include "../../src/vmm/agent.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int read_reg(void *ctx, unsigned number, uint64_t *ret)
{
	(void)ctx;
	*ret = 1000 + number;
	return number < 16 ? 0 : -ENOENT;
}

/* Each byte of memory is its address's low one; nothing is above 4 GiB. */
static int read_mem(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)(addr + i);
	return addr >> 32 ? -EFAULT : 0;
}

static int eval(const char *code, size_t len, uint64_t *ret)
{
	const struct agent_env env = {.reg = read_reg, .read = read_mem};
	struct gyve_err err;
	int r = agent_check((const uint8_t *)code, len, 0, &err);

	return r < 0 ? r : agent_eval((const uint8_t *)code, len, &env, ret);
}
#define EVAL(code, ret) eval(code, sizeof(code) - 1, ret)
#define MINUS(n) ((uint64_t) - (n))

static void test_values(void **state)
{
	static const struct {
		const char *code;
		size_t len;
		uint64_t want;
	} cases[] = {
#define CASE(code, want) {code, sizeof(code) - 1, want}
		CASE("\x22\x07\x27", 7),
		CASE("\x23\x12\x34\x27", 0x1234),
		CASE("\x24\x01\x02\x03\x04\x27", 0x1020304),
		CASE("\x25\x01\x02\x03\x04\x05\x06\x07\x08\x27", 0x102030405060708),
		CASE("\x26\x00\x05\x27", 1005),
		CASE("\x22\x10\x22\x03\x03\x27", 13), /* sub */
		CASE("\x22\x03\x22\x10\x03\x27", MINUS(13)),
		CASE("\x22\x06\x22\x07\x04\x27", 42),                /* mul */
		CASE("\x22\xf9\x16\x08\x22\x02\x05\x27", MINUS(3)),  /* ext 8: -7; div_signed 2 */
		CASE("\x22\xf9\x16\x08\x22\x02\x07\x27", MINUS(1)),  /* rem_signed */
		CASE("\x22\x07\x22\x02\x06\x27", 3),                 /* div_unsigned */
		CASE("\x22\x01\x22\x3f\x09\x27", UINT64_C(1) << 63), /* lsh */
		CASE("\x22\x01\x22\x40\x09\x27", 0),
		CASE("\x22\x80\x16\x08\x22\x04\x0a\x27", MINUS(8)), /* rsh_signed */
		CASE("\x22\x80\x16\x08\x22\x3c\x0b\x27", 15),       /* rsh_unsigned */
		CASE("\x22\x00\x0e\x27", 1),                        /* log_not */
		CASE("\x22\x0c\x22\x0a\x0f\x27", 8),                /* bit_and, or, xor, not */
		CASE("\x22\x0c\x22\x0a\x10\x27", 14),
		CASE("\x22\x0c\x22\x0a\x11\x27", 6),
		CASE("\x22\x00\x12\x27", UINT64_MAX),
		CASE("\x22\x05\x22\x05\x13\x27", 1),              /* equal */
		CASE("\x22\xff\x16\x08\x22\x01\x14\x27", 1),      /* -1 less_signed 1 */
		CASE("\x22\xff\x16\x08\x22\x01\x15\x27", 0),      /* less_unsigned */
		CASE("\x24\xff\xff\xff\xff\x2a\x10\x27", 0xffff), /* zero_ext 16 */
		CASE("\x22\x40\x17\x27", 0x40),                   /* ref8, 16, 32, 64: little-endian memory */
		CASE("\x22\x40\x18\x27", 0x4140),
		CASE("\x22\x40\x19\x27", 0x43424140),
		CASE("\x22\x40\x1a\x27", 0x4746454443424140),
		CASE("\x22\x01\x20\x00\x08\x22\x63\x27\x22\x07\x27", 7), /* if_goto taken */
		CASE("\x22\x00\x20\x00\x08\x22\x63\x27\x22\x07\x27", 99),
		CASE("\x21\x00\x06\x22\x01\x27\x22\x02\x27", 2),     /* goto */
		CASE("\x22\x05\x28\x02\x27", 10),                    /* dup, add */
		CASE("\x22\x05\x22\x06\x29\x27", 5),                 /* pop */
		CASE("\x22\x05\x22\x06\x2b\x03\x27", 1),             /* swap, sub: 6 - 5 */
		CASE("\x22\x01\x22\x02\x22\x03\x32\x02\x27", 1),     /* pick 2 */
		CASE("\x22\x01\x22\x02\x22\x03\x33\x03\x03\x27", 4), /* rot: 3 1 2; 3 - (1 - 2) */
		CASE("\x22\x09", 9),                                 /* the end of the bytes ends it, too */
	};
	uint64_t got;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(cases); i++) {
		got = 0xdead;
		assert_int_equal(eval(cases[i].code, cases[i].len, &got), 0);
		if (got != cases[i].want)
			fail_msg("case %zu: %llx, not %llx", i, (unsigned long long)got, (unsigned long long)cases[i].want);
	}
}

static void test_refused(void **state)
{
	uint64_t got;

	(void)state;
	assert_int_equal(EVAL("", &got), -EINVAL);
	assert_int_equal(EVAL("\x00\x27", &got), -EINVAL);
	assert_int_equal(EVAL("\x01\x27", &got), -EINVAL);                 /* float */
	assert_int_equal(EVAL("\x22\x01\x22\x01\x0c\x27", &got), -EINVAL); /* trace */
	assert_int_equal(EVAL("\x2c\x00\x01\x27", &got), -EINVAL);         /* getv */
	assert_int_equal(EVAL("\x34\x00\x27", &got), -EINVAL);             /* printf */
	assert_int_equal(EVAL("\xff\x27", &got), -EINVAL);
	assert_int_equal(EVAL("\x25\x01\x02", &got), -EINVAL); /* cut short */
	assert_int_equal(EVAL("\x26\x00", &got), -EINVAL);
	assert_int_equal(EVAL("\x21\x00\x09\x27", &got), -EINVAL);         /* outside */
	assert_int_equal(EVAL("\x21\x00\x04\x22\x01\x27", &got), -EINVAL); /* into an operand */
}

static void test_fails(void **state)
{
	uint64_t got;

	(void)state;
	assert_int_equal(EVAL("\x27", &got), -EOVERFLOW); /* nothing on the stack */
	assert_int_equal(EVAL("\x22\x01\x02\x27", &got), -EOVERFLOW);
	assert_int_equal(EVAL("\x22\x01\x32\x01\x27", &got), -EOVERFLOW);
	assert_int_equal(EVAL("\x22\x01\x21\x00\x00", &got), -EOVERFLOW); /* pushes for ever */
	assert_int_equal(EVAL("\x21\x00\x00", &got), -ELOOP);
	assert_int_equal(EVAL("\x22\x01\x22\x00\x05\x27", &got), -EDOM);
	assert_int_equal(EVAL("\x22\x01\x22\x00\x08\x27", &got), -EDOM);
	assert_int_equal(EVAL("\x25\x01\x00\x00\x00\x00\x00\x00\x00\x17\x27", &got), -EFAULT);
	assert_int_equal(EVAL("\x26\x00\x99\x27", &got), -ENOENT);
	/* the most negative number by -1 has no quotient, and is no reason to die */
	assert_int_equal(EVAL("\x22\x01\x22\x3f\x09\x22\xff\x16\x08\x05\x27", &got), 0);
	assert_int_equal(EVAL("\x22\x01\x22\x3f\x09\x22\xff\x16\x08\x07\x27", &got), 0);
}

/* --- effects */

static char done[400];

static int note(const char *fmt, ...)
{
	size_t n = strlen(done);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(done + n, sizeof(done) - n, fmt, ap);
	va_end(ap);
	return 0;
}

static int var_get(void *ctx, unsigned number, uint64_t *ret)
{
	(void)ctx;
	*ret = number + 100;
	return number < 8 ? 0 : -ENOENT;
}

static int var_set(void *ctx, unsigned number, uint64_t value)
{
	(void)ctx;
	return note("set %u %llu;", number, (unsigned long long)value);
}

static int trace(void *ctx, uint64_t addr, uint64_t len)
{
	(void)ctx;
	return note("mem %llx %llu;", (unsigned long long)addr, (unsigned long long)len);
}

static int trace_string(void *ctx, uint64_t addr, uint64_t len)
{
	(void)ctx;
	return note("str %llx %llu;", (unsigned long long)addr, (unsigned long long)len);
}

static int trace_var(void *ctx, unsigned number)
{
	(void)ctx;
	return note("var %u;", number);
}

static int print(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	return note("%.*s", (int)len, text);
}

static int read_text(void *ctx, uint64_t addr, void *buf, size_t len)
{
	static const char text[] = "Beagle";

	(void)ctx;
	if (addr < 0x1000 || addr - 0x1000 + len > sizeof(text))
		return -EFAULT;
	memcpy(buf, text + (addr - 0x1000), len);
	return 0;
}

static int carry_out(const char *code, size_t len)
{
	const struct agent_env env = {.reg = read_reg,
				      .read = read_text,
				      .var_get = var_get,
				      .var_set = var_set,
				      .trace = trace,
				      .trace_string = trace_string,
				      .trace_var = trace_var,
				      .print = print};
	struct gyve_err err;
	int r = agent_check((const uint8_t *)code, len, AGENT_VARS | AGENT_TRACE | AGENT_PRINT, &err);

	done[0] = '\0';
	return r < 0 ? r : agent_eval((const uint8_t *)code, len, &env, NULL);
}
#define CARRY_OUT(code) carry_out(code, sizeof(code) - 1)

static void test_effects(void **state)
{
	(void)state;
	assert_int_equal(CARRY_OUT("\x27"), 0);
	assert_int_equal(CARRY_OUT("\x2c\x00\x02\x2d\x00\x03\x2e\x00\x04\x27"), 0);
	assert_string_equal(done, "set 3 102;var 4;");
	assert_int_equal(CARRY_OUT("\x22\x40\x22\x08\x0c\x22\x50\x0d\x04\x30\x01\x00\x22\x09\x2f\x27"), 0);
	assert_string_equal(done, "mem 40 8;mem 50 4;mem 50 256;str 50 9;");
	assert_int_equal(CARRY_OUT("\x2c\x00\x09\x27"), -ENOENT);
	assert_int_equal(CARRY_OUT("\x2d\x00\x01\x27"), -EOVERFLOW);
	assert_int_equal(CARRY_OUT("\x0c\x27"), -EOVERFLOW);
}

static void check_print(const char *format, unsigned nargs, const uint64_t *args, const char *want)
{
	char code[400];
	size_t n = 0, len = strlen(format) + 1;

	for (unsigned i = nargs; i-- > 0;) {
		code[n++] = 0x25;
		for (int k = 7; k >= 0; k--)
			code[n++] = (char)(args[i] >> 8 * k);
	}
	memcpy(code + n, "\x22\x00\x22\x00\x34", 5); /* channel, function */
	n += 5;
	code[n++] = (char)nargs;
	code[n++] = (char)(len >> 8);
	code[n++] = (char)len;
	memcpy(code + n, format, len);
	n += len;
	code[n++] = 0x27;
	assert_int_equal(carry_out(code, n), want ? 0 : -EINVAL);
	if (want)
		assert_string_equal(done, want);
}
#define PRINT(format, want, ...) \
	check_print(format, sizeof((uint64_t[]){0, ##__VA_ARGS__}) / 8 - 1, (uint64_t[]){0, ##__VA_ARGS__} + 1, want)

static void test_printf(void **state)
{
	(void)state;
	PRINT("plain\\n", "plain\n");
	PRINT("100%% \\101\\t\\\\ \\\"x\\\"\\", "100% A\t\\ \"x\"\\");
	PRINT("%d %u %x %lx %c|", "-2 4294967294 fffffffe fffffffffffffffe A|", MINUS(2), MINUS(2), MINUS(2), MINUS(2), 'A');
	PRINT("%hhd %hu %5d|%-5d|%05d|%+d %#x %.3d", "-1 65535    42|42   |00042|+42 0x2a 042", 255, 0x1ffff, 42, 42, 42, 42,
	      42, 42);
	PRINT("%s|%8s|%-8s|%.3s|%p", "Beagle|  Beagle|Beagle  |Bea|0x1000", 0x1000, 0x1000, 0x1000, 0x1000, 0x1000);
	PRINT("%s %s", "(null) ", 0, 0x9999); /* nothing can be read there */
	PRINT("%lld %zd %jd", "-1 -1 -1", MINUS(1), MINUS(1), MINUS(1));
	PRINT("%d", NULL); /* not so many values */
	PRINT("", NULL, 1);
	PRINT("%n", NULL, 0x1000);
	PRINT("%f", NULL, 1);
	PRINT("%*d", NULL, 1, 2);
	PRINT("%ls", NULL, 0x1000);
	PRINT("%99999999999d", NULL, 1);
	PRINT("%", NULL);
	assert_int_equal(CARRY_OUT("\x34\x00\x00\x05no\x00"), -EINVAL);
	assert_int_equal(CARRY_OUT("\x34\x00\x00\x02no"), -EINVAL);
	assert_int_equal(CARRY_OUT("\x34\x00\x00\x00"), -EINVAL);
	assert_int_equal(CARRY_OUT("\x34\x00\xff\xff"), -EINVAL);
	assert_int_equal(CARRY_OUT("\x34\x00\x00"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),  cmocka_unit_test(test_refused), cmocka_unit_test(test_fails),
		cmocka_unit_test(test_effects), cmocka_unit_test(test_printf),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
