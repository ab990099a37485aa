#include "fake_net.h"

#include <stdlib.h>
#include <string.h>

#include "../../src/base/bytes.h"

static int irq(void *ctx, unsigned line, bool level)
{
	struct fake_net *f = ctx;

	(void)line;
	f->interrupts += level;
	return 0;
}

static int msi(void *ctx, uint64_t addr, uint32_t data)
{
	(void)addr;
	(void)data;
	return irq(ctx, 0, true);
}

static int attach(struct gyve_net *n, struct gyve_loop *loop)
{
	(void)n;
	(void)loop;
	return 0;
}

static void detach(struct gyve_net *n)
{
	(void)n;
}

static void send_frame(struct gyve_net *n, const uint8_t *header, const uint8_t *frame, size_t len)
{
	struct fake_net *f = (struct fake_net *)n;

	memcpy(f->header, header, NET_HEADER);
	memcpy(f->frame, frame, len);
	f->len = len;
	f->sent++;
}

static void ready(struct gyve_net *n, bool on)
{
	((struct fake_net *)n)->ready = on;
}

static void partial(struct gyve_net *n, bool on)
{
	((struct fake_net *)n)->partial = on;
}

static const struct net_ops ops = {attach, detach, send_frame, NULL, ready, partial, NULL};

int fake_net_open(struct fake_net *f)
{
	int r;

	memset(f, 0, sizeof(*f));
	f->net.ops = &ops;
	f->net.pcap = -1;
	f->net.mtu = 9000;
	memcpy(f->net.mac, "\x52\x54\0\1\2\3", 6);
	f->ram = aligned_alloc(4096, FAKE_RAM);
	if (!f->ram)
		return -1;
	memset(f->ram, 0, FAKE_RAM);
	f->host = (struct gyve_dev_host){.irq = irq, .msi = msi, .map = &f->map, .ctx = f};
	gyve_memmap_init(&f->map);
	pci_host_init(&f->pci, FAKE_WINDOW);
	if ((r = gyve_memmap_add(&f->map, FAKE_BASE, FAKE_RAM, f->ram, GYVE_REGION_RAM, "ram")) < 0 ||
	    (r = gyve_loop_create(&f->host.loop)) < 0 || (r = virtio_net_create(&f->card, &f->net, &f->host)) < 0 ||
	    (r = virtio_pci_init(&f->function, virtio_net_device(f->card), FAKE_WINDOW, 11, true)) < 0 ||
	    (r = pci_add(&f->pci, 0, &f->function.pci)) < 0)
		return r;
	pci_host_reset(&f->pci);
	return 0;
}

void fake_net_close(struct fake_net *f)
{
	virtio_net_destroy(f->card);
	gyve_loop_destroy(f->host.loop);
	pci_host_deinit(&f->pci);
	gyve_memmap_deinit(&f->map);
	free(f->ram);
}

void fake_net_write(struct fake_net *f, unsigned offset, uint64_t value, unsigned len)
{
	uint8_t b[8];

	put_le64(b, value);
	pci_window_access(&f->pci, true, offset, b, len);
}

uint64_t fake_net_read(struct fake_net *f, unsigned offset, unsigned len)
{
	uint8_t b[8] = {0};

	pci_window_access(&f->pci, false, offset, b, len);
	return get_le64(b);
}

void fake_net_run(struct fake_net *f)
{
	virtio_run(virtio_net_device(f->card));
}

bool fake_net_arrive(struct fake_net *f, const uint8_t *header, const uint8_t *frame, size_t len)
{
	pthread_mutex_lock(f->net.lock);
	bool r = net_receive(&f->net, header, frame, len);
	f->net.received(f->net.card);
	pthread_mutex_unlock(f->net.lock);
	return r;
}
