/* Page tables of a dump that has no system registers: pages that look like a top-level table, map what the vCPU was executing
 * and its stack, and are nobody else's lower-level table. */
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum { PAGE = 4096, ENTRIES = 512, MAX_CANDIDATES = 64 };
#define ADDRESS UINT64_C(0x0000fffffffff000)

struct candidate {
	gyve_gpa_t gpa;
	unsigned variant;
	bool child; /* another candidate points to it */
};

/* aarch64: sizes of the halves that kernels use with 4 KiB granules (T0SZ = T1SZ). */
static const uint8_t a64_sizes[] = {16, 25};

static void set_root(struct gyve_regs *r, gyve_gpa_t gpa, unsigned variant)
{
	if (r->arch == GYVE_X86_64) {
		r->x86.cr3 = gpa;
		r->x86.cr0 |= 0x80000001;
		r->x86.cr4 |= 1 << 5;
		r->x86.efer |= 0xd00; /* long mode, no-execute bits */
		return;
	}
	uint64_t size = a64_sizes[variant];
	r->a64.sctlr_el1 |= 1;
	r->a64.tcr_el1 = size | size << 16 | UINT64_C(2) << 30 | UINT64_C(5) << 32;
	if (r->a64.pc >> 55 & 1)
		r->a64.ttbr1_el1 = gpa;
	else
		r->a64.ttbr0_el1 = gpa;
}

/* Every entry that is present leads to memory, and there is one. */
static bool looks_like_table(const struct gyve_core *core, const uint8_t *page)
{
	unsigned present = 0;

	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t e = get_le64(page + 8 * i);
		if (!(e & 1))
			continue;
		bool table = core->arch->id == GYVE_X86_64 ? !(e >> 7 & 1) : e >> 1 & 1;
		if (table && !gyve_memmap_find(&core->map, e & ADDRESS))
			return false;
		present += table;
	}
	return present > 0;
}

static bool maps_cpu(struct gyve_core *core, const struct gyve_regs *cpu, gyve_gpa_t gpa, unsigned variant)
{
	struct gyve_regs *r = malloc(sizeof(*r));
	struct gyve_mmu mmu;
	struct gyve_walk w;
	uint8_t b;
	bool ok = false;

	if (!r)
		return false;
	*r = *cpu;
	set_root(r, gpa, variant);
	gyve_mmu_from_regs(&mmu, r);
	uint64_t pc = core->arch->pc(r), sp = core->arch->sp(r);
	if (gyve_walk(&mmu, &core->phys, pc, &w) == 0 && w.perms & GYVE_PERM_X &&
	    core->phys.read(core->phys.ctx, w.gpa, &b, 1) == 1)
		ok = !sp || (gyve_walk(&mmu, &core->phys, sp - 1, &w) == 0 && w.perms & GYVE_PERM_W &&
			     core->phys.read(core->phys.ctx, w.gpa, &b, 1) == 1);
	free(r);
	return ok;
}

static size_t find(struct gyve_core *core, const struct gyve_regs *cpu, struct candidate *c)
{
	unsigned variants = core->arch->id == GYVE_X86_64 ? 1 : GYVE_ARRAY_SIZE(a64_sizes);
	size_t n = 0;

	for (size_t i = 0; i < core->map.n; i++) {
		const struct gyve_region *r = &core->map.regions[i];
		for (uint64_t at = -r->gpa & (PAGE - 1), len; at < r->len && r->len - at >= PAGE; at += len) {
			uint64_t state_len;
			len = PAGE;
			if (gyve_core_page_state(core, r->gpa + at, &state_len) != GYVE_CORE_STORED) {
				len = state_len >= PAGE ? align_down(state_len, PAGE) : PAGE;
				continue;
			}
			const uint8_t *p = gyve_core_ptr(core, r->gpa + at, &len);
			len = PAGE;
			if (!p || !looks_like_table(core, p))
				continue;
			for (unsigned v = 0; v < variants && n < MAX_CANDIDATES; v++)
				if (maps_cpu(core, cpu, r->gpa + at, v))
					c[n++] = (struct candidate){r->gpa + at, v, false};
		}
	}
	return n;
}

static void mark_children(struct gyve_core *core, struct candidate *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t len = PAGE;
		const uint8_t *p = gyve_core_ptr(core, c[i].gpa, &len);
		for (unsigned e = 0; p && len == PAGE && e < ENTRIES; e++) {
			uint64_t v = get_le64(p + 8 * e), to = v & ADDRESS;
			for (size_t k = 0; v & 1 && k < n; k++)
				c[k].child |= to == c[k].gpa && to != c[i].gpa;
		}
	}
}

/* The kernel's half is that of every process: enough for the kernel's stacks. */
static bool use_linux(struct gyve_core *core)
{
	const struct gyve_core_linux *l = &core->guest_linux;
	uint64_t tg0, tg1;

	if (!core_find_linux(core) || !l->root_known || !gyve_memmap_find(&core->map, l->root))
		return false;
	/* a granule's codes in the two fields differ */
	tg1 = l->page == 4096 ? 2 : l->page == 16384 ? 1 : 3;
	tg0 = l->page == 4096 ? 0 : l->page == 16384 ? 2 : 1;
	for (unsigned i = 0; i < core->ncpus; i++) {
		struct gyve_regs *r = &core->regs[i];
		if (r->arch == GYVE_X86_64) {
			set_root(r, l->root, 0);
			r->x86.cr4 |= l->levels == 5 ? 1 << 12 : 0;
		} else {
			r->a64.sctlr_el1 |= 1 | (l->signs ? UINT64_C(3) << 30 : 0); /* EnIA, EnIB */
			r->a64.ttbr1_el1 = l->root;
			/* the lower half is nobody's: EPD0; addresses of 48 bits */
			r->a64.tcr_el1 = l->t1sz | (uint64_t)l->t1sz << 16 | 1 << 7 | tg0 << 14 | tg1 << 30 | UINT64_C(5) << 32;
		}
		r->valid |= GYVE_REGS_SYS;
	}
	core->have_sys = true;
	core_warn(core, "Linux %s says that its page tables are at 0x%" PRIx64, l->release, l->root);
	return true;
}

int gyve_core_find_roots(struct gyve_core *core, struct gyve_err *err)
{
	struct candidate c[MAX_CANDIDATES];
	unsigned found = 0;

	if (use_linux(core))
		return 0;
	for (unsigned i = 0; i < core->ncpus; i++) {
		size_t n = find(core, &core->regs[i], c), roots = 0, first = 0;
		mark_children(core, c, n);
		for (size_t k = n; k-- > 0;)
			if (!c[k].child) {
				first = k;
				roots++;
			}
		if (!roots)
			continue;
		set_root(&core->regs[i], c[first].gpa, c[first].variant);
		core->regs[i].valid |= GYVE_REGS_SYS;
		found++;
		core_warn(core, "vCPU %u: page tables found at 0x%" PRIx64 "%s", i, c[first].gpa,
			  roots > 1 ? ", and other places look like some" : "");
	}
	if (!found)
		return gyve_err_set(err, -ENOENT, "no page tables that map the pc and the stack of a vCPU were found");
	core->have_sys = true;
	return 0;
}
