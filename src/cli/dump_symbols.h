/* Private to src/cli: the symbols of a dump. */
#ifndef GYVE_DUMP_SYMBOLS_H
#define GYVE_DUMP_SYMBOLS_H
#include "dump_open.h"

/** Find d->image, and d->debug if that is another file. What does not fit is said. False: --symbols names no ELF file (said).
 */
bool gyve_dump_find_symbols(struct gyve_dump *d, const char *dump, const struct gyve_dump_opts *o);
/** Read them, at their place in memory. d->target is there already, and gets them. */
void gyve_dump_load_symbols(struct gyve_dump *d, const struct gyve_dump_opts *o);
void gyve_dump_drop_symbols(struct gyve_dump *d);
#endif
