/* The KVM backend on the real /dev/kvm: exits, registers and reset, as this host's KVM does them. */
#include "kvm_guest.h"

GUEST(ports, "mov eax, 0x11223344\n mov dx, 0x3f8\n out dx, eax\n in al, 0x60\n hlt");
GUEST(mmio, "mov rbx, 0x400000\n mov dword ptr [rbx + 8], 0x55667788\n mov rax, [rbx + 16]\n hlt");
GUEST(split, "mov rbx, 0x400ffc\n mov rax, [rbx]\n hlt");
GUEST(store, "mov byte ptr [0x6010], 7\n nop\n hlt");
GUEST(tell_index, "mov rax, rsi\n out 0x10, al\n mov eax, 1\n cpuid\n shr ebx, 24\n mov eax, ebx\n out 0x11, al\n hlt");
GUEST(brand, "mov eax, 0x80000002\n cpuid\n mov [0x6000], eax\n mov [0x6004], ebx\n mov [0x6008], ecx\n mov [0x600c], edx\n"
	     "mov eax, 1\n cpuid\n mov [0x6010], ecx\n hlt");
GUEST(halt, "1: hlt\n jmp 1b");
GUEST(handler, "pop qword ptr [0x6000]\n hlt");
GUEST(crash, "ud2");
GUEST(clock, "mov ecx, 0x4b564d01\n mov eax, 0x6001\n xor edx, edx\n wrmsr\n out 0x80, al\n hlt");
GUEST(state, "mov ecx, 0xc0000082\n mov eax, 0x1234\n xor edx, edx\n wrmsr\n mov ecx, 0x174\n mov eax, 0x33\n wrmsr\n"
	     "mov ecx, 0x277\n xor eax, eax\n wrmsr\n mov rbp, 0x77\n mov rax, 0x5000\n mov dr0, rax\n out 0x80, al\n hlt");
GUEST(read_msr, "rdmsr\n out 0x80, eax\n hlt");

/* --- exits */

static void test_ports(void **state)
{
	(void)state;
	guest_need();
	LOAD(ports);
	guest_enter(0);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_IO);
	assert_true(e.io.out);
	assert_int_equal(e.io.port, 0x3f8);
	assert_int_equal(e.io.size, 4);
	assert_int_equal(e.io.count, 1);
	assert_memory_equal(e.io.data, "\x44\x33\x22\x11", 4);
	e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_IO);
	assert_false(e.io.out);
	assert_int_equal(e.io.port, 0x60);
	e.io.data[0] = 0xab;
	guest_run_to(GYVE_EXIT_HLT);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RAX], 0x112233ab);
}

static void test_mmio(void **state)
{
	uint64_t value = 0x0123456789abcdef;

	(void)state;
	guest_need();
	LOAD(mmio);
	guest_enter(0);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_MMIO);
	assert_true(e.mmio.write);
	assert_int_equal(e.mmio.gpa, MMIO + 8);
	assert_int_equal(e.mmio.len, 4);
	assert_memory_equal(e.mmio.data, "\x88\x77\x66\x55", 4);
	e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_MMIO);
	assert_false(e.mmio.write);
	assert_int_equal(e.mmio.gpa, MMIO + 16);
	assert_int_equal(e.mmio.len, 8);
	memcpy(e.mmio.data, &value, 8);
	guest_run_to(GYVE_EXIT_HLT);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RAX], value);
}

static void test_read_only_memory(void **state)
{
	(void)state;
	guest_need();
	LOAD(store);
	assert_int_equal(kvm->map(t.vm, 0, 0, t.ram, 0, 0), 0);
	assert_int_equal(kvm->map(t.vm, 0, 0, t.ram, DATA, 0), 0);
	assert_int_equal(kvm->map(t.vm, 1, DATA, t.ram + DATA, 0x1000, GYVE_MAP_READONLY), 0);
	assert_int_equal(kvm->map(t.vm, 2, DATA + 0x1000, t.ram + DATA + 0x1000, RAM - DATA - 0x1000, 0), 0);
	guest_enter(0);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_MMIO);
	assert_true(e.mmio.write);
	assert_int_equal(e.mmio.gpa, DATA + 0x10);
	assert_int_equal(e.mmio.data[0], 7);
	guest_run_to(GYVE_EXIT_HLT);
	assert_int_equal(t.ram[DATA + 0x10], 0);
}

static void test_triple_fault(void **state)
{
	(void)state;
	guest_need();
	LOAD(crash);
	guest_enter(0);
	guest_run_to(GYVE_EXIT_SHUTDOWN);
}

