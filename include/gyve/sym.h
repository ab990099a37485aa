/* Addresses to names and lines, from an ELF file (libelf; lines, inlined functions and variables by libdw). Hostile input:
 * never crashes. */
#ifndef GYVE_SYM_H
#define GYVE_SYM_H
#include "gyve/error.h"
#include "gyve/types.h"
struct gyve_symtab;
struct gyve_expr_env; /* gyve/unwind.h */
/** Load symbols from an ELF in memory (copied as needed). bias is added to every address. */
int gyve_symtab_create(struct gyve_symtab **ret, const void *elf, size_t size, uint64_t bias, struct gyve_err *err);
/** The same without a copy: elf stays as it is, GYVE_SYM_TAIL readable zeros behind it included, until t is destroyed. */
int gyve_symtab_borrow(struct gyve_symtab **ret, const void *elf, size_t size, uint64_t bias, struct gyve_err *err);
enum { GYVE_SYM_TAIL = 64 };
/** Keep what is worked out of a big ELF in the user's cache directory, and look there first. key: the build id in hex, which
 * becomes part of a file's name. Before the first question. */
void gyve_symtab_keep_index(struct gyve_symtab *t, const char *key);
/** Call frame information for what t has none of: from another file of the same program (borrowed until t is destroyed). */
void gyve_symtab_add_frames(struct gyve_symtab *t, const void *elf, size_t size);
/** What an ELF says about its debug information. name: of the file that has it (.gnu_debuglink), empty: not said. */
struct gyve_debug_link {
	bool has_debug, has_symbols;
	char name[256];
	uint32_t crc; /**< of that file's bytes: gyve_debug_crc() */
};
void gyve_debug_link(const void *elf, size_t size, struct gyve_debug_link *ret);
uint32_t gyve_debug_crc(const void *data, size_t size);
/** A section of a relocatable file that takes room in memory. */
struct gyve_ko_section {
	char name[64];
	uint64_t size;
};
/** What a kernel module's file says of itself. */
struct gyve_ko {
	struct gyve_ko_section *sections; /**< in the file's order */
	size_t n;
	uint8_t build_id[32];
	size_t build_id_len; /**< 0: it has none */
	bool has_debug;
};
/** -ENOEXEC: it is none, -ENOMEM. */
int gyve_ko_read(const void *elf, size_t size, struct gyve_ko *ret);
void gyve_ko_free(struct gyve_ko *ko);
void gyve_symtab_destroy(struct gyve_symtab *t);
/** "name+0x12 (file.c:34)" or "0x..." when unknown. Returns length as snprintf. t may be NULL. */
int gyve_symtab_format(const struct gyve_symtab *t, uint64_t addr, char *buf, size_t size);
/** The same of a return address: the call before it is what is named, the offset is the address's own. */
int gyve_symtab_format_return(const struct gyve_symtab *t, uint64_t addr, char *buf, size_t size);
/** What was added to the file's addresses. 0 when t is NULL. */
uint64_t gyve_symtab_bias(const struct gyve_symtab *t);
/** Another bias. Nobody else asks t at this time. */
void gyve_symtab_move(struct gyve_symtab *t, uint64_t bias);
/** Address of a symbol. -ENOENT. */
int gyve_symtab_lookup(const struct gyve_symtab *t, const char *name, uint64_t *ret);
/** Call cb for every symbol, ascending by address, until it returns nonzero; returns that or 0. cb must not use t. */
int gyve_symtab_each(const struct gyve_symtab *t, int (*cb)(void *ctx, const char *name, uint64_t addr, uint64_t size),
		     void *ctx);
/** A function at an address, as its source has it. */
struct gyve_source {
	const char *function; /**< lives as long as the symbol table; NULL: it has no name */
	char place[128];      /**< "file.c:34", of the address or of the call inlined there; empty: unknown */
	bool inlined;         /**< into the next one */
};
/** The functions at addr (for a return address give one less), the innermost first. Returns how many, 0: no debug information.
 */
int gyve_symtab_sources(const struct gyve_symtab *t, uint64_t addr, struct gyve_source *ret, unsigned max);
typedef void gyve_local_fn(void *ctx, const char *name, const char *value, bool parameter);
/** Parameters and variables of the level-th of those functions, as text. env: registers, CFA and memory of the frame. -ENOENT:
 * no debug information. */
int gyve_symtab_locals(const struct gyve_symtab *t, uint64_t addr, unsigned level, const struct gyve_expr_env *env,
		       gyve_local_fn *fn, void *ctx);
#endif
