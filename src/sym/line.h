/* Link-time address -> file:line. Without libdwarf every lookup says "unknown". One thread at a time. */
#ifndef GYVE_SYM_LINE_H
#define GYVE_SYM_LINE_H
#include <libelf.h>
#include <stddef.h>
#include <stdint.h>

struct gyve_lines;

/** Lines of elf (borrowed until destroyed). NULL: it has none that can be read. */
struct gyve_lines *gyve_lines_create(Elf *elf);
void gyve_lines_destroy(struct gyve_lines *l);
/** Text "file.c:34" of addr. Returns its length as snprintf, or -ENOENT. l may be NULL. */
int gyve_lines_format(struct gyve_lines *l, uint64_t addr, char *buf, size_t size);
#endif
