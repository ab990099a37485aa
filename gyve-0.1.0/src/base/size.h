/* Sizes as people write them. */
#ifndef GYVE_SIZE_H
#define GYVE_SIZE_H
#include "gyve/error.h"
#include "gyve/types.h"

/** "16MiB", "1GiB", "64M" (10^6), "4096". -EINVAL, also for 0 and what does not fit 64 bits. */
int gyve_size_parse(uint64_t *ret, const char *text, struct gyve_err *err);
#endif
