/* Breakpoint bytes in guest memory (plant.c). Private to the book; vm->book_lock is held by the callers. */
#ifndef GYVE_PLANT_H
#define GYVE_PLANT_H
#include "vmm.h"

/** Is one byte of [gpa, gpa+len) a planted one? Takes the lock itself. */
bool plant_overlaps(struct gyve_vm *vm, gyve_gpa_t gpa, size_t len);
/** NULL: nothing is planted at gpa. Valid until the next add or drop. */
struct plant *plant_find(struct gyve_vm *vm, gyve_gpa_t gpa);
/** One more user of gpa; spaced: a point of an address space. -EFAULT: no memory there. */
int plant_add(struct gyve_vm *vm, gyve_gpa_t gpa, bool spaced);
/** One user less; the last one puts the guest's bytes back. */
void plant_drop(struct gyve_vm *vm, gyve_gpa_t gpa, bool spaced);
/** What the guest has overwritten becomes the new original, and is planted again; of very many, some at a time; but for those
 * that only points of address spaces use. */
void plant_sync(struct gyve_vm *vm);
/** The same for the one at gpa, whoever uses it. */
void plant_keep(struct gyve_vm *vm, gyve_gpa_t gpa);
/** Guest memory is new: nothing is planted. */
void plant_forget(struct gyve_vm *vm);
/** Put the guest's bytes at gpa back until bp_lower(). */
void plant_lift(struct gyve_vm *vm, gyve_gpa_t gpa);
#endif
