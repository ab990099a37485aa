/* Private to skip_x86.c and skip_x86_ops.c: operands and flags of an instruction of 64-bit mode that is being carried out. Once
 * bad is set nothing changes any more. */
#ifndef GYVE_VMM_SKIP_X86_H
#define GYVE_VMM_SKIP_X86_H
#include "skip.h"

#include <stddef.h>

enum {
	SKIP_CF = 1,
	SKIP_PF = 1 << 2,
	SKIP_AF = 1 << 4,
	SKIP_ZF = 1 << 6,
	SKIP_SF = 1 << 7,
	SKIP_OF = 1 << 11,
	SKIP_RF = 1 << 16
};

/** The instruction on its way. */
struct skip_insn {
	struct gyve_x86_regs *r;
	const struct skip_env *env;
	const uint8_t *p;
	size_t n, at;
	bool bad;
	uint8_t rex, modrm;
	int seg;           /**< of a prefix, or -1 */
	bool operand_size; /**< that prefix is there */
	unsigned size;     /**< of operands, in bytes */
	bool relative;     /**< ea is, to the next instruction */
	uint64_t ea;
	bool jumps;
	uint64_t target;
};

static inline uint64_t skip_mask(unsigned size)
{
	return size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
}
/** Little-endian bytes of the instruction. */
uint64_t skip_fetch(struct skip_insn *i, unsigned len);
uint64_t skip_fetch_signed(struct skip_insn *i, unsigned len);
/** An immediate operand of an instruction on size bytes: of 4 bytes at most. */
uint64_t skip_fetch_imm(struct skip_insn *i, unsigned size);
/** ModRM, SIB and displacement. */
void skip_fetch_modrm(struct skip_insn *i);
static inline unsigned skip_reg_field(const struct skip_insn *i)
{
	return (i->modrm >> 3 & 7) | (i->rex & 4 ? 8 : 0);
}
static inline bool skip_is_reg(const struct skip_insn *i)
{
	return i->modrm >> 6 == 3;
}
/** The memory operand's, when all of the instruction is fetched. */
uint64_t skip_address(const struct skip_insn *i);

/** A general register by the number that instructions give it. */
uint64_t *skip_gpr(const struct skip_insn *i, unsigned n);
uint64_t skip_get_reg(const struct skip_insn *i, unsigned n, unsigned size);
void skip_set_reg(struct skip_insn *i, unsigned n, unsigned size, uint64_t v);
/** The operand that ModRM's r/m names. place NULL: a register. */
struct skip_operand {
	void *place;
	uint64_t value;
};
struct skip_operand skip_rm(struct skip_insn *i, unsigned size, bool write);
void skip_set_rm(struct skip_insn *i, const struct skip_operand *o, unsigned size, uint64_t v);
/** In one access, as the processor does it. */
uint64_t skip_load(const void *p, unsigned size);
void skip_store(void *p, unsigned size, uint64_t v);

enum skip_alu { SKIP_ADD, SKIP_OR, SKIP_ADC, SKIP_SBB, SKIP_AND, SKIP_SUB, SKIP_XOR, SKIP_CMP };
/** The result; flags are set. */
uint64_t skip_alu(struct skip_insn *i, enum skip_alu op, uint64_t a, uint64_t b, unsigned size);
void skip_set_flags(struct skip_insn *i, uint64_t which, uint64_t f);
bool skip_condition(const struct skip_insn *i, unsigned cc);
#endif
