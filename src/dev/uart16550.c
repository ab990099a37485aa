/* See uart16550.h. Numbers: TI PC16550D data sheet (SNLS378), section 8, "Registers". */
#include "uart16550.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR }; /* FCR is written where IIR is read */
enum { IER_RX = 1, IER_THRE = 2, IER_LINE = 4 };
enum { IIR_NONE = 1, IIR_THRE = 2, IIR_RX = 4, IIR_TIMEOUT = 12, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 0x10 };
enum { LSR_READY = 1, LSR_OVERRUN = 2, LSR_EMPTY = 0x60 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };
enum { FIFO = 16 };

struct uart16550 {
	const struct gyve_dev_host *host;
	struct gyve_sink out;
	pthread_mutex_t lock;
	unsigned line;
	int in_fd;        /* -1: none, or it has ended */
	bool watched;     /* the loop waits for in_fd */
	bool line_raised; /* what host was told last */
	bool thre;        /* the interrupt for an empty transmitter is due */
	bool overrun;
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t fifo[FIFO];
	unsigned head, count;
};

static unsigned room(const struct uart16550 *u)
{
	unsigned depth = u->fcr & FCR_ENABLE ? FIFO : 1;

	return u->count < depth ? depth - u->count : 0;
}

static void push(struct uart16550 *u, uint8_t byte)
{
	if (room(u))
		u->fifo[(u->head + u->count++) % FIFO] = byte;
	else
		u->overrun = true;
}

static uint8_t pop(struct uart16550 *u)
{
	uint8_t byte = u->count ? u->fifo[u->head] : 0;

	if (u->count) {
		u->head = (u->head + 1) % FIFO;
		u->count--;
	}
	return byte;
}

/* What IIR says: the most urgent interrupt that is enabled and due. */
static unsigned pending(const struct uart16550 *u)
{
	static const uint8_t trigger[] = {1, 4, 8, 14};
	unsigned level = u->fcr & FCR_ENABLE ? trigger[u->fcr >> 6] : 1;

	if (u->ier & IER_LINE && u->overrun)
		return 6;
	if (u->ier & IER_RX && u->count)
		return u->count >= level ? IIR_RX : IIR_TIMEOUT; /* nothing else is coming: the time is always out */
	if (u->ier & IER_THRE && u->thre)
		return IIR_THRE;
	return IIR_NONE;
}

/* On a PC, OUT2 lets the interrupt through. */
static void update_line(struct uart16550 *u)
{
	bool level = pending(u) != IIR_NONE && u->mcr & MCR_OUT2 && !(u->mcr & MCR_LOOP);

	if (level != u->line_raised)
		u->host->irq(u->host->ctx, u->line, level);
	u->line_raised = level;
}

/* --- input */

static void input(void *ctx, unsigned revents);

/* A guest that has not yet asked for interrupts may poll; the first byte waits for it in the FIFO. */
static bool wants_input(const struct uart16550 *u)
{
	return u->in_fd >= 0 && u->mcr & MCR_DTR && !(u->mcr & MCR_LOOP) && room(u);
}

static void update_watch(struct uart16550 *u)
{
	bool want = wants_input(u);

	if (want != u->watched && u->host->loop)
		gyve_loop_watch(u->host->loop, u->in_fd, want ? POLLIN : 0, input, u);
	u->watched = want;
}

/* The loop's thread. */
static void input(void *ctx, unsigned revents)
{
	struct uart16550 *u = ctx;
	uint8_t buf[FIFO];

	(void)revents;
	pthread_mutex_lock(&u->lock);
	ssize_t n = wants_input(u) ? read(u->in_fd, buf, room(u)) : -1;
	for (ssize_t i = 0; i < n; i++)
		push(u, buf[i]);
	if (n == 0) { /* nobody types any more */
		gyve_loop_unwatch(u->host->loop, u->in_fd);
		u->in_fd = -1;
		u->watched = false;
	}
	update_watch(u);
	update_line(u);
	pthread_mutex_unlock(&u->lock);
}

