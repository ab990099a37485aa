/* x86_64 registers between KVM's structs and the neutral register file. Documentation/virt/kvm/api.rst. */
#include "kvm_x86_64.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* --- general registers: gdb's order is not KVM's */

#define EACH_GPR(X) \
	X(0, rax)   \
	X(1, rbx)   \
	X(2, rcx)   \
	X(3, rdx)   \
	X(4, rsi)   \
	X(5, rdi) X(6, rbp) X(7, rsp) X(8, r8) X(9, r9) X(10, r10) X(11, r11) X(12, r12) X(13, r13) X(14, r14) X(15, r15)

static void gpr_from_kvm(struct gyve_x86_regs *r, const struct kvm_regs *k)
{
#define COPY(n, name) r->gpr[n] = k->name;
	EACH_GPR(COPY)
#undef COPY
	r->rip = k->rip;
	r->rflags = k->rflags;
}

static void gpr_to_kvm(struct kvm_regs *k, const struct gyve_x86_regs *r)
{
#define COPY(n, name) k->name = r->gpr[n];
	EACH_GPR(COPY)
#undef COPY
	k->rip = r->rip;
	k->rflags = r->rflags;
}

static int get_gpr(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	struct kvm_regs k;

	if (v->host->fresh) {
		gpr_from_kvm(r, &v->run->s.regs.regs);
		return 0;
	}
	int res = kvm_ioctl(v->fd, KVM_GET_REGS, &k);
	if (res == 0)
		gpr_from_kvm(r, &k);
	return res;
}

static int set_gpr(struct gyve_bvcpu *v, const struct gyve_x86_regs *r)
{
	struct kvm_regs k;

	if (v->host->fresh) {
		gpr_to_kvm(&v->run->s.regs.regs, r);
		v->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
		return 0;
	}
	gpr_to_kvm(&k, r);
	return kvm_ioctl(v->fd, KVM_SET_REGS, &k);
}

/* --- system registers */

static void seg_from_kvm(struct gyve_x86_seg *s, const struct kvm_segment *k)
{
	*s = (struct gyve_x86_seg){.base = k->base,
				   .limit = k->limit,
				   .selector = k->selector,
				   .type = k->type,
				   .present = k->present,
				   .dpl = k->dpl,
				   .db = k->db,
				   .s = k->s,
				   .l = k->l,
				   .g = k->g,
				   .avl = k->avl,
				   .unusable = k->unusable};
}

static void seg_to_kvm(struct kvm_segment *k, const struct gyve_x86_seg *s)
{
	*k = (struct kvm_segment){.base = s->base,
				  .limit = s->limit,
				  .selector = s->selector,
				  .type = s->type,
				  .present = s->present,
				  .dpl = s->dpl,
				  .db = s->db,
				  .s = s->s,
				  .l = s->l,
				  .g = s->g,
				  .avl = s->avl,
				  .unusable = s->unusable};
}

static const uint16_t seg_offsets[GYVE_NSEG] = {
	[GYVE_CS] = offsetof(struct kvm_sregs, cs), [GYVE_SS] = offsetof(struct kvm_sregs, ss),
	[GYVE_DS] = offsetof(struct kvm_sregs, ds), [GYVE_ES] = offsetof(struct kvm_sregs, es),
	[GYVE_FS] = offsetof(struct kvm_sregs, fs), [GYVE_GS] = offsetof(struct kvm_sregs, gs),
	[GYVE_TR] = offsetof(struct kvm_sregs, tr), [GYVE_LDTR] = offsetof(struct kvm_sregs, ldt),
};

/* Model-specific registers shown with the system registers. */
static const struct {
	uint32_t index;
	uint16_t offset;
} msrs[] = {
	{0xc0000102, offsetof(struct gyve_x86_regs, kernel_gs_base)}, {0xc0000081, offsetof(struct gyve_x86_regs, star)},
	{0xc0000082, offsetof(struct gyve_x86_regs, lstar)},          {0xc0000083, offsetof(struct gyve_x86_regs, cstar)},
	{0xc0000084, offsetof(struct gyve_x86_regs, sfmask)},         {0xc0000103, offsetof(struct gyve_x86_regs, tsc_aux)},
};

struct msr_list {
	struct kvm_msrs head;
	struct kvm_msr_entry entry[GYVE_ARRAY_SIZE(msrs)];
};

/* A host without one of them answers up to it; the rest stay 0. */
static void get_msrs(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	struct msr_list l = {.head.nmsrs = GYVE_ARRAY_SIZE(msrs)};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(msrs); i++)
		l.entry[i].index = msrs[i].index;
	int n = kvm_ioctl(v->fd, KVM_GET_MSRS, &l);
	for (int i = 0; i < n; i++)
		memcpy((uint8_t *)r + msrs[i].offset, &l.entry[i].data, 8);
}

