/* The places where debuggers connect: sockets, a terminal, standard input. */
#include "config.h"

#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

static int open_tcp(struct gyve_server *s, struct gyve_err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *list, *a;
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	int fd = -1, one = 1, e = 0;
	int res = getaddrinfo(s->where.host, s->where.port, &hints, &list);

	if (res)
		return gyve_err_set(err, -EINVAL, "cannot listen on %s: %s", s->where.host, gai_strerror(res));
	for (a = list; a; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
		if (fd < 0) {
			e = errno;
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, 4) == 0)
			break;
		e = errno;
		close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	if (fd < 0)
		return gyve_err_set(err, -e, "cannot listen on %s:%s: %s%s", s->where.host, s->where.port, strerror(e),
				    e == EADDRINUSE ? " (choose another port)" : "");
	s->listen_fd = fd;
	if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
		getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			    NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(s->address, sizeof(s->address), strchr(host, ':') ? "[%.200s]:%s" : "%.200s:%s", host, port);
	return 0;
}

/* A socket file that nobody listens on is what a killed process left; one that answers belongs to somebody. */
static bool stale_socket(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return stale;
}

static int open_unix(struct gyve_server *s, struct gyve_err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), e;

	if (fd < 0)
		return gyve_err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	memcpy(addr.sun_path, s->where.path, sizeof(addr.sun_path));
	e = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? errno : 0;
	if (e == EADDRINUSE && stale_socket(&addr) && unlink(addr.sun_path) == 0)
		e = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? errno : 0;
	if (!e) {
		s->unlink_path = true;
		e = listen(fd, 4) < 0 ? errno : 0;
	}
	if (e) {
		close(fd);
		return gyve_err_set(err, -e, "cannot listen on unix:%s: %s", s->where.path, strerror(e));
	}
	s->listen_fd = fd;
	snprintf(s->address, sizeof(s->address), "%s", s->where.path);
	return 0;
}

static void set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int open_tty(struct gyve_server *s, struct gyve_err *err)
{
	struct termios t;

	s->in = open(s->where.path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (s->in < 0)
		return gyve_err_set(err, -errno, "cannot open %s: %s", s->where.path, strerror(errno));
	if (tcgetattr(s->in, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(s->in, TCSANOW, &t);
	}
	s->out = s->in;
	snprintf(s->address, sizeof(s->address), "%s", s->where.path);
	return 0;
}

int gyve_server_open(struct gyve_server **ret, const struct gyve_listen *where, struct gyve_err *err)
{
	struct gyve_server *s = calloc(1, sizeof(*s));
	int res = 0;

	if (!s)
		return gyve_err_set(err, -ENOMEM, "no memory");
	s->where = *where;
	s->listen_fd = s->refused = s->in = s->out = s->old_in_flags = -1;
	switch (where->kind) {
	case GYVE_LISTEN_TCP:
		res = open_tcp(s, err);
		break;
	case GYVE_LISTEN_UNIX:
		res = open_unix(s, err);
		break;
	case GYVE_LISTEN_TTY:
		res = open_tty(s, err);
		break;
	case GYVE_LISTEN_STDIO:
		s->in = STDIN_FILENO;
		s->out = STDOUT_FILENO;
		s->old_in_flags = fcntl(s->in, F_GETFL);
		set_nonblock(s->in);
		snprintf(s->address, sizeof(s->address), "standard input");
		break;
	}
	if (res < 0) {
		gyve_server_close(s);
		return res;
	}
	*ret = s;
	return 0;
}

void server_close_client(struct gyve_server *s)
{
	if (s->where.kind != GYVE_LISTEN_STDIO && s->in >= 0)
		close(s->in);
	s->in = s->out = -1;
}

void gyve_server_close(struct gyve_server *s)
{
	if (!s)
		return;
	server_close_client(s);
	if (s->refused >= 0)
		close(s->refused);
	if (s->old_in_flags >= 0)
		fcntl(STDIN_FILENO, F_SETFL, s->old_in_flags);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->unlink_path)
		unlink(s->where.path);
	free(s);
}

int gyve_server_fd(const struct gyve_server *s)
{
	return s->listen_fd;
}

const char *gyve_server_address(const struct gyve_server *s)
{
	return s->address;
}
