/* aarch64: translation off, a GICv3 with its ITS where gyve's guests have it. Included by bare_kvm.c. */
#include <stddef.h>

enum { RAM = 64 << 20, RAM_GPA = 0x40000000, EXIT = 0x09001000 };

enum { BREAK_LEN = 4 };
static const uint8_t break_code[BREAK_LEN] = {0x00, 0x00, 0x20, 0xd4};

static void set_attr(int fd, uint32_t group, uint64_t attr, void *val)
{
	struct kvm_device_attr a = {.group = group, .attr = attr, .addr = (uintptr_t)val};

	if (ioctl(fd, KVM_SET_DEVICE_ATTR, &a) < 0)
		die("interrupt controller");
}

static struct kvm_create_device gic = {.type = KVM_DEV_TYPE_ARM_VGIC_V3}, its = {.type = KVM_DEV_TYPE_ARM_VGIC_ITS};

static void set_up_machine(void)
{
	uint64_t dist = 0x08000000, redist = UINT64_C(1) << 52 | 0x080a0000, its_at = 0x08080000;

	if (ioctl(vm, KVM_CREATE_DEVICE, &gic) < 0 || ioctl(vm, KVM_CREATE_DEVICE, &its) < 0)
		die("interrupt controller");
	set_attr((int)gic.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist);
	set_attr((int)gic.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, &redist);
	set_attr((int)its.fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ITS_ADDR_TYPE, &its_at);
}

static void set_core(size_t offset, uint64_t value)
{
	struct kvm_one_reg r = {KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / 4, (uintptr_t)&value};

	if (ioctl(vcpu, KVM_SET_ONE_REG, &r) < 0)
		die("registers");
}

static void set_up_vcpu(uint64_t entry)
{
	struct kvm_vcpu_init init;

	create_vcpu();
	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		die("vCPU");
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	if (ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) < 0)
		die("vCPU");
	set_attr((int)gic.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	set_attr((int)its.fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL);
	set_core(offsetof(struct kvm_regs, regs.pc), entry);
	set_core(offsetof(struct kvm_regs, sp_el1), RAM_GPA + RAM);
	set_core(offsetof(struct kvm_regs, regs.regs[1]), 1);
	__builtin___clear_cache((char *)ram, (char *)ram + RAM);
}

static bool is_exit(int *code)
{
	if (run->exit_reason != KVM_EXIT_MMIO || !run->mmio.is_write || run->mmio.phys_addr != EXIT)
		return false;
	*code = run->mmio.data[0];
	return true;
}

static bool is_access(void)
{
	return run->exit_reason == KVM_EXIT_MMIO;
}
