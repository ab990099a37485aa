/* Private to src/dev: between a network card and where it leads. All on the loop's thread, with the card's lock held, but for
 * open and close. */
#ifndef NET_H
#define NET_H
#include <pthread.h>

#include "gyve/dev.h"
#include "gyve/net.h"

enum {
	NET_HEADER = 12,    /**< struct virtio_net_hdr_v1 */
	NET_NEEDS_CSUM = 1, /**< in its first byte: from csum_start on to be summed up, into csum_offset behind that */
	NET_FRAME_MIN = 14,
	NET_FRAME_MAX = 65536, /**< 65500 and Ethernet's own, tags and all */
};

/** A back end. */
struct net_ops {
	/** The card begins to work: watch what has to be watched. */
	int (*attach)(struct gyve_net *n, struct gyve_loop *loop);
	/** No callback comes any more; nor calls of the card, which is about to go. */
	void (*detach)(struct gyve_net *n);
	/** A frame from the guest, NET_HEADER bytes of header before it. */
	void (*send)(struct gyve_net *n, const uint8_t *header, const uint8_t *frame, size_t len);
	/** Those were all for now. NULL: nothing to do. */
	void (*flush)(struct gyve_net *n);
	/** The guest can take frames (again), or cannot. */
	void (*ready)(struct gyve_net *n, bool on);
	/** The guest takes frames whose TCP or UDP checksum is not filled in (or no longer does). NULL: there are none. */
	void (*partial)(struct gyve_net *n, bool on);
	void (*close)(struct gyve_net *n);
};

struct gyve_net {
	const struct net_ops *ops;
	uint8_t mac[6];
	unsigned mtu;
	bool checksums; /**< send() takes partial checksums, which the header describes; else they are made whole before */
	int pcap;       /**< -1: no capture */
	/* the card's, set before attach() */
	pthread_mutex_t *lock;
	/** A frame for the guest; header: NET_HEADER bytes, or NULL: its checksums are right. False: no room, come again when
	 * ready. */
	bool (*receive)(void *card, const uint8_t *header, const uint8_t *frame, size_t len);
	/** Those were all for now. */
	void (*received)(void *card);
	void *card;
};

/** To the guest, by way of the capture. */
bool net_receive(struct gyve_net *n, const uint8_t *header, const uint8_t *frame, size_t len);
/** From the guest. The frame may be changed. */
void net_send(struct gyve_net *n, uint8_t *header, uint8_t *frame, size_t len);

int net_tap_open(struct gyve_net **ret, const struct gyve_net_options *o, struct gyve_err *err);
int net_user_open(struct gyve_net **ret, const struct gyve_net_options *o, struct gyve_err *err);
#endif
