/* By how much a Linux kernel has moved itself (KASLR), where nobody saw it. For the session thread; the guest is stopped. */
#ifndef GYVE_SLIDE_H
#define GYVE_SLIDE_H
#include "gyve/target.h"

/** From the processors' exception entries and where t->syms, moved or not, has their symbols; the kernel's banner is then where
 * its symbol is moved to, unless that memory is not there. false: not to be told (yet). *ret: what is to be added to the file's
 * addresses. */
bool gyve_slide_find(struct gyve_target *t, uint64_t *ret);
/** If t->drifts is adrift and the kernel is where it can be told by now, its symbols are moved. Cheap else. */
void gyve_slide_settle(struct gyve_target *t);
/** The same from symbols that are where the kernel is. */
void gyve_slide_settle_by(struct gyve_target *t, const struct gyve_symtab *syms);
/** The guest begins anew. */
void gyve_slide_forget(struct gyve_target *t);
/** What a debugger is told of where the first segment of the kernel's file is: its symbol _text, where that is known to be
 * moved. 0: not known, or not moved. */
uint64_t gyve_slide_text(const struct gyve_target *t);
#endif
