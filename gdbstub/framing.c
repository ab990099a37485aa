/* Bytes to packets: $...#cc, acknowledgements, escapes, run lengths, ^C. Knows no packet's meaning. */
#include "internal.h"

#include "hex.h"

#include <errno.h>

static void begin(struct gdbstub_frame *f)
{
	f->state = FRAME_BODY;
	f->len = 0;
	f->sum = 0;
	f->last = -1;
	f->escaped = f->malformed = f->oversize = false;
}

static void store(struct gdbstub_frame *f, char c)
{
	if (!f->escaped && c == '}') {
		f->escaped = true;
		return;
	}
	if (f->escaped)
		c ^= 0x20;
	f->escaped = false;
	if (f->len == GDBSTUB_PACKET_SIZE)
		f->oversize = true;
	else
		f->data[f->len++] = c;
}

/* c is the count after a '*' */
static void repeat(struct gdbstub_frame *f, char c)
{
	f->state = FRAME_BODY;
	if (f->last < 0 || c < ' ' || c > '~') {
		f->malformed = true;
		return;
	}
	for (int n = c - 29; n > 0; n--)
		store(f, (char)f->last);
	f->last = -1; /* a second '*' has nothing to repeat */
}

static void body_byte(struct gdbstub_frame *f, char c)
{
	if (c == '$') { /* never inside a packet: the client began anew */
		begin(f);
		return;
	}
	if (c == '#') {
		if (f->escaped || f->state == FRAME_COUNT)
			f->malformed = true;
		f->state = FRAME_SUM_HIGH;
		return;
	}
	f->sum = (uint8_t)(f->sum + (uint8_t)c);
	if (f->state == FRAME_COUNT) {
		repeat(f, c);
	} else if (c == '*' && !f->escaped) {
		f->state = FRAME_COUNT;
	} else {
		store(f, c);
		f->last = (uint8_t)c;
	}
}

/* The whole packet is here. Whatever its state, the client gets an answer: it waits for one. */
static void finish(struct gdbstub *s, char low)
{
	struct gdbstub_frame *f = &s->in;
	int high = gdbstub_hex_digit(f->high), lo = gdbstub_hex_digit(low);
	bool intact = high >= 0 && lo >= 0 && (high << 4 | lo) == f->sum;

	f->state = FRAME_IDLE;
	if (!s->no_ack)
		gdbstub_out_char(s, intact ? '+' : '-');
	if (!intact) {
		/* without acknowledgements nobody sends it again */
		if (s->no_ack)
			gdbstub_reply_error(s, EBADMSG, "the packet's checksum is wrong");
	} else if (f->oversize) {
		gdbstub_reply_error(s, EMSGSIZE, "the packet is longer than %d bytes", GDBSTUB_PACKET_SIZE);
	} else if (f->malformed) {
		gdbstub_reply_malformed(s);
	} else {
		if (s->trace)
			s->trace(s->trace_ctx, '<', f->data, f->len);
		gdbstub_dispatch(s, f->data, f->len);
	}
}

static void idle_byte(struct gdbstub *s, char c)
{
	switch (c) {
	case '$':
		begin(&s->in);
		break;
	case '+':
		s->last.len = 0;
		break;
	case '-':
		if (!s->no_ack && s->last.len)
			gdbstub_buf_add(&s->out, s->last.data, s->last.len);
		break;
	case '\x03':
		if ((s->running || (s->nonstop && !s->gone)) && s->ops->interrupt)
			s->ops->interrupt(s->ctx);
		break;
	}
}

void gdbstub_frame_byte(struct gdbstub *s, char c)
{
	switch (s->in.state) {
	case FRAME_IDLE:
		idle_byte(s, c);
		break;
	case FRAME_BODY:
	case FRAME_COUNT:
		body_byte(&s->in, c);
		break;
	case FRAME_SUM_HIGH:
		if (c == '$') {
			begin(&s->in);
			break;
		}
		s->in.high = c;
		s->in.state = FRAME_SUM_LOW;
		break;
	case FRAME_SUM_LOW:
		finish(s, c);
		break;
	}
}
