/* seccomp: what a thread that serves a guest may ask the kernel for. The list is what our code and the C library need for it,
 * seen with strace and read in the sources; a call that is missing gives EPERM, so that a new C library degrades and does not
 * die. Calls that turn a bug into a foothold end the process. */
#include "config.h"

#include "gyve/isolate.h"

#include <errno.h>
#include <string.h>

#ifdef HAVE_SECCOMP
#include <seccomp.h>
#include <sys/mman.h>

/* By name: which of them exist depends on the architecture; a name that it does not have is passed over. */
static const char *const allowed[] = {
	/* files of the guest, its output, our log */
	"read",
	"write",
	"readv",
	"writev",
	"pread64",
	"pwrite64",
	"preadv",
	"pwritev",
	"lseek",
	"close",
	"openat",
	"openat2",
	"newfstatat",
	"fstat",
	"statx",
	"getdents64",
	"unlinkat",
	"mkdirat",
	"readlinkat",
	"fcntl",
	"dup",
	"fsync",
	"fdatasync",
	"poll",
	"ppoll",
	"pselect6",
	"epoll_wait",
	"epoll_pwait",
	"epoll_ctl",
	"eventfd2",
	/* network devices: descriptors that are open already */
	"recvfrom",
	"sendto",
	"recvmsg",
	"sendmsg",
	"shutdown",
	"accept",
	"accept4",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	/* memory, locks, time, signals */
	"munmap",
	"mremap",
	"madvise",
	"brk",
	"futex",
	"futex_waitv",
	"sched_yield",
	"sched_getaffinity",
	"membarrier",
	"rseq",
	"set_robust_list",
	"clock_gettime",
	"clock_getres",
	"clock_nanosleep",
	"nanosleep",
	"gettimeofday",
	"timer_create",
	"timer_settime",
	"timer_gettime",
	"timer_delete",
	"timerfd_settime",
	"getrandom",
	"getpid",
	"gettid",
	"tgkill",
	"rt_sigreturn",
	"rt_sigprocmask",
	"rt_sigtimedwait",
	"restart_syscall",
	"sigaltstack",
	"uname",
	"exit",
	"exit_group",
};

/* Only for a thread that is the guest's user-mode network. */
static const char *const network[] = {"socket", "connect", "bind", "listen"};

static const char *const deadly[] = {
	"execve",
	"execveat",
	"fork",
	"vfork",
	"clone",
	"clone3",
	"ptrace",
	"process_vm_readv",
	"process_vm_writev",
	"bpf",
	"userfaultfd",
	"perf_event_open",
	"mount",
	"umount2",
	"pivot_root",
	"chroot",
	"setns",
	"unshare",
	"init_module",
	"finit_module",
	"kexec_load",
	"open_by_handle_at",
	"io_uring_setup",
	"keyctl",
	"add_key",
	"memfd_create",
	"personality",
};

static int add_names(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);
		int r = nr < 0 ? 0 : seccomp_rule_add(ctx, action, nr, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

/* KVM's own ioctls (0xAE) and those of a network device ('T', beyond the terminals' numbers): never one that types for the user
 * at the terminal. No memory that can be executed. */
static int add_special(scmp_filter_ctx ctx, unsigned flags)
{
	enum { BYTES_WAITING = 0x541b }; /* FIONREAD */
	static const unsigned char tun[] = {208, 209, 216};
	int r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, 0xff00, 0xae00));

	for (size_t i = 0; r == 0 && i < GYVE_ARRAY_SIZE(tun); i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffff, (unsigned)'T' << 8 | tun[i]));
	if (r == 0 && flags & GYVE_ISOLATE_NET)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, BYTES_WAITING));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return r;
}

int gyve_isolate_calls(unsigned flags, struct gyve_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = ctx ? 0 : -ENOMEM;

	if (r == 0)
		r = add_names(ctx, SCMP_ACT_ALLOW, allowed, GYVE_ARRAY_SIZE(allowed));
	if (r == 0)
		r = add_names(ctx, SCMP_ACT_KILL_PROCESS, deadly, GYVE_ARRAY_SIZE(deadly));
	if (r == 0)
		r = add_names(ctx, flags & GYVE_ISOLATE_NET ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS, network,
			      GYVE_ARRAY_SIZE(network));
	if (r == 0)
		r = add_special(ctx, flags);
	if (r == 0)
		r = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r < 0 ? gyve_err_set(err, -EINVAL, "the system call filter cannot be installed: %s", strerror(-r)) : 0;
}
#else
int gyve_isolate_calls(unsigned flags, struct gyve_err *err)
{
	(void)flags;
	return gyve_err_set(err, -ENOSYS, "this gyve was built without libseccomp: no system call filter");
}
#endif
