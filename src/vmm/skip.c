/* A vCPU at a point that lets it pass goes on behind the instruction there: where that is one that skip.h knows, it is carried
 * out here, and neither is the breakpoint taken out nor the guest stepped, nor need other vCPUs wait. */
#include "skip.h"

#include "../base/bytes.h"
#include "plant.h"
#include "trace.h"

#include <errno.h>

enum { PAGE = 4096, SHADOW = 8 };

/* --- the guest's own access to memory */

enum { X86_ACCESSED = 1 << 5, X86_DIRTY = 1 << 6 };
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)
#define CR4_PKE (UINT64_C(1) << 22)
#define CR4_CET (UINT64_C(1) << 23)
#define CR4_PKS (UINT64_C(1) << 24)

static bool x86_accessed(const struct gyve_walk *w)
{
	for (unsigned i = 0; i < w->nsteps; i++)
		if (!(w->step[i].entry & X86_ACCESSED))
			return false;
	return w->nsteps > 0;
}

/* A fault, or a flag that the processor would set? */
static bool x86_allows(const struct gyve_x86_regs *r, const struct gyve_walk *w, bool write)
{
	bool user = r->seg[GYVE_SS].dpl == 3;

	if (!x86_accessed(w) || (write && (!(w->perms & GYVE_PERM_W) || !(w->step[w->nsteps - 1].entry & X86_DIRTY))))
		return false;
	if (w->perms & GYVE_PERM_U)
		return user ? !(r->cr4 & CR4_PKE) : !(r->cr4 & (CR4_SMAP | CR4_PKE));
	return !user && !(r->cr4 & CR4_PKS);
}

enum { A64_AF = 1 << 10, A64_M = 1, A64_C = 1 << 2, A64_EL = 3 << 2 };
#define A64_PAN (UINT64_C(1) << 22)

/* Only normal memory, write-back: elsewhere caches and order are another matter. */
static bool a64_allows(const struct gyve_a64_regs *r, const struct gyve_walk *w, bool write)
{
	bool el0 = !(r->pstate & A64_EL), big = r->sctlr_el1 >> (el0 ? 24 : 25) & 1;

	if (big || (r->sctlr_el1 & (A64_M | A64_C)) != (A64_M | A64_C) || !w->nsteps ||
	    !(w->step[w->nsteps - 1].entry & A64_AF) || (w->memtype & 0xcc) != 0xcc || (write && !(w->perms & GYVE_PERM_W)))
		return false;
	return w->perms & GYVE_PERM_U ? el0 || !(r->pstate & A64_PAN) : !el0;
}

static void *place(void *ctx, gyve_gva_t gva, unsigned len, bool write)
{
	struct gyve_vcpu *v = ctx;
	struct gyve_mem phys = gyve_memmap_mem(&v->vm->map);
	const struct gyve_region *region;
	struct gyve_mmu mmu;
	struct gyve_walk w;

	if (gva % PAGE + len > PAGE || !vcpu_mmu(v, &mmu) || gyve_walk(&mmu, &phys, gva, &w) < 0)
		return NULL;
	if (!(v->vm->arch->id == GYVE_X86_64 ? x86_allows(&v->regs.x86, &w, write) : a64_allows(&v->regs.a64, &w, write)))
		return NULL;
	region = gyve_memmap_find(&v->vm->map, w.gpa);
	if (!region || !(region->flags & GYVE_REGION_RAM) || region->flags & GYVE_REGION_READONLY ||
	    plant_overlaps(v->vm, w.gpa, len))
		return NULL;
	return gyve_memmap_ptr(&v->vm->map, w.gpa, len);
}

/* --- the instruction */

/* Interrupts are held behind STI and a load of SS, for one instruction, and KVM would go on to hold them. */
static bool in_shadow(struct gyve_vcpu *v, gyve_gva_t pc)
{
	enum { STI = 0xfb, MOV_TO_SREG = 0x8e, SREG_SS = 2 };
	uint8_t b[SHADOW];

	if (vcpu_read(v, pc - SHADOW, b, SHADOW) != SHADOW)
		return vcpu_read(v, pc - 1, b, 1) == 1 && b[0] == STI;
	for (unsigned i = 0; i < SHADOW - 1; i++)
		if (b[i] == MOV_TO_SREG && (b[i + 1] >> 3 & 7) == SREG_SS)
			return true;
	return b[SHADOW - 1] == STI;
}

