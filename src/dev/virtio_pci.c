/* Registers of the PCI transport. Offsets in config space and BAR 0 up to 0xf0 are uhyve's. */
#include "virtio_pci.h"

#include <errno.h>
#include <string.h>

#include "../base/bytes.h"

enum {
	CAP_COMMON = 0x40,
	CAP_ISR = 0x50,
	CAP_NOTIFY = 0x60,
	CAP_DEVICE = 0x78,
	CAP_MSIX = 0x88,
	CAP_ACCESS = 0x94, /* BAR 0 through config space */
};
enum {
	BAR_COMMON = 0x88,
	BAR_ISR = 0xc8,
	BAR_NOTIFY = 0xd0,
	BAR_DEVICE = 0xd8,
	BAR_TABLE = 0x1000,
	BAR_PENDING = 0x1800,
};
enum { COMMON_LEN = 64, NOTIFY_LEN = 8, NOTIFY_STEP = 4, MSIX_CONTROL = CAP_MSIX + 2, ACCESS_DATA = CAP_ACCESS + 16 };
enum { NO_VECTOR = 0xffff, ISR_QUEUE = 1, ISR_CONFIG = 2 };

/* --- interrupts; the device's lock is held */

static void set_line(struct virtio_pci *p, bool level)
{
	const struct gyve_dev_host *host = p->d->host;

	/* An edge for each interrupt, too: the I/O APIC's pin may be set to those. */
	if (level && p->raised)
		host->irq(host->ctx, p->line, false);
	if (level || p->raised)
		host->irq(host->ctx, p->line, level);
	p->raised = level;
}

static void send_vector(struct virtio_pci *p, unsigned v)
{
	const struct gyve_dev_host *host = p->d->host;

	if (v >= p->vectors)
		return;
	const uint8_t *e = p->table + (size_t)v * 16;
	if (p->msix_masked || e[12] & 1) {
		p->pending |= 1ull << v;
		return;
	}
	p->pending &= ~(1ull << v);
	host->msi(host->ctx, get_le64(e), get_le32(e + 8));
}

/* Masks have changed. */
static void send_pending(struct virtio_pci *p)
{
	for (unsigned v = 0; v < p->vectors && p->msix_on; v++)
		if (p->pending & 1ull << v)
			send_vector(p, v);
}

static void interrupt(void *transport, int q)
{
	struct virtio_pci *p = transport;

	if (p->msix_on) {
		send_vector(p, q < 0 ? p->config_vector : p->queue_vector[q]);
		return;
	}
	p->isr |= q < 0 ? ISR_CONFIG : ISR_QUEUE;
	if (!p->intx_off)
		set_line(p, true);
}

/* --- common configuration */

static void reset_transport(struct virtio_pci *p)
{
	p->device_feature_select = p->driver_feature_select = 0;
	p->queue_select = 0;
	p->config_vector = NO_VECTOR;
	for (unsigned q = 0; q < VIRTIO_QUEUES_MAX; q++)
		p->queue_vector[q] = NO_VECTOR;
	p->isr = 0;
	p->pending = 0;
	set_line(p, false);
}

static void show_common(struct virtio_pci *p, uint8_t *c)
{
	struct virtio *d = p->d;
	const struct virtq *q = virtio_queue(d, p->queue_select);

	memset(c, 0, COMMON_LEN);
	put_le32(c, p->device_feature_select);
	put_le32(c + 4, virtio_read_features(d, p->device_feature_select));
	put_le32(c + 8, p->driver_feature_select);
	if (p->driver_feature_select < 2)
		put_le32(c + 12, (uint32_t)(d->features >> (32 * p->driver_feature_select)));
	put_le16(c + 16, p->config_vector);
	put_le16(c + 18, (uint16_t)d->nqueues);
	c[20] = d->status;
	c[21] = d->generation;
	put_le16(c + 22, p->queue_select);
	put_le16(c + 26, q ? p->queue_vector[p->queue_select] : NO_VECTOR);
	if (!q)
		return;
	put_le16(c + 24, q->size);
	put_le16(c + 28, q->enabled);
	put_le16(c + 30, p->queue_select);
	put_le64(c + 32, q->desc);
	put_le64(c + 40, q->avail);
	put_le64(c + 48, q->used);
}

static uint16_t vector(const struct virtio_pci *p, uint16_t v)
{
	return v < p->vectors ? v : NO_VECTOR;
}

static void write_status(struct virtio_pci *p, uint8_t status)
{
	virtio_write_status(p->d, status);
	if (!status)
		reset_transport(p);
}

static void write_queue(struct virtio_pci *p, unsigned field, const uint8_t *c)
{
	struct virtq *q = virtio_queue(p->d, p->queue_select);

	if (!q)
		return;
	if (field == 26)
		p->queue_vector[p->queue_select] = vector(p, get_le16(c + 26));
	if (q->enabled) /* the ring is in use */
		return;
	if (field == 24)
		q->size = get_le16(c + 24);
	else if (field == 32)
		q->desc = get_le64(c + 32);
	else if (field == 40)
		q->avail = get_le64(c + 40);
	else if (field == 48)
		q->used = get_le64(c + 48);
	else if (field == 28 && get_le16(c + 28) == 1)
		virtio_enable_queue(p->d, p->queue_select);
}

