/* One const row per guest architecture; every row is built on every host. */
#ifndef GYVE_ARCH_H
#define GYVE_ARCH_H
#include "gyve/regs.h"
#include "gyve/walk.h"

struct gyve_reg_field {
	const char *name;
	uint8_t start, end; /**< bit range, both inclusive */
};
/** A flags type: shows as names in `p $cr0`. */
struct gyve_reg_flags {
	const char *id;
	uint8_t size; /**< bytes */
	const struct gyve_reg_field *fields;
	unsigned nfields;
};

/** One register as a debugger sees it. The row's index in gyve_arch.regs is gdb's register number. */
struct gyve_reg_row {
	const char *name;
	uint16_t bits;
	uint16_t group;   /**< GYVE_REGS_* it lives in */
	const char *type; /**< gdb type: "int64", "data_ptr", "code_ptr", "i387_ext", "vec128", "svev", "svep", or flags->id */
	const char *feature;   /**< "org.gnu.gdb.i386.core" ... rows of one feature are adjacent */
	const char *gdb_group; /**< "general", "system", "float", "vector", or NULL */
	const struct gyve_reg_flags *flags;
	int16_t dwarf; /**< DWARF number, -1 none */
	bool readonly;
	/** Copy the value (bits/8 bytes, little endian) out of / into r. -ENODATA: not available (gdb shows <unavailable>). */
	int (*get)(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf);
	int (*set)(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf);
	uint32_t offset; /**< private to the arch's get/set */
};

struct gyve_arch {
	enum gyve_arch_id id;
	const char *name;      /**< "x86_64", "aarch64" */
	const char *gdb_arch;  /**< "i386:x86-64", "aarch64" */
	const char *gdb_osabi; /**< NULL: none */
	const struct gyve_reg_row *regs;
	unsigned nregs;
	uint8_t bp_insn[4]; /**< breakpoint instruction: CC / D4200000 little endian */
	uint8_t bp_len;
	uint64_t (*pc)(const struct gyve_regs *r);
	void (*set_pc)(struct gyve_regs *r, uint64_t pc);
	uint64_t (*sp)(const struct gyve_regs *r);
	uint64_t (*fp)(const struct gyve_regs *r);   /**< frame pointer (rbp / x29) */
	uint64_t (*root)(const struct gyve_regs *r); /**< address-space root: CR3 / TTBR0 without ASID bits */
};

/** x86_64 with AVX-512 and PKRU if xfeatures (XCR0's bits) has them. NULL: out of memory. */
const struct gyve_arch *gyve_arch_x86_xsave(uint64_t xfeatures);
/** The registers of an x86_64 processor as a debugger of 16-, 32- or 64-bit programs wants them; NULL: no such mode. */
const struct gyve_arch *gyve_arch_x86_mode(unsigned bits);
/** 16, 32 or 64: the mode that GPR and SYS registers describe. */
unsigned gyve_x86_mode_bits(const struct gyve_regs *r);
extern const struct gyve_arch gyve_arch_x86_64, gyve_arch_aarch64;
/** The row for an e_machine, or NULL. */
const struct gyve_arch *gyve_arch_find(int e_machine);
/** aarch64 with SVE vectors of vl bytes: z, p, ffr and vg instead of v. NULL: no such length (16 to GYVE_SVE_VL_MAX by 16), or
 * no memory. The same pointer for the same length, for ever. Any thread. */
const struct gyve_arch *gyve_arch_a64_sve(unsigned vl);
/** The architecture of this host. */
const struct gyve_arch *gyve_arch_host(void);
/** Name of an exception vector, "#PF page fault"; NULL: it has none. */
const char *gyve_x86_vector_name(unsigned vector);
/** A register that is read by number: an x86_64 MSR, or an aarch64 system register (op0:op1:CRn:CRm:op2, 16 bits). By name
 * (with or without ia32_ or msr_), "S3_0_C1_C0_0", or a number as C writes it. -EINVAL: none of these. */
int gyve_msr_find(enum gyve_arch_id arch, const char *name, uint32_t *index);
/** Row i of the known ones, or NULL behind the last. */
const char *gyve_msr_row(enum gyve_arch_id arch, unsigned i, uint32_t *index);
/** ESR_EL1 in words, as snprintf(). */
int gyve_a64_esr_text(uint64_t esr, char *buf, size_t size);
/** Is it an instruction or data abort, so that FAR_EL1 says where? */
bool gyve_a64_esr_is_abort(uint64_t esr);
/** Row by name, or NULL. */
const struct gyve_reg_row *gyve_reg_find(const struct gyve_arch *arch, const char *name);
#endif
