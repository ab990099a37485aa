/* What a single step means on aarch64, as far as it is a matter of registers and instruction words alone: no VM in here.
 *
 * While one instruction is stepped, A, I and F of PSTATE.DAIF are set so that no interrupt is stepped into. These borrowed bits
 * must not show afterwards: not in PSTATE, unless the instruction wrote it, and neither in what the instruction read of it, nor
 * in SPSR_EL1 when it took an exception. */
#ifndef GYVE_STEP_A64_H
#define GYVE_STEP_A64_H
#include "gyve/regs.h"

#define A64_UNIT_MAX 32 /**< instructions looked at behind a load-exclusive */
#define A64_UNIT_ENDS 4

enum a64_insn {
	A64_PLAIN,
	A64_WAIT,        /**< WFI: a step goes past it, as if an event had come */
	A64_LOAD_EXCL,   /**< opens an exclusive access, which a debug exception would close again */
	A64_STORE_EXCL,  /**< ends it */
	A64_WRITES_DAIF, /**< all of it: MSR DAIF, ERET */
	A64_SETS_DAIF,   /**< MSR DAIFSet */
	A64_READS_DAIF,  /**< MRS Xt, DAIF */
};
enum a64_insn a64_classify(uint32_t insn);
/** Bytes that a load or store accesses; those of the largest one where it is not known. */
unsigned a64_access_len(uint32_t insn);
/** Writes a system register, perhaps one of those that translation depends on. */
bool a64_writes_system(uint32_t insn);

/** What was there before a step. */
struct a64_lent {
	uint64_t pc, bits; /**< PSTATE bits that were clear and are set now */
	uint32_t insn;     /**< at pc; 0: not known */
};
/** Borrow. Changes r->pstate. */
void a64_lend(struct a64_lent *l, struct gyve_a64_regs *r, uint32_t insn);
/** Could the step have ended in an exception handler? Then a64_give_back() needs ELR, SPSR and VBAR, too. */
bool a64_maybe_exception(const struct a64_lent *l, const struct gyve_a64_regs *r);
/** Make PSTATE (and, only with sys, what else was affected) what they would be without the borrowed bits. Returns the
 * GYVE_REGS_* groups changed. */
unsigned a64_give_back(const struct a64_lent *l, struct gyve_a64_regs *r, bool sys);

/** Where a unit that begins with the load-exclusive insn[0] at pc is left: behind its store-exclusive, and the targets of
 * branches out of it. A branch back to pc stays inside. Returns how many addresses (at most A64_UNIT_ENDS); 0: it cannot be
 * told, or there is no store in n instructions. */
unsigned a64_unit_ends(const uint32_t *insn, unsigned n, uint64_t pc, uint64_t ends[A64_UNIT_ENDS]);
#endif
