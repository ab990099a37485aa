/* The x86 walker against a slow model of its own, over random tables in an array, and by hand. Intel SDM vol. 3A chapter 4. */
#include "unit.h"

#include "gyve/walk.h"

#include <stdio.h>
#include <stdlib.h>

enum { MEM = 1 << 20 };

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

static uint64_t seed;
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void put64(uint64_t at, uint64_t v)
{
	memcpy(ram + at, &v, 8);
}

static void put32(uint64_t at, uint32_t v)
{
	memcpy(ram + at, &v, 4);
}

/* --- the model: each mode spelled out with divisions, nothing shared with the walker */

struct answer {
	enum gyve_walk_status status;
	uint64_t gpa, size;
	bool w, u, x, global;
	unsigned type;
};

static bool load(uint64_t at, unsigned bytes, uint64_t *v)
{
	*v = 0;
	return ram_read(NULL, at, v, bytes) == (ssize_t)bytes;
}

static bool has(uint64_t v, int n)
{
	return v / (UINT64_C(1) << n) % 2;
}

/* Any bit of v from lo up to and including hi? */
static bool any(uint64_t v, int lo, int hi)
{
	for (int i = lo; i <= hi; i++)
		if (has(v, i))
			return true;
	return false;
}

static uint64_t keep(uint64_t v, int lo, int hi)
{
	uint64_t r = 0;
	for (int i = lo; i <= hi; i++)
		if (has(v, i))
			r += UINT64_C(1) << i;
	return r;
}

static void leaf(struct answer *a, uint64_t e, uint64_t base, uint64_t size, uint64_t gva, int pat)
{
	a->status = GYVE_WALK_OK;
	a->gpa = base + gva % size;
	a->size = size;
	a->global = has(e, 8);
	a->type = 4 * has(e, pat) + 2 * has(e, 4) + has(e, 3);
}

static void rights(struct answer *a, uint64_t e)
{
	a->w = a->w && has(e, 1);
	a->u = a->u && has(e, 2);
	a->x = a->x && !has(e, 63);
}

static struct answer failed(enum gyve_walk_status s, uint64_t size)
{
	return (struct answer){.status = s, .size = size};
}

static struct answer model_32(const struct gyve_mmu *m, uint64_t gva, int pa)
{
	struct answer a = {.w = true, .u = true, .x = true};
	const uint64_t M4 = 4 << 20;
	uint64_t e;

	if (gva >= UINT64_C(1) << 32)
		return failed(GYVE_WALK_NONCANONICAL, 0);
	if (!load(keep(m->x86.cr3, 12, 31) + gva / M4 * 4, 4, &e))
		return failed(GYVE_WALK_NO_MEMORY, M4);
	if (!has(e, 0))
		return failed(GYVE_WALK_NOT_PRESENT, M4);
	rights(&a, e);
	if (has(e, 7) && has(m->x86.cr4, 4)) {
		int top = pa > 40 ? 40 : pa;
		if (has(e, 21) || any(e, 13 + (top > 32 ? top - 32 : 0), 20))
			return failed(GYVE_WALK_RESERVED, M4);
		leaf(&a, e, keep(e, 22, 31) + keep(e, 13, 20) / (1 << 13) * (UINT64_C(1) << 32), M4, gva, 12);
		return a;
	}
	if (!load(keep(e, 12, 31) + gva % M4 / 4096 * 4, 4, &e))
		return failed(GYVE_WALK_NO_MEMORY, 4096);
	if (!has(e, 0))
		return failed(GYVE_WALK_NOT_PRESENT, 4096);
	rights(&a, e);
	leaf(&a, e, keep(e, 12, 31), 4096, gva, 7);
	return a;
}

static struct answer model_pae(const struct gyve_mmu *m, uint64_t gva, int pa)
{
	struct answer a = {.w = true, .u = true, .x = true};
	const uint64_t G = 1 << 30, M2 = 2 << 20;
	bool nxe = has(m->x86.efer, 11);
	uint64_t e;

