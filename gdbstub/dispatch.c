/* THE packet table, argument cursors and replies. A packet is a row here and a function in a cmd_*.c. */
#include "internal.h"

#include <errno.h>
#include <string.h>

enum { ANYTIME = 1 }; /* also while the target runs */

/* The first row whose name begins the packet wins, so a longer name stands before its prefix. `next`: the characters of which
 * one must follow the name ("" : any or none; "$": nothing may follow). */
static const struct {
	const char *name, *next;
	handler *fn;
	unsigned flags;
} packets[] = {
	{"?", "$", cmd_why, ANYTIME},
	{"c", "", cmd_continue, 0},
	{"C", "", cmd_continue, 0},
	{"D", "", cmd_detach, ANYTIME},
	{"g", "$", cmd_read_regs, 0},
	{"G", "", cmd_write_regs, 0},
	{"H", "", cmd_set_thread, ANYTIME},
	{"k", "", cmd_kill, ANYTIME},
	{"m", "", cmd_read_mem, ANYTIME},
	{"M", "", cmd_write_mem, ANYTIME},
	{"p", "", cmd_read_reg, 0},
	{"P", "", cmd_write_reg, 0},
	{"qAttached", "", cmd_attached, ANYTIME},
	{"qC", "$", cmd_current_thread, ANYTIME},
	{"qfThreadInfo", "$", cmd_first_threads, ANYTIME},
	{"qsThreadInfo", "$", cmd_next_threads, ANYTIME},
	{"qOffsets", "$", cmd_offsets, ANYTIME},
	{"qqemu.PhyMemMode", "$", cmd_phys_mode, ANYTIME},
	{"Qqemu.PhyMemMode", ":", cmd_set_phys_mode, ANYTIME},
	{"qRcmd", ",", cmd_monitor, ANYTIME},
	{"QStartNoAckMode", "$", cmd_no_ack, ANYTIME},
	{"qSupported", "", cmd_supported, ANYTIME},
	{"qSymbol", ":", cmd_symbol, ANYTIME},
	{"qThreadExtraInfo", ",", cmd_thread_info, ANYTIME},
	{"qXfer", ":", cmd_xfer, ANYTIME},
	{"s", "", cmd_step, 0},
	{"S", "", cmd_step, 0},
	{"T", "", cmd_thread_alive, ANYTIME},
	{"vCont?", "$", cmd_vcont_query, ANYTIME},
	{"vCont", ";", cmd_vcont, 0},
	{"vCtrlC", "$", cmd_ctrl_c, ANYTIME},
	{"vFile:setfs", ":", cmd_file_setfs, ANYTIME},
	{"vFile:open", ":", cmd_file_open, ANYTIME},
	{"vFile:pread", ":", cmd_file_pread, ANYTIME},
	{"vFile:fstat", ":", cmd_file_fstat, ANYTIME},
	{"vFile:close", ":", cmd_file_close, ANYTIME},
	{"vKill", "", cmd_vkill, ANYTIME},
	{"x", "", cmd_read_binary, ANYTIME},
	{"X", "", cmd_write_binary, ANYTIME},
	{"z", "", cmd_remove, 0},
	{"Z", "", cmd_insert, 0},
};

static bool matches(size_t row, const struct gdbstub *s)
{
	size_t n = strlen(packets[row].name);
	const char *next = packets[row].next;

	if (s->packet_len < n || memcmp(s->packet, packets[row].name, n) != 0)
		return false;
	if (*next == '\0')
		return true;
	if (*next == '$')
		return s->packet_len == n;
	return s->packet_len > n && s->packet[n] == *next;
}

static void handle(struct gdbstub *s)
{
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		if (!matches(i, s))
			continue;
		struct cursor a = {s->packet + strlen(packets[i].name), s->packet + s->packet_len};
		if (*packets[i].next && *packets[i].next != '$')
			a.p++;
		if (s->running && !(packets[i].flags & ANYTIME))
			reply_error(s, EBUSY, NULL);
		else
			packets[i].fn(s, &a);
		return;
	}
	/* unknown: the empty reply */
}

void gdbstub_dispatch(struct gdbstub *s)
{
	if (s->trace)
		s->trace(s->trace_ctx, '<', s->packet, s->packet_len);
	s->reply.len = 0;
	s->quiet = s->binary = false;
	if (s->too_long)
		reply_error(s, E2BIG, NULL);
	else
		handle(s);
	if (!s->quiet)
		gdbstub_send(s, s->reply.data ? s->reply.data : "", s->reply.len, s->binary);
	if (s->no_ack_next)
		s->no_ack = true;
	s->no_ack_next = false;
}

/* --- cursors */

bool cursor_take(struct cursor *c, char ch)
{
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

bool cursor_take_text(struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	if (cursor_left(c) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

bool cursor_hex(struct cursor *c, uint64_t *ret)
{
	uint64_t v = 0;
	unsigned n = 0;
	int d;

	while (c->p < c->end && (d = gdbstub_hex_digit(*c->p)) >= 0) {
		if (v >> 60)
			return false;
		v = v << 4 | (unsigned)d;
		n++;
		c->p++;
	}
	if (n)
		*ret = v;
	return n > 0;
}

bool cursor_tid(struct cursor *c, int *ret)
{
	uint64_t v;

	if (cursor_take_text(c, "-1")) {
		*ret = -1;
		return true;
	}
	if (!cursor_hex(c, &v) || v > INT32_MAX)
		return false;
	*ret = (int)v;
	return true;
}

/* --- replies */

void reply_text(struct gdbstub *s, const char *text)
{
	gdbstub_buf_add(&s->reply, text, strlen(text));
}

void reply_hex(struct gdbstub *s, const void *p, size_t len)
{
	char *to = gdbstub_buf_room(&s->reply, 2 * len + 1);
	if (!to)
		return;
	gdbstub_hex_encode(to, p, len);
	s->reply.len += 2 * len;
}

void reply_error(struct gdbstub *s, int code, const struct gdbstub_err *err)
{
	if (code < 0)
		code = -code;
	s->reply.len = 0;
	s->binary = false;
	if (code == EOPNOTSUPP)
		return;
	if (s->error_text && err && err->text[0])
		gdbstub_buf_printf(&s->reply, "E.%.*s", (int)sizeof(err->text), err->text);
	else
		gdbstub_buf_printf(&s->reply, "E%02x", (unsigned)code > 0xff ? 0xffu : (unsigned)code);
}

void reply_result(struct gdbstub *s, int result, const struct gdbstub_err *err)
{
	if (result < 0)
		reply_error(s, result, err);
	else
		reply_text(s, "OK");
}

void reply_malformed(struct gdbstub *s)
{
	reply_error(s, EINVAL, NULL);
}
