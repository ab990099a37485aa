/* x86_64: 2 MiB identity map of the image, recursive slot, GDT. */
#include <errno.h>
#include <string.h>

#include "../base/bytes.h"
#include "hermit.h"

enum { TABLE = 0x3 /* present, writable */, LARGE = 0x83, PAGE_2M = 2 << 20, GIB = 1 << 30 };

/* Inclusive. Kernels before 0.10 expect the rest of the image's GiB as well. */
static uint64_t map_end(const struct hermit *h)
{
	uint64_t end = hermit_mapped_end(h);

	if (h->legacy) {
		uint64_t last = align_down(h->ka, GIB) + GIB - PAGE_2M;
		return last > end ? last : end;
	}
	return end;
}

int hermit_tables_x86_64(const struct hermit *h, struct gyve_err *err)
{
	static const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};
	uint64_t root = h->ga + HERMIT_TABLES;
	struct hermit_frames f = {h, root + 4096, TABLE};
	int r = 0;

	if (!gyve_memmap_ptr(h->map, h->ga, HERMIT_KERNEL))
		return gyve_err_set(err, -ENOEXEC, "guest memory is missing");
	memset(hermit_frame(h, root), 0, 4096);
	put_le64(hermit_frame(h, root) + 8 * 511, root | TABLE);
	for (uint64_t a = h->ga, end = map_end(h); r == 0 && a <= end; a += PAGE_2M)
		r = hermit_map(&f, a, 21, a | LARGE, err);
	memcpy(hermit_frame(h, h->ga + HERMIT_GDT), gdt, sizeof(gdt));
	return r;
}
