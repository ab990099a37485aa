#include "unit.h"

#include "gyve/arch.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* and two with SVE, one with AVX-512, and 32-bit x86 */
static const struct gyve_arch *archs[6] = {&gyve_arch_x86_64, &gyve_arch_aarch64};
static struct gyve_regs regs;

#define FTW 4
#define MXCSR 24
#define ST 32
#define XSTATE_BV 512

static void fill(const struct gyve_arch *a, int seed)
{
	srand((unsigned)seed);
	for (size_t i = 0; i < sizeof(regs); i++)
		((uint8_t *)&regs)[i] = (uint8_t)rand();
	regs.arch = a->id;
	regs.valid = GYVE_REGS_ALL | GYVE_REGS_MSR;
	if (a->id == GYVE_X86_64) {
		static const uint16_t at[10] = {[5] = 1088, [6] = 1152, [7] = 1664, [9] = 2688};
		regs.x86.xsave_len = 2696;
		memcpy(regs.x86.xsave_at, at, sizeof(at));
		regs.x86.msr_valid = UINT32_MAX;
		regs.x86.xcr0 = 0x2e7;
		memset(regs.x86.xsave + XSTATE_BV, 0, 64);
		regs.x86.xsave[XSTATE_BV] = 0xe7;
		regs.x86.xsave[XSTATE_BV + 1] = 2;
		memset(regs.x86.xsave + MXCSR + 2, 0, 2);
	}
}

static int get(const char *name, void *buf)
{
	const struct gyve_reg_row *row = gyve_reg_find(gyve_arch_find((int)regs.arch), name);
	assert_non_null(row);
	return row->get(row, &regs, buf);
}

static int set(const char *name, const void *buf)
{
	const struct gyve_reg_row *row = gyve_reg_find(gyve_arch_find((int)regs.arch), name);
	assert_non_null(row);
	return row->set(row, &regs, buf);
}

