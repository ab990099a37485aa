/* See pl011.h. Numbers: PrimeCell UART (PL011) Technical Reference Manual, ARM DDI 0183, chapter 3. */
#include "pl011.h"
#include "serial_in.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	DR = 0x00,
	RSR = 0x04,
	FR = 0x18,
	ILPR = 0x20,
	IBRD = 0x24,
	FBRD = 0x28,
	LCR_H = 0x2c,
	CR = 0x30,
	IFLS = 0x34,
	IMSC = 0x38,
	RIS = 0x3c,
	MIS = 0x40,
	ICR = 0x44,
	DMACR = 0x48,
	ID = 0xfe0,
};
enum { FR_RXFE = 0x10, FR_RXFF = 0x40, FR_TXFE = 0x80 };
enum { CR_UARTEN = 1 << 0, CR_LBE = 1 << 7, CR_RXE = 1 << 9, CR_RESET = 0x300 };
enum { LCR_FEN = 1 << 4 };
enum { INT_RX = 1 << 4, INT_TX = 1 << 5, INT_RT = 1 << 6, INT_ALL = 0x7ff };
enum { FIFO = 32 };

static const uint8_t ids[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

struct gyve_pl011 {
	const struct gyve_dev_host *host;
	struct gyve_sink out;
	pthread_mutex_t lock;
	unsigned line;
	struct serial_in in;
	bool line_raised; /* what host was told last */
	uint32_t ilpr, ibrd, fbrd, lcr, cr, ifls, imsc, dmacr;
	uint32_t latched; /* interrupts that stay until ICR */
};

static unsigned depth(const struct gyve_pl011 *p)
{
	return p->lcr & LCR_FEN ? FIFO : 1;
}

/* Received bytes keep both of their interrupts up until they are read: a guest that only clears them is told again. */
static uint32_t raw_status(const struct gyve_pl011 *p)
{
	return p->latched | (p->in.count ? INT_RX | INT_RT : 0);
}

static void update_line(struct gyve_pl011 *p)
{
	bool level = raw_status(p) & p->imsc;

	if (level != p->line_raised)
		p->host->irq(p->host->ctx, p->line, level);
	p->line_raised = level;
}

/* --- input */

static unsigned wanted(const struct gyve_pl011 *p)
{
	return p->cr & CR_UARTEN && p->cr & CR_RXE && !(p->cr & CR_LBE) ? serial_in_room(&p->in, depth(p)) : 0;
}

static void update(struct gyve_pl011 *p)
{
	serial_in_watch(&p->in, wanted(p));
	update_line(p);
}

/* The loop's thread. */
static void input(void *ctx, unsigned revents)
{
	struct gyve_pl011 *p = ctx;

	(void)revents;
	pthread_mutex_lock(&p->lock);
	serial_in_read(&p->in, wanted(p));
	update(p);
	pthread_mutex_unlock(&p->lock);
}

/* --- registers */

static void transmit(struct gyve_pl011 *p, uint8_t byte)
{
	if (p->cr & CR_LBE)
		serial_in_push(&p->in, depth(p), byte);
	else
		p->out.write(p->out.ctx, &byte, 1); /* enabled or not: early consoles don't always ask */
	p->latched |= INT_TX;                       /* it is out already */
}

static void write_reg(struct gyve_pl011 *p, uint64_t offset, uint32_t v)
{
	switch (offset) {
	case DR:
		transmit(p, (uint8_t)v);
		break;
	case ILPR:
		p->ilpr = v & 0xff;
		break;
	case IBRD:
		p->ibrd = v & 0xffff;
		break;
	case FBRD:
		p->fbrd = v & 0x3f;
		break;
	case LCR_H:
		if ((v ^ p->lcr) & LCR_FEN)
			p->in.count = 0;
		p->lcr = v & 0xff;
		break;
	case CR:
		p->cr = v & 0xff87;
		break;
	case IFLS:
		p->ifls = v & 0x3f;
		break;
	case IMSC:
		p->imsc = v & INT_ALL;
		break;
	case ICR:
		p->latched &= ~v;
		break;
	case DMACR:
		p->dmacr = v & 7;
		break;
	}
}

static uint32_t read_reg(struct gyve_pl011 *p, uint64_t offset)
{
	switch (offset) {
	case DR:
		return serial_in_pop(&p->in);
	case FR:
		return FR_TXFE | (p->in.count ? 0 : FR_RXFE) | (serial_in_room(&p->in, depth(p)) ? 0 : FR_RXFF);
	case ILPR:
		return p->ilpr;
	case IBRD:
		return p->ibrd;
	case FBRD:
		return p->fbrd;
	case LCR_H:
		return p->lcr;
	case CR:
		return p->cr;
	case IFLS:
		return p->ifls;
	case IMSC:
		return p->imsc;
	case RIS:
		return raw_status(p);
	case MIS:
		return raw_status(p) & p->imsc;
	case DMACR:
		return p->dmacr;
	}
	if (offset >= ID && offset < ID + 4 * sizeof(ids) && !(offset & 3))
		return ids[(offset - ID) / 4];
	return 0;
}

void gyve_pl011_access(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	struct gyve_pl011 *p = dev;
	uint64_t v = 0;

	if (len > sizeof(v))
		return;
	pthread_mutex_lock(&p->lock);
	if (write) {
		memcpy(&v, data, len);
		write_reg(p, offset, (uint32_t)v);
	} else {
		v = read_reg(p, offset);
		memcpy(data, &v, len);
	}
	update(p);
	pthread_mutex_unlock(&p->lock);
}

/* --- life */

static void reset(struct gyve_pl011 *p)
{
	p->ilpr = p->ibrd = p->fbrd = p->lcr = p->imsc = p->dmacr = p->latched = 0;
	p->cr = CR_RESET;
	p->ifls = 0x12;
	p->in.count = 0;
}

void gyve_pl011_reset(struct gyve_pl011 *p)
{
	pthread_mutex_lock(&p->lock);
	reset(p);
	update(p);
	pthread_mutex_unlock(&p->lock);
}

int gyve_pl011_create(struct gyve_pl011 **ret, const struct gyve_dev_host *host, unsigned line, const struct gyve_sink *out,
		      int in_fd)
{
	struct gyve_pl011 *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->host = host;
	p->line = line;
	p->out = *out;
	p->in = (struct serial_in){.loop = host->loop, .fn = input, .ctx = p, .fd = in_fd};
	pthread_mutex_init(&p->lock, NULL);
	reset(p);
	*ret = p;
	return 0;
}

void gyve_pl011_destroy(struct gyve_pl011 *p)
{
	if (!p)
		return;
	serial_in_end(&p->in);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
