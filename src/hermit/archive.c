/* Unpacking by libarchive: a compressed tar only, and never more than was agreed on. */
#include "config.h"

#include "archive.h"

#include "gyve/loader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef HAVE_LIBARCHIVE
int hermit_archive_read(struct gyve_hermit_image *image, const void *data, size_t size, bool clean, uint64_t max,
			struct gyve_err *err)
{
	(void)image, (void)data, (void)size, (void)clean, (void)max;
	return gyve_err_set(err, -ENOSYS, "compressed Hermit images need libarchive, which this build of gyve lacks");
}
#else
#include <archive.h>
#include <archive_entry.h>

#include "../base/late.h"

#define FUNCTIONS(F)                   \
	F(archive_entry_filetype)      \
	F(archive_entry_hardlink_utf8) \
	F(archive_entry_pathname_utf8) \
	F(archive_entry_size)          \
	F(archive_error_string)        \
	F(archive_read_data)           \
	F(archive_read_free)           \
	F(archive_read_new)            \
	F(archive_read_next_header)    \
	F(archive_read_open_memory)    \
	F(archive_read_set_options)    \
	F(archive_read_support_format_tar)
#ifdef ARCHIVE_SONAME
LATE_LIBRARY(la, ARCHIVE_SONAME, FUNCTIONS)
#else
LINKED_LIBRARY(la, FUNCTIONS)
#endif

static int damaged(struct archive *a, struct gyve_err *err)
{
	const char *why = a ? la.archive_error_string(a) : NULL;

	return gyve_err_set(err, -ENOEXEC, "the image's archive is damaged: %.200s", why ? why : "it ends early");
}

static int too_large(uint64_t max, struct gyve_err *err)
{
	return gyve_err_set(err, -ENOEXEC, "the image unpacks to more than %llu MiB", (unsigned long long)(max >> 20));
}

/* --- tar */

/* To where the name begins without `./` and `/`; NULL: it would lead out. */
static const char *clean_name(const char *name, bool clean)
{
	while (clean && (*name == '/' || (name[0] == '.' && name[1] == '/')))
		name += *name == '/' ? 1 : 2;
	for (const char *p = name; *p;) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.')
			return NULL;
		p += n + (p[n] == '/');
	}
	return *name ? name : NULL;
}

static int read_contents(struct gyve_hermit_file *f, struct archive *a, struct archive_entry *e, uint64_t *left, uint64_t max,
			 struct gyve_err *err)
{
	int64_t size = la.archive_entry_size(e);

	if (size < 0 || (uint64_t)size > *left)
		return too_large(max, err);
	*left -= (uint64_t)size;
	f->data = malloc(size ? (size_t)size : 1);
	if (!f->data)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	while (f->len < (size_t)size) {
		la_ssize_t n = la.archive_read_data(a, f->data + f->len, (size_t)size - f->len);
		if (n <= 0)
			return damaged(n < 0 ? a : NULL, err);
		f->len += (size_t)n;
	}
	return 0;
}

static int read_entry(struct gyve_hermit_image *image, struct archive *a, struct archive_entry *e, bool clean, uint64_t *left,
		      uint64_t max, struct gyve_err *err)
{
	const char *name = la.archive_entry_pathname_utf8(e);
	struct gyve_hermit_file *files;

	if (la.archive_entry_filetype(e) != AE_IFREG || la.archive_entry_hardlink_utf8(e))
		return 0;
	if (!name || strlen(name) > GYVE_HERMIT_IMAGE_NAME || !(name = clean_name(name, clean)))
		return gyve_err_set(err, -ENOEXEC, "the image's archive has a file name that is %s",
				    name ? "too long" : "not UTF-8 or leads out of it");
	if (image->nfiles == GYVE_HERMIT_IMAGE_FILES)
		return gyve_err_set(err, -ENOEXEC, "the image holds more than %d files", GYVE_HERMIT_IMAGE_FILES);
	if ((image->nfiles & (image->nfiles - 1)) == 0) { /* a power of two, or none: full */
		files = realloc(image->files, (image->nfiles ? 2 * image->nfiles : 1) * sizeof(*files));
		if (!files)
			return gyve_err_set(err, -ENOMEM, "no memory for the image");
		image->files = files;
	}
	files = &image->files[image->nfiles++];
	*files = (struct gyve_hermit_file){.name = strdup(name)};
	if (!files->name)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	return read_contents(files, a, e, left, max, err);
}

static int untar(struct gyve_hermit_image *image, bool clean, uint64_t max, struct gyve_err *err)
{
	struct archive *a = la.archive_read_new();
	struct archive_entry *e;
	uint64_t left = max;
	int ret = 0, next;

	if (!a)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	if (la.archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    la.archive_read_set_options(a, "hdrcharset=UTF-8") != ARCHIVE_OK ||
	    la.archive_read_open_memory(a, image->tar, image->tar_len) != ARCHIVE_OK)
		ret = damaged(a, err);
	while (ret == 0) {
		next = la.archive_read_next_header(a, &e);
		if (next == ARCHIVE_EOF)
			break;
		ret = next == ARCHIVE_OK || next == ARCHIVE_WARN ? read_entry(image, a, e, clean, &left, max, err)
								 : damaged(a, err);
	}
	la.archive_read_free(a);
	return ret;
}

int hermit_archive_read(struct gyve_hermit_image *image, const void *data, size_t size, bool clean, uint64_t max,
			struct gyve_err *err)
{
	int ret = late_la(err);

	if (ret == 0)
		ret = gyve_unpack(data, size, max, &image->tar, &image->tar_len, err);
	if (ret == -E2BIG)
		err->code = ret = -ENOEXEC;
	return ret < 0 ? ret : untar(image, clean, max, err);
}
#endif
