/* Files as the guest sees them: for now the three standard streams, and no paths. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "hermit.h"

enum { PATIENCE_MS = 50 }; /* how long a debugger waits for a vCPU that waits for input */

/* Until there is something to read, or its end. The lock is not held meanwhile: other vCPUs go on. */
static int wait_for_input(struct hermit *h, const struct gyve_access *a)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

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

int64_t hermit_file_read(struct hermit *h, const struct gyve_access *a, int fd, void *buf, uint64_t len)
{
	if (fd != STDIN_FILENO)
		return -EBADF;
	if (!len)
		return 0;
	int r = wait_for_input(h, a);
	if (r < 0)
		return r;
	ssize_t n = read(STDIN_FILENO, buf, len);
	return n < 0 ? (errno == EINTR ? -EINTR : -EIO) : n;
}

int64_t hermit_file_write(struct hermit *h, int fd, const void *buf, uint64_t len)
{
	if (fd != STDOUT_FILENO && fd != STDERR_FILENO)
		return -EBADF;
	if (len) /* else buf may be no memory at all */
		h->out.write(h->out.ctx, buf, len);
	return (int64_t)len;
}

/* Input may be a file. Output goes to the sink: the position of what lies behind it, shared with gyve itself, is not the
 * guest's. */
int64_t hermit_file_seek(struct hermit *h, int fd, int64_t offset, int whence)
{
	(void)h;
	if (fd < 0 || fd > STDERR_FILENO)
		return -EBADF;
	if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
		return -EINVAL;
	off_t at = fd == STDIN_FILENO ? lseek(fd, offset, whence) : (errno = ESPIPE, -1);
	if (at >= 0)
		return at;
	return errno == EINVAL ? -EINVAL : errno == EOVERFLOW ? -EOVERFLOW : -EPERM; /* guests know no ESPIPE */
}

int hermit_file_open(struct hermit *h, const char *path, int flags, int mode)
{
	(void)h, (void)path, (void)flags, (void)mode;
	return -ENOENT;
}

int hermit_file_close(struct hermit *h, int fd)
{
	(void)h;
	return fd <= STDERR_FILENO ? 0 : -EBADF; /* the streams stay open, as uhyve has it */
}

int hermit_file_unlink(struct hermit *h, const char *path)
{
	(void)h, (void)path;
	return -ENOENT;
}
