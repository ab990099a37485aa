/* vFile: the client reads the image we run, to find its symbols. Read only; which files is the target's decision. */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* F-1,ERRNO, in the File-I/O protocol's own numbers */
static void fail(struct gdbstub *s, int64_t ret)
{
	static const struct {
		int host;
		unsigned fileio;
	} map[] = {
		{EPERM, 1},   {ENOENT, 2},  {EINTR, 4},    {EBADF, 9},   {EACCES, 13},       {EFAULT, 14}, {EBUSY, 16},
		{EEXIST, 17}, {ENODEV, 19}, {ENOTDIR, 20}, {EISDIR, 21}, {EINVAL, 22},       {ENFILE, 23}, {EMFILE, 24},
		{EFBIG, 27},  {ENOSPC, 28}, {ESPIPE, 29},  {EROFS, 30},  {ENAMETOOLONG, 91},
	};
	unsigned code = 9999;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (ret == -map[i].host)
			code = map[i].fileio;
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "F-1,%x", code);
	gdbstub_reply_end(s);
}

static void result(struct gdbstub *s, uint64_t value)
{
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "F%llx", (unsigned long long)value);
	gdbstub_reply_end(s);
}

static void file_setfs(struct gdbstub *s, struct gdbstub_cur *c)
{
	gdbstub_cur_hex(c); /* every process sees the same files */
	if (!gdbstub_cur_done(c))
		fail(s, -EINVAL);
	else
		result(s, 0);
}

/* PATH,FLAGS,MODE */
static void file_open(struct gdbstub *s, struct gdbstub_cur *c)
{
	struct gdbstub_cur path = gdbstub_cur_until(c, ',');
	char name[PATH_MAX];
	uint64_t flags = gdbstub_cur_hex(c);
	int fd;

	gdbstub_cur_expect(c, ',');
	gdbstub_cur_hex(c);
	gdbstub_cur_hex_text(&path, name, sizeof(name));
	if (!gdbstub_cur_done(c) || path.bad) {
		fail(s, -EINVAL);
		return;
	}
	if (flags != 0) { /* O_RDONLY */
		fail(s, -EROFS);
		return;
	}
	fd = s->ops->file_open(s->ctx, name);
	if (fd < 0)
		fail(s, fd);
	else
		result(s, (uint64_t)fd);
}

/* FD,COUNT,OFFSET */
static void file_pread(struct gdbstub *s, struct gdbstub_cur *c)
{
	int fd = (int)gdbstub_cur_hex_max(c, INT_MAX);
	uint64_t len, off;
	size_t body, taken;
	ssize_t n;

	gdbstub_cur_expect(c, ',');
	len = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	off = gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c) || !s->ops->file_pread) {
		fail(s, -EINVAL);
		return;
	}
	if (len > GDBSTUB_PACKET_SIZE)
		len = GDBSTUB_PACKET_SIZE;
	n = s->ops->file_pread(s->ctx, fd, s->scratch, (size_t)len, off);
	if (n < 0 || (uint64_t)n > len) {
		fail(s, n < 0 ? n : -EIO);
		return;
	}
	/* how much goes in is known only after escaping: leave the count room for its digits */
	gdbstub_reply_begin(s);
	gdbstub_reply_raw(s, "F00000;", 7);
	body = s->reply_start + 1;
	taken = gdbstub_reply_binary(s, s->scratch, (size_t)n);
	for (int i = 4; i >= 0 && !s->out.failed; i--, taken >>= 4)
		s->out.data[body + (size_t)i] = "0123456789abcdef"[taken & 15];
	gdbstub_reply_end(s);
}

static void put_be(uint8_t *p, uint64_t v, unsigned n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

/* struct stat of the File-I/O protocol: seven words, three double words, three words, big endian */
static void file_fstat(struct gdbstub *s, struct gdbstub_cur *c)
{
	enum { MODE = 8, NLINK = 12, SIZE = 28, BLKSIZE = 36, BLOCKS = 44, TOTAL = 64 };
	int fd = (int)gdbstub_cur_hex_max(c, INT_MAX);
	uint8_t st[TOTAL] = {0};
	int64_t size;

	if (!gdbstub_cur_done(c) || !s->ops->file_size) {
		fail(s, -EINVAL);
		return;
	}
	size = s->ops->file_size(s->ctx, fd);
	if (size < 0) {
		fail(s, size);
		return;
	}
	put_be(st + MODE, 0100444, 4); /* a regular file, readable */
	put_be(st + NLINK, 1, 4);
	put_be(st + SIZE, (uint64_t)size, 8);
	put_be(st + BLKSIZE, 512, 8);
	put_be(st + BLOCKS, ((uint64_t)size + 511) / 512, 8);
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "F%x;", TOTAL);
	gdbstub_reply_binary(s, st, sizeof(st));
	gdbstub_reply_end(s);
}

static void file_close(struct gdbstub *s, struct gdbstub_cur *c)
{
	int fd = (int)gdbstub_cur_hex_max(c, INT_MAX);
	int ret = -EINVAL;

	if (gdbstub_cur_done(c))
		ret = s->ops->file_close ? s->ops->file_close(s->ctx, fd) : 0;
	if (ret < 0)
		fail(s, ret);
	else
		result(s, 0);
}

GDBSTUB_HANDLER(file)
{
	static const struct {
		const char *name;
		void (*handler)(struct gdbstub *s, struct gdbstub_cur *c);
	} table[] = {
		{"setfs", file_setfs}, {"open", file_open}, {"pread", file_pread}, {"fstat", file_fstat}, {"close", file_close},
	};
	struct gdbstub_cur name;

	gdbstub_cur_expect(c, ':');
	name = gdbstub_cur_until(c, ':');
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (!c->bad && gdbstub_cur_is(&name, table[i].name)) {
			table[i].handler(s, c);
			return;
		}
	}
	gdbstub_reply(s, "");
}
