/* AArch64 stage 1 translation, EL1&0: all granules, start levels, LPA and LPA2. Arm ARM (DDI 0487) D8. */
#include <errno.h>

#include "../walk_priv.h"

enum { SCTLR_M = 0, SCTLR_WXN = 19 };
enum { TCR_EPD0 = 7, TCR_EPD1 = 23, TCR_TBI0 = 37, TCR_TBI1 = 38, TCR_HPD0 = 41, TCR_HPD1 = 42, TCR_DS = 59 };

/* What one half of the address space is configured as. */
struct half {
	bool high, tbi, off, hpd, ds, lpa; /* ds: LPA2 format; lpa: 52-bit addresses with the 64K granule */
	unsigned granule;                  /* bits: 12, 14, 16; 0: reserved value */
	unsigned va, pa;                   /* bits */
	uint64_t ttbr;
};

static unsigned pa_of_ips(unsigned ips)
{
	static const uint8_t table[] = {32, 36, 40, 42, 44, 48, 52, 52};
	return table[ips & 7];
}

static void get_half(const struct gyve_mmu *mmu, bool high, struct half *h)
{
	static const uint8_t tg0[] = {12, 16, 14, 0}, tg1[] = {0, 14, 12, 16};
	uint64_t tcr = mmu->a64.tcr;

	h->high = high;
	h->tbi = bit(tcr, high ? TCR_TBI1 : TCR_TBI0);
	h->off = bit(tcr, high ? TCR_EPD1 : TCR_EPD0);
	h->hpd = bit(tcr, high ? TCR_HPD1 : TCR_HPD0);
	h->granule = high ? tg1[bits(tcr, 31, 30)] : tg0[bits(tcr, 15, 14)];
	h->ttbr = high ? mmu->a64.ttbr1 : mmu->a64.ttbr0;
	h->va = 64 - (unsigned)(high ? bits(tcr, 21, 16) : bits(tcr, 5, 0));
	h->pa = pa_of_ips((unsigned)bits(tcr, 34, 32));
	h->lpa = h->granule == 16 && h->pa == 52;
	if (mmu->pa_bits && mmu->pa_bits < h->pa)
		h->pa = mmu->pa_bits;
	h->ds = bit(tcr, TCR_DS) && mmu->a64.lpa2 && h->granule != 16;
	if (!h->ds && !h->lpa && h->pa > 48)
		h->pa = 48;
}

static bool legal(const struct half *h)
{
	unsigned max = h->ds || h->granule == 16 ? 52 : 48, min = h->granule == 16 ? 17 : 16;

	return h->granule && h->va <= max && h->va >= min;
}

/* Address bits of a table or leaf descriptor, before alignment. */
static uint64_t output(const struct half *h, uint64_t e)
{
	if (h->ds)
		return (e & mask(49, 12)) | bits(e, 9, 8) << 50;
	if (h->lpa)
		return (e & mask(47, 16)) | bits(e, 15, 12) << 48;
	return e & mask(47, 12);
}

static uint64_t root(const struct half *h, unsigned start_bits)
{
	unsigned align = start_bits + 3;
	uint64_t a = h->ttbr & mask(47, 1);

	if (h->ds || h->lpa) {
		align = align < 6 ? 6 : align;
		a = (h->ttbr & mask(47, 6)) | bits(h->ttbr, 5, 2) << 48;
	}
	return a & ~mask(align - 1, 0);
}

static bool block_allowed(const struct half *h, int level)
{
	switch (h->granule) {
	case 12:
		return level == 1 || level == 2 || (level == 0 && h->ds);
	case 14:
		return level == 2 || (level == 1 && h->ds);
	default:
		return level == 2 || (level == 1 && h->lpa);
	}
}

/* What the tables above take away: D8.4, hierarchical permissions. */
struct inherited {
	bool readonly, no_el0, pxn, uxn;
};

static void inherit(struct inherited *t, uint64_t e)
{
	t->readonly |= bit(e, 62);
	t->no_el0 |= bit(e, 61);
	t->uxn |= bit(e, 60);
	t->pxn |= bit(e, 59);
}

