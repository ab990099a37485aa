/* A tap interface of the host: frames as they are, with virtio's header before each. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BATCH = 64 }; /* frames at a time, that other devices get their turn */

struct tap {
	struct gyve_net net; /* first */
	int fd;
	struct gyve_loop *loop;
	bool ready, waiting; /* the guest takes frames; one has been read that it had no room for */
	size_t len;          /* of what is in buf, with its header */
	uint8_t buf[NET_HEADER + NET_FRAME_MAX];
};

static void watch(struct tap *t);

/* False: nothing came, or nothing can be delivered. */
static bool deliver_one(struct tap *t)
{
	if (!t->waiting) {
		ssize_t n = read(t->fd, t->buf, sizeof(t->buf));
		if (n < NET_HEADER)
			return false;
		t->len = (size_t)n;
	}
	t->waiting = !net_receive(&t->net, t->buf, t->buf + NET_HEADER, t->len - NET_HEADER);
	t->ready = !t->waiting;
	return t->ready;
}

static void readable(void *ctx, unsigned revents)
{
	struct tap *t = ctx;

	pthread_mutex_lock(t->net.lock);
	for (unsigned i = 0; i < BATCH && t->ready; i++)
		if (!deliver_one(t))
			break;
	t->net.received(t->net.card);
	if (revents & (POLLERR | POLLHUP | POLLNVAL)) /* the interface is gone */
		gyve_loop_watch(t->loop, t->fd, 0, readable, t);
	else if (!t->ready)
		watch(t);
	pthread_mutex_unlock(t->net.lock);
}

static void watch(struct tap *t)
{
	gyve_loop_watch(t->loop, t->fd, t->ready ? POLLIN : 0, readable, t);
}

static int attach(struct gyve_net *n, struct gyve_loop *loop)
{
	struct tap *t = (struct tap *)n;

	t->loop = loop;
	return gyve_loop_watch(loop, t->fd, 0, readable, t);
}

static void detach(struct gyve_net *n)
{
	struct tap *t = (struct tap *)n;
	gyve_loop_unwatch(t->loop, t->fd);
}

static void send_frame(struct gyve_net *n, const uint8_t *header, const uint8_t *frame, size_t len)
{
	struct tap *t = (struct tap *)n;
	struct iovec v[2] = {{(void *)(uintptr_t)header, NET_HEADER}, {(void *)(uintptr_t)frame, len}};

	/* What the interface does not take is lost, as on any network. */
	if (writev(t->fd, v, 2) < 0)
		return;
}

static void ready(struct gyve_net *n, bool on)
{
	struct tap *t = (struct tap *)n;
	bool before = t->ready;

	t->ready = on;
	if (!on)
		t->waiting = false;
	if (t->waiting) {
		deliver_one(t);
		t->net.received(t->net.card);
	}
	if (t->ready != before)
		watch(t);
}

static void partial(struct gyve_net *n, bool on)
{
	struct tap *t = (struct tap *)n;
	ioctl(t->fd, TUNSETOFFLOAD, on ? TUN_F_CSUM : 0);
}

static void close_tap(struct gyve_net *n)
{
	struct tap *t = (struct tap *)n;

	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

static const struct net_ops ops = {attach, detach, send_frame, NULL, ready, partial, close_tap};

static int set_up(struct tap *t, const struct gyve_net_options *o, struct gyve_err *err)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int header = NET_HEADER;

	if (!if_nametoindex(o->interface)) /* TUNSETIFF would make one, which nobody has set up */
		return gyve_err_set(err, -ENODEV, "there is no interface %s: make it with `ip tuntap add %s mode tap`",
				    o->interface, o->interface);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return gyve_err_set(err, -errno, "cannot open /dev/net/tun: %s", strerror(errno));
	memcpy(ifr.ifr_name, o->interface, sizeof(ifr.ifr_name));
	if (ioctl(t->fd, TUNSETIFF, &ifr) < 0)
		return gyve_err_set(err, -errno, "cannot use %s as a tap interface: %s", o->interface,
				    errno == EBUSY ? "somebody else does" : strerror(errno));
	if (ioctl(t->fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(t->fd, TUNSETOFFLOAD, 0) < 0)
		return gyve_err_set(err, -errno, "%s takes no virtio headers: %s", o->interface, strerror(errno));
	return 0;
}

/* The card has the address and the MTU of the interface. */
static void take_over(struct tap *t, const struct gyve_net_options *o)
{
	struct ifreq ifr = {0};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	t->net.mtu = o->mtu ? o->mtu : 1500;
	memcpy(t->net.mac, "\x52\x54\x00\x67\x79\x76", sizeof(t->net.mac));
	memcpy(ifr.ifr_name, o->interface, sizeof(ifr.ifr_name));
	if (s >= 0 && !ioctl(s, SIOCGIFHWADDR, &ifr))
		memcpy(t->net.mac, ifr.ifr_hwaddr.sa_data, sizeof(t->net.mac));
	if (s >= 0 && !o->mtu && !ioctl(s, SIOCGIFMTU, &ifr) && ifr.ifr_mtu >= GYVE_NET_MTU_MIN)
		t->net.mtu = ifr.ifr_mtu <= GYVE_NET_MTU_MAX ? (unsigned)ifr.ifr_mtu : GYVE_NET_MTU_MAX;
	if (s >= 0)
		close(s);
}

int net_tap_open(struct gyve_net **ret, const struct gyve_net_options *o, struct gyve_err *err)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (!t)
		return gyve_err_set(err, -ENOMEM, "no memory for the network");
	t->net.ops = &ops;
	t->net.checksums = true;
	t->fd = -1;
	int r = set_up(t, o, err);
	if (r < 0) {
		close_tap(&t->net);
		return r;
	}
	take_over(t, o);
	*ret = &t->net;
	return 0;
}
