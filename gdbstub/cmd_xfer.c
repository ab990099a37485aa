/* qXfer objects and vFile: texts and the image file in pieces. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH */

static void add_escaped(struct gdbstub_buf *b, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '&':
			gdbstub_buf_add(b, "&amp;", 5);
			break;
		case '<':
			gdbstub_buf_add(b, "&lt;", 4);
			break;
		case '"':
			gdbstub_buf_add(b, "&quot;", 6);
			break;
		default:
			gdbstub_buf_add(b, text, 1);
		}
}

static char *make_threads_xml(struct gdbstub *s)
{
	struct gdbstub_buf b = {0};
	int *tids;
	size_t n = all_tids(s, &tids);

	gdbstub_buf_printf(&b, "<?xml version=\"1.0\"?>\n<threads>\n");
	for (size_t i = 0; i < n; i++) {
		char text[256] = "";
		if (s->ops->thread_info)
			s->ops->thread_info(s->ctx, tids[i], text, sizeof(text));
		gdbstub_buf_printf(&b, "<thread id=\"%x\" core=\"%zu\">", (unsigned)tids[i], i);
		add_escaped(&b, text);
		gdbstub_buf_printf(&b, "</thread>\n");
	}
	gdbstub_buf_printf(&b, "</threads>\n");
	free(tids);
	if (b.failed) {
		free(b.data);
		return NULL;
	}
	return b.data;
}

static int own_object(struct gdbstub *s, const char *object, const char *annex, bool begin, const void **ret, size_t *len)
{
	char **text;

	if (strcmp(object, "features") == 0) {
		if (strcmp(annex, "target.xml") != 0)
			return -ENOENT;
		text = &s->xml;
		if (!*text)
			*text = gdbstub_target_xml(s->arch);
	} else if (strcmp(object, "threads") == 0) {
		if (*annex)
			return -ENOENT;
		text = &s->threads_xml;
		if (!*text || begin) {
			free(*text);
			*text = make_threads_xml(s);
		}
	} else {
		return -EOPNOTSUPP;
	}
	if (!*text)
		return -ENOMEM;
	*ret = *text;
	*len = strlen(*text);
	return 0;
}

static bool take_word(struct cursor *a, char *buf, size_t size)
{
	const char *colon = memchr(a->p, ':', cursor_left(a));
	size_t n = colon ? (size_t)(colon - a->p) : size;

	if (n >= size)
		return false;
	memcpy(buf, a->p, n);
	buf[n] = '\0';
	a->p = colon + 1;
	return strlen(buf) == n;
}

void cmd_xfer(struct gdbstub *s, struct cursor *a)
{
	char object[32], verb[8], annex[256];
	uint64_t off, want;
	const void *p;
	size_t len;

	if (!take_word(a, object, sizeof(object)) || !take_word(a, verb, sizeof(verb)))
		return;
	if (strcmp(verb, "read") != 0)
		return;
	if (!take_word(a, annex, sizeof(annex)) || !cursor_hex(a, &off) || !cursor_take(a, ',') || !cursor_hex(a, &want) ||
	    cursor_left(a)) {
		reply_malformed(s);
		return;
	}
	int r = own_object(s, object, annex, off == 0, &p, &len);
	if (r == -EOPNOTSUPP && s->ops->object)
		r = s->ops->object(s->ctx, object, annex, &p, &len);
	if (r < 0) {
		if (r == -ENOENT)
			reply_text(s, "E00"); /* the documented answer to a wrong annex */
		else
			reply_error(s, r, NULL);
		return;
	}
	if (off > len)
		off = len;
	size_t n = len - off < want ? len - (size_t)off : (size_t)want;
	if (n > GDBSTUB_PACKET_SIZE / 2 - 8) /* every byte may need an escape */
		n = GDBSTUB_PACKET_SIZE / 2 - 8;
	reply_text(s, off + n < len ? "m" : "l");
	gdbstub_buf_add(&s->reply, (const char *)p + off, n);
	s->binary = true;
}

/* --- vFile: GDB manual, "File-I/O Remote Protocol Extension" for the numbers */

