/* Landlock by its system calls: the headers of older systems know less than newer kernels can do, so the numbers are here. */
#include "config.h"

#include "gyve/isolate.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture; linux/landlock.h. */
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, ASK_VERSION = 1, PATH_BENEATH = 1 };
enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_ABI_1 = (1 << 13) - 1,
	FS_REFER = 1 << 13,     /* ABI 2 */
	FS_TRUNCATE = 1 << 14,  /* ABI 3 */
	FS_IOCTL_DEV = 1 << 15, /* ABI 5 */
	NET_TCP = 3,            /* ABI 4: bind, connect */
	SCOPED = 3,             /* ABI 6: abstract sockets, signals */
};
enum { ABI_TRUNCATE = 3, ABI_NET = 4, ABI_IOCTL = 5, ABI_SCOPE = 6 };

struct ruleset {
	uint64_t fs, net, scoped;
};
struct path_rule {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

static int landlock_abi(void)
{
	long v = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);

	return v < 0 ? -errno : (int)v;
}

void gyve_isolate_probe(struct gyve_isolate_info *ret)
{
	int abi = landlock_abi();

	ret->landlock = abi < 0 ? 0 : abi;
	ret->network = abi >= ABI_NET;
	ret->seccomp = false;
#ifdef HAVE_SECCOMP
	ret->seccomp = prctl(PR_GET_SECCOMP) >= 0;
#endif
}

/* What the kernel is told to forbid. */
static uint64_t handled(int abi)
{
	return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= ABI_TRUNCATE ? FS_TRUNCATE : 0) |
	       (abi >= ABI_IOCTL ? FS_IOCTL_DEV : 0);
}

/* No right to execute, and none to make links, devices or sockets, for anything. */
static uint64_t allowed(unsigned rights, bool dir)
{
	uint64_t r = 0;

	if (rights & GYVE_GRANT_READ)
		r |= FS_READ_FILE | (dir ? FS_READ_DIR : 0);
	if (rights & GYVE_GRANT_WRITE)
		r |= FS_WRITE_FILE | FS_TRUNCATE;
	if (rights & GYVE_GRANT_MAKE && dir)
		r |= FS_MAKE_REG | FS_MAKE_DIR;
	if (rights & GYVE_GRANT_REMOVE && dir)
		r |= FS_REMOVE_FILE | FS_REMOVE_DIR;
	return r;
}

static int add_grant(int ruleset, uint64_t fs, const struct gyve_grant *g)
{
	struct path_rule rule = {.fd = g->fd};
	struct stat st;

	if (fstat(g->fd, &st) < 0)
		return -errno;
	rule.allowed = allowed(g->rights, S_ISDIR(st.st_mode)) & fs;
	if (!rule.allowed)
		return 0;
	if (syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0) == 0)
		return 0;
	/* not on a file system: a pipe, a socket. There is nothing to grant. */
	return errno == EBADFD ? 0 : -errno;
}

static const char *why_no_landlock(int e)
{
	return e == -EOPNOTSUPP ? "its Landlock is built in but switched off (boot it with lsm=landlock,...)"
	       : e == -ENOSYS   ? "it is built without Landlock, or older than 5.13"
				: strerror(-e);
}

static int restrict_self(int abi, const struct gyve_grant *grants, size_t n, bool net, bool scope)
{
	struct ruleset set = {.fs = handled(abi),
			      .net = abi >= ABI_NET && !net ? NET_TCP : 0,
			      .scoped = abi >= ABI_SCOPE && scope ? SCOPED : 0};
	size_t size = abi >= ABI_SCOPE ? sizeof(set) : abi >= ABI_NET ? 16 : 8;
	int fd = (int)syscall(CREATE_RULESET, &set, size, 0), r = fd < 0 ? -errno : 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_grant(fd, set.fs, &grants[i]);
	if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(RESTRICT_SELF, fd, 0) < 0))
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

int gyve_isolate_files(enum gyve_isolation mode, unsigned flags, const struct gyve_grant *grants, size_t n,
		       struct gyve_err *warning, struct gyve_err *err)
{
	int abi = landlock_abi(), r;

	if (warning)
		warning->text[0] = '\0';
	if (mode == GYVE_ISOLATION_NONE)
		return 0;
	if (abi < 0 && mode == GYVE_ISOLATION_STRICT)
		return gyve_err_set(err, -EINVAL,
				    "strict isolation needs Landlock, which this kernel lacks: %s; --file-isolation "
				    "normal does without",
				    why_no_landlock(abi));
	if (abi < 0) {
		gyve_err_set(warning, abi, "no file isolation: this kernel has no Landlock: %s", why_no_landlock(abi));
		return 0;
	}
	if (abi < ABI_TRUNCATE && mode == GYVE_ISOLATION_STRICT)
		return gyve_err_set(err, -EINVAL,
				    "strict isolation needs Linux 6.2: this kernel's Landlock (version %d) cannot forbid to "
				    "truncate files; --file-isolation normal does what it can",
				    abi);
	r = restrict_self(abi, grants, n, flags & GYVE_ISOLATE_NET, flags & GYVE_ISOLATE_SCOPE);
	return r < 0 ? gyve_err_set(err, -EINVAL, "Landlock does not take the rules (--file-isolation none does without): %s",
				    strerror(-r))
		     : 0;
}
