/* Instruction assist: carry out, in user space, one x86 instruction that the host's KVM cannot emulate. The operand access goes
 * through callbacks, so it is tested without a VM. Built on x86_64 hosts only. */
#ifndef GYVE_ASSIST_H
#define GYVE_ASSIST_H
#include "gyve/error.h"
#include "gyve/regs.h"

struct gyve_assist_mem {
	/** All or nothing: 0, or -EFAULT with *fault_gva set: the first byte that cannot be accessed. */
	int (*read)(void *ctx, gyve_gva_t gva, void *buf, size_t len, gyve_gva_t *fault_gva);
	int (*write)(void *ctx, gyve_gva_t gva, const void *buf, size_t len, gyve_gva_t *fault_gva);
	void *ctx;
	/** The guest's time-stamp counter, for RDTSCP. May be NULL: the host's counter is given. */
	uint64_t (*tsc)(void *ctx);
};
enum gyve_assist_result {
	GYVE_ASSIST_DONE,  /**< regs changed (GPR, FP, and SYS for xsetbv via xcr0); rip advanced */
	GYVE_ASSIST_FAULT, /**< guest must take a fault: vector, error (P clear), cr2 in ret; changed: FP if MXCSR has its flags
			    */
	GYVE_ASSIST_UNSUPPORTED, /**< err says which instruction */
};
struct gyve_assist_out {
	uint8_t vector;
	bool has_error;
	uint32_t error;
	uint64_t cr2;
	char mnemonic[24];
	unsigned changed; /**< GYVE_REGS_* */
};
/** Carry out the instruction in insn[0..ninsn) (at most 15 used) at regs->rip. regs must hold GPR, SYS and FP. Thread-safe. */
enum gyve_assist_result gyve_assist_x86(struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn,
					const struct gyve_assist_mem *mem, struct gyve_assist_out *ret, struct gyve_err *err);
/** Get what gyve_assist_x86() executes with; it does so by itself, but not behind a system call filter. */
void gyve_assist_prepare(void);
/** Disassemble one instruction into buf. Returns its length or -EINVAL. */
int gyve_x86_disasm(const uint8_t *insn, size_t ninsn, uint64_t rip, char *buf, size_t size);
struct gyve_x86_data_ref {
	gyve_gva_t gva;
	uint32_t len;
	bool read, write;
	bool repeated, down; /**< one element of a repeated instruction: the next one is len above, or below */
};
/** Explicit memory operands of the instruction at rip (for software watchpoints). Returns how many (<= 4) or -EINVAL. */
int gyve_x86_data_refs(const struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn, struct gyve_x86_data_ref ret[4]);
#endif
