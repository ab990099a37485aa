/* The neutral register file of one vCPU: what the walkers, the stub and the dump writer read. Plain values; no KVM types.
 * Both guest architectures compile on every host. */
#ifndef GYVE_REGS_H
#define GYVE_REGS_H
#include "gyve/types.h"

enum gyve_arch_id { GYVE_X86_64 = 62, GYVE_AARCH64 = 183 }; /* ELF e_machine */

/** Register groups: fetched and stored separately because each costs ioctls. */
enum {
	GYVE_REGS_GPR = 1,
	GYVE_REGS_SYS = 2,
	GYVE_REGS_FP = 4,
	GYVE_REGS_DEBUG = 8,
	GYVE_REGS_EVENTS = 16,
	GYVE_REGS_ALL = 31,
	/* parts of those above that can be had alone: on aarch64, where each register costs an ioctl; MMU on x86_64, too, where
	 * MSRs are one more */
	GYVE_REGS_PC = 32,       /**< pc and pstate */
	GYVE_REGS_PC_ONLY = 256, /**< to be read, not to be changed */
	GYVE_REGS_MSR = 128,     /**< x86_64: the MSRs of msr[]; fetched only for themselves */
	GYVE_REGS_MMU = 64,      /**< what gyve_mmu_from_regs() reads */
	GYVE_REGS_XLAT = 1024,   /**< aarch64: of these, SCTLR and what does not change */
	GYVE_REGS_LOW = 2048,    /**< aarch64: and what translates the low half */
	GYVE_REGS_HIGH = 4096,   /**< aarch64: or the high half */
	GYVE_REGS_SOME = 512,    /**< aarch64: those of x[] and sp that `some` names */
};

struct gyve_x86_seg {
	uint64_t base;
	uint32_t limit; /**< bytes, already scaled by G */
	uint16_t selector;
	uint8_t type, present, dpl, db, s, l, g, avl, unusable;
};

enum { GYVE_RAX, GYVE_RBX, GYVE_RCX, GYVE_RDX, GYVE_RSI, GYVE_RDI, GYVE_RBP, GYVE_RSP, GYVE_R8, GYVE_R15 = 15 };
enum { GYVE_CS, GYVE_SS, GYVE_DS, GYVE_ES, GYVE_FS, GYVE_GS, GYVE_TR, GYVE_LDTR, GYVE_NSEG };

#define GYVE_XSAVE_MAX 4096 /* x87, SSE, AVX, AVX-512, PKRU in the standard (non-compacted) format */

/** MSRs that debuggers see as registers, beside those of the SYS group. */
enum {
	GYVE_MSR_SYSENTER_CS,
	GYVE_MSR_SYSENTER_ESP,
	GYVE_MSR_SYSENTER_EIP,
	GYVE_MSR_PAT,
	GYVE_MSR_MISC_ENABLE,
	GYVE_MSR_MTRR_DEF_TYPE,
	GYVE_MSR_SPEC_CTRL,
	GYVE_MSR_DEBUGCTL,
	GYVE_MSR_TSC,
	GYVE_MSR_TSC_DEADLINE,
	GYVE_MSR_KVM_SYSTEM_TIME,
	GYVE_MSR_KVM_WALL_CLOCK,
	GYVE_X86_NMSR
};
extern const uint32_t gyve_x86_msr_index[GYVE_X86_NMSR];

struct gyve_x86_regs {
	/* GPR */
	uint64_t gpr[16]; /**< GYVE_RAX.. order, which is gdb's */
	uint64_t rip, rflags;
	/* SYS */
	struct gyve_x86_seg seg[GYVE_NSEG];
	uint64_t gdt_base, idt_base;
	uint16_t gdt_limit, idt_limit;
	uint64_t cr0, cr2, cr3, cr4, cr8, efer, apic_base;
	uint64_t kernel_gs_base, star, lstar, cstar, sfmask, tsc_aux; /* MSRs */
	/* FP: XSAVE area, SDM vol. 1 section 13.4, and its XCR0 */
	uint64_t xcr0;
	uint32_t xsave_len;
	uint16_t xsave_at[10]; /**< where component i (5 opmask, 6, 7 AVX-512, 9 PKRU) begins in it; 0: the host has none */
	uint8_t xsave[GYVE_XSAVE_MAX] __attribute__((aligned(64)));
	/* DEBUG */
	uint64_t dr[8];
	/* EVENTS */
	uint8_t exc_pending, exc_injected, exc_nr, exc_has_error, irq_injected, irq_shadow, nmi_pending, triple_fault;
	uint32_t exc_error;
	/* MSR */
	uint32_t msr_valid; /**< bit i: the host has msr[i] */
	uint64_t msr[GYVE_X86_NMSR];
};

#define GYVE_SVE_VL_MAX 256 /* bytes; the architecture's largest */

struct gyve_a64_regs {
	/* GPR */
	uint64_t x[31], sp, pc, pstate; /**< sp: the one in use at the current EL */
	uint32_t some;                  /**< for GYVE_REGS_SOME: bit n Xn, bit 31 sp */
	/* FP */
	uint64_t v[32][2];
	uint32_t fpsr, fpcr;
	/* SYS */
	uint64_t sp_el0, sp_el1, elr_el1, spsr_el1, sctlr_el1, tcr_el1, ttbr0_el1, ttbr1_el1, mair_el1, vbar_el1, esr_el1,
		far_el1, tpidr_el0, tpidrro_el0, tpidr_el1, cpacr_el1, contextidr_el1, par_el1, afsr0_el1, afsr1_el1, amair_el1,
		mdscr_el1, cntkctl_el1, cntv_ctl_el0, cntv_cval_el0, mpidr_el1, midr_el1, id_aa64pfr0_el1, id_aa64pfr1_el1,
		id_aa64dfr0_el1, id_aa64isar0_el1, id_aa64isar1_el1, id_aa64mmfr0_el1, id_aa64mmfr1_el1, id_aa64mmfr2_el1,
		zcr_el1;
	/* FP where the vCPU has SVE; last, since they are large and seldom wanted */
	uint32_t sve_vl; /**< bytes of a vector, a multiple of 16; 0: no SVE */
	uint8_t z[32][GYVE_SVE_VL_MAX], p[16][GYVE_SVE_VL_MAX / 8], ffr[GYVE_SVE_VL_MAX / 8]; /**< v[] begins z[] */
};

struct gyve_regs {
	enum gyve_arch_id arch;
	uint32_t valid; /**< GYVE_REGS_* groups that hold values */
	union {
		struct gyve_x86_regs x86;
		struct gyve_a64_regs a64;
	};
};
#endif
