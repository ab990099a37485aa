/* KVM on aarch64: GICv3, debug exits. Documentation/virt/kvm/api.rst and devices/arm-vgic-v3.rst; registers: Arm ARM
 * (DDI 0487) D19, debug registers D19.3. */
#include "kvm_aarch64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Where the guest's device tree says they are. */
enum { GICD_BASE = 0x08000000, ITS_BASE = 0x08080000, GICR_BASE = 0x080a0000 };
enum { MAX_HW = 16, BRK_EC = 0x3c };

struct kvm_host_vm {
	int gic, its; /* device descriptors, -1: none */
	struct kvm_vcpu_init init;
	uint64_t count; /* of the virtual counter, at the stop */
	bool count_held;
};

/* --- VM: interrupt controller */

static int set_attr(int fd, uint32_t group, uint64_t attr, void *val)
{
	struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)val};
	int r = kvm_ioctl(fd, KVM_SET_DEVICE_ATTR, &a);
	return r < 0 ? r : 0;
}

static int create_device(struct gyve_bvm *vm, uint32_t type)
{
	struct kvm_create_device d = {.type = type};
	int r = kvm_ioctl(vm->fd, KVM_CREATE_DEVICE, &d);
	return r < 0 ? r : (int)d.fd;
}

static int create_gic(struct gyve_bvm *vm, struct gyve_err *err)
{
	uint64_t dist = GICD_BASE, its = ITS_BASE;
	uint64_t redist = (uint64_t)vm->cfg.ncpus << 52 | GICR_BASE; /* count, base, index 0 */
	struct kvm_host_vm *h = vm->host;

	h->gic = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_V3);
	if (h->gic < 0)
		return gyve_err_set(err, -ENOTSUP, "this host's KVM has no GICv3: %s", strerror(-h->gic));
	int r = set_attr(h->gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	if (r == 0)
		r = set_attr(h->gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, &redist);
	if (r < 0)
		return gyve_err_set(err, r, "KVM does not place the interrupt controller: %s", strerror(-r));
	h->its = create_device(vm, KVM_DEV_TYPE_ARM_VGIC_ITS);
	if (h->its >= 0 && set_attr(h->its, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &its) < 0) {
		close(h->its);
		h->its = -1;
	}
	return 0;
}

static void ask_caps(struct gyve_bvm *vm)
{
	struct gyve_host_caps *c = &vm->caps;
	int ipa = kvm_check(vm, KVM_CAP_ARM_VM_IPA_SIZE);

	c->hw_bps = (unsigned)kvm_check(vm, KVM_CAP_GUEST_DEBUG_HW_BPS);
	c->hw_wps = (unsigned)kvm_check(vm, KVM_CAP_GUEST_DEBUG_HW_WPS);
	c->read_watch = true;
	c->pa_bits = ipa ? (unsigned)ipa : 40;
}

int kvm_host_vm_init(struct gyve_bvm *vm, struct gyve_err *err)
{
	vm->host = calloc(1, sizeof(*vm->host));
	if (!vm->host)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	vm->host->gic = vm->host->its = -1;
	ask_caps(vm);
	int r = kvm_ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &vm->host->init);
	if (r < 0)
		return gyve_err_set(err, -ENOTSUP, "KVM names no CPU type for guests: %s", strerror(-r));
	vm->host->init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	kvm_enable(vm, KVM_CAP_ARM_NISV_TO_USER, 0); /* else such an access is just ENOSYS */
	if (kvm_check(vm, KVM_CAP_ARM_PTRAUTH_ADDRESS) && kvm_check(vm, KVM_CAP_ARM_PTRAUTH_GENERIC))
		vm->host->init.features[0] |= 1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC;
	if (kvm_check(vm, KVM_CAP_ARM_SVE))
		vm->host->init.features[0] |= 1u << KVM_ARM_VCPU_SVE;
	return vm->cfg.irqchip ? create_gic(vm, err) : 0;
}

void kvm_host_vm_deinit(struct gyve_bvm *vm)
{
	if (!vm->host)
		return;
	if (vm->host->its >= 0)
		close(vm->host->its);
	if (vm->host->gic >= 0)
		close(vm->host->gic);
	free(vm->host);
}

/* --- vCPU */

