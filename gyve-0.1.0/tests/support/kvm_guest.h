/* A machine with 64 KiB of RAM on the real /dev/kvm, for tests of the backend itself. x86_64 hosts only. */
#ifndef KVM_GUEST_H
#define KVM_GUEST_H
#include "unit.h"

#include "gyve/backend.h"

/* RAM at 0; 8 MiB are mapped one to one: what lies above the RAM is MMIO. DATA is free for the guest. */
enum { RAM = 0x10000, IDT = 0x4000, DATA = 0x6000, CODE = 0x8000, STACK = 0xf000, MMIO = 0x400000, NCPU = 2 };

struct kvm_guest {
	uint8_t *ram;
	struct gyve_bvm *vm;
	struct gyve_bvcpu *cpu[NCPU];
};
extern struct kvm_guest t;
extern const struct gyve_backend_ops *const kvm;

/** A guest's code in Intel syntax, which LOAD() puts to CODE. */
#define GUEST(name, text)                                                                                \
	extern const uint8_t guest_##name[], guest_##name##_end[];                                       \
	__asm__(".pushsection .rodata\n.intel_syntax noprefix\nguest_" #name ":\n" text "\nguest_" #name \
		"_end:\n.att_syntax\n.popsection")
#define LOAD(name) guest_load(guest_##name, guest_##name##_end)

/** cmocka fixtures: NCPU vCPUs, without / with the in-kernel interrupt controller. */
int guest_open(void **state);
int guest_open_irqchip(void **state);
int guest_close(void **state);
/** Skip the test, saying why, where there is no KVM. First thing in a test. */
void guest_need(void);
/** Clear RAM, write the tables and this code. */
void guest_load(const uint8_t *start, const uint8_t *end);
/** An interrupt gate for vector at address. */
void guest_gate(unsigned vector, unsigned address);
/** Long mode at CODE, rsi = index. */
void guest_enter(unsigned index);
/** One run() that must not fail. */
struct gyve_exit guest_run(unsigned index);
/** One run() of vCPU 0 that ends in kind. */
void guest_run_to(enum gyve_exit_kind kind);
/** vCPU 0's registers; valid until the next call. */
const struct gyve_x86_regs *guest_regs(unsigned groups);
/** Change one general register of vCPU 0. */
void guest_set_gpr(unsigned n, uint64_t value);
#endif
