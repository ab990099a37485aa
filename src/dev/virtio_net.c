/* The network card: queue 0 takes frames to the guest, queue 1 those it sends. */
#include "virtio_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "net.h"

enum { RX, TX, QUEUE_SIZE = 256, BATCH = 128 };
enum { F_CSUM = 1 << 0, F_GUEST_CSUM = 1 << 1, F_MTU = 1 << 3, F_MAC = 1 << 5, F_MRG_RXBUF = 1 << 15, F_STATUS = 1 << 16 };
enum { HDR_DATA_VALID = 2, HDR_BUFFERS = 10 };

struct virtio_net {
	struct virtio d; /* first */
	struct gyve_net *net;
	struct virtq_chain rx, tx;
	uint8_t frame[NET_HEADER + NET_FRAME_MAX];
};

/* --- to the guest */

/* The next buffers of the guest, or false: it has none, and will tell of the next. */
static bool next_buffers(struct virtio_net *n)
{
	for (;;) {
		int r = virtio_pop(&n->d, RX, &n->rx);
		if (r == 1)
			return true;
		if (r < 0 || !virtq_want_notify(&n->d.queue[RX], true))
			return false;
	}
}

/* Of the last buffers popped, so many were pushed: none of them was used. */
static void put_back(struct virtio_net *n, unsigned popped, unsigned pushed)
{
	virtq_unpush(&n->d.queue[RX], pushed);
	virtq_unpop(&n->d.queue[RX], popped);
}

/* From byte `at` of header and frame on, as much as n->rx holds. */
static size_t fill(struct virtio_net *n, const uint8_t *header, const uint8_t *frame, size_t len, size_t at)
{
	size_t done = 0;

	if (at < NET_HEADER)
		done = virtq_write(&n->rx, 0, header + at, NET_HEADER - at);
	if (at + done >= NET_HEADER)
		done += virtq_write(&n->rx, done, frame + (at + done - NET_HEADER), NET_HEADER + len - at - done);
	return done;
}

/* The header's number of buffers, which may lie in two pieces. */
static void put_count(const struct iovec *at, unsigned pieces, unsigned count)
{
	uint8_t number[2];

	put_le16(number, (uint16_t)count);
	memcpy(at[0].iov_base, number, at[0].iov_len);
	if (pieces == 2)
		memcpy(at[1].iov_base, number + 1, 1);
}

/* One frame; false: no buffers. */
static bool receive(void *card, const uint8_t *header, const uint8_t *frame, size_t len)
{
	struct virtio_net *n = card;
	struct virtq *q = &n->d.queue[RX];
	uint8_t hdr[NET_HEADER] = {0};
	struct iovec count_at[2] = {{0}};
	unsigned count = 0, pieces = 0;

	if (!virtio_running(&n->d) || !q->enabled)
		return true;
	if (header)
		memcpy(hdr, header, HDR_BUFFERS);
	else
		hdr[0] = HDR_DATA_VALID;
	hdr[0] &= n->d.features & F_GUEST_CSUM ? NET_NEEDS_CSUM | HDR_DATA_VALID : 0;
	memset(hdr + 1, 0, 5); /* no segmentation was agreed on */
	put_le16(hdr + HDR_BUFFERS, 1);
	for (size_t at = 0; at < NET_HEADER + len; count++) {
		bool whole_ring = count == q->size;
		if (whole_ring || !next_buffers(n)) {
			put_back(n, count, count);
			return whole_ring || !virtio_running(&n->d);
		}
		size_t rest = NET_HEADER + len - at;
		if ((!count && n->rx.in_len < NET_HEADER) || (rest > n->rx.in_len && !(n->d.features & F_MRG_RXBUF))) {
			put_back(n, count + 1, count); /* it does not fit, and is lost */
			return true;
		}
		if (!count)
			pieces = virtq_slice(&n->rx, true, HDR_BUFFERS, 2, count_at, 2);
		size_t done = fill(n, hdr, frame, len, at);
		virtq_push(q, n->rx.head, (uint32_t)done);
		at += done;
	}
	put_count(count_at, pieces, count);
	return true;
}

