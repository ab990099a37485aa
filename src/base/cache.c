#define _GNU_SOURCE
#include "cache.h"

#include "io.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool gyve_cache_path(char *buf, size_t size, const char *name, bool create)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	int n;

	if (cache && *cache == '/')
		n = snprintf(buf, size, "%s/gyve/%s", cache, name);
	else if (home && *home == '/')
		n = snprintf(buf, size, "%s/.cache/gyve/%s", home, name);
	else
		return false;
	if (n < 0 || (size_t)n >= size)
		return false;
	for (char *p = buf + 1; create && (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(buf, 0700);
		*p = '/';
	}
	return true;
}

int gyve_cache_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 022)) {
		close(fd);
		return -1;
	}
	return fd;
}

void gyve_cache_store(const char *path, const void *data, size_t len)
{
	char new[4096 + 16];
	int fd, r;

	if (snprintf(new, sizeof(new), "%s.XXXXXX", path) >= (int)sizeof(new) || (fd = mkostemp(new, O_CLOEXEC)) < 0)
		return;
	r = gyve_write_all(fd, data, len);
	if (close(fd) < 0 || r < 0 || rename(new, path) < 0)
		unlink(new);
}
