/* Whole-file reads and full writes that survive EINTR and short counts. */
#ifndef GYVE_IO_H
#define GYVE_IO_H
#include "gyve/error.h"

#include <stdint.h>
#include <sys/types.h>

/** Write all of buf. 0 or negative errno. */
int gyve_write_all(int fd, const void *buf, size_t len);
enum { GYVE_FILE_TAIL = 64 };
/** Map a regular file read-only and private, with GYVE_FILE_TAIL zeros behind its end that may be read, too. *size may be 0
 * with *data NULL. Undo with gyve_file_unmap(). */
int gyve_file_map(const char *path, const uint8_t **data, size_t *size, struct gyve_err *err);
void gyve_file_unmap(const uint8_t *data, size_t size);
#endif
