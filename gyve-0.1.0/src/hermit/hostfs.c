/* Host files below a directory, by a path that a guest chose. openat2(2) with RESOLVE_BENEATH where the kernel has it, else
 * component by component with every symbolic link refused. */
#include "config.h"

#include "filemap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool no_openat2;

void hostfs_without_openat2(bool without)
{
	no_openat2 = without;
}

/* A copy of the component that *path begins with; *path goes behind it and its slash. */
static int next_component(const char **path, char name[NAME_MAX + 1])
{
	size_t len = strcspn(*path, "/");

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, *path, len);
	name[len] = '\0';
	*path += len + strspn(*path + len, "/");
	return strcmp(name, "..") == 0 ? -EXDEV : 0;
}

static int walk(int dir, const char *path, int flags, mode_t mode)
{
	char name[NAME_MAX + 1];
	int at = dir, r = 0;

	while (r == 0 && *path) {
		r = next_component(&path, name);
		if (r < 0)
			break;
		int fd = *path ? openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			       : openat(at, name, flags | O_NOFOLLOW, mode);
		r = fd < 0 ? -errno : 0;
		if (at != dir)
			close(at);
		at = r < 0 ? dir : fd;
	}
	if (r < 0 && at != dir)
		close(at);
	return r < 0 ? r : at;
}

int hostfs_open(int dir, const char *path, int flags, int mode)
{
	static bool missing; /* the system call */
	struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	if (!*path) {
		int fd = openat(dir, ".", flags | O_CLOEXEC, mode);
		return fd < 0 ? -errno : fd;
	}
	if (flags & O_CREAT)
		how.mode = (uint64_t)mode & 0777; /* no set-user-ID files for the host */
	if (!__atomic_load_n(&missing, __ATOMIC_RELAXED) && !no_openat2) {
		for (int tries = 0; tries < 100; tries++) {
			long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
			if (fd >= 0)
				return (int)fd;
			if (errno == ENOSYS) {
				__atomic_store_n(&missing, true, __ATOMIC_RELAXED);
				break;
			}
			if (errno != EAGAIN) /* something was renamed meanwhile */
				return -errno;
		}
		if (!__atomic_load_n(&missing, __ATOMIC_RELAXED))
			return -EAGAIN;
	}
	return walk(dir, path, flags | O_CLOEXEC, (mode_t)mode & 0777);
}

/* The directory that holds path, as a descriptor to be closed, and the last component. */
static int open_parent(int dir, const char *path, const char **last)
{
	char above[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	*last = slash ? slash + 1 : path;
	if (!**last || strcmp(*last, "..") == 0 || strcmp(*last, ".") == 0)
		return -EINVAL;
	if (len >= sizeof(above))
		return -ENAMETOOLONG;
	memcpy(above, path, len);
	above[len] = '\0';
	return hostfs_open(dir, above, O_PATH | O_DIRECTORY, 0);
}

int hostfs_unlink(int dir, const char *path)
{
	const char *last;
	int fd = open_parent(dir, path, &last), r;

	if (fd < 0)
		return fd;
	r = unlinkat(fd, last, 0) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int hostfs_mkdir(int dir, const char *path, int mode)
{
	const char *last;
	int fd = open_parent(dir, path, &last), r;

	if (fd < 0)
		return fd;
	r = mkdirat(fd, last, (mode_t)mode & 0777) < 0 ? -errno : 0;
	close(fd);
	return r;
}

int hostfs_stat(int dir, const char *path, bool follow, struct stat *ret)
{
	int fd = hostfs_open(dir, path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0), r;

	if (fd < 0)
		return fd;
	r = fstat(fd, ret) < 0 ? -errno : 0;
	close(fd);
	return r == 0 && follow && S_ISLNK(ret->st_mode) ? -ELOOP : r; /* the walk follows none */
}

/* Remove what fd holds, up to the first directory that is not empty, which is returned; -1: there is none. */
static int remove_entries(int fd, size_t *removed)
{
	DIR *dir = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	int below = -1;

	while (dir && below < 0 && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, e->d_name, 0) == 0 || unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0)
			++*removed;
		else
			below = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return below;
}

/* However deep a guest has made it: one descriptor at a time, down and up again. What cannot be removed stays. */
void hostfs_remove_tree(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool came_up = false;
	size_t depth = 0;

	while (fd >= 0) {
		size_t removed = 0;
		int next = remove_entries(fd, &removed);
		if (came_up && !removed) /* it was emptied, and is still there */
			depth = 0;
		else if (next >= 0)
			depth++;
		came_up = next < 0;
		if (next < 0 && depth) {
			next = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			depth--;
		} else if (!depth && next >= 0) {
			close(next);
			next = -1;
		}
		close(fd);
		fd = next;
	}
	unlinkat(parent, name, AT_REMOVEDIR);
}
