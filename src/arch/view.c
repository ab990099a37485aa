/* One view over both walkers: translate, explain, list, read and write by virtual address. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "walk_priv.h"

/* Hostile tables may describe more pages than anyone can list. */
#define MAX_WALKS (1u << 24)
#define FLAT_PAGE (UINT64_C(1) << 30)

static bool is_x86(const struct gyve_mmu *mmu)
{
	return mmu->arch == GYVE_X86_64;
}

static unsigned pa_range_bits(uint64_t mmfr0)
{
	static const uint8_t table[] = {32, 36, 40, 42, 44, 48, 52};
	unsigned n = mmfr0 & 0xf;
	return mmfr0 && n < sizeof(table) ? table[n] : 0;
}

void gyve_mmu_from_regs(struct gyve_mmu *ret, const struct gyve_regs *regs)
{
	memset(ret, 0, sizeof(*ret));
	ret->arch = regs->arch;
	if (is_x86(ret)) {
		ret->x86.cr0 = regs->x86.cr0;
		ret->x86.cr3 = regs->x86.cr3;
		ret->x86.cr4 = regs->x86.cr4;
		ret->x86.efer = regs->x86.efer;
		return;
	}
	ret->pa_bits = pa_range_bits(regs->a64.id_aa64mmfr0_el1);
	ret->a64.sctlr = regs->a64.sctlr_el1;
	ret->a64.tcr = regs->a64.tcr_el1;
	ret->a64.ttbr0 = regs->a64.ttbr0_el1;
	ret->a64.ttbr1 = regs->a64.ttbr1_el1;
	ret->a64.mair = regs->a64.mair_el1;
	ret->a64.lpa2 = true; /* TCR.DS is RES0 where LPA2 is absent */
}

int gyve_walk(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *ret)
{
	ret->gpa = 0;
	ret->nsteps = 0;
	ret->memtype = 0;
	ret->global = ret->contiguous = ret->user_x = false;
	if (mmu->flat) {
		ret->status = GYVE_WALK_OK;
		ret->gpa = gva;
		ret->page_size = FLAT_PAGE;
		ret->perms = GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X | GYVE_PERM_U;
		ret->user_x = true;
		return 0;
	}
	return is_x86(mmu) ? x86_walk(mmu, phys, gva, ret) : a64_walk(mmu, phys, gva, ret);
}

const char *gyve_walk_level_name(const struct gyve_mmu *mmu, int level)
{
	return is_x86(mmu) ? x86_level_name(mmu, level) : a64_level_name(mmu, level);
}

static int explain_entry(const struct gyve_mmu *mmu, gyve_gva_t gva, const struct gyve_walk *w, char *buf, size_t size)
{
	const struct gyve_walk_step *s = &w->step[w->nsteps - 1];
	const char *why =
		w->status == GYVE_WALK_NOT_PRESENT ? (is_x86(mmu) ? "not present" : "invalid") : "reserved bits are set";
	char level[32] = "";

	if (is_x86(mmu))
		snprintf(level, sizeof(level), " (level %d)", s->level);
	if (w->status == GYVE_WALK_NO_MEMORY)
		return snprintf(buf, size, "0x%" PRIx64 ": the %s%s would be at gpa 0x%" PRIx64 ", where there is no memory",
				gva, gyve_walk_level_name(mmu, s->level), level, s->entry_gpa);
	return snprintf(buf, size, "0x%" PRIx64 ": %s%s at gpa 0x%" PRIx64 " is 0x%" PRIx64 ": %s", gva,
			gyve_walk_level_name(mmu, s->level), level, s->entry_gpa, s->entry, why);
}

int gyve_walk_explain(const struct gyve_mmu *mmu, gyve_gva_t gva, const struct gyve_walk *w, char *buf, size_t size)
{
	switch (w->status) {
	case GYVE_WALK_OK:
		return snprintf(buf, size, "0x%" PRIx64 ": maps to gpa 0x%" PRIx64, gva, w->gpa);
	case GYVE_WALK_NOT_PRESENT:
	case GYVE_WALK_RESERVED:
	case GYVE_WALK_NO_MEMORY:
		if (w->nsteps)
			return explain_entry(mmu, gva, w, buf, size);
		break;
	case GYVE_WALK_NONCANONICAL:
		return snprintf(buf, size, "0x%" PRIx64 ": outside the address space (%s)", gva,
				is_x86(mmu) ? "not canonical" : "neither in the TTBR0 nor in the TTBR1 range");
	case GYVE_WALK_DISABLED:
		return snprintf(buf, size, "0x%" PRIx64 ": walks of this half are switched off (TCR_EL1.EPD%d)", gva,
				bit(gva, 55));
	case GYVE_WALK_BAD_CONFIG:
		return snprintf(buf, size,
				"0x%" PRIx64 ": TCR_EL1 (0x%" PRIx64 ") has a reserved granule or size for this half", gva,
				mmu->a64.tcr);
	}
	return snprintf(buf, size, "0x%" PRIx64 ": cannot be translated", gva);
}

