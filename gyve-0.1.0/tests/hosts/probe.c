/* Does KVM work here? Prints the capabilities a debugger needs, then runs guests of a few instructions: one that says
 * something, and one for each way a debugger stops a guest. No library of ours, links statically: for trying out a host, real
 * or emulated. Exit status 0 if the first guest ran. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef KVM_GUESTDBG_USE_HW
#define KVM_GUESTDBG_USE_HW KVM_GUESTDBG_USE_HW_BP /* x86's name */
#endif
#define RAM_GPA 0x10000000ul
#define RAM_LEN 0x10000ul
#define PORT_GPA 0x0f000000ul /* no memory there: an access leaves the guest */
#define GREETING 0x600d
#define DATA_GPA (RAM_GPA + 0x1000)
#define SECONDS 2 /* until a guest that does not stop is given up */

enum what { GREET, BREAK, STEP, HW_BREAK, WATCH, WHATS };
static const char *const what_names[WHATS] = {"greeting", "breakpoint instruction", "single step", "hardware breakpoint",
					      "watchpoint"};
struct guest {
	int vm, vcpu;
	struct kvm_run *run;
	void *ram;
};

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
/* x1 points at the port, x2 at the data */
static const uint32_t code[WHATS][4] = {
	[GREET] = {0x52800000 | GREETING << 5, 0xb9000020, 0x14000000}, /* mov w0, #GREETING; str w0, [x1]; b . */
	[BREAK] = {0xd4200000 | 0x47 << 5, 0x14000000},                 /* brk #0x47; b . */
	[STEP] = {0xd503201f, 0x14000000},                              /* nop; b . */
	[HW_BREAK] = {0xd503201f, 0xd503201f, 0x14000000},              /* nop; nop; b . */
	[WATCH] = {0xd503201f, 0xb9000040, 0x14000000},                 /* nop; str w0, [x2]; b . */
};
#define SECOND 4 /* bytes to the second instruction */

static uint64_t core_reg(size_t offset)
{
	return KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | offset / sizeof(uint32_t);
}

static int set_reg(int vcpu, size_t offset, uint64_t value)
{
	struct kvm_one_reg reg = {core_reg(offset), (uintptr_t)&value};
	return ioctl(vcpu, KVM_SET_ONE_REG, &reg);
}

