/* virtio-mmio and its devices as a driver sees them: through registers and rings, on a real loop. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../../src/base/bytes.h"
#include "../../src/dev/virtio_blk.h"
#include "../../src/dev/virtio_console.h"
#include "../../src/dev/virtio_mmio.h"
#include "../../src/dev/virtio_rng.h"
#include "../support/ring.h"

enum { RAM = 0x20000, BASE = 0x100000, SIZE = 8, DATA = BASE + 0x8000, LINE = 20 };
enum { QUEUE_NUM = 0x38, READY = 0x44, NOTIFY = 0x50, ISR = 0x60, ACK = 0x64, STATUS = 0x70 };

static uint8_t ram[RAM] __attribute__((aligned(4096)));
static struct gyve_memmap map;
static struct {
	struct gyve_dev_host host;
	struct virtio *d;
	struct virtio_mmio m;
	struct ring ring[2];
	int level, in[2];
	char out[256];
	size_t n;
	char file[64];
} t;

static bool event_idx; /* to be taken by the driver */

static int irq(void *ctx, unsigned line, bool level)
{
	(void)ctx;
	assert_int_equal(line, LINE);
	__atomic_store_n(&t.level, level, __ATOMIC_SEQ_CST);
	return 0;
}

static void sink(void *ctx, const void *buf, size_t len)
{
	(void)ctx;
	assert_true(t.n + len <= sizeof(t.out));
	memcpy(t.out + t.n, buf, len);
	__atomic_add_fetch(&t.n, len, __ATOMIC_SEQ_CST);
}

static uint32_t rd(uint64_t offset)
{
	uint32_t v;
	virtio_mmio_access(&t.m, false, offset, &v, 4);
	return v;
}

