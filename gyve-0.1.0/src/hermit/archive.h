/* Private to src/hermit: the archive of a Hermit image, unpacked into memory. */
#ifndef GYVE_HERMIT_ARCHIVE_H
#define GYVE_HERMIT_ARCHIVE_H
#include "gyve/hermit_image.h"

/* Fill tar and files of image. clean: names lose `./` and leading `/`. */
int hermit_archive_read(struct gyve_hermit_image *image, const void *data, size_t size, bool clean, uint64_t max,
			struct gyve_err *err);
#endif
