/* Where a dump's bytes go: a file with holes, or zstd frames with a seek table behind them (zstd's contrib/seekable_format,
 * which `zstd -d` reads as one stream). The file has no name, or a temporary one, until it is whole. */
#include "config.h"

#include "core_priv.h"

#include "../base/bytes.h"
#include "../base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

enum { FRAME = 1 << 20 };

struct core_out {
	char *path, *temp, *dir;
	int fd;
	bool named; /* temp exists */
	bool compress;
#ifdef HAVE_ZSTD
	ZSTD_CCtx *cctx;
	uint8_t *frame, *packed, *zero_packed;
	size_t cap, zero_len;
	uint64_t start; /* of the frame that is being filled */
	size_t fill;
	struct core_buf table;
	uint32_t nframes;
#endif
};

static int sys_err(struct gyve_err *err, int e, const char *what, const char *path)
{
	return gyve_err_set(err, -e, "%s %s: %s", what, path, strerror(e));
}

static int open_temp(struct core_out *o, struct gyve_err *err)
{
	struct stat st;

	if (stat(o->path, &st) == 0 && !S_ISREG(st.st_mode))
		return gyve_err_set(err, -EINVAL, "%s is not a regular file", o->path);
	o->fd = open(o->dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	if (o->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return sys_err(err, errno, "cannot write a dump in", o->dir);
	o->fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (o->fd < 0)
		return sys_err(err, errno, "cannot create", o->temp);
	o->named = true;
	return 0;
}

#ifdef HAVE_ZSTD
static int zstd_init(struct core_out *o)
{
	o->cap = ZSTD_compressBound(FRAME);
	o->cctx = ZSTD_createCCtx();
	o->frame = calloc(1, FRAME);
	o->packed = malloc(o->cap);
	o->zero_packed = malloc(o->cap);
	if (!o->cctx || !o->frame || !o->packed || !o->zero_packed)
		return -ENOMEM;
	o->zero_len = ZSTD_compressCCtx(o->cctx, o->zero_packed, o->cap, o->frame, FRAME, 1);
	return ZSTD_isError(o->zero_len) ? -ENOMEM : 0;
}

static int put_frame(struct core_out *o, const uint8_t *packed, size_t len, size_t size)
{
	uint8_t entry[8];

	put_le32(entry, (uint32_t)len);
	put_le32(entry + 4, (uint32_t)size);
	core_buf_add(&o->table, entry, sizeof(entry));
	o->nframes++;
	return gyve_write_all(o->fd, packed, len);
}

static int flush_frame(struct core_out *o)
{
	size_t n = ZSTD_compressCCtx(o->cctx, o->packed, o->cap, o->frame, o->fill, 1);
	int ret = ZSTD_isError(n) ? -EIO : put_frame(o, o->packed, n, o->fill);

	o->start += o->fill;
	o->fill = 0;
	return ret;
}

/* Bytes up to off that nobody wrote are zero. */
static int zstd_skip(struct core_out *o, uint64_t off)
{
	int ret = 0;

	while (ret == 0 && o->start + o->fill < off) {
		uint64_t left = off - o->start - o->fill;
		if (o->fill == 0 && left >= FRAME) {
			ret = put_frame(o, o->zero_packed, o->zero_len, FRAME);
			o->start += FRAME;
			continue;
		}
		size_t n = left < FRAME - o->fill ? (size_t)left : FRAME - o->fill;
		memset(o->frame + o->fill, 0, n);
		o->fill += n;
		if (o->fill == FRAME)
			ret = flush_frame(o);
	}
	return ret;
}

static int zstd_write(struct core_out *o, uint64_t off, const uint8_t *p, size_t len)
{
	int ret = zstd_skip(o, off);

	while (ret == 0 && len) {
		size_t n = len < FRAME - o->fill ? len : FRAME - o->fill;
		memcpy(o->frame + o->fill, p, n);
		o->fill += n;
		p += n;
		len -= n;
		if (o->fill == FRAME)
			ret = flush_frame(o);
	}
	return ret;
}

static int zstd_finish(struct core_out *o, uint64_t size)
{
	uint8_t head[8], foot[9];
	int ret = zstd_skip(o, size);

	if (ret == 0 && o->fill)
		ret = flush_frame(o);
	if (ret == 0 && o->table.failed)
		ret = -ENOMEM;
	if (ret < 0)
		return ret;
	put_le32(head, 0x184d2a5e);
	put_le32(head + 4, (uint32_t)(o->table.len + sizeof(foot)));
	put_le32(foot, o->nframes);
	foot[4] = 0;
	put_le32(foot + 5, 0x8f92eab1);
	ret = gyve_write_all(o->fd, head, sizeof(head));
	if (ret == 0)
		ret = gyve_write_all(o->fd, o->table.p, o->table.len);
	return ret ? ret : gyve_write_all(o->fd, foot, sizeof(foot));
}

static void zstd_deinit(struct core_out *o)
{
	ZSTD_freeCCtx(o->cctx);
	free(o->frame);
	free(o->packed);
	free(o->zero_packed);
	free(o->table.p);
}
#else
static int zstd_init(struct core_out *o)
{
	(void)o;
	return -ENOTSUP;
}
static int zstd_write(struct core_out *o, uint64_t off, const uint8_t *p, size_t len)
{
	(void)o, (void)off, (void)p, (void)len;
	return -ENOTSUP;
}
static int zstd_finish(struct core_out *o, uint64_t size)
{
	(void)o, (void)size;
	return -ENOTSUP;
}
static void zstd_deinit(struct core_out *o)
{
	(void)o;
}
#endif

int core_out_create(struct core_out **ret, const char *path, bool compress, struct gyve_err *err)
{
	struct core_out *o = calloc(1, sizeof(*o));
	char *copy = strdup(path);
	int res;

	if (o)
		o->fd = -1;
	if (o && copy && (o->path = strdup(path)) && (o->dir = strdup(dirname(copy))) &&
	    asprintf(&o->temp, "%s.%d.tmp", path, (int)getpid()) >= 0) {
		o->compress = compress;
		res = open_temp(o, err);
		if (res == 0 && compress && (res = zstd_init(o)) < 0)
			gyve_err_set(err, res, res == -ENOTSUP ? "this gyve was built without zstd" : "no memory");
	} else {
		res = gyve_err_set(err, -ENOMEM, "no memory");
	}
	free(copy);
	if (res < 0) {
		core_out_destroy(o);
		return res;
	}
	*ret = o;
	return 0;
}

int core_out_write(struct core_out *o, uint64_t off, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (o->compress)
		return zstd_write(o, off, p, len);
	while (len) {
		ssize_t n = pwrite(o->fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int give_name(struct core_out *o)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", o->fd);
	if (!o->named) {
		if (linkat(AT_FDCWD, self, AT_FDCWD, o->path, AT_SYMLINK_FOLLOW) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
		unlink(o->temp);
		if (linkat(AT_FDCWD, self, AT_FDCWD, o->temp, AT_SYMLINK_FOLLOW) < 0)
			return -errno;
		o->named = true;
	}
	if (rename(o->temp, o->path) < 0)
		return -errno;
	o->named = false;
	return 0;
}

int core_out_finish(struct core_out *o, uint64_t size, struct gyve_err *err)
{
	int dir, ret = o->compress ? zstd_finish(o, size) : ftruncate(o->fd, (off_t)size) < 0 ? -errno : 0;

	if (ret == 0 && fsync(o->fd) < 0)
		ret = -errno;
	if (ret == 0)
		ret = give_name(o);
	if (ret < 0)
		return gyve_err_set(err, ret, "cannot finish the dump %s: %s", o->path, strerror(-ret));
	dir = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
	return 0;
}

void core_out_destroy(struct core_out *o)
{
	if (!o)
		return;
	if (o->named)
		unlink(o->temp);
	if (o->fd >= 0)
		close(o->fd);
	zstd_deinit(o);
	free(o->path);
	free(o->temp);
	free(o->dir);
	free(o);
}
