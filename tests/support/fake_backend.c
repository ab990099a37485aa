#include "fake_backend.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fake_host fake_host;

enum { SLOTS = 64 };

struct gyve_bvm {
	uint8_t *ram; /* all of it, from the first slot mapped on */
	gyve_gpa_t base;
	uint64_t len;
	struct {
		unsigned id;
		gyve_gpa_t gpa;
		uint64_t len; /* 0: free */
		unsigned flags;
	} slots[SLOTS];
	struct gyve_host_caps caps;
};
/* An INC of a protected byte leaves for its read (if there is no slot) and for its write. */
enum inc_state { INC_NONE, INC_READ, INC_WRITE_WAITS, INC_WRITE };
struct gyve_bvcpu {
	struct gyve_bvm *vm;
	struct gyve_x86_regs r;
	struct gyve_debug debug;
	bool kicked, owes_out;
	uint8_t out_byte, inc_byte;
	enum inc_state inc;
	uint64_t inc_addr;
};

static int vm_create(const struct gyve_vm_config *cfg, struct gyve_bvm **ret, struct gyve_err *err)
{
	(void)cfg, (void)err;
	*ret = calloc(1, sizeof(**ret));
	(*ret)->caps = (struct gyve_host_caps){.max_vcpus = 8,
					       .hw_bps = fake_host.hw_bps,
					       .hw_wps = fake_host.hw_bps,
					       .hw_shared = true,
					       .no_sw_bp = fake_host.no_int3,
					       .no_hw_bp = fake_host.no_regs,
					       .readonly_exits = fake_host.pages,
					       .absent_exits = fake_host.pages,
					       .hw_watch_works = fake_host.watch_works,
					       .sw_bp_is_internal_error = fake_host.int3_is_emulation};
	return 0;
}

static void vm_destroy(struct gyve_bvm *vm)
{
	free(vm);
}

static const struct gyve_host_caps *caps(struct gyve_bvm *vm)
{
	return &vm->caps;
}

static int map(struct gyve_bvm *vm, unsigned slot, gyve_gpa_t gpa, void *hva, uint64_t len, unsigned flags)
{
	size_t i = 0;

	__atomic_fetch_add(&fake_host.maps, 1, __ATOMIC_RELAXED);
	if (!vm->ram) {
		vm->base = gpa;
		vm->ram = hva;
		vm->len = len;
	}
	if ((uint8_t *)hva - vm->ram != (ptrdiff_t)(gpa - vm->base))
		return -EINVAL; /* tests are about one RAM */
	while (i < SLOTS && (!vm->slots[i].len || vm->slots[i].id != slot))
		i++;
	if (i < SLOTS && len)
		return -EEXIST;
	if (i == SLOTS && !len)
		return -EINVAL;
	for (size_t k = 0; len && k < SLOTS; k++)
		if (vm->slots[k].len && gpa < vm->slots[k].gpa + vm->slots[k].len && vm->slots[k].gpa < gpa + len)
			return -EEXIST;
	for (size_t k = 0; i == SLOTS && k < SLOTS; k++)
		i = vm->slots[k].len ? i : k;
	vm->slots[i].id = slot;
	vm->slots[i].gpa = gpa;
	vm->slots[i].len = len;
	vm->slots[i].flags = flags;
	return 0;
}

/* Does an INC of the byte at gpa leave? INC_NONE: it does not. */
static enum inc_state inc_leaves(const struct gyve_bvm *vm, gyve_gpa_t gpa)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (gpa - vm->slots[i].gpa < vm->slots[i].len)
			return vm->slots[i].flags & GYVE_MAP_READONLY ? INC_WRITE : INC_NONE;
	return INC_READ;
}

static int vcpu_create(struct gyve_bvm *vm, unsigned index, struct gyve_bvcpu **ret, struct gyve_err *err)
{
	(void)index, (void)err;
	*ret = calloc(1, sizeof(**ret));
	(*ret)->vm = vm;
	return 0;
}

static void vcpu_destroy(struct gyve_bvcpu *v)
{
	free(v);
}

