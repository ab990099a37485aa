/* What the process, and the threads that guests keep busy, may still do: Landlock for paths and networks, seccomp for system
 * calls. Nothing here knows a guest. */
#ifndef GYVE_ISOLATE_H
#define GYVE_ISOLATE_H
#include "gyve/error.h"
#include "gyve/types.h"

enum {
	GYVE_GRANT_READ = 1,   /**< open for reading, list */
	GYVE_GRANT_WRITE = 2,  /**< open for writing, truncate */
	GYVE_GRANT_MAKE = 4,   /**< make files and directories in it */
	GYVE_GRANT_REMOVE = 8, /**< remove files and directories in it */
	GYVE_GRANT_ALL = 15,
};
/** Rights on what fd (any kind, O_PATH will do) refers to; a directory stands for all below it. */
struct gyve_grant {
	int fd;
	unsigned rights; /**< GYVE_GRANT_* */
};

enum gyve_isolation { GYVE_ISOLATION_NORMAL, GYVE_ISOLATION_STRICT, GYVE_ISOLATION_NONE };

struct gyve_isolate_info {
	int landlock; /**< ABI version of the kernel's Landlock; 0: none */
	bool network; /**< it can forbid TCP */
	bool seccomp; /**< built in, and the kernel has filters */
};
void gyve_isolate_probe(struct gyve_isolate_info *ret);

/** Landlock on the calling thread and all it starts later: nothing but what is granted, no device nodes made, and without
 * net no TCP bind or connect where the kernel can say so. STRICT: an error where the kernel lacks Landlock or a right that it
 * would need; NORMAL: what there is, and if that is nothing, 0 with a sentence in warning (else its text is empty). */
int gyve_isolate_files(enum gyve_isolation mode, const struct gyve_grant *grants, size_t n, bool net, struct gyve_err *warning,
		       struct gyve_err *err);
/** seccomp on the calling thread: the system calls of a vCPU or device thread. New programs, processes, sockets and tracing end
 * gyve; what else is not on the list gives the caller EPERM. */
int gyve_isolate_calls(struct gyve_err *err);
#endif
