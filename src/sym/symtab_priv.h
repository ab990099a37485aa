/* Between the questions (symtab.c), the reading of ELF (symtab_read.c) and the index that saves it (index.c). */
#ifndef GYVE_SYM_SYMTAB_PRIV_H
#define GYVE_SYM_SYMTAB_PRIV_H
#include "cfi.h"
#include "dw.h"

#include <pthread.h>

enum { SYMTAB_MAX = 1 << 24 }; /* symbols: a bound on what a hostile file can make us do */

/** As it is in the index file, too. */
struct gyve_symbol {
	uint64_t start;
	uint64_t end;  /**< exclusive; == start: size unknown */
	uint64_t name; /**< offset in the image; terminated within its string table */
	uint32_t section;
	uint16_t rank;   /**< of several names for an address the higher is shown */
	uint16_t placed; /**< an address of the image, not a mere number (SHN_ABS) */
};

struct gyve_symtab {
	uint64_t bias;
	const uint8_t *image;
	uint8_t *copy; /**< the same, if it is ours: the caller's may go, its file may change */
	size_t size;
	char *key;            /**< NULL: no index is kept */
	pthread_mutex_t lock; /**< guards everything below; a lookup may be the first and parse */
	bool parsed;
	Elf *elf;
	struct gyve_symbol *syms; /**< sorted by start, then rank */
	uint64_t *reach;          /**< reach[i]: the highest end among syms[0..i] */
	uint64_t *sect_end;       /**< by section index: end of the section, 0 if it is not in memory */
	size_t nsyms, max_syms, nsects;
	struct gyve_dw *dw;
	struct gyve_cfi *cfi; /**< read when first asked for */
	bool cfi_read;
	const uint8_t *frames; /**< a second file to ask for them; NULL: none */
	size_t frames_size;
	Elf *frames_elf;
	struct gyve_cfi *frames_cfi;
};

/** Fill in reach. */
void gyve_symtab_make_reach(struct gyve_symtab *t);
/** Fill in sect_end. */
void gyve_symtab_read_sections(struct gyve_symtab *t);
/** Fill in syms and nsyms from the ELF file. */
void gyve_symtab_read_symbols(struct gyve_symtab *t);
/** The same, and the table of units, from the index file. False: there is none that fits; nothing has been changed. */
bool gyve_index_load(struct gyve_symtab *t);
/** The same from the bytes of such a file. t->elf is open. */
bool gyve_index_take(struct gyve_symtab *t, const uint8_t *file, size_t size);
/** Write the head of an index file of t, behind which the symbols and units are. For index.c and what feeds it nonsense. */
enum { GYVE_INDEX_HEAD = 64 };
void gyve_index_seal(const struct gyve_symtab *t, size_t nsyms, size_t nunits, uint8_t *file, size_t size);
/** Keep syms and the units of dw for the next time. */
void gyve_index_store(const struct gyve_symtab *t);
#endif