static void set_msrs(struct gyve_bvcpu *v, const struct gyve_x86_regs *r)
{
	struct msr_list l = {.head.nmsrs = GYVE_ARRAY_SIZE(msrs)};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(msrs); i++) {
		l.entry[i].index = msrs[i].index;
		memcpy(&l.entry[i].data, (const uint8_t *)r + msrs[i].offset, 8);
	}
	kvm_ioctl(v->fd, KVM_SET_MSRS, &l);
}

int kvm_host_tsc(struct gyve_bvcpu *v, uint64_t *ret)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = {{.nmsrs = 1}, {.index = 0x10}};
	int n = kvm_ioctl(v->fd, KVM_GET_MSRS, &m);

	if (n != 1)
		return n < 0 ? n : -ENODATA;
	*ret = m.entry.data;
	return 0;
}

/* All that GYVE_REGS_MMU needs. */
static int get_sregs(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	struct kvm_sregs k;
	int res = 0;

	v->host->sregs_asked = true;
	if (v->host->fresh_sregs)
		k = v->run->s.regs.sregs;
	else
		res = kvm_ioctl(v->fd, KVM_GET_SREGS, &k);
	if (res < 0)
		return res;
	for (unsigned i = 0; i < GYVE_NSEG; i++)
		seg_from_kvm(&r->seg[i], (const struct kvm_segment *)((const uint8_t *)&k + seg_offsets[i]));
	r->gdt_base = k.gdt.base;
	r->gdt_limit = k.gdt.limit;
	r->idt_base = k.idt.base;
	r->idt_limit = k.idt.limit;
	r->cr0 = k.cr0;
	r->cr2 = k.cr2;
	r->cr3 = k.cr3;
	r->cr4 = k.cr4;
	r->cr8 = k.cr8;
	r->efer = k.efer;
	r->apic_base = k.apic_base;
	return 0;
}

static int get_sys(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	int res = get_sregs(v, r);

	if (res == 0)
		get_msrs(v, r);
	return res;
}

static int set_sys(struct gyve_bvcpu *v, const struct gyve_x86_regs *r)
{
	struct kvm_sregs k;
	int res = kvm_ioctl(v->fd, KVM_GET_SREGS, &k); /* keeps the interrupt that is on its way */

	if (res < 0)
		return res;
	for (unsigned i = 0; i < GYVE_NSEG; i++)
		seg_to_kvm((struct kvm_segment *)((uint8_t *)&k + seg_offsets[i]), &r->seg[i]);
	k.gdt.base = r->gdt_base;
	k.gdt.limit = r->gdt_limit;
	k.idt.base = r->idt_base;
	k.idt.limit = r->idt_limit;
	k.cr0 = r->cr0;
	k.cr2 = r->cr2;
	k.cr3 = r->cr3;
	k.cr4 = r->cr4;
	k.cr8 = r->cr8;
	k.efer = r->efer;
	k.apic_base = r->apic_base;
	v->host->fresh_sregs = false;
	res = kvm_ioctl(v->fd, KVM_SET_SREGS, &k);
	if (res == 0)
		set_msrs(v, r);
	return res;
}

/* --- floating point and vector: the XSAVE area */

int kvm_x86_get_xsave(struct gyve_bvcpu *v, void *buf)
{
	return kvm_ioctl(v->fd, v->vm->host->xsave_size > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, buf);
}

static int get_fp(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	struct kvm_xcrs xcrs = {0};
	uint8_t *buf = aligned_alloc(64, v->vm->host->xsave_size);
	int res = buf ? kvm_x86_get_xsave(v, buf) : -ENOMEM;

	if (res == 0) {
		memcpy(r->xsave, buf, sizeof(r->xsave));
		r->xsave_len = v->vm->host->xsave_used;
		memcpy(r->xsave_at, v->vm->host->xsave_at, sizeof(r->xsave_at));
		r->xcr0 = kvm_ioctl(v->fd, KVM_GET_XCRS, &xcrs) == 0 && xcrs.nr_xcrs ? xcrs.xcrs[0].value : 3;
	}
	free(buf);
	return res;
}

static int set_fp(struct gyve_bvcpu *v, const struct gyve_x86_regs *r)
{
	struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs = {{.xcr = 0, .value = r->xcr0}}};
	uint8_t *buf = aligned_alloc(64, v->vm->host->xsave_size);
	int res = buf ? kvm_x86_get_xsave(v, buf) : -ENOMEM; /* what lies beyond our 4 KiB stays */

	if (res == 0) {
		memcpy(buf, r->xsave, sizeof(r->xsave));
		res = v->host->initial->has_xcrs ? kvm_ioctl(v->fd, KVM_SET_XCRS, &xcrs) : 0;
	}
	if (res == 0)
		res = kvm_ioctl(v->fd, KVM_SET_XSAVE, buf);
	free(buf);
	return res;
}

