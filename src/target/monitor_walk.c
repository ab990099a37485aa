/* Monitor commands about address spaces: one address, one walk, everything that is mapped. */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 2000, QEMU_LINES_MAX = 40000 }; /* a hostile table can describe millions */

static const char *perms_text(unsigned perms, char buf[5])
{
	snprintf(buf, 5, "%c%c%c%c", perms & GYVE_PERM_R ? 'r' : '-', perms & GYVE_PERM_W ? 'w' : '-',
		 perms & GYVE_PERM_X ? 'x' : '-', perms & GYVE_PERM_U ? 'u' : '-');
	return buf;
}

static const char *size_text(uint64_t size, char buf[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned u = 0;

	for (; u + 1 < GYVE_ARRAY_SIZE(units) && size && size % 1024 == 0; u++)
		size /= 1024;
	snprintf(buf, 24, "%" PRIu64 " %s", size, units[u]);
	return buf;
}

bool mon_paging_off(const struct gyve_mmu *mmu)
{
	return mmu->arch == GYVE_X86_64 ? !(mmu->x86.cr0 & 1u << 31) : !(mmu->a64.sctlr & 1);
}

const char *mon_mode_text(const struct gyve_mmu *mmu)
{
	if (mmu->arch != GYVE_X86_64)
		return mmu->a64.sctlr & 1 ? "MMU on" : "MMU off";
	if (!(mmu->x86.cr0 & 1u << 31))
		return mmu->x86.cr0 & 1 ? "protected mode, paging off" : "real mode";
	if (mmu->x86.efer & 1u << 10)
		return mmu->x86.cr4 & 1u << 12 ? "long mode, 5-level paging" : "long mode, 4-level paging";
	return mmu->x86.cr4 & 1u << 5 ? "protected mode, PAE paging" : "protected mode, 32-bit paging";
}

int mon_vtop(struct mon *m)
{
	struct gyve_walk w;
	bool by_layout;
	char perms[5], size[24];
	uint64_t gva;
	int ret = mon_next_address(m, &gva);

	if (ret == 0)
		ret = gyve_target_translate(m->t, m->cpu, gva, &w, &by_layout, m->err);
	if (ret < 0)
		return ret;
	if (by_layout)
		mon_say(m, "0x%" PRIx64 " -> gpa 0x%" PRIx64 " (by the loaded image: the guest has not mapped it yet)\n", gva,
			w.gpa);
	else
		mon_say(m, "0x%" PRIx64 " -> gpa 0x%" PRIx64 ", %s page, %s\n", gva, w.gpa, size_text(w.page_size, size),
			perms_text(w.perms, perms));
	return 0;
}

int mon_gva2gpa(struct mon *m)
{
	struct gyve_walk w;
	uint64_t gva;
	int ret = mon_next_address(m, &gva);

	if (ret < 0)
		return ret;
	ret = gyve_target_translate(m->t, m->cpu, gva, &w, NULL, m->err);
	if (ret == 0)
		mon_say(m, "gpa: %#" PRIx64 "\n", w.gpa);
	else if (ret == -EFAULT)
		mon_say(m, "Unmapped\n");
	return ret == -EFAULT ? 0 : ret;
}

static const struct {
	uint8_t bit;
	const char *name;
} x86_bits[] = {{0, "P"}, {1, "RW"}, {2, "US"}, {3, "PWT"}, {4, "PCD"}, {5, "A"}, {6, "D"}, {7, "PS"}, {8, "G"}, {63, "NX"}},
  a64_bits[] = {{0, "valid"}, {1, "table/page"}, {6, "AP1:user"}, {7, "AP2:ro"}, {10, "AF"},
		{11, "nG"},   {52, "contig"},    {53, "PXN"},     {54, "UXN"}};

static void entry_bits(const struct gyve_mmu *mmu, const struct gyve_walk_step *s, char *buf, size_t size)
{
	bool x86 = mmu->arch == GYVE_X86_64;
	size_t n = x86 ? GYVE_ARRAY_SIZE(x86_bits) : GYVE_ARRAY_SIZE(a64_bits), len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		unsigned bit = x86 ? x86_bits[i].bit : a64_bits[i].bit;
		const char *name = x86 ? x86_bits[i].name : a64_bits[i].name;
		if (x86 && bit == 7 && s->level == 1)
			name = "PAT";
		if (s->entry >> bit & 1 && len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " " : "", name);
	}
}

