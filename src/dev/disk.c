/* See disk.h. */
#define _GNU_SOURCE /* O_TMPFILE, mkostemp */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, CLUSTER = 4096 };

struct disk {
	int fd, overlay; /* overlay: -1: none */
	bool readonly;
	uint64_t size;
	uint8_t *written; /* a bit for each cluster that is in the overlay */
};

/* --- opening */

/* A file without a name, where temporary files go. */
static int open_overlay(struct disk *d, struct gyve_err *err)
{
	const char *dir = getenv("TMPDIR");

	dir = dir && *dir ? dir : "/tmp";
	d->written = calloc(1, d->size / CLUSTER / 8 + 1);
	if (!d->written)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	d->overlay = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (d->overlay < 0) {
		char path[PATH_MAX];
		snprintf(path, sizeof(path), "%s/gyve.XXXXXX", dir);
		d->overlay = mkostemp(path, O_CLOEXEC);
		if (d->overlay >= 0)
			unlink(path);
	}
	return d->overlay < 0 ? gyve_err_set(err, -errno, "--disk: cannot make an overlay in %s: %s", dir, strerror(errno)) : 0;
}

static int find_size(struct disk *d, const char *path, struct gyve_err *err)
{
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return gyve_err_set(err, -errno, "--disk %s: %s", path, strerror(errno));
	if (S_ISBLK(st.st_mode)) {
		if (ioctl(d->fd, BLKGETSIZE64, &d->size) < 0)
			return gyve_err_set(err, -errno, "--disk %s: %s", path, strerror(errno));
	} else if (S_ISREG(st.st_mode)) {
		d->size = (uint64_t)st.st_size;
	} else {
		return gyve_err_set(err, -EINVAL, "--disk %s: neither a file nor a block device", path);
	}
	d->size -= d->size % SECTOR;
	return d->size ? 0 : gyve_err_set(err, -EINVAL, "--disk %s: it holds no sector of %d bytes", path, SECTOR);
}

static int open_parts(struct disk *d, const char *path, bool overlay, struct gyve_err *err)
{
	d->fd = open(path, (d->readonly || overlay ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (d->fd < 0)
		return gyve_err_set(err, -errno, "--disk %s: %s", path, strerror(errno));
	int r = find_size(d, path, err);
	return r == 0 && overlay ? open_overlay(d, err) : r;
}

int disk_open(struct disk **ret, const char *spec, struct gyve_err *err)
{
	const char *comma = strrchr(spec, ',');
	bool ro = comma && strcmp(comma, ",ro") == 0, overlay = comma && strcmp(comma, ",overlay") == 0;
	char *path = ro || overlay ? strndup(spec, (size_t)(comma - spec)) : strdup(spec);
	struct disk *d = calloc(1, sizeof(*d));
	int r = -ENOMEM;

	if (d && path) {
		*d = (struct disk){.fd = -1, .overlay = -1, .readonly = ro};
		r = open_parts(d, path, overlay, err);
	} else {
		gyve_err_set(err, r, "out of memory");
	}
	free(path);
	if (r < 0)
		disk_close(d);
	else
		*ret = d;
	return r;
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	if (d->overlay >= 0)
		close(d->overlay);
	free(d->written);
	free(d);
}

uint64_t disk_size(const struct disk *d)
{
	return d->size;
}

bool disk_readonly(const struct disk *d)
{
	return d->readonly;
}

/* --- bytes */

/* All of buf, or an error: the file may have become shorter. */
static int whole(int fd, bool write, uint8_t *buf, size_t len, uint64_t at)
{
	while (len) {
		ssize_t n = write ? pwrite(fd, buf, len, (off_t)at) : pread(fd, buf, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buf += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static bool in_overlay(const struct disk *d, uint64_t cluster)
{
	return d->overlay >= 0 && d->written[cluster / 8] & 1u << cluster % 8;
}

/* How much of len bytes from `at` lies in clusters of the same kind as the first. */
static size_t run(const struct disk *d, uint64_t at, size_t len)
{
	uint64_t c = at / CLUSTER, end = at + len;
	bool kind = in_overlay(d, c);

	if (d->overlay < 0)
		return len;
	while (++c * CLUSTER < end)
		if (in_overlay(d, c) != kind)
			return (size_t)(c * CLUSTER - at);
	return len;
}

static int read_piece(struct disk *d, uint64_t at, uint8_t *buf, size_t len)
{
	int r = 0;

	while (r == 0 && len) {
		size_t n = run(d, at, len);
		r = whole(in_overlay(d, at / CLUSTER) ? d->overlay : d->fd, false, buf, n, at);
		at += n;
		buf += n;
		len -= n;
	}
	return r;
}

/* A cluster that is written for the first time and not all of it brings the rest along. */
static int copy_up(struct disk *d, uint64_t cluster, bool all_of_it)
{
	uint8_t buf[CLUSTER];
	uint64_t at = cluster * CLUSTER;
	size_t len = d->size - at < CLUSTER ? (size_t)(d->size - at) : CLUSTER;

	if (in_overlay(d, cluster))
		return 0;
	int r = all_of_it ? 0 : whole(d->fd, false, buf, len, at);
	if (r == 0 && !all_of_it)
		r = whole(d->overlay, true, buf, len, at);
	return r;
}

static int write_overlay(struct disk *d, uint64_t at, uint8_t *buf, size_t len)
{
	uint64_t first = at / CLUSTER, last = (at + len - 1) / CLUSTER;
	int r = copy_up(d, first, at % CLUSTER == 0 && len >= CLUSTER);

	if (r == 0 && last != first)
		r = copy_up(d, last, (at + len) % CLUSTER == 0);
	if (r == 0)
		r = whole(d->overlay, true, buf, len, at);
	for (uint64_t c = first; r == 0 && c <= last; c++)
		d->written[c / 8] |= (uint8_t)(1u << c % 8);
	return r;
}

static int each(struct disk *d, bool write, uint64_t at, const struct iovec *v, unsigned n)
{
	uint64_t len = 0;
	int r = 0;

	for (unsigned i = 0; i < n; i++)
		if (__builtin_add_overflow(len, v[i].iov_len, &len))
			return -EINVAL;
	if (at > d->size || len > d->size - at)
		return -EINVAL;
	for (unsigned i = 0; r == 0 && i < n; i++) {
		if (!v[i].iov_len)
			continue;
		if (!write)
			r = read_piece(d, at, v[i].iov_base, v[i].iov_len);
		else if (d->overlay >= 0)
			r = write_overlay(d, at, v[i].iov_base, v[i].iov_len);
		else
			r = whole(d->fd, true, v[i].iov_base, v[i].iov_len, at);
		at += v[i].iov_len;
	}
	return r;
}

int disk_read(struct disk *d, uint64_t at, const struct iovec *v, unsigned n)
{
	return each(d, false, at, v, n);
}

int disk_write(struct disk *d, uint64_t at, const struct iovec *v, unsigned n)
{
	return d->readonly ? -EROFS : each(d, true, at, v, n);
}

int disk_flush(struct disk *d)
{
	return d->readonly || d->overlay >= 0 || fdatasync(d->fd) == 0 ? 0 : -errno;
}
