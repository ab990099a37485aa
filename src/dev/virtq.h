/* Split virtqueues (VIRTIO 1.2, 2.7) of guests that are not trusted. A damaged queue is told once and is silent until its
 * device is reset. One thread at a time: the device's lock. */
#ifndef VIRTQ_H
#define VIRTQ_H
#include <sys/uio.h>

#include "gyve/mem.h"

enum {
	VIRTQ_SIZE_MAX = 1024,
	VIRTQ_PIECES_MAX = 1024, /**< what readv(2) and writev(2) take */
};

struct virtq {
	/* set by the driver through the transport, before virtq_enable() */
	uint16_t size; /**< entries, a power of two */
	gyve_gpa_t desc, avail, used;
	uint16_t size_max;        /**< what the device offers */
	bool indirect, event_idx; /**< negotiated */
	bool enabled, broken;
	const char *why; /**< of broken: what the guest did, in words */
	/* private */
	const struct gyve_memmap *map;
	uint8_t *descs, *avails, *useds;
	uint16_t next_avail, used_idx, signalled;
	bool notify_off;
};

/** A request: buffers the device reads, then those it writes, where they lie in host memory. The guest may change them at any
 * moment: read what is to be checked once, into memory of ours. */
struct virtq_chain {
	uint16_t head;
	unsigned n_out, n_in; /**< pieces to read, and behind them those to write */
	uint64_t out_len, in_len;
	struct iovec v[VIRTQ_PIECES_MAX];
};

/** Take the ring the driver has described. -EINVAL: it is none, or not in memory; why says what. */
int virtq_enable(struct virtq *q, const struct gyve_memmap *map);
/** As after power on: size is size_max again, no ring. size_max stays. */
void virtq_reset(struct virtq *q);
/** The next request: 1, or 0 when there is none (or no queue), or -EINVAL: the guest has damaged the queue, which is broken. */
int virtq_pop(struct virtq *q, struct virtq_chain *ret);
/** How many requests wait. A number the guest chose: at most size. */
unsigned virtq_waiting(const struct virtq *q);
/** The last n requests popped were not: they come again. Not those that have been pushed. */
void virtq_unpop(struct virtq *q, unsigned n);
/** A request is done; `written` bytes of its buffers were filled. The guest sees it at virtq_publish(). */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);
/** The last n pushed are not done after all. Not those that have been published. */
void virtq_unpush(struct virtq *q, unsigned n);
/** Show the guest what was pushed. True: it wants an interrupt for that. */
bool virtq_publish(struct virtq *q);
/** Ask the guest to notify of new requests, or not to. True: some wait already. */
bool virtq_want_notify(struct virtq *q, bool on);

/** Copy from the buffers to read, from byte `at` of them on. Returns the bytes copied: fewer at their end. */
size_t virtq_read(const struct virtq_chain *c, uint64_t at, void *buf, size_t len);
/** Copy to the buffers to write. */
size_t virtq_write(const struct virtq_chain *c, uint64_t at, const void *buf, size_t len);
/** The pieces that hold bytes at..at+len of the buffers to read (write: to write), at most max, in ret. Their number. */
unsigned virtq_slice(const struct virtq_chain *c, bool write, uint64_t at, uint64_t len, struct iovec *ret, unsigned max);
#endif
