/* The pool of page-table frames behind the root table, and one mapping through it: both architectures' tables have 512 entries
 * of 8 bytes and say "there is one" in bit 0. */
#include <errno.h>
#include <string.h>

#include "../base/bytes.h"
#include "hermit.h"

#define ADDRESS UINT64_C(0x0000fffffffff000)

uint8_t *hermit_frame(const struct hermit *h, uint64_t gpa)
{
	return gyve_memmap_ptr(h->map, gpa, 4096);
}

/* The table behind entry i of the table at gpa, made if there is none. 0: no frame is left. */
static uint64_t next_table(struct hermit_frames *f, uint64_t gpa, uint64_t i)
{
	uint8_t *entry = hermit_frame(f->h, gpa) + 8 * i;
	uint64_t e = get_le64(entry);

	if (!(e & 1)) {
		if (f->next >= f->h->ga + HERMIT_TABLES_END)
			return 0;
		memset(hermit_frame(f->h, f->next), 0, 4096);
		e = f->next | f->table_bits;
		f->next += 4096;
		put_le64(entry, e);
	}
	return e & ADDRESS;
}

int hermit_map(struct hermit_frames *f, uint64_t va, unsigned leaf_shift, uint64_t leaf, struct gyve_err *err)
{
	uint64_t table = f->h->ga + HERMIT_TABLES;

	for (unsigned shift = 39; shift > leaf_shift && table; shift -= 9)
		table = next_table(f, table, va >> shift & 511);
	if (!table)
		return gyve_err_set(err, -ENOEXEC, "the image is too large for the first page tables");
	put_le64(hermit_frame(f->h, table) + 8 * (va >> leaf_shift & 511), leaf);
	return 0;
}
