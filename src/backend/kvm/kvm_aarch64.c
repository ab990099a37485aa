/* KVM on aarch64: GICv3, ONE_REG, debug exits. Documentation/virt/kvm/api.rst and devices/arm-vgic-v3.rst; registers: Arm ARM
 * (DDI 0487) D19, debug registers D19.3. */
#include "kvm_host.h"

#include <errno.h>
#include <stddef.h>
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
};

struct kvm_host_vcpu {
	struct gyve_a64_regs last; /* as read since the last run */
	unsigned last_valid;
	uint64_t fresh; /* rows of rows[] that last holds */
	struct gyve_debug set;
};

/* --- registers: one row each */

struct one_reg {
	uint64_t id;
	uint16_t offset, size; /* in struct gyve_a64_regs */
	uint8_t group;         /* GYVE_REGS_*, any of them */
	bool readonly;
};

#define CORE(field, member, group_)                                                                \
	{                                                                                          \
		KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field), \
			offsetof(struct gyve_a64_regs, member), 8, group_, false                   \
	}
#define CORE32(field, member)                                                                      \
	{                                                                                          \
		KVM_REG_ARM64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field), \
			offsetof(struct gyve_a64_regs, member), 4, GYVE_REGS_FP, false             \
	}
#define SYS(op0, op1, crn, crm, op2, member)                                                                            \
	{                                                                                                               \
		ARM64_SYS_REG(op0, op1, crn, crm, op2), offsetof(struct gyve_a64_regs, member), 8, GYVE_REGS_SYS, false \
	}
#define MMU(op0, op1, crn, crm, op2, member)                                                       \
	{                                                                                          \
		ARM64_SYS_REG(op0, op1, crn, crm, op2), offsetof(struct gyve_a64_regs, member), 8, \
			GYVE_REGS_SYS | GYVE_REGS_MMU, false                                       \
	}
#define SYS_RO(op0, op1, crn, crm, op2, member)                                                                        \
	{                                                                                                              \
		ARM64_SYS_REG(op0, op1, crn, crm, op2), offsetof(struct gyve_a64_regs, member), 8, GYVE_REGS_SYS, true \
	}

static const struct one_reg rows[] = {
	CORE(regs.pc, pc, GYVE_REGS_GPR | GYVE_REGS_PC),
	CORE(regs.pstate, pstate, GYVE_REGS_GPR | GYVE_REGS_PC),
	CORE(regs.sp, sp_el0, GYVE_REGS_GPR | GYVE_REGS_SYS),
	CORE(sp_el1, sp_el1, GYVE_REGS_GPR | GYVE_REGS_SYS),
	CORE(elr_el1, elr_el1, GYVE_REGS_SYS),
	CORE(spsr[0], spsr_el1, GYVE_REGS_SYS),
	CORE32(fp_regs.fpsr, fpsr),
	CORE32(fp_regs.fpcr, fpcr),
	MMU(3, 0, 1, 0, 0, sctlr_el1),
	MMU(3, 0, 2, 0, 2, tcr_el1),
	MMU(3, 0, 2, 0, 0, ttbr0_el1),
	MMU(3, 0, 2, 0, 1, ttbr1_el1),
	MMU(3, 0, 10, 2, 0, mair_el1),
	SYS(3, 0, 12, 0, 0, vbar_el1),
	SYS(3, 0, 5, 2, 0, esr_el1),
	SYS(3, 0, 6, 0, 0, far_el1),
	SYS(3, 3, 13, 0, 2, tpidr_el0),
	SYS(3, 3, 13, 0, 3, tpidrro_el0),
	SYS(3, 0, 13, 0, 4, tpidr_el1),
	SYS(3, 0, 1, 0, 2, cpacr_el1),
	SYS(3, 0, 13, 0, 1, contextidr_el1),
	SYS(3, 0, 7, 4, 0, par_el1),
	SYS(3, 0, 5, 1, 0, afsr0_el1),
	SYS(3, 0, 5, 1, 1, afsr1_el1),
	SYS(3, 0, 10, 3, 0, amair_el1),
	SYS(2, 0, 0, 2, 2, mdscr_el1),
	SYS(3, 0, 14, 1, 0, cntkctl_el1),
	SYS_RO(3, 3, 14, 3, 1, cntv_ctl_el0), /* writing would move the guest's time */
	SYS_RO(3, 0, 0, 0, 5, mpidr_el1),
	SYS_RO(3, 0, 0, 0, 0, midr_el1),
	SYS_RO(3, 0, 0, 4, 0, id_aa64pfr0_el1),
	SYS_RO(3, 0, 0, 4, 1, id_aa64pfr1_el1),
	SYS_RO(3, 0, 0, 5, 0, id_aa64dfr0_el1),
	SYS_RO(3, 0, 0, 6, 0, id_aa64isar0_el1),
	SYS_RO(3, 0, 0, 6, 1, id_aa64isar1_el1),
	{ARM64_SYS_REG(3, 0, 0, 7, 0), offsetof(struct gyve_a64_regs, id_aa64mmfr0_el1), 8, GYVE_REGS_SYS | GYVE_REGS_MMU,
	 true},
	SYS_RO(3, 0, 0, 7, 1, id_aa64mmfr1_el1),
	SYS_RO(3, 0, 0, 7, 2, id_aa64mmfr2_el1),
};