/* The field of c that begins there has been written. */
static void write_field(struct virtio_pci *p, unsigned field, const uint8_t *c)
{
	switch (field) {
	case 0:
		p->device_feature_select = get_le32(c);
		break;
	case 8:
		p->driver_feature_select = get_le32(c + 8);
		break;
	case 12:
		virtio_write_features(p->d, p->driver_feature_select, get_le32(c + 12));
		break;
	case 16:
		p->config_vector = vector(p, get_le16(c + 16));
		break;
	case 20:
		write_status(p, c[20]);
		break;
	case 22:
		p->queue_select = get_le16(c + 22);
		break;
	default:
		write_queue(p, field, c);
	}
}

/* Any width, any alignment: bytes are put into the registers as they are, then what was touched takes effect. */
static void common(struct virtio_pci *p, bool write, unsigned offset, uint8_t *data, unsigned len)
{
	static const struct {
		uint8_t at, len;
	} fields[] = {{0, 4},  {8, 4},  {12, 4}, {16, 2}, {20, 1}, {22, 2},
		      {24, 2}, {26, 2}, {32, 8}, {40, 8}, {48, 8}, {28, 2}}; /* the enable register last */
	uint8_t c[COMMON_LEN];

	show_common(p, c);
	if (!write) {
		memcpy(data, c + offset, len);
		return;
	}
	memcpy(c + offset, data, len);
	for (unsigned i = 0; i < GYVE_ARRAY_SIZE(fields); i++)
		if (offset < fields[i].at + fields[i].len && fields[i].at < offset + len)
			write_field(p, fields[i].at, c);
}

/* --- BAR 0 */

static void isr(struct virtio_pci *p, bool write, uint8_t *data)
{
	if (write)
		return;
	*data = p->isr; /* reading acknowledges */
	p->isr = 0;
	set_line(p, false);
}

static void msix_table(struct virtio_pci *p, bool write, unsigned offset, uint8_t *data, unsigned len)
{
	if (!write) {
		memcpy(data, p->table + offset, len);
		return;
	}
	memcpy(p->table + offset, data, len);
	send_pending(p);
}

static bool inside(uint64_t offset, unsigned len, uint64_t from, uint64_t size)
{
	return offset >= from && offset - from < size && len <= size - (offset - from);
}

static void bar(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct virtio_pci *p = dev;
	uint64_t table_len = (uint64_t)p->vectors * 16;

	if (!write)
		memset(data, 0, len);
	if (inside(offset, len, BAR_NOTIFY, NOTIFY_LEN)) {
		if (write)
			virtio_notify(p->d, (unsigned)(offset - BAR_NOTIFY) / NOTIFY_STEP);
		return;
	}
	pthread_mutex_lock(&p->d->lock);
	if (inside(offset, len, BAR_COMMON, COMMON_LEN))
		common(p, write, (unsigned)(offset - BAR_COMMON), data, len);
	else if (inside(offset, len, BAR_ISR, 4) && offset == BAR_ISR)
		isr(p, write, data);
	else if (inside(offset, len, BAR_DEVICE, VIRTIO_PCI_CONFIG_LEN))
		virtio_config(p->d, write, offset - BAR_DEVICE, data, len);
	else if (inside(offset, len, BAR_TABLE, table_len))
		msix_table(p, write, (unsigned)(offset - BAR_TABLE), data, len);
	else if (inside(offset, len, BAR_PENDING, 8) && !write && p->vectors)
		memcpy(data, (const uint8_t *)&p->pending + (offset - BAR_PENDING), len);
	pthread_mutex_unlock(&p->d->lock);
}

/* --- config space */

static bool touches(unsigned offset, unsigned len, unsigned from, unsigned size)
{
	return offset < from + size && from < offset + len;
}

/* BAR 0 through config space, for who cannot reach memory: only what a register could be. */
static void config_window(struct virtio_pci *p, bool write)
{
	const uint8_t *cap = p->pci.config + CAP_ACCESS;
	uint32_t offset = get_le32(cap + 8), len = get_le32(cap + 12);

	if (cap[4] == 0 && (len == 1 || len == 2 || len == 4) && inside(offset, len, 0, VIRTIO_PCI_BAR_LEN))
		bar(p, write, offset, p->pci.config + ACCESS_DATA, len);
}

static void config_read(struct pci_function *f, unsigned offset, unsigned len)
{
	if (touches(offset, len, ACCESS_DATA, 4))
		config_window((struct virtio_pci *)f, false);
}

