/* Split virtqueues: every index and address is the guest's, so each is read once, checked, then used. */
#include "virtq.h"

#include <errno.h>
#include <string.h>

#include "../base/bytes.h"

enum { DESC_LEN = 16, DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { AVAIL_IDX = 2, AVAIL_RING = 4, AVAIL_NO_INTERRUPT = 1 };
enum { USED_IDX = 2, USED_RING = 4, USED_NO_NOTIFY = 1 };

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
_Static_assert(sizeof(struct desc) == DESC_LEN, "as it lies in guest memory");

static int damaged(struct virtq *q, const char *why)
{
	q->broken = true;
	q->why = why;
	return -EINVAL;
}

/* Rings are aligned (virtq_enable), so their 16-bit fields are whole. */
static uint16_t load(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void store(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

static uint8_t *ring(const struct gyve_memmap *map, gyve_gpa_t gpa, uint64_t len, bool write)
{
	const struct gyve_region *r = gyve_memmap_find(map, gpa);
	if (!r || (write && r->flags & GYVE_REGION_READONLY))
		return NULL;
	return gyve_memmap_ptr(map, gpa, len);
}

int virtq_enable(struct virtq *q, const struct gyve_memmap *map)
{
	uint64_t n = q->size;

	if (!n || n > q->size_max || n > VIRTQ_SIZE_MAX || n & (n - 1))
		return damaged(q, "its size is no power of two within the maximum");
	if (q->desc % 16 || q->avail % 2 || q->used % 4)
		return damaged(q, "a ring is not aligned");
	q->descs = ring(map, q->desc, n * DESC_LEN, false);
	q->avails = ring(map, q->avail, AVAIL_RING + 2 * n + 2, false);
	q->useds = ring(map, q->used, USED_RING + 8 * n + 2, true);
	if (!q->descs || !q->avails || !q->useds)
		return damaged(q, "a ring is not in memory");
	q->map = map;
	q->next_avail = q->used_idx = q->signalled = 0;
	q->notify_off = q->broken = false;
	q->enabled = true;
	return 0;
}

void virtq_reset(struct virtq *q)
{
	*q = (struct virtq){.size = q->size_max, .size_max = q->size_max};
}

static uint16_t waiting(const struct virtq *q)
{
	return (uint16_t)(load(q->avails + AVAIL_IDX) - q->next_avail);
}

unsigned virtq_waiting(const struct virtq *q)
{
	if (!q->enabled || q->broken)
		return 0;
	uint16_t n = waiting(q);
	return n < q->size ? n : q->size;
}

/* Add what a descriptor points to; it may cross regions of memory. */
static int add(struct virtq *q, struct virtq_chain *c, const struct desc *d)
{
	bool write = d->flags & DESC_WRITE;
	uint64_t at = d->addr, left = d->len;

	if (!write && c->n_in)
		return damaged(q, "a buffer to read follows one to write");
	while (left) {
		const struct gyve_region *r = gyve_memmap_find(q->map, at);
		if (!r || (write && r->flags & GYVE_REGION_READONLY))
			return damaged(q, "a buffer is not in memory");
		if (c->n_out + c->n_in == VIRTQ_PIECES_MAX)
			return damaged(q, "a request has too many buffers");
		uint64_t off = at - r->gpa, n = r->len - off < left ? r->len - off : left;
		c->v[c->n_out + c->n_in] = (struct iovec){r->hva + off, n};
		*(write ? &c->n_in : &c->n_out) += 1;
		*(write ? &c->in_len : &c->out_len) += n;
		at += n;
		left -= n;
	}
	return 0;
}

/* The chain that begins at entry i of a table of n. indirect: the table is one a descriptor pointed to. */
static int walk(struct virtq *q, struct virtq_chain *c, const uint8_t *table, uint32_t n, uint16_t i, bool indirect)
{
	struct desc d;

	for (unsigned count = 0;; count++) {
		if (i >= n)
			return damaged(q, "a descriptor's number is too large");
		if (count == n || count == VIRTQ_SIZE_MAX)
			return damaged(q, "a request has no end");
		memcpy(&d, table + (size_t)i * DESC_LEN, sizeof(d));
		if (d.flags & DESC_INDIRECT) {
			if (indirect || !q->indirect || d.flags & DESC_NEXT || !d.len || d.len % DESC_LEN)
				return damaged(q, "a table of descriptors where none may be, or of an odd size");
			const uint8_t *inner = gyve_memmap_ptr(q->map, d.addr, d.len);
			if (!inner)
				return damaged(q, "a table of descriptors is not in memory");
			return walk(q, c, inner, d.len / DESC_LEN, 0, true);
		}
		if (add(q, c, &d) < 0)
			return -EINVAL;
		if (!(d.flags & DESC_NEXT))
			return 0;
		i = d.next;
	}
}

int virtq_pop(struct virtq *q, struct virtq_chain *ret)
{
	if (!q->enabled || q->broken)
		return 0;
	uint16_t n = waiting(q);
	if (!n)
		return 0;
	if (n > q->size)
		return damaged(q, "more requests are offered than it has entries");
	ret->head = load(q->avails + AVAIL_RING + 2 * (size_t)(q->next_avail & (q->size - 1)));
	ret->n_out = ret->n_in = 0;
	ret->out_len = ret->in_len = 0;
	if (walk(q, ret, q->descs, q->size, ret->head, false) < 0)
		return -EINVAL;
	q->next_avail++;
	return 1;
}

void virtq_unpop(struct virtq *q, unsigned n)
{
	q->next_avail = (uint16_t)(q->next_avail - n);
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	uint8_t *e;

	if (!q->enabled || q->broken)
		return;
	e = q->useds + USED_RING + 8 * (size_t)(q->used_idx++ & (q->size - 1));
	put_le32(e, head);
	put_le32(e + 4, written);
}

void virtq_unpush(struct virtq *q, unsigned n)
{
	q->used_idx = (uint16_t)(q->used_idx - n);
}

bool virtq_publish(struct virtq *q)
{
	uint16_t old = q->signalled;

	if (!q->enabled || q->broken || old == q->used_idx)
		return false;
	store(q->useds + USED_IDX, q->used_idx);
	q->signalled = q->used_idx;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* the guest may be asking for one right now */
	if (!q->event_idx)
		return !(load(q->avails) & AVAIL_NO_INTERRUPT);
	uint16_t event = load(q->avails + AVAIL_RING + 2 * (size_t)q->size);
	return (uint16_t)(q->used_idx - event - 1) < (uint16_t)(q->used_idx - old);
}

bool virtq_want_notify(struct virtq *q, bool on)
{
	if (!q->enabled || q->broken)
		return false;
	q->notify_off = !on;
	if (!q->event_idx)
		store(q->useds, on ? 0 : USED_NO_NOTIFY);
	else if (on)
		store(q->useds + USED_RING + 8 * (size_t)q->size, q->next_avail);
	if (!on)
		return false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return waiting(q) != 0;
}

unsigned virtq_slice(const struct virtq_chain *c, bool write, uint64_t at, uint64_t len, struct iovec *ret, unsigned max)
{
	const struct iovec *v = write ? c->v + c->n_out : c->v;
	unsigned n = write ? c->n_in : c->n_out, k = 0;

	for (unsigned i = 0; i < n && len && k < max; i++) {
		if (at >= v[i].iov_len) {
			at -= v[i].iov_len;
			continue;
		}
		uint64_t part = v[i].iov_len - at < len ? v[i].iov_len - at : len;
		ret[k++] = (struct iovec){(uint8_t *)v[i].iov_base + at, part};
		len -= part;
		at = 0;
	}
	return k;
}

static size_t copy(const struct virtq_chain *c, bool write, uint64_t at, void *in, const void *out, size_t len)
{
	const struct iovec *v = write ? c->v + c->n_out : c->v;
	unsigned n = write ? c->n_in : c->n_out;
	size_t done = 0;

	for (unsigned i = 0; i < n && done < len; i++) {
		if (at >= v[i].iov_len) {
			at -= v[i].iov_len;
			continue;
		}
		size_t part = v[i].iov_len - at < len - done ? v[i].iov_len - at : len - done;
		if (write)
			memcpy((uint8_t *)v[i].iov_base + at, (const uint8_t *)out + done, part);
		else
			memcpy((uint8_t *)in + done, (const uint8_t *)v[i].iov_base + at, part);
		done += part;
		at = 0;
	}
	return done;
}

size_t virtq_read(const struct virtq_chain *c, uint64_t at, void *buf, size_t len)
{
	return copy(c, false, at, buf, NULL, len);
}

size_t virtq_write(const struct virtq_chain *c, uint64_t at, const void *buf, size_t len)
{
	return copy(c, true, at, NULL, buf, len);
}
