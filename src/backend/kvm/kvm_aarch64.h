/* Private to the aarch64 half of KVM. */
#ifndef GYVE_KVM_AARCH64_H
#define GYVE_KVM_AARCH64_H
#include "kvm_host.h"

struct kvm_host_vcpu {
	struct gyve_a64_regs last; /* as read since the last run */
	unsigned last_valid;
	uint64_t fresh;   /* rows of rows[] that last holds */
	uint64_t fixed;   /* those of them that never change */
	uint32_t fresh_x; /* which of last.x[] it holds */
	struct gyve_debug set;
	bool finalized; /* SVE's vector length is chosen */
};

/** One register by KVM's id, as many bytes as it has. */
int kvm_a64_get_one(struct gyve_bvcpu *v, uint64_t id, void *val);
int kvm_a64_set_one(struct gyve_bvcpu *v, uint64_t id, const void *val);
/** The registers may have changed: those that last holds are old, all of them or those that can change. */
void kvm_a64_forget(struct gyve_bvcpu *v, bool all);
/** pc, from the last exit's registers if they have been read. 0: it cannot be read. */
uint64_t kvm_a64_pc(struct gyve_bvcpu *v);
#endif
