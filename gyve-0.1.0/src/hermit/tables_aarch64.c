/* aarch64: 4 KiB pages, identity map of the image, self map, hypercall pages. Arm ARM (DDI 0487) D8.3. */
#include <errno.h>
#include <string.h>

#include "../base/bytes.h"
#include "hermit.h"

enum { PT_PT = 0x713, PT_MEM = 0x713, PT_MEM_CD = 0x70f, RUN = 16 * 4096 };
#define PT_SELF (UINT64_C(1) << 55)
#define CONTIGUOUS (UINT64_C(1) << 52)

int hermit_tables_aarch64(const struct hermit *h, struct gyve_err *err)
{
	uint64_t root = h->ga + HERMIT_TABLES, end = align_up(hermit_mapped_end(h), 4096);
	struct hermit_frames f = {h, root + 4096, PT_PT};
	int r;

	if (!gyve_memmap_ptr(h->map, h->ga + HERMIT_A64_WINDOW, HERMIT_KERNEL - HERMIT_A64_WINDOW))
		return gyve_err_set(err, -ENOEXEC, "guest memory is missing");
	memset(hermit_frame(h, root), 0, 4096);
	put_le64(hermit_frame(h, root) + 8 * 511, root | PT_PT | PT_SELF);
	/* Stores here leave the guest: version 1 numbers in page 0, later ones in page 1. */
	r = hermit_map(&f, 0, 12, h->ga | PT_MEM_CD, err);
	if (r == 0)
		r = hermit_map(&f, 4096, 12, (h->ga + 4096) | PT_MEM_CD, err);
	for (uint64_t a = h->ga; r == 0 && a < end; a += 4096) {
		/* the hint is only legal where all sixteen pages are mapped alike */
		bool whole = align_down(a, RUN) >= h->ga && align_down(a, RUN) + RUN <= end;
		r = hermit_map(&f, a, 12, a | PT_MEM | (whole ? CONTIGUOUS : 0), err);
	}
	return r;
}
