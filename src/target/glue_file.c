/* The files a client may read: the image; in place of one that is no ELF file, the symbols a Linux kernel carries with it. */
#include "config.h"

#include "kernel.h"
#include "stub_glue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char gyve_glue_kernel_name[] = "/proc/kallsyms";

/* Its bytes do not change any more: what the client reads fits together, whatever the guest does. */
static int open_kernel(struct gyve_glue *g)
{
	struct gyve_err err = {0};
	const struct gyve_kernel *k = gyve_kernel_of(g->target, &err);

	if (g->image_fd < 0 && k && k->own_elf) {
		int fd = memfd_create("kallsyms", MFD_CLOEXEC);
		if (fd < 0)
			return -errno;
		if (write(fd, k->own_elf, k->own_size) != (ssize_t)k->own_size) {
			close(fd);
			return -EIO;
		}
		g->image_fd = fd;
	}
	return g->image_fd < 0 ? -ENOENT : (int)g->image_uses++;
}

const char *gyve_glue_exec_file(struct gyve_glue *g)
{
	const struct gyve_target *t = g->target;
	struct gyve_err err = {0};
	const struct gyve_kernel *k;

	if (t->image && !t->image_raw)
		return t->image;
	k = gyve_target_stopped(t) ? gyve_kernel_of(g->target, &err) : NULL;
	g->kernel_file = k && k->own_elf;
	return g->kernel_file ? gyve_glue_kernel_name : NULL;
}

/* "/proc/42000/exe": the running program, as scripts ask a Linux host for it (gef does). */
static bool is_proc_exe(const char *path)
{
	size_t digits;

	if (strncmp(path, "/proc/", 6) != 0)
		return false;
	digits = strspn(path + 6, "0123456789");
	return digits && strcmp(path + 6 + digits, "/exe") == 0;
}

int gyve_glue_file_open(void *ctx, const char *path)
{
	struct gyve_glue *g = ctx;
	int fd;

	if (g->kernel_file && strcmp(path, gyve_glue_kernel_name) == 0)
		return open_kernel(g);
	if (!g->target->image || (strcmp(path, g->target->image) != 0 && !is_proc_exe(path)))
		return gyve_glue_library_open(g, path);
	if (g->image_fd < 0) {
		fd = open(g->target->image, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return -errno;
		g->image_fd = fd;
	}
	return (int)g->image_uses++; /* one file: a number of its own for each use is all a client needs */
}

/* -1: the client has opened no such file */
static int file_of(const struct gyve_glue *g, int fd)
{
	return g->image_fd >= 0 && fd >= 0 && (unsigned)fd < g->image_uses ? g->image_fd : gyve_glue_library_fd(g, fd);
}

ssize_t gyve_glue_file_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
	struct gyve_glue *g = ctx;
	int file = file_of(g, fd);
	ssize_t n;

	if (file < 0)
		return -EBADF;
	if (off > INT64_MAX)
		return -EINVAL;
	n = pread(file, buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

int64_t gyve_glue_file_size(void *ctx, int fd)
{
	struct gyve_glue *g = ctx;
	int file = file_of(g, fd);
	struct stat st;

	if (file < 0)
		return -EBADF;
	return fstat(file, &st) < 0 ? -errno : st.st_size;
}

int gyve_glue_file_close(void *ctx, int fd)
{
	struct gyve_glue *g = ctx;

	if (file_of(g, fd) < 0)
		return -EBADF;
	gyve_glue_library_close(g, fd);
	return 0; /* the image stays open for the session: other uses may be left */
}
