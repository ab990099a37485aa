/* Which pages of our own memory were ever touched. mincore() would do but for pages in swap, which it calls absent. */
#include "core_priv.h"

#include "../base/bytes.h"
#include "../base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

/* Linux 6.7, Documentation/admin-guide/mm/pagemap.rst; newer than Debian 12's headers */
struct page_region {
	uint64_t start, end, categories;
};
struct pm_scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask,
		category_anyof_mask, return_mask;
};
#define SCAN_IOCTL _IOWR('f', 16, struct pm_scan)
enum { IS_PRESENT = 1 << 3, IS_SWAPPED = 1 << 4, VEC = 4096, PAGE = 4096 };

static int append(struct core_runs *runs, gyve_gpa_t gpa, uint64_t len)
{
	struct core_run *last = runs->n ? &runs->run[runs->n - 1] : NULL;

	if (last && last->gpa + last->len == gpa) {
		last->len += len;
		return 0;
	}
	if (runs->n == runs->cap) {
		size_t cap = runs->cap ? 2 * runs->cap : 256;
		struct core_run *p = reallocarray(runs->run, cap, sizeof(*p));
		if (!p)
			return -ENOMEM;
		runs->run = p;
		runs->cap = cap;
	}
	runs->run[runs->n++] = (struct core_run){gpa, len};
	return 0;
}

static int scan(struct core_runs *runs, int fd, uint64_t from, uint64_t to, gyve_gpa_t gpa)
{
	_cleanup_free_ struct page_region *vec = calloc(VEC, sizeof(*vec));
	uint64_t at = from;
	int ret = 0;

	if (!vec)
		return -ENOMEM;
	while (at < to && ret == 0) {
		struct pm_scan s = {.size = sizeof(s),
				    .start = at,
				    .end = to,
				    .vec = (uintptr_t)vec,
				    .vec_len = VEC,
				    .category_anyof_mask = IS_PRESENT | IS_SWAPPED,
				    .return_mask = IS_PRESENT | IS_SWAPPED};
		int n = ioctl(fd, SCAN_IOCTL, &s);
		if (n < 0)
			return at == from ? -ENOTSUP : -errno;
		for (int i = 0; i < n && ret == 0; i++)
			ret = append(runs, gpa + (vec[i].start - from), vec[i].end - vec[i].start);
		if (s.walk_end <= at)
			return ret ? ret : -EIO;
		at = s.walk_end;
	}
	return ret;
}

static int read_entries(struct core_runs *runs, int fd, uint64_t from, uint64_t to, gyve_gpa_t gpa)
{
	_cleanup_free_ uint64_t *e = calloc(VEC, sizeof(*e));
	int ret = 0;

	if (!e)
		return -ENOMEM;
	for (uint64_t at = from; at < to && ret == 0;) {
		uint64_t want = (to - at) / PAGE < VEC ? (to - at) / PAGE : VEC;
		ssize_t n = pread(fd, e, want * 8, (off_t)(at / PAGE * 8));
		if (n < 8)
			return n < 0 ? -errno : -EIO;
		for (ssize_t i = 0; i < n / 8 && ret == 0; i++, at += PAGE)
			if (e[i] >> 62)
				ret = append(runs, gpa + (at - from), PAGE);
	}
	return ret;
}

int core_resident(struct core_runs *runs, int pagemap_fd, const uint8_t *hva, uint64_t len, gyve_gpa_t gpa)
{
	_cleanup_close_ int own = pagemap_fd > 0 ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int fd = pagemap_fd > 0 ? pagemap_fd : own;
	uint64_t from = (uintptr_t)hva, to = from + len;
	size_t n = runs->n;
	int ret = -ENOTSUP;

	if (fd >= 0 && from % PAGE == 0 && to % PAGE == 0 && sysconf(_SC_PAGESIZE) == PAGE) {
		ret = scan(runs, fd, from, to, gpa);
		if (ret == -ENOTSUP)
			ret = read_entries(runs, fd, from, to, gpa);
	}
	if (ret == 0 || ret == -ENOMEM)
		return ret;
	runs->n = n; /* nobody can say: all of it */
	return append(runs, gpa, len);
}
