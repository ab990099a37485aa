/* See gyve/loader.h. By libarchive, which knows them all. */
#include "config.h"

#include "gyve/loader.h"

#include <errno.h>
#include <stdlib.h>

#ifndef HAVE_LIBARCHIVE
int gyve_unpack(const void *data, size_t size, uint64_t max, uint8_t **ret, size_t *len, struct gyve_err *err)
{
	(void)data, (void)size, (void)max, (void)ret, (void)len;
	return gyve_err_set(err, -ENOSYS, "compressed images need libarchive, which this build of gyve lacks");
}
#else
#include <archive.h>

#include "../base/late.h"

#define FUNCTIONS(F)                         \
	F(archive_error_string)              \
	F(archive_read_data)                 \
	F(archive_read_free)                 \
	F(archive_read_new)                  \
	F(archive_read_next_header)          \
	F(archive_read_open_memory)          \
	F(archive_read_support_filter_bzip2) \
	F(archive_read_support_filter_gzip)  \
	F(archive_read_support_filter_lz4)   \
	F(archive_read_support_filter_lzma)  \
	F(archive_read_support_filter_xz)    \
	F(archive_read_support_filter_zstd)  \
	F(archive_read_support_format_raw)
#ifdef ARCHIVE_SONAME
LATE_LIBRARY(la, ARCHIVE_SONAME, FUNCTIONS)
#else
LINKED_LIBRARY(la, FUNCTIONS)
#endif

static int damaged(struct archive *a, struct gyve_err *err)
{
	const char *why = la.archive_error_string(a);

	return gyve_err_set(err, -ENOEXEC, "the compressed image is damaged: %.200s", why ? why : "it ends early");
}

static int too_large(uint64_t max, struct gyve_err *err)
{
	return gyve_err_set(err, -E2BIG, "the image unpacks to more than %llu MiB", (unsigned long long)(max >> 20));
}

/* Room for more, up to max + 1 bytes. */
static int grow(uint8_t **buf, size_t *room, uint64_t max, struct gyve_err *err)
{
	uint64_t more = *room < 1 << 20 ? 1 << 20 : (uint64_t)*room * 2;
	uint8_t *p;

	if (*room > max)
		return too_large(max, err);
	if (more > max)
		more = max + 1;
	p = realloc(*buf, (size_t)more);
	if (!p)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	*buf = p;
	*room = (size_t)more;
	return 0;
}

static int read_all(struct archive *a, uint64_t max, uint8_t **buf, size_t *len, struct gyve_err *err)
{
	size_t room = 0;
	la_ssize_t n;
	int r;

	for (*len = 0;; *len += (size_t)n) {
		if (*len > max)
			return too_large(max, err);
		if (*len == room && (r = grow(buf, &room, max, err)) < 0)
			return r;
		n = la.archive_read_data(a, *buf + *len, room - *len);
		if (n < 0)
			return damaged(a, err);
		if (n == 0)
			return 0;
	}
}

/* Not those for which libarchive always calls a program. */
static void add_filters(struct archive *a)
{
	la.archive_read_support_filter_gzip(a);
	la.archive_read_support_filter_bzip2(a);
	la.archive_read_support_filter_lzma(a);
	la.archive_read_support_filter_xz(a);
	la.archive_read_support_filter_lz4(a);
	la.archive_read_support_filter_zstd(a);
}

int gyve_unpack(const void *data, size_t size, uint64_t max, uint8_t **ret, size_t *len, struct gyve_err *err)
{
	struct archive_entry *e;
	struct archive *a;
	uint8_t *buf = NULL;
	int r = late_la(err);

	if (r < 0)
		return r;
	a = la.archive_read_new();
	if (!a)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	add_filters(a);
	if (la.archive_read_support_format_raw(a) != ARCHIVE_OK || la.archive_read_open_memory(a, data, size) != ARCHIVE_OK ||
	    la.archive_read_next_header(a, &e) != ARCHIVE_OK)
		r = damaged(a, err);
	else
		r = read_all(a, max, &buf, len, err);
	la.archive_read_free(a);
	if (r < 0)
		free(buf);
	else
		*ret = buf;
	return r;
}
#endif
