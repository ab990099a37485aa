/* Call frame information and expressions. The image is this program: its own stack is walked and compared with what the
 * compiler's run-time library makes of it. */
#define _GNU_SOURCE
#include "unit.h"

#include "gyve/sym.h"
#include "gyve/unwind.h"

#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

static int read_memory(void *ctx, uint64_t addr, unsigned size, uint64_t *ret)
{
	(void)ctx;
	*ret = 0;
	memcpy(ret, (const void *)(uintptr_t)addr, size);
	return 0;
}

/* --- expressions */

static int eval(const char *bytes, size_t len, struct gyve_expr_result *x)
{
	static const uint64_t cell = 77;
	uint64_t reg[GYVE_DWARF_REGS] = {[3] = 100, [7] = (uint64_t)(uintptr_t)&cell};
	struct gyve_expr_env env = {.reg = reg,
				    .known = 1 << 3 | 1 << 7,
				    .has_frame_base = true,
				    .frame_base = 1000,
				    .bias = 0x10,
				    .read = read_memory};

	return gyve_expr_eval((const uint8_t *)bytes, len, &env, NULL, x);
}
#define EVAL(bytes, x) eval(bytes, sizeof(bytes) - 1, x)

static void test_expressions(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum gyve_expr_where where;
		uint64_t value;
	} cases[] = {
#define CASE(bytes, where, value) {bytes, sizeof(bytes) - 1, where, value}
		CASE("\x73\x05", GYVE_EXPR_MEMORY, 105),                                /* breg3 5 */
		CASE("\x73\x7b", GYVE_EXPR_MEMORY, 95),                                 /* breg3 -5 */
		CASE("\x91\x68", GYVE_EXPR_MEMORY, 976),                                /* fbreg -24 */
		CASE("\x53", GYVE_EXPR_REGISTER, 3),                                    /* reg3 */
		CASE("\x77\x00\x06", GYVE_EXPR_MEMORY, 77),                             /* breg7 0, deref */
		CASE("\x08\xff\x09\xff\x1a\x9f", GYVE_EXPR_VALUE, 255),                 /* const1u, const1s, and, stack_value */
		CASE("\x37\x33\x1b\x9f", GYVE_EXPR_VALUE, 2),                           /* 7 / 3 */
		CASE("\x37\x33\x1d\x9f", GYVE_EXPR_VALUE, 1),                           /* 7 % 3 */
		CASE("\x09\x80\x33\x26\x9f", GYVE_EXPR_VALUE, (uint64_t)-16),           /* -128 >> 3, arithmetically */
		CASE("\x31\x32\x33\x17\x9f", GYVE_EXPR_VALUE, 2),                       /* 1 2 3 rot: 3 1 2 */
		CASE("\x31\x28\x01\x00\x35\x39\x9f", GYVE_EXPR_VALUE, 9),               /* bra over lit5 */
		CASE("\x03\x00\x20\x00\x00\x00\x00\x00\x00", GYVE_EXPR_MEMORY, 0x2010), /* addr, biased */
	};
	struct gyve_expr_result x;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(cases); i++) {
		assert_int_equal(eval(cases[i].bytes, cases[i].len, &x), 0);
		assert_int_equal(x.where, cases[i].where);
		assert_int_equal(x.value, cases[i].value);
	}
}

static void test_bad_expressions(void **state)
{
	struct gyve_expr_result x;

	(void)state;
	assert_int_equal(EVAL("\x12", &x), -EBADMSG);         /* dup of nothing */
	assert_int_equal(EVAL("\x31\x30\x1b", &x), -EBADMSG); /* division by zero */
	assert_int_equal(EVAL("\x0a\x01", &x), -EBADMSG);     /* cut short */
	assert_int_equal(EVAL("\x2f\xfd\xff", &x), -EBADMSG); /* skip to itself */
	assert_int_equal(EVAL("\x2f\x10\x00", &x), -EBADMSG); /* skip outside */
	assert_int_equal(EVAL("\x74\x00", &x), -ENODATA);     /* breg4 is not known */
	assert_int_equal(EVAL("\x9c", &x), -ENODATA);         /* no CFA here */
	assert_int_equal(EVAL("\xff", &x), -ENOTSUP);
	assert_int_equal(EVAL("", &x), -EBADMSG);
}