static struct one_reg x_row(unsigned n)
{
	return (struct one_reg){KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |
					(KVM_REG_ARM_CORE_REG(regs.regs[0]) + 2 * n),
				(uint16_t)(offsetof(struct gyve_a64_regs, x) + 8 * n), 8, GYVE_REGS_GPR, false};
}

static struct one_reg v_row(unsigned n)
{
	return (struct one_reg){KVM_REG_ARM64 | KVM_REG_SIZE_U128 | KVM_REG_ARM_CORE |
					(KVM_REG_ARM_CORE_REG(fp_regs.vregs[0]) + 4 * n),
				(uint16_t)(offsetof(struct gyve_a64_regs, v) + 16 * n), 16, GYVE_REGS_FP, false};
}

static int get_one(struct gyve_bvcpu *v, uint64_t id, void *val)
{
	struct kvm_one_reg r = {id, (uintptr_t)val};
	int ret = kvm_ioctl(v->fd, KVM_GET_ONE_REG, &r);
	return ret < 0 ? ret : 0;
}

static int set_one(struct gyve_bvcpu *v, uint64_t id, const void *val)
{
	struct kvm_one_reg r = {id, (uintptr_t)val};
	int ret = kvm_ioctl(v->fd, KVM_SET_ONE_REG, &r);
	return ret < 0 ? ret : 0;
}

static uint64_t fresh_bit(const struct one_reg *row)
{
	bool any = row >= rows && row < rows + GYVE_ARRAY_SIZE(rows);

	_Static_assert(GYVE_ARRAY_SIZE(rows) <= 64, "no room for all rows");
	return any ? UINT64_C(1) << (row - rows) : 0;
}

static int get_row(struct gyve_bvcpu *v, const struct one_reg *row, struct gyve_a64_regs *r)
{
	uint8_t *at = (uint8_t *)r + row->offset;
	uint64_t bit = fresh_bit(row);

	if (v->host->fresh & bit) {
		memcpy(at, (uint8_t *)&v->host->last + row->offset, row->size);
		return 0;
	}
	int ret = get_one(v, row->id, at);

	if (ret == -ENOENT) { /* this CPU has no such register */
		memset(at, 0, row->size);
		ret = 0;
	}
	memcpy((uint8_t *)&v->host->last + row->offset, at, row->size);
	if (ret == 0)
		v->host->fresh |= bit;
	return ret;
}

