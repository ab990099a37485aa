/* See serial.h. */
#include "config.h"

#include "serial.h"

#include "../base/io.h"
#include "gyve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- opening */

struct spec {
	int kind;
	char out[4096], in[4096]; /* FILE: empty: none */
	struct gyve_listen listen;
};

static int parse_file(struct spec *p, const char *text, struct gyve_err *err)
{
	static const char mark[] = ",input=";
	const char *comma = strstr(text, mark), *in = comma ? comma + sizeof(mark) - 1 : "";
	size_t n = comma ? (size_t)(comma - text) : strlen(text);

	if (n >= sizeof(p->out) || strlen(in) >= sizeof(p->in) || (comma && !*in) || (!n && !comma))
		return gyve_err_set(err, -EINVAL, "file: takes a file for output, for input (,input=FILE) or both");
	memcpy(p->out, text, n);
	strcpy(p->in, in);
	p->kind = SERIAL_FILE;
	return 0;
}

static int parse(struct spec *p, const char *text, struct gyve_err *err)
{
	memset(p, 0, sizeof(*p));
	if (strcmp(text, "stdio") == 0)
		return 0;
	if (strcmp(text, "null") == 0) {
		p->kind = SERIAL_NULL;
		return 0;
	}
	if (strncmp(text, "file:", 5) == 0)
		return parse_file(p, text + 5, err);
	p->kind = SERIAL_SOCKET;
	if (strncmp(text, "unix:", 5) == 0 && text[5])
		return gyve_listen_parse(&p->listen, text, err);
	if (strncmp(text, "tcp:", 4) != 0 || !text[4])
		return gyve_err_set(err, -EINVAL, "'%.60s' is none of stdio, null, file:, unix:PATH, tcp:[HOST:]PORT", text);
	int r = gyve_listen_parse(&p->listen, text + 4, err);
	if (r == 0 && p->listen.kind != GYVE_LISTEN_TCP)
		r = gyve_err_set(err, -EINVAL, "'%.60s' is not tcp:[HOST:]PORT", text);
	return r;
}

int serial_check(const char *spec, struct gyve_err *err)
{
	struct spec p;

	return parse(&p, spec, err);
}

/* A pipe with a name is kept open for those who come and go. */
static int open_input(const char *path)
{
	struct stat st;
	bool fifo = stat(path, &st) == 0 && S_ISFIFO(st.st_mode);

	return open(path, (fifo ? O_RDWR : O_RDONLY) | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static int open_files(struct serial *s, const struct spec *p, struct gyve_err *err)
{
	if (*p->out && (s->out = open(p->out, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0666)) < 0)
		return gyve_err_set(err, -errno, "cannot open %s for the guest's output: %s", p->out, strerror(errno));
	if (*p->in && (s->guest = open_input(p->in)) < 0)
		return gyve_err_set(err, -errno, "cannot open %s for the guest's input: %s", p->in, strerror(errno));
	return 0;
}

static void watch(struct serial *s, int op, int fd, unsigned events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	epoll_ctl(s->epoll, op, fd, &e);
}

static int open_socket(struct serial *s, const struct spec *p, struct gyve_err *err)
{
	int fd[2], r = gyve_server_open(&s->server, &p->listen, err);

	if (r < 0)
		return r;
	s->ahead = malloc(SERIAL_AHEAD);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!s->ahead || s->epoll < 0 || pipe2(fd, O_CLOEXEC) < 0)
		return gyve_err_set(err, -ENOMEM, "no room for the guest's console");
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	s->guest = fd[0];
	s->typed = fd[1];
	watch(s, EPOLL_CTL_ADD, gyve_server_fd(s->server), EPOLLIN);
	return 0;
}

int serial_open(struct serial *s, const char *spec, struct gyve_err *err)
{
	struct spec *p = malloc(sizeof(*p));

	*s = (struct serial){.open = true, .guest = -1, .out = -1, .epoll = -1, .typed = -1, .client = -1};
	pthread_mutex_init(&s->lock, NULL);
	int r = p ? parse(p, spec, err) : gyve_err_set(err, -ENOMEM, "no memory");
	if (r == 0) {
		s->kind = p->kind;
		r = p->kind == SERIAL_FILE ? open_files(s, p, err) : p->kind == SERIAL_SOCKET ? open_socket(s, p, err) : 0;
	}
	free(p);
	if (r < 0)
		serial_close(s);
	return r;
}

const char *serial_address(const struct serial *s)
{
	return s->kind == SERIAL_SOCKET ? gyve_server_address(s->server) : NULL;
}

/* --- a client; the lock is held */

/* What its descriptor is waited for: input while there is room for it, output while there is some. */
static void watch_client(struct serial *s, int op)
{
	watch(s, op, s->client, (s->in_len ? 0 : EPOLLIN) | (s->ahead_len ? EPOLLOUT : 0));
}

static void drop_client(struct serial *s)
{
	close(s->client); /* and the epoll instance forgets it */
	s->client = -1;
	s->parked = false;
	s->ahead_len = 0;
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_DEV, "nobody is at the guest's console any more");
}

