/* Points that belong to one address space (space.c). Private to the book; vm->book_lock is held by the callers, unless another
 * thing is said. A vCPU that is given is the caller's own, or out. */
#ifndef GYVE_SPACE_H
#define GYVE_SPACE_H
#include "vmm.h"

/** The space of a point that a client names gva: what it chose, but for addresses that are the same in all spaces. */
struct gyve_space space_for(const struct gyve_vm *vm, gyve_gva_t gva);
bool space_same(const struct gyve_vm *vm, const struct gyve_space *a, const struct gyve_space *b);
/** Does gva mean for v what it means in s? Without the lock, too. */
bool space_current(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva);
/** And is it mapped? A debug register fires before the fetch that makes the guest map the page, and again behind that. */
bool space_has(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva);
/** Where gva is in s by a walk from its root, the rest of the paging state being that of v. */
bool space_walk(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva, gyve_gpa_t *ret);
/** The bytes there, breakpoint bytes hidden; as gyve_virt_read(). */
ssize_t space_read(struct gyve_vcpu *v, const struct gyve_space *s, gyve_gva_t gva, void *buf, size_t len);
/** Plant, move or take out points whose space v has now (NULL: any vCPU), all being out; of very many, some at a time. */
void space_sync(struct gyve_vm *vm, struct gyve_vcpu *v);

/** A point whose bytes are to be in the page that its space has for it. */
static inline bool space_plants(const struct point *p)
{
	return p->in.on && p->kind == GYVE_POINT_SW && (p->state == POINT_PENDING || p->state == POINT_BYTES);
}
/* bp.c */
void bp_unplant(struct gyve_vm *vm, struct point *p);
bool bp_plant(struct gyve_vm *vm, struct point *p, gyve_gpa_t gpa);
#endif
