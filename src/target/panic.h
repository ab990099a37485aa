/* Private to src/target: what the session does about a kernel's panic while no debugger looks. The session thread. */
#ifndef GYVE_TARGET_PANIC_H
#define GYVE_TARGET_PANIC_H
#include "gyve/target.h"

/* Each takes NULL for p: nobody wants to know. */

/** Have the breakpoint that comes next, if there is one. The guest is stopped. */
void panic_arm(struct gyve_panic *p, struct gyve_target *t);
/** Would panic_arm() do anything? */
bool panic_wants_points(const struct gyve_panic *p);
/** A debugger's points are the only ones. The guest is stopped. */
void panic_disarm(struct gyve_panic *p, struct gyve_target *t);
enum panic_result {
	PANIC_NOT,
	PANIC_GO_ON, /**< it is on its way: the guest shall go on */
	PANIC_NOW,   /**< *stop is a crash now, and t->last */
};
/** A stop was taken, no debugger is there. */
enum panic_result panic_stop(struct gyve_panic *p, struct gyve_target *t, struct gyve_stop *stop);
/** The guest has ended: by a panic? *stop is a crash then. */
bool panic_ended(struct gyve_panic *p, struct gyve_target *t, struct gyve_stop *stop);
/** The same while a debugger is there: *stop is what it asked for then, and t->last. */
void panic_caught(struct gyve_panic *p, struct gyve_target *t, struct gyve_stop *stop);
/** Can a breakpoint at panic() be had, without stepping through everything? */
bool panic_has_breakpoint(const struct gyve_target *t, uint64_t *at);
/** Readable when the kernel has said something of the kind: panic_heard() then. -1: never. */
int panic_fd(const struct gyve_panic *p);
void panic_heard(struct gyve_panic *p, struct gyve_target *t, bool debugger);
#endif
