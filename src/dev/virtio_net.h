/* A virtio network card (VIRTIO 1.2, 5.1): one pair of queues, frames of any length its back end has. */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H
#include "virtio.h"

struct gyve_net;
struct virtio_net;

/** A card that leads to net (borrowed). The device is its transport's to offer: virtio_net_device(). */
int virtio_net_create(struct virtio_net **ret, struct gyve_net *net, const struct gyve_dev_host *host);
struct virtio *virtio_net_device(struct virtio_net *n);
/** NULL ok. The loop is paused. */
void virtio_net_destroy(struct virtio_net *n);
#endif