static uint64_t root_of(const struct gyve_mmu *mmu, gyve_gva_t gva)
{
	if (mmu->arch == GYVE_X86_64)
		return mmu->x86.cr3 & 0x000ffffffffff000;
	return (gva >> 55 & 1 ? mmu->a64.ttbr1 : mmu->a64.ttbr0) & 0x0000fffffffffffe;
}

int mon_pt(struct mon *m)
{
	struct gyve_mmu mmu;
	struct gyve_walk w;
	struct gyve_regs *r;
	char text[400], perms[5], size[24];
	uint64_t gva;
	int ret = gyve_target_mmu(m->t, m->cpu, &mmu, m->err);

	if (ret == 0)
		ret = gyve_target_regs(m->t, m->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, m->err);
	if (ret < 0)
		return ret;
	if (!*m->arg)
		gva = m->t->arch->pc(r);
	else if ((ret = mon_next_address(m, &gva)) < 0)
		return ret;
	mon_say(m, "0x%" PRIx64 " on vCPU %u: %s, tables at gpa 0x%" PRIx64 "\n", gva, m->cpu, mon_mode_text(&mmu),
		root_of(&mmu, gva));
	ret = gyve_walk(&mmu, &m->t->phys, gva, &w);
	for (unsigned i = 0; i < w.nsteps && i < GYVE_ARRAY_SIZE(w.step); i++) {
		entry_bits(&mmu, &w.step[i], text, sizeof(text));
		mon_say(m, "  %-6s at gpa 0x%012" PRIx64 ": 0x%016" PRIx64 "  %s\n",
			gyve_walk_level_name(&mmu, w.step[i].level), w.step[i].entry_gpa, w.step[i].entry, text);
	}
	if (ret == 0) {
		mon_say(m, "  -> gpa 0x%" PRIx64 ", %s page, %s, memory type %u%s%s\n", w.gpa, size_text(w.page_size, size),
			perms_text(w.perms, perms), w.memtype, w.global ? ", global" : "", w.contiguous ? ", contiguous" : "");
	} else {
		gyve_walk_explain(&mmu, gva, &w, text, sizeof(text));
		mon_say(m, "  %s\n", text);
	}
	return 0;
}

/* --- everything that is mapped */

struct list {
	struct mon *m;
	struct gyve_mmu mmu;
	unsigned n, max;
	gyve_gva_t start, end_incl; /* info mem: the run so far */
	unsigned perms;
	bool any;
};

/* False, after a word, when it is enough. */
static bool another(struct list *l)
{
	if (l->n++ < l->max)
		return true;
	mon_say(l->m, "... more than %u lines\n", l->max);
	return false;
}

static int each_range(struct list *l, int (*cb)(void *ctx, const struct gyve_range *r))
{
	int ret = gyve_walk_ranges(&l->mmu, &l->m->t->phys, 0, UINT64_MAX, cb, l);

	return ret < 0 ? gyve_err_set(l->m->err, ret, "the page tables cannot be read") : 0;
}

static int maps_line(void *ctx, const struct gyve_range *r)
{
	struct list *l = ctx;
	char perms[5], size[24];

	if (!another(l))
		return 1;
	mon_say(l->m, "0x%016" PRIx64 "-0x%016" PRIx64 " %s -> gpa 0x%" PRIx64 " (%s pages)\n", r->start, r->end_incl,
		perms_text(r->perms, perms), r->gpa, size_text(r->page_size, size));
	return 0;
}

int mon_maps(struct mon *m)
{
	struct list l = {.m = m, .max = LINES_MAX};
	int ret = gyve_target_mmu(m->t, m->cpu, &l.mmu, m->err);

	if (ret == 0)
		ret = each_range(&l, maps_line);
	if (ret == 0 && l.n == 0)
		mon_say(m, "nothing is mapped\n");
	return ret;
}

