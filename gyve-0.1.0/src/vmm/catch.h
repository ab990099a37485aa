/* Stops at exceptions (catch.c); private to src/vmm. */
#ifndef GYVE_CATCH_H
#define GYVE_CATCH_H
#include "vmm.h"

/** Look at v's tables, and have breakpoints where its handlers begin. v's thread inside, or the session thread while stopped.
 */
void catch_sync(struct gyve_vcpu *v);
/** The same for all vCPUs, if anything is to be caught. Everybody is out. */
void catch_sync_all(struct gyve_vm *vm);
/** *stop is a breakpoint hit of v: is it (also) an exception that is to be caught? vm->book_lock is held. */
void catch_mark(struct gyve_vcpu *v, struct gyve_stop *stop);
/** v's thread: start or end the timer that brings it out to look; and end it for good. */
void catch_tick(struct gyve_vcpu *v);
void catch_tick_stop(struct gyve_vcpu *v);

/* bp.c; vm->book_lock is held */
/** A software breakpoint at gva, wanted by owner. v, if inside, walks. 0 or negative errno. */
int bp_own(struct gyve_vm *vm, struct gyve_vcpu *v, gyve_gva_t gva, unsigned owner);
/** owner wants p no longer: it goes when nobody does, and p means another point then. */
void bp_disown(struct gyve_vm *vm, struct point *p, unsigned owner);
#endif
