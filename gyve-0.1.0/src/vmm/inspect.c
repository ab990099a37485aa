/* What a debugger may look at and change beside registers and memory, while the machine is stopped. Session thread. */
#include "vmm.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int gyve_vcpu_msr(struct gyve_vm *vm, unsigned cpu, bool write, uint32_t index, uint64_t *val)
{
	struct gyve_vcpu *v = &vm->cpus[cpu];
	int r;

	if (!vm->ops->msr)
		return -ENOTSUP;
	r = vcpu_flush(v); /* some of them are in the register cache, too */
	if (r == 0)
		r = vm->ops->msr(v->b, write, index, val);
	if (write)
		v->regs.valid = 0;
	return r;
}

size_t gyve_vcpu_msr_list(struct gyve_vm *vm, unsigned cpu, uint32_t *ret, size_t max)
{
	return vm->ops->msr_list ? vm->ops->msr_list(vm->cpus[cpu].b, ret, max) : 0;
}

int gyve_vcpu_irq_reg(struct gyve_vm *vm, unsigned cpu, enum gyve_irq_part part, uint32_t reg, uint64_t *ret)
{
	return vm->ops->irq_reg ? vm->ops->irq_reg(vm->cpus[cpu].b, part, reg, ret) : -ENOTSUP;
}

/* The controllers inside KVM are no devices of ours, but the local APIC's registers can be had. */
static int read_lapic(struct gyve_vm *vm, unsigned cpu, uint64_t addr, void *buf, unsigned len)
{
	const struct gyve_regs *r = vm->arch->id == GYVE_X86_64 ? vcpu_regs(&vm->cpus[cpu], GYVE_REGS_SYS) : NULL;
	uint64_t value, off;

	if (!r || !(r->x86.apic_base & 1u << 11))
		return -EFAULT;
	off = addr - (r->x86.apic_base & 0x000ffffffffff000);
	if (off >= 0x400 || off % 16 + len > 16 || gyve_vcpu_irq_reg(vm, cpu, GYVE_IRQ_LOCAL, (uint32_t)off & ~15u, &value) < 0)
		return -EFAULT;
	uint8_t wide[16] = {0};
	memcpy(wide, &value, 4);
	memcpy(buf, wide + off % 16, len);
	return 0;
}

static const struct gyve_regs *access_regs(void *ctx, unsigned groups)
{
	return vcpu_regs(ctx, groups);
}

static bool access_interrupted(void *ctx)
{
	(void)ctx;
	return true; /* a debugger's access does not wait for anybody */
}

int gyve_vm_device(struct gyve_vm *vm, unsigned cpu, bool pio, bool write, uint64_t addr, void *buf, unsigned len,
		   struct gyve_err *err)
{
	const char *where = pio ? "port" : "gpa";
	struct gyve_err why = {0};
	int code = 0;

	if (cpu >= vm->ncpus || len < 1 || len > 8)
		return gyve_err_set(err, -EINVAL, "no such access");
	if (!pio && !write && read_lapic(vm, cpu, addr, buf, len) == 0)
		return 0;
	struct gyve_access a = {.cpu = cpu,
				.write = write,
				.pio = pio,
				.addr = addr,
				.len = len,
				.data = buf,
				.regs = access_regs,
				.interrupted = access_interrupted,
				.ctx = &vm->cpus[cpu]};
	switch (vm->platform->access(vm->platform_state, &a, &code, &why)) {
	case GYVE_ACCESS_DONE:
		return 0;
	case GYVE_ACCESS_UNKNOWN:
		break;
	case GYVE_ACCESS_EXIT:
		return gyve_err_set(err, -EPERM, "an access to %s 0x%" PRIx64 " ends the guest; that is: monitor quit", where,
				    addr);
	case GYVE_ACCESS_CRASH:
		return gyve_err_set(err, -EIO, "%s", why.text);
	}
	return gyve_err_set(err, -EFAULT, "there is no device at %s 0x%" PRIx64, where, addr);
}
