/* How fast is a stub? A client of GDB's remote protocol over a unix socket, for any stub (gyve's, QEMU's).
 *   rsp_bench SOCKET step N                    N single steps of thread 1, each a packet and a stop reply
 *   rsp_bench SOCKET range LO HI SECONDS ADDR  one range step over [LO, HI) until interrupted; ADDR counts the loop's rounds
 *   rsp_bench SOCKET m|x ADDR LEN TOTAL        TOTAL bytes from [ADDR, ADDR+LEN) again and again, in the largest packets
 *   rsp_bench SOCKET kick N                    N times continue, ^C; the time from ^C to the stop reply, median and least in us
 *   rsp_bench SOCKET tail N                    the same; median and 99th percentile in us
 *   rsp_bench SOCKET points ADDR N             N breakpoints from ADDR on, 16 bytes apart; the time for one in us
 *   rsp_bench SOCKET hits ADDR N               N times continue to the breakpoint at ADDR, which is in a loop; us a hit, median
 *   rsp_bench SOCKET search ADDR LEN N         N times, for bytes that are not there, in [ADDR, ADDR+LEN)
 *   rsp_bench SOCKET set ADDR VALUE            write 8 bytes
 *   rsp_bench SOCKET until ADDR                continue to ADDR
 *   rsp_bench SOCKET kill
 *   rsp_bench - echo N                         no stub: N packets of that size to another process that answers at once
 * Prints one number: packets/s, rounds/s, or bytes/s. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int fd = -1;
static bool acks = true;
static char in[1 << 20]; /* what was received */
static size_t in_len;
static char body[1 << 20]; /* the last packet, zero-terminated */
static size_t body_len;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("rsp_bench: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void put(const void *buf, size_t len)
{
	if (write(fd, buf, len) != (ssize_t)len)
		die("cannot send: %s", strerror(errno));
}

__attribute__((format(printf, 1, 2))) static void send_packet(const char *fmt, ...)
{
	char text[512], packet[520];
	unsigned sum = 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (int i = 0; i < n; i++)
		sum += (unsigned char)text[i];
	n = snprintf(packet, sizeof(packet), "$%s#%02x", text, sum & 255);
	put(packet, (size_t)n);
}

/* The next packet into body. Its checksum is left alone: what is measured is the stub, not us. */
static void receive(void)
{
	for (;;) {
		char *start = memchr(in, '$', in_len), *end = start ? memchr(start, '#', in_len - (size_t)(start - in)) : NULL;
		ssize_t n;

		if (end && end + 3 <= in + in_len) {
			body_len = (size_t)(end - start - 1);
			memcpy(body, start + 1, body_len);
			body[body_len] = '\0';
			in_len -= (size_t)(end + 3 - in);
			memmove(in, end + 3, in_len);
			if (acks)
				put("+", 1);
			return;
		}
		if (in_len == sizeof(in))
			die("a packet is larger than %zu bytes", sizeof(in));
		n = read(fd, in + in_len, sizeof(in) - in_len);
		if (n <= 0)
			die("the stub closed the connection");
		in_len += (size_t)n;
	}
}

static void wait_stop(void)
{
	do
		receive();
	while (body[0] == 'O');
	if (body[0] != 'T' && body[0] != 'S')
		die("no stop reply: %.60s", body);
}

static size_t connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const char *size;

	if (strlen(path) >= sizeof(addr.sun_path))
		die("the path is too long");
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("cannot connect to %s: %s", path, strerror(errno));
	send_packet("qSupported:swbreak+;hwbreak+;vContSupported+");
	receive();
	size = strstr(body, "PacketSize=");
	if (!size)
		die("the stub names no PacketSize");
	size_t packet = strtoull(size + 11, NULL, 16);
	send_packet("QStartNoAckMode");
	receive();
	if (strcmp(body, "OK") == 0) {
		put("+", 1);
		acks = false;
	}
	return packet;
}

static double steps(unsigned long n)
{
	double begin;

	send_packet("vCont?"); /* QEMU takes no vCont before it was asked */
	receive();
	begin = now();
	for (unsigned long i = 0; i < n; i++) {
		send_packet("vCont;s:1");
		wait_stop();
	}
	return (double)n / (now() - begin);
}