/* --- the walk */

static struct gyve_symtab *syms;

static int own_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr; /* the program itself comes first */
	return 1;
}

static int setup(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	uint64_t bias = 0;
	struct stat st;
	void *image;

	(void)state;
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	dl_iterate_phdr(own_bias, &bias);
	return image == MAP_FAILED ? -1 : gyve_symtab_create(&syms, image, (size_t)st.st_size, bias, NULL);
}

static int teardown(void **state)
{
	(void)state;
	gyve_symtab_destroy(syms);
	return 0;
}

struct regs {
	uint64_t reg[GYVE_DWARF_REGS];
	uint64_t pc, sp;
};

static void registers_from(struct regs *r, const ucontext_t *u)
{
#ifdef __x86_64__
	static const int order[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
				    REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
	for (unsigned i = 0; i < GYVE_ARRAY_SIZE(order); i++)
		r->reg[i] = (uint64_t)u->uc_mcontext.gregs[order[i]];
	r->pc = r->reg[16];
#else
	memcpy(r->reg, u->uc_mcontext.regs, sizeof(u->uc_mcontext.regs));
	r->reg[31] = u->uc_mcontext.sp;
	r->pc = u->uc_mcontext.pc;
#endif
}

/* One frame up; false where this program's rules end. */
static bool up(struct regs *r, bool exact)
{
#ifdef __x86_64__
	enum { SP = 7 };
#else
	enum { SP = 31 };
#endif
	struct gyve_cfi_row row;
	struct regs from = *r;
	uint64_t cfa;

	if (gyve_symtab_cfi(syms, exact ? r->pc : r->pc - 1, &row) < 0)
		return false;
	assert_int_equal(row.cfa.kind, GYVE_CFI_OFFSET);
	cfa = from.reg[row.cfa.reg] + (uint64_t)row.cfa.offset;
	for (unsigned i = 0; i < GYVE_DWARF_REGS; i++)
		if (row.reg[i].kind == GYVE_CFI_OFFSET)
			read_memory(NULL, cfa + (uint64_t)row.reg[i].offset, 8, &r->reg[i]);
	r->reg[SP] = cfa;
	r->pc = r->reg[row.return_reg];
	return true;
}

static unsigned compare_with_runtime(void)
{
	void *theirs[32];
	int n = backtrace(theirs, GYVE_ARRAY_SIZE(theirs));
	struct regs r = {0};
	unsigned equal = 0;
	ucontext_t u;

	getcontext(&u);
	registers_from(&r, &u);
	/* a sanitizer may stand between: begin where the two meet */
	assert_true(up(&r, true));
	int i = 0;
	while (i < n && (uint64_t)(uintptr_t)theirs[i] != r.pc)
		i++;
	for (; i < n; i++) {
		assert_int_equal(r.pc, (uint64_t)(uintptr_t)theirs[i]);
		equal++;
		if (!up(&r, false))
			break;
	}
	return equal;
}

int gyve_test_recurse(int n, volatile unsigned *equal);
__attribute__((noinline)) int gyve_test_recurse(int n, volatile unsigned *equal)
{
	volatile char space[100] = {(char)n};

	if (n > 0)
		return gyve_test_recurse(n - 1, equal) + space[0];
	*equal = compare_with_runtime();
	return space[1];
}

static void test_own_stack(void **state)
{
	volatile unsigned equal = 0;

	(void)state;
	gyve_test_recurse(5, &equal);
	assert_in_range(equal, 7,
			32); /* the recursion and this test at least: then the test library follows, without rules of ours */
}

static void test_unknown_address(void **state)
{
	struct gyve_cfi_row row;

	(void)state;
	assert_int_equal(gyve_symtab_cfi(syms, 0, &row), -ENOENT);
	assert_int_equal(gyve_symtab_cfi(syms, UINT64_MAX, &row), -ENOENT);
	assert_int_equal(gyve_symtab_cfi(NULL, 0, &row), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_bad_expressions),
		cmocka_unit_test(test_own_stack),
		cmocka_unit_test(test_unknown_address),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