static void test_settle(void **state)
{
	(void)state;
	guest_need();
	LOAD(ports);
	guest_enter(0);
	guest_run_to(GYVE_EXIT_IO);
	assert_int_equal(kvm->settle(t.cpu[0]), 0);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.io.port, 0x60);
	e.io.data[0] = 0xab;
	assert_int_equal(kvm->settle(t.cpu[0]), 0);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RAX], 0x112233ab);
	assert_int_equal(t.ram[guest_regs(GYVE_REGS_GPR)->rip], 0xf4); /* behind the IN, and no further */
	guest_set_gpr(GYVE_RAX, 5);
	guest_run_to(GYVE_EXIT_HLT); /* the access is not finished twice */
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RAX], 5);
}

/* Registers cannot be set between the two halves of an access: the second would be done with the wrong ones. */
static void test_settle_split_access(void **state)
{
	struct gyve_regs r = {0};

	(void)state;
	guest_need();
	LOAD(split);
	guest_enter(0);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_MMIO);
	assert_int_equal(e.mmio.gpa, MMIO + 0xffc);
	assert_int_equal(e.mmio.len, 4);
	memcpy(e.mmio.data, "\x01\x02\x03\x04", 4);
	assert_int_equal(kvm->settle(t.cpu[0]), 1);
	assert_int_equal(kvm->settle(t.cpu[0]), 1);
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_GPR, &r), 0);
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_GPR, &r), -EAGAIN);
	e = guest_run(0);
	assert_int_equal(e.kind, GYVE_EXIT_MMIO);
	assert_int_equal(e.mmio.gpa, MMIO + 0x1000);
	memcpy(e.mmio.data, "\x05\x06\x07\x08", 4);
	assert_int_equal(kvm->settle(t.cpu[0]), 0);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RAX], 0x0807060504030201);
}

static void test_brand_and_features(void **state)
{
	(void)state;
	guest_need();
	LOAD(brand);
	guest_enter(0);
	guest_run_to(GYVE_EXIT_HLT);
	assert_string_equal((char *)t.ram + DATA, "a brand");
	uint32_t features;
	memcpy(&features, t.ram + DATA + 16, 4);
	assert_true(features & 1u << 31); /* under a hypervisor */
	assert_true(features & 1u << 24); /* TSC deadline */
	assert_true(kvm->caps(t.vm)->tsc_khz > 0);
	assert_in_range(kvm->caps(t.vm)->pa_bits, 32, 52);
}

static void test_two_vcpus(void **state)
{
	(void)state;
	guest_need();
	LOAD(tell_index);
	for (unsigned i = 0; i < NCPU; i++) {
		guest_enter(i);
		struct gyve_exit e = guest_run(i);
		assert_int_equal(e.kind, GYVE_EXIT_IO);
		assert_int_equal(e.io.port, 0x10);
		assert_int_equal(e.io.data[0], i);
		e = guest_run(i);
		assert_int_equal(e.kind, GYVE_EXIT_IO);
		assert_int_equal(e.io.port, 0x11);
		assert_int_equal(e.io.data[0], i); /* its APIC's number */
	}
}

static void test_refusals(void **state)
{
	struct gyve_vm_config none = {0}, many = {.ncpus = 1u << 20};
	struct gyve_bvm *vm = NULL;
	struct gyve_err err = {0};

	(void)state;
	guest_need();
	assert_int_equal(kvm->vm_create(&none, &vm, &err), -EINVAL);
	assert_int_equal(kvm->vm_create(&many, &vm, &err), -EINVAL);
	assert_non_null(strstr(err.text, "1048576"));
	assert_null(vm);
	kvm->vm_destroy(NULL);
	kvm->vcpu_destroy(NULL);
}

/* --- registers */

static void test_general_registers(void **state)
{
	static struct gyve_regs r;

	(void)state;
	guest_need();
	LOAD(halt);
	guest_enter(0);
	guest_run_to(GYVE_EXIT_HLT); /* once through kvm_run's copy, once by ioctl after a reset */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_GPR, &r), 0);
		for (unsigned i = 0; i < 16; i++)
			r.x86.gpr[i] = UINT64_C(0x1111111111111111) * i + (unsigned)round;
		r.x86.rip = CODE + 3;
		r.x86.rflags = 0x202;
		assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_GPR, &r), 0);
		assert_memory_equal(guest_regs(GYVE_REGS_GPR), &r.x86, offsetof(struct gyve_x86_regs, seg));
		assert_int_equal(kvm->reset(t.cpu[0]), 0);
	}
}

