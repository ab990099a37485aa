/* Private to src/backend/kvm: what kvm.c (every host) and the host architecture's half share. A host half provides the
 * kvm_host_*() functions below; Makefile.am chooses it. All return 0 or a negative errno unless said otherwise. */
#ifndef GYVE_KVM_HOST_H
#define GYVE_KVM_HOST_H
#include <linux/kvm.h>

#include "gyve/backend.h"

struct kvm_host_vm;   /**< the host half's part of a VM */
struct kvm_host_vcpu; /**< the host half's part of a vCPU */

struct gyve_bvm {
	int kvm_fd, fd;
	size_t run_size;           /**< bytes of struct kvm_run's mapping */
	struct gyve_vm_config cfg; /**< brand points to a copy */
	unsigned debug_flags;      /**< KVM_GUESTDBG_* the host takes; 0 when it can't tell */
	struct gyve_host_caps caps;
	bool probed;
	struct kvm_host_vm *host;
};

struct gyve_bvcpu {
	struct gyve_bvm *vm;
	int fd;
	unsigned index;
	struct kvm_run *run;
	bool kicked;  /**< a kick not yet answered by GYVE_EXIT_INTR; atomic, any thread */
	bool owes_io; /**< the last exit was IO/MMIO: KVM finishes it at the next KVM_RUN */
	bool stashed; /**< settle() met another exit: the next run() returns it */
	struct kvm_host_vcpu *host;
};

/** A capability this program cannot do without. */
struct kvm_need {
	int cap;
	const char *name;
	const char *what; /**< for people: what it is needed for */
};

/** ioctl() that gives a negative errno and repeats on EINTR. Not for KVM_RUN. */
int kvm_ioctl(int fd, unsigned long req, void *arg);
int kvm_ioctl_n(int fd, unsigned long req, unsigned long arg);
/** KVM_CHECK_EXTENSION on the VM: 0 = absent. */
int kvm_check(const struct gyve_bvm *vm, int cap);
/** KVM_ENABLE_CAP on the VM. */
int kvm_enable(const struct gyve_bvm *vm, unsigned cap, uint64_t arg);
/** -ENOTSUP and a sentence naming the first absent one. */
int kvm_check_needs(const struct gyve_bvm *vm, const struct kvm_need *needs, size_t n, struct gyve_err *err);
/** Open path as /dev/kvm: a file descriptor, or -ENOENT / -EACCES / -ENOTSUP with a sentence. */
int kvm_open(const char *path, struct gyve_err *err);

/* The host half. vm->fd / v->fd and v->run exist when these are called. */
int kvm_host_vm_init(struct gyve_bvm *vm, struct gyve_err *err);
void kvm_host_vm_deinit(struct gyve_bvm *vm);
int kvm_host_vcpu_init(struct gyve_bvcpu *v, struct gyve_err *err);
void kvm_host_vcpu_deinit(struct gyve_bvcpu *v);
/** Hand KVM what set_regs, set_debug and reinject_bp left to be done at the next entry. */
int kvm_host_enter(struct gyve_bvcpu *v);
/** KVM_RUN has returned: cached registers are old. */
void kvm_host_left(struct gyve_bvcpu *v, bool ok);
/** Decode exits that depend on the host architecture (debug, internal error). False: not one of them. */
bool kvm_host_decode(struct gyve_bvcpu *v, struct gyve_exit *ret);
int kvm_host_get_regs(struct gyve_bvcpu *v, unsigned groups, struct gyve_regs *ret);
int kvm_host_set_regs(struct gyve_bvcpu *v, unsigned groups, const struct gyve_regs *regs);
int kvm_host_set_debug(struct gyve_bvcpu *v, const struct gyve_debug *dbg);
int kvm_host_reinject_bp(struct gyve_bvcpu *v);
int kvm_host_clock_stopped(struct gyve_bvcpu *v);
/** aarch64 only. */
void kvm_host_clock_hold(struct gyve_bvcpu *v, bool hold);
int kvm_host_translate(struct gyve_bvcpu *v, gyve_gva_t gva, gyve_gpa_t *ret);
int kvm_host_tsc(struct gyve_bvcpu *v, uint64_t *ret);
int kvm_host_reset(struct gyve_bvcpu *v);
int kvm_host_msr(struct gyve_bvcpu *v, bool write, uint32_t index, uint64_t *val);
size_t kvm_host_msr_list(struct gyve_bvcpu *v, uint32_t *ret, size_t max);
int kvm_host_irq_reg(struct gyve_bvcpu *v, enum gyve_irq_part part, uint32_t reg, uint64_t *ret);
/** aarch64 only. */
void kvm_host_sync_code(void *hva, uint64_t len);
/* probe.c */
/** Fill in what only running a guest shows, or what an earlier process found. Remembered for the life of the process. */
void kvm_probe(struct gyve_host_caps *caps, bool no_cache);
#endif
