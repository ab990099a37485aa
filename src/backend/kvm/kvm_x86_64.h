/* Private to the x86_64 half: kvm_x86_64.c (VM, CPUID, debug, exits) and kvm_x86_64_regs.c (registers). */
#ifndef GYVE_KVM_X86_64_H
#define GYVE_KVM_X86_64_H
#include "kvm_host.h"

struct kvm_host_vm {
	struct kvm_cpuid2 *cpuid; /**< as vCPU 0 gets it */
	size_t xsave_size;        /**< bytes KVM_GET_XSAVE2 writes, 4096 with KVM_GET_XSAVE */
	uint32_t xsave_used;      /**< bytes of the standard format the guest can use */
	bool sync_regs;           /**< general registers come and go through kvm_run */
};

struct kvm_host_vcpu {
	bool fresh;       /**< kvm_run's copy of the general registers is current */
	uint32_t control; /**< KVM_GUESTDBG_* as last set */
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
	uint8_t *xsave;
	bool has_lapic, has_xcrs;
};

/** Remember the initial state / go back to it. */
int kvm_x86_save_initial(struct gyve_bvcpu *v);
void kvm_x86_free_initial(struct gyve_bvcpu *v);
/** Current pc without more than one ioctl. */
uint64_t kvm_x86_pc(struct gyve_bvcpu *v);
#endif
