/* Call stacks: the rules an ELF file gives for its functions (CFI), the expressions in them, and the walk from frame to frame.
 * Registers go by their DWARF numbers: x86_64 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8-15, 16 the return
 * address (System V ABI, figure 3.36); aarch64 0-30, 31 sp, 32 pc (AADWARF64, section 4.1). */
#ifndef GYVE_UNWIND_H
#define GYVE_UNWIND_H
#include "gyve/error.h"
#include "gyve/types.h"

#include <stddef.h>
#include <sys/types.h>

struct gyve_symtab;
struct gyve_target;

enum { GYVE_DWARF_REGS = 33, GYVE_DWARF_X86_RSP = 7, GYVE_DWARF_X86_RIP = 16, GYVE_DWARF_A64_SP = 31, GYVE_DWARF_A64_PC = 32 };

enum gyve_cfi_kind {
	GYVE_CFI_UNSAID, /**< the rules do not mention it: the ABI's convention holds */
	GYVE_CFI_UNDEFINED,
	GYVE_CFI_SAME,
	GYVE_CFI_OFFSET,     /**< at CFA + offset (CFA rule: register + offset) */
	GYVE_CFI_VAL_OFFSET, /**< is CFA + offset */
	GYVE_CFI_REGISTER,
	GYVE_CFI_EXPR,     /**< at the expression's value */
	GYVE_CFI_VAL_EXPR, /**< is the expression's value */
};
struct gyve_cfi_rule {
	enum gyve_cfi_kind kind;
	uint32_t reg;
	int64_t offset;
	const uint8_t *expr; /**< in the symbol table's copy of the file */
	size_t len;
};
/** The rules at one address. */
struct gyve_cfi_row {
	struct gyve_cfi_rule cfa; /**< OFFSET or VAL_EXPR */
	struct gyve_cfi_rule reg[GYVE_DWARF_REGS];
	uint32_t return_reg;
	bool signal; /**< the frame was entered by an exception: its caller's pc is no return address */
};
/** -ENOENT: nothing is known of pc; -EBADMSG: what is known is damaged. t may be NULL. */
int gyve_symtab_cfi(const struct gyve_symtab *t, uint64_t pc, struct gyve_cfi_row *row);

/** What an expression reads. */
struct gyve_expr_env {
	const uint64_t *reg;
	uint64_t known; /**< bit n: reg[n] has a value */
	bool has_cfa, has_frame_base;
	uint64_t cfa, frame_base;
	uint64_t bias; /**< added to DW_OP_addr */
	/** size (1-8) bytes at addr, zero-extended. 0 or negative errno. */
	int (*read)(void *ctx, uint64_t addr, unsigned size, uint64_t *ret);
	void *ctx;
};
enum gyve_expr_where { GYVE_EXPR_MEMORY, GYVE_EXPR_REGISTER, GYVE_EXPR_VALUE };
struct gyve_expr_result {
	enum gyve_expr_where where;
	uint64_t value; /**< address, register number, or the value itself */
};
/** Evaluate a DWARF expression (DWARF 5 section 2.5); initial (NULL: none) is pushed first. Bounded in steps. -ENODATA: it
 * needs what env does not have; -EBADMSG: malformed; -ENOTSUP: an operation that is not known; what read says. */
int gyve_expr_eval(const uint8_t *expr, size_t len, const struct gyve_expr_env *env, const uint64_t *initial,
		   struct gyve_expr_result *ret);

enum gyve_frame_how {
	GYVE_FRAME_FIRST,     /**< the vCPU's own registers */
	GYVE_FRAME_CFI,       /**< by call frame information */
	GYVE_FRAME_POINTER,   /**< by the chain of frame pointers: a guess that holds for code built so */
	GYVE_FRAME_RETURN,    /**< by the return address at the stack pointer or in the link register: a guess */
	GYVE_FRAME_EXCEPTION, /**< by what the processor saved when it took an exception */
};
struct gyve_frame {
	uint64_t reg[GYVE_DWARF_REGS];
	uint64_t known; /**< bit n: reg[n] has a value */
	uint64_t pc;
	uint64_t cfa; /**< set when the frame above it has been sought */
	bool has_cfa;
	bool exact; /**< pc is of an instruction to be run, no return address */
	enum gyve_frame_how how;
};
/** Walk the stack of a stopped vCPU: cb is called for each frame, the innermost first, until it returns false or max have been
 * seen. Returns the number of frames, or negative errno when the registers cannot be had. Session thread. */
int gyve_unwind(struct gyve_target *t, unsigned cpu, unsigned max,
		bool (*cb)(void *ctx, unsigned number, const struct gyve_frame *frame), void *ctx, struct gyve_err *err);
#endif
