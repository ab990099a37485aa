/* PCI config space and the virtio transport on it, as a driver sees them: through ports, ECAM and the BAR. */
#include "unit.h"

#include <unistd.h>

#include "../../src/base/bytes.h"
#include "../../src/dev/virtio_pci.h"
#include "gyve/log.h"
#include "../support/ring.h"

enum { WINDOW = 0xc000000, LINE = 11, RAM = 0x8000, BASE = 0x40000000, COMMON = 0x88, DATA = BASE + 0x4000 };

static struct gyve_memmap map;
static uint8_t ram[RAM] __attribute__((aligned(4096)));
static struct gyve_dev_host host;
static struct pci_host pci;
static struct virtio_pci fn;
static struct virtio dev;
static int level, edges, resets;
static uint64_t msi_addr;
static uint32_t msi_data;
static int msis, requests;

static int irq(void *ctx, unsigned line, bool on)
{
	(void)ctx;
	assert_int_equal(line, LINE);
	edges += on && !level;
	level = on;
	return 0;
}

static int msi(void *ctx, uint64_t addr, uint32_t data)
{
	(void)ctx;
	msi_addr = addr;
	msi_data = data;
	__atomic_add_fetch(&msis, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void config(struct virtio *d, uint64_t offset, void *buf, unsigned len)
{
	static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	(void)d;
	for (unsigned i = 0; i < len && offset + i < sizeof(bytes); i++)
		((uint8_t *)buf)[i] = bytes[offset + i];
}

static void queue(struct virtio *d, unsigned q)
{
	static struct virtq_chain c;
	while (virtio_pop(d, q, &c) == 1) {
		virtq_push(&d->queue[q], c.head, 1);
		requests++;
	}
	virtio_done(d, q);
}

static void reset(struct virtio *d)
{
	(void)d;
	resets++;
}

static const struct virtio_ops ops = {"test", VIRTIO_ID_NET, config, NULL, NULL, queue, reset};

static int setup(void **state)
{
	(void)state;
	level = edges = resets = msis = requests = 0;
	memset(ram, 0, sizeof(ram));
	gyve_memmap_init(&map);
	assert_int_equal(gyve_memmap_add(&map, BASE, RAM, ram, GYVE_REGION_RAM, "ram"), 0);
	host = (struct gyve_dev_host){.irq = irq, .msi = msi, .map = &map};
	assert_int_equal(gyve_loop_create(&host.loop), 0);
	assert_int_equal(virtio_init(&dev, &ops, &host, 1 << 5, 2, 256), 0);
	pci_host_init(&pci, WINDOW);
	assert_int_equal(virtio_pci_init(&fn, &dev, WINDOW, LINE, true), 0);
	assert_int_equal(pci_add(&pci, 0, &fn.pci), 0);
	assert_int_equal(pci_add(&pci, 0, &fn.pci), -EEXIST);
	assert_int_equal(pci_add(&pci, 32, &fn.pci), -EINVAL);
	pci_host_reset(&pci);
	assert_int_equal(gyve_loop_start(host.loop, NULL, NULL, NULL), 0);
	gyve_loop_resume(host.loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	virtio_deinit(&dev);
	gyve_loop_destroy(host.loop);
	pci_host_deinit(&pci);
	gyve_memmap_deinit(&map);
	return 0;
}

static uint64_t cfg(unsigned offset, unsigned len)
{
	uint8_t v[8] = {0}, a[4];
	put_le32(a, 0x80000000 | (offset & 0xfc));
	pci_port_access(&pci, true, 0, a, 4);
	pci_port_access(&pci, false, 4 + offset % 4, v, len);
	return get_le64(v);
}

static void cfg_write(unsigned offset, uint64_t v, unsigned len)
{
	uint8_t a[4], b[8];
	put_le32(a, 0x80000000 | (offset & 0xfc));
	put_le64(b, v);
	pci_port_access(&pci, true, 0, a, 4);
	pci_port_access(&pci, true, 4 + offset % 4, b, len);
}

static uint64_t rd(unsigned offset, unsigned len)
{
	uint8_t v[8] = {0};
	pci_window_access(&pci, false, offset, v, len);
	return get_le64(v);
}

static void wr(unsigned offset, uint64_t v, unsigned len)
{
	uint8_t b[8];
	put_le64(b, v);
	pci_window_access(&pci, true, offset, b, len);
}

static void test_config_space(void **state)
{
	uint8_t v[8];

	(void)state;
	assert_int_equal(cfg(0, 4), 0x10411af4);
	assert_int_equal(cfg(2, 2), 0x1041);
	assert_int_equal(cfg(8, 4), 0x02000001);
	assert_int_equal(cfg(0x3c, 2), 0x0100 | LINE);
	cfg_write(0, 0, 4);
	assert_int_equal(cfg(0, 4), 0x10411af4);
	cfg_write(0x10, 0xffffffff, 4);
	assert_int_equal(cfg(0x10, 4), 0xffe0000c);
	cfg_write(0x14, 0xffffffff, 4);
	assert_int_equal(cfg(0x14, 4), 0xffffffff);
	cfg_write(0x14, 0, 4);
	cfg_write(0x10, WINDOW + 0x200000, 4); /* the BAR moves */
	assert_int_equal(rd(COMMON + 18, 2), 0xffff);
	assert_int_equal(rd(0x200000 + COMMON + 18, 2), 2);
	cfg_write(4, 0, 2); /* memory off */
	assert_int_equal(rd(0x200000 + COMMON + 18, 2), 0xffff);
	pci_host_reset(&pci);
	assert_int_equal(rd(COMMON + 18, 2), 2);
	assert_int_equal(rd(0x1fffff, 2), 0xffff); /* over the BAR's end */
	put_le32(v, 0x80000800);                   /* another device, another function, another bus, nothing enabled */
	for (unsigned i = 0; i < 4; i++) {
		pci_port_access(&pci, true, 0, v, 4);
		uint8_t b[4];
		pci_port_access(&pci, false, 4, b, 4);
		assert_int_equal(get_le32(b), 0xffffffff);
		put_le32(v, i == 0 ? 0x80000100 : i == 1 ? 0x80010000 : 0);
	}
	pci_port_access(&pci, false, 0, v, 1);
	assert_int_equal(v[0], 0xff);
	pci_port_access(&pci, false, 6, v, 4);
	pci_ecam_access(&pci, false, 0x34, v, 1);
	assert_int_equal(v[0], 0x40);
	pci_ecam_access(&pci, false, 0xfe, v, 4); /* over the end */
	assert_int_equal(get_le32(v), 0xffffffff);
	pci_ecam_access(&pci, false, 0x8000, v, 4);
	assert_int_equal(get_le32(v), 0xffffffff);
}

static void test_capabilities(void **state)
{
	static const unsigned types[] = {1, 3, 2, 4, 0, 5};
	unsigned n = 0;

	(void)state;
	for (uint64_t at = cfg(0x34, 1); at; at = cfg((unsigned)at + 1, 1), n++) {
		assert_in_range(n, 0, 5);
		assert_int_equal(cfg((unsigned)at, 1), n == 4 ? 0x11 : 9);
		if (n != 4)
			assert_int_equal(cfg((unsigned)at + 3, 1), types[n]);
	}
	assert_int_equal(n, 6);
	cfg_write(0x94 + 8, COMMON + 18, 4); /* BAR 0 through config space */
	cfg_write(0x94 + 12, 2, 4);
	assert_int_equal(cfg(0x94 + 16, 2), 2);
	cfg_write(0x94 + 8, COMMON + 20, 4);
	cfg_write(0x94 + 12, 1, 4);
	cfg_write(0x94 + 16, 3, 1);
	assert_int_equal(rd(COMMON + 20, 1), 3);
	cfg_write(0x94 + 8, 0xffffffff, 4);
	cfg_write(0x94 + 12, 4, 4);
	cfg(0x94 + 16, 4);
	cfg_write(0x94 + 16, 1, 4);
}

/* Up to DRIVER_OK, with a queue of 8 at BASE. */
static void drive(struct ring *r)
{
	ring_init(r, ram, BASE, BASE, 8);
	for (unsigned i = 0; i < 3; i++)
		wr(COMMON + 20, (uint64_t[]){0, 1, 3}[i], 1);
	wr(COMMON + 8, 0, 4);
	wr(COMMON + 12, 1 << 5, 4);
	wr(COMMON + 8, 1, 4);
	wr(COMMON + 12, 1, 4);
	wr(COMMON + 20, 0xb, 1);
	assert_int_equal(rd(COMMON + 20, 1), 0xb);
	wr(COMMON + 22, 0, 2);
	wr(COMMON + 24, 8, 2);
	wr(COMMON + 32, r->desc, 8);
	wr(COMMON + 40, (uint32_t)r->avail, 4); /* in halves */
	wr(COMMON + 44, 0, 4);
	wr(COMMON + 48, r->used, 8);
	wr(COMMON + 28, 1, 2);
	assert_int_equal(rd(COMMON + 28, 2), 1);
	wr(COMMON + 20, 0xf, 1);
	assert_int_equal(rd(COMMON + 20, 1), 0xf);
}

static bool soon(int *count, int want)
{
	for (int i = 0; i < 2000 && __atomic_load_n(count, __ATOMIC_SEQ_CST) < want; i++)
		usleep(1000);
	usleep(1000);
	return __atomic_load_n(count, __ATOMIC_SEQ_CST) == want;
}

static void test_negotiation(void **state)
{
	(void)state;
	assert_int_equal(rd(COMMON + 4, 4), 1 << 5 | 1 << 28 | 1 << 29);
	wr(COMMON, 1, 4);
	assert_int_equal(rd(COMMON + 4, 4), 1);
	wr(COMMON, 2, 4);
	assert_int_equal(rd(COMMON + 4, 4), 0);
	assert_int_equal(rd(0xd8, 8), 0x0807060504030201);
	assert_int_equal(rd(0xd8 + 2, 2), 0x0403);
	assert_int_equal(rd(0xd8 + 16, 8), 0);
	wr(COMMON + 22, 7, 2); /* no such queue */
	assert_int_equal(rd(COMMON + 24, 2), 0);
	wr(COMMON + 22, 1, 2);
	assert_int_equal(rd(COMMON + 24, 2), 256);
	assert_int_equal(rd(COMMON + 30, 2), 1);
	wr(COMMON + 20, 3, 1);
	wr(COMMON + 12, 1 << 6, 4); /* not offered, and no VERSION_1 */
	wr(COMMON + 20, 0xb, 1);
	assert_int_equal(rd(COMMON + 20, 1), 3);
	wr(COMMON + 20, 0xf, 1);
	assert_int_equal(rd(COMMON + 20, 1), 3 | VIRTIO_NEEDS_RESET);
	wr(COMMON + 20, 0, 1);
	assert_int_equal(rd(COMMON + 20, 1), 0);
	assert_true(resets > 0);
	wr(COMMON + 28, 1, 2); /* a queue before its time */
	assert_int_equal(rd(COMMON + 28, 2), 0);
	assert_int_equal(rd(COMMON + 20, 1), VIRTIO_NEEDS_RESET);
}

static void test_line(void **state)
{
	struct ring r;

	(void)state;
	drive(&r);
	ring_desc(&r, 0, DATA, 8, RING_WRITE, 0);
	for (int i = 1; i <= 3; i++) {
		ring_offer(&r, 0);
		wr(0xd0, 0, 2);
		assert_true(soon(&edges, i));
		assert_int_equal(requests, i);
		assert_int_equal(level, 1);
		if (i == 2) /* not acknowledged: an edge comes all the same */
			continue;
		assert_int_equal(rd(0xc8, 1), 1);
		assert_int_equal(level, 0);
		assert_int_equal(rd(0xc8, 1), 0);
	}
	wr(0xc8, 0xff, 1);
	cfg_write(4, 0x406, 2); /* INTx off */
	ring_offer(&r, 0);
	wr(0xd0, 0, 4);
	assert_true(soon(&requests, 4));
	assert_int_equal(level, 0);
	cfg_write(4, 6, 2);
	assert_int_equal(level, 1);
	ring_desc(&r, 0, 0, 8, 0, 0); /* nowhere */
	ring_offer(&r, 0);
	wr(0xd0, 0, 4);
	assert_true(soon(&edges, 5));
	assert_int_equal(rd(COMMON + 20, 1), 0xf | VIRTIO_NEEDS_RESET);
	assert_int_equal(rd(0xc8, 1), 3);
	ring_desc(&r, 0, DATA, 8, RING_WRITE, 0);
	wr(0xd0, 0, 4);
	assert_true(soon(&requests, 4)); /* nothing until it is reset */
	drive(&r);
}

static void test_msix(void **state)
{
	struct ring r;

	(void)state;
	drive(&r);
	wr(COMMON + 22, 0, 2);
	wr(COMMON + 26, 9, 2); /* no such vector */
	assert_int_equal(rd(COMMON + 26, 2), 0xffff);
	wr(COMMON + 26, 2, 2);
	assert_int_equal(rd(COMMON + 26, 2), 2);
	cfg_write(0x8a, 0x8000, 2);
	assert_int_equal(cfg(0x8a, 2), 0x8002);
	wr(0x1020, 0xfee00000, 8);
	wr(0x1028, 0x4042, 4);
	ring_desc(&r, 0, DATA, 8, RING_WRITE, 0);
	ring_offer(&r, 0);
	wr(0xd0, 0, 4);
	assert_true(soon(&requests, 1));
	assert_int_equal(msis, 0);
	assert_int_equal(rd(0x1800, 8), 4); /* it waits behind the mask */
	wr(0x102c, 0, 4);
	assert_int_equal(msis, 1);
	assert_int_equal(msi_addr, 0xfee00000);
	assert_int_equal(msi_data, 0x4042);
	assert_int_equal(rd(0x1800, 8), 0);
	cfg_write(0x8a, 0xc000, 2); /* all masked */
	ring_offer(&r, 0);
	wr(0xd0, 0, 4);
	assert_true(soon(&requests, 2));
	assert_int_equal(msis, 1);
	cfg_write(0x8a, 0x8000, 2);
	assert_int_equal(msis, 2);
	assert_int_equal(edges, 0);
	assert_int_equal(rd(0xc8, 1), 0);
	pci_host_reset(&pci);
	assert_int_equal(cfg(0x8a, 2), 2);
	assert_int_equal(rd(COMMON + 20, 1), 0);
	assert_int_equal(rd(0x102c, 4), 1);
}

/* Every offset, every width: nothing falls over. */
static void test_every_access(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++)
		for (unsigned len = 1; len <= 8; len++)
			for (unsigned at = 0; at < 0x1820; at = at == 0x110 ? 0x0ff8 : at + 1) {
				rd(at, len);
				wr(at, round ? UINT64_MAX : UINT64_C(0x0101010101010101) * at, len);
				if (at < 256 && len <= 4 - at % 4) {
					cfg(at, len);
					cfg_write(at, round ? UINT64_MAX : at, len);
				}
				if (round == 2)
					pci_host_reset(&pci);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_config_space, setup, teardown),
		cmocka_unit_test_setup_teardown(test_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_negotiation, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_access, setup, teardown),
	};
	gyve_log_configure("off");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
