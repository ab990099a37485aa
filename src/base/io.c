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

/* Bytes that are mapped for a file of this size: some zeros behind its end, always. */
static size_t mapped_size(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (size + GYVE_FILE_TAIL + page - 1) / page * page;
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
		/* Beyond its last page a file has nothing that could be read: zeros lie there first, the file over them. */
		p = mmap(NULL, mapped_size((size_t)st.st_size), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return gyve_err_set(err, -errno, "%s: %s", path, strerror(errno));
		if (mmap(p, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED) {
			int ret = gyve_err_set(err, -errno, "%s: %s", path, strerror(errno));
			munmap(p, mapped_size((size_t)st.st_size));
			return ret;
		}
	}
	*data = p;
	*size = (size_t)st.st_size;
	return 0;
}

void gyve_file_unmap(const uint8_t *data, size_t size)
{
	if (data)
		munmap((void *)(uintptr_t)data, mapped_size(size));
}
