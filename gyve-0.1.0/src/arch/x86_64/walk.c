/* x86 paging: off, 32-bit, PAE, 4- and 5-level. Intel SDM vol. 3A chapter 4; AMD APM vol. 2 chapter 5. */
#include <errno.h>

#include "../walk_priv.h"

enum { P = 0, RW = 1, US = 2, PWT = 3, PCD = 4, PS = 7, G = 8, PAT_4K = 7, PAT_LARGE = 12, NX = 63 };
enum { CR0_PG = 31, CR4_PSE = 4, CR4_PAE = 5, CR4_LA57 = 12, EFER_LME = 8, EFER_NXE = 11 };

static unsigned pa_bits(const struct gyve_mmu *mmu)
{
	return mmu->pa_bits && mmu->pa_bits < 52 ? mmu->pa_bits : 52;
}

static bool is_long(const struct gyve_mmu *mmu)
{
	return bit(mmu->x86.efer, EFER_LME) && bit(mmu->x86.cr0, CR0_PG) && bit(mmu->x86.cr4, CR4_PAE);
}

static unsigned va_bits(const struct gyve_mmu *mmu)
{
	return !is_long(mmu) ? 32 : bit(mmu->x86.cr4, CR4_LA57) ? 57 : 48;
}

static void add_rights(struct gyve_walk *w, uint64_t e)
{
	if (!bit(e, RW))
		w->perms &= ~(unsigned)GYVE_PERM_W;
	if (!bit(e, US))
		w->perms &= ~(unsigned)GYVE_PERM_U;
	if (bit(e, NX))
		w->perms &= ~(unsigned)GYVE_PERM_X;
}

static int leaf(struct gyve_walk *w, gyve_gva_t gva, uint64_t e, gyve_gpa_t base, uint64_t size, bool large)
{
	w->status = GYVE_WALK_OK;
	w->gpa = base + (gva & (size - 1));
	w->page_size = size;
	w->memtype = (unsigned)(bit(e, large ? PAT_LARGE : PAT_4K) << 2 | bit(e, PCD) << 1 | bit(e, PWT));
	w->global = bit(e, G);
	w->user_x = (w->perms & (GYVE_PERM_U | GYVE_PERM_X)) == (GYVE_PERM_U | GYVE_PERM_X);
	return 0;
}

/* Two levels of 4-byte entries. PSE-36: bits 20:13 of a 4 MiB entry are address bits 39:32. */
static int walk_32(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *w)
{
	uint64_t e;

	if (!walk_step(phys, w, 2, (mmu->x86.cr3 & 0xfffff000) + 4 * bits(gva, 31, 22), 4, &e))
		return walk_fail(w, GYVE_WALK_NO_MEMORY, 1u << 22);
	if (!bit(e, P))
		return walk_fail(w, GYVE_WALK_NOT_PRESENT, 1u << 22);
	add_rights(w, e);
	if (bit(e, PS) && bit(mmu->x86.cr4, CR4_PSE)) {
		unsigned pa = pa_bits(mmu) < 40 ? pa_bits(mmu) : 40;
		uint64_t reserved = 1u << 21 | (pa < 32 ? mask(20, 13) : mask(20, 13 + pa - 32));
		if (e & reserved)
			return walk_fail(w, GYVE_WALK_RESERVED, 1u << 22);
		return leaf(w, gva, e, (e & 0xffc00000) | bits(e, 20, 13) << 32, 1u << 22, true);
	}
	if (!walk_step(phys, w, 1, (e & 0xfffff000) + 4 * bits(gva, 21, 12), 4, &e))
		return walk_fail(w, GYVE_WALK_NO_MEMORY, 4096);
	if (!bit(e, P))
		return walk_fail(w, GYVE_WALK_NOT_PRESENT, 4096);
	add_rights(w, e);
	return leaf(w, gva, e, e & 0xfffff000, 4096, false);
}

