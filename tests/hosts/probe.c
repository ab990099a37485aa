/* Does KVM work here? Prints the capabilities a debugger needs, then runs a guest of a few instructions to prove it.
 * Static, no library of ours: for trying out a host, real or emulated. Exit status 0 if the guest ran. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_GPA 0x10000000ul
#define RAM_LEN 0x10000ul
#define PORT_GPA 0x0f000000ul /* no memory there: an access leaves the guest */
#define GREETING 0x600d

static const struct cap {
	int number;
	const char *name;
} caps[] = {
	{KVM_CAP_NR_VCPUS, "NR_VCPUS"},
	{KVM_CAP_MAX_VCPUS, "MAX_VCPUS"},
	{KVM_CAP_NR_MEMSLOTS, "NR_MEMSLOTS"},
	{KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"},
	{KVM_CAP_READONLY_MEM, "READONLY_MEM"},
	{KVM_CAP_ONE_REG, "ONE_REG"},
	{KVM_CAP_SET_GUEST_DEBUG, "SET_GUEST_DEBUG"},
	{KVM_CAP_SET_GUEST_DEBUG2, "SET_GUEST_DEBUG2"},
	{KVM_CAP_GUEST_DEBUG_HW_BPS, "GUEST_DEBUG_HW_BPS"},
	{KVM_CAP_GUEST_DEBUG_HW_WPS, "GUEST_DEBUG_HW_WPS"},
	{KVM_CAP_SYNC_REGS, "SYNC_REGS"},
	{KVM_CAP_XSAVE2, "XSAVE2"},
	{KVM_CAP_ARM_PSCI_0_2, "ARM_PSCI_0_2"},
	{KVM_CAP_ARM_VM_IPA_SIZE, "ARM_VM_IPA_SIZE"},
	{KVM_CAP_ARM_SVE, "ARM_SVE"},
	{KVM_CAP_ARM_PTRAUTH_ADDRESS, "ARM_PTRAUTH_ADDRESS"},
	{KVM_CAP_DEVICE_CTRL, "DEVICE_CTRL"},
};

static int fail(const char *what)
{
	printf("probe: %s: %s\n", what, strerror(errno));
	return 1;
}

#if defined(__aarch64__)
static const uint32_t code[] = {
	0x52800000 | 0x600d << 5, /* mov w0, #0x600d */
	0xb9000020,               /* str w0, [x1] */
	0x14000000,               /* b . */
};

static uint64_t core_reg(size_t offset)
{
	return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / sizeof(uint32_t);
}

static int set_up(int vm, int vcpu)
{
	struct kvm_vcpu_init init;
	uint64_t pc = RAM_GPA, x1 = PORT_GPA;
	struct kvm_one_reg reg_pc = {core_reg(offsetof(struct kvm_regs, regs.pc)), (uintptr_t)&pc};
	struct kvm_one_reg reg_x1 = {core_reg(offsetof(struct kvm_regs, regs.regs[1])), (uintptr_t)&x1};

	if (ioctl(vm, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return fail("KVM_ARM_PREFERRED_TARGET");
	if (ioctl(vcpu, KVM_ARM_VCPU_INIT, &init) < 0)
		return fail("KVM_ARM_VCPU_INIT");
	if (ioctl(vcpu, KVM_SET_ONE_REG, &reg_pc) < 0 || ioctl(vcpu, KVM_SET_ONE_REG, &reg_x1) < 0)
		return fail("KVM_SET_ONE_REG");
	return 0;
}
#else
static const uint8_t code[] = {
	0xb8, 0x0d, 0x60, 0, 0, /* mov eax, 0x600d */
	0x89, 0x03,             /* mov [ebx], eax */
	0xf4,                   /* hlt */
};

static void flat(struct kvm_segment *s, uint8_t type, uint16_t selector)
{
	*s = (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .db = 1, .s = 1, .g = 1};
}

static int set_up(int vm, int vcpu)
{
	struct kvm_sregs s;
	struct kvm_regs r = {.rip = RAM_GPA, .rbx = PORT_GPA, .rflags = 2};

	(void)vm;
	if (ioctl(vcpu, KVM_GET_SREGS, &s) < 0)
		return fail("KVM_GET_SREGS");
	flat(&s.cs, 11, 8);
	flat(&s.ds, 3, 16);
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.cr0 |= 1; /* protected mode, no paging */
	if (ioctl(vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(vcpu, KVM_SET_REGS, &r) < 0)
		return fail("KVM_SET_REGS");
	return 0;
}
#endif

static int run_guest(int kvm)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu, len = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_userspace_memory_region slot = {.guest_phys_addr = RAM_GPA, .memory_size = RAM_LEN};
	struct kvm_run *run;
	uint32_t value;
	void *ram;

	if (vm < 0 || (vcpu = ioctl(vm, KVM_CREATE_VCPU, 0)) < 0 || len < 0)
		return fail("creating a guest");
	ram = mmap(NULL, RAM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	run = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (ram == MAP_FAILED || run == MAP_FAILED)
		return fail("mmap");
	memcpy(ram, code, sizeof(code));
	__builtin___clear_cache(ram, (char *)ram + sizeof(code));
	slot.userspace_addr = (uintptr_t)ram;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return fail("KVM_SET_USER_MEMORY_REGION");
	if (set_up(vm, vcpu))
		return 1;
	if (ioctl(vcpu, KVM_RUN, 0) < 0)
		return fail("KVM_RUN");
	memcpy(&value, run->mmio.data, sizeof(value));
	if (run->exit_reason != KVM_EXIT_MMIO || run->mmio.phys_addr != PORT_GPA || !run->mmio.is_write || value != GREETING) {
		printf("probe: the guest left with reason %u, not with its greeting\n", run->exit_reason);
		return 1;
	}
	printf("probe: a guest ran and said 0x%x\n", value);
	return 0;
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0)
		return fail("/dev/kvm");
	printf("API version %d\n", ioctl(kvm, KVM_GET_API_VERSION, 0));
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		printf("%-20s %d\n", caps[i].name, ioctl(kvm, KVM_CHECK_EXTENSION, caps[i].number));
	return run_guest(kvm);
}
