/* Instructions the host's KVM cannot emulate: carried out here (gyve/assist.h), or the guest's death with their name. */
#include "vmm.h"

#include "gyve/assist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INVALID_OPCODE = 6 };

static ssize_t read_some(struct gyve_vcpu *v, gyve_gva_t gva, void *buf, size_t len)
{
	return vcpu_read(v, gva, buf, len);
}

static int assist_read(void *ctx, gyve_gva_t gva, void *buf, size_t len, gyve_gva_t *fault)
{
	ssize_t n = read_some(ctx, gva, buf, len);

	if (n == (ssize_t)len)
		return 0;
	*fault = gva + (n > 0 ? (size_t)n : 0);
	return -EFAULT;
}

/* All or nothing, and only where the guest itself may write. */
static bool may_write(struct gyve_vcpu *v, const struct gyve_mmu *mmu, gyve_gva_t gva, size_t len, gyve_gva_t *fault)
{
	struct gyve_mem phys = gyve_memmap_mem(&v->vm->map);
	bool wp = v->regs.x86.cr0 & 1u << 16;

	for (gyve_gva_t at = gva; at < gva + len; at = (at | 0xfff) + 1) {
		struct gyve_walk w;
		*fault = at;
		if (gyve_walk(mmu, &phys, at, &w) < 0 || !gyve_memmap_ptr(&v->vm->map, w.gpa, 1) ||
		    (wp && !(w.perms & GYVE_PERM_W)))
			return false;
	}
	return true;
}

static int assist_write(void *ctx, gyve_gva_t gva, const void *buf, size_t len, gyve_gva_t *fault)
{
	struct gyve_vcpu *v = ctx;
	struct gyve_mem phys = gyve_vm_phys(v->vm);
	struct gyve_mmu mmu;

	if (!vcpu_mmu(v, &mmu) || !may_write(v, &mmu, gva, len, fault))
		return -EFAULT;
	return gyve_virt_write(&mmu, &phys, gva, buf, len, NULL) == (ssize_t)len ? 0 : -EFAULT;
}

static void count_assist(struct gyve_vm *vm, const char *mnemonic)
{
	size_t i = 0;

	pthread_mutex_lock(&vm->book_lock);
	while (i < vm->nassists && strncmp(vm->assists[i].mnemonic, mnemonic, sizeof(vm->assists[i].mnemonic)))
		i++;
	if (i == vm->nassists) {
		struct assist_count *a = reallocarray(vm->assists, i + 1, sizeof(*a));
		if (a) {
			vm->assists = a;
			memset(&a[i], 0, sizeof(a[i]));
			snprintf(a[i].mnemonic, sizeof(a[i].mnemonic), "%s", mnemonic);
			vm->nassists++;
		}
	}
	if (i < vm->nassists)
		vm->assists[i].count++;
	pthread_mutex_unlock(&vm->book_lock);
}

static enum exit_result raise_fault(struct gyve_vcpu *v, const struct gyve_assist_out *out)
{
	struct gyve_x86_regs *r = &v->regs.x86;

	if (!vcpu_regs(v, GYVE_REGS_EVENTS))
		return EXIT_AGAIN;
	r->exc_pending = 0;
	r->exc_injected = 1;
	r->exc_nr = out->vector;
	r->exc_has_error = out->has_error;
	r->exc_error = out->error;
	v->dirty |= GYVE_REGS_EVENTS;
	if (out->vector == 14) {
		r->cr2 = out->cr2;
		v->dirty |= GYVE_REGS_SYS;
	}
	return EXIT_AGAIN;
}

static uint64_t assist_tsc(void *ctx)
{
	struct gyve_vcpu *v = ctx;
	uint64_t now = 0;

	if (v->vm->ops->tsc)
		v->vm->ops->tsc(v->b, &now);
	return now;
}

enum exit_result exit_assist(struct gyve_vcpu *v, const struct gyve_exit *e, struct gyve_stop *stop)
{
	struct gyve_assist_mem mem = {.read = assist_read, .write = assist_write, .ctx = v};
	struct gyve_assist_out out = {0};
	struct gyve_err err = {0};

	if (v->vm->ops->tsc)
		mem.tsc = assist_tsc;
	if (v->vm->arch->id == GYVE_AARCH64)
		return exit_crash(v, stop, "an access where no memory is, by an instruction that KVM does not carry out there");
	if (!e->emul.ninsn)
		return exit_crash(v, stop, "KVM could not carry out the instruction, and its bytes cannot be read");
	if (!vcpu_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS | GYVE_REGS_FP))
		return exit_crash(v, stop, "the vCPU's registers cannot be read");
	switch (gyve_assist_x86(&v->regs.x86, e->emul.insn, e->emul.ninsn, &mem, &out, &err)) {
	case GYVE_ASSIST_DONE:
		v->dirty |= out.changed;
		count_assist(v->vm, out.mnemonic);
		return EXIT_MOVED;
	case GYVE_ASSIST_FAULT:
		v->dirty |= out.changed; /* MXCSR's flags */
		return raise_fault(v, &out);
	case GYVE_ASSIST_UNSUPPORTED:
		if (v->regs.x86.seg[GYVE_SS].dpl != 3)
			break;
		out = (struct gyve_assist_out){.vector = INVALID_OPCODE}; /* as KVM does: a user program is not the guest */
		return raise_fault(v, &out);
	}
	return exit_crash(v, stop, "%s", err.text);
}