/* --- ranges */

struct merge {
	struct gyve_range r;
	bool any;
	int (*cb)(void *ctx, const struct gyve_range *r);
	void *ctx;
};

static int flush_range(struct merge *m)
{
	bool any = m->any;

	m->any = false;
	return any ? m->cb(m->ctx, &m->r) : 0;
}

static int add_page(struct merge *m, gyve_gva_t from, gyve_gva_t last, const struct gyve_walk *w)
{
	struct gyve_range *r = &m->r;

	if (m->any && r->end_incl + 1 == from && r->gpa + (from - r->start) == w->gpa && r->perms == w->perms &&
	    r->memtype == w->memtype) {
		r->end_incl = last;
		if (w->page_size < r->page_size)
			r->page_size = w->page_size;
		return 0;
	}
	int res = flush_range(m);
	*r = (struct gyve_range){from, last, w->gpa, w->perms, w->memtype, w->page_size};
	m->any = true;
	return res;
}

/* Where the half that holds gva ends, so that ignored top bytes are not listed again and again. */
static bool in_gap(const struct gyve_mmu *mmu, gyve_gva_t gva)
{
	return !is_x86(mmu) && bit(mmu->a64.sctlr, 0) && bits(gva, 63, 52) != 0 && bits(gva, 63, 52) != 0xfff;
}

int gyve_walk_ranges(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t from, gyve_gva_t to_incl,
		     int (*cb)(void *ctx, const struct gyve_range *r), void *ctx)
{
	struct merge m = {.cb = cb, .ctx = ctx};
	gyve_gva_t gva = from;
	int res = 0;

	for (unsigned n = 0; res == 0; n++) {
		struct gyve_walk w;
		if (n == MAX_WALKS)
			return -E2BIG;
		bool ok = gyve_walk(mmu, phys, gva, &w) == 0 && (mmu->flat || !in_gap(mmu, gva));
		gyve_gva_t last;
		if (!ok && (!w.page_size || in_gap(mmu, gva))) {
			gyve_gva_t next = is_x86(mmu) ? x86_next_half(mmu, gva) : a64_next_half(mmu, gva);
			if (!next || next <= gva)
				break;
			last = next - 1;
		} else {
			last = mmu->flat ? to_incl : gva | (w.page_size - 1);
		}
		if (last > to_incl)
			last = to_incl;
		if (ok)
			res = add_page(&m, gva, last, &w);
		if (last == to_incl)
			break;
		gva = last + 1;
	}
	return res ? res : flush_range(&m);
}

/* --- virtual access */

static ssize_t virt_access(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, uint8_t *buf, size_t len,
			   bool write, struct gyve_walk *fault)
{
	size_t done = 0;
	struct gyve_walk w;

	while (done < len) {
		if (gyve_walk(mmu, phys, gva + done, &w) < 0)
			break;
		uint64_t left = w.page_size - ((gva + done) & (w.page_size - 1));
		size_t n = len - done < left ? len - done : (size_t)left;
		ssize_t got =
			write ? phys->write(phys->ctx, w.gpa, buf + done, n) : phys->read(phys->ctx, w.gpa, buf + done, n);
		if (got > 0)
			done += (size_t)got;
		if (got != (ssize_t)n)
			break;
	}
	if (done < len && fault)
		*fault = w;
	return done || !len ? (ssize_t)done : -EFAULT;
}

ssize_t gyve_virt_read(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, void *buf, size_t len,
		       struct gyve_walk *fault)
{
	return virt_access(mmu, phys, gva, buf, len, false, fault);
}

ssize_t gyve_virt_write(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, const void *buf, size_t len,
			struct gyve_walk *fault)
{
	if (!phys->write)
		return -EROFS;
	return virt_access(mmu, phys, gva, (uint8_t *)buf, len, true, fault);
}