/* The longest vectors there are, up to the architecture's 2048 bits; chosen once in a vCPU's life. */
static int choose_sve_length(struct gyve_bvcpu *v)
{
	uint64_t lengths[KVM_ARM64_SVE_VLS_WORDS] = {0}, only[KVM_ARM64_SVE_VLS_WORDS] = {0}; /* bit 0: 16 bytes */
	int feature = KVM_ARM_VCPU_SVE;
	int r = kvm_a64_get_one(v, KVM_REG_ARM64_SVE_VLS, lengths);

	if (r < 0)
		return r;
	only[0] = lengths[0] & ((1u << GYVE_SVE_VL_MAX / 16) - 1);
	if (!only[0])
		return -ENOTSUP;
	if (memcmp(only, lengths, sizeof(only)) != 0)
		r = kvm_a64_set_one(v, KVM_REG_ARM64_SVE_VLS, only);
	if (r == 0)
		r = kvm_ioctl(v->fd, KVM_ARM_VCPU_FINALIZE, &feature);
	if (r < 0)
		return r;
	v->host->finalized = true;
	v->vm->caps.sve_vl = (64 - (unsigned)__builtin_clzll(only[0])) * 16;
	return 0;
}

static int init_regs(struct gyve_bvcpu *v)
{
	struct kvm_vcpu_init init = v->vm->host->init;
	uint64_t mpidr = UINT64_C(1) << 31 | v->index;

	if (v->index && v->vm->cfg.guest_starts_cpus)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	int r = kvm_ioctl(v->fd, KVM_ARM_VCPU_INIT, &init);
	kvm_a64_forget(v, true);
	if (r == 0 && v->vm->host->init.features[0] & 1u << KVM_ARM_VCPU_SVE && !v->host->finalized)
		r = choose_sve_length(v);
	if (r == 0 && v->index >= 16) /* below that, KVM's own value has this Aff0 */
		r = kvm_a64_set_one(v, ARM64_SYS_REG(3, 0, 0, 0, 5), &mpidr);
	return r < 0 ? r : 0;
}

/* The controller wants to know all vCPUs before it starts. */
static int start_gic(struct gyve_bvm *vm)
{
	int r = set_attr(vm->host->gic, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	if (r == 0 && vm->host->its >= 0)
		r = set_attr(vm->host->its, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	return r;
}

int kvm_host_vcpu_init(struct gyve_bvcpu *v, struct gyve_err *err)
{
	v->host = calloc(1, sizeof(*v->host));
	if (!v->host)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	int r = init_regs(v);
	if (r < 0)
		return gyve_err_set(err, r, "KVM does not initialise vCPU %u: %s", v->index, strerror(-r));
	if (v->vm->host->gic >= 0 && v->index + 1 == v->vm->cfg.ncpus && (r = start_gic(v->vm)) < 0)
		return gyve_err_set(err, r, "KVM does not start the interrupt controller: %s", strerror(-r));
	return 0;
}

void kvm_host_vcpu_deinit(struct gyve_bvcpu *v)
{
	free(v->host);
}

int kvm_host_reset(struct gyve_bvcpu *v)
{
	return init_regs(v);
}

int kvm_host_enter(struct gyve_bvcpu *v)
{
	v->host->last_valid = 0;
	return 0;
}

void kvm_host_left(struct gyve_bvcpu *v, bool ok)
{
	(void)ok;
	kvm_a64_forget(v, false);
}

/* --- debug */

static void exec_slot(struct kvm_guest_debug_arch *a, unsigned n, gyve_gva_t addr)
{
	a->dbg_bvr[n] = addr & ~UINT64_C(3);
	a->dbg_bcr[n] = 0xf << 5 | 3 << 1 | 1; /* BAS all, PMC EL1 and EL0, E */
}

/* A piece of one doubleword by byte select, or an aligned power of two by mask. */
static int watch_slot(struct kvm_guest_debug_arch *a, unsigned n, enum gyve_hw_type type, gyve_gva_t addr, uint64_t len)
{
	uint64_t lsc = type == GYVE_HW_READ ? 1 : type == GYVE_HW_WRITE ? 2 : 3;
	uint64_t wcr = lsc << 3 | 3 << 1 | 1;

	if (len && (addr & 7) + len <= 8) {
		wcr |= ((UINT64_C(1) << len) - 1) << (addr & 7) << 5;
		addr &= ~UINT64_C(7);
	} else if (len >= 8 && len <= UINT64_C(1) << 31 && !(len & (len - 1)) && !(addr & (len - 1))) {
		wcr |= UINT64_C(0xff) << 5 | (uint64_t)__builtin_ctzll(len) << 24;
	} else {
		return -EINVAL;
	}
	a->dbg_wvr[n] = addr;
	a->dbg_wcr[n] = wcr;
	return 0;
}

int kvm_host_set_debug(struct gyve_bvcpu *v, const struct gyve_debug *dbg)
{
	struct kvm_guest_debug g = {0};
	unsigned nb = 0, nw = 0;

	if (dbg->step)
		g.control |= KVM_GUESTDBG_SINGLESTEP;
	if (dbg->sw_bp)
		g.control |= KVM_GUESTDBG_USE_SW_BP;
	for (unsigned i = 0; i < GYVE_HW_MAX; i++) {
		if (dbg->hw[i].type == GYVE_HW_NONE)
			continue;
		if (dbg->hw[i].type == GYVE_HW_EXEC ? nb >= MAX_HW : nw >= MAX_HW)
			return -ENOSPC;
		if (dbg->hw[i].type == GYVE_HW_EXEC)
			exec_slot(&g.arch, nb++, dbg->hw[i].addr);
		else if (watch_slot(&g.arch, nw++, dbg->hw[i].type, dbg->hw[i].addr, dbg->hw[i].len) < 0)
			return -EINVAL;
	}
	if (nb || nw)
		g.control |= KVM_GUESTDBG_USE_HW;
	if (g.control)
		g.control |= KVM_GUESTDBG_ENABLE;
	int r = kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &g);
	if (r < 0)
		return r;
	v->host->set = *dbg;
	return 0;
}

/* Which of gyve_debug.hw[] an execute or data hit at addr belongs to; a data access may begin before the watched bytes. */
static unsigned find_slots(const struct gyve_debug *dbg, bool exec, gyve_gva_t addr)
{
	unsigned slots = 0, nearest = 0;
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < GYVE_HW_MAX; i++) {
		if (dbg->hw[i].type == GYVE_HW_NONE || (dbg->hw[i].type == GYVE_HW_EXEC) != exec)
			continue;
		uint64_t off = addr - dbg->hw[i].addr, before = dbg->hw[i].addr - addr;
		if (off < (exec ? 4 : dbg->hw[i].len))
			slots |= 1u << i;
		else if (!exec && before < best && before < 64) {
			best = before;
			nearest = 1u << i;
		}
	}
	return slots ? slots : nearest;
}

