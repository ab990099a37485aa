/* KVM on x86_64: VM set-up, CPUID, debug registers, exits. Documentation/virt/kvm/api.rst; Intel SDM vol. 3B chapter 17. */
#include "kvm_x86_64.h"

#include "gyve/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Three pages KVM on Intel wants below 4 GiB, out of the guest's way. */
enum { IDENTITY_MAP = 0xfffbc000, TSS = 0xfffbd000 };
enum { CPUID_MAX = 4096 };

/* --- CPUID: what the host supports, with what the Hermit interface asks for (hermit-abi, section 4.1) */

static struct kvm_cpuid2 *supported_cpuid(int kvm_fd)
{
	for (unsigned n = 128; n <= CPUID_MAX; n *= 2) {
		struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + n * sizeof(c->entries[0]));
		if (!c)
			return NULL;
		c->nent = n;
		int r = kvm_ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c);
		if (r == 0)
			return c;
		free(c);
		if (r != -E2BIG)
			return NULL;
	}
	return NULL;
}

static void set_brand(struct kvm_cpuid_entry2 *e, const char *brand)
{
	char text[48] = "";
	size_t n = strlen(brand);

	memcpy(text, brand, n < sizeof(text) ? n : sizeof(text) - 1);
	memcpy(&e->eax, text + 16 * (e->function - 0x80000002), 4);
	memcpy(&e->ebx, text + 16 * (e->function - 0x80000002) + 4, 4);
	memcpy(&e->ecx, text + 16 * (e->function - 0x80000002) + 8, 4);
	memcpy(&e->edx, text + 16 * (e->function - 0x80000002) + 12, 4);
}

static void edit_cpuid(struct gyve_bvm *vm, struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 1:
		e->ecx |= 1u << 31 | 1u << 24;            /* hypervisor, TSC deadline */
		e->ecx |= vm->cfg.irqchip ? 1u << 21 : 0; /* x2APIC */
		e->edx |= 1u << 5;                        /* MSRs */
		break;
	case 0xa: /* no performance counters */
		e->eax = e->ebx = e->ecx = e->edx = 0;
		break;
	case 0xd:
		if (e->index == 0)
			vm->host->xsave_used = e->ecx < GYVE_XSAVE_MAX ? e->ecx : GYVE_XSAVE_MAX;
		if (e->index == 0)
			vm->caps.xfeatures = e->eax | (uint64_t)e->edx << 32;
		else if (e->index < GYVE_ARRAY_SIZE(vm->host->xsave_at) && e->ebx + e->eax <= GYVE_XSAVE_MAX && !(e->ecx & 1))
			vm->host->xsave_at[e->index] = (uint16_t)e->ebx;
		break;
	case 0x80000002:
	case 0x80000003:
	case 0x80000004:
		if (vm->cfg.brand)
			set_brand(e, vm->cfg.brand);
		break;
	case 0x80000008:
		vm->caps.pa_bits = e->eax & 0xff;
		break;
	}
}

static int set_cpuid(struct gyve_bvcpu *v)
{
	struct kvm_cpuid2 *c = v->vm->host->cpuid;

	for (unsigned i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 *e = &c->entries[i];
		if (e->function == 1)
			e->ebx = (e->ebx & 0x00ffffff) | v->index << 24;
		else if (e->function == 0xb || e->function == 0x1f)
			e->edx = v->index;
	}
	return kvm_ioctl(v->fd, KVM_SET_CPUID2, c);
}

/* --- VM */

static int create_irqchip(struct gyve_bvm *vm, struct gyve_err *err)
{
	struct kvm_pit_config pit = {0};
	int r = kvm_ioctl(vm->fd, KVM_CREATE_IRQCHIP, NULL);

	if (r < 0)
		return gyve_err_set(err, -ENOTSUP, "this host's KVM has no interrupt controller: %s", strerror(-r));
	if (vm->cfg.pit && (r = kvm_ioctl(vm->fd, KVM_CREATE_PIT2, &pit)) < 0)
		return gyve_err_set(err, r, "this host's KVM has no PIT: %s", strerror(-r));
	r = kvm_enable(vm, KVM_CAP_X2APIC_API, KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK);
	if (r < 0)
		gyve_log(GYVE_LOG_INFO, GYVE_LOG_KVM, "x2APIC interface: %s", strerror(-r));
	r = kvm_x86_save_irqchip(vm);
	return r < 0 ? gyve_err_set(err, r, "KVM does not give the interrupt controller's state: %s", strerror(-r)) : 0;
}