/* QEMU: start, end (exclusive), length; u or -, r, w or -. Neighbours of equal rights are one. */
static int mem_flush(struct list *l)
{
	if (!l->any)
		return 0;
	l->any = false;
	if (!another(l))
		return 1;
	mon_say(l->m, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c\n", l->start, l->end_incl + 1,
		l->end_incl + 1 - l->start, l->perms & GYVE_PERM_U ? 'u' : '-', l->perms & GYVE_PERM_W ? 'w' : '-');
	return 0;
}

static int mem_range(void *ctx, const struct gyve_range *r)
{
	struct list *l = ctx;
	unsigned perms = r->perms & (GYVE_PERM_U | GYVE_PERM_W);
	int ret = 0;

	if (l->any && l->perms == perms && l->end_incl + 1 == r->start) {
		l->end_incl = r->end_incl;
		return 0;
	}
	ret = mem_flush(l);
	l->any = true;
	l->start = r->start;
	l->end_incl = r->end_incl;
	l->perms = perms;
	return ret;
}

int mon_info_mem(struct mon *m)
{
	struct list l = {.m = m, .max = QEMU_LINES_MAX};
	int ret = gyve_target_mmu(m->t, m->cpu, &l.mmu, m->err);

	if (ret < 0)
		return ret;
	if (mon_paging_off(&l.mmu)) {
		mon_say(m, "PG disabled\n");
		return 0;
	}
	ret = each_range(&l, mem_range);
	if (ret == 0)
		mem_flush(&l);
	return ret;
}

/* QEMU's nine letters of a page. aarch64, which QEMU has no such list for: what means the same there. */
static void page_letters(const struct gyve_mmu *mmu, const struct gyve_walk *w, char buf[10])
{
	uint64_t e = w->nsteps ? w->step[w->nsteps - 1].entry : 0;
	bool x86 = mmu->arch == GYVE_X86_64;
	bool block = x86 ? e >> 7 & 1 && w->page_size > 4096 : !(e >> 1 & 1);
	bool uncached = x86 ? e >> 4 & 1 : w->memtype < 0x50;

	snprintf(buf, 10, "%c%c%c%c%c%c%c%c%c", (x86 ? e >> 63 & 1 : !(w->perms & GYVE_PERM_X)) ? 'X' : '-',
		 w->global ? 'G' : '-', block ? 'P' : '-', x86 && e >> 6 & 1 ? 'D' : '-', e >> (x86 ? 5 : 10) & 1 ? 'A' : '-',
		 uncached ? 'C' : '-', x86 && e >> 3 & 1 ? 'T' : '-', w->perms & GYVE_PERM_U ? 'U' : '-',
		 w->perms & GYVE_PERM_W ? 'W' : '-');
}

static int tlb_range(void *ctx, const struct gyve_range *r)
{
	struct list *l = ctx;
	gyve_gva_t gva = r->start;
	struct gyve_walk w;
	char letters[10];

	for (;;) {
		if (gyve_walk(&l->mmu, &l->m->t->phys, gva, &w) < 0)
			return 0;
		if (!another(l))
			return 1;
		page_letters(&l->mmu, &w, letters);
		mon_say(l->m, "%016" PRIx64 ": %016" PRIx64 " %s\n", gva, w.gpa, letters);
		uint64_t left = r->end_incl - gva;
		if (!w.page_size || left < w.page_size)
			return 0;
		gva += w.page_size;
	}
}

int mon_info_tlb(struct mon *m)
{
	struct list l = {.m = m, .max = QEMU_LINES_MAX};
	int ret = gyve_target_mmu(m->t, m->cpu, &l.mmu, m->err);

	if (ret < 0)
		return ret;
	if (mon_paging_off(&l.mmu)) {
		mon_say(m, "PG disabled\n");
		return 0;
	}
	return each_range(&l, tlb_range);
}

int mon_bt(struct mon *m)
{
	bool locals = strncmp(m->arg, "full", 4) == 0;
	int n;

	if (locals)
		m->arg += 4;
	n = mon_end(m);
	if (n == 0)
		n = gyve_backtrace_print(m->t, m->cpu, 256, locals ? GYVE_BACKTRACE_LOCALS : 0, "", m->out, m->err);
	return n < 0 ? n : 0;
}
