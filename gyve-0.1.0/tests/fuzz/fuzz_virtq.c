/* A hostile driver's queue: the input is guest memory, behind 8 bytes that say how it is used. Whatever is in it, requests end,
 * and their buffers are memory of the guest. */
#include "../../src/dev/virtq.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 8, BASE = 0x1000, RAM = 0x2000 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct virtq_chain *c, const uint8_t *ram)
{
	uint64_t out = 0, in = 0;

	must(c->n_out + c->n_in <= VIRTQ_PIECES_MAX);
	for (unsigned i = 0; i < c->n_out + c->n_in; i++) {
		const uint8_t *p = c->v[i].iov_base;
		must(c->v[i].iov_len && p >= ram && p + c->v[i].iov_len <= ram + RAM);
		*(i < c->n_out ? &out : &in) += c->v[i].iov_len;
	}
	must(out == c->out_len && in == c->in_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct virtq_chain chain;
	struct gyve_memmap map;
	uint8_t buf[64] = {0};

	if (size < HEAD)
		return 0;
	uint8_t *ram = aligned_alloc(16, RAM); /* behind its end is nobody's */
	must(ram != NULL);
	memset(ram, 0, RAM);
	memcpy(ram, data + HEAD, size - HEAD < RAM ? size - HEAD : RAM);
	gyve_memmap_init(&map);
	must(!gyve_memmap_add(&map, BASE, RAM / 2, ram, GYVE_REGION_RAM, "a"));
	must(!gyve_memmap_add(&map, BASE + RAM / 2, RAM / 2, ram + RAM / 2, GYVE_REGION_RAM | (data[0] & 2), "b"));
	struct virtq q = {.size_max = 256};
	virtq_reset(&q);
	q.size = (uint16_t)(1u << (data[1] % 9));
	q.desc = BASE + get_le16(data + 2) % (RAM + 64);
	q.avail = BASE + get_le16(data + 4) % (RAM + 64);
	q.used = BASE + get_le16(data + 6) % (RAM + 64);
	q.indirect = data[0] & 4;
	q.event_idx = data[0] & 8;
	if (!virtq_enable(&q, &map)) {
		for (unsigned i = 0; i < 600 && virtq_pop(&q, &chain) == 1; i++) {
			check(&chain, ram);
			must(virtq_read(&chain, i, buf, sizeof(buf)) <= sizeof(buf));
			must(virtq_write(&chain, i, buf, sizeof(buf)) <= sizeof(buf)); /* changes rings, too */
			virtq_push(&q, chain.head, i);
			virtq_publish(&q);
			virtq_want_notify(&q, i & 1);
		}
		must(virtq_pop(&q, &chain) != -22 || q.broken);
	}
	gyve_memmap_deinit(&map);
	free(ram);
	return 0;
}
