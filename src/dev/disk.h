/* Private to gyve: a disk's bytes: a raw file or block device, written to, only read, or under an overlay that takes the writes
 * and is forgotten at the end. One thread at a time. */
#ifndef DISK_H
#define DISK_H
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "gyve/error.h"

struct disk;
/** spec is FILE, FILE,ro or FILE,overlay. -EINVAL, or what the file gives. */
int disk_open(struct disk **ret, const char *spec, struct gyve_err *err);
/** NULL ok. */
void disk_close(struct disk *d);
/** Bytes: whole sectors of 512. */
uint64_t disk_size(const struct disk *d);
bool disk_readonly(const struct disk *d);
/** All of the pieces, from byte `at`. -EINVAL: beyond the end; -EROFS; what the file gives. At most IOV_MAX pieces. */
int disk_read(struct disk *d, uint64_t at, const struct iovec *v, unsigned n);
int disk_write(struct disk *d, uint64_t at, const struct iovec *v, unsigned n);
/** What was written is safe when this returns. */
int disk_flush(struct disk *d);
#endif
