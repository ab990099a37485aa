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
	GYVE_GRANT_SESSION = 16, /**< for the session thread only, not for those that serve the guest */
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

enum {
	GYVE_ISOLATE_NET = 1,   /**< TCP bind and connect stay possible */
	GYVE_ISOLATE_SCOPE = 2, /**< signals and abstract sockets of processes outside are out of reach; once per process */
};
/** Landlock on the calling thread and all it starts later: nothing but what is granted, no program run, no device nodes, links
 * or sockets made. STRICT: an error where the kernel lacks Landlock or cannot forbid all that a file can suffer; NORMAL: what
 * there is, and if that is nothing, 0 and a sentence in warning (else its text is empty). May be repeated with less. */
int gyve_isolate_files(enum gyve_isolation mode, unsigned flags, const struct gyve_grant *grants, size_t n,
		       struct gyve_err *warning, struct gyve_err *err);
/** seccomp on the calling thread: the system calls of a vCPU or device thread (with NET: one that opens sockets). New programs,
 * processes, sockets and tracing end gyve; what else is not on the list gives the caller EPERM. -ENOSYS: not built in. */
int gyve_isolate_calls(unsigned flags, struct gyve_err *err);
#endif
