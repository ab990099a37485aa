/* The guest's descriptors, and what opens, moves and reads through them. Paths are the file map's business, directories and
 * attributes are in dirs.c. Everything here runs with h->lock held. */
#include "config.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 50, /* how long a debugger waits for a vCPU that waits for a host file */
	MOST_OPEN = 1024,
	FIRST_FD = 3, /* below: the streams */
};

/* Guest numbers: Linux on x86_64, whatever the architecture. */
enum {
	G_WRONLY = 01,
	G_RDWR = 02,
	G_CREAT = 0100,
	G_EXCL = 0200,
	G_TRUNC = 01000,
	G_APPEND = 02000,
	G_DIRECTORY = 0200000,
};

int hermit_errno(int e, int other)
{
	static const struct {
		int host, guest;
	} known[] = {{EPERM, 1},   {ENOENT, 2},  {EIO, 5},     {EBADF, 9},  {EFAULT, 14},
		     {EEXIST, 17}, {EISDIR, 21}, {EINVAL, 22}, {EROFS, 30}, {EOVERFLOW, 75}};

	if (e < 0)
		e = -e;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(known); i++)
		if (known[i].host == e)
			return known[i].guest;
	return other;
}

enum { CLASSIC_OTHER = 1 }; /* what the classic calls say for errors that guests have no number for */

static int64_t classic(int64_t r)
{
	return r < 0 ? -hermit_errno((int)r, CLASSIC_OTHER) : r;
}

/* --- the table: ascending numbers, none used twice */

static size_t place_of(const struct hermit_files *t, int fd)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (t->open[mid].number < fd)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct hermit_file *hermit_file_find(struct hermit *h, int fd)
{
	size_t i = place_of(&h->files, fd);

	return i < h->files.n && h->files.open[i].number == fd ? &h->files.open[i] : NULL;
}

static struct hermit_file *add_file(struct hermit *h, enum hermit_file_kind kind)
{
	struct hermit_files *t = &h->files;

	if (t->n >= MOST_OPEN || t->used >= INT32_MAX - FIRST_FD)
		return NULL;
	struct hermit_file *open = realloc(t->open, (t->n + 1) * sizeof(*open));
	if (!open)
		return NULL;
	t->open = open;
	struct hermit_file *f = &open[t->n++];
	memset(f, 0, sizeof(*f));
	f->number = FIRST_FD + t->used++;
	f->kind = kind;
	f->fd = -1;
	return f;
}

static void drop_file(struct hermit_file *f)
{
	if (f->kind == HERMIT_FILE_HOST)
		close(f->fd);
	free(f->list);
}

void hermit_files_close(struct hermit *h)
{
	for (size_t i = 0; i < h->files.n; i++)
		drop_file(&h->files.open[i]);
	free(h->files.open);
	memset(&h->files, 0, sizeof(h->files));
}

int hermit_file_close(struct hermit *h, int fd)
{
	struct hermit_files *t = &h->files;
	struct hermit_file *f = hermit_file_find(h, fd);

	if (fd < FIRST_FD)
		return 0; /* the streams stay open, as uhyve has it */
	if (!f)
		return -EBADF;
	drop_file(f);
	memmove(f, f + 1, (size_t)(t->open + t->n - (f + 1)) * sizeof(*f));
	t->n--;
	return 0;
}

/* --- open */

static int host_flags(int flags)
{
	int f = flags & G_RDWR ? O_RDWR : flags & G_WRONLY ? O_WRONLY : O_RDONLY;

	return f | (flags & G_CREAT ? O_CREAT : 0) | (flags & G_EXCL ? O_EXCL : 0) | (flags & G_TRUNC ? O_TRUNC : 0) |
	       (flags & G_APPEND ? O_APPEND : 0) | (flags & G_DIRECTORY ? O_DIRECTORY : 0);
}

/* A pipe that nobody has at the other end must not hold up the vCPU: nothing waits in open(2), nor with the lock. */
static int open_host(struct hermit *h, int dir, const char *path, int flags, int mode)
{
	int fd = hostfs_open(dir, path, flags | O_NONBLOCK | O_NOCTTY, mode), high = fd;
	struct hermit_file *f;
	struct stat st;

	if (fd < 0)
		return fd;
	if (fd < FIRST_FD) { /* ours were closed when we started: never hand out what the guest's streams go to */
		high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);
		close(fd);
		if (high < 0)
			return -errno;
	}
	if (fstat(high, &st) < 0 || !(f = add_file(h, HERMIT_FILE_HOST))) {
		close(high);
		return -EMFILE;
	}
	f->fd = high;
	f->waits = !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
	return f->number;
}

