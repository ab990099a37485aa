/* From what a run uses to what gyve, and the guest's threads, may still do. */
#include "config.h"

#include "isolation.h"

#include "gyve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add(struct isolation *iso, int fd, unsigned rights)
{
	struct gyve_grant *g = realloc(iso->grants, (iso->n + 1) * sizeof(*g));

	if (!g)
		return -ENOMEM;
	iso->grants = g;
	g[iso->n++] = (struct gyve_grant){fd, rights};
	return 0;
}

void isolation_path(struct isolation *iso, const char *path, unsigned rights)
{
	int fd = iso->nfds < GYVE_ARRAY_SIZE(iso->fds) ? open(path, O_PATH | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	iso->fds[iso->nfds++] = fd;
	add(iso, fd, rights | GYVE_GRANT_SESSION);
}

void isolation_device_path(struct isolation *iso, const char *path, unsigned rights)
{
	size_t before = iso->nfds;

	isolation_path(iso, path, rights);
	if (iso->nfds > before)
		iso->device_fd = iso->fds[before];
}

void isolation_parent(struct isolation *iso, const char *path, unsigned rights)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");

	if (dir)
		isolation_path(iso, dir, rights);
	free(dir);
}

static int add_files(struct isolation *iso, struct gyve_filemap *files)
{
	ssize_t n = gyve_filemap_grants(files, NULL, 0);
	struct gyve_grant *g = n > 0 ? calloc((size_t)n, sizeof(*g)) : NULL;
	int r = n < 0 || (n && !g) ? -ENOMEM : 0;

	if (r == 0 && n)
		gyve_filemap_grants(files, g, (size_t)n);
	for (ssize_t i = 0; r == 0 && i < n; i++)
		r = add(iso, g[i].fd, g[i].rights);
	free(g);
	return r;
}

int isolation_process(struct isolation *iso, struct gyve_filemap *files, void (*notice)(void *ctx, const char *text),
		      struct gyve_err *err)
{
	struct gyve_isolate_info info;
	struct gyve_err warning;

	if (iso->mode == GYVE_ISOLATION_NONE)
		return 0;
#ifdef __SANITIZE_ADDRESS__
	isolation_path(iso, "/proc", GYVE_GRANT_READ); /* where the leak check looks for threads */
#endif
	if (add_files(iso, files) < 0)
		return gyve_err_set(err, -ENOMEM, "no memory for the isolation's rules");
	gyve_isolate_probe(&info);
	if (!info.seccomp && iso->mode == GYVE_ISOLATION_STRICT)
		return gyve_err_set(err, -EINVAL, "strict isolation needs seccomp, which this %s lacks",
#ifdef HAVE_SECCOMP
				    "kernel");
#else
				    "build of gyve");
#endif
	int r = gyve_isolate_files(iso->mode, iso->net | GYVE_ISOLATE_SCOPE, iso->grants, iso->n, &warning, err);
	if (r == 0 && warning.text[0])
		notice(NULL, warning.text);
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_MAIN, "isolation: Landlock version %d%s, %zu rules; system call filter: %s",
		 info.landlock, info.network ? " with networks" : "", iso->n, info.seccomp ? "yes" : "no");
	return r;
}

int isolation_thread(const struct isolation *iso, bool devices, struct gyve_err *err)
{
	struct gyve_grant *g;
	size_t n = 0;
	unsigned net = devices ? iso->net : 0;

	if (iso->mode == GYVE_ISOLATION_NONE)
		return 0;
	g = calloc(iso->n + 1, sizeof(*g));
	if (!g)
		return gyve_err_set(err, -ENOMEM, "no memory for the isolation's rules");
	for (size_t i = 0; i < iso->n; i++)
		if (!(iso->grants[i].rights & GYVE_GRANT_SESSION) || (devices && iso->grants[i].fd == iso->device_fd))
			g[n++] = iso->grants[i];
	int r = gyve_isolate_files(iso->mode, net, g, n, NULL, err);
	free(g);
	if (r == 0)
		r = gyve_isolate_calls(net, err);
	return r == -ENOSYS ? 0 : r; /* strict has refused before */
}

void isolation_deinit(struct isolation *iso)
{
	for (size_t i = 0; i < iso->nfds; i++)
		close(iso->fds[i]);
	free(iso->grants);
	iso->grants = NULL;
	iso->n = iso->nfds = 0;
}
