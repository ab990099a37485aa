/* A network in user space (libslirp): 10.0.5.0/24 with the gateway at .1, a name server at .2 and the guest at .3, which is
 * what Hermit images expect and DHCP gives. Its sockets are polled through one epoll descriptor, its timeouts through a
 * timerfd: all on the loop's thread. */
#include "config.h"

#include "net.h"

#include <errno.h>

#ifdef HAVE_SLIRP
#include <arpa/inet.h>
#include <limits.h>
#include <poll.h>
#include <slirp/libslirp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "../base/late.h"
#include "gyve/log.h"

#define FUNCTIONS(F)          \
	F(slirp_add_hostfwd)  \
	F(slirp_cleanup)      \
	F(slirp_input)        \
	F(slirp_new)          \
	F(slirp_pollfds_fill) \
	F(slirp_pollfds_poll)
#ifdef SLIRP_SONAME
LATE_LIBRARY(lib, SLIRP_SONAME, FUNCTIONS)
#else
LINKED_LIBRARY(lib, FUNCTIONS)
#endif

enum { NETWORK = 0x0a000500, MASK = 0xffffff00, GATEWAY = 1, NAMES = 2, GUEST = 3 };
enum { SOCKETS = 1024, QUEUE = 512 };

struct user {
	struct gyve_net net; /* first */
	Slirp *slirp;
	struct gyve_loop *loop;
	int epoll, timer;
	/* what slirp wants polled, by descriptor: now, and as epoll knows it */
	struct want {
		int want, known; /* SLIRP_POLL_* */
		unsigned got;
	} fds[SOCKETS];
	int highest; /* descriptor in use */
	bool dirty;  /* slirp was used since the last fill() */
	/* frames for which the guest has no room: a ring */
	bool ready;
	unsigned first, queued;
	struct frame {
		size_t len;
		uint8_t *data;
	} queue[QUEUE];
	uint8_t buf[NET_FRAME_MAX];
	struct timer {
		SlirpTimerCb cb;
		void *opaque;
		int64_t at; /* ms; -1: not set */
		struct timer *next;
	} * timers;
};

/* --- frames to the guest */

static ssize_t to_guest(const void *buf, size_t len, void *opaque)
{
	struct user *u = opaque;

	if (!u->net.receive || (!u->queued && u->ready && net_receive(&u->net, NULL, buf, len)))
		return (ssize_t)len;
	if (u->queued == QUEUE || len > NET_FRAME_MAX)
		return (ssize_t)len; /* lost: TCP sends it again */
	struct frame *f = &u->queue[(u->first + u->queued) % QUEUE];
	f->data = malloc(len);
	if (!f->data)
		return (ssize_t)len;
	memcpy(f->data, buf, len);
	f->len = len;
	u->queued++;
	return (ssize_t)len;
}

static void drain(struct user *u)
{
	while (u->queued && u->ready) {
		struct frame *f = &u->queue[u->first];
		if (!net_receive(&u->net, NULL, f->data, f->len))
			return;
		free(f->data);
		u->first = (u->first + 1) % QUEUE;
		u->queued--;
	}
}

/* --- time */

static int64_t clock_ns(void *opaque)
{
	struct timespec t;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t now_ms(void)
{
	return clock_ns(NULL) / 1000000;
}

static void *timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	struct user *u = opaque;
	struct timer *t = malloc(sizeof(*t));

	if (t) {
		*t = (struct timer){cb, cb_opaque, -1, u->timers};
		u->timers = t;
	}
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct user *u = opaque;

	for (struct timer **p = &u->timers; *p; p = &(*p)->next)
		if (*p == timer) {
			*p = (*p)->next;
			free(timer);
			return;
		}
}

static void timer_mod(void *timer, int64_t at, void *opaque)
{
	(void)opaque;
	if (timer)
		((struct timer *)timer)->at = at;
}

static void run_timers(struct user *u)
{
	int64_t now = now_ms();

	for (struct timer *t = u->timers, *next; t; t = next) {
		next = t->next;
		if (t->at < 0 || t->at > now)
			continue;
		t->at = -1;
		t->cb(t->opaque);
	}
}

static void set_alarm(struct user *u, uint32_t timeout)
{
	int64_t ms = timeout == UINT32_MAX ? -1 : (int64_t)timeout, now = now_ms();
	struct itimerspec when = {0};

	for (struct timer *t = u->timers; t; t = t->next)
		if (t->at >= 0 && (ms < 0 || t->at - now < ms))
			ms = t->at > now ? t->at - now : 0;
	if (ms >= 0) {
		when.it_value.tv_sec = ms / 1000;
		when.it_value.tv_nsec = ms % 1000 * 1000000 + 1; /* all 0 would mean: never */
	}
	timerfd_settime(u->timer, 0, &when, NULL);
}

