/* Breakpoint bytes in guest memory (plant.c). Private to the book; vm->book_lock is held by the callers. */
#ifndef GYVE_PLANT_H
#define GYVE_PLANT_H
#include "vmm.h"

/** NULL: nothing is planted at gpa. Valid until the next add or drop. */
struct plant *plant_find(struct gyve_vm *vm, gyve_gpa_t gpa);
/** One more user of gpa. -EFAULT: no memory there. */
int plant_add(struct gyve_vm *vm, gyve_gpa_t gpa);
/** One user less; the last one puts the guest's bytes back. */
void plant_drop(struct gyve_vm *vm, gyve_gpa_t gpa);
/** What the guest has overwritten becomes the new original, and is planted again; of very many, some at a time. */
void plant_sync(struct gyve_vm *vm);
/** Guest memory is new: nothing is planted. */
void plant_forget(struct gyve_vm *vm);
/** Put the guest's bytes at gpa back until bp_lower(). */
void plant_lift(struct gyve_vm *vm, gyve_gpa_t gpa);
#endif