/* Bytes that it took at once. It may be gone, which is noticed when it is polled. */
static size_t send_some(struct serial *s, const char *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(s->client, buf + done, len - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static void flush(struct serial *s)
{
	size_t n = send_some(s, s->ahead, s->ahead_len);

	memmove(s->ahead, s->ahead + n, s->ahead_len - n);
	s->ahead_len -= n;
}

static void say(struct serial *s, const char *buf, size_t len)
{
	size_t n = s->ahead_len ? 0 : send_some(s, buf, len), room = SERIAL_AHEAD - s->ahead_len;
	bool first = !s->ahead_len;

	if (len - n < room)
		room = len - n;
	memcpy(s->ahead + s->ahead_len, buf + n, room);
	s->ahead_len += room;
	if (first && s->ahead_len)
		watch_client(s, EPOLL_CTL_MOD);
}

bool serial_write(struct serial *s, const void *buf, size_t len)
{
	bool there = true;

	if (s->kind == SERIAL_STDIO)
		return false;
	pthread_mutex_lock(&s->lock);
	if (s->kind == SERIAL_FILE && s->out >= 0) {
		if (gyve_write_all(s->out, buf, len) < 0) {
			gyve_log(GYVE_LOG_WARN, GYVE_LOG_DEV, "the guest's output: %s", strerror(errno));
			close(s->out);
			s->out = -1;
		}
	} else if (s->kind != SERIAL_NULL) {
		there = s->client >= 0;
		if (there)
			say(s, buf, len);
	}
	pthread_mutex_unlock(&s->lock);
	return there;
}

/* What was typed and the guest has not read. */
static void pass(struct serial *s)
{
	ssize_t n = s->in_len ? write(s->typed, s->in, s->in_len) : 0;
	bool waited = s->in_len;

	if (n > 0) {
		memmove(s->in, s->in + n, s->in_len - (size_t)n);
		s->in_len -= (size_t)n;
	}
	if (!waited)
		return;
	if (!s->in_len)
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->typed, NULL);
	if (!s->in_len && s->client >= 0)
		watch_client(s, s->parked ? EPOLL_CTL_ADD : EPOLL_CTL_MOD);
	s->parked = s->parked && s->in_len;
}

static void read_client(struct serial *s)
{
	ssize_t n = read(s->client, s->in, sizeof(s->in));

	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN)) {
		drop_client(s);
		return;
	}
	if (n < 0)
		return;
	s->in_len = (size_t)n;
	watch_client(s, EPOLL_CTL_MOD);
	watch(s, EPOLL_CTL_ADD, s->typed, EPOLLOUT);
}

/* What it typed is to be read first. */
static void hang_up(struct serial *s)
{
	if (s->in_len) {
		epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->client, NULL);
		s->parked = true;
	} else {
		drop_client(s);
	}
}

static void accept_client(struct serial *s)
{
	static const char busy[] = "gyve: somebody is at this console\r\n";
	int fd = accept4(gyve_server_fd(s->server), NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	if (s->client >= 0) {
		send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		return;
	}
	s->client = fd;
	watch_client(s, EPOLL_CTL_ADD);
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_DEV, "somebody is at the guest's console");
}

void serial_poll(struct serial *s)
{
	struct epoll_event e[4];
	int n = epoll_wait(s->epoll, e, 4, 0);

	pthread_mutex_lock(&s->lock);
	for (int i = 0; i < n; i++) {
		int fd = e[i].data.fd;
		if (fd == gyve_server_fd(s->server)) {
			accept_client(s);
		} else if (fd == s->typed) {
			pass(s);
		} else if (fd == s->client) {
			if (e[i].events & EPOLLOUT) {
				flush(s);
				watch_client(s, EPOLL_CTL_MOD);
			}
			if (e[i].events & EPOLLIN)
				read_client(s);
			else if (e[i].events & (EPOLLHUP | EPOLLERR))
				hang_up(s);
		}
	}
	pthread_mutex_unlock(&s->lock);
}

/* --- closing */

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void serial_close(struct serial *s)
{
	struct pollfd p = {s->client, POLLOUT, 0};

	if (!s->open)
		return;
	while (s->client >= 0 && s->ahead_len && poll(&p, 1, 1000) > 0 && !(p.revents & (POLLHUP | POLLERR)))
		flush(s);
	close_fd(s->client);
	gyve_server_close(s->server);
	close_fd(s->epoll);
	close_fd(s->typed);
	close_fd(s->guest);
	close_fd(s->out);
	free(s->ahead);
	pthread_mutex_destroy(&s->lock);
	s->open = false;
}
