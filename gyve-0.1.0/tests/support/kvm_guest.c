#include "kvm_guest.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, GDT = 0x5000 };

struct kvm_guest t;
const struct gyve_backend_ops *const kvm = &gyve_backend_kvm;
static char why_not[512];

static void on_signal(int sig)
{
	(void)sig; /* only has to end KVM_RUN */
}

static void write_tables(void)
{
	uint64_t *e = (uint64_t *)(t.ram + PML4), *gdt = (uint64_t *)(t.ram + GDT);

	*e = PDPT | 3;
	*(uint64_t *)(t.ram + PDPT) = PD | 3;
	for (uint64_t i = 0; i < 4; i++)
		((uint64_t *)(t.ram + PD))[i] = i << 21 | 0x83;
	gdt[1] = 0x00af9b000000ffff;
	gdt[2] = 0x00cf93000000ffff;
}

void guest_gate(unsigned vector, unsigned address)
{
	uint64_t gate[2] = {address | 8 << 16 | UINT64_C(0x8e00) << 32, 0};
	memcpy(t.ram + IDT + 16 * vector, gate, sizeof(gate));
}

void guest_load(const uint8_t *start, const uint8_t *end)
{
	memset(t.ram, 0, RAM);
	write_tables();
	memcpy(t.ram + CODE, start, (size_t)(end - start));
}

void guest_enter(unsigned index)
{
	static const struct gyve_x86_seg code = {.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	static const struct gyve_x86_seg data = {
		.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	static struct gyve_regs r;

	assert_int_equal(kvm->get_regs(t.cpu[index], GYVE_REGS_GPR | GYVE_REGS_SYS, &r), 0);
	memset(r.x86.gpr, 0, sizeof(r.x86.gpr));
	r.x86.cr0 = 0x80000031;
	r.x86.cr3 = PML4;
	r.x86.cr4 = 0x220;
	r.x86.efer = 0x500;
	r.x86.seg[GYVE_CS] = code;
	for (int s = GYVE_SS; s <= GYVE_GS; s++)
		r.x86.seg[s] = data;
	r.x86.gdt_base = GDT;
	r.x86.gdt_limit = 23;
	r.x86.idt_base = IDT;
	r.x86.idt_limit = 0xfff;
	r.x86.rip = CODE;
	r.x86.rflags = 2;
	r.x86.gpr[GYVE_RSP] = STACK - 0x1000 * index;
	r.x86.gpr[GYVE_RSI] = index;
	assert_int_equal(kvm->set_regs(t.cpu[index], GYVE_REGS_GPR | GYVE_REGS_SYS, &r), 0);
}

static int open_vm(const struct gyve_vm_config *cfg)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct gyve_err err = {0};

	memset(&t, 0, sizeof(t));
	sigaction(SIGUSR1, &sa, NULL); /* no SA_RESTART: KVM_RUN has to return */
	t.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(t.ram != MAP_FAILED);
	if (kvm->vm_create(cfg, &t.vm, &err) < 0) {
		snprintf(why_not, sizeof(why_not), "%s", err.text);
		return 0;
	}
	assert_int_equal(kvm->map(t.vm, 0, 0, t.ram, RAM, 0), 0);
	for (unsigned i = 0; i < cfg->ncpus; i++)
		if (kvm->vcpu_create(t.vm, i, &t.cpu[i], &err) < 0)
			fail_msg("%s", err.text);
	return 0;
}

int guest_open(void **state)
{
	(void)state;
	return open_vm(&(struct gyve_vm_config){.ncpus = NCPU, .brand = "a brand"});
}

int guest_open_irqchip(void **state)
{
	(void)state;
	return open_vm(&(struct gyve_vm_config){.ncpus = NCPU, .irqchip = true, .pit = true, .cpu_pm = false});
}

int guest_close(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NCPU; i++)
		kvm->vcpu_destroy(t.cpu[i]);
	kvm->vm_destroy(t.vm);
	return munmap(t.ram, RAM);
}

void guest_need(void)
{
	if (t.vm)
		return;
	print_message("# SKIP %s\n", why_not);
	skip();
}

struct gyve_exit guest_run(unsigned index)
{
	struct gyve_exit e = {.kind = GYVE_EXIT_UNKNOWN};
	int r = kvm->run(t.cpu[index], &e);

	if (r < 0)
		fail_msg("KVM_RUN: %s", strerror(-r));
	return e;
}

void guest_run_to(enum gyve_exit_kind kind)
{
	struct gyve_exit e = guest_run(0);
	if (e.kind != kind)
		fail_msg("exit %d instead of %d", (int)e.kind, (int)kind);
}

const struct gyve_x86_regs *guest_regs(unsigned groups)
{
	static struct gyve_regs r;
	memset(&r, 0, sizeof(r));
	assert_int_equal(kvm->get_regs(t.cpu[0], groups, &r), 0);
	assert_int_equal(r.valid & groups, groups);
	return &r.x86;
}

void guest_set_gpr(unsigned n, uint64_t value)
{
	struct gyve_regs r = {0};
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_GPR, &r), 0);
	r.x86.gpr[n] = value;
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_GPR, &r), 0);
}
