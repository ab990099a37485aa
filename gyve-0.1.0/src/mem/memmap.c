#include "gyve/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gyve_memmap_init(struct gyve_memmap *map)
{
	*map = (struct gyve_memmap){0};
}

void gyve_memmap_deinit(struct gyve_memmap *map)
{
	free(map->regions);
	gyve_memmap_init(map);
}

/* Index of the first region that ends after gpa. */
static size_t lower(const struct gyve_memmap *map, gyve_gpa_t gpa)
{
	size_t lo = 0, hi = map->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct gyve_region *r = &map->regions[mid];
		if (gpa >= r->gpa && gpa - r->gpa >= r->len)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int gyve_memmap_add(struct gyve_memmap *map, gyve_gpa_t gpa, uint64_t len, void *hva, unsigned flags, const char *name)
{
	uint64_t end;
	if (!len || __builtin_add_overflow(gpa, len, &end))
		return -EINVAL;
	size_t at = lower(map, gpa);
	if (at < map->n && map->regions[at].gpa < end)
		return -EEXIST;
	struct gyve_region *p = reallocarray(map->regions, map->n + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	map->regions = p;
	memmove(&p[at + 1], &p[at], (map->n - at) * sizeof(*p));
	p[at] = (struct gyve_region){.gpa = gpa, .len = len, .hva = hva, .flags = flags};
	snprintf(p[at].name, sizeof(p[at].name), "%s", name);
	map->n++;
	return 0;
}

const struct gyve_region *gyve_memmap_find(const struct gyve_memmap *map, gyve_gpa_t gpa)
{
	size_t at = lower(map, gpa);
	return at < map->n && gpa >= map->regions[at].gpa ? &map->regions[at] : NULL;
}

void *gyve_memmap_ptr(const struct gyve_memmap *map, gyve_gpa_t gpa, uint64_t len)
{
	const struct gyve_region *r = gyve_memmap_find(map, gpa);
	return r && len && len <= r->len - (gpa - r->gpa) ? r->hva + (gpa - r->gpa) : NULL;
}

/* Call for each piece of [gpa, gpa+len) inside a region until a gap. */
static ssize_t copy(const struct gyve_memmap *map, gyve_gpa_t gpa, void *in, const void *out, size_t len)
{
	size_t done = 0;
	while (done < len) {
		const struct gyve_region *r = gyve_memmap_find(map, gpa + done);
		if (!r || gpa + done < gpa || (out && (r->flags & GYVE_REGION_READONLY)))
			break;
		uint64_t off = gpa + done - r->gpa, n = r->len - off;
		if (n > len - done)
			n = len - done;
		if (out)
			memcpy(r->hva + off, (const char *)out + done, n);
		else
			memcpy((char *)in + done, r->hva + off, n);
		done += n;
	}
	return done || !len ? (ssize_t)done : -EFAULT;
}

ssize_t gyve_memmap_read(const struct gyve_memmap *map, gyve_gpa_t gpa, void *buf, size_t len)
{
	return copy(map, gpa, buf, NULL, len);
}

ssize_t gyve_memmap_write(const struct gyve_memmap *map, gyve_gpa_t gpa, const void *buf, size_t len)
{
	return copy(map, gpa, NULL, buf, len);
}

static ssize_t mem_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	return gyve_memmap_read(ctx, addr, buf, len);
}

static ssize_t mem_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	return gyve_memmap_write(ctx, addr, buf, len);
}

struct gyve_mem gyve_memmap_mem(const struct gyve_memmap *map)
{
	return (struct gyve_mem){.read = mem_read, .write = mem_write, .ctx = (void *)(uintptr_t)map, .direct = map};
}
