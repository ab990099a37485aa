/* Memory without registers: LiME (a header of 32 bytes before each range) and bare images. */
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { HEAD = 32 };

int core_lime_open(struct gyve_core *core, struct gyve_err *err)
{
	uint64_t at = 0, size = core->backing->size;
	unsigned n = 0;

	core->kind = GYVE_CORE_LIME;
	snprintf(core->format, sizeof(core->format), "LiME image");
	while (size - at >= HEAD) {
		const uint8_t *p = core->backing->data + at;
		if (core->backing->need && core->backing->need(core, p, HEAD) < 0)
			break;
		uint64_t start = get_le64(p + 8), last = get_le64(p + 16), len = last - start + 1;
		if (get_le32(p) != 0x4c694d45 || get_le32(p + 4) != 1 || last < start || !len) {
			core_warn(core, "no LiME header at 0x%" PRIx64 " of the file: what follows is left out", at);
			break;
		}
		core_add_file(core, start, at + HEAD, len, "range");
		n++;
		if (len > size - at - HEAD)
			break;
		at += HEAD + len;
	}
	return n ? 0 : gyve_err_set(err, -ENOEXEC, "a LiME image without a range");
}

int core_raw_open(struct gyve_core *core, const struct gyve_core_open *opt, struct gyve_err *err)
{
	core->kind = GYVE_CORE_RAW;
	snprintf(core->format, sizeof(core->format), "memory image");
	return core_add_file(core, opt->raw_gpa, 0, core->backing->size, "image") < 0
		       ? gyve_err_set(err, -EINVAL, "the image does not fit at 0x%" PRIx64, opt->raw_gpa)
		       : 0;
}
