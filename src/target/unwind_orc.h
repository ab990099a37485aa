/* The unwind table that a Linux kernel for x86_64 carries with it (Documentation/arch/x86/orc-unwinder.rst). */
#ifndef GYVE_UNWIND_ORC_H
#define GYVE_UNWIND_ORC_H
#include "kernel.h"

#include "gyve/unwind.h"

/** The frame that called or was interrupted by f, by the kernel's own table; modules have tables of their own, which are not
 * looked at. False: nothing is known of f's pc there, or what the table needs is not. out->pc 0: f is the outermost. */
bool gyve_orc_step(const struct gyve_kernel *k, const struct gyve_frame *f, struct gyve_frame *out);
#endif
