/* Private to gyve: virtio over memory-mapped registers, version 2 (VIRTIO 1.2, 4.2). */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H
#include "virtio.h"

enum { VIRTIO_MMIO_LEN = 0x200 };

struct virtio_mmio {
	struct virtio *d;
	unsigned line;
	/* under the device's lock */
	uint32_t device_features_sel, driver_features_sel, queue_sel, isr;
	bool raised;
};
/** Put d at a transport whose interrupts are host->irq's line. d is borrowed. */
void virtio_mmio_init(struct virtio_mmio *m, struct virtio *d, unsigned line);
/** As after power-on, the device too. */
void virtio_mmio_reset(struct virtio_mmio *m);
/** gyve_dev_access_fn for its range. */
void virtio_mmio_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
#endif
