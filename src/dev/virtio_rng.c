/* See virtio_rng.h; VIRTIO 1.2, 5.4. */
#include "virtio_rng.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

enum { QUEUE_SIZE = 64, MOST = 64 << 10 }; /* bytes a request gets: more would hold up the other devices */

struct virtio_rng {
	struct virtio d;
	struct virtq_chain chain;
};

static uint32_t fill(const struct virtq_chain *c)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < c->n_in && done < MOST; i++) {
		const struct iovec *v = &c->v[c->n_out + i];
		size_t len = v->iov_len < MOST - done ? v->iov_len : MOST - done;
		ssize_t n = getrandom(v->iov_base, len, 0);
		if (n < 0)
			break;
		done += (uint32_t)n;
		if ((size_t)n < len)
			break;
	}
	return done;
}

static void queue(struct virtio *d, unsigned q)
{
	struct virtio_rng *r = (struct virtio_rng *)d;

	do
		while (virtio_pop(d, q, &r->chain) > 0) {
			virtq_push(&d->queue[q], r->chain.head, fill(&r->chain));
			virtio_done(d, q);
		}
	while (virtq_want_notify(&d->queue[q], true));
}

static const struct virtio_ops ops = {.name = "virtio-rng", .id = VIRTIO_ID_RNG, .queue = queue};

int virtio_rng_create(struct virtio **ret, const struct gyve_dev_host *host)
{
	struct virtio_rng *r = calloc(1, sizeof(*r));
	int res = r ? virtio_init(&r->d, &ops, host, 0, 1, QUEUE_SIZE) : -ENOMEM;

	if (res < 0)
		free(r);
	else
		*ret = &r->d;
	return res;
}

void virtio_rng_destroy(struct virtio *d)
{
	if (!d)
		return;
	virtio_deinit(d);
	free(d);
}
