/* Private to src/arch: what the two walkers and view.c share. */
#ifndef GYVE_WALK_PRIV_H
#define GYVE_WALK_PRIV_H
#include "gyve/walk.h"

#include <errno.h>
#include <string.h>

/** Bits [hi:lo] of v, shifted down. */
static inline uint64_t bits(uint64_t v, unsigned hi, unsigned lo)
{
	return (v >> lo) & (UINT64_MAX >> (63 - (hi - lo)));
}

static inline bool bit(uint64_t v, unsigned n)
{
	return (v >> n) & 1;
}

/** Mask of bits [hi:lo], hi <= 63. Empty when hi < lo. */
static inline uint64_t mask(unsigned hi, unsigned lo)
{
	return hi < lo ? 0 : (UINT64_MAX >> (63 - (hi - lo))) << lo;
}

/** End the walk: what failed, and how much address space that hole covers. */
static inline int walk_fail(struct gyve_walk *w, enum gyve_walk_status why, uint64_t hole)
{
	w->status = why;
	w->page_size = hole;
	return -EFAULT;
}

/** Read the entry of `size` (4 or 8) bytes at gpa and note it. */
static inline bool walk_step(const struct gyve_mem *phys, struct gyve_walk *w, int level, gyve_gpa_t gpa, unsigned size,
			     uint64_t *ret)
{
	struct gyve_walk_step *s = &w->step[w->nsteps++];

	s->level = level;
	s->entry_gpa = gpa;
	s->entry = 0;
	const struct gyve_region *r = phys->direct && phys->direct->n ? &phys->direct->regions[0] : NULL;
	if (r && gpa >= r->gpa && gpa - r->gpa < r->len && r->len - (gpa - r->gpa) >= size) {
		uint64_t e = 0;
		if (size == 8)
			memcpy(&e, r->hva + (gpa - r->gpa), 8);
		else
			memcpy(&e, r->hva + (gpa - r->gpa), 4);
		*ret = s->entry = e;
		return true;
	}
	if (phys->read(phys->ctx, gpa, &s->entry, size) != (ssize_t)size)
		return false;
	*ret = s->entry;
	return true;
}

int x86_walk(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *w);
int a64_walk(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *w);
/** First address after gva at which the next half of the address space begins; 0: gva lies in the last one. */
gyve_gva_t x86_next_half(const struct gyve_mmu *mmu, gyve_gva_t gva);
gyve_gva_t a64_next_half(const struct gyve_mmu *mmu, gyve_gva_t gva);
const char *x86_level_name(const struct gyve_mmu *mmu, int level);
const char *a64_level_name(const struct gyve_mmu *mmu, int level);
#endif