bool kvm_host_decode(struct gyve_bvcpu *v, struct gyve_exit *ret)
{
	struct kvm_run *run = v->run;

	if (run->exit_reason == KVM_EXIT_ARM_NISV) {
		ret->kind = GYVE_EXIT_EMULATION;
		ret->emul.ninsn = 0;
		ret->emul.has_gpa = true;
		ret->emul.write = run->arm_nisv.esr_iss & 1 << 6; /* WnR */
		ret->emul.gpa = run->arm_nisv.fault_ipa;
		return true;
	}
	if (run->exit_reason != KVM_EXIT_DEBUG)
		return false;
	uint64_t pc = kvm_a64_pc(v);
	ret->kind = GYVE_EXIT_DEBUG;
	ret->debug.pc = pc;
	ret->debug.kinds = ret->debug.slots = 0;
	ret->debug.addr = 0;
	switch (run->debug.arch.hsr >> 26 & 0x3f) {
	case 0x30: /* breakpoint from a lower level */
	case 0x31:
		ret->debug.kinds = 1u << GYVE_DBG_HW_BP;
		ret->debug.slots = find_slots(&v->host->set, true, pc);
		break;
	case 0x32: /* software step */
	case 0x33:
		ret->debug.kinds = 1u << GYVE_DBG_STEP;
		break;
	case 0x34: /* watchpoint */
	case 0x35:
		ret->debug.kinds = 1u << GYVE_DBG_WATCH;
		ret->debug.addr = run->debug.arch.far;
		ret->debug.slots = find_slots(&v->host->set, false, ret->debug.addr);
		break;
	case BRK_EC:
		ret->debug.kinds = 1u << GYVE_DBG_SW_BP;
		break;
	}
	return true;
}

/* As the CPU takes a BRK to EL1: Arm ARM D1.3, "Exception entry". */
int kvm_host_reinject_bp(struct gyve_bvcpu *v)
{
	struct gyve_regs regs;
	struct gyve_a64_regs *r = &regs.a64;
	int ret = kvm_host_get_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &regs);

	if (ret < 0)
		return ret;
	uint64_t mode = r->pstate & 0xf;
	r->elr_el1 = r->pc;
	r->spsr_el1 = r->pstate;
	r->esr_el1 = (uint64_t)BRK_EC << 26 | 1u << 25 | (v->run->debug.arch.hsr & 0xffff);
	r->pc = r->vbar_el1 + (mode == 5 ? 0x200 : mode == 4 ? 0 : 0x400);
	r->pstate = (r->pstate & 0xf1400000) /* NZCV, DIT, PAN stay */ | 0x3c5;
	if (r->sctlr_el1 & UINT64_C(1) << 44) /* DSSBS */
		r->pstate |= 1u << 12;
	if (!(r->sctlr_el1 & UINT64_C(1) << 23)) /* SPAN */
		r->pstate |= UINT64_C(1) << 22;
	r->sp = r->sp_el1;
	v->host->last.sp = r->sp; /* a name only */
	return kvm_host_set_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &regs);
}