/* --- sockets */

static int add_poll(int fd, int events, void *opaque)
{
	struct user *u = opaque;

	if (fd < 0 || fd >= SOCKETS)
		return -1;
	u->fds[fd].want = events;
	if (fd > u->highest)
		u->highest = fd;
	return fd;
}

static unsigned to_epoll(int events)
{
	return (events & SLIRP_POLL_IN ? EPOLLIN : 0u) | (events & SLIRP_POLL_OUT ? EPOLLOUT : 0u) |
	       (events & SLIRP_POLL_PRI ? EPOLLPRI : 0u);
}

static int from_epoll(unsigned e)
{
	return (e & EPOLLIN ? SLIRP_POLL_IN : 0) | (e & EPOLLOUT ? SLIRP_POLL_OUT : 0) | (e & EPOLLPRI ? SLIRP_POLL_PRI : 0) |
	       (e & EPOLLERR ? SLIRP_POLL_ERR : 0) | (e & EPOLLHUP ? SLIRP_POLL_HUP : 0);
}

static int get_events(int fd, void *opaque)
{
	struct user *u = opaque;
	return fd < 0 || fd >= SOCKETS ? 0 : from_epoll(u->fds[fd].got);
}

/* A descriptor may have been closed, and its number given to another socket: epoll has then forgotten it. */
static void tell_epoll(struct user *u, int fd, struct want *w)
{
	struct epoll_event e = {.events = to_epoll(w->want), .data.fd = fd};

	if (!w->want)
		epoll_ctl(u->epoll, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(u->epoll, EPOLL_CTL_MOD, fd, &e) < 0 && errno == ENOENT)
		epoll_ctl(u->epoll, EPOLL_CTL_ADD, fd, &e);
	w->known = w->want;
}

/* What slirp waits for now. */
static void fill(struct user *u)
{
	uint32_t timeout = UINT32_MAX;
	int highest = 0;

	for (int fd = 0; fd <= u->highest; fd++)
		u->fds[fd].want = 0;
	lib.slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
	for (int fd = 0; fd <= u->highest; fd++) {
		struct want *w = &u->fds[fd];
		if (w->want || w->known)
			tell_epoll(u, fd, w);
		if (w->want)
			highest = fd;
	}
	u->highest = highest;
	set_alarm(u, timeout);
	u->dirty = false;
}

static void polled(void *ctx, unsigned revents)
{
	struct user *u = ctx;
	struct epoll_event e[64];
	uint64_t ticks;

	(void)revents;
	pthread_mutex_lock(u->net.lock);
	if (read(u->timer, &ticks, sizeof(ticks)) < 0)
		ticks = 0;
	for (int fd = 0; fd <= u->highest; fd++)
		u->fds[fd].got = 0;
	int n = epoll_wait(u->epoll, e, (int)GYVE_ARRAY_SIZE(e), 0);
	for (int i = 0; i < n; i++)
		u->fds[e[i].data.fd].got = e[i].events;
	lib.slirp_pollfds_poll(u->slirp, 0, get_events, u);
	run_timers(u);
	fill(u);
	u->net.received(u->net.card);
	pthread_mutex_unlock(u->net.lock);
}

/* --- the card's side */

static int attach(struct gyve_net *n, struct gyve_loop *loop)
{
	struct user *u = (struct user *)n;
	int r;

	u->loop = loop;
	fill(u); /* ports that are forwarded */
	r = gyve_loop_watch(loop, u->epoll, POLLIN, polled, u);
	return r < 0 ? r : gyve_loop_watch(loop, u->timer, POLLIN, polled, u);
}

static void detach(struct gyve_net *n)
{
	struct user *u = (struct user *)n;

	gyve_loop_unwatch(u->loop, u->epoll);
	gyve_loop_unwatch(u->loop, u->timer);
	u->net.receive = NULL;
}

static void send_frame(struct gyve_net *n, const uint8_t *header, const uint8_t *frame, size_t len)
{
	struct user *u = (struct user *)n;

	(void)header;
	lib.slirp_input(u->slirp, frame, (int)len);
	u->dirty = true;
}

