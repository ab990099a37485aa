/* Simple instructions carried out on a vCPU's registers and memory, without the guest: those that stand where breakpoints and
 * tracepoints usually are. What is not known for certain to do exactly what the processor would do is refused, and nothing has
 * changed then. Both architectures are built on every host. */
#ifndef GYVE_VMM_SKIP_H
#define GYVE_VMM_SKIP_H
#include "gyve/regs.h"

struct skip_env {
	/** Host address of [gva, gva+len), len <= 16, if the guest's own access there is one to RAM and changes nothing but
	 * these bytes (no fault, no flag in its page tables); else NULL. */
	void *(*ptr)(void *ctx, gyve_gva_t gva, unsigned len, bool write);
	/** aarch64: have general registers, SKIP_SP, and the MMU group fetched, bit n for Xn. NULL: they are there. */
	bool (*need)(void *ctx, uint64_t mask);
	void *ctx;
};
#define SKIP_SP (UINT64_C(1) << 31)
#define SKIP_MMU (UINT64_C(1) << 32)

/** Carry out the 64-bit mode instruction insn[0..n) at r->rip. r: GPR and MMU groups. False: refused. */
bool skip_x86(struct gyve_x86_regs *r, const uint8_t *insn, size_t n, const struct skip_env *env);
/** Carry out the instruction at r->pc. r: the PC group; *changed: which general registers have new values, as for need().
 * False: refused. */
bool skip_a64(struct gyve_a64_regs *r, uint32_t insn, const struct skip_env *env, uint64_t *changed);
#endif
