/* Addresses to names and lines, from an ELF file (libelf; lines by libdwarf when present). Hostile input: never crashes. */
#ifndef GYVE_SYM_H
#define GYVE_SYM_H
#include "gyve/error.h"
#include "gyve/types.h"
struct gyve_symtab;
/** Load symbols from an ELF in memory (copied as needed). bias is added to every address. */
int gyve_symtab_create(struct gyve_symtab **ret, const void *elf, size_t size, uint64_t bias, struct gyve_err *err);
void gyve_symtab_destroy(struct gyve_symtab *t);
/** "name+0x12 (file.c:34)" or "0x..." when unknown. Returns length as snprintf. t may be NULL. */
int gyve_symtab_format(const struct gyve_symtab *t, uint64_t addr, char *buf, size_t size);
/** The same of a return address: the call before it is what is named, the offset is the address's own. */
int gyve_symtab_format_return(const struct gyve_symtab *t, uint64_t addr, char *buf, size_t size);
/** What was added to the file's addresses. 0 when t is NULL. */
uint64_t gyve_symtab_bias(const struct gyve_symtab *t);
/** Address of a symbol. -ENOENT. */
int gyve_symtab_lookup(const struct gyve_symtab *t, const char *name, uint64_t *ret);
#endif
