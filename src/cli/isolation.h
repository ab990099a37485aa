/* Private to src/cli: what this run needs, as grants, and the isolation made of it. */
#ifndef GYVE_CLI_ISOLATION_H
#define GYVE_CLI_ISOLATION_H
#include "gyve/filemap.h"

struct isolation {
	enum gyve_isolation mode;
	unsigned net; /**< GYVE_ISOLATE_NET if a device makes connections */
	struct gyve_grant *grants;
	size_t n;
	int fds[16]; /**< ours among them */
	size_t nfds;
	int device_fd; /**< among them, for the thread of devices, too; 0: none */
};

/** Grant rights on path to the session thread (the debugger, dumps). What does not exist is not granted. */
void isolation_path(struct isolation *iso, const char *path, unsigned rights);
/** The same, and to the thread of devices. */
void isolation_device_path(struct isolation *iso, const char *path, unsigned rights);
/** The same on the directory that holds path. */
void isolation_parent(struct isolation *iso, const char *path, unsigned rights);
/** The process: call when everything is open and before there are threads. Warnings go to notice. */
int isolation_process(struct isolation *iso, struct gyve_filemap *files, void (*notice)(void *ctx, const char *text),
		      struct gyve_err *err);
/** A thread that serves the guest: less than the process may. devices: the one that makes connections. */
int isolation_thread(const struct isolation *iso, bool devices, struct gyve_err *err);
void isolation_deinit(struct isolation *iso);
#endif