static bool xml_name(const char *s)
{
	if (!isalpha((unsigned char)*s))
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

static void check_flags(const struct gyve_reg_row *row)
{
	const struct gyve_reg_flags *f = row->flags;
	uint64_t seen = 0;

	assert_string_equal(f->id, row->type);
	assert_true(xml_name(f->id));
	assert_int_equal(f->size, row->bits / 8);
	for (unsigned i = 0; i < f->nfields; i++) {
		const struct gyve_reg_field *p = &f->fields[i];
		if (!xml_name(p->name) || p->start > p->end || p->end >= 8 * f->size)
			fail_msg("%s: field %u", row->name, i);
		uint64_t mask = (p->end - p->start == 63 ? ~0ull : (1ull << (p->end - p->start + 1)) - 1) << p->start;
		if (seen & mask)
			fail_msg("%s: field %s overlaps", row->name, p->name);
		if (i && p->start < f->fields[i - 1].start)
			fail_msg("%s: field %s is out of order", row->name, p->name);
		seen |= mask;
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(p->name, f->fields[k].name);
	}
}

static void check_row(const struct gyve_arch *a, unsigned i)
{
	static const char *const types[] = {"int32",  "int64", "uint128", "data_ptr", "code_ptr", "i387_ext",
					    "vec128", "svev",  "svep",    "uint64",   "uint32",   "v2ui128"};
	const struct gyve_reg_row *row = &a->regs[i];
	bool known = row->flags;

	assert_true(xml_name(row->name));
	assert_true(row->bits && row->bits % 8 == 0);
	assert_true(row->group && (row->group & (GYVE_REGS_ALL | GYVE_REGS_MSR)) == row->group);
	assert_non_null(row->get);
	assert_true(row->readonly == !row->set);
	if (row->flags)
		check_flags(row);
	for (size_t k = 0; !known && k < GYVE_ARRAY_SIZE(types); k++)
		known = strcmp(types[k], row->type) == 0;
	if (!known)
		fail_msg("%s: type %s", row->name, row->type);
	for (unsigned k = 0; k < i; k++) {
		if (strcmp(a->regs[k].name, row->name) == 0 || (row->dwarf >= 0 && a->regs[k].dwarf == row->dwarf))
			fail_msg("%s: same name or DWARF number as %s", row->name, a->regs[k].name);
		if (strcmp(a->regs[k].feature, row->feature) == 0 && strcmp(a->regs[i - 1].feature, row->feature) != 0)
			fail_msg("%s: feature %s is torn apart", row->name, row->feature);
	}
}

static void test_tables(void **state)
{
	(void)state;
	for (size_t k = 0; k < GYVE_ARRAY_SIZE(archs); k++)
		for (unsigned i = 0; i < archs[k]->nregs; i++)
			check_row(archs[k], i);
}

static void expect_number(const struct gyve_arch *a, const char *name, unsigned number)
{
	assert_ptr_equal(gyve_reg_find(a, name), &a->regs[number]);
}

/* gdb's own numbers, as its built-in descriptions have them */
static void test_numbers(void **state)
{
	static const char *const gpr[] = {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"};
	const struct gyve_arch *x = &gyve_arch_x86_64, *a = &gyve_arch_aarch64;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		expect_number(x, gpr[i], i);
	expect_number(x, "rip", 16);
	expect_number(x, "eflags", 17);
	expect_number(x, "st0", 24);
	expect_number(x, "fctrl", 32);
	expect_number(x, "fop", 39);
	expect_number(x, "xmm0", 40);
	expect_number(x, "mxcsr", 56);
	expect_number(a, "x30", 30);
	expect_number(a, "sp", 31);
	expect_number(a, "cpsr", 33);
	expect_number(a, "v0", 34);
	expect_number(a, "fpsr", 66);
	expect_number(a, "fpcr", 67);
}

static void test_find(void **state)
{
	(void)state;
	assert_ptr_equal(gyve_arch_find(62), &gyve_arch_x86_64);
	assert_ptr_equal(gyve_arch_find(183), &gyve_arch_aarch64);
	assert_null(gyve_arch_find(0));
	assert_null(gyve_arch_find(-1));
	assert_non_null(gyve_arch_host());
	assert_null(gyve_reg_find(&gyve_arch_x86_64, "x0"));
	assert_null(gyve_reg_find(&gyve_arch_x86_64, ""));
}

/* Writing what was read changes nothing; writing something else reads back and touches no other row. */
static void round_trip(const struct gyve_arch *a, const struct gyve_reg_row *row)
{
	static struct gyve_regs before;
	uint8_t was[512] = {0}, now[512], want[512], other[512], other_was[512];
	size_t len = row->bits / 8;

	assert_true(len <= sizeof(was));
	memset(now, 0xa5, sizeof(now));
	assert_int_equal(row->get(row, &regs, now), 0);
	for (size_t i = len; i < sizeof(now); i++)
		assert_int_equal(now[i], 0xa5);
	memcpy(was, now, len);
	if (row->readonly)
		return;
	before = regs;
	assert_int_equal(row->set(row, &regs, was), 0);
	assert_int_equal(row->get(row, &regs, now), 0);
	assert_memory_equal(now, was, len);
	for (size_t i = 0; i < len; i++)
		want[i] = (uint8_t)~was[i];
	if (strcmp(row->name, "mxcsr") == 0)
		want[2] = want[3] = 0;
	assert_int_equal(row->set(row, &regs, want), 0);
	assert_int_equal(row->get(row, &regs, now), 0);
	if (now[0] != want[0] && strcmp(row->name, "ftag") != 0)
		fail_msg("%s did not take its value", row->name);
	for (unsigned k = 0; k < a->nregs; k++) {
		const struct gyve_reg_row *o = &a->regs[k];
		if (o == row || strcmp(o->name, "ftag") == 0 ||
		    strncmp(o->name, "pauth_", 6) == 0) /* these follow from others */
			continue;
		assert_int_equal(o->get(o, &before, other_was), 0);
		assert_int_equal(o->get(o, &regs, other), 0);
		if (memcmp(other, other_was, o->bits / 8) != 0)
			fail_msg("writing %s changed %s", row->name, o->name);
	}
	regs = before;
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t k = 0; k < GYVE_ARRAY_SIZE(archs); k++)
		for (int seed = 0; seed < 4; seed++) {
			fill(archs[k], seed);
			for (unsigned i = 0; i < archs[k]->nregs; i++)
				round_trip(archs[k], &archs[k]->regs[i]);
		}
}

static void test_values(void **state)
{
	uint64_t v = 0, w = 0x1122334455667788;

	(void)state;
	fill(&gyve_arch_x86_64, 1);
	regs.x86.gpr[GYVE_RDX] = 42;
	assert_int_equal(get("rdx", &v), 0);
	assert_int_equal(v, 42);
	regs.x86.seg[GYVE_CS].selector = 0x8;
	v = ~0ull;
	assert_int_equal(get("cs", &v), 0);
	assert_int_equal((uint32_t)v, 8); /* the upper half of a 32-bit row is not what lies beside the selector */
	assert_int_equal(set("eflags", &w), 0);
	assert_int_equal(regs.x86.rflags, 0x55667788);
	gyve_arch_x86_64.set_pc(&regs, 5);
	assert_int_equal(gyve_arch_x86_64.pc(&regs), 5);
	regs.x86.cr3 = 0x8000000000001fff;
	assert_int_equal(gyve_arch_x86_64.root(&regs), 0x1000);
	fill(&gyve_arch_aarch64, 1);
	uint64_t mask;
	const struct gyve_reg_row *data = gyve_reg_find(&gyve_arch_aarch64, "pauth_dmask");
	const struct gyve_reg_row *code = gyve_reg_find(&gyve_arch_aarch64, "pauth_cmask_high");
	regs.a64.tcr_el1 = 16 | 25 << 16 | UINT64_C(1) << 37; /* 48 bits, tags; 39 bits */
	regs.a64.sctlr_el1 = 1;
	assert_int_equal(data->get(data, &regs, &mask), 0);
	assert_int_equal(mask, 0); /* off */
	regs.a64.sctlr_el1 = 1u << 31 | 1u << 27;
	assert_int_equal(data->get(data, &regs, &mask), 0);
	assert_int_equal(mask, UINT64_C(0x007f000000000000));
	assert_int_equal(code->get(code, &regs, &mask), 0);
	assert_int_equal(mask, UINT64_C(0xff7fff8000000000));
	regs.a64.ttbr0_el1 = 0xabcd000040001001;
	assert_int_equal(gyve_arch_aarch64.root(&regs), 0x40001000);
	regs.a64.x[29] = 7;
	assert_int_equal(gyve_arch_aarch64.fp(&regs), 7);
}

static void test_sve(void **state)
{
	const struct gyve_arch *a = gyve_arch_a64_sve(32);
	uint8_t value[32], back[32];
	uint64_t vg;

	(void)state;
	assert_ptr_equal(gyve_arch_a64_sve(32), a);
	assert_null(gyve_arch_a64_sve(0));
	assert_null(gyve_arch_a64_sve(24));
	assert_null(gyve_arch_a64_sve(GYVE_SVE_VL_MAX + 16));
	assert_null(gyve_reg_find(a, "v0"));
	assert_null(gyve_reg_find(&gyve_arch_aarch64, "z0"));
	expect_number(a, "z0", 34);
	expect_number(a, "fpsr", 66);
	expect_number(a, "p0", 68);
	expect_number(a, "vg", 85);
	const struct gyve_reg_row *z31 = gyve_reg_find(a, "z31"), *p15 = gyve_reg_find(a, "p15");
	assert_int_equal(z31->bits, 256);
	assert_int_equal(p15->bits, 32);
	assert_int_equal(gyve_reg_find(gyve_arch_a64_sve(256), "z31")->bits, 2048);
	fill(a, 5);
	memset(value, 0x5a, sizeof(value));
	assert_int_equal(z31->set(z31, &regs, value), 0);
	assert_memory_equal(regs.a64.v[31], value, 16); /* the same register */
	assert_int_equal(p15->set(p15, &regs, value), 0);
	assert_int_equal(z31->get(z31, &regs, back), 0);
	assert_memory_equal(back, value, 32);
	assert_int_equal(gyve_reg_find(a, "vg")->get(gyve_reg_find(a, "vg"), &regs, &vg), 0);
	assert_int_equal(vg, 4);
}

/* Without its group a register has no value and takes none. */
static void test_unavailable(void **state)
{
	uint8_t buf[512] = {0};

	(void)state;
	for (size_t k = 0; k < GYVE_ARRAY_SIZE(archs); k++) {
		fill(archs[k], 9);
		for (unsigned i = 0; i < archs[k]->nregs; i++) {
			const struct gyve_reg_row *row = &archs[k]->regs[i];
			regs.valid = (GYVE_REGS_ALL | GYVE_REGS_MSR) & ~(unsigned)row->group;
			assert_int_equal(row->get(row, &regs, buf), -ENODATA);
			if (row->set)
				assert_int_equal(row->set(row, &regs, buf), -ENODATA);
			regs.valid = row->group;
			assert_int_equal(row->get(row, &regs, buf), 0);
		}
	}
}

static void test_avx512(void **state)
{
	const struct gyve_arch *a = gyve_arch_x86_xsave(0x2e7);
	const struct gyve_reg_row *zmm20h = gyve_reg_find(a, "zmm20h"), *pkru = gyve_reg_find(a, "pkru"),
				  *k3 = gyve_reg_find(a, "k3");
	uint8_t buf[32];

	(void)state;
	assert_ptr_equal(gyve_arch_x86_xsave(7), &gyve_arch_x86_64);
	assert_ptr_equal(gyve_arch_x86_xsave(0x2e7), a);
	assert_null(gyve_reg_find(gyve_arch_x86_xsave(0xe7), "pkru"));
	assert_null(gyve_reg_find(gyve_arch_x86_xsave(0x207), "k0"));
	fill(a, 7);
	assert_int_equal(zmm20h->get(zmm20h, &regs, buf), 0);
	assert_memory_equal(buf, regs.x86.xsave + 1664 + 4 * 64 + 32, 32);
	regs.x86.xsave[XSTATE_BV] = 7; /* initial, whatever the bytes say */
	assert_int_equal(zmm20h->get(zmm20h, &regs, buf), 0);
	assert_int_equal(buf[0] | buf[31], 0);
	assert_int_equal(k3->set(k3, &regs, "\1\2\3\4\5\6\7\10"), 0);
	assert_int_equal(regs.x86.xsave[XSTATE_BV], 7 | 1 << 5);
	assert_int_equal(regs.x86.xsave[1088 + 24] | regs.x86.xsave[1088 + 16] << 8, 1);
	regs.x86.xsave[XSTATE_BV] = 7;
	regs.x86.xcr0 = 7; /* the guest has not enabled it */
	assert_int_equal(k3->get(k3, &regs, buf), -ENODATA);
	regs.x86.xsave_at[9] = 4090; /* an area that ends in the middle */
	assert_int_equal(pkru->get(pkru, &regs, buf), -ENODATA);
	regs.x86.xsave_at[9] = 0;
	assert_int_equal(pkru->get(pkru, &regs, buf), -ENODATA);
	assert_int_equal(pkru->set(pkru, &regs, buf), -ENODATA);
}

static void test_modes(void **state)
{
	const struct gyve_arch *a = gyve_arch_x86_mode(32);
	uint32_t v = 0;

	(void)state;
	assert_string_equal(a->gdb_arch, "i386");
	assert_string_equal(gyve_arch_x86_mode(16)->gdb_arch, "i8086");
	assert_ptr_equal(gyve_arch_x86_mode(64), &gyve_arch_x86_64);
	assert_null(gyve_arch_x86_mode(8));
	expect_number(a, "ebx", 3);
	expect_number(a, "eip", 8);
	expect_number(a, "cs", 10);
	expect_number(a, "st0", 16);
	expect_number(a, "xmm0", 32);
	expect_number(a, "mxcsr", 40);
	assert_null(gyve_reg_find(a, "xmm8"));
	assert_null(gyve_reg_find(a, "r8"));
	fill(a, 8);
	regs.x86.rip = 0x12345678;
	assert_int_equal(a->regs[8].get(&a->regs[8], &regs, &v), 0);
	assert_int_equal(v, 0x12345678);
	regs.x86.cr0 = regs.x86.rflags = regs.x86.efer = 0;
	assert_int_equal(gyve_x86_mode_bits(&regs), 16);
	regs.x86.cr0 = 1;
	regs.x86.seg[GYVE_CS].db = 1;
	assert_int_equal(gyve_x86_mode_bits(&regs), 32);
	regs.x86.efer = 1 << 10;
	regs.x86.seg[GYVE_CS].l = 1;
	assert_int_equal(gyve_x86_mode_bits(&regs), 64);
	regs.x86.seg[GYVE_CS].l = 0;
	assert_int_equal(gyve_x86_mode_bits(&regs), 32);
}

static void test_msr_names(void **state)
{
	static const char *const bad[] = {"", "nothing", "0x100000000", "12x", "ia32_", "S3_0_C1_C0_0", "-1"};
	uint32_t index;

	(void)state;
	assert_int_equal(gyve_msr_find(GYVE_X86_64, "lstar", &index), 0);
	assert_int_equal(index, 0xc0000082);
	assert_int_equal(gyve_msr_find(GYVE_X86_64, "IA32_PAT", &index), 0);
	assert_int_equal(index, 0x277);
	assert_int_equal(gyve_msr_find(GYVE_X86_64, "0xffffffff", &index), 0);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(bad); i++)
		assert_int_equal(gyve_msr_find(GYVE_X86_64, bad[i], &index), -EINVAL);
	assert_int_equal(gyve_msr_find(GYVE_AARCH64, "s3_0_c12_c0_0", &index), 0);
	assert_int_equal(index, 0xc600);
	assert_int_equal(gyve_msr_find(GYVE_AARCH64, "vbar_el1", &index), 0);
	assert_int_equal(index, 0xc600);
	assert_int_equal(gyve_msr_find(GYVE_AARCH64, "S3_8_C1_C0_0", &index), -EINVAL);
	assert_int_equal(gyve_msr_find(GYVE_AARCH64, "S3_0_C16_C0_0", &index), -EINVAL);
	assert_int_equal(gyve_msr_find(GYVE_AARCH64, "S3_0_C1_C0_0x", &index), -EINVAL);
	assert_int_equal(gyve_msr_find(GYVE_AARCH64, "0x10000", &index), -EINVAL);
}