static void wr(uint64_t offset, uint32_t v)
{
	virtio_mmio_access(&t.m, true, offset, &v, 4);
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	memset(ram, 0, sizeof(ram));
	gyve_memmap_init(&map);
	assert_int_equal(gyve_memmap_add(&map, BASE, RAM, ram, GYVE_REGION_RAM, "ram"), 0);
	t.host = (struct gyve_dev_host){.irq = irq, .map = &map};
	assert_int_equal(pipe(t.in), 0);
	assert_int_equal(gyve_loop_create(&t.host.loop), 0);
	assert_int_equal(gyve_loop_start(t.host.loop, NULL, NULL, NULL), 0);
	gyve_loop_resume(t.host.loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gyve_loop_destroy(t.host.loop);
	gyve_memmap_deinit(&map);
	close(t.in[0]);
	close(t.in[1]);
	if (*t.file)
		unlink(t.file);
	return 0;
}

static void put_queue(unsigned i)
{
	struct ring *r = &t.ring[i];

	memset(ram + i * 0x1000, 0, 0x1000);
	ring_init(r, ram, BASE, BASE + i * 0x1000, SIZE);
	wr(0x30, i);
	assert_true(rd(0x34) >= SIZE);
	wr(QUEUE_NUM, SIZE);
	wr(0x80, (uint32_t)r->desc);
	wr(0x84, 0);
	wr(0x90, (uint32_t)r->avail);
	wr(0x94, 0);
	wr(0xa0, (uint32_t)r->used);
	wr(0xa4, 0);
	wr(READY, 1);
	assert_int_equal(rd(READY), 1);
}

/* As a driver starts: what it takes of the offered features is all but the ring's options. */
static void start(unsigned nqueues)
{
	virtio_mmio_init(&t.m, t.d, LINE);
	assert_int_equal(rd(0), 0x74726976);
	assert_int_equal(rd(4), 2);
	assert_int_equal(rd(8), t.d->ops->id);
	wr(STATUS, 0);
	wr(STATUS, 1);
	wr(STATUS, 3);
	wr(0x14, 0);
	uint32_t low = rd(0x10) & ~((event_idx ? 1u : 3u) << 28);
	wr(0x24, 0);
	wr(0x20, low);
	wr(0x14, 1);
	wr(0x24, 1);
	wr(0x20, rd(0x10));
	wr(STATUS, 0xb);
	assert_int_equal(rd(STATUS), 0xb);
	for (unsigned i = 0; i < nqueues; i++)
		put_queue(i);
	wr(STATUS, 0xf);
	assert_int_equal(rd(STATUS), 0xf);
}

/* The next used entry of a queue: its length. */
static uint32_t wait_used(unsigned i)
{
	struct timespec ms = {0, 1000000};
	uint32_t head = 0, len = 0;

	for (int n = 0; n < 2000; n++) {
		pthread_mutex_lock(&t.d->lock);
		bool done = ring_used(&t.ring[i], &head, &len);
		pthread_mutex_unlock(&t.d->lock);
		if (done)
			return len;
		nanosleep(&ms, NULL);
	}
	fail_msg("no request is done");
	return 0;
}

static void wait_broken(void)
{
	struct timespec ms = {0, 1000000};

	for (int n = 0; n < 2000 && !(rd(STATUS) & 64); n++)
		nanosleep(&ms, NULL);
	assert_int_equal(rd(STATUS) & 64, 64);
}

static void offer(unsigned i, uint16_t head)
{
	ring_offer(&t.ring[i], head);
	wr(NOTIFY, i);
}

/* --- the transport */

static void test_registers(void **state)
{
	uint8_t buf[8];

	(void)state;
	assert_int_equal(virtio_rng_create(&t.d, &t.host), 0);
	start(1);
	assert_int_equal(rd(0xb0), UINT32_MAX); /* no shared memory */
	wr(QUEUE_NUM, 4);                       /* too late */
	assert_int_equal(rd(READY), 1);
	wr(0x30, 7); /* no such queue */
	assert_int_equal(rd(0x34), 0);
	wr(READY, 1);
	assert_int_equal(rd(READY), 0);
	memset(buf, 0xff, sizeof(buf));
	virtio_mmio_access(&t.m, false, 2, buf, 2); /* registers are 32 bits wide */
	assert_int_equal(get_le16(buf), 0);
	wr(STATUS, 0);
	assert_int_equal(rd(STATUS), 0);
	wr(0x30, 0);
	assert_int_equal(rd(READY), 0);
	virtio_rng_destroy(t.d);
}

static void test_any_access(void **state)
{
	uint8_t buf[8];

	(void)state;
	assert_int_equal(virtio_rng_create(&t.d, &t.host), 0);
	virtio_mmio_init(&t.m, t.d, LINE);
	for (unsigned round = 0; round < 4; round++)
		for (uint64_t offset = 0; offset < VIRTIO_MMIO_LEN; offset++)
			for (unsigned len = 1; len <= 8 && offset + len <= VIRTIO_MMIO_LEN; len *= 2) {
				memset(buf, round & 1 ? 0xff : (int)offset, sizeof(buf));
				virtio_mmio_access(&t.m, true, offset, buf, len);
				virtio_mmio_access(&t.m, false, offset, buf, len);
			}
	virtio_rng_destroy(t.d);
}

static void test_bad_ring_breaks(void **state)
{
	(void)state;
	assert_int_equal(virtio_rng_create(&t.d, &t.host), 0);
	virtio_mmio_init(&t.m, t.d, LINE);
	wr(STATUS, 3);
	wr(0x24, 1);
	wr(0x20, 1);
	wr(STATUS, 0xb);
	wr(0x30, 0);
	wr(QUEUE_NUM, SIZE);
	wr(0x80, 0xfffff000); /* nowhere */
	wr(READY, 1);
	assert_int_equal(rd(STATUS) & 64, 64);
	assert_int_equal(rd(READY), 0);
	wr(STATUS, 0);
	assert_int_equal(rd(STATUS), 0);
	virtio_rng_destroy(t.d);
}

/* --- devices */

static void test_rng(void **state)
{
	static const uint8_t zero[64];

	(void)state;
	assert_int_equal(virtio_rng_create(&t.d, &t.host), 0);
	start(1);
	ring_desc(&t.ring[0], 0, DATA, 40, RING_WRITE | RING_NEXT, 1);
	ring_desc(&t.ring[0], 1, DATA + 40, 24, RING_WRITE, 0);
	offer(0, 0);
	assert_int_equal(wait_used(0), 64);
	assert_memory_not_equal(ram + 0x8000, zero, 32);
	assert_memory_not_equal(ram + 0x8000 + 40, zero, 24);
	assert_int_equal(rd(ISR), 1);
	assert_int_equal(t.level, 1);
	wr(ACK, 1);
	assert_int_equal(t.level, 0);
	ring_desc(&t.ring[0], 0, DATA, 1, 0, 0); /* nothing to fill */
	offer(0, 0);
	assert_int_equal(wait_used(0), 0);
	virtio_rng_destroy(t.d);
}

static void test_console(void **state)
{
	struct gyve_sink out = {sink, NULL};

	(void)state;
	assert_int_equal(virtio_console_create(&t.d, &t.host, &out, t.in[0]), 0);
	start(2);
	memcpy(ram + 0x8000, "hello", 5);
	ring_desc(&t.ring[1], 0, DATA, 3, RING_NEXT, 1);
	ring_desc(&t.ring[1], 1, DATA + 3, 2, 0, 0);
	offer(1, 0);
	assert_int_equal(wait_used(1), 0);
	assert_int_equal(t.n, 5);
	assert_memory_equal(t.out, "hello", 5);
	assert_int_equal(write(t.in[1], "abcdef", 6), 6); /* before there is a buffer */
	ring_desc(&t.ring[0], 0, DATA + 0x100, 4, RING_WRITE, 0);
	offer(0, 0);
	assert_int_equal(wait_used(0), 4);
	assert_memory_equal(ram + 0x8100, "abcd", 4);
	offer(0, 0);
	assert_int_equal(wait_used(0), 2);
	assert_memory_equal(ram + 0x8100, "ef", 2);
	offer(0, 0); /* the buffer waits now */
	assert_int_equal(write(t.in[1], "g", 1), 1);
	assert_int_equal(wait_used(0), 1);
	ring_desc(&t.ring[0], 1, 0, 4, RING_WRITE, 0);
	assert_int_equal(write(t.in[1], "h", 1), 1);
	offer(0, 1); /* a buffer that is nowhere */
	wait_broken();
	virtio_mmio_reset(&t.m);
	start(2);
	memcpy(ram + 0x8000, "again", 5);
	ring_desc(&t.ring[1], 0, DATA, 5, 0, 0);
	offer(1, 0);
	wait_used(1);
	assert_int_equal(t.n, 10);
	virtio_console_destroy(t.d);
}

/* --- block */

/* A driver that looks at the device's wish before it notifies is asked to each time. */
static void test_notifications_wanted(void **state)
{
	const uint8_t *event;

	(void)state;
	assert_int_equal(virtio_rng_create(&t.d, &t.host), 0);
	event_idx = true;
	start(1);
	event_idx = false;
	event = ram + (t.ring[0].used - BASE) + 4 + 8 * SIZE;
	ring_desc(&t.ring[0], 0, DATA, 4, RING_WRITE, 0);
	for (unsigned i = 1; i < 20; i++) {
		offer(0, 0);
		assert_int_equal(wait_used(0), 4);
		for (unsigned n = 0; n < 2000; n++) { /* the last thing it does */
			pthread_mutex_lock(&t.d->lock);
			uint16_t now = get_le16(event);
			pthread_mutex_unlock(&t.d->lock);
			if (now == i)
				break;
			nanosleep(&(struct timespec){0, 1000000}, NULL);
		}
		assert_int_equal(get_le16(event), i);
	}
	virtio_rng_destroy(t.d);
}

static uint8_t sectors[5 * 512 + 100]; /* and a piece that is none */

static void open_disk(const char *how, int expect)
{
	struct disk *disk;
	struct gyve_err err;
	char spec[96];

	strcpy(t.file, "/tmp/gyve-disk.XXXXXX");
	int fd = mkstemp(t.file);
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(sectors); i++)
		sectors[i] = (uint8_t)(i / 512 + i * 3);
	assert_int_equal(write(fd, sectors, sizeof(sectors)), sizeof(sectors));
	close(fd);
	snprintf(spec, sizeof(spec), "%s%s", t.file, how);
	assert_int_equal(disk_open(&disk, spec, &err), expect);
	if (expect == 0)
		assert_int_equal(virtio_blk_create(&t.d, &t.host, disk, "disk0"), 0);
}

