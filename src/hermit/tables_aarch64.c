/* aarch64: 4 KiB pages, identity map of the image, self map, hypercall pages. Arm ARM (DDI 0487) D8.3. */
#include <errno.h>
#include <string.h>

#include "../base/bytes.h"
#include "hermit.h"

enum { PT_PT = 0x713, PT_MEM = 0x713, PT_MEM_CD = 0x70f, RUN = 16 * 4096 };
#define PT_SELF (UINT64_C(1) << 55)
#define CONTIGUOUS (UINT64_C(1) << 52)

struct frames {
	const struct hermit *h;
	uint64_t next;
};

static uint8_t *at(const struct hermit *h, uint64_t gpa)
{
	return gyve_memmap_ptr(h->map, gpa, 4096);
}

static uint64_t next_table(struct frames *f, uint64_t gpa, uint64_t i)
{
	uint8_t *entry = at(f->h, gpa) + 8 * i;
	uint64_t e = get_le64(entry);

	if (!(e & 1)) {
		if (f->next >= f->h->ga + HERMIT_TABLES_END)
			return 0;
		memset(at(f->h, f->next), 0, 4096);
		e = f->next | PT_PT;
		f->next += 4096;
		put_le64(entry, e);
	}
	return e & 0x0000fffffffff000;
}

static int map_page(struct frames *f, uint64_t root, uint64_t va, uint64_t leaf, struct gyve_err *err)
{
	uint64_t t = root;

	for (unsigned shift = 39; shift > 12 && t; shift -= 9)
		t = next_table(f, t, va >> shift & 511);
	if (!t)
		return gyve_err_set(err, -ENOEXEC, "the image is too large for the first page tables");
	put_le64(at(f->h, t) + 8 * (va >> 12 & 511), leaf);
	return 0;
}

int hermit_tables_aarch64(const struct hermit *h, struct gyve_err *err)
{
	uint64_t root = h->ga + HERMIT_TABLES, end = align_up(hermit_image_end(h), 4096);
	struct frames f = {h, root + 4096};
	int r;

	if (!gyve_memmap_ptr(h->map, h->ga + HERMIT_A64_WINDOW, HERMIT_KERNEL - HERMIT_A64_WINDOW))
		return gyve_err_set(err, -ENOEXEC, "guest memory is missing");
	memset(at(h, root), 0, 4096);
	put_le64(at(h, root) + 8 * 511, root | PT_PT | PT_SELF);
	/* Stores here leave the guest: version 1 numbers in page 0, later ones in page 1. */
	r = map_page(&f, root, 0, h->ga | PT_MEM_CD, err);
	if (r == 0)
		r = map_page(&f, root, 4096, (h->ga + 4096) | PT_MEM_CD, err);
	for (uint64_t a = h->ga; r == 0 && a < end; a += 4096) {
		/* the hint is only legal where all sixteen pages are mapped alike */
		bool whole = align_down(a, RUN) >= h->ga && align_down(a, RUN) + RUN <= end;
		r = map_page(&f, root, a, a | PT_MEM | (whole ? CONTIGUOUS : 0), err);
	}
	return r;
}
