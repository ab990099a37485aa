/* A dump compressed in zstd frames with a seek table: each frame is decompressed when something in it is first read. A zstd
 * file without the table is refused: it would have to be decompressed whole. */
#include "config.h"

#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { ZSTD_FRAME_MAGIC = (int)0xfd2fb528, FOOT = 9, ENTRY = 8 };

#ifdef HAVE_ZSTD
#include <zstd.h>

struct frames {
	const uint8_t *file;
	uint8_t *out;
	uint64_t out_len, n;
	struct frame {
		uint64_t at, out_at;
		uint32_t len, out_len;
		bool done, bad;
	} * f;
};

static int make_frame(struct gyve_core *core, struct frames *z, struct frame *f)
{
	size_t n;

	if (f->done)
		return f->bad ? -EIO : 0;
	f->done = true;
	n = ZSTD_decompress(z->out + f->out_at, f->out_len, z->file + f->at, f->len);
	f->bad = ZSTD_isError(n) || n != f->out_len;
	if (f->bad)
		core_warn(core, "the frame at 0x%" PRIx64 " of the file is damaged: %s", f->at,
			  ZSTD_isError(n) ? ZSTD_getErrorName(n) : "its length is wrong");
	return f->bad ? -EIO : 0;
}

static int need(struct gyve_core *core, const uint8_t *p, uint64_t len)
{
	struct frames *z = core->backing->priv;
	uint64_t at, lo = 0, hi = z->n;

	if (p < z->out || (at = (uint64_t)(p - z->out)) >= z->out_len)
		return 0; /* zeros behind a segment */
	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;
		if (z->f[mid].out_at <= at)
			lo = mid;
		else
			hi = mid;
	}
	for (; lo < z->n && z->f[lo].out_at < at + len; lo++) {
		int ret = make_frame(core, z, &z->f[lo]);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void destroy(struct gyve_core_backing *b)
{
	struct frames *z = b->priv;

	if (z->out)
		munmap(z->out, z->out_len);
	free(z->f);
	free(z);
}

/* The table's entries, checked against the file. */
static int read_table(struct frames *z, const uint8_t *file, uint64_t size)
{
	uint64_t table = z->n * ENTRY, at = 0, out_at = 0;
	const uint8_t *e = file + size - FOOT - table;

	for (uint64_t i = 0; i < z->n; i++, e += ENTRY) {
		struct frame *f = &z->f[i];
		*f = (struct frame){at, out_at, get_le32(e), get_le32(e + 4), false, false};
		if (f->len > size - FOOT - table - at || !f->out_len || out_at + f->out_len > INT64_MAX)
			return -EINVAL;
		at += f->len;
		out_at += f->out_len;
	}
	z->out_len = out_at;
	return out_at ? 0 : -EINVAL;
}

int core_zstd_open(struct gyve_core *core, struct gyve_err *err)
{
	struct gyve_core_backing *b = core->backing;
	const uint8_t *foot = b->data + b->size - FOOT;
	struct frames *z;
	int ret;

	if (b->size < 4 || get_le32(b->data) != (uint32_t)ZSTD_FRAME_MAGIC)
		return 0;
	if (b->size < FOOT + 8 || get_le32(foot + 5) != 0x8f92eab1 || foot[4] & 0x80 ||
	    get_le32(foot) > (b->size - FOOT) / ENTRY)
		return gyve_err_set(err, -ENOEXEC,
				    "compressed by zstd without a seek table, or cut short: decompress what is "
				    "there with zstd -d");
	z = calloc(1, sizeof(*z));
	if (!z || !(z->f = calloc(get_le32(foot) + 1ul, sizeof(*z->f)))) {
		free(z);
		return gyve_err_set(err, -ENOMEM, "no memory");
	}
	z->file = b->data;
	z->n = get_le32(foot);
	ret = read_table(z, b->data, b->size);
	if (ret == 0) {
		z->out = mmap(NULL, z->out_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (z->out == MAP_FAILED) {
			z->out = NULL;
			ret = -ENOMEM;
		}
	}
	b->priv = z;
	b->destroy = destroy;
	if (ret < 0)
		return gyve_err_set(err, ret == -EINVAL ? -ENOEXEC : ret, "its seek table makes no sense");
	b->need = need;
	b->data = z->out;
	b->size = z->out_len;
	/* the ELF header, its program headers */
	if (z->n && make_frame(core, z, &z->f[0]) < 0)
		return gyve_err_set(err, -ENOEXEC, "its first frame is damaged");
	return 0;
}
#else
int core_zstd_open(struct gyve_core *core, struct gyve_err *err)
{
	const struct gyve_core_backing *b = core->backing;

	if (b->size >= 4 && get_le32(b->data) == (uint32_t)ZSTD_FRAME_MAGIC)
		return gyve_err_set(err, -ENOTSUP, "compressed by zstd, and this gyve was built without it: zstd -d");
	return 0;
}
#endif