static int debug_exit(struct gyve_bvcpu *v, struct gyve_exit *e, enum gyve_debug_kind kind, unsigned slots)
{
	e->kind = GYVE_EXIT_DEBUG;
	e->debug.kinds = 1u << kind;
	e->debug.pc = v->r.rip;
	e->debug.addr = 0;
	e->debug.slots = slots;
	return 0;
}

static bool hw_hit(struct gyve_bvcpu *v, enum gyve_hw_type type, uint64_t addr, unsigned *slot)
{
	for (unsigned i = 0; i < fake_host.hw_bps; i++)
		if (v->debug.hw[i].type == type && addr >= v->debug.hw[i].addr &&
		    addr < v->debug.hw[i].addr + v->debug.hw[i].len) {
			*slot = 1u << i;
			return true;
		}
	return false;
}

static bool take_kick(struct gyve_bvcpu *v)
{
	return __atomic_exchange_n(&v->kicked, false, __ATOMIC_SEQ_CST);
}

static int inc_exit(struct gyve_bvcpu *v, struct gyve_exit *e, uint64_t addr)
{
	v->inc_addr = addr;
	if (v->inc == INC_WRITE && !fake_host.pages) {
		e->kind = GYVE_EXIT_SHUTDOWN;
		return 0;
	}
	if (v->inc == INC_WRITE)
		v->inc_byte = (uint8_t)(v->vm->ram[addr - v->vm->base] + 1);
	e->kind = GYVE_EXIT_MMIO;
	e->mmio.gpa = addr;
	e->mmio.len = 1;
	e->mmio.write = v->inc == INC_WRITE;
	e->mmio.data = &v->inc_byte;
	return 0;
}