/* What two processes that sleep in between can say to each other at most, on this machine. */
static double echoes(unsigned long n)
{
	enum { ASKED = 14, ANSWERED = 64 }; /* about a step and its stop reply */
	char buf[ANSWERED] = {0};
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		die("cannot make a pair of sockets: %s", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		die("cannot start a process: %s", strerror(errno));
	if (child == 0) {
		close(ends[0]);
		while (read(ends[1], buf, ASKED) > 0)
			if (write(ends[1], buf, ANSWERED) != ANSWERED)
				break;
		_exit(0);
	}
	close(ends[1]);
	double begin = now();
	for (unsigned long i = 0; i < n; i++)
		if (write(ends[0], buf, ASKED) != ASKED || read(ends[0], buf, ANSWERED) <= 0)
			die("the other process is gone");
	double took = now() - begin;
	close(ends[0]);
	waitpid(child, NULL, 0);
	return (double)n / took;
}

static uint64_t read_u64(uint64_t addr)
{
	char digits[64];
	size_t n = 0;
	uint64_t v = 0;

	send_packet("m%" PRIx64 ",8", addr);
	receive();
	for (size_t i = 0; i < body_len && n < 16; i++)
		if (body[i] == '*' && i && i + 1 < body_len)
			for (int k = body[++i] - 29; k > 0 && n < 16; k--, n++)
				digits[n] = digits[n - 1];
		else
			digits[n++] = body[i];
	if (n != 16)
		die("cannot read 0x%" PRIx64 ": %.80s", addr, body);
	for (int i = 7; i >= 0; i--) {
		char two[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
		v = v << 8 | strtoul(two, NULL, 16);
	}
	return v;
}

static double range(uint64_t lo, uint64_t hi, double seconds, uint64_t counter)
{
	struct timespec pause = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	uint64_t before = read_u64(counter);
	double begin = now(), took;

	send_packet("vCont;r%" PRIx64 ",%" PRIx64 ":1", lo, hi);
	nanosleep(&pause, NULL);
	put("\003", 1);
	wait_stop();
	took = now() - begin;
	return (double)(read_u64(counter) - before) / took;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void kicks(unsigned long n, bool tail)
{
	struct timespec pause = {0, 3000000}; /* into the guest */
	double *took = calloc(n + 1, sizeof(*took));

	if (!took || !n)
		die("nothing to kick");
	for (unsigned long i = 0; i < n; i++) {
		send_packet("vCont;c");
		nanosleep(&pause, NULL);
		took[i] = now();
		put("\003", 1);
		wait_stop();
		took[i] = now() - took[i];
	}
	qsort(took, n, sizeof(*took), by_value);
	printf("%.0f %.0f\n", took[n / 2] * 1e6, took[tail ? n * 99 / 100 : 0] * 1e6);
	free(took);
}

static void ask_ok(const char *what)
{
	receive();
	if (strcmp(body, "OK") != 0)
		die("%s: %.80s", what, body);
}

static double points(uint64_t addr, unsigned long n)
{
	double begin = now();

	for (unsigned long i = 0; i < n; i++) {
		send_packet("Z0,%" PRIx64 ",1", addr + 16 * i);
		ask_ok("a breakpoint is refused");
	}
	return (now() - begin) / (double)(n ? n : 1) * 1e6;
}

static double hits(uint64_t addr, unsigned long n)
{
	double *took = calloc(n + 1, sizeof(*took)), median;

	if (!took || !n)
		die("nothing to hit");
	points(addr, 1);
	for (unsigned long i = 0; i < n; i++) {
		double begin = now();
		send_packet("vCont;c");
		wait_stop();
		took[i] = now() - begin;
	}
	send_packet("z0,%" PRIx64 ",1", addr);
	ask_ok("the breakpoint stays");
	qsort(took, n, sizeof(*took), by_value);
	median = took[n / 2] * 1e6;
	free(took);
	return median;
}

static double search(uint64_t addr, uint64_t len, unsigned long n)
{
	double begin = now();

	for (unsigned long i = 0; i < n; i++) {
		send_packet("qSearch:memory:%" PRIx64 ";%" PRIx64 ";not in this guest", addr, len);
		receive();
		if (strcmp(body, "0") != 0)
			die("the search says %.80s", body);
	}
	return (double)len * (double)n / (now() - begin);
}

static void set(uint64_t addr, uint64_t value)
{
	char hex[17];

	for (int i = 0; i < 8; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned)(value >> 8 * i & 0xff));
	send_packet("M%" PRIx64 ",8:%s", addr, hex);
	ask_ok("cannot write");
}

/* How many bytes the last packet stands for: some are escaped, some are run lengths. */
static uint64_t expanded_len(void)
{
	const char *end = body + body_len, *escape = memchr(body, '}', body_len), *run = memchr(body, '*', body_len);
	uint64_t n = body_len;

	for (; escape; escape = memchr(escape + 2, '}', (size_t)(end - escape - 2))) {
		n--;
		if (escape + 2 >= end)
			break;
	}
	/* a star after an escape is data, but stubs escape it to something else */
	for (; run && run + 1 < end; run = memchr(run + 2, '*', (size_t)(end - run - 2)))
		n += (uint64_t)(run[1] - 29) - 2;
	return n;
}

/* How many bytes of memory the reply holds. m: two digits a byte; x: 'b', then the bytes. */
static uint64_t reply_len(char kind)
{
	if (kind == 'x')
		return body[0] == 'b' ? expanded_len() - 1 : 0;
	return body[0] == 'E' ? 0 : expanded_len() / 2;
}

static double reads(char kind, uint64_t addr, uint64_t len, uint64_t total, size_t packet)
{
	size_t chunk = kind == 'm' ? (packet - 16) / 2 : packet - 16;
	uint64_t got = 0, at = 0, n;
	double begin = now();

	while (got < total) {
		send_packet("%c%" PRIx64 ",%" PRIx64, kind, addr + at, chunk < len - at ? chunk : len - at);
		receive();
		n = reply_len(kind);
		if (n == 0)
			die("cannot read 0x%" PRIx64 ": %.80s", addr + at, body);
		got += n;
		at = at + n < len ? at + n : 0;
	}
	return (double)got / (now() - begin);
}

static void until(uint64_t addr)
{
	send_packet("Z0,%" PRIx64 ",1", addr);
	receive();
	send_packet("vCont;c");
	wait_stop();
	send_packet("z0,%" PRIx64 ",1", addr);
	receive();
}

static uint64_t number(char **argv, int i)
{
	if (!argv[i])
		die("an argument is missing");
	return strtoull(argv[i], NULL, 0);
}

int main(int argc, char **argv)
{
	size_t packet;
	const char *what;

	if (argc < 3)
		die("usage: rsp_bench SOCKET step|range|kick|tail|points|hits|search|set|m|x|until|kill ARG... (see the head "
		    "of the source)");
	if (strcmp(argv[2], "echo") == 0) {
		printf("%.0f\n", echoes(number(argv, 3)));
		return 0;
	}
	packet = connect_to(argv[1]);
	for (int i = 2; i < argc;) {
		what = argv[i++];
		if (strcmp(what, "step") == 0) {
			printf("%.0f\n", steps(number(argv, i)));
			i += 1;
		} else if (strcmp(what, "range") == 0) {
			printf("%.0f\n",
			       range(number(argv, i), number(argv, i + 1), (double)number(argv, i + 2), number(argv, i + 3)));
			i += 4;
		} else if (strcmp(what, "m") == 0 || strcmp(what, "x") == 0) {
			printf("%.0f\n", reads(what[0], number(argv, i), number(argv, i + 1), number(argv, i + 2), packet));
			i += 3;
		} else if (strcmp(what, "kick") == 0) {
			kicks(number(argv, i), false);
			i += 1;
		} else if (strcmp(what, "tail") == 0) {
			kicks(number(argv, i), true);
			i += 1;
		} else if (strcmp(what, "points") == 0) {
			printf("%.1f\n", points(number(argv, i), number(argv, i + 1)));
			i += 2;
		} else if (strcmp(what, "hits") == 0) {
			printf("%.1f\n", hits(number(argv, i), number(argv, i + 1)));
			i += 2;
		} else if (strcmp(what, "search") == 0) {
			printf("%.0f\n", search(number(argv, i), number(argv, i + 1), number(argv, i + 2)));
			i += 3;
		} else if (strcmp(what, "set") == 0) {
			set(number(argv, i), number(argv, i + 1));
			i += 2;
		} else if (strcmp(what, "until") == 0) {
			until(number(argv, i));
			i += 1;
		} else if (strcmp(what, "kill") == 0) {
			send_packet("k");
			return 0;
		} else {
			die("'%s' is nothing I measure", what);
		}
	}
	return 0;
}
