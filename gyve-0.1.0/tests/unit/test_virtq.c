/* Split virtqueues: what a driver may do, and what a hostile one tries. */
#include "unit.h"

#include <stdlib.h>

#include "../../src/base/bytes.h"
#include "../support/ring.h"

enum { RAM = 0x10000, BASE = 0x100000, SIZE = 8, DATA = BASE + 0x8000 };

static uint8_t ram[RAM] __attribute__((aligned(4096)));
static struct gyve_memmap map;
static struct ring ring;
static struct virtq q;
static struct virtq_chain chain;

static int setup(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	gyve_memmap_init(&map);
	assert_int_equal(gyve_memmap_add(&map, BASE, 0xa000, ram, GYVE_REGION_RAM, "low"), 0);
	assert_int_equal(gyve_memmap_add(&map, BASE + 0xa000, 0x1000, ram + 0xc000, GYVE_REGION_RAM, "high"), 0);
	assert_int_equal(
		gyve_memmap_add(&map, BASE + 0xb000, 0x1000, ram + 0xd000, GYVE_REGION_RAM | GYVE_REGION_READONLY, "ro"), 0);
	ring_init(&ring, ram, BASE, BASE, SIZE);
	q = (struct virtq){.size_max = SIZE};
	virtq_reset(&q);
	q.desc = ring.desc;
	q.avail = ring.avail;
	q.used = ring.used;
	assert_int_equal(virtq_enable(&q, &map), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gyve_memmap_deinit(&map);
	return 0;
}

static void test_requests(void **state)
{
	uint32_t head, len;
	char buf[16];

	(void)state;
	assert_int_equal(virtq_pop(&q, &chain), 0);
	memcpy(ram + 0x8000, "hello, ", 7);
	memcpy(ram + 0x8100, "world", 5);
	ring_desc(&ring, 5, DATA, 7, RING_NEXT, 2);
	ring_desc(&ring, 2, DATA + 0x100, 5, RING_NEXT, 7);
	ring_desc(&ring, 7, DATA + 0x200, 4, RING_NEXT | RING_WRITE, 0);
	ring_desc(&ring, 0, BASE + 0x9ffe, 6, RING_WRITE, 0); /* across two regions */
	for (unsigned round = 0; round < 3 * SIZE; round++) {
		ring_offer(&ring, 5);
		assert_int_equal(virtq_waiting(&q), 1);
		assert_int_equal(virtq_pop(&q, &chain), 1);
		assert_int_equal(chain.head, 5);
		assert_int_equal(chain.n_out, 2);
		assert_int_equal(chain.n_in, 3);
		assert_int_equal(chain.out_len, 12);
		assert_int_equal(chain.in_len, 10);
		assert_int_equal(virtq_read(&chain, 3, buf, sizeof(buf)), 9);
		assert_memory_equal(buf, "lo, world", 9);
		assert_int_equal(virtq_write(&chain, 2, "01234567890", 11), 8);
		assert_memory_equal(ram + 0x8202, "01", 2);
		assert_memory_equal(ram + 0x9ffe, "23", 2);
		assert_memory_equal(ram + 0xc000, "4567", 4);
		virtq_unpop(&q, 1);
		assert_int_equal(virtq_pop(&q, &chain), 1);
		virtq_push(&q, chain.head, 10);
		assert_false(ring_used(&ring, &head, &len));
		assert_true(virtq_publish(&q));
		assert_false(virtq_publish(&q));
		assert_true(ring_used(&ring, &head, &len));
		assert_int_equal(head, 5);
		assert_int_equal(len, 10);
	}
}

static void test_slice(void **state)
{
	struct iovec v[4];

	(void)state;
	ring_desc(&ring, 0, DATA, 7, RING_NEXT, 1);
	ring_desc(&ring, 1, DATA + 0x100, 5, RING_NEXT, 2);
	ring_desc(&ring, 2, DATA + 0x200, 5, RING_WRITE, 0);
	ring_offer(&ring, 0);
	assert_int_equal(virtq_pop(&q, &chain), 1);
	assert_int_equal(virtq_slice(&chain, false, 5, 4, v, 4), 2);
	assert_ptr_equal(v[0].iov_base, ram + 0x8005);
	assert_int_equal(v[0].iov_len, 2);
	assert_int_equal(v[1].iov_len, 2);
	assert_int_equal(virtq_slice(&chain, false, 0, 100, v, 1), 1);
	assert_int_equal(virtq_slice(&chain, false, 12, 1, v, 4), 0);
	assert_int_equal(virtq_slice(&chain, true, 1, 100, v, 4), 1);
	assert_int_equal(v[0].iov_len, 4);
}

static void test_indirect(void **state)
{
	struct ring table = {.ram = ram, .base = BASE, .size = SIZE, .desc = BASE + 0x4000};

	(void)state;
	for (unsigned i = 0; i < 20; i++) /* more than the ring has entries: drivers do that */
		ring_desc(&table, i, DATA + i, 1, (uint16_t)((i < 19 ? RING_NEXT : 0) | (i > 9 ? RING_WRITE : 0)),
			  (uint16_t)(i + 1));
	ring_desc(&ring, 1, BASE + 0x4000, 20 * 16, RING_INDIRECT, 0);
	ring_offer(&ring, 1);
	assert_int_equal(virtq_pop(&q, &chain), -EINVAL); /* not agreed on */
	q.broken = false;
	q.indirect = true;
	assert_int_equal(virtq_pop(&q, &chain), 1);
	assert_int_equal(chain.out_len, 10);
	assert_int_equal(chain.in_len, 10);
}

static void test_suppression(void **state)
{
	(void)state;
	ring_desc(&ring, 0, DATA, 1, 0, 0);
	assert_false(virtq_want_notify(&q, false));
	assert_int_equal(get_le16(ram + (q.used - BASE)), 1);
	ring_offer(&ring, 0);
	assert_true(virtq_want_notify(&q, true));
	assert_int_equal(get_le16(ram + (q.used - BASE)), 0);
	assert_int_equal(virtq_pop(&q, &chain), 1);
	assert_false(virtq_want_notify(&q, true));
	put_le16(ram + (q.avail - BASE), 1);
	virtq_push(&q, 0, 0);
	assert_false(virtq_publish(&q));
	q.event_idx = true;
	put_le16(ram + (q.avail - BASE) + 4 + 2 * SIZE, 2); /* an interrupt, please, after the third */
	for (unsigned i = 1; i < 5; i++) {
		ring_offer(&ring, 0);
		assert_true(virtq_want_notify(&q, true));
		assert_int_equal(get_le16(ram + (q.used - BASE) + 4 + 8 * SIZE), i);
		assert_int_equal(virtq_pop(&q, &chain), 1);
		virtq_push(&q, 0, 0);
		assert_int_equal(virtq_publish(&q), i == 2);
	}
}

/* One request that is wrong, alone. */
static void wrong(uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	ring_desc(&ring, 0, addr, len, flags, next);
	ring_offer(&ring, 0);
	assert_int_equal(virtq_pop(&q, &chain), -EINVAL);
	assert_true(q.broken && q.why);
	assert_int_equal(virtq_pop(&q, &chain), 0); /* said once */
	virtq_push(&q, 0, 0);
	assert_false(virtq_publish(&q) || virtq_want_notify(&q, true));
	assert_int_equal(virtq_waiting(&q), 0);
	teardown(NULL);
	setup(NULL);
	ring.avail_idx = 0;
	q.indirect = true;
}

static void test_hostile_requests(void **state)
{
	(void)state;
	wrong(DATA, 1, RING_NEXT, 0);    /* itself, for ever */
	wrong(DATA, 1, RING_NEXT, SIZE); /* no such descriptor */
	wrong(DATA, 1, RING_NEXT, 0xffff);
	wrong(DATA, 0, RING_NEXT, 0); /* for ever, without a byte */
	wrong(0, 1, 0, 0);
	wrong(BASE + 0xbfff, 2, 0, 0); /* its end is nowhere */
	wrong(DATA, UINT32_MAX, 0, 0);
	wrong(UINT64_MAX, 2, 0, 0);
	wrong(BASE + 0xb000, 1, RING_WRITE, 0); /* read-only memory */
	wrong(DATA, 0, RING_INDIRECT, 0);
	wrong(DATA, 24, RING_INDIRECT, 0);
	wrong(DATA, 0xfffffff0, RING_INDIRECT, 0);
	wrong(DATA, 16, RING_INDIRECT | RING_NEXT, 1);
	put_le16(ram + 0x800c, RING_INDIRECT); /* a table in a table */
	put_le32(ram + 0x8008, 16);
	put_le64(ram + 0x8000, DATA);
	wrong(DATA, 16, RING_INDIRECT, 0);
	ring_desc(&ring, 1, DATA, 1, 0, 0);
	ring_desc(&ring, 0, DATA, 1, RING_WRITE | RING_NEXT, 1); /* to read behind to write */
	ring_offer(&ring, 0);
	assert_int_equal(virtq_pop(&q, &chain), -EINVAL);
	q.broken = false;
	put_le16(ram + (q.avail - BASE) + 4, 200);
	assert_int_equal(virtq_pop(&q, &chain), -EINVAL);
	q.broken = false;
	put_le16(ram + (q.avail - BASE) + 2, SIZE + 1); /* more than there is room for */
	assert_int_equal(virtq_waiting(&q), SIZE);
	assert_int_equal(virtq_pop(&q, &chain), -EINVAL);
}

static void refused(uint16_t size, uint64_t desc, uint64_t avail, uint64_t used)
{
	virtq_reset(&q);
	assert_int_equal(virtq_pop(&q, &chain), 0);
	q.size = size;
	q.desc = desc;
	q.avail = avail;
	q.used = used;
	assert_int_equal(virtq_enable(&q, &map), -EINVAL);
	assert_int_equal(virtq_pop(&q, &chain), 0);
}

static void test_hostile_rings(void **state)
{
	(void)state;
	refused(0, ring.desc, ring.avail, ring.used);
	refused(6, ring.desc, ring.avail, ring.used);
	refused(2 * SIZE, ring.desc, ring.avail, ring.used);
	refused(SIZE, ring.desc + 8, ring.avail, ring.used);
	refused(SIZE, ring.desc, ring.avail + 1, ring.used);
	refused(SIZE, ring.desc, ring.avail, ring.used + 2);
	refused(SIZE, BASE - 16, ring.avail, ring.used);
	refused(SIZE, BASE + 0xbff0, ring.avail, ring.used);
	refused(SIZE, ring.desc, UINT64_MAX - 1, ring.used);
	refused(SIZE, ring.desc, ring.avail, UINT64_MAX - 3);
	refused(SIZE, ring.desc, ring.avail, BASE + 0xb000);
	refused(SIZE, BASE + 0x9ff0, ring.avail, ring.used); /* across regions: rings lie in one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_indirect, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suppression, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_rings, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