	if (gva >= UINT64_C(1) << 32)
		return failed(GYVE_WALK_NONCANONICAL, 0);
	if (!load(keep(m->x86.cr3, 5, 31) + gva / G * 8, 8, &e))
		return failed(GYVE_WALK_NO_MEMORY, G);
	if (!has(e, 0))
		return failed(GYVE_WALK_NOT_PRESENT, G);
	if (any(e, 1, 2) || any(e, 5, 8) || any(e, pa, 63))
		return failed(GYVE_WALK_RESERVED, G);
	if (!load(keep(e, 12, 51) + gva % G / M2 * 8, 8, &e))
		return failed(GYVE_WALK_NO_MEMORY, M2);
	if (!has(e, 0))
		return failed(GYVE_WALK_NOT_PRESENT, M2);
	if (any(e, pa, 62) || (has(e, 63) && !nxe) || (has(e, 7) && any(e, 13, 20)))
		return failed(GYVE_WALK_RESERVED, M2);
	rights(&a, e);
	if (has(e, 7)) {
		leaf(&a, e, keep(e, 21, 51), M2, gva, 12);
		return a;
	}
	if (!load(keep(e, 12, 51) + gva % M2 / 4096 * 8, 8, &e))
		return failed(GYVE_WALK_NO_MEMORY, 4096);
	if (!has(e, 0))
		return failed(GYVE_WALK_NOT_PRESENT, 4096);
	if (any(e, pa, 62) || (has(e, 63) && !nxe))
		return failed(GYVE_WALK_RESERVED, 4096);
	rights(&a, e);
	leaf(&a, e, keep(e, 12, 51), 4096, gva, 7);
	return a;
}

static struct answer model_long(const struct gyve_mmu *m, uint64_t gva, int pa)
{
	struct answer a = {.w = true, .u = true, .x = true};
	int levels = has(m->x86.cr4, 12) ? 5 : 4, top = 12 + 9 * levels;
	uint64_t table = keep(m->x86.cr3, 12, 51), size = UINT64_C(1) << top, e;

	for (int i = top; i < 64; i++)
		if (has(gva, i) != has(gva, top - 1))
			return failed(GYVE_WALK_NONCANONICAL, 0);
	for (int level = levels;; level--) {
		uint64_t in = gva % size;
		size /= 512;
		if (!load(table + in / size * 8, 8, &e))
			return failed(GYVE_WALK_NO_MEMORY, size);
		if (!has(e, 0))
			return failed(GYVE_WALK_NOT_PRESENT, size);
		bool bad = any(e, pa, 51) || (has(e, 63) && !has(m->x86.efer, 11)) || (level >= 4 && has(e, 7));
		bool large = level == 1 || (level <= 3 && has(e, 7));
		if (level == 3 && large && (m->x86.gbpages_unsupported || any(e, 13, 29)))
			bad = true;
		if (level == 2 && large && any(e, 13, 20))
			bad = true;
		if (bad)
			return failed(GYVE_WALK_RESERVED, size);
		rights(&a, e);
		if (large) {
			leaf(&a, e, keep(e, 12 + 9 * (level - 1), 51), size, gva, level == 1 ? 7 : 12);
			return a;
		}
		table = keep(e, 12, 51);
	}
}

static struct answer model(const struct gyve_mmu *m, uint64_t gva)
{
	int pa = m->pa_bits ? (int)m->pa_bits : 52;

	if (!has(m->x86.cr0, 31)) {
		if (gva >= UINT64_C(1) << 32)
			return failed(GYVE_WALK_NONCANONICAL, 0);
		return (struct answer){GYVE_WALK_OK, gva, 4096, true, true, true, false, 0};
	}
	if (!has(m->x86.cr4, 5))
		return model_32(m, gva, pa);
	return has(m->x86.efer, 8) ? model_long(m, gva, pa) : model_pae(m, gva, pa);
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
		fail_msg("cr0 %lx cr3 %lx cr4 %lx efer %lx pa %u: %s; status %d not %d, size %lx not %lx", m->x86.cr0,
			 m->x86.cr3, m->x86.cr4, m->x86.efer, m->pa_bits, text, w.status, want.status, w.page_size, want.size);
	}
	if (r < 0)
		return;
	successes++;
	assert_int_equal(w.gpa, want.gpa);
	assert_int_equal(!!(w.perms & GYVE_PERM_W), want.w);
	assert_int_equal(!!(w.perms & GYVE_PERM_U), want.u);
	assert_int_equal(!!(w.perms & GYVE_PERM_X), want.x);
	assert_int_equal(w.memtype, want.type);
	assert_int_equal(w.global, want.global);
}