/* The guest sees what was set. */
static void test_set_registers_arrive(void **state)
{
	(void)state;
	guest_need();
	LOAD(tell_index);
	guest_enter(0);
	guest_set_gpr(GYVE_RSI, 0x5a);
	struct gyve_exit e = guest_run(0);
	assert_int_equal(e.io.data[0], 0x5a);
	guest_set_gpr(GYVE_RBP, 0x1234567890);
	assert_int_equal(guest_run(0).kind, GYVE_EXIT_IO);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RBP], 0x1234567890);
}

static void test_system_registers(void **state)
{
	static struct gyve_regs r;

	(void)state;
	guest_need();
	LOAD(halt);
	guest_enter(0);
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_SYS, &r), 0);
	r.x86.seg[GYVE_FS].base = 0x111000;
	r.x86.seg[GYVE_GS].base = 0x222000;
	r.x86.kernel_gs_base = 0xffff800000001000;
	r.x86.star = 0x0023001000000000;
	r.x86.lstar = 0xffff800000002000;
	r.x86.cstar = 0xffff800000003000;
	r.x86.sfmask = 0x700;
	r.x86.cr2 = 0xdead000;
	r.x86.gdt_base = 0x5008;
	r.x86.idt_limit = 0x7ff;
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_SYS, &r), 0);
	const struct gyve_x86_regs *back = guest_regs(GYVE_REGS_SYS);
	assert_memory_equal(back->seg, r.x86.seg, sizeof(back->seg));
	assert_int_equal(back->kernel_gs_base, r.x86.kernel_gs_base);
	assert_int_equal(back->star, r.x86.star);
	assert_int_equal(back->lstar, r.x86.lstar);
	assert_int_equal(back->cstar, r.x86.cstar);
	assert_int_equal(back->sfmask, r.x86.sfmask);
	assert_int_equal(back->cr2, r.x86.cr2);
	assert_int_equal(back->cr3, r.x86.cr3);
	assert_int_equal(back->efer, r.x86.efer);
	assert_int_equal(back->gdt_base, r.x86.gdt_base);
	assert_int_equal(back->idt_limit, r.x86.idt_limit);
}

static void test_fp_registers(void **state)
{
	static struct gyve_regs r;

	(void)state;
	guest_need();
	LOAD(halt);
	guest_enter(0);
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_FP, &r), 0);
	assert_in_range(r.x86.xsave_len, 576, GYVE_XSAVE_MAX);
	assert_true(r.x86.xcr0 & 1);
	for (unsigned i = 0; i < 16 * 16; i++)
		r.x86.xsave[160 + i] = (uint8_t)(i * 7 + 1); /* xmm0 to xmm15 */
	r.x86.xsave[512] |= 3;                               /* x87 and SSE are in use */
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_FP, &r), 0);
	const struct gyve_x86_regs *back = guest_regs(GYVE_REGS_FP);
	assert_memory_equal(back->xsave + 160, r.x86.xsave + 160, 256);
	assert_int_equal(back->xcr0, r.x86.xcr0);
	r.x86.xcr0 = 0; /* x87 cannot be switched off */
	assert_true(kvm->set_regs(t.cpu[0], GYVE_REGS_FP, &r) < 0);
}

static void test_debug_registers(void **state)
{
	static struct gyve_regs r;

	(void)state;
	guest_need();
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_DEBUG, &r), 0);
	r.x86.dr[0] = 0x1000;
	r.x86.dr[3] = 0x4000;
	r.x86.dr[7] = 0x402;
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_DEBUG, &r), 0);
	const struct gyve_x86_regs *back = guest_regs(GYVE_REGS_DEBUG);
	assert_int_equal(back->dr[0], 0x1000);
	assert_int_equal(back->dr[3], 0x4000);
	assert_int_equal(back->dr[7], 0x402);
	r.x86.dr[7] = UINT64_C(1) << 32;
	assert_true(kvm->set_regs(t.cpu[0], GYVE_REGS_DEBUG, &r) < 0);
}

