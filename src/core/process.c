/* Cores of processes: the program's entry and file, and what the kernel left out because the file has it. */
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>
#include <stdio.h>

enum { A_ENTRY = 9 };

int core_auxv(struct gyve_core *core, const uint8_t *desc, size_t len)
{
	for (size_t at = 0; len - at >= 16; at += 16)
		if (get_le64(desc + at) == A_ENTRY)
			core->info.entry = get_le64(desc + at + 8);
	return 0;
}

/* u64 count, u64 page size; count of start, end, offset; count of names. */
int core_files(struct gyve_core *core, const uint8_t *desc, size_t len)
{
	uint64_t n = len >= 16 ? get_le64(desc) : UINT64_MAX, i = 0;
	const uint8_t *name;
	size_t left;

	if (len < 16 || n > (len - 16) / 24)
		return -EINVAL;
	name = desc + 16 + 24 * n;
	left = len - 16 - 24 * (size_t)n;
	for (; i < n; i++) {
		size_t size = strnlen((const char *)name, left);
		if (size == left)
			return -EINVAL;
		uint64_t start = get_le64(desc + 16 + 24 * i), end = get_le64(desc + 24 + 24 * i);
		if (core->info.entry - start < end - start && size < sizeof(core->info.image)) {
			memcpy(core->info.image, name, size + 1);
			return 0;
		}
		name += size + 1;
		left -= size + 1;
	}
	return 0;
}

/* [gpa, gpa + len) as far as the core has nothing there. */
static void fill(struct gyve_core *core, gyve_gpa_t gpa, uint64_t len, const uint8_t *bytes)
{
	while (len) {
		const struct gyve_region *r = gyve_memmap_find(&core->map, gpa);
		uint64_t n = len;
		if (r) {
			uint64_t rest = r->len - (gpa - r->gpa);
			n = rest < len ? rest : len;
		} else {
			for (size_t i = 0; i < core->map.n; i++) {
				uint64_t start = core->map.regions[i].gpa;
				if (start > gpa && start - gpa < n)
					n = start - gpa;
			}
			if (gyve_memmap_add(&core->map, gpa, n, (void *)(uintptr_t)bytes,
					    GYVE_REGION_RAM | GYVE_REGION_READONLY, "image") < 0)
				return;
		}
		gpa += n;
		bytes += n;
		len -= n;
	}
}

void gyve_core_add_image(struct gyve_core *core, gyve_gpa_t at, const void *bytes, uint64_t len)
{
	if (core->is_virtual && len <= UINT64_MAX - at)
		fill(core, at, len, bytes);
}