/* --- debug registers and events */

static int get_debug(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	struct kvm_debugregs k;
	int res = kvm_ioctl(v->fd, KVM_GET_DEBUGREGS, &k);

	if (res < 0)
		return res;
	memcpy(r->dr, k.db, sizeof(k.db));
	r->dr[6] = k.dr6;
	r->dr[7] = k.dr7;
	return 0;
}

static int set_debug_regs(struct gyve_bvcpu *v, const struct gyve_x86_regs *r)
{
	struct kvm_debugregs k = {.dr6 = r->dr[6], .dr7 = r->dr[7]};

	memcpy(k.db, r->dr, sizeof(k.db));
	return kvm_ioctl(v->fd, KVM_SET_DEBUGREGS, &k);
}

static int get_events(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	struct kvm_vcpu_events e;
	int res = kvm_ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e);

	if (res < 0)
		return res;
	r->exc_pending = e.flags & KVM_VCPUEVENT_VALID_PAYLOAD ? e.exception.pending : 0;
	r->exc_injected = e.exception.injected;
	r->exc_nr = e.exception.nr;
	r->exc_has_error = e.exception.has_error_code;
	r->exc_error = e.exception.error_code;
	r->irq_injected = e.interrupt.injected;
	r->irq_shadow = e.interrupt.shadow;
	r->nmi_pending = e.nmi.pending;
	r->triple_fault = 0;
	return 0;
}

static int set_events(struct gyve_bvcpu *v, const struct gyve_x86_regs *r)
{
	struct kvm_vcpu_events e;
	int res = kvm_ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e);

	if (res < 0)
		return res;
	e.exception.injected = r->exc_injected;
	e.exception.pending = r->exc_pending;
	e.exception.nr = r->exc_nr;
	e.exception.has_error_code = r->exc_has_error;
	e.exception.error_code = r->exc_error;
	return kvm_ioctl(v->fd, KVM_SET_VCPU_EVENTS, &e);
}

/* One by one: a host without one of them answers the rest. */
static void get_more_msrs(struct gyve_bvcpu *v, struct gyve_x86_regs *r)
{
	r->msr_valid = 0;
	for (unsigned i = 0; i < GYVE_X86_NMSR; i++)
		if (kvm_host_msr(v, false, gyve_x86_msr_index[i], &r->msr[i]) == 0)
			r->msr_valid |= 1u << i;
}

/* Only what has changed: some take no value back, and time must not stand still. */
static int set_more_msrs(struct gyve_bvcpu *v, const struct gyve_x86_regs *r)
{
	struct gyve_x86_regs now;
	int res = 0;

	get_more_msrs(v, &now);
	for (unsigned i = 0; res == 0 && i < GYVE_MSR_TSC; i++) {
		uint64_t value = r->msr[i];
		if (r->msr_valid & now.msr_valid & 1u << i && value != now.msr[i])
			res = kvm_host_msr(v, true, gyve_x86_msr_index[i], &value);
	}
	return res;
}

int kvm_host_get_regs(struct gyve_bvcpu *v, unsigned groups, struct gyve_regs *ret)
{
	struct gyve_x86_regs *r = &ret->x86;
	int res = 0;

	ret->arch = GYVE_X86_64;
	if (groups & GYVE_REGS_GPR)
		res = get_gpr(v, r);
	if (res == 0 && groups & GYVE_REGS_SYS)
		res = get_sys(v, r);
	else if (res == 0 && groups & GYVE_REGS_MMU)
		res = get_sregs(v, r);
	if (res == 0 && groups & GYVE_REGS_FP)
		res = get_fp(v, r);
	if (res == 0 && groups & GYVE_REGS_DEBUG)
		res = get_debug(v, r);
	if (res == 0 && groups & GYVE_REGS_EVENTS)
		res = get_events(v, r);
	if (res == 0 && groups & GYVE_REGS_MSR)
		get_more_msrs(v, r);
	if (res == 0)
		ret->valid |= groups;
	return res;
}

int kvm_host_set_regs(struct gyve_bvcpu *v, unsigned groups, const struct gyve_regs *regs)
{
	const struct gyve_x86_regs *r = &regs->x86;
	int res = 0;

	if (groups & GYVE_REGS_SYS)
		res = set_sys(v, r);
	if (res == 0 && groups & GYVE_REGS_GPR)
		res = set_gpr(v, r);
	if (res == 0 && groups & GYVE_REGS_FP)
		res = set_fp(v, r);
	if (res == 0 && groups & GYVE_REGS_DEBUG)
		res = set_debug_regs(v, r);
	if (res == 0 && groups & GYVE_REGS_EVENTS)
		res = set_events(v, r);
	if (res == 0 && groups & GYVE_REGS_MSR)
		res = set_more_msrs(v, r);
	return res;
}