static int set_up(struct guest *g)
{
	struct kvm_vcpu_init init;

	if (ioctl(g->vm, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return fail("KVM_ARM_PREFERRED_TARGET");
	if (ioctl(g->vcpu, KVM_ARM_VCPU_INIT, &init) < 0)
		return fail("KVM_ARM_VCPU_INIT");
	if (set_reg(g->vcpu, offsetof(struct kvm_regs, regs.pc), RAM_GPA) ||
	    set_reg(g->vcpu, offsetof(struct kvm_regs, regs.regs[1]), PORT_GPA) ||
	    set_reg(g->vcpu, offsetof(struct kvm_regs, regs.regs[2]), DATA_GPA))
		return fail("KVM_SET_ONE_REG");
	return 0;
}

static uint64_t get_pc(struct guest *g)
{
	uint64_t pc = 0;
	struct kvm_one_reg reg = {core_reg(offsetof(struct kvm_regs, regs.pc)), (uintptr_t)&pc};

	ioctl(g->vcpu, KVM_GET_ONE_REG, &reg);
	return pc;
}

static void trap(struct kvm_guest_debug *d, enum what what)
{
	if (what == HW_BREAK) {
		d->arch.dbg_bvr[0] = RAM_GPA + SECOND;
		d->arch.dbg_bcr[0] = 0xf << 5 | 3 << 1 | 1; /* 4 bytes, EL1 and EL0, on */
	} else if (what == WATCH) {
		d->arch.dbg_wvr[0] = DATA_GPA;
		d->arch.dbg_wcr[0] = 0xf << 5 | 2 << 3 | 3 << 1 | 1; /* 4 bytes, stores, EL1 and EL0, on */
	}
}

static void print_debug(const struct kvm_run *run)
{
	printf(", syndrome 0x%x (class 0x%x)", run->debug.arch.hsr, run->debug.arch.hsr >> 26);
}
#else
/* ebx points at the port, ecx at the data */
static const uint8_t code[WHATS][16] = {
	[GREET] = {0xb8, 0x0d, 0x60, 0, 0, 0x89, 0x03, 0xf4}, /* mov eax, GREETING; mov [ebx], eax; hlt */
	[BREAK] = {0xcc, 0xf4},                               /* int3; hlt */
	[STEP] = {0x90, 0x90, 0xf4},                          /* nop; nop; hlt */
	[HW_BREAK] = {0x90, 0x90, 0xf4},
	[WATCH] = {0x90, 0x89, 0x01, 0x90, 0xf4}, /* nop; mov [ecx], eax; nop; hlt */
};
#define SECOND 1

static void flat(struct kvm_segment *s, uint8_t type, uint16_t selector)
{
	*s = (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = type, .present = 1, .db = 1, .s = 1, .g = 1};
}

static int set_up(struct guest *g)
{
	struct kvm_sregs s;
	struct kvm_regs r = {.rip = RAM_GPA, .rbx = PORT_GPA, .rcx = DATA_GPA, .rflags = 2};

	if (ioctl(g->vcpu, KVM_GET_SREGS, &s) < 0)
		return fail("KVM_GET_SREGS");
	flat(&s.cs, 11, 8);
	flat(&s.ds, 3, 16);
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.cr0 |= 1; /* protected mode, no paging */
	if (ioctl(g->vcpu, KVM_SET_SREGS, &s) < 0 || ioctl(g->vcpu, KVM_SET_REGS, &r) < 0)
		return fail("KVM_SET_REGS");
	return 0;
}

static uint64_t get_pc(struct guest *g)
{
	struct kvm_regs r = {0};

	ioctl(g->vcpu, KVM_GET_REGS, &r);
	return r.rip;
}

static void trap(struct kvm_guest_debug *d, enum what what)
{
	if (what == HW_BREAK) {
		d->arch.debugreg[0] = RAM_GPA + SECOND;
		d->arch.debugreg[7] = 0x402; /* DR0, execute */
	} else if (what == WATCH) {
		d->arch.debugreg[0] = DATA_GPA;
		d->arch.debugreg[7] = 0xd0402; /* DR0, write, 4 bytes */
	}
}

static void print_debug(const struct kvm_run *run)
{
	printf(", exception %u, DR6 0x%llx", run->debug.arch.exception, (unsigned long long)run->debug.arch.dr6);
}
#endif

static int create(int kvm, enum what what, struct guest *g)
{
	int len = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_userspace_memory_region slot = {.guest_phys_addr = RAM_GPA, .memory_size = RAM_LEN};

	g->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (g->vm < 0 || (g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0)) < 0 || len < 0)
		return fail("creating a guest");
	g->ram = mmap(NULL, RAM_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	g->run = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	if (g->ram == MAP_FAILED || g->run == MAP_FAILED)
		return fail("mmap");
	memcpy(g->ram, code[what], sizeof(code[what]));
	__builtin___clear_cache(g->ram, (char *)g->ram + sizeof(code[what]));
	slot.userspace_addr = (uintptr_t)g->ram;
	if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return fail("KVM_SET_USER_MEMORY_REGION");
	return set_up(g);
}

static int greet(int kvm)
{
	struct guest g;
	struct kvm_run *run;
	uint32_t value;

	if (create(kvm, GREET, &g))
		return 1;
	run = g.run;
	if (ioctl(g.vcpu, KVM_RUN, 0) < 0)
		return fail("KVM_RUN");
	memcpy(&value, run->mmio.data, sizeof(value));
	if (run->exit_reason != KVM_EXIT_MMIO || run->mmio.phys_addr != PORT_GPA || !run->mmio.is_write || value != GREETING) {
		printf("probe: the guest left with reason %u, not with its greeting\n", run->exit_reason);
		return 1;
	}
	printf("probe: a guest ran and said 0x%x\n", value);
	return 0;
}

static void wake(int signal)
{
	(void)signal;
}

static void try_debug(int kvm, enum what what)
{
	static const unsigned control[WHATS] = {
		[BREAK] = KVM_GUESTDBG_USE_SW_BP,
		[STEP] = KVM_GUESTDBG_SINGLESTEP,
		[HW_BREAK] = KVM_GUESTDBG_USE_HW,
		[WATCH] = KVM_GUESTDBG_USE_HW,
	};
	struct sigaction sa = {.sa_handler = wake};
	struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | control[what]};
	struct guest g;

	if (create(kvm, what, &g))
		return;
	trap(&debug, what);
	if (ioctl(g.vcpu, KVM_SET_GUEST_DEBUG, &debug) < 0) {
		printf("%s: KVM_SET_GUEST_DEBUG: %s\n", what_names[what], strerror(errno));
		return;
	}
	sigaction(SIGALRM, &sa, NULL);
	alarm(SECONDS);
	if (ioctl(g.vcpu, KVM_RUN, 0) < 0) {
		printf("%-22s no exit in %d s: %s", what_names[what], SECONDS, strerror(errno));
	} else {
		printf("%-22s exit %u", what_names[what], g.run->exit_reason);
		if (g.run->exit_reason == KVM_EXIT_DEBUG)
			print_debug(g.run);
		if (g.run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
			printf(", suberror %u", g.run->internal.suberror);
	}
	printf(", pc +%llu", (unsigned long long)(get_pc(&g) - RAM_GPA));
	if (what == STEP && ioctl(g.vcpu, KVM_RUN, 0) == 0)
		printf(", then +%llu", (unsigned long long)(get_pc(&g) - RAM_GPA));
	alarm(0);
	printf("\n");
	munmap(g.ram, RAM_LEN);
	close(g.vcpu);
	close(g.vm);
}

/* Arguments: numbers of enum what to try; none: all. */
int main(int argc, char **argv)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (kvm < 0)
		return fail("/dev/kvm");
	printf("API version %d\n", ioctl(kvm, KVM_GET_API_VERSION, 0));
	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		printf("%-20s %d\n", caps[i].name, ioctl(kvm, KVM_CHECK_EXTENSION, caps[i].number));
	if (greet(kvm))
		return 1;
	for (enum what what = BREAK; argc == 1 && what < WHATS; what++)
		try_debug(kvm, what);
	for (int i = 1; i < argc; i++)
		if (atoi(argv[i]) > GREET && atoi(argv[i]) < WHATS)
			try_debug(kvm, (enum what)atoi(argv[i]));
	return 0;
}
