/* Files as the guest sees them: for now the three standard streams, and no paths. */
#include <errno.h>
#include <unistd.h>

#include "hermit.h"

int64_t hermit_file_read(struct hermit *h, int fd, void *buf, uint64_t len)
{
	(void)h;
	if (fd != STDIN_FILENO)
		return -EBADF;
	ssize_t n = read(STDIN_FILENO, buf, len);
	return n < 0 ? -EIO : n;
}

int64_t hermit_file_write(struct hermit *h, int fd, const void *buf, uint64_t len)
{
	if (fd != STDOUT_FILENO && fd != STDERR_FILENO)
		return -EBADF;
	h->out.write(h->out.ctx, buf, len);
	return (int64_t)len;
}

int64_t hermit_file_seek(struct hermit *h, int fd, int64_t offset, int whence)
{
	(void)h;
	if (fd < 0 || fd > STDERR_FILENO)
		return -EBADF;
	off_t at = whence >= 0 && whence <= 2 ? lseek(fd, offset, whence) : -1;
	return at < 0 ? -EINVAL : at;
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
