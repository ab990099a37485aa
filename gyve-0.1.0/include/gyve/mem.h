/* Guest-physical memory. `struct gyve_memmap` is the only owner of guest RAM addresses; everything above sees
 * "bytes at gpa" through `struct gyve_mem`. Lookups may run on any thread; add/remove only before vCPUs run. */
#ifndef GYVE_MEM_H
#define GYVE_MEM_H
#include "gyve/types.h"

struct gyve_memmap;

/** Bytes at an address. Both return the bytes moved (short at the first gap), -EFAULT if none. */
struct gyve_mem {
	ssize_t (*read)(void *ctx, uint64_t addr, void *buf, size_t len);
	ssize_t (*write)(void *ctx, uint64_t addr, const void *buf, size_t len); /**< NULL: read only */
	void *ctx;
	const struct gyve_memmap *direct; /**< NULL, or a map that holds the same bytes: a reader in a hurry may look there */
};

enum { GYVE_REGION_RAM = 1, GYVE_REGION_READONLY = 2 };

struct gyve_region {
	gyve_gpa_t gpa;
	uint64_t len;   /**< bytes, gpa + len never overflows */
	uint8_t *hva;   /**< borrowed until the region is removed */
	unsigned flags; /**< GYVE_REGION_* */
	char name[24];
};

struct gyve_memmap {
	struct gyve_region *regions; /**< sorted by gpa, disjoint */
	size_t n;
};

void gyve_memmap_init(struct gyve_memmap *map);
void gyve_memmap_deinit(struct gyve_memmap *map);
/** Add [gpa, gpa+len) backed by hva. -EINVAL: len 0 or wraps; -EEXIST: overlaps; -ENOMEM. */
int gyve_memmap_add(struct gyve_memmap *map, gyve_gpa_t gpa, uint64_t len, void *hva, unsigned flags, const char *name);
/** The region holding gpa, or NULL. */
const struct gyve_region *gyve_memmap_find(const struct gyve_memmap *map, gyve_gpa_t gpa);
/** Host pointer to [gpa, gpa+len), NULL unless all of it lies in one region. len 0 gives NULL. */
void *gyve_memmap_ptr(const struct gyve_memmap *map, gyve_gpa_t gpa, uint64_t len);
/** Copy; returns bytes moved, short at the first gap, -EFAULT if none. len is at most SSIZE_MAX. */
ssize_t gyve_memmap_read(const struct gyve_memmap *map, gyve_gpa_t gpa, void *buf, size_t len);
ssize_t gyve_memmap_write(const struct gyve_memmap *map, gyve_gpa_t gpa, const void *buf, size_t len);
/** map seen as `struct gyve_mem` (borrows map). */
struct gyve_mem gyve_memmap_mem(const struct gyve_memmap *map);
#endif
