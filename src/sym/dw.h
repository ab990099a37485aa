/* What DWARF says of a link-time address: file and line, the functions inlined there, their variables. dw*.c are the only files
 * that call libdw (elfutils). One thread at a time. */
#ifndef GYVE_SYM_DW_H
#define GYVE_SYM_DW_H
#include "gyve/sym.h"

#include <elfutils/libdw.h>

struct gyve_dw;

/** Debug information of elf (borrowed until destroyed). NULL: it has none that can be read. */
struct gyve_dw *gyve_dw_create(Elf *elf);
/** Addresses of a unit, [start, end), and where its DIE is. */
struct gyve_dw_unit {
	uint64_t start, end, die;
};
/** The same with the table of units as gyve_dw_units() told it of this file (copied, not trusted). */
struct gyve_dw *gyve_dw_create_known(Elf *elf, const struct gyve_dw_unit *units, size_t n);
/** That table, sorted by start. d may be NULL. Borrowed until destroyed. */
const struct gyve_dw_unit *gyve_dw_units(const struct gyve_dw *d, size_t *n);
void gyve_dw_destroy(struct gyve_dw *d);
/** Text "file.c:34" of addr. Returns its length as snprintf, or -ENOENT. d may be NULL. */
int gyve_dw_line(struct gyve_dw *d, uint64_t addr, char *buf, size_t size);
/** As gyve_symtab_sources() and gyve_symtab_locals(), with link-time addresses. d may be NULL. */
int gyve_dw_sources(struct gyve_dw *d, uint64_t addr, struct gyve_source *ret, unsigned max);
int gyve_dw_locals(struct gyve_dw *d, uint64_t addr, unsigned level, const struct gyve_expr_env *env, gyve_local_fn *fn,
		   void *ctx);

/* --- between dw.c and dw_value.c */
enum { DW_DEPTH = 64 }; /* scopes inside each other, and links in a chain of types, that are followed */

/** The scopes around addr, the unit first. Returns how many, 0 if none is known. */
unsigned gyve_dw_scopes(struct gyve_dw *d, uint64_t addr, Dwarf_Die path[DW_DEPTH]);
/** Where a file's name begins that says enough: "mod.rs" keeps its directory. */
const char *gyve_dw_short_name(const char *path);
#endif
