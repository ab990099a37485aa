/* Rows of model-specific registers. Intel SDM vol. 4; AMD APM vol. 2 appendix A; Documentation/virt/kvm/x86/msr.rst. */
#include "regs.h"

#include <errno.h>
#include <string.h>

const uint32_t gyve_x86_msr_index[GYVE_X86_NMSR] = {
	[GYVE_MSR_SYSENTER_CS] = 0x174,
	[GYVE_MSR_SYSENTER_ESP] = 0x175,
	[GYVE_MSR_SYSENTER_EIP] = 0x176,
	[GYVE_MSR_PAT] = 0x277,
	[GYVE_MSR_MISC_ENABLE] = 0x1a0,
	[GYVE_MSR_MTRR_DEF_TYPE] = 0x2ff,
	[GYVE_MSR_SPEC_CTRL] = 0x48,
	[GYVE_MSR_DEBUGCTL] = 0x1d9,
	[GYVE_MSR_TSC] = 0x10,
	[GYVE_MSR_TSC_DEADLINE] = 0x6e0,
	[GYVE_MSR_KVM_SYSTEM_TIME] = 0x4b564d01,
	[GYVE_MSR_KVM_WALL_CLOCK] = 0x4b564d00,
};

int gyve_x86_msr_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	if (!(r->valid & GYVE_REGS_MSR) || !(r->x86.msr_valid >> row->offset & 1))
		return -ENODATA;
	memcpy(buf, &r->x86.msr[row->offset], 8);
	return 0;
}

int gyve_x86_msr_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf)
{
	if (!(r->valid & GYVE_REGS_MSR) || !(r->x86.msr_valid >> row->offset & 1))
		return -ENODATA;
	memcpy(&r->x86.msr[row->offset], buf, 8);
	return 0;
}
