#include "io.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

int gyve_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;
	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int gyve_file_map(const char *path, const uint8_t **data, size_t *size, struct gyve_err *err)
{
	/* O_NONBLOCK: what is not a regular file is refused below, not waited for. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return gyve_err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return gyve_err_set(err, -EINVAL, "%s: not a regular file", path);
	void *p = NULL;
	if (st.st_size) {
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			return gyve_err_set(err, -errno, "%s: %s", path, strerror(errno));
	}
	*data = p;
	*size = (size_t)st.st_size;
	return 0;
}

void gyve_file_unmap(const uint8_t *data, size_t size)
{
	if (data)
		munmap((void *)(uintptr_t)data, size);
}