/* Only what changed since it was read: most register stores change the pc alone. */
static int set_row(struct gyve_bvcpu *v, const struct one_reg *row, const struct gyve_a64_regs *r)
{
	const uint8_t *at = (const uint8_t *)r + row->offset;
	uint8_t *last = (uint8_t *)&v->host->last + row->offset;

	if (row->readonly ||
	    ((v->host->fresh & fresh_bit(row) || v->host->last_valid & row->group) && memcmp(at, last, row->size) == 0))
		return 0;
	memcpy(last, at, row->size);
	v->host->fresh |= fresh_bit(row);
	return set_one(v, row->id, at);
}

static bool uses_sp_el1(const struct gyve_a64_regs *r)
{
	return (r->pstate & 0xf) == 5; /* EL1h */
}

int kvm_host_get_regs(struct gyve_bvcpu *v, unsigned groups, struct gyve_regs *ret)
{
	struct gyve_a64_regs *r = &ret->a64;
	int res = 0;

	ret->arch = GYVE_AARCH64;
	for (size_t i = 0; res == 0 && i < GYVE_ARRAY_SIZE(rows); i++)
		if (rows[i].group & groups)
			res = get_row(v, &rows[i], r);
	for (unsigned n = 0; res == 0 && (groups & GYVE_REGS_GPR) && n < 31; n++) {
		struct one_reg row = x_row(n);
		res = get_row(v, &row, r);
	}
	for (unsigned n = 0; res == 0 && (groups & GYVE_REGS_FP) && n < 32; n++) {
		struct one_reg row = v_row(n);
		res = get_row(v, &row, r);
	}
	if (res < 0)
		return res;
	if (groups & GYVE_REGS_GPR)
		v->host->last.sp = r->sp = uses_sp_el1(r) ? r->sp_el1 : r->sp_el0;
	ret->valid |= groups;
	v->host->last_valid |= groups;
	return 0;
}

int kvm_host_set_regs(struct gyve_bvcpu *v, unsigned groups, const struct gyve_regs *regs)
{
	struct gyve_a64_regs r = regs->a64;
	int res = 0;

	/* sp is a name for one of the two; whichever was changed wins */
	if (groups & GYVE_REGS_GPR) {
		uint64_t *real = uses_sp_el1(&r) ? &r.sp_el1 : &r.sp_el0;
		if (!(v->host->last_valid & GYVE_REGS_GPR) || r.sp != v->host->last.sp)
			*real = r.sp;
		v->host->last.sp = r.sp;
	}
	for (size_t i = 0; res == 0 && i < GYVE_ARRAY_SIZE(rows); i++)
		if (rows[i].group & groups)
			res = set_row(v, &rows[i], &r);
	for (unsigned n = 0; res == 0 && (groups & GYVE_REGS_GPR) && n < 31; n++) {
		struct one_reg row = x_row(n);
		res = set_row(v, &row, &r);
	}
	for (unsigned n = 0; res == 0 && (groups & GYVE_REGS_FP) && n < 32; n++) {
		struct one_reg row = v_row(n);
		res = set_row(v, &row, &r);
	}
	return res;
}

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

static int init_regs(struct gyve_bvcpu *v)
{
	int r = kvm_ioctl(v->fd, KVM_ARM_VCPU_INIT, &v->vm->host->init);
	uint64_t mpidr = UINT64_C(1) << 31 | v->index;

	v->host->last_valid = 0;
	v->host->fresh = 0;
	if (r == 0 && v->index >= 16) /* below that, KVM's own value has this Aff0 */
		r = set_one(v, ARM64_SYS_REG(3, 0, 0, 0, 5), &mpidr);
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
	v->host->last_valid = 0;
	v->host->fresh = 0;
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
	struct gyve_a64_regs r;

	if (run->exit_reason == KVM_EXIT_ARM_NISV) {
		ret->kind = GYVE_EXIT_EMULATION;
		ret->emul.ninsn = 0;
		return true;
	}
	if (run->exit_reason != KVM_EXIT_DEBUG)
		return false;
	uint64_t pc = get_row(v, &rows[0], &r) == 0 ? r.pc : 0;
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
	r->pstate = (r->pstate & 0x1400000) /* DIT, UAO's neighbours stay out; PAN below */ | 0x3c5;
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
