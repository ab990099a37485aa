/* The files of a guest: a tree of guest paths whose leaves are host files, host directories or bytes in memory. A guest path
 * is cleaned (`.`, `..`, `//`) before it is looked up, and below a host directory the kernel resolves it without ever leaving
 * that directory: no `..`, no symbolic link and no rename leads out. The one exception there is no help for: what the host
 * itself mounts or moves in there. Not thread-safe; the caller has a lock. */
#ifndef GYVE_FILEMAP_H
#define GYVE_FILEMAP_H
#include "gyve/isolate.h"

struct gyve_filemap;

/** An empty map: no path exists, and none can be made before gyve_filemap_make_temp(). */
int gyve_filemap_create(struct gyve_filemap **ret);
/** Closes all, removes the temporary directory with all that is in it. NULL ok. */
void gyve_filemap_destroy(struct gyve_filemap *map);
/** HOST:GUEST or HOST:GUEST:ro. HOST is a file, a directory, or a file yet to be made in a directory that exists; it is opened
 * now, and what it is replaced by later is not followed. -EINVAL: the grammar, or a GUEST that is empty, taken, or below a
 * leaf.
 */
int gyve_filemap_add(struct gyve_filemap *map, const char *spec, struct gyve_err *err);
/** A read-only file of these bytes, which are borrowed until the map goes. Directories on the way are made. */
int gyve_filemap_add_memory(struct gyve_filemap *map, const char *guest, const void *data, size_t len, struct gyve_err *err);
/** Make the directory for files that the guest makes at unmapped paths, in parent (NULL: TMPDIR, else /tmp). */
int gyve_filemap_make_temp(struct gyve_filemap *map, const char *parent, struct gyve_err *err);
/** Added to the flags of files in the temporary directory: O_DIRECT, O_SYNC. */
void gyve_filemap_temp_flags(struct gyve_filemap *map, int flags);
/** What isolation has to leave possible. Descriptors belong to the map. Returns how many (at most max are stored), -ENOMEM. */
ssize_t gyve_filemap_grants(struct gyve_filemap *map, struct gyve_grant *ret, size_t max);
/** Guest directories a kernel should mount, as "/a\0/b\0". Returns bytes (at most size are stored); 0: none. */
size_t gyve_filemap_mounts(const struct gyve_filemap *map, char *buf, size_t size);
#endif
