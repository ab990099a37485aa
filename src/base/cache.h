/* Files that only save work: below XDG_CACHE_HOME, read only if they are our own user's, written beside and renamed. */
#ifndef GYVE_CACHE_H
#define GYVE_CACHE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** "$XDG_CACHE_HOME/gyve/NAME", or below ~/.cache. create: make the directories. False: there is no such place. */
bool gyve_cache_path(char *buf, size_t size, const char *name, bool create);
/** Open path for reading. -1: it is not there, or it is not a regular file that belongs to us and only we can write. */
int gyve_cache_open(const char *path);
/** Make the file path of these bytes; whole or not at all. Failures are nobody's concern. */
void gyve_cache_store(const char *path, const void *data, size_t len);
#endif