/* Read-only leaves, whatever the host's own rights are. */
static int open_leaf(struct hermit *h, const struct file_node *n, const char *path, int flags, int mode)
{
	if (!n->readonly)
		return open_host(h, n->fd, path, flags, mode);
	if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC)
		return -EROFS;
	if (flags & O_CREAT && flags & O_EXCL) {
		struct stat st;
		return hostfs_stat(n->fd, path, false, &st) == 0 ? -EEXIST : -EROFS;
	}
	int r = open_host(h, n->fd, path, flags & ~(O_CREAT | O_EXCL), 0);
	return r == -ENOENT && flags & O_CREAT ? -EROFS : r;
}

static int open_memory(struct hermit *h, const struct file_node *n, int flags)
{
	struct hermit_file *f;

	if (flags & G_DIRECTORY)
		return -EPERM;
	if (flags & G_CREAT && flags & G_EXCL)
		return -EEXIST;
	f = add_file(h, HERMIT_FILE_MEMORY);
	if (!f)
		return -EMFILE;
	f->data = n->data;
	f->len = n->len;
	return f->number;
}

static int open_dir(struct hermit *h, const struct file_node *n, int flags)
{
	if (!(flags & G_DIRECTORY))
		return -EINVAL;
	if (flags & (G_WRONLY | G_RDWR))
		return -EISDIR;
	struct hermit_dirlist *list = hermit_list(n);
	struct hermit_file *f = list ? add_file(h, HERMIT_FILE_DIR) : NULL;
	if (!f) {
		free(list);
		return -EMFILE;
	}
	f->list = list;
	return f->number;
}

/* A path that is mapped nowhere gets a file in the temporary directory. */
static int open_new(struct hermit *h, struct file_place *at, int flags, int mode)
{
	struct gyve_filemap *map = h->params->files;
	struct file_node *n;
	int r;

	if (!(flags & G_CREAT) || map->temp_fd < 0)
		return -ENOENT;
	n = filemap_add_temp(map, at, FILE_HOST);
	if (!n)
		return -EPERM;
	r = open_host(h, n->fd, n->host, host_flags(flags) | O_EXCL | map->temp_flags, mode | 0600);
	if (r < 0)
		filemap_remove(map, n);
	return r;
}

static int open_path(struct hermit *h, const char *path, int flags, int mode)
{
	static const int known = G_WRONLY | G_RDWR | G_CREAT | G_EXCL | G_TRUNC | G_APPEND | G_DIRECTORY;
	struct file_place at;
	int r;

	flags &= known;
	if ((flags & G_DIRECTORY && flags & G_CREAT) || (flags & G_WRONLY && flags & G_RDWR))
		return -EINVAL;
	if (!h->params->files)
		return -ENOENT;
	r = filemap_find(h->params->files, path, &at);
	if (r < 0)
		return r == -ENOENT && flags & G_CREAT ? -EINVAL : r;
	switch (at.node->kind) {
	case FILE_DIR:
		return at.exact ? open_dir(h, at.node, flags) : open_new(h, &at, flags, mode);
	case FILE_MEMORY:
		return open_memory(h, at.node, flags);
	case FILE_HOST:
		return open_leaf(h, at.node, at.node->host, host_flags(flags) | O_NOFOLLOW, mode);
	case FILE_HOST_DIR:
		return open_leaf(h, at.node, at.rest, host_flags(flags), mode);
	}
	return -ENOENT;
}

int hermit_file_open(struct hermit *h, const char *path, int flags, int mode)
{
	return (int)classic(open_path(h, path, flags, mode));
}

/* --- unlink */

static int unlink_path(struct hermit *h, const char *path)
{
	struct gyve_filemap *map = h->params->files;
	struct file_place at;
	int r = map ? filemap_find(map, path, &at) : -ENOENT;

	if (r < 0)
		return r;
	switch (at.node->kind) {
	case FILE_DIR:
		if (!at.exact || at.node->nchild || !at.node->parent)
			return -ENOENT;
		filemap_remove(map, at.node);
		return 0;
	case FILE_MEMORY:
		filemap_remove(map, at.node);
		return 0;
	case FILE_HOST_DIR:
		if (at.exact)
			return -EISDIR;
		return at.node->readonly ? -EROFS : hostfs_unlink(at.node->fd, at.rest);
	case FILE_HOST:
		if (at.node->readonly)
			return -EROFS;
		r = hostfs_unlink(at.node->fd, at.node->host);
		if (at.node->temp)
			filemap_remove(map, at.node);
		return r;
	}
	return -ENOENT;
}

int hermit_file_unlink(struct hermit *h, const char *path)
{
	return (int)classic(unlink_path(h, path));
}

/* --- read, write, seek */

/* Until the descriptor is ready, or at its end. The lock is not held meanwhile: other vCPUs go on, and may close it. */
static int wait_for(struct hermit *h, const struct gyve_access *a, int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	while (poll(&p, 1, 0) == 0) {
		pthread_mutex_unlock(&h->lock);
		poll(&p, 1, PATIENCE_MS);
		bool wanted = a->interrupted && a->interrupted(a->ctx);
		pthread_mutex_lock(&h->lock);
		if (wanted)
			return -EINTR; /* as if by a signal: the guest's library asks again */
	}
	return 0;
}