static void read_file(uint8_t *buf)
{
	FILE *f = fopen(t.file, "r");
	assert_non_null(f);
	assert_int_equal(fread(buf, 1, sizeof(sectors), f), sizeof(sectors));
	fclose(f);
}

/* A request of the usual form; its status. */
static uint8_t request(uint32_t type, uint64_t sector, uint32_t len, bool in)
{
	uint8_t *p = ram + 0x7000;

	put_le32(p, type);
	put_le32(p + 4, 0);
	put_le64(p + 8, sector);
	p[16] = 0xee;
	ring_desc(&t.ring[0], 0, BASE + 0x7000, 16, RING_NEXT, len ? 1 : 3);
	if (len) {
		ring_desc(&t.ring[0], 1, DATA, len / 2, RING_NEXT | (in ? RING_WRITE : 0), 2);
		ring_desc(&t.ring[0], 2, DATA + len / 2, len - len / 2, RING_NEXT | (in ? RING_WRITE : 0), 3);
	}
	ring_desc(&t.ring[0], 3, BASE + 0x7010, 1, RING_WRITE, 0);
	offer(0, 0);
	uint32_t used = wait_used(0);
	assert_int_equal(used, 1 + (in && p[16] == 0 ? len : 0));
	return p[16];
}

static void test_block(void **state)
{
	uint8_t back[sizeof(sectors)], capacity[8];

	(void)state;
	open_disk("", 0);
	start(1);
	virtio_mmio_access(&t.m, false, 0x100, capacity, 8);
	assert_int_equal(get_le64(capacity), 5);
	assert_int_equal(request(0, 1, 1024, true), 0);
	assert_memory_equal(ram + 0x8000, sectors + 512, 1024);
	memset(ram + 0x8000, 0xa5, 1024);
	assert_int_equal(request(1, 3, 1024, false), 0);
	assert_int_equal(request(4, 0, 0, false), 0);
	read_file(back);
	memset(sectors + 3 * 512, 0xa5, 1024);
	assert_memory_equal(back, sectors, sizeof(sectors));
	assert_int_equal(request(8, 0, 20, true), 0);
	assert_memory_equal(ram + 0x8000, "disk0\0\0\0", 8);
	assert_int_equal(request(99, 0, 0, false), 2);
	/* behind the end, or not a sector */
	assert_int_equal(request(0, 4, 1024, true), 1);
	assert_int_equal(request(0, UINT64_MAX, 512, true), 1);
	assert_int_equal(request(0, UINT64_MAX / 512, 512, true), 1);
	assert_int_equal(request(1, 5, 512, false), 1);
	assert_int_equal(request(0, 0, 511, true), 1);
	virtio_blk_destroy(t.d);
}