/* Mostly sensible entries that point at other pages of the array, some with stray bits. */
static uint64_t entry(void)
{
	uint64_t e = (rnd() % (MEM / 4096)) << 12 | (rnd() & 0x1ff);

	if (rnd() % 8)
		e |= 1;
	if (rnd() % 4 == 0)
		e |= rnd() & 0x001ff000;
	if (rnd() % 8 == 0)
		e |= UINT64_C(1) << 63;
	if (rnd() % 16 == 0)
		e |= UINT64_C(1) << (rnd() % 64);
	if (rnd() % 2)
		e &= ~UINT64_C(0x80);
	return e;
}

static void random_mmu(struct gyve_mmu *m)
{
	static const unsigned widths[] = {0, 36, 39, 40, 46, 48, 52, 32};

	memset(m, 0, sizeof(*m));
	m->arch = GYVE_X86_64;
	m->pa_bits = widths[rnd() % 8];
	m->x86.cr0 = 1 | (rnd() % 16 ? UINT64_C(1) << 31 : 0);
	m->x86.cr3 = (rnd() % (MEM / 4096)) << 12 | (rnd() & 0xfff);
	m->x86.cr4 = (rnd() % 2) << 4 | (rnd() % 4 ? 1 << 5 : 0) | (rnd() % 3 ? 0 : 1 << 12);
	m->x86.efer = (rnd() % 3 ? 0x500 : 0) | (rnd() % 2) << 11;
	m->x86.gbpages_unsupported = rnd() % 2;
	if (!(m->x86.cr4 & 1 << 5))
		m->x86.efer &= ~UINT64_C(0x500);
}

static uint64_t random_gva(void)
{
	switch (rnd() % 4) {
	case 0:
		return rnd();
	case 1:
		return rnd() & 0xffffffff;
	case 2:
		return (uint64_t)((int64_t)(rnd() << 16) >> 16);
	default:
		return (uint64_t)((int64_t)(rnd() << 7) >> 7);
	}
}

static void test_against_model(void **state)
{
	(void)state;
	seed = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 40; round++) {
		struct gyve_mmu m;
		if (round % 2)
			for (uint64_t at = 0; at < MEM; at += 8)
				put64(at, entry());
		else
			for (uint64_t at = 0; at < MEM; at += 4)
				put32(at, (uint32_t)entry());
		for (int i = 0; i < 50; i++) {
			random_mmu(&m);
			for (int k = 0; k < 20; k++)
				compare(&m, random_gva());
		}
	}
	assert_true(successes > 2000); /* of 40000: what fails everywhere proves little */
}

static void test_hostile_bytes(void **state)
{
	(void)state;
	seed = 42;
	for (int round = 0; round < 5; round++) {
		for (uint64_t at = 0; at < MEM; at += 8)
			put64(at, rnd() | (round & 1));
		for (int i = 0; i < 4000; i++) {
			struct gyve_mmu m;
			random_mmu(&m);
			m.x86.cr3 = rnd() % 3 ? m.x86.cr3 : rnd();
			compare(&m, random_gva());
		}
	}
}

/* --- by hand */

