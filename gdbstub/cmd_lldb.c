/* What lldb asks beyond gdb's packets. Protocol: lldb's docs/lldb-gdb-remote.txt. A client that sent QThreadSuffixSupported
 * or QListThreadsInStopReply is lldb: its stop replies carry more, and its `k` is answered. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REG = 512 }; /* bytes; struct gdbstub_reg promises it */

/* --- settings */

static void setting(struct gdbstub *s, const struct gdbstub_cur *c, unsigned feature)
{
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	s->features |= feature;
	gdbstub_reply(s, "OK");
}

GDBSTUB_HANDLER(thread_suffix)
{
	setting(s, c, GDBSTUB_CLIENT_LLDB | GDBSTUB_CLIENT_THREAD_SUFFIX);
}

GDBSTUB_HANDLER(list_in_stop)
{
	setting(s, c, GDBSTUB_CLIENT_LLDB | GDBSTUB_CLIENT_LIST_THREADS);
}

GDBSTUB_HANDLER(error_strings)
{
	setting(s, c, GDBSTUB_CLIENT_ERROR_STRINGS);
}

/* "...;thread:N;" at a packet's end names the thread it is for. */
bool gdbstub_take_suffix(struct gdbstub *s, struct gdbstub_cur *c)
{
	static const char mark[] = ";thread:";
	enum { MARK = sizeof(mark) - 1, LONGEST = MARK + 17 };
	size_t left = gdbstub_cur_left(c), n = left < LONGEST ? left : LONGEST;

	for (const char *p = c->end - n; p + MARK < c->end; p++) {
		struct gdbstub_cur at = {p + MARK, c->end, false};
		if (memcmp(p, mark, MARK) != 0)
			continue;
		s->suffix_tid = gdbstub_cur_thread(&at);
		gdbstub_cur_accept(&at, ';');
		c->end = p;
		return gdbstub_cur_done(&at) && (s->suffix_tid <= 0 || gdbstub_thread_exists(s, s->suffix_tid));
	}
	return true;
}

/* --- the machine */

static void put_machine(struct gdbstub *s)
{
	const struct gdbstub_arch *a = s->arch;
	unsigned pointer = a->pc_reg < a->nregs ? a->regs[a->pc_reg].bits / 8 : 8;

	gdbstub_reply_fmt(s, "triple:");
	gdbstub_reply_hex(s, a->triple, strlen(a->triple));
	gdbstub_reply_fmt(s, ";ptrsize:%u;endian:little;ostype:unknown;", pointer);
}

GDBSTUB_HANDLER(host_info)
{
	if (!gdbstub_cur_done(c) || !s->arch->triple) {
		gdbstub_reply(s, "");
		return;
	}
	gdbstub_reply_begin(s);
	put_machine(s);
	/* before: lldb makes the access with a step of its own, then reads the value */
	gdbstub_reply_fmt(s, "watchpoint_exceptions_received:%s;default_packet_timeout:20;",
			  s->arch->watch_before ? "before" : "after");
	gdbstub_reply_end(s);
}

/* With no number lldb asks nothing of qHostInfo about watchpoints. It does not hold itself to it. */
GDBSTUB_HANDLER(watch_slots)
{
	gdbstub_cur_expect(c, ':');
	gdbstub_reply(s, gdbstub_cur_done(c) ? "num:4;" : "");
}

GDBSTUB_HANDLER(process_info)
{
	if (!gdbstub_cur_done(c) || !s->arch->triple) {
		gdbstub_reply(s, "");
		return;
	}
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "pid:1;parent-pid:0;");
	put_machine(s);
	gdbstub_reply_end(s);
}

/* Of the page of addr on, or of the hole. */
GDBSTUB_HANDLER(memory_region)
{
	struct gdbstub_region r = {0};
	struct gdbstub_err err = {0};
	int tid = gdbstub_general_thread(s), ret;
	uint64_t addr;

	if (gdbstub_cur_left(c) == 0) { /* is it supported? */
		gdbstub_reply(s, "OK");
		return;
	}
	gdbstub_cur_expect(c, ':');
	addr = gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = tid ? s->ops->mem_region(s->ctx, tid, addr, &r, &err) : -ESRCH;
	if (ret < 0) {
		gdbstub_reply_op_error(s, ret, &err);
		return;
	}
	gdbstub_reply_begin(s);
	/* lldb's last address is no part of any region: an end of 2^64 would be 0 to it */
	gdbstub_reply_fmt(s, "start:%llx;size:%llx;", (unsigned long long)r.start,
			  (unsigned long long)(r.end_incl - r.start + (r.end_incl != UINT64_MAX)));
	if (r.perms)
		gdbstub_reply_fmt(s, "permissions:%s%s%s;", r.perms & GDBSTUB_PERM_R ? "r" : "",
				  r.perms & GDBSTUB_PERM_W ? "w" : "", r.perms & GDBSTUB_PERM_X ? "x" : "");
	gdbstub_reply_end(s);
}

/* --- registers */