static void flush(struct gyve_net *n)
{
	struct user *u = (struct user *)n;

	if (u->dirty)
		fill(u);
	u->net.received(u->net.card);
}

static void drop_queue(struct user *u)
{
	for (; u->queued; u->queued--) {
		free(u->queue[u->first].data);
		u->first = (u->first + 1) % QUEUE;
	}
}

static void ready(struct gyve_net *n, bool on)
{
	struct user *u = (struct user *)n;

	u->ready = on;
	if (!on)
		drop_queue(u);
	drain(u);
	u->net.received(u->net.card);
}

static void close_user(struct gyve_net *n)
{
	struct user *u = (struct user *)n;

	u->net.receive = NULL;
	if (u->slirp)
		lib.slirp_cleanup(u->slirp);
	drop_queue(u);
	while (u->timers)
		timer_free(u->timers, u);
	if (u->epoll >= 0)
		close(u->epoll);
	if (u->timer >= 0)
		close(u->timer);
	free(u);
}

static const struct net_ops ops = {attach, detach, send_frame, flush, ready, NULL, close_user};

/* --- opening */

static void guest_error(const char *msg, void *opaque)
{
	(void)opaque;
	gyve_log(GYVE_LOG_DEBUG, GYVE_LOG_DEV, "network: %s", msg);
}

static void ignore_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void notify(void *opaque)
{
	struct user *u = opaque;
	u->dirty = true;
}

static const SlirpCb callbacks = {
	.send_packet = to_guest,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = notify,
};

static struct in_addr host(unsigned number)
{
	return (struct in_addr){htonl(NETWORK + number)};
}

static int forward(struct user *u, const struct gyve_net_forward *f, struct gyve_err *err)
{
	struct in_addr on = {htonl(f->host)}, to = f->guest ? (struct in_addr){htonl(f->guest)} : host(GUEST);
	char text[INET_ADDRSTRLEN];

	if (lib.slirp_add_hostfwd(u->slirp, f->udp, on, f->host_port, to, f->guest_port) == 0)
		return 0;
	int e = errno ? errno : EADDRINUSE;
	return gyve_err_set(err, -e, "cannot listen on %s port %u of %s for the guest: %s", f->udp ? "UDP" : "TCP",
			    f->host_port, inet_ntop(AF_INET, &on, text, sizeof(text)), strerror(e));
}

static int set_up(struct user *u, const struct gyve_net_options *o, struct gyve_err *err)
{
	SlirpConfig cfg = {
		.version = 1,
		.restricted = o->restricted,
		.in_enabled = true,
		.vnetwork = host(0),
		.vnetmask = {htonl(MASK)},
		.vhost = host(GATEWAY),
		.vnameserver = host(NAMES),
		.vdhcp_start = host(GUEST),
		.vhostname = "gyve",
		.if_mtu = u->net.mtu,
		.if_mru = u->net.mtu,
	};
	int r = late_lib(err);

	if (r < 0)
		return r;
	u->epoll = epoll_create1(EPOLL_CLOEXEC);
	u->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (u->epoll < 0 || u->timer < 0)
		return gyve_err_set(err, -errno, "no descriptors for the network: %s", strerror(errno));
	u->slirp = lib.slirp_new(&cfg, &callbacks, u);
	if (!u->slirp)
		return gyve_err_set(err, -ENOMEM, "no memory for the network");
	for (unsigned i = 0; r == 0 && i < o->nforwards; i++)
		r = forward(u, &o->forward[i], err);
	return r;
}

bool gyve_net_has_user(void)
{
	return true;
}

int net_user_open(struct gyve_net **ret, const struct gyve_net_options *o, struct gyve_err *err)
{
	struct user *u = calloc(1, sizeof(*u));

	if (!u)
		return gyve_err_set(err, -ENOMEM, "no memory for the network");
	u->net.ops = &ops;
	u->net.mtu = o->mtu ? o->mtu : 1500;
	memcpy(u->net.mac, "\x52\x54\x00\x67\x79\x76", sizeof(u->net.mac));
	u->epoll = u->timer = -1;
	int r = set_up(u, o, err);
	if (r < 0) {
		close_user(&u->net);
		return r;
	}
	*ret = &u->net;
	return 0;
}
#else
bool gyve_net_has_user(void)
{
	return false;
}

int net_user_open(struct gyve_net **ret, const struct gyve_net_options *o, struct gyve_err *err)
{
	(void)ret;
	(void)o;
	return gyve_err_set(err, -ENOSYS, "this gyve was built without libslirp: no user networking");
}
#endif
