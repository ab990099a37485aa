/* PCI config space and where BARs lie (PCI Local Bus 3.0, 3.2.2.3 and 6.1; PCI Express 3.0, 7.2.2). */
#include "pci.h"

#include <errno.h>
#include <string.h>

#include "../base/bytes.h"

enum { ADDRESS_ENABLE_SHIFT = 31, DATA_PORT = 4 };

void pci_host_init(struct pci_host *h, uint64_t window)
{
	*h = (struct pci_host){.window = window};
	pthread_mutex_init(&h->lock, NULL);
}

void pci_host_deinit(struct pci_host *h)
{
	pthread_mutex_destroy(&h->lock);
}

void pci_host_reset(struct pci_host *h)
{
	pthread_mutex_lock(&h->lock);
	h->address = 0;
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		struct pci_function *f = h->slot[i];
		if (!f)
			continue;
		memcpy(f->config, f->reset, sizeof(f->config));
		if (f->power_on)
			f->power_on(f);
	}
	pthread_mutex_unlock(&h->lock);
}

void pci_set_bar(struct pci_function *f, uint64_t gpa, uint64_t len, gyve_dev_access_fn *access)
{
	enum { MEMORY_64_PREFETCHABLE = 0xc };

	f->bar_len = len;
	f->bar = access;
	put_le64(f->reset + PCI_BAR0, gpa | MEMORY_64_PREFETCHABLE);
	put_le64(f->writable + PCI_BAR0, ~(len - 1)); /* all ones written read back as the size */
}

int pci_add(struct pci_host *h, unsigned slot, struct pci_function *f)
{
	if (slot >= PCI_SLOTS)
		return -EINVAL;
	if (h->slot[slot])
		return -EEXIST;
	h->slot[slot] = f;
	return 0;
}

static void write_config(struct pci_function *f, unsigned offset, const uint8_t *data, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		uint8_t *b = &f->config[offset + i], mask = f->writable[offset + i];
		*b = (uint8_t)((*b & ~mask) | (data[i] & mask));
	}
	if (f->config_written)
		f->config_written(f, offset, len);
}

/* function: bus, device and function number as 16 bits. Where nothing is, all ones. */
static void config_access(struct pci_host *h, unsigned function, unsigned offset, bool write, void *data, unsigned len)
{
	struct pci_function *f = function % 8 == 0 && function / 8 < PCI_SLOTS ? h->slot[function / 8] : NULL;

	if (!write)
		memset(data, 0xff, len);
	if (!f || offset >= PCI_CONFIG_LEN || len > PCI_CONFIG_LEN - offset)
		return;
	if (write) {
		write_config(f, offset, data, len);
		return;
	}
	if (f->config_read)
		f->config_read(f, offset, len);
	memcpy(data, f->config + offset, len);
}

void pci_port_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct pci_host *h = dev;

	pthread_mutex_lock(&h->lock);
	if (offset == 0 && len == 4) {
		if (write)
			h->address = get_le32(data);
		else
			put_le32(data, h->address);
	} else if (offset >= DATA_PORT && offset + len <= 2 * DATA_PORT && h->address >> ADDRESS_ENABLE_SHIFT) {
		unsigned at = (h->address & 0xfc) + (unsigned)(offset - DATA_PORT);
		config_access(h, h->address >> 8 & 0xffff, at, write, data, len);
	} else if (!write) {
		memset(data, 0xff, len);
	}
	pthread_mutex_unlock(&h->lock);
}

void pci_ecam_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct pci_host *h = dev;

	pthread_mutex_lock(&h->lock);
	config_access(h, (unsigned)(offset >> 12) & 0xffff, offset & 0xfff, write, data, len);
	pthread_mutex_unlock(&h->lock);
}

/* The function whose BAR holds all of the access; its offset there in *at. */
static struct pci_function *find_bar(struct pci_host *h, uint64_t gpa, unsigned len, uint64_t *at)
{
	for (unsigned i = 0; i < PCI_SLOTS; i++) {
		struct pci_function *f = h->slot[i];
		if (!f || !f->bar_len || !(f->config[PCI_COMMAND] & PCI_COMMAND_MEMORY))
			continue;
		*at = gpa - (get_le64(f->config + PCI_BAR0) & ~(f->bar_len - 1));
		if (*at < f->bar_len && len <= f->bar_len - *at)
			return f;
	}
	return NULL;
}

void pci_window_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct pci_host *h = dev;
	uint64_t at;

	pthread_mutex_lock(&h->lock);
	struct pci_function *f = find_bar(h, h->window + offset, len, &at);
	pthread_mutex_unlock(&h->lock);
	if (!write)
		memset(data, 0xff, len);
	if (f)
		f->bar(f, write, at, data, len);
}