int kvm_host_vm_init(struct gyve_bvm *vm, struct gyve_err *err)
{
	uint64_t identity = IDENTITY_MAP;

	vm->host = calloc(1, sizeof(*vm->host));
	if (!vm->host)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	kvm_ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	kvm_ioctl_n(vm->fd, KVM_SET_TSS_ADDR, TSS);
	vm->host->cpuid = supported_cpuid(vm->kvm_fd);
	if (!vm->host->cpuid)
		return gyve_err_set(err, -ENOTSUP, "this host's KVM does not tell which CPU features it supports");
	for (unsigned i = 0; i < vm->host->cpuid->nent; i++)
		edit_cpuid(vm, &vm->host->cpuid->entries[i]);
	int xsave2 = kvm_check(vm, KVM_CAP_XSAVE2);
	vm->host->xsave_size =
		xsave2 > (int)sizeof(struct kvm_xsave) ? ((size_t)xsave2 + 63) & ~63ul : sizeof(struct kvm_xsave);
	vm->host->sync_regs = (uint64_t)kvm_check(vm, KVM_CAP_SYNC_REGS) & (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS);
	int exits = vm->cfg.cpu_pm ? kvm_check(vm, KVM_CAP_X86_DISABLE_EXITS) : 0;
	if (vm->cfg.cpu_pm && (!exits || kvm_enable(vm, KVM_CAP_X86_DISABLE_EXITS, (uint64_t)exits) < 0))
		gyve_log(GYVE_LOG_WARN, GYVE_LOG_KVM,
			 "this host's KVM does not let a guest control the power state of its CPUs");
	/* also in user mode, where KVM would else give the guest an exception for it */
	kvm_enable(vm, KVM_CAP_EXIT_ON_EMULATION_FAILURE, 1);
	vm->caps.hw_bps = vm->caps.hw_wps = 4;
	vm->caps.hw_shared = true;
	vm->caps.block_irq = vm->debug_flags & KVM_GUESTDBG_BLOCKIRQ;
	return vm->cfg.irqchip ? create_irqchip(vm, err) : 0;
}

void kvm_host_vm_deinit(struct gyve_bvm *vm)
{
	if (vm->host)
		free(vm->host->cpuid);
	free(vm->host);
}

/* --- vCPU */

int kvm_host_vcpu_init(struct gyve_bvcpu *v, struct gyve_err *err)
{
	struct kvm_mp_state mp = {.mp_state = kvm_x86_mp_state(v)};
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} misc = {{.nmsrs = 1}, {.index = 0x1a0, .data = 1}}; /* IA32_MISC_ENABLE: fast strings */

	v->host = calloc(1, sizeof(*v->host));
	if (!v->host)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	int r = set_cpuid(v);
	if (r < 0)
		return gyve_err_set(err, r, "KVM refuses the CPU features of vCPU %u: %s", v->index, strerror(-r));
	kvm_ioctl(v->fd, KVM_SET_MSRS, &misc);
	if (v->vm->cfg.irqchip)
		kvm_ioctl(v->fd, KVM_SET_MP_STATE, &mp);
	if (v->index == 0 && (r = kvm_ioctl(v->fd, KVM_GET_TSC_KHZ, NULL)) > 0)
		v->vm->caps.tsc_khz = (uint32_t)r;
	r = kvm_x86_save_initial(v);
	return r < 0 ? gyve_err_set(err, r, "KVM does not give the state of vCPU %u: %s", v->index, strerror(-r)) : 0;
}

void kvm_host_vcpu_deinit(struct gyve_bvcpu *v)
{
	if (v->host)
		kvm_x86_free_initial(v);
	free(v->host);
}

void kvm_host_left(struct gyve_bvcpu *v, bool ok)
{
	v->host->fresh = v->run->kvm_valid_regs & KVM_SYNC_X86_REGS && ok;
	v->host->fresh_sregs = v->run->kvm_valid_regs & KVM_SYNC_X86_SREGS && ok;
}

/* --- debug */

static uint64_t dr7_bits(unsigned slot, enum gyve_hw_type type, uint64_t len)
{
	uint64_t rw = type == GYVE_HW_EXEC ? 0 : type == GYVE_HW_WRITE ? 1 : 3;
	uint64_t size = type == GYVE_HW_EXEC || len == 1 ? 0 : len == 2 ? 1 : len == 8 ? 2 : 3;

	return UINT64_C(1) << (2 * slot) | (rw | size << 2) << (16 + 4 * slot);
}

int kvm_host_set_debug(struct gyve_bvcpu *v, const struct gyve_debug *dbg)
{
	struct kvm_guest_debug g = {0};

	if (dbg->step && v->run->kvm_dirty_regs & KVM_SYNC_X86_REGS) { /* KVM steps from the pc that it has now, and no other */
		int r = kvm_ioctl(v->fd, KVM_SET_REGS, &v->run->s.regs.regs);
		if (r < 0)
			return r;
		v->run->kvm_dirty_regs &= ~(uint64_t)KVM_SYNC_X86_REGS;
	}
	if (dbg->sw_bp)
		g.control |= KVM_GUESTDBG_USE_SW_BP;
	if (dbg->step)
		g.control |= KVM_GUESTDBG_SINGLESTEP;
	if (dbg->step && dbg->block_irq && v->vm->caps.block_irq)
		g.control |= KVM_GUESTDBG_BLOCKIRQ;
	for (unsigned i = 0; i < 4; i++) {
		if (dbg->hw[i].type == GYVE_HW_NONE)
			continue;
		g.control |= KVM_GUESTDBG_USE_HW_BP;
		g.arch.debugreg[i] = dbg->hw[i].addr;
		g.arch.debugreg[7] |= 0x700 | dr7_bits(i, dbg->hw[i].type, dbg->hw[i].len);
	}
	if (g.control)
		g.control |= KVM_GUESTDBG_ENABLE;
	int r = kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g);
	if (r < 0)
		return r;
	v->host->guest_debug = g;
	v->host->debug = *dbg;
	return 0;
}

