/* The driver's side of a split virtqueue, in guest memory a test made. */
#ifndef RING_H
#define RING_H
#include "../../src/dev/virtq.h"

enum { RING_NEXT = 1, RING_WRITE = 2, RING_INDIRECT = 4 };

struct ring {
	uint8_t *ram; /**< of gpa base */
	uint64_t base;
	uint16_t size, avail_idx, seen;
	uint64_t desc, avail, used; /**< gpas */
};

/** Rings of `size` entries at gpa at (16-byte aligned). */
void ring_init(struct ring *r, uint8_t *ram, uint64_t base, uint64_t at, uint16_t size);
void ring_desc(struct ring *r, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next);
void ring_offer(struct ring *r, uint16_t head);
/** The next used entry: true and its head and length, or false. */
bool ring_used(struct ring *r, uint32_t *head, uint32_t *len);
#endif
