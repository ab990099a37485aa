/* MSRs by number and the interrupt controllers' registers. Documentation/virt/kvm/api.rst. */
#include "kvm_x86_64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int kvm_host_msr(struct gyve_bvcpu *v, bool write, uint32_t index, uint64_t *val)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = {{.nmsrs = 1}, {.index = index, .data = *val}};
	int n = kvm_ioctl(v->fd, write ? KVM_SET_MSRS : KVM_GET_MSRS, &m);

	if (n != 1)
		return n < 0 ? n : write ? -EINVAL : -ENOENT;
	if (write)
		v->host->fresh_sregs = false; /* EFER and segment bases are in them */
	else
		*val = m.entry.data;
	return 0;
}

size_t kvm_host_msr_list(struct gyve_bvcpu *v, uint32_t *ret, size_t max)
{
	struct kvm_msr_list *l = kvm_x86_list_msrs(v->vm->kvm_fd);
	size_t n = l ? l->nmsrs : 0;

	for (size_t i = 0; i < n && i < max; i++)
		ret[i] = l->indices[i];
	free(l);
	return n;
}

int kvm_host_irq_reg(struct gyve_bvcpu *v, enum gyve_irq_part part, uint32_t reg, uint64_t *ret)
{
	struct kvm_lapic_state lapic;
	struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
	uint32_t low;
	int r;

	if (part == GYVE_IRQ_LOCAL && reg <= sizeof(lapic.regs) - 4) {
		r = kvm_ioctl(v->fd, KVM_GET_LAPIC, &lapic);
		if (r < 0)
			return r;
		memcpy(&low, lapic.regs + reg, 4);
		*ret = low;
		return 0;
	}
	if (part == GYVE_IRQ_GLOBAL && reg < KVM_IOAPIC_NUM_PINS) {
		r = kvm_ioctl(v->vm->fd, KVM_GET_IRQCHIP, &chip);
		if (r == 0)
			*ret = chip.chip.ioapic.redirtbl[reg].bits;
		return r;
	}
	return -ENOENT;
}