static void put_st(unsigned i, uint16_t exponent, uint64_t mantissa)
{
	memcpy(regs.x86.xsave + ST + 16 * i, &mantissa, 8);
	memcpy(regs.x86.xsave + ST + 16 * i + 8, &exponent, 2);
}

static void test_ftag(void **state)
{
	uint32_t v;

	(void)state;
	fill(&gyve_arch_x86_64, 3);
	regs.x86.xsave[2] = 0;
	regs.x86.xsave[3] = 6 << 3; /* TOP = 6: ST0 is physical 6, ST1 is 7, ST2 is 0, ST3 is 1 */
	regs.x86.xsave[FTW] = 0xc3;
	put_st(0, 0x3fff, 1ull << 63); /* 1.0: valid */
	put_st(1, 0, 0);               /* zero */
	put_st(2, 0x7fff, 3ull << 62); /* NaN: special */
	put_st(3, 0x8000, 1);          /* negative denormal: special */
	assert_int_equal(get("ftag", &v), 0);
	assert_int_equal(v, 0x4ffa);
	put_st(2, 0x4000, 1);          /* unnormal: special */
	put_st(3, 0xc000, 1ull << 63); /* -2.0 */
	assert_int_equal(get("ftag", &v), 0);
	assert_int_equal(v, 0x4ff2);
	v = 0x7fbf; /* physical 7 zero, 3 special; the rest empty */
	assert_int_equal(set("ftag", &v), 0);
	assert_int_equal(regs.x86.xsave[FTW], 0x88);
	v = 0xffff;
	assert_int_equal(set("ftag", &v), 0);
	assert_int_equal(regs.x86.xsave[FTW], 0);
	assert_int_equal(get("ftag", &v), 0);
	assert_int_equal(v, 0xffff);
}

