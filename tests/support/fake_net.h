/* A network card without a loop's thread, a PCI host to reach it, and a back end that remembers. */
#ifndef FAKE_NET_H
#define FAKE_NET_H
#include "../../src/dev/net.h"
#include "../../src/dev/virtio_net.h"
#include "../../src/dev/virtio_pci.h"

enum { FAKE_WINDOW = 0xfe000000, FAKE_BASE = 0x100000, FAKE_RAM = 0x40000 };

struct fake_net {
	struct gyve_net net; /* first */
	struct gyve_dev_host host;
	struct gyve_memmap map;
	struct pci_host pci;
	struct virtio_pci function;
	struct virtio_net *card;
	uint8_t *ram; /* FAKE_RAM bytes, at FAKE_BASE */
	bool ready, partial;
	unsigned sent, interrupts;
	uint8_t header[NET_HEADER], frame[NET_FRAME_MAX]; /* the last one */
	size_t len;
};

/* 0, or what failed. */
int fake_net_open(struct fake_net *f);
void fake_net_close(struct fake_net *f);
/* Registers in BAR 0. */
void fake_net_write(struct fake_net *f, unsigned offset, uint64_t value, unsigned len);
uint64_t fake_net_read(struct fake_net *f, unsigned offset, unsigned len);
/* The device does what it was notified of. */
void fake_net_run(struct fake_net *f);
/* A frame arrives: false: there is no room for it now. */
bool fake_net_arrive(struct fake_net *f, const uint8_t *header, const uint8_t *frame, size_t len);
#endif
