/* A flattened dump (makedumpfile -F, QEMU's dump-guest-memory -z): pieces of a file in the order they were written. They are
 * put in their places in a nameless file, which then is the dump. */
#define _GNU_SOURCE
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 4096, PIECE_HEAD = 16 };
#define MAX_OFFSET (UINT64_C(1) << 50)

static uint64_t get_be64(const uint8_t *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static int nameless_file(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir == '/' ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : memfd_create("dump", MFD_CLOEXEC);
}

static int write_at(int fd, const uint8_t *p, uint64_t len, uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n, len -= (uint64_t)n, at += (uint64_t)n;
	}
	return 0;
}

static int put_pieces(struct gyve_core *core, int fd, struct gyve_err *err)
{
	const uint8_t *d = core->backing->data;
	uint64_t size = core->backing->size, at = HEAD;
	int ret;

	for (;;) {
		uint64_t to, len;
		if (at > size || size - at < PIECE_HEAD) {
			core_warn(core, "the flattened stream ends without its end mark");
			return 0;
		}
		to = get_be64(d + at);
		len = get_be64(d + at + 8);
		at += PIECE_HEAD;
		if (to == UINT64_MAX) /* -1: the end */
			return 0;
		if (to >= MAX_OFFSET)
			return gyve_err_set(err, -ENOEXEC, "the flattened stream makes no sense at 0x%" PRIx64, at);
		if (len > size - at) {
			core_warn(core, "the flattened stream is cut short at 0x%" PRIx64, size);
			len = size - at;
		}
		if ((ret = write_at(fd, d + at, len, to)) < 0)
			return gyve_err_set(err, ret, "no room to put a flattened dump in order: %s", strerror(-ret));
		at += len;
	}
}

/* Map fd in place of what was there. */
static int take_file(struct gyve_core_backing *b, int fd, bool writable, struct gyve_err *err)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0 || st.st_size == 0)
		return gyve_err_set(err, -ENOEXEC, "the flattened stream is empty");
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED)
		return gyve_err_set(err, -errno, "a flattened dump in order cannot be mapped: %s", strerror(errno));
	if (b->map)
		munmap(b->map, b->map_len);
	b->data = b->map = p;
	b->size = b->map_len = (uint64_t)st.st_size;
	return 0;
}

int core_flat_open(struct gyve_core *core, bool writable, struct gyve_err *err)
{
	static const char magic[] = "makedumpfile";
	int fd, ret;

	if (core->backing->size < sizeof(magic) || memcmp(core->backing->data, magic, sizeof(magic)) != 0)
		return -ENOENT;
	fd = nameless_file();
	if (fd < 0)
		return gyve_err_set(err, -errno, "no place to put a flattened dump in order: %s", strerror(errno));
	ret = put_pieces(core, fd, err);
	if (ret == 0)
		ret = take_file(core->backing, fd, writable, err);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}