/* Only noted here: KVM forgets a queued exception when registers are set, and until the next entry the debugger may do that. */
int kvm_host_reinject_bp(struct gyve_bvcpu *v)
{
	struct gyve_regs regs;
	int r = kvm_host_get_regs(v, GYVE_REGS_GPR, &regs);

	if (r < 0)
		return r;
	v->host->bp_owed = true;
	v->host->bp_emulated = v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR;
	v->host->bp_pc = regs.x86.rip;
	return 0;
}

/* KVM completes the exception at the next entry as if it had never been caught. Where the breakpoint arrived as a failed
 * emulation KVM knows no instruction length, so the exception would return to the INT3 itself: step over it first. */
static int deliver_bp(struct gyve_bvcpu *v)
{
	struct kvm_guest_debug g = v->host->guest_debug;
	struct gyve_regs regs;
	int r = kvm_host_get_regs(v, GYVE_REGS_GPR, &regs);

	v->host->bp_owed = false;
	if (r < 0 || regs.x86.rip != v->host->bp_pc)
		return r;
	if (v->host->bp_emulated)
		regs.x86.rip++;
	/* by ioctl, now: registers stored at the entry would take the queued exception away */
	v->host->fresh = false;
	v->run->kvm_dirty_regs = 0;
	r = kvm_host_set_regs(v, GYVE_REGS_GPR, &regs);
	if (r < 0)
		return r;
	g.control |= KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_INJECT_BP;
	return kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g);
}

int kvm_host_enter(struct gyve_bvcpu *v)
{
	uint64_t sync = KVM_SYNC_X86_REGS | (v->host->sregs_asked ? KVM_SYNC_X86_SREGS : 0);

	v->run->kvm_valid_regs = sync & v->vm->host->sync_regs;
	v->host->sregs_asked = false;
	/* kicked: this entry will not get far, and the exception would be queued when registers are set */
	if (!v->host->bp_owed || __atomic_load_n(&v->kicked, __ATOMIC_SEQ_CST))
		return 0;
	return deliver_bp(v);
}

static void decode_debug(struct gyve_bvcpu *v, struct gyve_exit *ret)
{
	const struct kvm_debug_exit_arch *d = &v->run->debug.arch;

	ret->kind = GYVE_EXIT_DEBUG;
	ret->debug.kinds = ret->debug.slots = 0;
	ret->debug.pc = d->pc;
	ret->debug.addr = 0;
	if (d->exception == 3) {
		ret->debug.kinds = 1u << GYVE_DBG_SW_BP;
		return;
	}
	if (d->dr6 & 1u << 14)
		ret->debug.kinds |= 1u << GYVE_DBG_STEP;
	for (unsigned i = 0; i < 4; i++) {
		if (!(d->dr6 & 1u << i) || v->host->debug.hw[i].type == GYVE_HW_NONE)
			continue;
		bool exec = v->host->debug.hw[i].type == GYVE_HW_EXEC;
		ret->debug.kinds |= 1u << (exec ? GYVE_DBG_HW_BP : GYVE_DBG_WATCH);
		ret->debug.slots |= 1u << i;
		if (!exec)
			ret->debug.addr = v->host->debug.hw[i].addr;
	}
}

static void decode_emulation(struct gyve_bvcpu *v, struct gyve_exit *ret)
{
	const struct kvm_run *run = v->run;

	ret->kind = GYVE_EXIT_EMULATION;
	ret->emul.ninsn = 0;
	ret->emul.has_gpa = false;
	if (run->emulation_failure.ndata < 3 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	unsigned n = run->emulation_failure.insn_size;
	ret->emul.ninsn = n < 15 ? n : 15;
	memcpy(ret->emul.insn, run->emulation_failure.insn_bytes, ret->emul.ninsn);
}

bool kvm_host_decode(struct gyve_bvcpu *v, struct gyve_exit *ret)
{
	if (v->run->exit_reason == KVM_EXIT_DEBUG) {
		decode_debug(v, ret);
		return true;
	}
	if (v->run->exit_reason == KVM_EXIT_INTERNAL_ERROR && v->run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION) {
		decode_emulation(v, ret);
		return true;
	}
	return false;
}

/* --- the rest */

int kvm_host_clock_stopped(struct gyve_bvcpu *v)
{
	return kvm_ioctl(v->fd, KVM_KVMCLOCK_CTRL, NULL);
}

int kvm_host_translate(struct gyve_bvcpu *v, gyve_gva_t gva, gyve_gpa_t *ret)
{
	struct kvm_translation t = {.linear_address = gva};
	int r = kvm_ioctl(v->fd, KVM_TRANSLATE, &t);

	if (r < 0)
		return r;
	if (!t.valid)
		return -EFAULT;
	*ret = t.physical_address;
	return 0;
}
