/* Private to src/hermit: the file map's tree, and host files below a directory descriptor. */
#ifndef GYVE_HERMIT_FILEMAP_H
#define GYVE_HERMIT_FILEMAP_H
#include <limits.h>
#include <sys/stat.h>

#include "gyve/filemap.h"

enum file_kind { FILE_DIR, FILE_HOST_DIR, FILE_HOST, FILE_MEMORY };

struct file_node {
	enum file_kind kind;
	bool readonly;
	bool temp;                         /* in the temporary directory */
	bool missing;                      /* HOST, not there when it was mapped */
	char *name;                        /* in its directory of the tree */
	struct file_node *parent, **child; /* children are sorted by name */
	size_t nchild;
	int fd;       /* HOST_DIR: itself; HOST: the directory that holds it. O_PATH, owned unless temp */
	int grant_fd; /* HOST: itself, for gyve_filemap_grants(); -1 */
	char *host;   /* HOST: its name in fd */
	const uint8_t *data;
	size_t len;
};

struct gyve_filemap {
	struct file_node root;
	char *temp_parent, *temp_name;
	int temp_parent_fd, temp_fd; /* -1: none */
	int temp_flags;
	uint64_t made; /* names in the temporary directory */
	size_t nodes;
};

/* Where a path leads. */
struct file_place {
	struct file_node *node; /* the deepest on the way */
	bool exact;             /* the path is the node's */
	const char *rest;       /* what follows: below a HOST_DIR, or not in the tree */
	char path[PATH_MAX];    /* cleaned; rest points into it */
};

/* -EINVAL: not UTF-8, -ENAMETOOLONG. Then where it leads: 0, or -ENOENT when it is below a file. */
int filemap_find(struct gyve_filemap *map, const char *path, struct file_place *ret);
/* A new file or directory in the temporary directory at an unmapped place; nothing is made on the disk. NULL: no more room. */
struct file_node *filemap_add_temp(struct gyve_filemap *map, struct file_place *at, enum file_kind kind);
/* Take a leaf or an empty directory out of the tree. */
void filemap_remove(struct gyve_filemap *map, struct file_node *node);

/* --- hostfs.c: path is relative to dir, never leads out of it, and "" is dir itself. Descriptors or negative errno. */
int hostfs_open(int dir, const char *path, int flags, int mode);
int hostfs_unlink(int dir, const char *path);
int hostfs_mkdir(int dir, const char *path, int mode);
int hostfs_stat(int dir, const char *path, bool follow, struct stat *ret);
/* Remove everything in the directory, and then itself: name in parent. */
void hostfs_remove_tree(int parent, const char *name);
/* For tests: walk without openat2(2), as on kernels before 5.6. */
void hostfs_without_openat2(bool without);
#endif
