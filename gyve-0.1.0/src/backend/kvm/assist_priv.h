/* Private to the instruction assist: one instruction being carried out, and what its files ask of each other.
 *
 *   assist_x86_64.c   the entry: decode, choose, commit        assist_isa.c     which instructions may run, on this host and
 * guest assist_special.c  instructions done by hand                assist_xsave.c   the XSAVE family, by hand assist_rewrite.c
 * the same instruction on a scratch buffer assist_exec.c    runs it on the guest's registers assist_operands.c registers and
 * effective addresses        disasm.c         text and data references
 *   assist_mask.c     masked memory operands */
#ifndef GYVE_ASSIST_PRIV_H
#define GYVE_ASSIST_PRIV_H
#include "gyve/assist.h"

#include <Zydis/Zydis.h>

enum {
	XCOMP_X87 = 1 << 0,
	XCOMP_SSE = 1 << 1,
	XCOMP_AVX = 1 << 2,
	XCOMP_AVX512 = 7 << 5,
	XCOMP_RUN = XCOMP_X87 | XCOMP_SSE | XCOMP_AVX | XCOMP_AVX512, /* what is loaded to run an instruction; never PKRU */
};
enum {
	XS_FCW = 0,
	XS_FSW = 2,
	XS_FTW = 4,
	XS_FOP = 6,
	XS_FIP = 8,
	XS_FDP = 16,
	XS_MXCSR = 24,
	XS_MXCSR_MASK = 28,
	XS_ST = 32,
	XS_XMM = 160,
	XS_LEGACY_END = 416,
	XS_BV = 512,
	XS_COMP_BV = 520,
	XS_HEADER_END = 576
};
enum { VEC_UD = 6, VEC_NM = 7, VEC_SS = 12, VEC_GP = 13, VEC_PF = 14, VEC_MF = 16, VEC_XM = 19 };

#define ASSIST_FLAGS 0x8d5u  /* CF PF AF ZF SF OF */
#define ASSIST_SCRATCH 1024u /* bytes of the memory operand's stand-in */

/** Where a component of the standard format lies, as CPUID leaf 0xd of this host says. size 0: it has none. */
struct assist_xcomp {
	uint32_t offset, size;
	bool align64; /**< in the compacted format */
};
struct assist_host {
	uint64_t xcr0;
	uint32_t mxcsr_mask;
	uint32_t leaf[8]; /**< CPUID words, see assist_isa.c */
	struct assist_xcomp xcomp[63];
};
/** Measured once. */
const struct assist_host *assist_host(void);

struct assist {
	struct gyve_x86_regs *regs;
	const uint8_t *bytes;
	const struct gyve_assist_mem *mem;
	struct gyve_assist_out *out;
	struct gyve_err *err;
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	bool mode64;
	const ZydisDecodedOperand *memop; /**< the explicit memory operand, NULL if none */
	gyve_gva_t gva;                   /**< its address */
	uint32_t len;                     /**< its length in bytes */
};

/* assist_operands.c */
/** Decode in the mode of regs' CS (NULL: 64-bit). 0 or -EINVAL. */
int assist_decode(const struct gyve_x86_regs *regs, const uint8_t *bytes, size_t n, ZydisDecodedInstruction *insn,
		  ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT]);
bool assist_mode64(const struct gyve_x86_regs *regs);
/** The general register that reg is a part of, as an index of regs->gpr, or -1. */
int assist_gpr_index(ZydisRegister reg);
/** Value of a general register, zero-extended from its own width. */
uint64_t assist_gpr(const struct gyve_x86_regs *regs, ZydisRegister reg);
/** Linear address of a memory operand without vector index. */
gyve_gva_t assist_address(const struct gyve_x86_regs *regs, const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *op);
static inline unsigned assist_cpl(const struct gyve_x86_regs *regs)
{
	return regs->seg[GYVE_SS].dpl & 3; /* what KVM goes by, too */
}

/* assist_x86_64.c: results */
enum gyve_assist_result assist_fault(struct assist *a, uint8_t vector);
/** #GP or #SS for a bad address, as its segment asks. */
enum gyve_assist_result assist_address_fault(struct assist *a);
enum gyve_assist_result assist_refuse(struct assist *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum gyve_assist_result assist_done(struct assist *a, unsigned changed);
/** Operand access at gva; a fault is described in a->out with GYVE_ASSIST_FAULT. write_intent: the instruction also writes it.
 */
enum gyve_assist_result assist_read(struct assist *a, gyve_gva_t gva, void *buf, size_t len, bool write_intent);
enum gyve_assist_result assist_write(struct assist *a, gyve_gva_t gva, const void *buf, size_t len);
/** Fill memop, gva and len. False: it has another kind of memory access than one explicit operand. */
bool assist_find_memop(struct assist *a);
/** Is [gva, gva+len) canonical? (32-bit: below 4 GiB) */
bool assist_canonical(const struct assist *a, gyve_gva_t gva, size_t len);

/* assist_mask.c: the explicit operand, of which a mask may choose the bytes */
enum gyve_assist_result assist_read_operand(struct assist *a, uint8_t *buf, bool write_intent);
enum gyve_assist_result assist_write_operand(struct assist *a, const uint8_t *buf);

/* assist_isa.c */
/** May this instruction be run natively at all, does the host have it, and does the guest's state allow it? DONE: yes to all.
 */
enum gyve_assist_result assist_check(struct assist *a);
/** Hints and cache maintenance that change nothing a guest can see. */
bool assist_is_nop(const struct assist *a);
/** Which guest components can be loaded: the host has them and they fit in regs->xsave_len. */
uint64_t assist_components(const struct gyve_x86_regs *regs);

/* assist_special.c, assist_xsave.c: *handled says whether the instruction is one of theirs */
enum gyve_assist_result assist_special(struct assist *a, bool *handled);
enum gyve_assist_result assist_xsave_family(struct assist *a, bool *handled);

/* assist_rewrite.c */
struct assist_code {
	uint8_t bytes[ZYDIS_MAX_INSTRUCTION_LENGTH];
	uint8_t len;
	uint8_t disp_at; /**< offset of the 32-bit displacement to the scratch buffer; 0: no memory operand */
	int stand_in;    /**< index of the register that plays RSP, or -1 */
};
/** The same instruction with [rip+disp32] as its memory operand and no mention of RSP. The result was decoded again and
 * compared. 0 or -ENOTSUP. */
int assist_rewrite(const struct assist *a, struct assist_code *code);

/* assist_exec.c */
/** What an instruction runs on. The layout is known to assist_enter_x86_64.S. */
struct assist_frame {
	uint64_t gpr[16]; /**< GYVE_RAX order; RSP is not loaded */
	uint64_t rflags;  /**< in: only ASSIST_FLAGS bits */
	uint64_t host_rsp;
	uint64_t components; /**< XRSTOR and XSAVE mask */
	uint32_t host_mxcsr;
	uint16_t host_fcw, pad;
	uint32_t has_avx, pad2;
	uint64_t code;
	uint64_t pad3[2];
	uint8_t xsave[GYVE_XSAVE_MAX] __attribute__((aligned(64)));
};
/** Run code on f with scratch as its memory operand (copied in and out). 0, -EILSEQ when the processor refuses the
 * instruction, other negative errno when no code page can be had. Thread-safe. */
int assist_exec(struct assist_frame *f, const struct assist_code *code, uint8_t *scratch, size_t nscratch);
#endif
