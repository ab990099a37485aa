/* Back to the state right after creation. Nothing is asked of the guest's CPU model: what KVM said then is what it gets back.
 */
#include "kvm_x86_64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MSR_MAX = 4096, MSR_TSC = 0x10 };

/* --- model-specific registers: all that KVM keeps for a guest, also its own (a clock page, an asynchronous-fault page: KVM
 * would go on writing there) */

struct kvm_msr_list *kvm_x86_list_msrs(int kvm_fd)
{
	struct kvm_msr_list probe = {0}, *l;

	if (kvm_ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, &probe) != -E2BIG || probe.nmsrs > MSR_MAX)
		return NULL;
	l = calloc(1, sizeof(*l) + probe.nmsrs * sizeof(l->indices[0]));
	if (!l)
		return NULL;
	l->nmsrs = probe.nmsrs;
	if (kvm_ioctl(kvm_fd, KVM_GET_MSR_INDEX_LIST, l) == 0)
		return l;
	free(l);
	return NULL;
}

/* KVM stops at the first one it does not give: leave that one out and go on behind it. */
static void fetch_msrs(struct gyve_bvcpu *v, struct kvm_msrs *m)
{
	struct kvm_msrs *part = calloc(1, sizeof(*part) + m->nmsrs * sizeof(part->entries[0]));
	unsigned at = 0, kept = 0, total = m->nmsrs;

	while (part && at < total) {
		part->nmsrs = total - at;
		memcpy(part->entries, m->entries + at, part->nmsrs * sizeof(part->entries[0]));
		int n = kvm_ioctl(v->fd, KVM_GET_MSRS, part);
		if (n < 0)
			break;
		memmove(m->entries + kept, part->entries, (unsigned)n * sizeof(part->entries[0]));
		kept += (unsigned)n;
		at += (unsigned)n + 1;
	}
	m->nmsrs = kept;
	free(part);
}

static int save_msrs(struct gyve_bvcpu *v)
{
	struct kvm_msr_list *l = kvm_x86_list_msrs(v->vm->kvm_fd);
	unsigned n = l ? l->nmsrs : 0;
	struct kvm_msrs *m = v->host->initial->msrs = calloc(1, sizeof(*m) + n * sizeof(m->entries[0]));

	if (m) {
		for (unsigned i = 0; i < n; i++)
			if (l->indices[i] != MSR_TSC) /* time goes on, and the same for all vCPUs */
				m->entries[m->nmsrs++].index = l->indices[i];
		fetch_msrs(v, m);
	}
	free(l);
	return m ? 0 : -ENOMEM;
}

static void restore_msrs(struct gyve_bvcpu *v)
{
	const struct kvm_msrs *m = v->host->initial->msrs;
	struct kvm_msrs *part = calloc(1, sizeof(*part) + m->nmsrs * sizeof(part->entries[0]));
	unsigned at = 0;

	while (part && at < m->nmsrs) {
		part->nmsrs = m->nmsrs - at;
		memcpy(part->entries, m->entries + at, part->nmsrs * sizeof(part->entries[0]));
		int n = kvm_ioctl(v->fd, KVM_SET_MSRS, part);
		if (n < 0)
			break;
		at += (unsigned)n + 1; /* one that can be read only */
	}
	free(part);
}

/* --- the VM's interrupt controllers and timer */

int kvm_x86_save_irqchip(struct gyve_bvm *vm)
{
	for (unsigned i = 0; i < KVM_NR_IRQCHIPS; i++) {
		vm->host->chips[i].chip_id = i;
		int r = kvm_ioctl(vm->fd, KVM_GET_IRQCHIP, &vm->host->chips[i]);
		if (r < 0)
			return r;
	}
	return vm->cfg.pit ? kvm_ioctl(vm->fd, KVM_GET_PIT2, &vm->host->pit) : 0;
}

static int restore_irqchip(struct gyve_bvm *vm)
{
	for (unsigned i = 0; i < KVM_NR_IRQCHIPS; i++) {
		int r = kvm_ioctl(vm->fd, KVM_SET_IRQCHIP, &vm->host->chips[i]);
		if (r < 0)
			return r;
	}
	return vm->cfg.pit ? kvm_ioctl(vm->fd, KVM_SET_PIT2, &vm->host->pit) : 0;
}

/* --- vCPU */

int kvm_x86_save_initial(struct gyve_bvcpu *v)
{
	struct kvm_initial *i = v->host->initial = calloc(1, sizeof(*i));
	int r;

	if (!i || !(i->xsave = aligned_alloc(64, v->vm->host->xsave_size)))
		return -ENOMEM;
	i->has_lapic = kvm_ioctl(v->fd, KVM_GET_LAPIC, &i->lapic) == 0;
	i->has_xcrs = kvm_ioctl(v->fd, KVM_GET_XCRS, &i->xcrs) == 0 && i->xcrs.nr_xcrs;
	if ((r = kvm_ioctl(v->fd, KVM_GET_REGS, &i->regs)) < 0 || (r = kvm_ioctl(v->fd, KVM_GET_SREGS, &i->sregs)) < 0 ||
	    (r = kvm_ioctl(v->fd, KVM_GET_VCPU_EVENTS, &i->events)) < 0 ||
	    (r = kvm_ioctl(v->fd, KVM_GET_DEBUGREGS, &i->debugregs)) < 0 || (r = save_msrs(v)) < 0)
		return r;
	return kvm_x86_get_xsave(v, i->xsave);
}

void kvm_x86_free_initial(struct gyve_bvcpu *v)
{
	if (v->host->initial) {
		free(v->host->initial->msrs);
		free(v->host->initial->xsave);
	}
	free(v->host->initial);
}

int kvm_host_reset(struct gyve_bvcpu *v)
{
	struct kvm_initial *i = v->host->initial;
	struct kvm_mp_state mp = {.mp_state = kvm_x86_mp_state(v)};
	int r;

	v->host->fresh = v->host->fresh_sregs = v->host->bp_owed = false;
	v->run->kvm_dirty_regs = 0;
	if (v->index == 0 && v->vm->cfg.irqchip && (r = restore_irqchip(v->vm)) < 0)
		return r;
	restore_msrs(v);
	if (i->has_xcrs)
		kvm_ioctl(v->fd, KVM_SET_XCRS, &i->xcrs);
	if ((r = kvm_ioctl(v->fd, KVM_SET_SREGS, &i->sregs)) < 0 || (r = kvm_ioctl(v->fd, KVM_SET_REGS, &i->regs)) < 0 ||
	    (r = kvm_ioctl(v->fd, KVM_SET_XSAVE, i->xsave)) < 0 ||
	    (r = kvm_ioctl(v->fd, KVM_SET_VCPU_EVENTS, &i->events)) < 0 ||
	    (r = kvm_ioctl(v->fd, KVM_SET_DEBUGREGS, &i->debugregs)) < 0)
		return r;
	if (i->has_lapic && (r = kvm_ioctl(v->fd, KVM_SET_LAPIC, &i->lapic)) < 0)
		return r;
	return kvm_ioctl(v->fd, KVM_SET_MP_STATE, &mp);
}