static void file_error(struct gdbstub *s, int code)
{
	static const int known[] = {ENOENT, EACCES, EBADF, EINVAL, EMFILE, EIO, EPERM, EISDIR};
	int number = 9999;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == -code)
			number = -code; /* the same numbers as here */
	s->reply.len = 0;
	s->binary = false;
	gdbstub_buf_printf(&s->reply, "F-1,%x", (unsigned)number);
}

void cmd_file_setfs(struct gdbstub *s, struct cursor *a)
{
	(void)a;
	reply_text(s, "F0");
}

void cmd_file_open(struct gdbstub *s, struct cursor *a)
{
	const char *comma = memchr(a->p, ',', cursor_left(a));
	char path[4096];
	uint64_t flags;

	if (!s->ops->file_open)
		return;
	if (!comma || (size_t)(comma - a->p) / 2 >= sizeof(path)) {
		file_error(s, -EINVAL);
		return;
	}
	ssize_t n = gdbstub_hex_decode(path, a->p, (size_t)(comma - a->p));
	a->p = comma + 1;
	if (n < 0 || !cursor_hex(a, &flags) || memchr(path, 0, (size_t)n)) {
		file_error(s, -EINVAL);
		return;
	}
	path[n] = '\0';
	int fd = flags & 3 ? -EACCES : s->ops->file_open(s->ctx, path); /* read only */
	if (fd < 0)
		file_error(s, fd);
	else
		gdbstub_buf_printf(&s->reply, "F%x", (unsigned)fd);
}

void cmd_file_pread(struct gdbstub *s, struct cursor *a)
{
	uint64_t fd, want, off;
	char head[24];

	if (!s->ops->file_pread)
		return;
	if (!cursor_hex(a, &fd) || !cursor_take(a, ',') || !cursor_hex(a, &want) || !cursor_take(a, ',') ||
	    !cursor_hex(a, &off) || fd > INT32_MAX) {
		file_error(s, -EINVAL);
		return;
	}
	if (want > GDBSTUB_PACKET_SIZE / 2 - 32)
		want = GDBSTUB_PACKET_SIZE / 2 - 32;
	char *buf = malloc(want + 1);
	ssize_t n = buf ? s->ops->file_pread(s->ctx, (int)fd, buf, (size_t)want, off) : -ENOMEM;
	if (n < 0) {
		file_error(s, (int)n);
	} else {
		gdbstub_buf_add(&s->reply, head, (size_t)snprintf(head, sizeof(head), "F%zx;", (size_t)n));
		gdbstub_buf_add(&s->reply, buf, (size_t)n);
		s->binary = true;
	}
	free(buf);
}

static void put_be(uint8_t *p, uint64_t v, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		p[i] = (uint8_t)(v >> 8 * (len - 1 - i));
}

void cmd_file_fstat(struct gdbstub *s, struct cursor *a)
{
	/* struct stat of the protocol: mode is the third word, size begins at 28, block size at 36, blocks at 44 */
	uint8_t st[64] = {0};
	uint64_t fd;

	if (!s->ops->file_size)
		return;
	int64_t size = cursor_hex(a, &fd) && fd <= INT32_MAX ? s->ops->file_size(s->ctx, (int)fd) : -EINVAL;
	if (size < 0) {
		file_error(s, (int)size);
		return;
	}
	put_be(st + 8, 0100444, 4);
	put_be(st + 12, 1, 4);
	put_be(st + 28, (uint64_t)size, 8);
	put_be(st + 36, 512, 8);
	put_be(st + 44, ((uint64_t)size + 511) / 512, 8);
	reply_text(s, "F40;");
	gdbstub_buf_add(&s->reply, st, sizeof(st));
	s->binary = true;
}

void cmd_file_close(struct gdbstub *s, struct cursor *a)
{
	uint64_t fd;

	if (!s->ops->file_close)
		return;
	int r = cursor_hex(a, &fd) && fd <= INT32_MAX ? s->ops->file_close(s->ctx, (int)fd) : -EINVAL;
	if (r < 0)
		file_error(s, r);
	else
		reply_text(s, "F0");
}
