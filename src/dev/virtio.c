/* What all virtio devices and transports share: status, features, queues, notification (VIRTIO 1.2, 2.1, 2.2, 3.1). */
#include "virtio.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gyve/log.h"

void virtio_run(struct virtio *d)
{
	eventfd_t v;

	eventfd_read(d->kick, &v);
	unsigned pending = __atomic_exchange_n(&d->pending, 0, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&d->lock);
	for (unsigned q = 0; q < d->nqueues; q++)
		if (pending & 1u << q && virtio_running(d) && d->queue[q].enabled)
			d->ops->queue(d, q);
	pthread_mutex_unlock(&d->lock);
}

static void kicked(void *ctx, unsigned revents)
{
	(void)revents;
	virtio_run(ctx);
}

int virtio_init(struct virtio *d, const struct virtio_ops *ops, const struct gyve_dev_host *host, uint64_t features,
		unsigned nqueues, uint16_t queue_size)
{
	if (nqueues > VIRTIO_QUEUES_MAX || queue_size > VIRTQ_SIZE_MAX)
		return -EINVAL;
	d->ops = ops;
	d->host = host;
	d->offered = features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
	d->features = 0;
	d->status = d->generation = 0;
	d->pending = 0;
	d->nqueues = nqueues;
	for (unsigned q = 0; q < nqueues; q++) {
		d->queue[q].size_max = queue_size;
		virtq_reset(&d->queue[q]);
	}
	d->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->kick < 0)
		return -errno;
	pthread_mutex_init(&d->lock, NULL);
	int r = gyve_loop_watch(host->loop, d->kick, POLLIN, kicked, d);
	if (r < 0) {
		close(d->kick);
		pthread_mutex_destroy(&d->lock);
	}
	return r;
}

void virtio_deinit(struct virtio *d)
{
	gyve_loop_unwatch(d->host->loop, d->kick);
	close(d->kick);
	pthread_mutex_destroy(&d->lock);
}

static void interrupt(struct virtio *d, int q)
{
	if (d->interrupt)
		d->interrupt(d->transport, q);
}

void virtio_broken(struct virtio *d, const char *why)
{
	if (d->status & VIRTIO_NEEDS_RESET)
		return;
	gyve_log(GYVE_LOG_WARN, GYVE_LOG_DEV, "%s: the guest's driver made a mistake: %s", d->ops->name, why);
	d->status |= VIRTIO_NEEDS_RESET;
	if (d->status & VIRTIO_DRIVER_OK)
		interrupt(d, VIRTIO_CONFIG_CHANGED);
}

static void reset(struct virtio *d)
{
	if (d->ops->reset)
		d->ops->reset(d);
	d->status = 0;
	d->features = 0;
	__atomic_store_n(&d->pending, 0, __ATOMIC_SEQ_CST);
	for (unsigned q = 0; q < d->nqueues; q++)
		virtq_reset(&d->queue[q]);
}

void virtio_write_status(struct virtio *d, uint8_t status)
{
	uint8_t old = d->status;

	if (!status) {
		reset(d);
		return;
	}
	/* Bits are only added; the device's own bit is not the driver's. */
	status = (uint8_t)(old | (status & ~VIRTIO_NEEDS_RESET));
	if (~old & status & VIRTIO_FEATURES_OK && (d->features & ~d->offered || !(d->features & VIRTIO_F_VERSION_1)))
		status &= (uint8_t)~VIRTIO_FEATURES_OK;
	if (status & VIRTIO_DRIVER_OK && !(status & VIRTIO_FEATURES_OK)) {
		status &= (uint8_t)~VIRTIO_DRIVER_OK;
		virtio_broken(d, "it started the device before features were agreed on");
		status |= VIRTIO_NEEDS_RESET;
	}
	d->status = status;
	if (~old & status & VIRTIO_FEATURES_OK)
		for (unsigned q = 0; q < d->nqueues; q++) {
			d->queue[q].indirect = d->features & VIRTIO_F_INDIRECT_DESC;
			d->queue[q].event_idx = d->features & VIRTIO_F_EVENT_IDX;
		}
	if (!(~old & status & VIRTIO_DRIVER_OK) || !virtio_running(d))
		return;
	if (d->ops->start)
		d->ops->start(d);
	for (unsigned q = 0; q < d->nqueues; q++) /* what was put there before */
		if (d->queue[q].enabled)
			virtio_notify(d, q);
}

void virtio_write_features(struct virtio *d, unsigned half, uint32_t value)
{
	if (half > 1 || d->status & VIRTIO_FEATURES_OK)
		return;
	d->features &= ~(0xffffffffull << (32 * half));
	d->features |= (uint64_t)value << (32 * half);
}

void virtio_enable_queue(struct virtio *d, unsigned q)
{
	struct virtq *vq = virtio_queue(d, q);

	if (!vq || vq->enabled || d->status & VIRTIO_NEEDS_RESET)
		return;
	if (!(d->status & VIRTIO_FEATURES_OK))
		virtio_broken(d, "it enabled a queue before features were agreed on");
	else if (virtq_enable(vq, d->host->map) < 0)
		virtio_broken(d, vq->why);
	else if (d->status & VIRTIO_DRIVER_OK)
		virtio_notify(d, q);
}

void virtio_notify(struct virtio *d, unsigned q)
{
	if (q >= d->nqueues)
		return;
	__atomic_or_fetch(&d->pending, 1u << q, __ATOMIC_SEQ_CST);
	eventfd_write(d->kick, 1);
}

void virtio_config(struct virtio *d, bool write, uint64_t offset, void *buf, unsigned len)
{
	if (!write)
		memset(buf, 0, len);
	if (write && d->ops->config_write)
		d->ops->config_write(d, offset, buf, len);
	else if (!write && d->ops->config_read)
		d->ops->config_read(d, offset, buf, len);
}

void virtio_done(struct virtio *d, unsigned q)
{
	if (virtq_publish(&d->queue[q]))
		interrupt(d, (int)q);
}

int virtio_pop(struct virtio *d, unsigned q, struct virtq_chain *ret)
{
	int r = virtq_pop(&d->queue[q], ret);
	if (r < 0)
		virtio_broken(d, d->queue[q].why);
	return r;
}
