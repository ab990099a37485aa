/* Private to the x86_64 half: kvm_x86_64.c (VM, CPUID, debug, exits), kvm_x86_64_regs.c (registers) and
 * kvm_x86_64_reset.c. */
#ifndef GYVE_KVM_X86_64_H
#define GYVE_KVM_X86_64_H
#include "kvm_host.h"

struct kvm_host_vm {
	struct kvm_cpuid2 *cpuid; /**< as vCPU 0 gets it */
	size_t xsave_size;        /**< bytes KVM_GET_XSAVE2 writes, 4096 with KVM_GET_XSAVE */
	uint16_t xsave_at[10];    /**< where a component begins in the standard format */
	uint32_t xsave_used;      /**< bytes of the standard format the guest can use */
	uint64_t sync_regs;       /**< KVM_SYNC_X86_*: general registers come and go, system registers come through kvm_run */
	struct kvm_irqchip chips[KVM_NR_IRQCHIPS]; /**< as created, with cfg.irqchip */
	struct kvm_pit_state2 pit;                 /**< as created, with cfg.pit */
};

struct kvm_host_vcpu {
	bool fresh;       /**< kvm_run's copy of the general registers is current */
	bool fresh_sregs; /**< so is that of the system registers */
	bool sregs_asked; /**< since the last entry: then the next exit brings them */
	bool bp_owed;     /**< the guest's own #BP, to be delivered at the next entry if rip is still bp_pc */
	bool bp_emulated; /**< ... which KVM met while emulating: it does not know the INT3's length */
	uint64_t bp_pc;
	struct gyve_debug debug;
	struct kvm_guest_debug guest_debug;
	struct kvm_initial *initial; /**< for reset */
};

/** The state right after creation. */
struct kvm_initial {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
	struct kvm_lapic_state lapic;
	struct kvm_debugregs debugregs;
	struct kvm_xcrs xcrs;
	struct kvm_msrs *msrs;
	uint8_t *xsave;
	bool has_lapic, has_xcrs;
};

/** What a vCPU begins with: all of them start at once, unless the guest does that. */
static inline uint32_t kvm_x86_mp_state(const struct gyve_bvcpu *v)
{
	return v->index && v->vm->cfg.guest_starts_cpus ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
}

/** KVM_GET_XSAVE2, or KVM_GET_XSAVE: vm->host->xsave_size bytes. */
int kvm_x86_get_xsave(struct gyve_bvcpu *v, void *buf);

/* kvm_x86_64_reset.c */
/** Remember the VM's interrupt controllers and timer as created; vCPU 0's reset brings them back. */
/** What KVM_GET_MSR_INDEX_LIST gives; malloced. NULL: nothing. */
struct kvm_msr_list *kvm_x86_list_msrs(int kvm_fd);
int kvm_x86_save_irqchip(struct gyve_bvm *vm);
/** Remember the vCPU's state as created, for kvm_host_reset() / free it. */
int kvm_x86_save_initial(struct gyve_bvcpu *v);
void kvm_x86_free_initial(struct gyve_bvcpu *v);
#endif