static void received(void *card)
{
	struct virtio_net *n = card;

	if (virtio_running(&n->d))
		virtio_done(&n->d, RX);
}

/* --- from the guest */

static void send_frame(struct virtio_net *n)
{
	uint8_t *header = n->frame;
	uint64_t len = n->tx.out_len;

	if (len < NET_HEADER + NET_FRAME_MIN || len > sizeof(n->frame))
		return;
	virtq_read(&n->tx, 0, n->frame, (size_t)len);
	if (!(n->d.features & F_CSUM) || !(header[0] & NET_NEEDS_CSUM))
		memset(header, 0, NET_HEADER);
	header[0] &= NET_NEEDS_CSUM;
	memset(header + 1, 0, 5); /* no segmentation */
	memset(header + HDR_BUFFERS, 0, 2);
	net_send(n->net, header, n->frame + NET_HEADER, (size_t)len - NET_HEADER);
}

static void transmit(struct virtio_net *n)
{
	struct virtq *q = &n->d.queue[TX];

	virtq_want_notify(q, false);
	for (unsigned i = 0;; i++) {
		if (i == BATCH) { /* others first */
			virtio_notify(&n->d, TX);
			break;
		}
		int r = virtio_pop(&n->d, TX, &n->tx);
		if (r < 0 || (r == 0 && !virtq_want_notify(q, true)))
			break;
		if (r == 0)
			continue;
		send_frame(n);
		virtq_push(q, n->tx.head, 0);
	}
	virtio_done(&n->d, TX);
	if (n->net->ops->flush)
		n->net->ops->flush(n->net);
}

/* --- the device */

static void queue(struct virtio *d, unsigned q)
{
	struct virtio_net *n = (struct virtio_net *)d;

	if (q == TX) {
		transmit(n);
		return;
	}
	virtq_want_notify(&d->queue[RX], false);
	n->net->ops->ready(n->net, true);
}

static void start(struct virtio *d)
{
	struct virtio_net *n = (struct virtio_net *)d;

	if (n->net->ops->partial)
		n->net->ops->partial(n->net, d->features & F_GUEST_CSUM);
}

static void reset(struct virtio *d)
{
	struct virtio_net *n = (struct virtio_net *)d;

	if (!(d->status & VIRTIO_DRIVER_OK))
		return;
	n->net->ops->ready(n->net, false);
	if (n->net->ops->partial)
		n->net->ops->partial(n->net, false);
}

static void config_read(struct virtio *d, uint64_t offset, void *buf, unsigned len)
{
	const struct virtio_net *n = (struct virtio_net *)d;
	uint8_t config[12] = {0};

	memcpy(config, n->net->mac, 6);
	put_le16(config + 6, 1); /* the link is up */
	put_le16(config + 10, (uint16_t)n->net->mtu);
	if (offset < sizeof(config))
		memcpy(buf, config + offset, len < sizeof(config) - offset ? len : sizeof(config) - offset);
}

static const struct virtio_ops ops = {
	.name = "virtio-net",
	.id = VIRTIO_ID_NET,
	.config_read = config_read,
	.start = start,
	.queue = queue,
	.reset = reset,
};

int virtio_net_create(struct virtio_net **ret, struct gyve_net *net, const struct gyve_dev_host *host)
{
	struct virtio_net *n = calloc(1, sizeof(*n));
	uint64_t features = F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_MRG_RXBUF | F_STATUS;

	if (!n)
		return -ENOMEM;
	n->net = net;
	int r = virtio_init(&n->d, &ops, host, features, 2, QUEUE_SIZE);
	if (r < 0) {
		free(n);
		return r;
	}
	net->lock = &n->d.lock;
	net->receive = receive;
	net->received = received;
	net->card = n;
	r = net->ops->attach(net, host->loop);
	if (r < 0) {
		virtio_net_destroy(n);
		return r;
	}
	*ret = n;
	return 0;
}

struct virtio *virtio_net_device(struct virtio_net *n)
{
	return &n->d;
}

void virtio_net_destroy(struct virtio_net *n)
{
	if (!n)
		return;
	n->net->ops->detach(n->net);
	virtio_deinit(&n->d);
	free(n);
}