/* Bytes at pc, as far as its page goes. A debug register fires before the fetch: it must be one without a fault, too, and
 * without a flag to be set. */
static ssize_t fetch(struct gyve_vcpu *v, gyve_gva_t pc, uint8_t *insn, size_t len)
{
	struct gyve_mem phys = gyve_vm_phys(v->vm), raw = gyve_memmap_mem(&v->vm->map);
	struct gyve_mmu mmu;
	struct gyve_walk w;
	bool may;

	if (!vcpu_mmu_at(v, pc, &mmu) || gyve_walk(&mmu, &raw, pc, &w) < 0)
		return -EFAULT;
	if (v->vm->arch->id == GYVE_X86_64) {
		const struct gyve_x86_regs *r = &v->regs.x86;
		bool user = r->seg[GYVE_SS].dpl == 3;
		may = x86_accessed(&w) && w.perms & GYVE_PERM_X &&
		      (w.perms & GYVE_PERM_U ? user || !(r->cr4 & CR4_SMEP) : !user);
	} else {
		may = (!w.nsteps || w.step[w.nsteps - 1].entry & A64_AF) &&
		      (v->regs.a64.pstate & A64_EL ? w.perms & GYVE_PERM_X : w.user_x);
	}
	return may ? phys.read(phys.ctx, w.gpa, insn, PAGE - pc % PAGE < len ? PAGE - pc % PAGE : len) : -EFAULT;
}

static bool skip_one_x86(struct gyve_vcpu *v, gyve_gva_t pc, const struct skip_env *env)
{
	enum { TF = 1 << 8, VM = 1 << 17, AC = 1 << 18, LMA = 1 << 10 };
	struct gyve_x86_regs *r = &v->regs.x86;
	uint8_t insn[15];

	if (!vcpu_regs(v, GYVE_REGS_GPR | GYVE_REGS_MMU) || r->rip != pc || r->rflags & (TF | VM | AC) || !(r->efer & LMA) ||
	    !r->seg[GYVE_CS].l || r->cr4 & CR4_CET)
		return false;
	ssize_t n = fetch(v, pc, insn, sizeof(insn));
	if (n <= 0 || in_shadow(v, pc) || !skip_x86(r, insn, (size_t)n, env))
		return false;
	v->dirty |= GYVE_REGS_GPR;
	return true;
}

static bool need(void *ctx, uint64_t mask)
{
	struct gyve_vcpu *v = ctx;

	return (!(mask & SKIP_MMU) || vcpu_regs(v, GYVE_REGS_MMU)) && vcpu_x(v, (uint32_t)mask);
}

static bool skip_one_a64(struct gyve_vcpu *v, gyve_gva_t pc, const struct skip_env *env)
{
	enum { NRW = 1 << 4, EL2 = 1 << 3, BTYPE = 3 << 10, IL = 1 << 20, SS = 1 << 21 };
	struct gyve_a64_regs *r = &v->regs.a64;
	uint64_t changed;
	uint8_t insn[4];

	if (!vcpu_regs(v, GYVE_REGS_PC) || r->pc != pc || r->pstate & (NRW | EL2 | BTYPE | IL | SS) ||
	    fetch(v, pc, insn, sizeof(insn)) != sizeof(insn) || !skip_a64(r, get_le32(insn), env, &changed))
		return false;
	vcpu_x_changed(v, (uint32_t)changed);
	v->dirty |= GYVE_REGS_PC;
	return true;
}

bool skip_insn(struct gyve_vcpu *v, gyve_gva_t pc)
{
	const struct gyve_vm *vm = v->vm;
	const struct skip_env env = {.ptr = place, .need = need, .ctx = v};

	/* somebody looks at each step, or at each access */
	if (v->act.act != GYVE_ACT_CONT || v->over || v->lift || v->alone || v->first_steps || v->trace_steps ||
	    __atomic_load_n(&vm->nwatch, __ATOMIC_RELAXED) || __atomic_load_n(&vm->nsoft, __ATOMIC_RELAXED) || v->call.waits ||
	    __atomic_load_n(&vm->trace->tidy_due, __ATOMIC_RELAXED))
		return false;
	if (!(vm->arch->id == GYVE_X86_64 ? skip_one_x86(v, pc, &env) : skip_one_a64(v, pc, &env)))
		return false;
	v->masked = false;
	__atomic_fetch_add(&v->skipped, 1, __ATOMIC_RELAXED);
	return true;
}
