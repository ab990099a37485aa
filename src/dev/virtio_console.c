/* See virtio_console.h; VIRTIO 1.2, 5.3. */
#include "virtio_console.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum { RECEIVE, TRANSMIT, QUEUES, QUEUE_SIZE = 64 };

struct virtio_console {
	struct virtio d;
	struct gyve_sink out;
	int in_fd; /* -1: none, or it has ended */
	bool watched;
	struct virtq_chain chain;
};

static void input(void *ctx, unsigned revents);

/* The lock is held. */
static void watch(struct virtio_console *c, bool on)
{
	if (on != c->watched && c->in_fd >= 0)
		gyve_loop_watch(c->d.host->loop, c->in_fd, on ? POLLIN : 0, input, c);
	c->watched = on && c->in_fd >= 0;
}

static void end_input(struct virtio_console *c)
{
	gyve_loop_unwatch(c->d.host->loop, c->in_fd);
	c->in_fd = -1;
	c->watched = false;
}

/* The loop's thread: something can be read, or the end of it. One buffer's worth, so that it cannot block. */
static void input(void *ctx, unsigned revents)
{
	struct virtio_console *c = ctx;
	struct virtio *d = &c->d;

	(void)revents;
	pthread_mutex_lock(&d->lock);
	bool ready = virtio_running(d) && c->in_fd >= 0 && virtio_pop(d, RECEIVE, &c->chain) > 0;
	if (!ready) { /* until the driver brings a buffer */
		watch(c, virtq_want_notify(&d->queue[RECEIVE], true));
		pthread_mutex_unlock(&d->lock);
		return;
	}
	ssize_t n = c->chain.n_in ? readv(c->in_fd, c->chain.v + c->chain.n_out, (int)c->chain.n_in) : -1;
	if (n == 0)
		end_input(c);
	if (n > 0 || !c->chain.n_in) {
		virtq_push(&d->queue[RECEIVE], c->chain.head, n > 0 ? (uint32_t)n : 0);
		virtio_done(d, RECEIVE);
	} else {
		virtq_unpop(&d->queue[RECEIVE], 1);
	}
	pthread_mutex_unlock(&d->lock);
}

static void transmit(struct virtio_console *c)
{
	struct virtio *d = &c->d;

	do
		while (virtio_pop(d, TRANSMIT, &c->chain) > 0) {
			for (unsigned i = 0; i < c->chain.n_out; i++)
				c->out.write(c->out.ctx, c->chain.v[i].iov_base, c->chain.v[i].iov_len);
			virtq_push(&d->queue[TRANSMIT], c->chain.head, 0);
			virtio_done(d, TRANSMIT);
		}
	while (virtq_want_notify(&d->queue[TRANSMIT], true));
}

static void queue(struct virtio *d, unsigned q)
{
	struct virtio_console *c = (struct virtio_console *)d;

	if (q == TRANSMIT)
		transmit(c);
	else
		watch(c, true);
}

static void reset(struct virtio *d)
{
	watch((struct virtio_console *)d, false);
}

static const struct virtio_ops ops = {.name = "virtio-console", .id = VIRTIO_ID_CONSOLE, .queue = queue, .reset = reset};

int virtio_console_create(struct virtio **ret, const struct gyve_dev_host *host, const struct gyve_sink *out, int in_fd)
{
	struct virtio_console *c = calloc(1, sizeof(*c));
	int r = c ? virtio_init(&c->d, &ops, host, 0, QUEUES, QUEUE_SIZE) : -ENOMEM;

	if (r < 0) {
		free(c);
		return r;
	}
	c->out = *out;
	c->in_fd = in_fd;
	*ret = &c->d;
	return 0;
}

void virtio_console_destroy(struct virtio *d)
{
	struct virtio_console *c = (struct virtio_console *)d;

	if (!d)
		return;
	if (c->in_fd >= 0)
		gyve_loop_unwatch(d->host->loop, c->in_fd);
	virtio_deinit(d);
	free(c);
}
