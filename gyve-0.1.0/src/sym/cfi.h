/* Call frame information (DWARF 5 section 6.4; LSB's .eh_frame): how the caller's registers are found from a frame's. */
#ifndef GYVE_SYM_CFI_H
#define GYVE_SYM_CFI_H
#include "gyve/unwind.h"

#include <libelf.h>

struct gyve_cfi;

/** The table of elf's .debug_frame and .eh_frame (borrowed until destroyed). NULL: it has none, or no memory. */
struct gyve_cfi *gyve_cfi_create(Elf *elf);
/** The bytes of a section (borrowed) and its link-time address. */
struct gyve_cfi_bytes {
	const uint8_t *data;
	size_t len;
	uint64_t addr;
};
/** The same from sections; an absent one is empty. NULL: no memory. */
struct gyve_cfi *gyve_cfi_create_from(const struct gyve_cfi_bytes *debug_frame, const struct gyve_cfi_bytes *eh_frame);
void gyve_cfi_destroy(struct gyve_cfi *c);
/** Rules at link-time address pc. -ENOENT: nothing covers it; -EBADMSG: damaged. c may be NULL. */
int gyve_cfi_find(const struct gyve_cfi *c, uint64_t pc, struct gyve_cfi_row *row);
#endif
