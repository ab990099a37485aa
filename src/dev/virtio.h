/* A virtio device as its transport (PCI, MMIO) sees it, and a transport as the device sees it. Feature negotiation, the status
 * register and the queues are here once; a transport is registers, a device what its queues do.
 *
 * Threads: a transport's registers are accessed on vCPU threads, under the device's lock. A device works on the loop's thread,
 * where each of its functions that may touch a queue is called, also under the lock. */
#ifndef VIRTIO_H
#define VIRTIO_H
#include <pthread.h>

#include "gyve/dev.h"
#include "virtq.h"

enum { VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4 };
enum {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED = 128,
};
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

enum { VIRTIO_QUEUES_MAX = 4 };
enum { VIRTIO_CONFIG_CHANGED = -1 };

struct virtio;
struct virtio_ops {
	const char *name; /**< for messages: "virtio-net" */
	uint32_t id;      /**< VIRTIO_ID_* */
	/** The device's configuration. What lies behind its end reads 0. NULL: it has none, or none to write. */
	void (*config_read)(struct virtio *d, uint64_t offset, void *buf, unsigned len);
	void (*config_write)(struct virtio *d, uint64_t offset, const void *buf, unsigned len);
	/** The driver has set DRIVER_OK: d->features are what it took. On a vCPU thread. May be NULL. */
	void (*start)(struct virtio *d);
	/** The driver has put something into queue q, or may have. On the loop's thread, while DRIVER_OK is set. */
	void (*queue)(struct virtio *d, unsigned q);
	/** Forget every request: the queues are gone when this returns. On a vCPU thread. May be NULL. */
	void (*reset)(struct virtio *d);
};

/** First member of a device's own struct. */
struct virtio {
	const struct virtio_ops *ops;
	const struct gyve_dev_host *host;
	pthread_mutex_t lock;
	uint64_t offered;  /**< features; VERSION_1, INDIRECT_DESC and EVENT_IDX are added by virtio_init() */
	uint64_t features; /**< what the driver wrote; negotiated once FEATURES_OK is set */
	uint8_t status;
	uint8_t generation; /**< of the configuration: changes with it */
	unsigned nqueues;
	struct virtq queue[VIRTIO_QUEUES_MAX];
	/** The transport's: an interrupt for queue q, or VIRTIO_CONFIG_CHANGED. The lock is held. */
	void (*interrupt)(void *transport, int q);
	void *transport;
	/* private */
	int kick;         /* eventfd: the loop is to look at `pending` */
	unsigned pending; /* bit q: the driver has notified of queue q; atomic */
};

/** Make d a device with nqueues queues of up to queue_size requests. Its struct lives until virtio_deinit(). */
int virtio_init(struct virtio *d, const struct virtio_ops *ops, const struct gyve_dev_host *host, uint64_t features,
		unsigned nqueues, uint16_t queue_size);
/** The loop may be running; not its callbacks for d when this returns. */
void virtio_deinit(struct virtio *d);

/* --- for transports; all but virtio_notify() with the lock held */

/** The driver writes the status register; 0 resets. Read d->status. */
void virtio_write_status(struct virtio *d, uint8_t status);
/** The driver writes 32 bits of the features it takes: half 0 or 1, else nothing. Only before FEATURES_OK. */
void virtio_write_features(struct virtio *d, unsigned half, uint32_t value);
static inline uint32_t virtio_read_features(const struct virtio *d, unsigned half)
{
	return half < 2 ? (uint32_t)(d->offered >> (32 * half)) : 0;
}
/** The driver's queue q, or NULL where it has none. Its size and addresses may be set while it is not enabled. */
static inline struct virtq *virtio_queue(struct virtio *d, unsigned q)
{
	return q < d->nqueues ? &d->queue[q] : NULL;
}
/** The driver enables queue q. What is wrong with it breaks the device. */
void virtio_enable_queue(struct virtio *d, unsigned q);
/** The driver writes the notification register. Any thread, the lock not held. */
void virtio_notify(struct virtio *d, unsigned q);
/** What the loop does after notifications, and tests without one: the lock not held. */
void virtio_run(struct virtio *d);
/** Read or write len bytes of the device's configuration. */
void virtio_config(struct virtio *d, bool write, uint64_t offset, void *buf, unsigned len);

/* --- for devices; the lock held */

/** True: the driver runs and nothing is broken. */
static inline bool virtio_running(const struct virtio *d)
{
	return (d->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}
/** Publish what was pushed to queue q, with an interrupt if the driver wants one. */
void virtio_done(struct virtio *d, unsigned q);
/** virtq_pop(), and a queue that is damaged breaks the device. */
int virtio_pop(struct virtio *d, unsigned q, struct virtq_chain *ret);
/** The driver did what it must not: nothing works until it resets the device. */
void virtio_broken(struct virtio *d, const char *why);
#endif