/* Only an lldb that cannot read the target description asks. One register each, to the first error. */
GDBSTUB_HANDLER(register_info)
{
	uint64_t reg = gdbstub_cur_hex(c);
	const struct gdbstub_reg *r;
	size_t offset = 0;
	bool vector;

	if (!gdbstub_cur_done(c) || reg >= s->arch->nregs) {
		gdbstub_reply(s, "E45");
		return;
	}
	r = &s->arch->regs[reg];
	for (unsigned i = 0; i < reg; i++)
		offset += s->arch->regs[i].bits / 8;
	vector = r->bits > 64;
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "name:%s;bitsize:%u;offset:%zu;encoding:%s;format:%s;set:%s;", r->name, r->bits, offset,
			  vector ? "vector" : "uint", vector ? "vector-uint8" : "hex", r->group ? r->group : r->feature);
	if (r->dwarf > 0)
		gdbstub_reply_fmt(s, "ehframe:%d;dwarf:%d;", r->dwarf - 1, r->dwarf - 1);
	if (r->generic)
		gdbstub_reply_fmt(s, "generic:%s;", r->generic);
	gdbstub_reply_end(s);
}

/* A register as hex digits, "" if it has no value now. */
static void reg_text(struct gdbstub *s, int tid, unsigned reg, char text[2 * MAX_REG + 1])
{
	struct gdbstub_err err = {0};
	char value[MAX_REG] = {0};
	size_t n = reg < s->arch->nregs ? s->arch->regs[reg].bits / 8 : 0;

	if (n == 0 || n > MAX_REG || !s->ops->read_reg || s->ops->read_reg(s->ctx, tid, reg, value, &err) < 0)
		n = 0;
	gdbstub_hex_encode(text, value, n);
	text[2 * n] = '\0';
}

/* What a called function may change: the registers of the g packet. A value is one byte "there is one" and its bytes. */
GDBSTUB_HANDLER(save_regs)
{
	int tid = gdbstub_general_thread(s);
	struct gdbstub_buf *to;

	if (!gdbstub_cur_done(c) || tid == 0) {
		gdbstub_reply_malformed(s);
		return;
	}
	to = &s->saved[++s->saved_id % GDBSTUB_SAVED]; /* lldb forgets some: the oldest goes */
	to->len = 0;
	for (unsigned i = 0; i < s->arch->ng; i++) {
		struct gdbstub_err err = {0};
		char value[1 + MAX_REG] = {0};
		value[0] = s->ops->read_reg(s->ctx, tid, i, value + 1, &err) == 0;
		gdbstub_buf_add(to, value, 1 + s->arch->regs[i].bits / 8);
	}
	if (to->failed) {
		gdbstub_reply_error(s, ENOMEM, "no memory");
		return;
	}
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "%u", s->saved_id);
	gdbstub_reply_end(s);
}

static int restore(struct gdbstub *s, int tid, const struct gdbstub_buf *from, struct gdbstub_err *err)
{
	const char *p = from->data, *end = from->data + from->len;

	for (unsigned i = 0; i < s->arch->ng; i++) {
		size_t n = s->arch->regs[i].bits / 8;
		int ret;
		if ((size_t)(end - p) < 1 + n) /* described anew since */
			return -ESTALE;
		ret = *p && !s->arch->regs[i].readonly ? s->ops->write_reg(s->ctx, tid, i, p + 1, err) : 0;
		if (ret < 0 && ret != -ENODATA)
			return ret;
		p += 1 + n;
	}
	return 0;
}

GDBSTUB_HANDLER(restore_regs)
{
	struct gdbstub_err err = {0};
	int tid = gdbstub_general_thread(s), ret;
	struct gdbstub_buf *from;
	unsigned id = 0;

	gdbstub_cur_expect(c, ':');
	if (gdbstub_cur_left(c) == 0 || gdbstub_cur_left(c) > 9)
		c->bad = true;
	for (; c->p < c->end && !c->bad; c->p++) { /* decimal, as it was given out */
		c->bad = *c->p < '0' || *c->p > '9';
		id = id * 10 + (unsigned)(*c->p - '0');
	}
	from = &s->saved[id % GDBSTUB_SAVED];
	if (!gdbstub_cur_done(c) || tid == 0) {
		gdbstub_reply_malformed(s);
	} else if (id == 0 || id > s->saved_id || s->saved_id - id >= GDBSTUB_SAVED || from->len == 0) {
		gdbstub_reply_error(s, ENOENT, "no registers are saved as %u", id);
	} else if ((ret = restore(s, tid, from, &err)) < 0) {
		gdbstub_reply_op_error(s, ret, &err);
	} else {
		from->len = 0;
		gdbstub_reply(s, "OK");
	}
}

/* --- threads and why they stopped */

/* lldb's word for a reason, where its own guess by signal and pc would not do. */
static const char *reason(const struct gdbstub_stop *stop)
{
	return stop->kind == GDBSTUB_STOP_SWBREAK || stop->kind == GDBSTUB_STOP_HWBREAK ? "breakpoint" : "";
}

