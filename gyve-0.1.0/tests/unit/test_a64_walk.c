/* The AArch64 walker against a slow model of its own, over random tables in an array. Arm ARM (DDI 0487) D8. */
#include "unit.h"

#include "gyve/walk.h"

#include <stdlib.h>

enum { MEM = 8 << 20 };

static uint8_t ram[MEM];

static ssize_t ram_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (addr >= MEM || len > MEM - addr)
		return -EFAULT;
	memcpy(buf, ram + addr, len);
	return (ssize_t)len;
}

static const struct gyve_mem phys = {.read = ram_read};

static uint64_t seed = 0x2545f4914f6cdd1d;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* --- the model: bit by bit, sizes by division */

struct answer {
	enum gyve_walk_status status;
	uint64_t gpa, size;
	bool w, u, x, ux, global, contiguous;
	unsigned type;
};

static bool has(uint64_t v, int n)
{
	return v / (UINT64_C(1) << n) % 2;
}

static uint64_t field(uint64_t v, int hi, int lo)
{
	uint64_t r = 0;
	for (int i = lo; i <= hi; i++)
		if (has(v, i))
			r += UINT64_C(1) << (i - lo);
	return r;
}

static struct answer failed(enum gyve_walk_status s, uint64_t size)
{
	return (struct answer){.status = s, .size = size};
}

/* Physical address bits of TCR.IPS, limited by what the CPU has. */
static int output_bits(const struct gyve_mmu *m, bool wide)
{
	static const int ips[] = {32, 36, 40, 42, 44, 48, 52, 52};
	int n = ips[field(m->a64.tcr, 34, 32)];

	if (m->pa_bits && (int)m->pa_bits < n)
		n = (int)m->pa_bits;
	return !wide && n > 48 ? 48 : n;
}

static struct answer leaf(const struct gyve_mmu *m, uint64_t e, uint64_t base, uint64_t size, uint64_t gva, bool ro,
			  bool no_el0, bool uxn, bool pxn)
{
	struct answer a = {.status = GYVE_WALK_OK, .size = size};
	bool wxn = has(m->a64.sctlr, 19);

	a.gpa = base / size * size + gva % size;
	a.w = !has(e, 7) && !ro;
	a.u = has(e, 6) && !no_el0;
	a.x = !has(e, 53) && !pxn;
	if (a.w && (a.u || wxn))
		a.x = false;
	a.ux = !has(e, 54) && !uxn;
	if (a.w && a.u && wxn)
		a.ux = false;
	a.global = !has(e, 11);
	a.contiguous = has(e, 52);
	a.type = (unsigned)(m->a64.mair / (UINT64_C(1) << 8 * field(e, 4, 2)) % 256);
	return a;
}

static struct answer model(const struct gyve_mmu *m, uint64_t gva)
{
	uint64_t tcr = m->a64.tcr;
	bool high = has(gva, 55), tbi = has(tcr, high ? 38 : 37);
	static const int granules0[] = {4096, 65536, 16384, 0}, granules1[] = {0, 16384, 4096, 65536};
	uint64_t page = (uint64_t)(high ? granules1[field(tcr, 31, 30)] : granules0[field(tcr, 15, 14)]);
	int va = 64 - (int)(high ? field(tcr, 21, 16) : field(tcr, 5, 0));

	if (!has(m->a64.sctlr, 0)) {
		uint64_t a = tbi && !high ? gva % (UINT64_C(1) << 56) : gva;
		int pa = m->pa_bits ? (int)m->pa_bits : 52;
		if (a / (UINT64_C(1) << (pa - 1)) / 2)
			return failed(GYVE_WALK_NONCANONICAL, 0);
		return (struct answer){
			.status = GYVE_WALK_OK, .gpa = a, .size = 4096, .w = true, .u = true, .x = true, .ux = true};
	}
	bool lpa = page == 65536 && field(tcr, 34, 32) >= 6;
	bool ds = has(tcr, 59) && m->a64.lpa2 && page != 65536;
	int max = page == 65536 || ds ? 52 : 48, min = page == 65536 ? 17 : 16, pa = output_bits(m, lpa || ds);
	if (!page || va < min || va > max)
		return failed(GYVE_WALK_BAD_CONFIG, 0);
	for (int i = va; i < (tbi ? 56 : 64); i++)
		if (has(gva, i) != high)
			return failed(GYVE_WALK_NONCANONICAL, 0);
	if (has(tcr, high ? 23 : 7))
		return failed(GYVE_WALK_DISABLED, 0);

