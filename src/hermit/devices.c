/* The devices of a Hermit machine: a PCI bus, and on it a network card where uhyve has one. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../dev/virtio_net.h"
#include "../dev/virtio_pci.h"
#include "gyve/net.h"
#include "hermit.h"

enum { X86_PORTS = 0xcf8, X86_LINE = 11 };
#define X86_PCI UINT64_C(0xfe000000)
#define X86_PCI_LEN UINT64_C(0xc00000) /* what follows is the I/O APIC's */

struct hermit_devices {
	struct gyve_bus bus;
	struct pci_host pci;
	struct virtio_net *net; /* NULL: none */
	struct virtio_pci net_pci;
};

static int add_card(struct hermit *h, const struct gyve_dev_host *host, bool x86)
{
	struct hermit_devices *d = h->devices;
	uint64_t window = x86 ? X86_PCI : HERMIT_A64_PCI;
	int r = virtio_net_create(&d->net, h->params->net, host);

	if (r == 0)
		r = virtio_pci_init(&d->net_pci, virtio_net_device(d->net), window, x86 ? X86_LINE : HERMIT_A64_SPI, x86);
	if (r == 0)
		r = pci_add(&d->pci, 0, &d->net_pci.pci);
	if (r == 0)
		r = gyve_bus_add(&d->bus, false, window, x86 ? X86_PCI_LEN : HERMIT_A64_PCI_LEN, pci_window_access, &d->pci);
	if (r == 0 && !x86)
		r = gyve_bus_add(&d->bus, false, HERMIT_A64_ECAM, PCI_ECAM_BUS_LEN, pci_ecam_access, &d->pci);
	return r;
}

int hermit_attach(void *state, const struct gyve_dev_host *host, struct gyve_err *err)
{
	struct hermit *h = state;
	bool x86 = h->elf->machine == EM_X86_64;
	int r = 0;

	if (h->params->net && h->version && h->version < HERMIT_VERSION(0, 13, 2))
		return gyve_err_set(err, -ENOEXEC,
				    "a network needs Hermit 0.13.2 or later, the image's kernel is %u.%u.%u: leave --net out",
				    h->version >> 16, h->version >> 8 & 0xff, h->version & 0xff);
	h->devices = calloc(1, sizeof(*h->devices));
	if (!h->devices)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	pci_host_init(&h->devices->pci, x86 ? X86_PCI : HERMIT_A64_PCI);
	if (x86)
		r = gyve_bus_add(&h->devices->bus, true, X86_PORTS, 8, pci_port_access, &h->devices->pci);
	if (r == 0 && h->params->net)
		r = add_card(h, host, x86);
	return r < 0 ? gyve_err_set(err, r, "no room for the guest's devices: %s", strerror(-r)) : 0;
}

void hermit_devices_reset(struct hermit *h)
{
	if (h->devices)
		pci_host_reset(&h->devices->pci);
}

void hermit_devices_destroy(struct hermit *h)
{
	if (!h->devices)
		return;
	virtio_net_destroy(h->devices->net);
	pci_host_deinit(&h->devices->pci);
	free(h->devices);
	h->devices = NULL;
}

bool hermit_device_access(const struct hermit *h, const struct gyve_access *a)
{
	return h->devices && gyve_bus_access(&h->devices->bus, a);
}