static int64_t read_host(int fd, const struct iovec *v, int n)
{
	ssize_t got = readv(fd, v, n);

	return got < 0 ? (errno == EINTR ? -EINTR : classic(-errno)) : got;
}

static int64_t read_memory(struct hermit_file *f, const struct iovec *v, int n)
{
	uint64_t done = 0;

	for (int i = 0; i < n && f->offset < (int64_t)f->len; i++) {
		size_t left = f->len - (size_t)f->offset, part = v[i].iov_len < left ? v[i].iov_len : left;
		memcpy(v[i].iov_base, f->data + f->offset, part);
		f->offset += (int64_t)part;
		done += part;
	}
	return (int64_t)done;
}

int64_t hermit_file_read(struct hermit *h, const struct gyve_access *a, int fd, const struct iovec *v, int n)
{
	struct hermit_file *f = hermit_file_find(h, fd);
	bool waits = fd == STDIN_FILENO || (f && f->waits);

	if (fd != STDIN_FILENO && (!f || f->kind == HERMIT_FILE_DIR))
		return -EBADF;
	if (!n)
		return 0;
	if (f && f->kind == HERMIT_FILE_MEMORY)
		return read_memory(f, v, n);
	if (fd == STDIN_FILENO && h->params->no_input)
		return 0;
	if (waits) {
		int r = wait_for(h, a, f ? f->fd : STDIN_FILENO, POLLIN);
		if (r < 0)
			return r;
		f = hermit_file_find(h, fd);
		if (fd != STDIN_FILENO && !f)
			return -EBADF;
	}
	return read_host(f ? f->fd : STDIN_FILENO, v, n);
}

/* All of one piece. What was written before an error is in *done. */
static int64_t write_host(struct hermit *h, const struct gyve_access *a, int number, const uint8_t *p, size_t len,
			  uint64_t *done)
{
	while (len) {
		struct hermit_file *f = hermit_file_find(h, number);
		ssize_t got = f ? write(f->fd, p, len) : (errno = EBADF, -1);
		if (got < 0 && errno == EAGAIN && f && f->waits) {
			int r = wait_for(h, a, f->fd, POLLOUT);
			if (r < 0)
				return r;
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? classic(-errno) : -EIO;
		p += got;
		len -= (size_t)got;
		*done += (uint64_t)got;
	}
	return 0;
}

int64_t hermit_file_write(struct hermit *h, const struct gyve_access *a, int fd, const struct iovec *v, int n)
{
	struct hermit_file *f = hermit_file_find(h, fd);
	uint64_t done = 0;
	int64_t r = 0;

	if (f && f->kind != HERMIT_FILE_HOST)
		return -EROFS;
	if (!f && fd != STDOUT_FILENO && fd != STDERR_FILENO)
		return -EBADF;
	for (int i = 0; i < n && r == 0; i++) {
		if (f) {
			r = write_host(h, a, fd, v[i].iov_base, v[i].iov_len, &done);
		} else {
			h->out.write(h->out.ctx, v[i].iov_base, v[i].iov_len);
			done += v[i].iov_len;
		}
	}
	return done ? (int64_t)done : r;
}

static int64_t seek_in(struct hermit_file *f, int64_t size, int64_t offset, int whence)
{
	int64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? f->offset : size, at;

	if (f->kind == HERMIT_FILE_DIR && (whence == SEEK_END || offset < 0))
		return -EINVAL;
	if (__builtin_add_overflow(base, offset, &at) || at < 0)
		return -EOVERFLOW;
	f->offset = at;
	return at;
}

/* Input may be a file. Output goes to the sink: the position of what lies behind it, shared with gyve itself, is not the
 * guest's. */
int64_t hermit_file_seek(struct hermit *h, int fd, int64_t offset, int whence)
{
	struct hermit_file *f = hermit_file_find(h, fd);
	off_t at;

	if (!f && (fd < 0 || fd > STDERR_FILENO))
		return -EBADF;
	if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
		return -EINVAL;
	if (f && f->kind != HERMIT_FILE_HOST)
		return seek_in(f, (int64_t)f->len, offset, whence);
	if (!f && (fd != STDIN_FILENO || h->params->no_input))
		return -EPERM; /* guests know no ESPIPE */
	at = lseek(f ? f->fd : fd, offset, whence);
	return at < 0 ? classic(-errno) : at;
}

int64_t hermit_input(const struct hermit *h, void *buf, size_t len)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n = len && !h->params->no_input && poll(&p, 1, 0) > 0 ? read(STDIN_FILENO, buf, len) : 0;

	return n < 0 ? 0 : n;
}
