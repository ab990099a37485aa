/* One poll loop around a debugger session. Everything here runs on the session thread. */
#include "config.h"

#include "observer.h"
#include "panic.h"
#include "server.h"
#include "stub_glue.h"

#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct session {
	struct gyve_server *s;
	const struct gyve_serve *serve;
	struct gyve_glue glue;
	bool connected;
	bool attaching; /**< the guest was running when the client came: bytes wait until it has stopped */
	bool let_go;    /**< some client resumed the guest, or none was required */
	bool clear_due; /**< a client was lost while the guest ran: its points go at the next stop, which we asked for */
	bool dump_due;  /**< a dump was asked for while the guest ran: at the stop, which we asked for */
	bool ended, quitting;
	bool leaving;                             /**< and it has only to acknowledge that */
	bool dead;                                /**< the guest has ended, but its client may start it again */
	struct observer *observers[OBSERVER_MAX]; /**< NULL: a free place */
	struct gyve_stop end;
};

/* --- one client */

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Send what the descriptor takes now. false: the client is gone. */
static bool flush_some(struct session *x)
{
	const void *buf;
	size_t len;

	while ((len = gdbstub_output(x->glue.stub, &buf)) > 0) {
		ssize_t n = x->s->in == x->s->out && x->s->where.kind != GYVE_LISTEN_TTY
				    ? send(x->s->out, buf, len, MSG_NOSIGNAL)
				    : write(x->s->out, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		gdbstub_sent(x->glue.stub, (size_t)n);
	}
	return true;
}

/* The last words (a W packet, the reply to D) get up to two seconds. */
static void flush_all(struct session *x)
{
	int64_t until = now_ms() + 2000, left;
	const void *buf;

	while (flush_some(x) && gdbstub_output(x->glue.stub, &buf) > 0 && (left = until - now_ms()) > 0) {
		struct pollfd p = {x->s->out, POLLOUT, 0};
		if (poll(&p, 1, (int)left) <= 0)
			break;
	}
}

/* The client acknowledges the last words, and may do so late: a closed socket would be a broken pipe to it. Wait for its
 * end, 200 ms at most. */
static void drain_client(struct gyve_server *s)
{
	int64_t until = now_ms() + 200, left;
	char buf[256];

	if (s->listen_fd < 0 || shutdown(s->out, SHUT_WR) < 0)
		return;
	while ((left = until - now_ms()) > 0) {
		struct pollfd p = {s->in, POLLIN, 0};
		ssize_t n;

		if (poll(&p, 1, (int)left) <= 0)
			return;
		n = read(s->in, buf, sizeof(buf));
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return;
	}
}

/* Points are only touched while every vCPU is parked. */
static void clear_points(struct session *x)
{
	if (gyve_target_stopped(x->serve->target)) {
		x->clear_due = false;
		gyve_target_points_clear(x->serve->target);
	} else if (!x->clear_due) {
		x->clear_due = true;
		gyve_target_interrupt(x->serve->target);
	}
}

/* No client is there, or no longer. */
static void watch_for_panic(struct session *x)
{
	if (gyve_target_stopped(x->serve->target))
		panic_arm(x->serve->panic, x->serve->target);
	else if (panic_wants_points(x->serve->panic))
		gyve_target_interrupt(x->serve->target);
}

static void begin_session(struct session *x)
{
	struct gyve_target *t = x->serve->target;
	struct gyve_stop stop;

	if (gyve_glue_init(&x->glue, t) < 0) {
		server_close_client(x->s);
		return;
	}
	x->connected = true;
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_GDB, "a debugger connected");
	if (!gyve_target_stopped(t)) {
		x->attaching = true;
		gyve_target_interrupt(t);
		return;
	}
	if (gyve_target_take_stop(t, &stop) && stop.kind == GYVE_STOP_EXIT) {
		x->ended = true;
		x->end = stop;
	}
	panic_disarm(x->serve->panic, t);
	if (x->clear_due)
		clear_points(x);
}

