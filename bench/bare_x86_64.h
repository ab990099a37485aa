/* x86_64: long mode through an identity map of 4 GiB, an in-kernel interrupt controller. Included by bare_kvm.c. */
enum { RAM = 64 << 20, RAM_GPA = 0, GDT = 0x1000, PML4 = 0x10000, STACK = 0x80000 };

enum { BREAK_LEN = 1 };
static const uint8_t break_code[BREAK_LEN] = {0xcc};

/* 4 GiB by 2 MiB pages, a flat GDT */
static void write_tables(void)
{
	uint64_t *pml4 = (void *)(ram + PML4), *pdpt = pml4 + 512, *pd = pdpt + 512, *gdt = (void *)(ram + GDT);

	pml4[0] = (PML4 + 0x1000) | 3;
	for (uint64_t g = 0; g < 4; g++)
		pdpt[g] = (PML4 + 0x2000 + g * 0x1000) | 3;
	for (uint64_t i = 0; i < 2048; i++)
		pd[i] = i << 21 | 0x83;
	gdt[1] = 0x00af9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
}

static void set_up_machine(void)
{
	if (ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000) < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0)
		die("VM");
	write_tables();
}

static void set_up_vcpu(uint64_t entry)
{
	struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct kvm_segment data = {.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	struct kvm_regs regs = {.rip = entry, .rsp = STACK, .rsi = 1, .rflags = 2};
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(struct kvm_cpuid_entry2));
	struct kvm_sregs sregs;

	create_vcpu();
	if (!cpuid)
		die("vCPU");
	cpuid->nent = 256;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, cpuid) < 0 || ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0 ||
	    ioctl(vcpu, KVM_GET_SREGS, &sregs) < 0)
		die("vCPU");
	free(cpuid);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.gdt.base = GDT;
	sregs.gdt.limit = 23;
	sregs.idt.limit = 0;
	sregs.cr0 = 0x80000033;
	sregs.cr3 = PML4;
	sregs.cr4 = 0x20;
	sregs.efer = 0x500;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) < 0 || ioctl(vcpu, KVM_SET_REGS, &regs) < 0)
		die("registers");
}

static bool is_exit(int *code)
{
	if (run->exit_reason != KVM_EXIT_IO || run->io.port != 0xF4)
		return false;
	*code = *((uint8_t *)run + run->io.data_offset);
	return true;
}

static bool is_access(void)
{
	return run->exit_reason == KVM_EXIT_IO;
}