static void config_written(struct pci_function *f, unsigned offset, unsigned len)
{
	struct virtio_pci *p = (struct virtio_pci *)f;
	uint16_t control = get_le16(f->config + MSIX_CONTROL);

	if (touches(offset, len, ACCESS_DATA, 4))
		config_window(p, true);
	if (!touches(offset, len, PCI_COMMAND, 2) && !touches(offset, len, MSIX_CONTROL, 2))
		return;
	pthread_mutex_lock(&p->d->lock);
	p->intx_off = get_le16(f->config + PCI_COMMAND) & PCI_COMMAND_NO_INTX;
	p->msix_on = p->vectors && control & 1 << 15;
	p->msix_masked = control & 1 << 14;
	set_line(p, p->isr && !p->intx_off && !p->msix_on);
	send_pending(p);
	pthread_mutex_unlock(&p->d->lock);
}

static void power_on(struct pci_function *f)
{
	struct virtio_pci *p = (struct virtio_pci *)f;

	pthread_mutex_lock(&p->d->lock);
	p->intx_off = p->msix_on = p->msix_masked = false;
	memset(p->table, 0, sizeof(p->table));
	for (unsigned v = 0; v < VIRTIO_PCI_VECTORS; v++)
		p->table[v * 16 + 12] = 1; /* masked */
	write_status(p, 0);
	pthread_mutex_unlock(&p->d->lock);
}

static void put_cap(struct virtio_pci *p, unsigned at, unsigned next, unsigned len, unsigned type, uint32_t offset,
		    uint32_t size)
{
	uint8_t *c = p->pci.reset + at;

	c[0] = 9; /* vendor-specific: virtio's */
	c[1] = (uint8_t)next;
	c[2] = (uint8_t)len;
	c[3] = (uint8_t)type;
	put_le32(c + 8, offset);
	put_le32(c + 12, size);
}

static void put_caps(struct virtio_pci *p)
{
	uint8_t *c = p->pci.reset, *w = p->pci.writable;

	put_cap(p, CAP_COMMON, CAP_ISR, 16, 1, BAR_COMMON, COMMON_LEN);
	put_cap(p, CAP_ISR, CAP_NOTIFY, 16, 3, BAR_ISR, 1);
	put_cap(p, CAP_NOTIFY, CAP_DEVICE, 20, 2, BAR_NOTIFY, NOTIFY_LEN);
	put_le32(c + CAP_NOTIFY + 16, NOTIFY_STEP);
	put_cap(p, CAP_DEVICE, p->vectors ? CAP_MSIX : CAP_ACCESS, 16, 4, BAR_DEVICE, VIRTIO_PCI_CONFIG_LEN);
	if (p->vectors) {
		c[CAP_MSIX] = 0x11;
		c[CAP_MSIX + 1] = CAP_ACCESS;
		put_le16(c + MSIX_CONTROL, (uint16_t)(p->vectors - 1));
		w[MSIX_CONTROL + 1] = 0xc0;
		put_le32(c + CAP_MSIX + 4, BAR_TABLE);
		put_le32(c + CAP_MSIX + 8, BAR_PENDING);
	}
	put_cap(p, CAP_ACCESS, 0, 20, 5, 0, 0);
	w[CAP_ACCESS + 4] = 0xff;
	memset(w + CAP_ACCESS + 8, 0xff, 12);
}

int virtio_pci_init(struct virtio_pci *p, struct virtio *d, uint64_t gpa, unsigned line, bool msix)
{
	uint8_t *c = p->pci.reset, *w = p->pci.writable;

	if (d->nqueues > NOTIFY_LEN / NOTIFY_STEP)
		return -EINVAL;
	*p = (struct virtio_pci){.d = d, .line = line, .vectors = msix ? d->nqueues + 1 : 0};
	put_le16(c, 0x1af4);
	put_le16(c + 2, (uint16_t)(0x1040 + d->ops->id));
	put_le16(c + PCI_COMMAND, PCI_COMMAND_MEMORY);  /* no firmware is there to set it */
	put_le16(w + PCI_COMMAND, 0x0546);              /* memory, bus master, parity, SERR, no INTx */
	c[6] = 0x10;                                    /* status: capabilities */
	c[8] = 1;                                       /* revision */
	c[11] = d->ops->id == VIRTIO_ID_NET ? 2 : 0xff; /* class */
	pci_set_bar(&p->pci, gpa, VIRTIO_PCI_BAR_LEN, bar);
	put_le16(c + 0x2c, 0x1af4); /* subsystem */
	put_le16(c + 0x2e, (uint16_t)(0x40 + d->ops->id));
	c[0x34] = CAP_COMMON;
	c[0x3c] = (uint8_t)line;
	w[0x3c] = 0xff;
	c[0x3d] = 1; /* INTA */
	put_caps(p);
	p->pci.config_read = config_read;
	p->pci.config_written = config_written;
	p->pci.power_on = power_on;
	pthread_mutex_lock(&d->lock);
	d->interrupt = interrupt;
	d->transport = p;
	pthread_mutex_unlock(&d->lock);
	return 0;
}
