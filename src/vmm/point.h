/* Debug registers for points (point_regs.c). Private to the book; vm->book_lock is held by the callers. */
#ifndef GYVE_POINT_H
#define GYVE_POINT_H
#include "vmm.h"

static inline bool point_is_watch(enum gyve_point_kind kind)
{
	return kind >= GYVE_POINT_WRITE;
}

/** Points at gva, of any kind, one by one: *at begins as SIZE_MAX. NULL: no more. */
struct point *point_at(const struct gyve_vm *vm, gyve_gva_t gva, size_t *at);
/** Where the bytes of a breakpoint at gva go as v sees memory now; false: nowhere. */
bool bp_walk(struct gyve_vcpu *v, gyve_gva_t gva, gyve_gpa_t *ret);
enum gyve_hw_type point_hw_type(enum gyve_point_kind kind);
/** Debug registers p holds now. */
unsigned point_slots_of(const struct gyve_vm *vm, const struct point *p);
/** Make p, which is not in the book yet, one that holds registers. -ENOSPC: err says who has them. */
int point_give_registers(struct gyve_vm *vm, struct point *p, struct gyve_err *err);
/** Debug registers that a breakpoint could still have. */
unsigned point_registers_left(const struct gyve_vm *vm);
/** The book is not what the vCPUs last took their debug registers from. */
void bp_changed(struct gyve_vm *vm);

/* --- unseen.c */

/** p, for which v has a mapping, gets a debug register in place of bytes. False: it does not, plant it. True and !all_stand:
 * it would; v->wants_alone, and bp_sync() is to be called again when the others are out of the guest. */
bool unseen_take(struct gyve_vcpu *v, struct point *p, bool all_stand);
/** One of those is planted instead, for another point that must have a register. False: there is none. All stand. */
bool unseen_yield(struct gyve_vm *vm);
#endif