/* One instruction. 1: done, run on; 0: *e is an exit. */
static int execute(struct gyve_bvcpu *v, struct gyve_exit *e)
{
	uint8_t *p = v->vm->ram + (v->r.rip - v->vm->base);
	unsigned slot;

	switch (__atomic_load_n(p, __ATOMIC_SEQ_CST)) {
	case 0x90:
		v->r.rip++;
		return 1;
	case 0xeb:
		v->r.rip += 2 + (uint64_t)(int8_t)p[1];
		return 1;
	case 0xf4: {
		struct timespec t = {0, 100000};
		while (!__atomic_load_n(&v->kicked, __ATOMIC_SEQ_CST))
			nanosleep(&t, NULL);
		e->kind = GYVE_EXIT_INTR;
		take_kick(v);
		return 0;
	}
	case 0xfe: {
		int32_t rel;
		memcpy(&rel, p + 2, 4);
		uint64_t addr = v->r.rip + 6 + (uint64_t)(int64_t)rel;
		if ((v->inc = inc_leaves(v->vm, addr)) != INC_NONE)
			return inc_exit(v, e, addr);
		v->r.rip += 6;
		__atomic_fetch_add(&fake_host.incs, 1, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(v->vm->ram + (addr - v->vm->base), 1, __ATOMIC_SEQ_CST);
		if (fake_host.watch_works && hw_hit(v, GYVE_HW_WRITE, addr, &slot))
			return debug_exit(v, e, GYVE_DBG_WATCH, slot);
		return 1;
	}
	case 0xe6:
		e->kind = GYVE_EXIT_IO;
		v->out_byte = (uint8_t)v->r.gpr[GYVE_RAX];
		e->io.port = p[1];
		e->io.size = 1;
		e->io.out = true;
		e->io.count = 1;
		e->io.data = &v->out_byte;
		if (fake_host.out_advances)
			v->r.rip += 2;
		else
			v->owes_out = true;
		return 0;
	case 0xcc:
		if (fake_host.no_int3) {
			e->kind = GYVE_EXIT_SHUTDOWN;
			return 0;
		}
		if (fake_host.int3_is_emulation) {
			e->kind = GYVE_EXIT_EMULATION;
			e->emul.ninsn = 1;
			e->emul.has_gpa = false;
			e->emul.insn[0] = 0xcc;
			return 0;
		}
		return debug_exit(v, e, GYVE_DBG_SW_BP, 0);
	}
	e->kind = GYVE_EXIT_SHUTDOWN;
	return 0;
}

static int settle(struct gyve_bvcpu *v)
{
	if (v->owes_out)
		v->r.rip += 2;
	v->owes_out = false;
	if (v->inc == INC_READ) {
		v->inc_byte++;
		v->inc = INC_WRITE_WAITS;
	}
	if (v->inc == INC_WRITE) {
		v->r.rip += 6;
		__atomic_fetch_add(&fake_host.incs, 1, __ATOMIC_SEQ_CST);
		v->inc = INC_NONE;
	}
	return v->inc == INC_WRITE_WAITS;
}

static int run(struct gyve_bvcpu *v, struct gyve_exit *e)
{
	bool owed = v->owes_out || v->inc == INC_WRITE;
	unsigned slot;

	memset(e, 0, sizeof(*e));
	if (settle(v)) {
		v->inc = INC_WRITE;
		uint8_t byte = v->inc_byte;
		inc_exit(v, e, v->inc_addr);
		v->inc_byte = byte;
		return 0;
	}
	if (owed && v->debug.step)
		return debug_exit(v, e, GYVE_DBG_STEP, 0);
	for (;;) {
		if (take_kick(v)) {
			e->kind = GYVE_EXIT_INTR;
			return 0;
		}
		if (!fake_host.no_regs && hw_hit(v, GYVE_HW_EXEC, v->r.rip, &slot))
			return debug_exit(v, e, GYVE_DBG_HW_BP, slot);
		if (v->debug.step && fake_host.lazy_steps) {
			fake_host.lazy_steps--;
			return debug_exit(v, e, GYVE_DBG_STEP, 0);
		}
		if (!execute(v, e))
			return 0;
		if (v->debug.step)
			return debug_exit(v, e, GYVE_DBG_STEP, 0);
	}
}

static void kick(struct gyve_bvcpu *v)
{
	__atomic_store_n(&v->kicked, true, __ATOMIC_SEQ_CST);
}

/* Only the groups: what is cached of others may be about to be stored. */
static void copy_regs(unsigned groups, struct gyve_x86_regs *to, const struct gyve_x86_regs *from)
{
	const size_t sys = offsetof(struct gyve_x86_regs, seg), fp = offsetof(struct gyve_x86_regs, xcr0);

	if (groups & (GYVE_REGS_GPR | GYVE_REGS_PC | GYVE_REGS_PC_ONLY))
		memcpy(to, from, sys);
	if (groups & (GYVE_REGS_SYS | GYVE_REGS_MMU))
		memcpy((char *)to + sys, (const char *)from + sys, fp - sys);
	if (groups & ~(unsigned)(GYVE_REGS_GPR | GYVE_REGS_PC | GYVE_REGS_PC_ONLY | GYVE_REGS_SYS | GYVE_REGS_MMU))
		memcpy((char *)to + fp, (const char *)from + fp, sizeof(*to) - fp);
}

static int get_regs(struct gyve_bvcpu *v, unsigned groups, struct gyve_regs *ret)
{
	ret->arch = GYVE_X86_64;
	copy_regs(groups, &ret->x86, &v->r);
	return 0;
}

static int set_regs(struct gyve_bvcpu *v, unsigned groups, const struct gyve_regs *regs)
{
	copy_regs(groups, &v->r, &regs->x86);
	return 0;
}

static int set_debug(struct gyve_bvcpu *v, const struct gyve_debug *dbg)
{
	v->debug = *dbg;
	__atomic_fetch_add(&fake_host.set_debugs, 1, __ATOMIC_RELAXED);
	return 0;
}

static int reinject_bp(struct gyve_bvcpu *v)
{
	__atomic_fetch_add(&fake_host.reinjected, 1, __ATOMIC_RELAXED);
	v->r.rip++; /* as if the handler had returned */
	return 0;
}

static int reset(struct gyve_bvcpu *v)
{
	memset(&v->r, 0, sizeof(v->r));
	return 0;
}

const struct gyve_backend_ops fake_backend = {
	.name = "fake",
	.machine = EM_X86_64,
	.vm_create = vm_create,
	.vm_destroy = vm_destroy,
	.caps = caps,
	.map = map,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.run = run,
	.kick = kick,
	.settle = settle,
	.get_regs = get_regs,
	.set_regs = set_regs,
	.set_debug = set_debug,
	.reinject_bp = reinject_bp,
	.reset = reset,
};
