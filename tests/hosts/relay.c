/* Carries a debugger's bytes between a socket outside and a terminal that an emulator uses as a serial line.
 *
 *     relay PORT|unix:PATH LINK [line]
 *
 * LINK becomes a symbolic link to the terminal. "line": what the machine sends before it says READY is the line finding its
 * feet, so it is dropped, and clients wait in the socket until then. A virtio port holds bytes back until it is opened inside.
 * One client at a time; the next may come when it has gone. SIGTERM, and its parent's end: what the machine has sent is still
 * carried, then it ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define READY 5 /* ENQ; what init sends when the line inside carries every byte as it is */

static volatile sig_atomic_t ending;

static void end_soon(int sig)
{
	(void)sig;
	ending = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int listen_at(const char *where)
{
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	int unix_path = strncmp(where, "unix:", 5) == 0, one = 1;
	int fd = socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (unix_path) {
		if (strlen(where + 5) >= sizeof(local.sun_path)) {
			errno = ENAMETOOLONG;
			die(where);
		}
		strcpy(local.sun_path, where + 5);
		unlink(local.sun_path);
	} else {
		tcp.sin_port = htons((uint16_t)atoi(where));
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	}
	if (bind(fd, unix_path ? (struct sockaddr *)&local : (struct sockaddr *)&tcp,
		 unix_path ? sizeof(local) : sizeof(tcp)) ||
	    listen(fd, 1))
		die(where);
	return fd;
}

/* Both ends: the emulator may open and close its end as it likes, ours sees no hang-up meanwhile. */
static int open_terminal(const char *link)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	struct termios t;

	if (master < 0 || grantpt(master) || unlockpt(master))
		die("terminal");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &t))
		die("terminal");
	cfmakeraw(&t);
	tcsetattr(slave, TCSANOW, &t);
	if (symlink(ptsname(master), link))
		die(link);
	return master;
}

static int write_all(int fd, const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(fd, buf, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

static void wait_until_ready(int line)
{
	char c = 0;

	while (c != READY && !ending) {
		struct pollfd p = {line, POLLIN, 0};
		if (poll(&p, 1, 100) > 0 && read(line, &c, 1) != 1)
			die("the machine is gone");
	}
}

static int take_client(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void serve(int listener, int line)
{
	int client = -1;

	for (;;) {
		struct pollfd p[] = {{line, POLLIN, 0}, {client >= 0 ? client : listener, POLLIN, 0}};
		char buf[4096];
		ssize_t n;

		int last = ending, ready = poll(p, 2, last ? 0 : 100); /* a signal may come right before it */
		if (last && (ready < 0 || !p[0].revents))
			return;
		if (ready <= 0)
			continue;
		if (p[0].revents) {
			n = read(line, buf, sizeof(buf));
			if (n <= 0)
				die("the machine is gone");
			if (client >= 0)
				write_all(client, buf, (size_t)n);
		}
		if (!p[1].revents)
			continue;
		if (client < 0) {
			client = take_client(listener);
			continue;
		}
		n = read(client, buf, sizeof(buf));
		if (n > 0) {
			write_all(line, buf, (size_t)n);
		} else {
			close(client);
			client = -1;
		}
	}
}

int main(int argc, char **argv)
{
	int listener, line;

	if (argc < 3) {
		fprintf(stderr, "usage: relay PORT|unix:PATH LINK [line]\n");
		return 2;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, end_soon);
	listener = listen_at(argv[1]);
	line = open_terminal(argv[2]);
	if (argc > 3)
		wait_until_ready(line);
	serve(listener, line);
}