static void test_initial_configuration(void **state)
{
	static const uint8_t zero[16];
	uint8_t buf[16];
	uint32_t v;

	(void)state;
	fill(&gyve_arch_x86_64, 4);
	regs.x86.xsave[XSTATE_BV] = 0;
	assert_int_equal(get("fctrl", &v), 0);
	assert_int_equal(v, 0x37f);
	assert_int_equal(get("fstat", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(get("ftag", &v), 0);
	assert_int_equal(v, 0xffff);
	assert_int_equal(get("st3", buf), 0);
	assert_memory_equal(buf, zero, 10);
	assert_int_equal(get("xmm5", buf), 0);
	assert_memory_equal(buf, zero, 16);
	assert_int_equal(get("ymm5h", buf), 0);
	assert_memory_equal(buf, zero, 16);
	assert_int_equal(get("mxcsr", &v), 0);
	assert_memory_equal(&v, regs.x86.xsave + MXCSR, 4);
}

static void test_write_puts_in_use(void **state)
{
	uint8_t buf[16], want[16];
	uint32_t v, mxcsr;

	(void)state;
	memset(want, 0x5a, sizeof(want));
	fill(&gyve_arch_x86_64, 5);
	regs.x86.xsave[XSTATE_BV] = 0;
	memcpy(&mxcsr, regs.x86.xsave + MXCSR, 4);
	assert_int_equal(set("ymm3h", want), 0);
	assert_int_equal(regs.x86.xsave[XSTATE_BV], 4);
	assert_int_equal(get("ymm3h", buf), 0);
	assert_memory_equal(buf, want, 16);
	assert_int_equal(get("ymm4h", buf), 0);
	assert_int_equal(buf[0] | buf[15], 0); /* not the stale bytes of the area */
	assert_int_equal(set("xmm15", want), 0);
	assert_int_equal(regs.x86.xsave[XSTATE_BV], 6);
	assert_int_equal(get("xmm14", buf), 0);
	assert_int_equal(buf[0] | buf[15], 0);
	assert_int_equal(set("st7", want), 0);
	assert_int_equal(regs.x86.xsave[XSTATE_BV], 7);
	assert_int_equal(get("fctrl", &v), 0);
	assert_int_equal(v, 0x37f);
	assert_int_equal(get("mxcsr", &v), 0);
	assert_int_equal(v, mxcsr);
	v = 0x10000;
	assert_int_equal(set("mxcsr", &v), -EINVAL);
}

static void test_short_areas(void **state)
{
	uint8_t buf[16];

	(void)state;
	fill(&gyve_arch_x86_64, 6);
	regs.x86.xsave_len = 576; /* no AVX */
	assert_int_equal(get("ymm0h", buf), -ENODATA);
	assert_int_equal(set("ymm0h", buf), -ENODATA);
	assert_int_equal(get("xmm0", buf), 0);
	regs.x86.xsave_len = 512; /* FXSAVE only: always in use */
	regs.x86.xsave[XSTATE_BV] = 0;
	assert_int_equal(get("xmm0", buf), 0);
	assert_memory_equal(buf, regs.x86.xsave + 160, 16);
	assert_int_equal(set("xmm0", buf), 0);
	assert_int_equal(regs.x86.xsave[XSTATE_BV], 0);
	regs.x86.xsave_len = 0;
	assert_int_equal(get("ftag", buf), -ENODATA);
	assert_int_equal(get("mxcsr", buf), -ENODATA);
	regs.x86.xsave_len = UINT32_MAX;
	assert_int_equal(get("xmm0", buf), -ENODATA);
}

int main(void)
{
	archs[2] = gyve_arch_a64_sve(32);
	archs[3] = gyve_arch_a64_sve(GYVE_SVE_VL_MAX);
	archs[4] = gyve_arch_x86_xsave(0x2e7);
	archs[5] = gyve_arch_x86_mode(32);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sve),
		cmocka_unit_test(test_avx512),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_msr_names),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_unavailable),
		cmocka_unit_test(test_ftag),
		cmocka_unit_test(test_initial_configuration),
		cmocka_unit_test(test_write_puts_in_use),
		cmocka_unit_test(test_short_areas),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