static void test_long_mode_by_hand(void **state)
{
	(void)state;
	struct gyve_mmu m = {.arch = GYVE_X86_64, .x86 = {.cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00}};
	struct gyve_walk w;
	char text[200];

	memset(ram, 0, sizeof(ram));
	put64(0x1000, 0x2003);
	put64(0x2000, 0x3007);
	put64(0x3000, 0x4007);
	put64(0x4008, 0x5163 | UINT64_C(1) << 63);
	put64(0x3008, 0x40000083);
	assert_int_equal(gyve_walk(&m, &phys, 0x1234, &w), 0);
	assert_int_equal(w.gpa, 0x5234);
	assert_int_equal(w.page_size, 4096);
	assert_int_equal(w.perms, GYVE_PERM_R | GYVE_PERM_W);
	assert_int_equal(w.nsteps, 4);
	assert_true(w.global);
	assert_int_equal(gyve_walk(&m, &phys, 0x2abcde, &w), 0);
	assert_int_equal(w.gpa, 0x400abcde);
	assert_int_equal(w.page_size, 2 << 20);
	assert_int_equal(gyve_walk(&m, &phys, 0x2000, &w), -EFAULT);
	gyve_walk_explain(&m, 0x2000, &w, text, sizeof(text));
	assert_string_equal(text, "0x2000: PTE (level 1) at gpa 0x4010 is 0x0: not present");
	assert_int_equal(gyve_walk(&m, &phys, UINT64_C(1) << 47, &w), -EFAULT);
	assert_int_equal(w.status, GYVE_WALK_NONCANONICAL);
}

static int note_range(void *ctx, const struct gyve_range *r)
{
	struct gyve_range *out = ctx;

	while (out->end_incl)
		out++;
	*out = *r;
	return 0;
}

static void test_ranges(void **state)
{
	(void)state;
	struct gyve_mmu m = {.arch = GYVE_X86_64, .x86 = {.cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00}};
	struct gyve_range r[8] = {{0}};

	memset(ram, 0, sizeof(ram));
	put64(0x1000, 0x2003);
	put64(0x1000 + 8 * 511, 0x2003); /* the same tables in the upper half */
	put64(0x2000, 0x3003);
	put64(0x2000 + 8 * 511, 0x3003);
	put64(0x3000, 0x83);
	put64(0x3008, 0x200083);
	put64(0x3018, 0x600083);
	assert_int_equal(gyve_walk_ranges(&m, &phys, 0, UINT64_MAX, note_range, r), 0);
	assert_int_equal(r[0].start, 0);
	assert_int_equal(r[0].end_incl, 0x3fffff);
	assert_int_equal(r[1].start, 0x600000);
	assert_int_equal(r[1].gpa, 0x600000);
	assert_true(r[4].start == UINT64_C(0xffffff8000000000));
	assert_true(r[6].start == UINT64_C(0xffffffffc0000000));
	assert_int_equal(r[7].gpa, 0x600000);
}

/* A table that is its own every entry: endless pages, a bounded walk. */
static void test_ranges_are_bounded(void **state)
{
	(void)state;
	struct gyve_mmu m = {.arch = GYVE_X86_64, .x86 = {.cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00}};
	static struct gyve_range r[4100];

	for (int i = 0; i < 512; i++)
		put64(0x1000 + 8 * (uint64_t)i, 0x1003);
	assert_int_equal(gyve_walk_ranges(&m, &phys, 0, 0xffffff, note_range, r), 0);
}

static void test_virtual_access(void **state)
{
	(void)state;
	struct gyve_mmu m = {.arch = GYVE_X86_64, .x86 = {.cr0 = 0x80000001, .cr3 = 0x1000, .cr4 = 0x20, .efer = 0xd00}};
	struct gyve_walk fault;
	uint8_t buf[64];

	memset(ram, 0, sizeof(ram));
	put64(0x1000, 0x2003);
	put64(0x2000, 0x3003);
	put64(0x3000, 0x4003);
	put64(0x4000, 0x9003);
	put64(0x4008, 0x7003);
	memset(ram + 0x9ff0, 'a', 16);
	memset(ram + 0x7000, 'b', 16);
	assert_int_equal(gyve_virt_read(&m, &phys, 0xff8, buf, 16, NULL), 16);
	assert_memory_equal(buf, "aaaaaaaabbbbbbbb", 16);
	assert_int_equal(gyve_virt_read(&m, &phys, 0x1ff0, buf, 64, &fault), 16);
	assert_int_equal(fault.status, GYVE_WALK_NOT_PRESENT);
	assert_int_equal(gyve_virt_read(&m, &phys, 0x2000, buf, 1, &fault), -EFAULT);
	assert_int_equal(gyve_virt_write(&m, &phys, 0, buf, 1, NULL), -EROFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),      cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_long_mode_by_hand),  cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_ranges_are_bounded), cmocka_unit_test(test_virtual_access),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
