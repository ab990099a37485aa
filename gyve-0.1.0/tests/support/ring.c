#include "ring.h"

#include <string.h>

#include "../../src/base/bytes.h"

void ring_init(struct ring *r, uint8_t *ram, uint64_t base, uint64_t at, uint16_t size)
{
	*r = (struct ring){.ram = ram, .base = base, .size = size, .desc = at};
	r->avail = at + 16ull * size;
	r->used = align_up(r->avail + 6 + 2ull * size, 4);
}

static uint8_t *host(struct ring *r, uint64_t gpa)
{
	return r->ram + (gpa - r->base);
}

void ring_desc(struct ring *r, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	uint8_t *p = host(r, r->desc + 16ull * i);
	put_le64(p, addr);
	put_le32(p + 8, len);
	put_le16(p + 12, flags);
	put_le16(p + 14, next);
}

void ring_offer(struct ring *r, uint16_t head)
{
	put_le16(host(r, r->avail + 4 + 2ull * (r->avail_idx % r->size)), head);
	put_le16(host(r, r->avail + 2), ++r->avail_idx);
}

bool ring_used(struct ring *r, uint32_t *head, uint32_t *len)
{
	if (get_le16(host(r, r->used + 2)) == r->seen)
		return false;
	uint8_t *e = host(r, r->used + 4 + 8ull * (r->seen++ % r->size));
	*head = get_le32(e);
	*len = get_le32(e + 4);
	return true;
}