/* How a client's end is answered; see gyve_server_run() in target.h. */
static void end_session(struct session *x)
{
	struct gyve_target *t = x->serve->target;
	bool detached = gdbstub_detached(x->glue.stub);

	flush_all(x);
	gdbstub_disconnect(x->glue.stub);
	if (!detached)
		clear_points(x);
	x->let_go = x->let_go || x->glue.resumed;
	gyve_glue_deinit(&x->glue);
	drain_client(x->s);
	server_close_client(x->s);
	x->connected = x->attaching = false;
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_GDB, detached ? "the debugger detached" : "the debugger is gone");
	if (x->dead) {
		x->ended = true;
		return;
	}
	if (x->s->listen_fd < 0 && !detached) {
		gyve_target_kill(t, 0);
		return;
	}
	watch_for_panic(x);
	if (!x->let_go || !gyve_target_stopped(t) || !t->ops->resume)
		return;
	/* A dead guest cannot go on: without a debugger it ends as it would have. */
	if (t->last.kind == GYVE_STOP_CRASH)
		gyve_target_kill(t, t->last.code);
	else if (t->last.kind != GYVE_STOP_EXIT)
		gyve_target_continue(t);
}

/* It has asked something, and reads the answer: gdb shows it as a warning. Then it may say what it wants until it goes. */
static void refuse_client(struct gyve_server *s)
{
	static const char text[] = "+$E.another debugger is connected#98";
	char buf[4096];
	ssize_t n = read(s->refused, buf, sizeof(buf));

	if (n > 0 && memchr(buf, '#', (size_t)n) && send(s->refused, text, sizeof(text) - 1, MSG_NOSIGNAL) > 0)
		shutdown(s->refused, SHUT_WR);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	close(s->refused);
	s->refused = -1;
}

/* false: they are not wanted, or there are enough. */
static bool accept_observer(struct session *x, int fd)
{
	for (unsigned i = 0; x->serve->observers && i < OBSERVER_MAX; i++)
		if (!x->observers[i]) {
			observer_open(&x->observers[i], x->serve->target, fd);
			return true;
		}
	return false;
}

static void serve_observers(struct session *x, const struct pollfd *p)
{
	for (unsigned i = 0; i < OBSERVER_MAX; i++)
		if (x->observers[i] && p[i].revents && !observer_serve(x->observers[i])) {
			observer_close(x->observers[i]);
			x->observers[i] = NULL;
		}
}