/* To the point of coherency: while the guest has its caches off, it fetches from there. */
void kvm_host_sync_code(void *hva, uint64_t len)
{
	uint64_t ctr, from = (uintptr_t)hva, to = from + len, dline, iline;

	__asm__("mrs %0, ctr_el0" : "=r"(ctr));
	dline = UINT64_C(4) << (ctr >> 16 & 15);
	iline = UINT64_C(4) << (ctr & 15);
	for (uint64_t a = from & ~(dline - 1); a < to; a += dline)
		__asm__ volatile("dc civac, %0" : : "r"(a) : "memory");
	__asm__ volatile("dsb ish" : : : "memory");
	for (uint64_t a = from & ~(iline - 1); a < to; a += iline)
		__asm__ volatile("ic ivau, %0" : : "r"(a) : "memory");
	__asm__ volatile("dsb ish\n\tisb" : : : "memory");
}

/* KVM computes its offset from the count that it is given, for all vCPUs. */
void kvm_host_clock_hold(struct gyve_bvcpu *v, bool hold)
{
	struct kvm_host_vm *h = v->vm->host;

	if (hold)
		h->count_held = kvm_a64_get_one(v, KVM_REG_ARM_TIMER_CNT, &h->count) == 0;
	else if (h->count_held)
		kvm_a64_set_one(v, KVM_REG_ARM_TIMER_CNT, &h->count);
	if (!hold)
		h->count_held = false;
}

int kvm_host_clock_stopped(struct gyve_bvcpu *v)
{
	(void)v;
	return -ENOTSUP;
}

int kvm_host_tsc(struct gyve_bvcpu *v, uint64_t *ret)
{
	(void)v, (void)ret;
	return -ENOTSUP;
}

int kvm_host_translate(struct gyve_bvcpu *v, gyve_gva_t gva, gyve_gpa_t *ret)
{
	(void)v, (void)gva, (void)ret;
	return -ENOTSUP;
}

int kvm_host_msr(struct gyve_bvcpu *v, bool write, uint32_t index, uint64_t *val)
{
	uint64_t id = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG | (index & 0xffff);

	if (!write)
		return kvm_a64_get_one(v, id, val);
	kvm_a64_forget(v, true);
	return kvm_a64_set_one(v, id, val);
}

/* The 64-bit system registers among what KVM lists. */
size_t kvm_host_msr_list(struct gyve_bvcpu *v, uint32_t *ret, size_t max)
{
	static const uint64_t kind = KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM64_SYSREG;
	struct kvm_reg_list probe = {0}, *l;
	size_t n = 0;

	if (kvm_ioctl(v->fd, KVM_GET_REG_LIST, &probe) != -E2BIG || probe.n > 1u << 16)
		return 0;
	l = calloc(1, sizeof(*l) + probe.n * sizeof(l->reg[0]));
	if (!l)
		return 0;
	l->n = probe.n;
	if (kvm_ioctl(v->fd, KVM_GET_REG_LIST, l) < 0)
		l->n = 0;
	for (uint64_t i = 0; i < l->n; i++)
		if ((l->reg[i] & ~0xffffull) == kind && n++ < max)
			ret[n - 1] = l->reg[i] & 0xffff;
	free(l);
	return n;
}

int kvm_host_irq_reg(struct gyve_bvcpu *v, enum gyve_irq_part part, uint32_t reg, uint64_t *ret)
{
	static const uint32_t groups[] = {[GYVE_IRQ_LOCAL] = KVM_DEV_ARM_VGIC_GRP_REDIST_REGS,
					  [GYVE_IRQ_GLOBAL] = KVM_DEV_ARM_VGIC_GRP_DIST_REGS,
					  [GYVE_IRQ_CPU] = KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS};
	uint64_t mpidr, wide = 0;
	uint32_t narrow = 0;

	if (v->vm->host->gic < 0 || part >= GYVE_ARRAY_SIZE(groups))
		return -ENOENT;
	int r = kvm_a64_get_one(v, ARM64_SYS_REG(3, 0, 0, 0, 5), &mpidr);
	if (r < 0)
		return r;
	uint64_t affinity = (mpidr >> 32 & 0xff) << 24 | (mpidr & 0xffffff);
	struct kvm_device_attr a = {.group = groups[part],
				    .attr = affinity << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT | reg,
				    .addr = part == GYVE_IRQ_CPU ? (uintptr_t)&wide : (uintptr_t)&narrow};
	r = kvm_ioctl(v->vm->host->gic, KVM_GET_DEVICE_ATTR, &a);
	if (r < 0)
		return r;
	*ret = part == GYVE_IRQ_CPU ? wide : narrow;
	return 0;
}
