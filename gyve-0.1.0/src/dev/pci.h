/* A PCI host with one bus of functions that have one 64-bit memory BAR each. Config space is reached through ports 0xcf8..0xcff
 * or an ECAM window, BARs through one window of guest-physical addresses, whose ranges the platform puts on its bus.
 *
 * Threads: accesses come from vCPU threads; a lock per host keeps config space whole. */
#ifndef PCI_H
#define PCI_H
#include <pthread.h>

#include "gyve/dev.h"

enum {
	PCI_SLOTS = 32,
	PCI_CONFIG_LEN = 256,
	PCI_ECAM_BUS_LEN = 1 << 20, /**< ECAM of one bus */
	PCI_COMMAND = 0x04,
	PCI_COMMAND_MEMORY = 2,
	PCI_COMMAND_NO_INTX = 1 << 10,
	PCI_BAR0 = 0x10,
};

struct pci_function {
	uint8_t reset[PCI_CONFIG_LEN];    /**< config space after power on */
	uint8_t writable[PCI_CONFIG_LEN]; /**< the bits of it a guest can change */
	uint8_t config[PCI_CONFIG_LEN];   /**< as it is; the host's lock */
	uint64_t bar_len;                 /**< of BAR 0, a power of two */
	gyve_dev_access_fn *bar;          /**< an access within it; the host's lock is not held unless config space led there */
	/** Bytes offset..offset+len of config are about to be read. NULL: nothing to do. The host's lock is held. */
	void (*config_read)(struct pci_function *f, unsigned offset, unsigned len);
	/** They have been written. NULL: nothing to do. The host's lock is held. */
	void (*config_written)(struct pci_function *f, unsigned offset, unsigned len);
	void (*power_on)(struct pci_function *f);
};

struct pci_host {
	pthread_mutex_t lock;
	struct pci_function *slot[PCI_SLOTS]; /**< function 0 of each device of bus 0 */
	uint32_t address;                     /**< what 0xcf8 holds */
	uint64_t window;                      /**< where the range of pci_window_access() begins */
};

void pci_host_init(struct pci_host *h, uint64_t window);
void pci_host_deinit(struct pci_host *h);
/** Config space as after power on, in all functions. No vCPU runs. */
void pci_host_reset(struct pci_host *h);
/** BAR 0 of f: a prefetchable 64-bit memory range of len bytes (a power of two) at gpa. */
void pci_set_bar(struct pci_function *f, uint64_t gpa, uint64_t len, gyve_dev_access_fn *access);
/** f at device number slot, from the next reset on. -EINVAL, -EEXIST. */
int pci_add(struct pci_host *h, unsigned slot, struct pci_function *f);

/** Ports 0xcf8..0xcff, an ECAM window of one bus, the window of BARs: dev is the struct pci_host. */
void pci_port_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
void pci_ecam_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
void pci_window_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
#endif