static void accept_client(struct session *x)
{
	int one = 1, fd = accept4(x->s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (x->connected && accept_observer(x, fd))
		return;
	if (x->connected) {
		if (x->s->refused >= 0)
			close(x->s->refused);
		x->s->refused = fd;
		gyve_log(GYVE_LOG_WARN, GYVE_LOG_GDB, "a second debugger was turned away: one is connected");
		return;
	}
	if (x->s->where.kind == GYVE_LISTEN_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	x->s->in = x->s->out = fd;
	begin_session(x);
}

/* false: the session is over. */
static bool read_client(struct session *x)
{
	static char buf[65536];
	ssize_t n = read(x->s->in, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return true;
	if (n <= 0)
		return false;
	return gdbstub_feed(x->glue.stub, buf, (size_t)n) == 0 && flush_some(x);
}

/* --- what breakpoint commands print */

enum { TEXT_AHEAD = 1 << 20 }; /* bytes on their way to a client, behind which it waits */

/* To the client while that waits for a stop; else to the terminal. Unless all of it has to go now, a client that is slow is
 * waited for: there will be another time. */
static void pass_text(struct session *x, bool all)
{
	struct gyve_target *t = x->serve->target;
	char buf[4096 + 1];
	const void *out;
	size_t n;

	for (;;) {
		bool client = x->connected && gdbstub_running(x->glue.stub);
		if (client && !flush_some(x))
			return; /* it is gone, which is noticed elsewhere */
		if (client && !all && gdbstub_output(x->glue.stub, &out) > TEXT_AHEAD)
			return;
		n = t->ops->take_text ? t->ops->take_text(t->ctx, buf, sizeof(buf) - 1) : 0;
		if (!n)
			return;
		buf[n] = '\0';
		if (!client && buf[n - 1] == '\n')
			buf[n - 1] = '\0';
		if (client)
			gdbstub_monitor_print(x->glue.stub, buf, n);
		else if (x->serve->notice)
			x->serve->notice(x->serve->notice_ctx, buf);
	}
}

/* --- stops */

static void notice_crash(struct session *x, const struct gyve_stop *stop)
{
	char text[6400];
	int n = gyve_crash_text(x->serve->target, stop, text, 6144);

	if (n < 0 || !x->serve->notice)
		return;
	n = (int)strlen(text);
	if (x->s && stop->kind == GYVE_STOP_CRASH && x->s->listen_fd >= 0 && !x->ended)
		snprintf(text + n, sizeof(text) - (size_t)n, "\nit waits for a debugger: target remote %.200s", x->s->address);
	x->serve->notice(x->serve->notice_ctx, text);
}

static void dump(struct session *x, const char *why, const struct gyve_stop *stop)
{
	if (x->serve->dump)
		x->serve->dump(x->serve->dump_ctx, why, stop);
}

static void on_dump_request(struct session *x)
{
	struct gyve_target *t = x->serve->target;
	struct signalfd_siginfo si;

	if (read(x->serve->dump_fd, &si, sizeof(si)) < 0 && errno != EAGAIN)
		gyve_log(GYVE_LOG_WARN, GYVE_LOG_GDB, "cannot take a request for a dump: %s", strerror(errno));
	if (gyve_target_stopped(t)) {
		dump(x, "request", &t->last);
	} else if (!x->dump_due) {
		x->dump_due = true;
		gyve_target_interrupt(t);
	}
}

/* The stop that a request for a dump asked for, or what came first. true: nobody else has to know of it. */
static bool dump_at_stop(struct session *x, const struct gyve_stop *stop, const struct gyve_stop *before)
{
	bool due = x->dump_due && gyve_target_stopped(x->serve->target); /* non-stop: not one vCPU's stop */

	x->dump_due = x->dump_due && !due;
	if (stop->kind == GYVE_STOP_CRASH)
		dump(x, stop->catches == 1u << GYVE_CATCH_PANIC ? "panic" : "crash", stop);
	else if (stop->kind == GYVE_STOP_EXIT && before->kind != GYVE_STOP_CRASH)
		dump(x, "exit", stop);
	else if (due)
		dump(x, "request", stop);
	if (!due || stop->kind != GYVE_STOP_INTERRUPT || x->attaching || x->clear_due)
		return false;
	x->serve->target->last = *before;
	return gyve_target_resume(x->serve->target, NULL, NULL) == 0; /* as its client wanted: one may step, others stand */
}

/* By the extended protocol, and the client knows of this end or has asked for it. */
static bool may_start_again(const struct session *x)
{
	const struct gdbstub *stub = x->connected ? x->glue.stub : NULL;

	return stub && !x->quitting && gdbstub_extended(stub) &&
	       (x->glue.killed || x->glue.run_due || gdbstub_wants_stops(stub) || gdbstub_gone(stub));
}

/* vRun waits for the guest to stop, and for that stop to be taken. */
static void start_again(struct session *x)
{
	struct pollfd p = {gyve_target_event_fd(x->serve->target), POLLIN, 0};

	if (!x->connected || !x->glue.run_due || x->attaching || poll(&p, 1, 0) > 0 || !gyve_target_stopped(x->serve->target))
		return;
	if (gyve_glue_start(&x->glue))
		x->dead = false;
	flush_some(x);
}

/* Non-stop: the client will answer to the notification of the end, and be confused if nobody is there. */
static void wait_for_acknowledgement(struct session *x)
{
	if (!x->ended || !x->glue.nonstop || x->quitting)
		return;
	x->ended = false;
	x->dead = x->leaving = true;
}

/* A kernel that panics may reset the machine. Who debugs it is told of an end. */
static bool end_by_panic(struct session *x, struct gyve_stop *stop, const struct gyve_stop *before)
{
	if (x->connected || stop->kind != GYVE_STOP_EXIT || before->kind == GYVE_STOP_CRASH ||
	    !panic_ended(x->serve->panic, x->serve->target, stop))
		return false;
	dump(x, "panic", stop);
	notice_crash(x, stop);
	x->ended = true;
	x->end = *stop;
	return true;
}

static void on_stop(struct session *x)
{
	struct gyve_target *t = x->serve->target;
	struct gyve_stop stop, before = t->last;

	if (!gyve_target_take_stop(t, &stop))
		return;
	pass_text(x, true); /* it was printed before */
	gyve_log(GYVE_LOG_DEBUG, GYVE_LOG_GDB, "stop kind %d, vCPU %u, pc 0x%" PRIx64, stop.kind, stop.cpu, stop.pc);
	if (!x->connected && panic_stop(x->serve->panic, t, &stop) == PANIC_GO_ON) {
		gyve_target_continue(t);
		return;
	}
	if (x->connected && !x->attaching)
		panic_caught(x->serve->panic, t, &stop);
	if (end_by_panic(x, &stop, &before) || dump_at_stop(x, &stop, &before))
		return;
	if (stop.kind == GYVE_STOP_EXIT) {
		x->dead = may_start_again(x);
		x->ended = !x->dead;
		x->end = before.kind == GYVE_STOP_CRASH ? before : stop; /* ending a dead guest does not undo its death */
	}
	if (x->attaching)
		panic_disarm(x->serve->panic, t);
	if (x->clear_due)
		clear_points(x);
	if (!x->connected && stop.kind != GYVE_STOP_CRASH && stop.kind != GYVE_STOP_EXIT)
		panic_arm(x->serve->panic, t);
	if (x->connected && x->glue.run_due)
		return; /* to be started again */
	if (x->attaching) {
		x->attaching = false;
		if (stop.kind == GYVE_STOP_INTERRUPT)
			t->last.kind = GYVE_STOP_NONE;
		return;
	}
	if (x->connected && gdbstub_wants_stops(x->glue.stub)) {
		gyve_glue_report(&x->glue, &stop);
		wait_for_acknowledgement(x);
		flush_some(x);
		if (x->glue.nonstop && stop.kind != GYVE_STOP_EXIT && gyve_target_stopped(t))
			gyve_target_resume(t, NULL, NULL); /* only one of them has to stand */
	} else if (x->connected && !gdbstub_gone(x->glue.stub)) {
		return; /* it did not ask to run: "monitor quit"; '?' tells it */
	} else if (stop.kind == GYVE_STOP_CRASH) {
		notice_crash(x, &stop);
		if (!x->s || (x->s->listen_fd < 0 && x->s->once_used)) {
			x->ended = true;
			x->end = stop;
		}
	} else if (stop.kind != GYVE_STOP_EXIT) {
		gyve_target_continue(t); /* a leftover of a client that is gone */
	}
}

enum {
	P_QUIT,
	P_INPUT,
	P_DUMP,
	P_STOP,
	P_TEXT,
	P_PANIC,
	P_LISTEN,
	P_REFUSED,
	P_IN,
	P_OUT,
	P_OBSERVERS,
	P_COUNT = P_OBSERVERS + OBSERVER_MAX
};

static void fill_poll(struct session *x, struct pollfd p[P_COUNT])
{
	const void *buf;
	bool take = x->connected && !x->attaching;
	const struct gyve_target_ops *ops = x->serve->target->ops;
	int text_fd = ops->text_fd ? ops->text_fd(x->serve->target->ctx) : -1;

	if (take && gdbstub_running(x->glue.stub) && gdbstub_output(x->glue.stub, &buf) > TEXT_AHEAD)
		text_fd = -1;

	p[P_QUIT] = (struct pollfd){x->serve->quit_fd, POLLIN, 0};
	p[P_INPUT] = (struct pollfd){x->serve->input ? x->serve->input_fd : -1, POLLIN, 0};
	p[P_DUMP] = (struct pollfd){x->serve->dump_fd > 0 ? x->serve->dump_fd : -1, POLLIN, 0};
	p[P_STOP] = (struct pollfd){gyve_target_event_fd(x->serve->target), POLLIN, 0};
	p[P_TEXT] = (struct pollfd){text_fd, POLLIN, 0};
	p[P_PANIC] = (struct pollfd){panic_fd(x->serve->panic), POLLIN, 0};
	p[P_LISTEN] = (struct pollfd){x->s ? x->s->listen_fd : -1, POLLIN, 0};
	p[P_REFUSED] = (struct pollfd){x->s ? x->s->refused : -1, POLLIN, 0};
	p[P_IN] = (struct pollfd){take ? x->s->in : -1, POLLIN, 0};
	p[P_OUT] = (struct pollfd){take && gdbstub_output(x->glue.stub, &buf) ? x->s->out : -1, POLLOUT, 0};
	for (unsigned i = 0; i < OBSERVER_MAX; i++) {
		p[P_OBSERVERS + i] = (struct pollfd){-1, 0, 0};
		if (x->observers[i])
			observer_poll(x->observers[i], &p[P_OBSERVERS + i].fd, &p[P_OBSERVERS + i].events);
	}
}

int gyve_server_run(struct gyve_server *s, const struct gyve_serve *serve, struct gyve_stop *end)
{
	struct session x = {.s = s, .serve = serve, .let_go = !serve->client_required};
	struct pollfd p[P_COUNT];

	if (s && s->in >= 0) {
		s->once_used = true;
		begin_session(&x);
	}
	if (serve->panic && !serve->client_required && gyve_target_stopped(serve->target)) {
		panic_arm(serve->panic, serve->target);
		gyve_target_continue(serve->target);
	}
	while (!x.ended) {
		fill_poll(&x, p);
		if (x.quitting)
			p[P_QUIT].fd = p[P_INPUT].fd = -1;
		if (poll(p, P_COUNT, -1) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[P_QUIT].revents || (p[P_INPUT].revents && serve->input(serve->input_ctx))) {
			x.quitting = true;
			x.ended |= x.dead;
			gyve_target_kill(serve->target, serve->quit_code);
		}
		if (p[P_TEXT].revents)
			pass_text(&x, false);
		if (p[P_STOP].revents)
			on_stop(&x);
		if (p[P_PANIC].revents)
			panic_heard(serve->panic, serve->target, x.connected);
		if (!x.ended && p[P_DUMP].revents)
			on_dump_request(&x);
		if (!x.ended && x.connected && !x.attaching && ((p[P_IN].revents && !read_client(&x)) || !flush_some(&x)))
			end_session(&x);
		if (!x.ended)
			start_again(&x);
		x.ended |= x.leaving && x.connected && gdbstub_all_told(x.glue.stub);
		serve_observers(&x, p + P_OBSERVERS);
		if (p[P_REFUSED].revents)
			refuse_client(s);
		if (p[P_LISTEN].revents)
			accept_client(&x);
	}
	*end = x.end;
	for (unsigned i = 0; i < OBSERVER_MAX; i++)
		observer_close(x.observers[i]);
	if (x.connected) {
		flush_all(&x);
		gyve_glue_deinit(&x.glue);
		drain_client(s);
		server_close_client(s);
	}
	return 0;
}