	/* how many levels: each multiplies what the one below covers by the entries of a page */
	uint64_t cover = page, entries = page / 8;
	int level = 3;
	while (level > -2 && va < 64 && cover < (UINT64_C(1) << va) / entries + ((UINT64_C(1) << va) % entries != 0)) {
		cover *= entries;
		level--;
	}
	uint64_t ttbr = high ? m->a64.ttbr1 : m->a64.ttbr0;
	uint64_t top_entries = (UINT64_C(1) << va) / cover, table = field(ttbr, 47, 1) * 2;
	if (!top_entries)
		top_entries = 1;
	uint64_t bytes = top_entries * 8;
	if (lpa || ds) {
		table = field(ttbr, 47, 6) * 64 + field(ttbr, 5, 2) * (UINT64_C(1) << 48);
		bytes = bytes < 64 ? 64 : bytes;
	}
	table = table / bytes * bytes;
	bool ro = false, no_el0 = false, uxn = false, pxn = false;
	uint64_t in = gva % (UINT64_C(1) << va);
	for (;; level++) {
		uint64_t e = 0;
		if (ram_read(NULL, table + in / cover * 8, &e, 8) != 8)
			return failed(GYVE_WALK_NO_MEMORY, cover);
		if (!has(e, 0) || (level == 3 && !has(e, 1)))
			return failed(GYVE_WALK_NOT_PRESENT, cover);
		uint64_t out = field(e, 47, 12) * 4096;
		if (ds)
			out = field(e, 49, 12) * 4096 + field(e, 9, 8) * (UINT64_C(1) << 50);
		if (lpa)
			out = field(e, 47, 16) * 65536 + field(e, 15, 12) * (UINT64_C(1) << 48);
		if (level < 3 && !has(e, 1)) {
			bool ok = level == 2 || (level == 1 && (page == 4096 || (page == 16384 && ds) || lpa)) ||
				  (level == 0 && page == 4096 && ds);
			if (!ok)
				return failed(GYVE_WALK_RESERVED, cover);
		}
		if (out / (UINT64_C(1) << (pa - 1)) / 2)
			return failed(GYVE_WALK_RESERVED, cover);
		if (level == 3 || !has(e, 1))
			return leaf(m, e, out, cover, gva, ro, no_el0, uxn, pxn);
		if (!has(tcr, high ? 42 : 41)) {
			ro |= has(e, 62);
			no_el0 |= has(e, 61);
			uxn |= has(e, 60);
			pxn |= has(e, 59);
		}
		table = out / page * page;
		in %= cover;
		cover /= entries;
	}
}

static unsigned successes;

static void compare(const struct gyve_mmu *m, uint64_t gva)
{
	struct answer want = model(m, gva);
	struct gyve_walk w;
	int r = gyve_walk(m, &phys, gva, &w);
	char text[300];

	if (w.status != want.status || (r == 0) != (want.status == GYVE_WALK_OK) || w.page_size != want.size) {
		gyve_walk_explain(m, gva, &w, text, sizeof(text));
		fail_msg("tcr %lx ttbr %lx %lx pa %u: %s; status %d not %d, size %lx not %lx", m->a64.tcr, m->a64.ttbr0,
			 m->a64.ttbr1, m->pa_bits, text, w.status, want.status, w.page_size, want.size);
	}
	if (r < 0)
		return;
	successes++;
	assert_int_equal(w.gpa, want.gpa);
	assert_int_equal(!!(w.perms & GYVE_PERM_W), want.w);
	assert_int_equal(!!(w.perms & GYVE_PERM_U), want.u);
	assert_int_equal(!!(w.perms & GYVE_PERM_X), want.x);
	assert_int_equal(w.user_x, want.ux);
	if (m->a64.sctlr & 1) {
		assert_int_equal(w.memtype, want.type);
		assert_int_equal(w.global, want.global);
		assert_int_equal(w.contiguous, want.contiguous);
	}
}

