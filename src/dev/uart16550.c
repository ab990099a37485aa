/* See uart16550.h. Numbers: TI PC16550D data sheet (SNLS378), section 8, "Registers". */
#include "serial_in.h"
#include "uart16550.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

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
	struct serial_in in;
	bool line_raised; /* what host was told last */
	bool thre;        /* the interrupt for an empty transmitter is due */
	bool overrun;
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
};

static unsigned depth(const struct uart16550 *u)
{
	return u->fcr & FCR_ENABLE ? FIFO : 1;
}

/* What IIR says: the most urgent interrupt that is enabled and due. */
static unsigned pending(const struct uart16550 *u)
{
	static const uint8_t trigger[] = {1, 4, 8, 14};
	unsigned level = u->fcr & FCR_ENABLE ? trigger[u->fcr >> 6] : 1;

	if (u->ier & IER_LINE && u->overrun)
		return 6;
	if (u->ier & IER_RX && u->in.count)
		return u->in.count >= level ? IIR_RX : IIR_TIMEOUT; /* nothing else is coming: the time is always out */
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

/* A guest that has not yet asked for interrupts may poll; the first byte waits for it in the FIFO. */
static unsigned wanted(const struct uart16550 *u)
{
	return u->mcr & MCR_DTR && !(u->mcr & MCR_LOOP) ? serial_in_room(&u->in, depth(u)) : 0;
}

static void update(struct uart16550 *u)
{
	serial_in_watch(&u->in, wanted(u));
	update_line(u);
}

/* The loop's thread. */
static void input(void *ctx, unsigned revents)
{
	struct uart16550 *u = ctx;

	(void)revents;
	pthread_mutex_lock(&u->lock);
	serial_in_read(&u->in, wanted(u));
	update(u);
	pthread_mutex_unlock(&u->lock);
}

/* --- registers */

static void transmit(struct uart16550 *u, uint8_t byte)
{
	if (u->mcr & MCR_LOOP)
		u->overrun |= !serial_in_push(&u->in, depth(u), byte);
	else
		u->out.write(u->out.ctx, &byte, 1);
	u->thre = true; /* it is out already */
}

static void write_fcr(struct uart16550 *u, uint8_t v)
{
	if ((v ^ u->fcr) & FCR_ENABLE || v & FCR_CLEAR_RX)
		u->in.count = 0;
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
	uint8_t v = (uint8_t)(LSR_EMPTY | (u->in.count ? LSR_READY : 0) | (u->overrun ? LSR_OVERRUN : 0));

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
		return divisor ? u->dll : serial_in_pop(&u->in);
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
	update(u);
	pthread_mutex_unlock(&u->lock);
}

/* --- life */

static void reset(struct uart16550 *u)
{
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = u->dlm = 0;
	u->dll = 12; /* 9600 baud */
	u->in.count = 0;
	u->thre = u->overrun = false;
}

void uart16550_reset(struct uart16550 *u)
{
	pthread_mutex_lock(&u->lock);
	reset(u);
	update(u);
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
	u->in = (struct serial_in){.loop = host->loop, .fn = input, .ctx = u, .fd = in_fd};
	pthread_mutex_init(&u->lock, NULL);
	reset(u);
	*ret = u;
	return 0;
}

void uart16550_destroy(struct uart16550 *u)
{
	if (!u)
		return;
	serial_in_end(&u->in);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