/* --- registers */

static void transmit(struct uart16550 *u, uint8_t byte)
{
	if (u->mcr & MCR_LOOP)
		push(u, byte);
	else
		u->out.write(u->out.ctx, &byte, 1);
	u->thre = true; /* it is out already */
}

static void write_fcr(struct uart16550 *u, uint8_t v)
{
	if ((v ^ u->fcr) & FCR_ENABLE || v & FCR_CLEAR_RX)
		u->count = 0;
	u->fcr = v & (FCR_ENABLE | 0xc0);
}

static void write_reg(struct uart16550 *u, unsigned reg, uint8_t v)
{
	bool divisor = u->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		if (divisor)
			u->dll = v;
		else
			transmit(u, v);
		break;
	case IER:
		if (divisor) {
			u->dlm = v;
			break;
		}
		if (v & ~u->ier & IER_THRE)
			u->thre = true;
		u->ier = v & 0xf;
		break;
	case IIR:
		write_fcr(u, v);
		break;
	case LCR:
		u->lcr = v;
		break;
	case MCR:
		u->mcr = v & 0x1f;
		break;
	case SCR:
		u->scr = v;
		break;
	}
}

static uint8_t read_iir(struct uart16550 *u)
{
	unsigned id = pending(u);

	if (id == IIR_THRE)
		u->thre = false;
	return (uint8_t)(id | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint8_t read_lsr(struct uart16550 *u)
{
	uint8_t v = (uint8_t)(LSR_EMPTY | (u->count ? LSR_READY : 0) | (u->overrun ? LSR_OVERRUN : 0));

	u->overrun = false;
	return v;
}

/* In the loop the outputs come back as inputs; else somebody is there and ready. */
static uint8_t read_msr(const struct uart16550 *u)
{
	if (!(u->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

static uint8_t read_reg(struct uart16550 *u, unsigned reg)
{
	bool divisor = u->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		return divisor ? u->dll : pop(u);
	case IER:
		return divisor ? u->dlm : u->ier;
	case IIR:
		return read_iir(u);
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		return read_lsr(u);
	case MSR:
		return read_msr(u);
	default:
		return u->scr;
	}
}

void uart16550_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct uart16550 *u = dev;
	uint8_t *p = data;

	pthread_mutex_lock(&u->lock);
	for (unsigned i = 0; i < len; i++) { /* a wide access is one to each port */
		if (write)
			write_reg(u, (unsigned)(offset + i) & 7, p[i]);
		else
			p[i] = read_reg(u, (unsigned)(offset + i) & 7);
	}
	update_watch(u);
	update_line(u);
	pthread_mutex_unlock(&u->lock);
}

/* --- life */

static void reset(struct uart16550 *u)
{
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = u->dlm = 0;
	u->dll = 12; /* 9600 baud */
	u->count = 0;
	u->thre = u->overrun = false;
}

void uart16550_reset(struct uart16550 *u)
{
	pthread_mutex_lock(&u->lock);
	reset(u);
	update_watch(u);
	update_line(u);
	pthread_mutex_unlock(&u->lock);
}

int uart16550_create(struct uart16550 **ret, const struct gyve_dev_host *host, unsigned line, const struct gyve_sink *out,
		     int in_fd)
{
	struct uart16550 *u = calloc(1, sizeof(*u));

	if (!u)
		return -ENOMEM;
	u->host = host;
	u->line = line;
	u->out = *out;
	u->in_fd = in_fd;
	pthread_mutex_init(&u->lock, NULL);
	reset(u);
	*ret = u;
	return 0;
}

void uart16550_destroy(struct uart16550 *u)
{
	if (!u)
		return;
	if (u->in_fd >= 0 && u->host->loop)
		gyve_loop_unwatch(u->host->loop, u->in_fd);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
