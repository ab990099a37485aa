/* Private to gyve: virtio-rng, the host's random numbers. */
#ifndef VIRTIO_RNG_H
#define VIRTIO_RNG_H
#include "virtio.h"

int virtio_rng_create(struct virtio **ret, const struct gyve_dev_host *host);
/** NULL ok. */
void virtio_rng_destroy(struct virtio *d);
#endif
