/* x86_64: 2 MiB identity map of the image, recursive slot, GDT. */
#include <errno.h>
#include <string.h>

#include "../base/bytes.h"
#include "hermit.h"

enum { TABLE = 0x3 /* present, writable */, LARGE = 0x83, PAGE_2M = 2 << 20, GIB = 1 << 30 };

struct frames {
	const struct hermit *h;
	uint64_t next;
};

static uint8_t *at(const struct hermit *h, uint64_t gpa)
{
	return gyve_memmap_ptr(h->map, gpa, 4096);
}

/* The table behind entry i of the table at gpa, made if there is none. 0: no frame is left. */
static uint64_t next_table(struct frames *f, uint64_t gpa, uint64_t i)
{
	uint8_t *entry = at(f->h, gpa) + 8 * i;
	uint64_t e = get_le64(entry);

	if (!(e & 1)) {
		if (f->next >= f->h->ga + HERMIT_TABLES_END)
			return 0;
		memset(at(f->h, f->next), 0, 4096);
		e = f->next | TABLE;
		f->next += 4096;
		put_le64(entry, e);
	}
	return e & ~UINT64_C(0xfff);
}

static int map_page(struct frames *f, uint64_t root, uint64_t a, struct gyve_err *err)
{
	uint64_t pdpt = next_table(f, root, a >> 39 & 511);
	uint64_t pd = pdpt ? next_table(f, pdpt, a >> 30 & 511) : 0;

	if (!pd)
		return gyve_err_set(err, -ENOEXEC, "the image is too large for the first page tables");
	put_le64(at(f->h, pd) + 8 * (a >> 21 & 511), a | LARGE);
	return 0;
}

/* Inclusive. Kernels before 0.10 expect the rest of the image's GiB as well. */
static uint64_t map_end(const struct hermit *h)
{
	uint64_t end = hermit_image_end(h);

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
	struct frames f = {h, root + 4096};
	int r = 0;

	if (!gyve_memmap_ptr(h->map, h->ga, HERMIT_KERNEL))
		return gyve_err_set(err, -ENOEXEC, "guest memory is missing");
	memset(at(h, root), 0, 4096);
	put_le64(at(h, root) + 8 * 511, root | TABLE);
	for (uint64_t a = h->ga, end = map_end(h); r == 0 && a <= end; a += PAGE_2M)
		r = map_page(&f, root, a, err);
	memcpy(at(h, h->ga + HERMIT_GDT), gdt, sizeof(gdt));
	return r;
}
