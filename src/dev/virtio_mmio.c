/* See virtio_mmio.h. Register numbers: VIRTIO 1.2, table 4.1. */
#include "virtio_mmio.h"

#include "../base/bytes.h"

#include <string.h>

enum {
	MAGIC = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_NUM_MAX = 0x034,
	QUEUE_NUM = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC = 0x080, /* and its upper half, as for the next two */
	QUEUE_DRIVER = 0x090,
	QUEUE_DEVICE = 0x0a0,
	SHM_LEN = 0x0b0, /* to 0x0bc: there is no shared memory */
	CONFIG_GENERATION = 0x0fc,
	CONFIG = 0x100,
};
enum { ISR_QUEUE = 1, ISR_CONFIG = 2 };

/* --- interrupts; the device's lock is held */

static void set_line(struct virtio_mmio *m, bool level)
{
	const struct gyve_dev_host *host = m->d->host;

	if (level && m->raised) /* an edge for each, too: an I/O APIC's pin may be set to those */
		host->irq(host->ctx, m->line, false);
	if (level || m->raised)
		host->irq(host->ctx, m->line, level);
	m->raised = level;
}

static void interrupt(void *transport, int q)
{
	struct virtio_mmio *m = transport;

	m->isr |= q < 0 ? ISR_CONFIG : ISR_QUEUE;
	set_line(m, true);
}

static void acknowledge(struct virtio_mmio *m, uint32_t bits)
{
	m->isr &= ~bits;
	if (!m->isr)
		set_line(m, false);
}

/* --- registers; the device's lock is held */

static void write_status(struct virtio_mmio *m, uint8_t status)
{
	virtio_write_status(m->d, status);
	if (status)
		return;
	m->device_features_sel = m->driver_features_sel = m->queue_sel = 0;
	acknowledge(m, m->isr);
}

static void put_half(uint64_t *p, unsigned half, uint32_t v)
{
	*p = half ? (*p & 0xffffffff) | (uint64_t)v << 32 : (*p & ~UINT64_C(0xffffffff)) | v;
}

static void write_queue(struct virtio_mmio *m, uint64_t offset, uint32_t v)
{
	struct virtq *q = virtio_queue(m->d, m->queue_sel);

	if (!q || q->enabled) /* the ring is in use until the device is reset */
		return;
	switch (offset) {
	case QUEUE_NUM:
		q->size = v <= UINT16_MAX ? (uint16_t)v : 0;
		break;
	case QUEUE_READY:
		if (v & 1)
			virtio_enable_queue(m->d, m->queue_sel);
		break;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
		put_half(&q->desc, offset & 4, v);
		break;
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
		put_half(&q->avail, offset & 4, v);
		break;
	case QUEUE_DEVICE:
	case QUEUE_DEVICE + 4:
		put_half(&q->used, offset & 4, v);
		break;
	}
}

static void write_reg(struct virtio_mmio *m, uint64_t offset, uint32_t v)
{
	switch (offset) {
	case DEVICE_FEATURES_SEL:
		m->device_features_sel = v;
		break;
	case DRIVER_FEATURES:
		virtio_write_features(m->d, m->driver_features_sel, v);
		break;
	case DRIVER_FEATURES_SEL:
		m->driver_features_sel = v;
		break;
	case QUEUE_SEL:
		m->queue_sel = v;
		break;
	case INTERRUPT_ACK:
		acknowledge(m, v);
		break;
	case STATUS:
		write_status(m, (uint8_t)v);
		break;
	default:
		write_queue(m, offset, v);
	}
}

static uint32_t read_reg(struct virtio_mmio *m, uint64_t offset)
{
	const struct virtq *q = virtio_queue(m->d, m->queue_sel);

	switch (offset) {
	case MAGIC:
		return 0x74726976;
	case VERSION:
		return 2;
	case DEVICE_ID:
		return m->d->ops->id;
	case VENDOR_ID:
		return 0x65767967; /* "gyve" */
	case DEVICE_FEATURES:
		return virtio_read_features(m->d, m->device_features_sel);
	case QUEUE_NUM_MAX:
		return q ? q->size_max : 0;
	case QUEUE_READY:
		return q && q->enabled;
	case INTERRUPT_STATUS:
		return m->isr;
	case STATUS:
		return m->d->status;
	case CONFIG_GENERATION:
		return m->d->generation;
	}
	return offset >= SHM_LEN && offset < SHM_LEN + 16 ? UINT32_MAX : 0;
}

/* Registers are 32 bits wide and nothing else; the configuration is the device's. */
void virtio_mmio_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct virtio_mmio *m = dev;
	bool reg = len == 4 && !(offset & 3);

	if (!write)
		memset(data, 0, len);
	if (offset < CONFIG && !reg)
		return;
	if (write && offset == QUEUE_NOTIFY) {
		virtio_notify(m->d, get_le32(data));
		return;
	}
	pthread_mutex_lock(&m->d->lock);
	if (offset >= CONFIG)
		virtio_config(m->d, write, offset - CONFIG, data, len);
	else if (write)
		write_reg(m, offset, get_le32(data));
	else
		put_le32(data, read_reg(m, offset));
	pthread_mutex_unlock(&m->d->lock);
}

void virtio_mmio_reset(struct virtio_mmio *m)
{
	pthread_mutex_lock(&m->d->lock);
	write_status(m, 0);
	pthread_mutex_unlock(&m->d->lock);
}

void virtio_mmio_init(struct virtio_mmio *m, struct virtio *d, unsigned line)
{
	*m = (struct virtio_mmio){.d = d, .line = line};
	pthread_mutex_lock(&d->lock);
	d->interrupt = interrupt;
	d->transport = m;
	pthread_mutex_unlock(&d->lock);
}