/* `level` levels of 8-byte entries from the table at base. Rights are gathered as bits: what every entry allows. */
static int walk_64(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *w, int level,
		   gyve_gpa_t base, bool pae)
{
	uint64_t reserved = mask(pae ? 62 : 51, pa_bits(mmu)) | (bit(mmu->x86.efer, EFER_NXE) ? 0 : UINT64_C(1) << NX);
	uint64_t allow = UINT64_MAX, deny = 0;

	for (;; level--) {
		unsigned shift = 12 + 9 * (unsigned)(level - 1);
		uint64_t e, size = UINT64_C(1) << shift, bad = reserved;
		if (!walk_step(phys, w, level, base + 8 * (gva >> shift & 511), 8, &e))
			return walk_fail(w, GYVE_WALK_NO_MEMORY, size);
		if (!bit(e, P))
			return walk_fail(w, GYVE_WALK_NOT_PRESENT, size);
		bool large = bit(e, PS) && level > 1;
		if (large && (level >= 4 || (level == 3 && mmu->x86.gbpages_unsupported)))
			return walk_fail(w, GYVE_WALK_RESERVED, size);
		if (large)
			bad |= mask(shift - 1, 13);
		if (e & bad)
			return walk_fail(w, GYVE_WALK_RESERVED, size);
		allow &= e;
		deny |= e;
		base = e & mask(51, 12);
		if (large || level == 1) {
			add_rights(w, (allow & (1u << RW | 1u << US)) | (deny & UINT64_C(1) << NX));
			return leaf(w, gva, e, base & ~(size - 1), size, large);
		}
	}
}

/* Four page-directory-pointer entries; they carry no rights. SDM vol. 3A 4.4.1. */
static int walk_pae(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *w)
{
	uint64_t e, reserved = mask(2, 1) | mask(8, 5) | mask(63, pa_bits(mmu));

	if (!walk_step(phys, w, 3, (mmu->x86.cr3 & 0xffffffe0) + 8 * bits(gva, 31, 30), 8, &e))
		return walk_fail(w, GYVE_WALK_NO_MEMORY, 1u << 30);
	if (!bit(e, P))
		return walk_fail(w, GYVE_WALK_NOT_PRESENT, 1u << 30);
	if (e & reserved)
		return walk_fail(w, GYVE_WALK_RESERVED, 1u << 30);
	return walk_64(mmu, phys, gva, w, 2, e & mask(51, 12), true);
}

int x86_walk(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *w)
{
	unsigned va = va_bits(mmu);

	w->perms = GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X | GYVE_PERM_U;
	if (!bit(mmu->x86.cr0, CR0_PG)) {
		if (gva >> 32)
			return walk_fail(w, GYVE_WALK_NONCANONICAL, 0);
		w->status = GYVE_WALK_OK;
		w->gpa = gva;
		w->page_size = 4096;
		w->user_x = true;
		return 0;
	}
	if (va == 32 ? gva >> 32 != 0 : (uint64_t)((int64_t)(gva << (64 - va)) >> (64 - va)) != gva)
		return walk_fail(w, GYVE_WALK_NONCANONICAL, 0);
	if (is_long(mmu))
		return walk_64(mmu, phys, gva, w, va == 57 ? 5 : 4, mmu->x86.cr3 & mask(51, 12), false);
	return bit(mmu->x86.cr4, CR4_PAE) ? walk_pae(mmu, phys, gva, w) : walk_32(mmu, phys, gva, w);
}

gyve_gva_t x86_next_half(const struct gyve_mmu *mmu, gyve_gva_t gva)
{
	unsigned va = va_bits(mmu);

	return va == 32 || bit(gva, 63) ? 0 : UINT64_MAX << (va - 1);
}

const char *x86_level_name(const struct gyve_mmu *mmu, int level)
{
	static const char *const names[] = {"?", "PTE", "PDE", "PDPTE", "PML4E", "PML5E"};

	(void)mmu;
	return level >= 1 && level <= 5 ? names[level] : names[0];
}
