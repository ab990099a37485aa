/* Private to src/hermit: the guest's descriptors. */
#ifndef GYVE_HERMIT_FILES_H
#define GYVE_HERMIT_FILES_H
#include "filemap.h"
#include "hermit.h"

enum hermit_file_kind { HERMIT_FILE_HOST, HERMIT_FILE_MEMORY, HERMIT_FILE_DIR };

/* What a directory of the map held when it was opened, in name order. */
struct hermit_dirlist {
	size_t n;
	struct {
		uint8_t type; /* as getdents64(2) has it */
		char name[NAME_MAX + 1];
	} entry[];
};

struct hermit_file {
	int number; /* the guest's */
	enum hermit_file_kind kind;
	int fd;         /* HOST */
	bool waits;     /* HOST, neither file nor directory */
	int64_t offset; /* MEMORY: bytes, DIR: entries */
	const uint8_t *data;
	size_t len;
	struct hermit_dirlist *list; /* DIR, owned */
};

struct hermit_file *hermit_file_find(struct hermit *h, int fd);
/* The guest's number for a host errno (either sign), `other` if it has none. */
int hermit_errno(int e, int other);
/* dirs.c. NULL: no memory. */
struct hermit_dirlist *hermit_list(const struct file_node *dir);
#endif
