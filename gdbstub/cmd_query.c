/* Queries and settings: q and Q, but for memory, registers and files. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what both sides can */

static void read_features(struct gdbstub *s, struct gdbstub_cur *c)
{
	static const struct {
		const char *text;
		unsigned bit;
	} known[] = {
		{"swbreak+", GDBSTUB_CLIENT_SWBREAK},
		{"hwbreak+", GDBSTUB_CLIENT_HWBREAK},
		{"error-message+", GDBSTUB_CLIENT_ERROR_MESSAGE},
	};

	while (c->p < c->end) {
		struct gdbstub_cur one = gdbstub_cur_until(c, ';');
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (gdbstub_cur_is(&one, known[i].text))
				s->features |= known[i].bit;
	}
}

GDBSTUB_HANDLER(supported)
{
	s->features = 0;
	if (gdbstub_cur_accept(c, ':'))
		read_features(s, c);
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s,
			  "PacketSize=%x;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+;error-message+;binary-upload+;"
			  "qXfer:features:read+;qXfer:threads:read+",
			  GDBSTUB_PACKET_SIZE);
	gdbstub_announce_objects(s);
	if (s->ops->set_conditions)
		gdbstub_reply_fmt(s, ";ConditionalBreakpoints+");
	if (s->ops->set_commands)
		gdbstub_reply_fmt(s, ";BreakpointCommands+");
	gdbstub_announce_tracing(s);
	if (s->ops->catch_calls)
		gdbstub_reply_fmt(s, ";QCatchSyscalls+");
	if (s->ops->start)
		gdbstub_reply_fmt(s, ";QStartupWithShell+;QDisableRandomization+");
	if (s->ops->environment)
		gdbstub_reply_fmt(s, ";QEnvironmentHexEncoded+;QEnvironmentUnset+;QEnvironmentReset+");
	if (s->ops->directory)
		gdbstub_reply_fmt(s, ";QSetWorkingDir+");
	gdbstub_reply_fmt(s, ";QThreadEvents+");
	if (s->ops->set_nonstop && s->ops->thread_stop)
		gdbstub_reply_fmt(s, ";QNonStop+");
	if (s->ops->set_phys_mode)
		gdbstub_reply_fmt(s, ";PhyMemMode+");
	gdbstub_reply_end(s);
}

GDBSTUB_HANDLER(no_ack)
{
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	gdbstub_reply(s, "OK"); /* the last one that is acknowledged */
	s->no_ack = true;
}

GDBSTUB_HANDLER(must_reply_empty)
{
	(void)c;
	gdbstub_reply(s, "");
}

/* The client offers to look symbols up; we need none. */
GDBSTUB_HANDLER(symbol)
{
	(void)c;
	gdbstub_reply(s, "OK");
}

/* The process was there before the client, unless that has started it. */
GDBSTUB_HANDLER(attached)
{
	if (gdbstub_cur_accept(c, ':'))
		gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		gdbstub_reply(s, s->started ? "0" : "1");
}

GDBSTUB_HANDLER(offsets)
{
	uint64_t bias = 0, segment = 0;
	int ret;

	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = s->ops->offsets(s->ctx, &bias, &segment);
	/* nowhere else: as stubs of whole machines that know no offsets, by which clients (pwndbg) tell them from those of a
	 * process */
	if (ret == -ENOENT || ret == -EOPNOTSUPP || (ret == 0 && !bias && !segment)) {
		gdbstub_reply(s, "");
	} else if (ret < 0) {
		gdbstub_reply_error(s, ret, "where the image lies is unknown");
	} else {
		unsigned long long b = bias;
		gdbstub_reply_begin(s);
		if (segment)
			gdbstub_reply_fmt(s, "TextSeg=%llx", (unsigned long long)segment);
		else
			gdbstub_reply_fmt(s, "Text=%llx;Data=%llx;Bss=%llx", b, b, b);
		gdbstub_reply_end(s);
	}
}

/* --- threads */

GDBSTUB_HANDLER(current_thread)
{
	int tid = gdbstub_general_thread(s);

	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
	} else if (tid == 0) {
		gdbstub_reply_error(s, ESRCH, "there is no thread");
	} else {
		gdbstub_reply_begin(s);
		gdbstub_reply_fmt(s, "QC%x", (unsigned)tid);
		gdbstub_reply_end(s);
	}
}

/* As many as go into one packet of modest size; the client asks again until 'l'. */
static void list_threads(struct gdbstub *s)
{
	enum { PER_PACKET = 256 };
	size_t n = gdbstub_threads(s), end;

	if (s->listed >= n) {
		gdbstub_reply(s, "l");
		return;
	}
	end = n - s->listed > PER_PACKET ? s->listed + PER_PACKET : n;
	gdbstub_reply_begin(s);
	for (char sep = 'm'; s->listed < end; s->listed++, sep = ',')
		gdbstub_reply_fmt(s, "%c%x", sep, (unsigned)s->tids[s->listed]);
	gdbstub_reply_end(s);
}

GDBSTUB_HANDLER(first_threads)
{
	(void)c;
	s->listed = 0;
	list_threads(s);
}

GDBSTUB_HANDLER(next_threads)
{
	(void)c;
	list_threads(s);
}

GDBSTUB_HANDLER(thread_info)
{
	char text[256];
	int tid;

	gdbstub_cur_expect(c, ',');
	tid = gdbstub_cur_thread(c);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (tid <= 0 || !gdbstub_thread_exists(s, tid)) {
		gdbstub_reply_error(s, ESRCH, "there is no thread %d", tid);
		return;
	}
	gdbstub_describe_thread(s, tid, text, sizeof(text));
	gdbstub_reply_begin(s);
	gdbstub_reply_hex(s, text, strlen(text));
	gdbstub_reply_end(s);
}

/* --- monitor */

/* A client that knows no E.text would only show a number: it gets the reason on its console. */
static void refuse_command(struct gdbstub *s, int code, const struct gdbstub_err *err)
{
	bool by_text = err->text[0] && !(s->features & GDBSTUB_CLIENT_ERROR_MESSAGE);

	if (by_text) {
		gdbstub_monitor_print(s, err->text, strnlen(err->text, sizeof(err->text)));
		gdbstub_monitor_print(s, "\n", 1);
	}
	gdbstub_console_flush(s);
	if (by_text)
		gdbstub_reply(s, "OK");
	else
		gdbstub_reply_op_error(s, code, err);
}

GDBSTUB_HANDLER(monitor)
{
	struct gdbstub_err err = {0};
	char command[1024];
	int ret;

	gdbstub_cur_expect(c, ',');
	gdbstub_cur_hex_text(c, command, sizeof(command));
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	s->in_monitor = true;
	ret = s->ops->monitor(s->ctx, s, command, &err);
	if (ret < 0) {
		refuse_command(s, ret, &err);
	} else {
		gdbstub_console_flush(s);
		gdbstub_reply(s, "OK");
	}
	s->in_monitor = false;
}