/* An exception handed over as an event is taken with its error code. */
static void test_events(void **state)
{
	static struct gyve_regs r;

	(void)state;
	guest_need();
	LOAD(handler);
	guest_gate(13, CODE);
	guest_enter(0);
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_EVENTS | GYVE_REGS_GPR, &r), 0);
	assert_int_equal(r.x86.exc_injected, 0);
	r.x86.rip = 0x9000; /* nothing is there: the exception comes first */
	r.x86.exc_injected = 1;
	r.x86.exc_nr = 13;
	r.x86.exc_has_error = 1;
	r.x86.exc_error = 0x48;
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_EVENTS | GYVE_REGS_GPR, &r), 0);
	const struct gyve_x86_regs *back = guest_regs(GYVE_REGS_EVENTS);
	assert_int_equal(back->exc_injected, 1);
	assert_int_equal(back->exc_nr, 13);
	assert_int_equal(back->exc_error, 0x48);
	guest_run_to(GYVE_EXIT_HLT);
	assert_int_equal(t.ram[DATA], 0x48);
	assert_int_equal(guest_regs(GYVE_REGS_EVENTS)->exc_injected, 0);
}

static void test_translate(void **state)
{
	gyve_gpa_t gpa = 0;

	(void)state;
	guest_need();
	LOAD(halt);
	guest_enter(0);
	assert_int_equal(kvm->translate(t.cpu[0], 0x401234, &gpa), 0);
	assert_int_equal(gpa, 0x401234);
	assert_int_equal(kvm->translate(t.cpu[0], 0x40000000, &gpa), -EFAULT);
}

/* --- reset */

static uint64_t read_msr(uint32_t index)
{
	LOAD(read_msr);
	guest_enter(0);
	guest_set_gpr(GYVE_RCX, index);
	struct gyve_exit e = guest_run(0);
	uint32_t low;
	assert_int_equal(e.kind, GYVE_EXIT_IO);
	memcpy(&low, e.io.data, 4);
	return low;
}

static void test_reset(void **state)
{
	static struct gyve_regs before, after;
	const unsigned groups = GYVE_REGS_GPR | GYVE_REGS_SYS | GYVE_REGS_DEBUG | GYVE_REGS_EVENTS;

	(void)state;
	guest_need();
	assert_int_equal(kvm->get_regs(t.cpu[0], groups, &before), 0);
	uint64_t pat = read_msr(0x277);
	LOAD(state);
	guest_enter(0);
	guest_run_to(GYVE_EXIT_IO);
	assert_int_equal(guest_regs(GYVE_REGS_GPR)->gpr[GYVE_RBP], 0x77);
	assert_int_equal(guest_regs(GYVE_REGS_SYS)->lstar, 0x1234);
	assert_int_equal(kvm->reset(t.cpu[0]), 0); /* with an access unfinished */
	assert_int_equal(kvm->get_regs(t.cpu[0], groups, &after), 0);
	assert_memory_equal(&after.x86, &before.x86, offsetof(struct gyve_x86_regs, xcr0));
	assert_memory_equal(after.x86.dr, before.x86.dr, sizeof(after.x86) - offsetof(struct gyve_x86_regs, dr));
	assert_int_equal(read_msr(0x174), 0); /* SYSENTER_CS */
	assert_int_equal(read_msr(0x277), pat);
}

/* A clock page of the guest before must not be written into the memory of the guest after. */
static void test_reset_stops_clock(void **state)
{
	static const uint8_t zero[32];

	(void)state;
	guest_need();
	LOAD(clock);
	guest_gate(13, CODE + 0x100);
	t.ram[CODE + 0x100] = 0xf4;
	guest_enter(0);
	struct gyve_exit e = guest_run(0);
	if (e.kind == GYVE_EXIT_HLT || memcmp(t.ram + DATA, zero, sizeof(zero)) == 0) {
		print_message("# SKIP this host's KVM has no paravirtual clock\n");
		skip();
	}
	assert_int_equal(kvm->reset(t.cpu[0]), 0);
	LOAD(halt);
	guest_enter(0);
	kvm->clock_stopped(t.cpu[0]);
	guest_run_to(GYVE_EXIT_HLT);
	assert_memory_equal(t.ram + DATA, zero, sizeof(zero));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, guest_open, guest_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ports),
		TEST(mmio),
		TEST(read_only_memory),
		TEST(triple_fault),
		TEST(settle),
		TEST(settle_split_access),
		TEST(brand_and_features),
		TEST(two_vcpus),
		TEST(refusals),
		TEST(general_registers),
		TEST(set_registers_arrive),
		TEST(system_registers),
		TEST(fp_registers),
		TEST(debug_registers),
		TEST(events),
		TEST(translate),
		TEST(reset),
		TEST(reset_stops_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
