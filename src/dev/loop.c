/* One thread that polls descriptors for all devices. */
#include "gyve/dev.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { MAX = 32 };

struct gyve_loop {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	pthread_t thread;
	int wake; /* eventfd: poll again, something has changed */
	bool has_thread, begun, paused, dying, busy;
	struct gyve_err begin_err;
	int (*begins)(void *ctx, struct gyve_err *err);
	void *begins_ctx;
	unsigned n;
	struct watch {
		int fd;
		unsigned events;
		gyve_loop_fn *fn;
		void *ctx;
	} watch[MAX];
};

int gyve_loop_create(struct gyve_loop **ret)
{
	struct gyve_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake < 0) {
		free(l);
		return -errno;
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->cond, NULL);
	l->paused = true;
	*ret = l;
	return 0;
}

static void wake(struct gyve_loop *l)
{
	eventfd_write(l->wake, 1);
}

static struct watch *find(struct gyve_loop *l, int fd)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->watch[i].fd == fd)
			return &l->watch[i];
	return NULL;
}

int gyve_loop_watch(struct gyve_loop *l, int fd, unsigned events, gyve_loop_fn *fn, void *ctx)
{
	int ret = 0;

	pthread_mutex_lock(&l->lock);
	struct watch *w = find(l, fd);
	if (!w && l->n < MAX)
		w = &l->watch[l->n++];
	if (w)
		*w = (struct watch){fd, events, fn, ctx};
	else
		ret = -ENOSPC;
	pthread_mutex_unlock(&l->lock);
	wake(l);
	return ret;
}

/* The lock is held. */
static void wait_idle(struct gyve_loop *l)
{
	while (l->busy && !pthread_equal(pthread_self(), l->thread))
		pthread_cond_wait(&l->cond, &l->lock);
}

void gyve_loop_unwatch(struct gyve_loop *l, int fd)
{
	pthread_mutex_lock(&l->lock);
	struct watch *w = find(l, fd);
	if (w)
		*w = l->watch[--l->n];
	wait_idle(l);
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

/* The lock is held, and let go for the time of each callback. */
static void dispatch(struct gyve_loop *l, const struct pollfd *p, unsigned n)
{
	for (unsigned i = 0; i < n && !l->paused && !l->dying; i++) {
		const struct watch *w = p[i].revents ? find(l, p[i].fd) : NULL;
		if (!w)
			continue;
		struct watch now = *w;
		l->busy = true;
		pthread_mutex_unlock(&l->lock);
		now.fn(now.ctx, (unsigned)p[i].revents);
		pthread_mutex_lock(&l->lock);
		l->busy = false;
		pthread_cond_broadcast(&l->cond);
	}
}

static bool begin(struct gyve_loop *l)
{
	struct gyve_err err = {0};
	int r = l->begins ? l->begins(l->begins_ctx, &err) : 0;

	pthread_mutex_lock(&l->lock);
	l->begin_err = err;
	l->begun = true;
	pthread_cond_broadcast(&l->cond);
	pthread_mutex_unlock(&l->lock);
	return r >= 0;
}

static void *run(void *arg)
{
	struct gyve_loop *l = arg;
	struct pollfd p[MAX + 1];
	eventfd_t v;

	if (!begin(l))
		return NULL;
	pthread_mutex_lock(&l->lock);
	while (!l->dying) {
		unsigned n = 0;
		p[n++] = (struct pollfd){.fd = l->wake, .events = POLLIN};
		for (unsigned i = 0; i < l->n && !l->paused; i++)
			if (l->watch[i].events)
				p[n++] = (struct pollfd){.fd = l->watch[i].fd, .events = (short)l->watch[i].events};
		pthread_mutex_unlock(&l->lock);
		poll(p, n, -1);
		eventfd_read(l->wake, &v);
		pthread_mutex_lock(&l->lock);
		dispatch(l, p + 1, n - 1);
	}
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

bool gyve_loop_idle(struct gyve_loop *l)
{
	pthread_mutex_lock(&l->lock);
	bool idle = l->n == 0;
	pthread_mutex_unlock(&l->lock);
	return idle;
}

int gyve_loop_start(struct gyve_loop *l, int (*thread_begins)(void *ctx, struct gyve_err *err), void *ctx, struct gyve_err *err)
{
	sigset_t all, old;

	l->begins = thread_begins;
	l->begins_ctx = ctx;
	sigfillset(&all); /* signals for the program belong to the session thread */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int r = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return gyve_err_set(err, -r, "cannot start the thread for devices: %s", strerror(r));
	l->has_thread = true;
	pthread_mutex_lock(&l->lock);
	while (!l->begun)
		pthread_cond_wait(&l->cond, &l->lock);
	pthread_mutex_unlock(&l->lock);
	return l->begin_err.code ? gyve_err_set(err, l->begin_err.code, "%s", l->begin_err.text) : 0;
}

void gyve_loop_pause(struct gyve_loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->paused = true;
	wait_idle(l);
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

void gyve_loop_resume(struct gyve_loop *l)
{
	pthread_mutex_lock(&l->lock);
	l->paused = false;
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

void gyve_loop_destroy(struct gyve_loop *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->dying = true;
	pthread_mutex_unlock(&l->lock);
	wake(l);
	if (l->has_thread)
		pthread_join(l->thread, NULL);
	close(l->wake);
	pthread_cond_destroy(&l->cond);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