/* A descriptor that mostly points into the array, tables more often than blocks. */
static uint64_t descriptor(void)
{
	uint64_t e = (rnd() % (MEM / 65536)) << 16 | (rnd() & 0xffc);

	e |= rnd() % 16 ? 1 : 0;
	e |= rnd() % 8 ? 2 : 0;
	if (rnd() % 2)
		e &= ~UINT64_C(0x300);
	if (rnd() % 3 == 0)
		e |= (rnd() & 0xfff) << 52;
	if (rnd() % 16 == 0)
		e |= UINT64_C(1) << (rnd() % 64);
	return e;
}

static void random_mmu(struct gyve_mmu *m)
{
	static const unsigned widths[] = {0, 32, 36, 40, 44, 48, 52};
	uint64_t t0 = rnd() % 4 ? 16 + rnd() % 32 : rnd() % 64, t1 = rnd() % 4 ? 16 + rnd() % 32 : rnd() % 64;

	memset(m, 0, sizeof(*m));
	m->arch = GYVE_AARCH64;
	m->pa_bits = widths[rnd() % 7];
	m->a64.lpa2 = rnd() % 2;
	m->a64.sctlr = (rnd() % 16 ? 1 : 0) | (rnd() % 4 ? 0 : 1 << 19);
	m->a64.mair = rnd();
	m->a64.tcr = t0 | t1 << 16 | rnd() % 4 << 14 | rnd() % 4 << 30 | (rnd() % 7) << 32 | rnd() % 4 << 37 | rnd() % 4 << 41;
	m->a64.tcr |= (rnd() % 16 ? 0 : 1 << 7) | (rnd() % 16 ? 0 : 1 << 23) | (rnd() % 3 ? 0 : UINT64_C(1) << 59);
	m->a64.ttbr0 = (rnd() % (MEM / 65536)) << 16 | (rnd() & 1) | rnd() % 8 << 48;
	m->a64.ttbr1 = (rnd() % (MEM / 65536)) << 16 | (rnd() & 1);
	if (rnd() % 8 == 0)
		m->a64.ttbr0 |= rnd() & 0xffff;
}

/* Inside one of the two halves, with and without a tag. */
static uint64_t random_gva(const struct gyve_mmu *m)
{
	bool high = rnd() % 2;
	int va = 64 - (int)(high ? field(m->a64.tcr, 21, 16) : field(m->a64.tcr, 5, 0));
	uint64_t a = rnd();

	if (rnd() % 8 == 0 || va < 1 || va > 55)
		return a;
	a %= UINT64_C(1) << va;
	if (high)
		a |= UINT64_MAX << va;
	return rnd() % 8 ? a : a ^ (rnd() << 56);
}

static void test_against_model(void **state)
{
	(void)state;
	for (int round = 0; round < 12; round++) {
		for (uint64_t at = 0; at < MEM; at += 8) {
			uint64_t e = descriptor();
			memcpy(ram + at, &e, 8);
		}
		for (int i = 0; i < 400; i++) {
			struct gyve_mmu m;
			random_mmu(&m);
			for (int k = 0; k < 20; k++)
				compare(&m, random_gva(&m));
		}
	}
	assert_true(successes > 10000); /* of 96000 */
}

static void test_hostile_bytes(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uint64_t at = 0; at < MEM; at += 8) {
			uint64_t e = rnd() | (unsigned)round;
			memcpy(ram + at, &e, 8);
		}
		for (int i = 0; i < 5000; i++) {
			struct gyve_mmu m;
			random_mmu(&m);
			m.a64.tcr = rnd() % 2 ? m.a64.tcr : rnd();
			m.a64.ttbr0 = rnd() % 2 ? m.a64.ttbr0 : rnd();
			compare(&m, random_gva(&m));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_hostile_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
