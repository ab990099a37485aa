/* The peer that gyve's own time is measured against: the same KVM set-up for a bare-metal guest, and nothing else.
 *   bare_kvm run IMAGE        load, run to the exit port, exit with its code
 *   bare_kvm step IMAGE N     N single steps by KVM_SET_GUEST_DEBUG in one loop; prints steps a second
 * It trusts IMAGE and is good for nothing but this. */
#include <elf.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

enum { RAM = 64 << 20, GDT = 0x1000, PML4 = 0x10000, STACK = 0x80000 };

static uint8_t *ram;
static int kvm, vm, vcpu;
static struct kvm_run *run;

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static uint64_t load(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	uint8_t *file;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		die(path);
	const Elf64_Ehdr *eh = (const void *)file;
	const Elf64_Phdr *ph = (const void *)(file + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD)
			memcpy(ram + ph[i].p_paddr, file + ph[i].p_offset, ph[i].p_filesz);
	return eh->e_entry;
}

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

static void set_up_vm(void)
{
	struct kvm_userspace_memory_region slot = {.memory_size = RAM};

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("/dev/kvm");
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED)
		die("memory");
	slot.userspace_addr = (uintptr_t)ram;
	if (ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000) < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0) < 0 ||
	    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		die("VM");
}

static void set_up_vcpu(uint64_t entry)
{
	struct kvm_segment code = {.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct kvm_segment data = {.limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
	struct kvm_regs regs = {.rip = entry, .rsp = STACK, .rsi = 1, .rflags = 2};
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + 256 * sizeof(struct kvm_cpuid_entry2));
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_sregs sregs;

	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	run = vcpu < 0 || !cpuid ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
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

/* Until the guest writes to the exit port. */
static int run_guest(void)
{
	for (;;) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0)
			die("KVM_RUN");
		if (run->exit_reason != KVM_EXIT_IO) {
			fprintf(stderr, "bare_kvm: exit %u\n", run->exit_reason);
			return 124;
		}
		if (run->io.port == 0xF4)
			return *((uint8_t *)run + run->io.data_offset);
	}
}

static double step_guest(unsigned long n)
{
	struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};
	struct timespec a, b;

	if (ioctl(vcpu, KVM_SET_GUEST_DEBUG, &debug) < 0)
		die("KVM_SET_GUEST_DEBUG");
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (unsigned long i = 0; i < n; i++)
		if (ioctl(vcpu, KVM_RUN, 0) < 0 || run->exit_reason != KVM_EXIT_DEBUG)
			die("step");
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (double)n / ((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

int main(int argc, char **argv)
{
	uint64_t entry;

	if (argc < 3) {
		fputs("usage: bare_kvm run IMAGE | bare_kvm step IMAGE N\n", stderr);
		return 2;
	}
	set_up_vm();
	entry = load(argv[2]);
	write_tables();
	set_up_vcpu(entry);
	if (strcmp(argv[1], "run") == 0)
		return run_guest();
	printf("%.0f\n", step_guest(argc > 3 ? strtoul(argv[3], NULL, 0) : 100000));
	return 0;
}
