/* A hostile driver at the registers of virtio-mmio devices and of the serial port. Byte 0 chooses the device; the next 4 KiB
 * (or what there is) are guest memory's beginning; then accesses of 12 bytes: kind, offset, value. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/base/bytes.h"
#include "../../src/dev/pl011.h"
#include "../../src/dev/virtio_blk.h"
#include "../../src/dev/virtio_console.h"
#include "../../src/dev/virtio_mmio.h"
#include "../../src/dev/virtio_rng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM = 0x4000, BASE = 0x1000, HEAD = 4096, STEP = 12 };

static uint64_t said;

static int irq(void *ctx, unsigned line, bool level)
{
	(void)ctx, (void)line, (void)level;
	return 0;
}

static void sink(void *ctx, const void *buf, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++)
		said += ((const uint8_t *)buf)[i];
}

/* The loop does not run: what it would do. */
static void serve(struct virtio *d)
{
	unsigned pending = __atomic_exchange_n(&d->pending, 0, __ATOMIC_SEQ_CST);

	pthread_mutex_lock(&d->lock);
	for (unsigned q = 0; q < d->nqueues; q++)
		if (pending & 1u << q && virtio_running(d) && d->queue[q].enabled)
			d->ops->queue(d, q);
	pthread_mutex_unlock(&d->lock);
}

static void drive(void *dev, gyve_dev_access_fn *fn, uint64_t room, struct virtio *d, const uint8_t *p, size_t size)
{
	for (; size >= STEP; p += STEP, size -= STEP) {
		unsigned len = 1u << (p[0] >> 1 & 3);
		uint64_t offset = get_le16(p + 2) % room;
		uint8_t buf[8];
		if (offset + len > room)
			continue;
		memcpy(buf, p + 4, sizeof(buf));
		fn(dev, p[0] & 1, offset, buf, len);
		if (d && p[0] & 8)
			serve(d);
	}
}

static struct disk *open_disk(bool overlay)
{
	char spec[64] = "/tmp/gyve-fuzz.XXXXXX";
	int fd = mkstemp(spec);
	struct disk *disk = NULL;
	char path[64];

	if (fd < 0 || ftruncate(fd, 8192) < 0)
		abort();
	close(fd);
	strcpy(path, spec);
	strcat(spec, overlay ? ",overlay" : ",ro");
	if (disk_open(&disk, spec, NULL) < 0)
		abort();
	unlink(path);
	return disk;
}

static void virtio(unsigned which, struct gyve_dev_host *host, const uint8_t *p, size_t size)
{
	struct gyve_sink out = {sink, NULL};
	struct virtio *d = NULL;
	struct virtio_mmio m;
	void (*destroy)(struct virtio *) = virtio_rng_destroy;
	int r;

	if (which == 0) {
		r = virtio_rng_create(&d, host);
	} else if (which == 1) {
		r = virtio_console_create(&d, host, &out, -1);
		destroy = virtio_console_destroy;
	} else {
		r = virtio_blk_create(&d, host, open_disk(which == 2), "fuzz");
		destroy = virtio_blk_destroy;
	}
	if (r < 0)
		abort();
	virtio_mmio_init(&m, d, 1);
	drive(&m, virtio_mmio_access, VIRTIO_MMIO_LEN, d, p, size);
	virtio_mmio_reset(&m);
	destroy(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gyve_dev_host host = {.irq = irq};
	struct gyve_sink out = {sink, NULL};
	struct gyve_pl011 *uart;
	struct gyve_memmap map;

	if (size < 1 + HEAD)
		return 0;
	uint8_t *ram = aligned_alloc(4096, RAM);
	if (!ram || gyve_loop_create(&host.loop) < 0)
		abort();
	memset(ram, 0, RAM);
	memcpy(ram, data + 1, HEAD);
	gyve_memmap_init(&map);
	if (gyve_memmap_add(&map, BASE, RAM, ram, GYVE_REGION_RAM, "ram") < 0)
		abort();
	host.map = &map;
	if (data[0] % 5 < 4) {
		virtio(data[0] % 5, &host, data + 1 + HEAD, size - 1 - HEAD);
	} else {
		if (gyve_pl011_create(&uart, &host, 1, &out, -1) < 0)
			abort();
		drive(uart, gyve_pl011_access, GYVE_PL011_LEN, NULL, data + 1 + HEAD, size - 1 - HEAD);
		gyve_pl011_destroy(uart);
	}
	gyve_loop_destroy(host.loop);
	gyve_memmap_deinit(&map);
	free(ram);
	return 0;
}
