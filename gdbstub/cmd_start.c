/* Beginnings and ends: the extended protocol, by which a session outlives the guest; k D R vRun vAttach vKill, and what the
 * client sets before it runs the guest. */
#include "internal.h"

#include "hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- the end */

static void end_by_kill(struct gdbstub *s)
{
	s->running = false;
	s->over = !s->extended;
	s->gone = s->extended;
	if (s->ops->kill)
		s->ops->kill(s->ctx);
}

GDBSTUB_HANDLER(kill)
{
	(void)c; /* nothing to misunderstand; gdb wants no answer, lldb one */
	if (s->features & GDBSTUB_CLIENT_LLDB)
		gdbstub_reply(s, "X09");
	end_by_kill(s);
}

/* ;PID, where there is one process */
GDBSTUB_HANDLER(vkill)
{
	gdbstub_cur_expect(c, ';');
	gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	gdbstub_reply(s, "OK");
	end_by_kill(s);
}

GDBSTUB_HANDLER(detach)
{
	int ret;

	if (gdbstub_cur_accept(c, ';'))
		gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (s->ops->clear_points)
		s->ops->clear_points(s->ctx);
	ret = s->ops->detach ? s->ops->detach(s->ctx) : 0;
	if (ret < 0) {
		gdbstub_reply_error(s, ret, "the target cannot be let go");
		return;
	}
	gdbstub_reply(s, "OK");
	s->gone = s->extended;
	s->over = s->detached = !s->extended;
}

/* --- the beginning */

GDBSTUB_HANDLER(extended)
{
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	s->extended = true;
	gdbstub_reply(s, "OK");
}

/* Its first stop is the answer. The op may report before it returns. */
static int start(struct gdbstub *s, const char *file, const char *const *argv, size_t n, struct gdbstub_err *err)
{
	int ret;

	s->running = true;
	s->gone = false;
	ret = s->ops->start(s->ctx, file, argv, n, err);
	if (ret < 0) {
		s->running = false;
		s->gone = s->extended;
	}
	return ret;
}

/* No reply, and no stop either: the client asks why it is stopped. */
GDBSTUB_HANDLER(restart)
{
	struct gdbstub_err err = {0};

	(void)c;
	if (s->ops->start && s->extended && start(s, "", NULL, 0, &err) == 0)
		s->silent_start = true;
}

enum { ARGS_MAX = 1024 };

/* Decode what is left of the packet, texts in hex with ';' between them, into room. Returns their number. */
static size_t decode_texts(struct gdbstub_cur *c, char *room, const char **texts, size_t max)
{
	size_t n = 0;

	while (!c->bad && c->p < c->end) {
		struct gdbstub_cur one = gdbstub_cur_until(c, ';');
		size_t len = gdbstub_cur_left(&one) / 2;
		if (n == max) {
			c->bad = true;
			break;
		}
		gdbstub_cur_hex_text(&one, room, len + 1);
		c->bad = !gdbstub_cur_done(&one);
		texts[n++] = room;
		room += len + 1;
	}
	return n;
}

/* ;FILE[;ARGUMENT]..., each in hex */
GDBSTUB_HANDLER(vrun)
{
	const char **texts = calloc(ARGS_MAX + 1, sizeof(*texts));
	struct gdbstub_err err = {0};
	size_t n = 0;

	if (!texts) {
		gdbstub_reply_error(s, ENOMEM, "no memory");
		return;
	}
	gdbstub_cur_expect(c, ';');
	/* half as long as the digits, and a NUL where there was a ';' or the end: never longer than the packet */
	n = decode_texts(c, s->scratch, texts, ARGS_MAX);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
	} else {
		int ret = start(s, n ? texts[0] : "", texts + 1, n ? n - 1 : 0, &err);
		if (ret < 0)
			gdbstub_reply_op_error(s, ret, &err);
		else
			s->started = true;
	}
	free(texts);
}

/* ;PID: there is one guest, whatever its number */
GDBSTUB_HANDLER(vattach)
{
	gdbstub_cur_expect(c, ';');
	gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	s->gone = s->started = false;
	if (s->nonstop) /* the client stops what it wants to see */
		gdbstub_reply(s, s->ops->set_nonstop(s->ctx, true) < 0 ? "E01" : "OK");
	else
		gdbstub_tell_reason(s);
}

/* --- settings for it */

static void change_environment(struct gdbstub *s, struct gdbstub_cur *c, bool set)
{
	struct gdbstub_err err = {0};
	int ret;

	gdbstub_cur_expect(c, ':');
	gdbstub_cur_hex_text(c, s->scratch, GDBSTUB_PACKET_SIZE);
	if (!gdbstub_cur_done(c) || !s->scratch[0] || s->scratch[0] == '=' || !strchr(s->scratch, '=') == set) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = s->ops->environment(s->ctx, s->scratch, &err);
	if (ret < 0)
		gdbstub_reply_op_error(s, ret, &err);
	else
		gdbstub_reply(s, "OK");
}

GDBSTUB_HANDLER(env_set)
{
	change_environment(s, c, true);
}

GDBSTUB_HANDLER(env_unset)
{
	change_environment(s, c, false);
}

GDBSTUB_HANDLER(env_reset)
{
	struct gdbstub_err err = {0};
	int ret;

	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = s->ops->environment(s->ctx, NULL, &err);
	if (ret < 0)
		gdbstub_reply_op_error(s, ret, &err);
	else
		gdbstub_reply(s, "OK");
}

/* :PATH in hex; nothing: the one it had at first */
GDBSTUB_HANDLER(directory)
{
	struct gdbstub_err err = {0};
	int ret;

	gdbstub_cur_expect(c, ':');
	gdbstub_cur_hex_text(c, s->scratch, GDBSTUB_PACKET_SIZE);
	if (!gdbstub_cur_done(c)) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = s->ops->directory(s->ctx, s->scratch, &err);
	if (ret < 0)
		gdbstub_reply_op_error(s, ret, &err);
	else
		gdbstub_reply(s, "OK");
}

/* :0 or :1 of what makes no difference here: there is no shell; the image stays where it was put first; threads, being vCPUs,
 * neither come nor go. */
GDBSTUB_HANDLER(accept_switch)
{
	gdbstub_cur_expect(c, ':');
	gdbstub_cur_hex_max(c, 1);
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		gdbstub_reply(s, "OK");
}
