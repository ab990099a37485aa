/* Private to the instruction assist (x86_64 hosts only). */
#ifndef GYVE_ASSIST_PRIV_H
#define GYVE_ASSIST_PRIV_H
#include <Zydis/Zydis.h>

#include "gyve/assist.h"

enum { VEC_DB = 1, VEC_UD = 6, VEC_NM = 7, VEC_GP = 13, VEC_PF = 14, VEC_MF = 16, VEC_XM = 19 };

/* Components of the XSAVE area, SDM vol. 1 section 13.1. */
enum { XC_X87 = 1, XC_SSE = 2, XC_AVX = 4, XC_AVX512 = 0xe0, XC_ALL = 0xe7 };
enum { XS_FCW = 0, XS_FSW = 2, XS_MXCSR = 24, XS_XMM = 160, XS_BV = 512, XS_COMP = 520, XS_HEADER_END = 576 };

struct assist {
	struct gyve_x86_regs *r;
	const struct gyve_assist_mem *mem;
	struct gyve_assist_out *out;
	struct gyve_err *err;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	const uint8_t *bytes;
};

/* decode.c */
/** Decode as the CPU in state r would. False: no instruction. */
bool assist_decode(const struct gyve_x86_regs *r, const uint8_t *bytes, size_t n, ZydisDecodedInstruction *insn,
		   ZydisDecodedOperand *ops);
/** Index in gyve_x86_regs.gpr of the general register that holds reg, -1: none. */
int assist_gpr(ZydisRegister reg);
/** Linear address of a memory operand. */
gyve_gva_t assist_address(const struct gyve_x86_regs *r, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *op);

/* outcomes */
enum gyve_assist_result assist_done(struct assist *a, unsigned changed);
enum gyve_assist_result assist_fault(struct assist *a, uint8_t vector, bool has_error, uint32_t error);
enum gyve_assist_result assist_page_fault(struct assist *a, gyve_gva_t addr, bool write);
/** why: "cannot carry out 'INSTRUCTION': WHY". */
enum gyve_assist_result assist_unsupported(struct assist *a, const char *why);

/** The one explicit memory operand, NULL: none. */
const ZydisDecodedOperand *assist_mem_operand(const struct assist *a);
unsigned assist_cpl(const struct gyve_x86_regs *r);

/* special.c: done by hand. False: not one of them. */
bool assist_special(struct assist *a, enum gyve_assist_result *ret);
/* xstate.c: XSAVE, XRSTOR, FXSAVE, FXRSTOR and their kin. */
enum gyve_assist_result assist_xsave(struct assist *a, bool compact);
enum gyve_assist_result assist_xrstor(struct assist *a);
enum gyve_assist_result assist_fxsave(struct assist *a);
enum gyve_assist_result assist_fxrstor(struct assist *a);
/** Components this host has, of those we can hold. */
uint64_t assist_host_xcr0(void);

/* allowed.c: may the host execute it? NULL: yes; else why not. */
const char *assist_refusal(const struct assist *a);
/** Is it about vector or floating-point registers, so that CR0.TS and the like count? */
bool assist_is_x87(const struct assist *a);
bool assist_is_vector(const struct assist *a);

/* native.c: the same instruction on this host. */
enum gyve_assist_result assist_native(struct assist *a);
#endif