static void set_rights(const struct gyve_mmu *mmu, const struct inherited *t, uint64_t e, struct gyve_walk *w)
{
	bool wxn = bit(mmu->a64.sctlr, SCTLR_WXN);
	bool writable = !bit(e, 7) && !t->readonly;
	bool el0 = bit(e, 6) && !t->no_el0;
	/* what EL0 can write EL1 never executes */
	bool x = !bit(e, 53) && !t->pxn && !(writable && (el0 || wxn));

	w->perms = GYVE_PERM_R | (writable ? GYVE_PERM_W : 0u) | (x ? GYVE_PERM_X : 0u) | (el0 ? GYVE_PERM_U : 0u);
	w->user_x = !bit(e, 54) && !t->uxn && !(writable && el0 && wxn);
}

static int leaf(const struct gyve_mmu *mmu, const struct inherited *t, gyve_gva_t gva, uint64_t e, uint64_t base, uint64_t size,
		struct gyve_walk *w)
{
	set_rights(mmu, t, e, w);
	w->status = GYVE_WALK_OK;
	w->gpa = (base & ~(size - 1)) | (gva & (size - 1));
	w->page_size = size;
	w->memtype = (unsigned)(mmu->a64.mair >> (8 * bits(e, 4, 2)) & 0xff);
	w->global = !bit(e, 11);
	w->contiguous = bit(e, 52);
	return 0;
}

static int walk_tables(const struct gyve_mmu *mmu, const struct gyve_mem *phys, const struct half *h, gyve_gva_t gva,
		       struct gyve_walk *w)
{
	unsigned stride = h->granule - 3;
	int level = 4 - (int)((h->va - h->granule + stride - 1) / stride);
	unsigned shift = h->granule + (unsigned)(3 - level) * stride, width = h->va - shift;
	uint64_t base = root(h, width);
	struct inherited t = {0};

	for (;; level++, shift -= stride, width = stride) {
		uint64_t e, size = UINT64_C(1) << shift;
		if (!walk_step(phys, w, level, base + 8 * (gva >> shift & mask(width - 1, 0)), 8, &e))
			return walk_fail(w, GYVE_WALK_NO_MEMORY, size);
		if (!bit(e, 0) || (level == 3 && !bit(e, 1)))
			return walk_fail(w, GYVE_WALK_NOT_PRESENT, size);
		bool is_leaf = level == 3 || !bit(e, 1);
		if (is_leaf && level != 3 && !block_allowed(h, level))
			return walk_fail(w, GYVE_WALK_RESERVED, size);
		base = output(h, e);
		if (h->pa < 64 && base >> h->pa)
			return walk_fail(w, GYVE_WALK_RESERVED, size);
		if (is_leaf)
			return leaf(mmu, &t, gva, e, base, size, w);
		base &= ~mask(h->granule - 1, 0);
		if (!h->hpd)
			inherit(&t, e);
	}
}

int a64_walk(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *w)
{
	struct half h;

	get_half(mmu, bit(gva, 55), &h);
	if (!bit(mmu->a64.sctlr, SCTLR_M)) {
		if (h.tbi && !h.high)
			gva &= mask(55, 0);
		if (gva >> (mmu->pa_bits ? mmu->pa_bits : 52))
			return walk_fail(w, GYVE_WALK_NONCANONICAL, 0);
		w->status = GYVE_WALK_OK;
		w->gpa = gva;
		w->page_size = 4096;
		w->perms = GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X | GYVE_PERM_U;
		w->user_x = true;
		return 0;
	}
	if (!legal(&h))
		return walk_fail(w, GYVE_WALK_BAD_CONFIG, 0);
	uint64_t top = mask(h.tbi ? 55 : 63, h.va);
	if ((gva & top) != (h.high ? top : 0))
		return walk_fail(w, GYVE_WALK_NONCANONICAL, 0);
	if (h.off)
		return walk_fail(w, GYVE_WALK_DISABLED, 0);
	return walk_tables(mmu, phys, &h, gva, w);
}

gyve_gva_t a64_next_half(const struct gyve_mmu *mmu, gyve_gva_t gva)
{
	struct half h;

	if (bit(gva, 63) || !bit(mmu->a64.sctlr, SCTLR_M))
		return 0;
	get_half(mmu, true, &h);
	return legal(&h) ? UINT64_MAX << h.va : 0;
}

const char *a64_level_name(const struct gyve_mmu *mmu, int level)
{
	static const char *const names[] = {"level -1 descriptor", "level 0 descriptor", "level 1 descriptor",
					    "level 2 descriptor", "level 3 descriptor"};

	(void)mmu;
	return level >= -1 && level <= 3 ? names[level + 1] : "?";
}