void gdbstub_lldb_stop(struct gdbstub *s, const struct gdbstub_stop *stop)
{
	size_t n = gdbstub_threads(s);
	char text[2 * MAX_REG + 1];

	if (s->features & GDBSTUB_CLIENT_LLDB && reason(stop)[0])
		gdbstub_reply_fmt(s, "reason:%s;", reason(stop));
	if (!(s->features & GDBSTUB_CLIENT_LIST_THREADS))
		return;
	for (size_t i = 0; i < n; i++)
		gdbstub_reply_fmt(s, "%s%x", i ? "," : "threads:", (unsigned)s->tids[i]);
	gdbstub_reply_fmt(s, ";");
	for (size_t i = 0; i < n; i++) {
		uint8_t value[8] = {0};
		uint64_t pc = 0;
		reg_text(s, s->tids[i], s->arch->pc_reg, text);
		if (strlen(text) <= 16)
			gdbstub_hex_decode(value, text, strlen(text));
		for (unsigned k = 8; k-- > 0;)
			pc = pc << 8 | value[k];
		gdbstub_reply_fmt(s, "%s%llx", i ? "," : "thread-pcs:", (unsigned long long)pc);
	}
	gdbstub_reply_fmt(s, ";");
}

/* The stop of one thread: the last one if that was its own, else none. */
static struct gdbstub_stop stop_of(struct gdbstub *s, int tid)
{
	struct gdbstub_stop stop = {.kind = GDBSTUB_STOP_SIGNAL};

	if (s->ops->stop_reason && (s->ops->stop_reason(s->ctx, &stop) < 0 || stop.tid != tid))
		stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_SIGNAL};
	stop.tid = tid;
	return stop;
}

GDBSTUB_HANDLER(thread_stop)
{
	int tid = gdbstub_cur_thread(c);
	struct gdbstub_stop stop;
	int selected = s->g_tid;

	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (tid <= 0 || !gdbstub_thread_exists(s, tid)) {
		gdbstub_reply_error(s, ESRCH, "there is no thread %d", tid);
		return;
	}
	stop = stop_of(s, tid);
	gdbstub_send_stop(s, &stop);
	s->g_tid = selected;
}

static void json_text(struct gdbstub_buf *b, const char *text)
{
	gdbstub_buf_str(b, "\"");
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			gdbstub_buf_fmt(b, "\\%c", *text);
		else
			gdbstub_buf_fmt(b, "%c", *text >= ' ' && *text <= '~' ? *text : '?');
	gdbstub_buf_str(b, "\"");
}

static void json_thread(struct gdbstub *s, struct gdbstub_buf *b, int tid)
{
	const unsigned regs[] = {s->arch->pc_reg, s->arch->sp_reg, s->arch->fp_reg};
	struct gdbstub_stop stop = stop_of(s, tid);
	char text[2 * MAX_REG + 1], name[256];
	unsigned told = 0;

	gdbstub_describe_thread(s, tid, name, sizeof(name));
	if (strstr(name, " (")) /* its state: lldb shows that itself */
		*strstr(name, " (") = '\0';
	gdbstub_buf_fmt(b, "{\"tid\":%d,\"name\":", tid);
	json_text(b, name);
	if (stop.signal)
		gdbstub_buf_fmt(b, ",\"signal\":%d", stop.signal);
	if (reason(&stop)[0])
		gdbstub_buf_fmt(b, ",\"reason\":\"%s\"", reason(&stop));
	if (stop.kind == GDBSTUB_STOP_WATCH || stop.kind == GDBSTUB_STOP_RWATCH || stop.kind == GDBSTUB_STOP_AWATCH) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)stop.addr);
		gdbstub_buf_fmt(b, ",\"reason\":\"watchpoint\",\"description\":\"%s\"", text);
	}
	gdbstub_buf_str(b, ",\"registers\":{");
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		reg_text(s, tid, regs[i], text);
		if (text[0] && (i == 0 || regs[i] != regs[i - 1]))
			gdbstub_buf_fmt(b, "%s\"%u\":\"%s\"", told++ ? "," : "", regs[i], text);
	}
	gdbstub_buf_str(b, "}}");
}

GDBSTUB_HANDLER(threads_json)
{
	struct gdbstub_buf b = {0};
	size_t n = gdbstub_threads(s);

	if (!gdbstub_cur_done(c)) {
		gdbstub_reply(s, "");
		return;
	}
	gdbstub_buf_str(&b, "[");
	for (size_t i = 0; i < n; i++) {
		int tid = s->tids[i];
		gdbstub_buf_str(&b, i ? "," : "");
		json_thread(s, &b, tid);
	}
	gdbstub_buf_str(&b, "]");
	if (b.failed || b.len > GDBSTUB_PACKET_SIZE / 2) { /* lldb does without */
		gdbstub_reply(s, "");
	} else {
		gdbstub_reply_begin(s);
		gdbstub_reply_binary(s, b.data, b.len);
		gdbstub_reply_end(s);
	}
	gdbstub_buf_free(&b);
}
