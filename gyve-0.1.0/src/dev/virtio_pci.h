/* The PCI transport of a virtio device (VIRTIO 1.2, 4.1), without its legacy half. Registers lie where uhyve has them, so that
 * a driver that knows only uhyve finds them: common configuration at 0x88 of BAR 0, ISR 0xc8, notifications 0xd0, the device's
 * own 0xd8. MSI-X and config-space access are capabilities behind uhyve's. */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H
#include "pci.h"
#include "virtio.h"

enum {
	VIRTIO_PCI_BAR_LEN = 2 << 20,
	VIRTIO_PCI_VECTORS = VIRTIO_QUEUES_MAX + 1,
	VIRTIO_PCI_CONFIG_LEN = 24, /**< of the device's own configuration */
};

struct virtio_pci {
	struct pci_function pci; /* first */
	struct virtio *d;
	unsigned line; /**< interrupt line of the platform */
	/* the rest: d's lock */
	uint32_t device_feature_select, driver_feature_select;
	uint16_t queue_select, config_vector, queue_vector[VIRTIO_QUEUES_MAX];
	uint8_t isr;
	bool raised, intx_off, msix_on, msix_masked;
	unsigned vectors; /* of MSI-X; 0: it is not offered */
	uint64_t pending;
	uint8_t table[VIRTIO_PCI_VECTORS * 16];
};

/** d (of at most two queues) behind a PCI function whose BAR 0 lies at gpa and whose interrupt goes to `line` of the platform.
 * msix: offer MSI-X. Reset the host before use. -EINVAL: too many queues. */
int virtio_pci_init(struct virtio_pci *p, struct virtio *d, uint64_t gpa, unsigned line, bool msix);
#endif
