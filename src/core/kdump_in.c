/* kdump-compressed dumps by libkdumpfile: it finds the pages, the notes are read as an ELF core's are. */
#include "config.h"

#include "core_priv.h"

#ifdef HAVE_KDUMPFILE
#include "../base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libkdumpfile/kdumpfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../base/late.h"

#define FUNCTIONS(F) F(kdump_free) F(kdump_get_err) F(kdump_get_typed_attr) F(kdump_new) F(kdump_read) F(kdump_set_attr)
#ifdef KDUMP_SONAME
LATE_LIBRARY(kd, KDUMP_SONAME, FUNCTIONS)
#else
LINKED_LIBRARY(kd, FUNCTIONS)
#endif

struct kdump {
	kdump_ctx_t *ctx;
	int fd;
	uint8_t *mem; /* the one region, from gpa 0 on */
	uint64_t len, page;
	uint8_t *done; /* a bit for each page */
};

static int need(struct gyve_core *core, const uint8_t *p, uint64_t len)
{
	struct kdump *k = core->backing->priv;
	uint64_t from, to;

	if (p < k->mem || (uint64_t)(p - k->mem) >= k->len)
		return 0;
	from = (uint64_t)(p - k->mem) / k->page;
	to = ((uint64_t)(p - k->mem) + len + k->page - 1) / k->page;
	for (uint64_t i = from; i < to; i++) {
		size_t n = k->page;
		if (k->done[i / 8] >> i % 8 & 1)
			continue;
		if (kd.kdump_read(k->ctx, KDUMP_MACHPHYSADDR, i * k->page, k->mem + i * k->page, &n) != KDUMP_OK)
			return i > from ? 0 : -EFAULT;
		k->done[i / 8] |= (uint8_t)(1u << i % 8);
	}
	return 0;
}

static void destroy(struct gyve_core_backing *b)
{
	struct kdump *k = b->priv;

	if (k->ctx)
		kd.kdump_free(k->ctx);
	if (k->fd >= 0)
		close(k->fd);
	free(k->done);
	free(k);
}

static uint64_t number(kdump_ctx_t *ctx, const char *key)
{
	kdump_attr_t a = {.type = KDUMP_NUMBER};

	return kd.kdump_get_typed_attr(ctx, key, &a) == KDUMP_OK ? a.val.number : 0;
}

/* The ELF notes lie where the sub header says (its offsets on 64-bit systems). */
static void notes(struct gyve_core *core)
{
	const uint8_t *d = core->backing->data;
	uint64_t size = core->backing->size, block = size > 432 ? get_le32(d + 428) : 0, off, len;

	if (block < 104 || block > 1 << 20 || size < 2 * block || get_le32(d + 8) < 4)
		return;
	off = get_le64(d + block + 48);
	len = get_le64(d + block + 56);
	if (off <= size && len <= size - off)
		core_elf_notes(core, d + off, len, 4, false);
	else
		core_warn(core, "its notes are not in the file");
}

static int open_kdump(struct gyve_core *core, struct kdump *k, const char *path, struct gyve_err *err)
{
	kdump_attr_t arch = {.type = KDUMP_STRING};
	kdump_status s;
	int ret = late_kd(err);

	if (ret < 0)
		return ret;

	k->fd = open(path, O_RDONLY | O_CLOEXEC);
	k->ctx = kd.kdump_new();
	if (k->fd < 0 || !k->ctx)
		return gyve_err_set(err, -EIO, "%s cannot be opened", path);
	s = kd.kdump_set_attr(k->ctx, KDUMP_ATTR_FILE_FD, &(kdump_attr_t){KDUMP_NUMBER, {.number = (kdump_num_t)k->fd}});
	if (s != KDUMP_OK)
		return gyve_err_set(err, -ENOEXEC, "%s: libkdumpfile: %.200s", path, kd.kdump_get_err(k->ctx));
	bool known = kd.kdump_get_typed_attr(k->ctx, KDUMP_ATTR_ARCH_NAME, &arch) == KDUMP_OK && arch.val.string;
	core->arch = known && strcmp(arch.val.string, "aarch64") == 0 ? &gyve_arch_aarch64 : &gyve_arch_x86_64;
	k->page = number(k->ctx, "arch.page_size");
	if (k->page < 4096 || k->page > 1 << 20)
		k->page = 4096;
	if (__builtin_mul_overflow(number(k->ctx, "max_pfn"), k->page, &k->len) || !k->len || k->len > UINT64_C(1) << 46)
		return gyve_err_set(err, -ENOEXEC, "%s: it says nothing sensible about the size of memory", path);
	k->done = calloc(k->len / k->page / 8 + 1, 1);
	if (!k->done || core_add_zero(core, 0, k->len, &k->mem) < 0)
		return gyve_err_set(err, -ENOMEM, "%s: no room for %" PRIu64 " bytes", path, k->len);
	return 0;
}

int core_kdump_open(struct gyve_core *core, const char *path, struct gyve_err *err)
{
	struct gyve_core_backing *b = core->backing;
	struct kdump *k;
	int ret;

	if (b->size < 464 || (memcmp(b->data, "KDUMP   ", 8) != 0 && memcmp(b->data, "DISKDUMP", 8) != 0))
		return 0;
	k = calloc(1, sizeof(*k));
	if (!k)
		return gyve_err_set(err, -ENOMEM, "no memory");
	k->fd = -1;
	ret = open_kdump(core, k, path, err);
	b->priv = k;
	b->destroy = destroy;
	if (ret < 0)
		return ret;
	core->kind = GYVE_CORE_KDUMP;
	snprintf(core->format, sizeof(core->format), "kdump-compressed dump");
	b->need = need;
	notes(core);
	return 0;
}
#else
#include <errno.h>
#include <string.h>

int core_kdump_open(struct gyve_core *core, const char *path, struct gyve_err *err)
{
	const struct gyve_core_backing *b = core->backing;

	if (b->size >= 8 && (memcmp(b->data, "KDUMP   ", 8) == 0 || memcmp(b->data, "DISKDUMP", 8) == 0))
		return gyve_err_set(err, -ENOTSUP, "%s: a kdump-compressed dump, and this gyve was built without libkdumpfile",
				    path);
	return 0;
}
#endif
