#include "session_play.h"

#include "../unit/unit.h"

#include "gyve/log.h"
#include "gyve/target.h"
#include "run_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NCPUS = 3, PATIENCE_MS = 20000 };

struct play {
	struct guest *g;
	struct gyve_target t;
	struct gyve_server *server;
	char path[64];
	pthread_t thread;
	bool ended; /* the server has returned; atomic */
	int fd;     /* -1: not connected */
	const uint8_t *data;
	size_t size;
	unsigned sent;
};

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "session: %s\n", what);
	abort();
}

static void *serve(void *arg)
{
	struct play *p = arg;
	struct gyve_serve s = {.target = &p->t, .quit_fd = -1, .client_required = true};
	struct gyve_stop end;

	gyve_server_run(p->server, &s, &end);
	__atomic_store_n(&p->ended, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool has_ended(struct play *p)
{
	return __atomic_load_n(&p->ended, __ATOMIC_SEQ_CST);
}

static void begin(struct play *p)
{
	static unsigned number;
	struct gyve_listen l;
	char spec[80];

	gyve_log_levels[GYVE_LOG_GDB] = GYVE_LOG_ERROR;
	fake_host = (struct fake_host){.hw_bps = 4, .watch_works = number % 2, .int3_is_emulation = number % 3 == 0};
	memset(p, 0, sizeof(*p));
	p->fd = -1;
	p->g = start(NCPUS, loop_code, sizeof(loop_code));
	snprintf(p->path, sizeof(p->path), "/tmp/gyve-session.%d.%u", (int)getpid(), number++);
	snprintf(spec, sizeof(spec), "unix:%s", p->path);
	must(gyve_target_live(&p->t, p->g->vm, NULL, NULL) == 0 && gyve_listen_parse(&l, spec, NULL) == 0 &&
		     gyve_server_open(&p->server, &l, NULL) == 0 && pthread_create(&p->thread, NULL, serve, p) == 0,
	     "cannot begin");
}

static void dial(struct play *p)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", p->path);
	/* a server that is about to end does not accept any more: wait for nothing but a place in its queue */
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	must(p->fd >= 0, "no socket");
	if (connect(p->fd, (struct sockaddr *)&a, sizeof(a)) < 0 || fcntl(p->fd, F_SETFL, 0) < 0) {
		close(p->fd);
		p->fd = -1;
	}
}

static void hang_up(struct play *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* What has come in goes nowhere. False: the connection is over. */
static bool swallow(struct play *p, int ms)
{
	struct pollfd f = {p->fd, POLLIN, 0};
	char buf[4096];

	while (p->fd >= 0 && poll(&f, 1, ms) > 0) {
		if (read(p->fd, buf, sizeof(buf)) <= 0) {
			hang_up(p);
			return false;
		}
		ms = 0;
	}
	return p->fd >= 0;
}

static bool put(struct play *p, const void *buf, size_t len)
{
	const char *at = buf;

	while (len && p->fd >= 0) {
		ssize_t n = send(p->fd, at, len, MSG_NOSIGNAL);
		if (n <= 0) {
			hang_up(p);
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return p->fd >= 0;
}

static size_t frame(char *out, size_t size, const char *body)
{
	uint8_t sum = 0;

	for (const char *c = body; *c; c++)
		sum = (uint8_t)(sum + (uint8_t)*c);
	return (size_t)snprintf(out, size, "$%s#%02x", body, sum);
}

static void say(void *ctx, const char *line)
{
	(void)ctx;
	fprintf(stderr, "%s\n", line);
}

/* The end of it: a new client is answered, with every vCPU stopped, and no breakpoint of the one before is left. */
static void finish(struct play *p)
{
	char packet[64], buf[4096];
	size_t len = 0;
	int waited = 0;

	hang_up(p);
	while (!has_ended(p) && waited < PATIENCE_MS) {
		struct pollfd f;
		if (p->fd < 0) {
			dial(p);
			put(p, packet, frame(packet, sizeof(packet), "?"));
			len = 0;
		}
		f = (struct pollfd){p->fd, POLLIN, 0};
		int n = p->fd < 0 ? usleep(1000) : poll(&f, 1, 10);
		waited += n == 0 ? 10 : 0;
		ssize_t got = n > 0 ? read(p->fd, buf + len, sizeof(buf) - 1 - len) : 0;
		if (n > 0 && got <= 0)
			hang_up(p);
		len += got > 0 ? (size_t)got : 0;
		buf[len] = '\0';
		if (strstr(buf, "$E.another"))
			hang_up(p);
		else if (strchr(buf, '#') && len)
			break;
	}
	must(waited < PATIENCE_MS, "the server does not answer any more");
	if (!has_ended(p) && strstr(buf, "$T")) {
		uint8_t code[sizeof(loop_code)];
		gyve_memmap_read(gyve_vm_memmap(p->g->vm), BASE, code, sizeof(code));
		if (memcmp(code, loop_code, sizeof(code)) != 0)
			gyve_bp_list(p->g->vm, say, NULL);
		must(memcmp(code, loop_code, sizeof(code)) == 0, "a breakpoint is left in the guest");
	}
	if (!has_ended(p))
		put(p, packet, frame(packet, sizeof(packet), "k"));
	hang_up(p);
	pthread_join(p->thread, NULL);
	gyve_server_close(p->server);
	gyve_target_deinit(&p->t);
	end(p->g);
}

/* --- what a client may say. @: an address in the code; %: one of data; &: a thread, or all */

static const char *const packets[] = {
	"?",
	"!",
	"qSupported:swbreak+;hwbreak+;vContSupported+;error-message+",
	"qSupported",
	"QStartNoAckMode",
	"QNonStop:1",
	"QNonStop:0",
	"vCont;c",
	"vCont;c:&",
	"vCont;s:&",
	"vCont;s:&;c",
	"vCont;t:&",
	"vCont;t",
	"vCont;r200001,200008:&",
	"vCont;t:1;s:2;c",
	"vCtrlC",
	"vStopped",
	"vStopped",
	"vStopped",
	"Z0,@,1",
	"Z0,@,1",
	"Z0,@,1",
	"z0,@,1",
	"z0,@,1",
	"Z1,@,1",
	"z1,@,1",
	"Z2,%,4",
	"z2,%,4",
	"Z4,%,1",
	"z4,%,1",
	"Z0,ffff800000000000,1",
	"Z0,@,1;X3,220127",
	"Z0,@,1;X3,220027",
	"g",
	"G00",
	"p10",
	"P10=0100200000000000",
	"m@,10",
	"m%,4",
	"x@,20",
	"M%,1:41",
	"X%,1:a",
	"qSearch:memory:200000;2000;\x90",
	"qCRC:200000,20",
	"Hg&",
	"Hc&",
	"T&",
	"qC",
	"qfThreadInfo",
	"qsThreadInfo",
	"qThreadExtraInfo,&",
	"qXfer:threads:read::0,400",
	"qXfer:features:read:target.xml:0,400",
	"qRcmd,68656c70",
	"qRcmd,7265736574",
	"qRcmd,696e666f",
	"qRcmd,706f696e7473",
	"D",
	"D;1",
	"k",
	"vKill;1",
	"vRun;",
	"vRun;;61;62",
	"R00",
	"vAttach;1",
	"c",
	"s",
	"C05",
	"S05",
	"c200001",
	"vMustReplyEmpty",
	"QEnvironmentHexEncoded:413d42",
	"QEnvironmentReset",
	"qAttached",
	"QThreadEvents:1",
	"qTStatus",
	"QTinit",
	"QTDP:1:200008:E:0:0-",
	"QTDP:-1:200008:R7",
	"QTStart",
	"QTStop",
	"QTFrame:0",
	"QTFrame:-1",
	"qXfer:siginfo:read::0,80",
	"",
};

static uint8_t next(struct play *p)
{
	if (!p->size)
		return 0;
	p->size--;
	return *p->data++;
}

static void make(struct play *p, const char *what, char *body, size_t size)
{
	static const unsigned offsets[] = {0, 1, 7, 8};
	size_t n = 0;

	for (; *what && n + 24 < size; what++) {
		if (*what == '@')
			n += (size_t)snprintf(body + n, size - n, "%x", BASE + offsets[next(p) % 4]);
		else if (*what == '%')
			n += (size_t)snprintf(body + n, size - n, "%x", DATA + next(p) % 8);
		else if (*what == '&')
			n += (size_t)snprintf(body + n, size - n, "%d", next(p) % (NCPUS + 3) - 1);
		else
			body[n++] = *what;
	}
	body[n] = '\0';
}

/* First byte: which packet, or 0xf0 and up: something else. */
static void step(struct play *p)
{
	char body[256], bytes[300];
	uint8_t op = next(p);
	size_t len;

	if (op >= 0xf0) {
		switch (op & 7) {
		case 0:
			put(p, "\x03", 1);
			break;
		case 1:
			hang_up(p);
			break;
		case 2:
			swallow(p, next(p) % 8);
			break;
		case 3:
			put(p, "-", 1);
			break;
		case 4:
			usleep(100u * (next(p) % 16));
			break;
		default:
			put(p, "+", 1);
		}
		return;
	}
	if (p->fd < 0) {
		usleep(500); /* the one before is gone by now */
		dial(p);
	}
	make(p, packets[op % (sizeof(packets) / sizeof(packets[0]))], body, sizeof(body));
	len = frame(bytes, sizeof(bytes), body);
	if (op >= 0xe0) { /* a part of it, and the client is gone */
		put(p, bytes, next(p) % (len + 1));
		hang_up(p);
	} else if (put(p, bytes, len)) {
		p->sent++;
	}
	/* the server lets a client read to its end before it goes on */
	swallow(p, body[0] == 'D' || body[0] == 'k' || strncmp(body, "vK", 2) == 0 ? 20 : 0);
}

unsigned session_play(const uint8_t *data, size_t size)
{
	struct play p;

	begin(&p);
	p.data = data;
	p.size = size;
	while (p.size && !has_ended(&p))
		step(&p);
	finish(&p);
	return p.sent;
}

void session_cut(const char *text, size_t len)
{
	struct play p;

	begin(&p);
	dial(&p);
	put(&p, text, len);
	finish(&p);
}
