/* qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH: texts in pieces. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Texts the target serves, besides what we write ourselves. */
static const char *const objects[] = {"memory-map", "exec-file", "libraries", "auxv", "osdata", "siginfo", "traceframe-info"};

static int get_object(struct gdbstub *s, int tid, const char *object, const char *annex, const void **data, size_t *len)
{
	return s->ops->object ? s->ops->object(s->ctx, tid, object, annex, data, len) : -EOPNOTSUPP;
}

void gdbstub_announce_objects(struct gdbstub *s)
{
	const void *data;
	size_t len;

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (get_object(s, 0, objects[i], "", &data, &len) != -EOPNOTSUPP)
			gdbstub_reply_fmt(s, ";qXfer:%s:read+", objects[i]);
}

static int build_threads(struct gdbstub *s)
{
	struct gdbstub_buf *b = &s->xfer;
	size_t n = gdbstub_threads(s);
	char text[256];

	b->len = 0;
	gdbstub_buf_str(b, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (size_t i = 0; i < n; i++) {
		gdbstub_describe_thread(s, s->tids[i], text, sizeof(text));
		int core = s->ops->thread_core ? s->ops->thread_core(s->ctx, s->tids[i]) : (int)i;
		gdbstub_buf_fmt(b, "<thread id=\"%x\"", (unsigned)s->tids[i]);
		if (core >= 0)
			gdbstub_buf_fmt(b, " core=\"%d\"", core);
		gdbstub_buf_str(b, ">");
		gdbstub_buf_xml(b, text);
		gdbstub_buf_str(b, "</thread>\n");
	}
	gdbstub_buf_str(b, "</threads>\n");
	return b->failed ? -ENOMEM : 0;
}

static int xfer_features(struct gdbstub *s, const char *annex, uint64_t off, const void **data, size_t *len)
{
	if (strcmp(annex, "target.xml") != 0)
		return -ENOENT;
	if (off == 0 && s->ops->redescribe) {
		s->ops->redescribe(s->ctx);
		free(s->xml);
		s->xml = NULL;
	}
	if (!s->xml)
		s->xml = gdbstub_target_xml(s->arch);
	if (!s->xml)
		return -ENOMEM;
	*data = s->xml;
	*len = strlen(s->xml);
	return 0;
}

/* One client reads it from its start in pieces; they must fit together while threads change what they do. */
static int xfer_threads(struct gdbstub *s, uint64_t off, const void **data, size_t *len)
{
	if (off == 0 && build_threads(s) < 0)
		return -ENOMEM;
	*data = s->xfer.data ? s->xfer.data : "";
	*len = s->xfer.len;
	return 0;
}

static int xfer_find(struct gdbstub *s, const char *object, const char *annex, uint64_t off, const void **data, size_t *len)
{
	if (strcmp(object, "features") == 0)
		return xfer_features(s, annex, off, data, len);
	if (strcmp(object, "threads") == 0)
		return xfer_threads(s, off, data, len);
	/* lldb would take each stop for one of its user's */
	if (strcmp(object, "libraries") == 0 && s->features & GDBSTUB_CLIENT_LLDB)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (strcmp(object, objects[i]) == 0)
			return get_object(s, gdbstub_general_thread(s), object, annex, data, len);
	return -EOPNOTSUPP;
}

static void copy_text(struct gdbstub_cur *from, char *out, size_t size)
{
	size_t n = gdbstub_cur_left(from);

	if (n >= size || memchr(from->p, '\0', n))
		from->bad = true;
	else
		memcpy(out, from->p, n);
	out[from->bad ? 0 : n] = '\0';
}

GDBSTUB_HANDLER(xfer)
{
	struct gdbstub_cur object, op, annex;
	char name[32], which[256];
	const void *data = NULL;
	uint64_t off, want;
	size_t len = 0;
	int ret;

	gdbstub_cur_expect(c, ':');
	object = gdbstub_cur_until(c, ':');
	op = gdbstub_cur_until(c, ':');
	annex = gdbstub_cur_until(c, ':');
	copy_text(&object, name, sizeof(name));
	copy_text(&annex, which, sizeof(which));
	off = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	want = gdbstub_cur_hex(c);
	if (object.bad || !gdbstub_cur_is(&op, "read")) {
		gdbstub_reply(s, "");
		return;
	}
	if (!gdbstub_cur_done(c) || annex.bad || want == 0) {
		gdbstub_reply_malformed(s);
		return;
	}
	ret = xfer_find(s, name, which, off, &data, &len);
	if (ret == -EOPNOTSUPP)
		gdbstub_reply(s, "");
	else if (ret < 0)
		gdbstub_reply_error(s, ret, "%s: %s", name, strerror(-ret));
	else
		gdbstub_reply_xfer(s, data, len, off, want);
}
