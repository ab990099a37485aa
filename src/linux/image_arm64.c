/* arm64 Image and Image.gz: Documentation/arch/arm64/booting.rst, "Call the kernel image". */
#include "arm64.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	HEADER = 64,
	AT_TEXT_OFFSET = 8,
	AT_IMAGE_SIZE = 16,
	AT_FLAGS = 24,
	AT_MAGIC = 56,
	MAGIC = 0x644d5241, /* "ARM\x64" */
	BIG_ENDIAN_FLAG = 1,
	OLD_TEXT_OFFSET = 0x80000, /* what a header without image_size means */
	GZIP = 31,                 /* window bits: zlib's for a gzip wrapper */
	CHUNK = 1 << 20,
};

static bool is_gzip(const uint8_t *p, size_t size)
{
	return size > 18 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8;
}

static bool has_magic(const uint8_t *p, size_t size)
{
	return size >= HEADER && get_le32(p + AT_MAGIC) == MAGIC;
}

/* Up to len bytes of what p holds, to out. Returns their number; *end: that was all of it. */
static ssize_t unpack(z_stream *z, uint8_t *out, size_t len, bool *end)
{
	z->next_out = out;
	z->avail_out = (uInt)len;
	int r = inflate(z, Z_NO_FLUSH);

	*end = r == Z_STREAM_END;
	if (r != Z_OK && r != Z_STREAM_END && !(r == Z_BUF_ERROR && z->avail_out < len))
		return -ENOEXEC;
	if (r == Z_OK && z->avail_out && !z->avail_in)
		return -ENOEXEC; /* cut off */
	return (ssize_t)(len - z->avail_out);
}

static int begin(z_stream *z, const void *data, size_t size)
{
	*z = (z_stream){.next_in = (Bytef *)(uintptr_t)data, .avail_in = size < UINT32_MAX ? (uInt)size : UINT32_MAX};
	return inflateInit2(z, GZIP) == Z_OK ? 0 : -ENOMEM;
}

static bool gzip_has_magic(const void *data, size_t size)
{
	uint8_t head[HEADER];
	z_stream z;
	bool end;

	if (begin(&z, data, size) < 0)
		return false;
	ssize_t n = unpack(&z, head, sizeof(head), &end);
	inflateEnd(&z);
	return n == HEADER && has_magic(head, sizeof(head));
}

bool arm64_image_probe(const void *data, size_t size)
{
	return has_magic(data, size) || (is_gzip(data, size) && gzip_has_magic(data, size));
}

/* The stream's bytes in a buffer that grows with them: what the trailer says of their number is not to be trusted. */
static int unpack_all(z_stream *z, struct arm64_image *im, size_t max, struct gyve_err *err)
{
	bool end = false;
	size_t room = 0;

	while (!end) {
		if (im->size == room) {
			size_t more = room < CHUNK ? CHUNK : room;
			void *p = room >= max ? NULL : realloc(im->unpacked, room += more);
			if (!p)
				return gyve_err_set(err, room >= max ? -ENOEXEC : -ENOMEM,
						    "the unpacked kernel does not fit the guest's memory: give it more with "
						    "--memory-size");
			im->unpacked = p;
		}
		size_t len = room - im->size < CHUNK ? room - im->size : CHUNK;
		ssize_t n = unpack(z, (uint8_t *)im->unpacked + im->size, len, &end);
		if (n < 0)
			return gyve_err_set(err, -ENOEXEC, "the compressed kernel is damaged%s%s", z->msg ? ": " : "",
					    z->msg ? z->msg : "");
		im->size += (size_t)n;
	}
	im->data = im->unpacked;
	return 0;
}

static int open_gzip(struct arm64_image *im, const void *data, size_t size, size_t max, struct gyve_err *err)
{
	z_stream z;

	if (begin(&z, data, size) < 0)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	int r = unpack_all(&z, im, max, err);
	inflateEnd(&z);
	return r;
}

static int check_header(struct arm64_image *im, struct gyve_err *err)
{
	uint64_t flags;

	if (!has_magic(im->data, im->size))
		return gyve_err_set(err, -ENOEXEC, "no arm64 kernel Image: its header has no magic number");
	im->text_offset = get_le64(im->data + AT_TEXT_OFFSET);
	im->image_size = get_le64(im->data + AT_IMAGE_SIZE);
	flags = get_le64(im->data + AT_FLAGS);
	if (!im->image_size) { /* before Linux 3.17 */
		im->text_offset = OLD_TEXT_OFFSET;
		im->image_size = im->size;
		return 0;
	}
	if (flags & BIG_ENDIAN_FLAG)
		return gyve_err_set(err, -ENOEXEC, "a big-endian kernel");
	if (im->text_offset >= 2 << 20 || im->text_offset & 4095)
		return gyve_err_set(err, -ENOEXEC, "the Image's text offset, 0x%" PRIx64 ", is not a page below 2 MiB",
				    im->text_offset);
	if (im->image_size < HEADER)
		return gyve_err_set(err, -ENOEXEC, "the Image says that it takes %" PRIu64 " bytes, fewer than its header",
				    im->image_size);
	if (im->image_size < im->size) /* the rest is not part of it */
		im->size = (size_t)im->image_size;
	return 0;
}

int arm64_image_open(struct arm64_image *ret, const void *data, size_t size, size_t max, struct gyve_err *err)
{
	int r = 0;

	*ret = (struct arm64_image){.data = data, .size = size};
	if (!has_magic(data, size) && is_gzip(data, size)) {
		ret->size = 0;
		r = open_gzip(ret, data, size, max, err);
	}
	if (r == 0)
		r = check_header(ret, err);
	if (r < 0)
		arm64_image_close(ret);
	return r;
}

void arm64_image_close(struct arm64_image *image)
{
	free(image->unpacked);
	*image = (struct arm64_image){0};
}