static void test_block_read_only(void **state)
{
	(void)state;
	open_disk(",ro", 0);
	start(1);
	assert_true(t.d->features & 1 << 5);
	assert_int_equal(request(1, 0, 512, false), 1);
	assert_int_equal(request(0, 0, 512, true), 0);
	virtio_blk_destroy(t.d);
}

static void test_block_overlay(void **state)
{
	uint8_t back[sizeof(sectors)], before[sizeof(sectors)];

	(void)state;
	open_disk(",overlay", 0);
	memcpy(before, sectors, sizeof(sectors));
	start(1);
	memset(ram + 0x8000, 0x77, 512);
	assert_int_equal(request(1, 2, 512, false), 0);
	memset(sectors + 2 * 512, 0x77, 512);
	assert_int_equal(request(0, 0, 5 * 512, true), 0);
	assert_memory_equal(ram + 0x8000, sectors, (size_t)5 * 512);
	read_file(back);
	assert_memory_equal(back, before, sizeof(before));
	virtio_blk_destroy(t.d);
}

static void test_block_hostile(void **state)
{
	(void)state;
	open_disk("", 0);
	start(1);
	ring_desc(&t.ring[0], 0, BASE + 0x7000, 8, RING_NEXT, 1); /* half a header */
	ring_desc(&t.ring[0], 1, DATA, 1, RING_WRITE, 0);
	offer(0, 0);
	wait_broken();
	start(1);
	ring_desc(&t.ring[0], 0, BASE + 0x7000, 16, 0, 0); /* no status */
	offer(0, 0);
	wait_broken();
	start(1);
	ring_desc(&t.ring[0], 0, BASE + 0x7000, 16, RING_NEXT, 0); /* itself */
	offer(0, 0);
	wait_broken();
	start(1);
	assert_int_equal(request(0, 0, 512, true), 0);
	truncate(t.file, 100);
	assert_int_equal(request(0, 1, 512, true), 1);
	virtio_blk_destroy(t.d);
}

static void test_disks_refused(void **state)
{
	struct disk *disk;
	struct gyve_err err;

	(void)state;
	assert_int_equal(disk_open(&disk, "/nowhere/at/all", &err), -ENOENT);
	assert_int_equal(disk_open(&disk, "/tmp,ro", &err), -EINVAL);
	assert_int_equal(disk_open(&disk, "/dev/null", &err), -EINVAL);
	assert_int_equal(disk_open(&disk, "", &err), -ENOENT);
	open_disk(",read-only", -ENOENT); /* then it is part of the name */
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_registers),     TEST(test_any_access),    TEST(test_bad_ring_breaks),      TEST(test_rng),
		TEST(test_console),       TEST(test_block),         TEST(test_block_read_only),      TEST(test_block_overlay),
		TEST(test_block_hostile), TEST(test_disks_refused), TEST(test_notifications_wanted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
