/* aarch64 registers as gdb sees them. A row's index is gdb's register number: core and fpu keep the order and the names gdb
 * knows (gdb/features/aarch64-core.xml, aarch64-fpu.xml); system registers follow under their architectural names.
 * DWARF numbers: "DWARF for the Arm 64-bit Architecture" (AADWARF64), 4.1. The row of the architecture stands at the end. */
#include "regs.h"

#include <errno.h>
#include <string.h>

#define CORE "org.gnu.gdb.aarch64.core"
#define FPU "org.gnu.gdb.aarch64.fpu"
#define SYSTEM "org.gyve.aarch64.system"

#define PLAIN .get = gyve_reg_plain_get, .set = gyve_reg_plain_set

#define X(i)                                                                                                                  \
	{                                                                                                                     \
		.name = "x" #i, .bits = 64, .group = GYVE_REGS_GPR, .type = "int64", .feature = CORE, .gdb_group = "general", \
		.dwarf = i, PLAIN, .offset = REG_AT_I(a64.x, i)                                                               \
	}
#define V(i)                                                                                                                 \
	{                                                                                                                    \
		.name = "v" #i, .bits = 128, .group = GYVE_REGS_FP, .type = "vec128", .feature = FPU, .gdb_group = "vector", \
		.dwarf = 64 + i, PLAIN, .offset = REG_AT_I(a64.v, i)                                                         \
	}
#define ROW(name_, type_, bits_, group_, feature_, gdb_group_, flags_, dwarf_, member)                                      \
	{                                                                                                                   \
		.name = name_, .bits = bits_, .group = group_, .type = type_, .feature = feature_, .gdb_group = gdb_group_, \
		.flags = flags_, .dwarf = dwarf_, PLAIN, .offset = REG_AT(a64.member)                                       \
	}
#define SYS(name_, type_, flags_, dwarf_, member) ROW(name_, type_, 64, GYVE_REGS_SYS, SYSTEM, "system", flags_, dwarf_, member)
#define SYS_RO(name_, type_, flags_, member)                                                                                \
	{                                                                                                                   \
		.name = name_, .bits = 64, .group = GYVE_REGS_SYS, .type = type_, .feature = SYSTEM, .gdb_group = "system", \
		.flags = flags_, .dwarf = -1, .readonly = true, .get = gyve_reg_plain_get, .offset = REG_AT(a64.member)     \
	}

/* Which bits of a pointer hold its authentication code: 0 while the guest has it off. One row each for data and code, low and
 * high half. */
enum { PAUTH_CODE = 1, PAUTH_HIGH = 2 };

static int pauth_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	const struct gyve_a64_regs *a = &r->a64;
	bool high = row->offset & PAUTH_HIGH, code = row->offset & PAUTH_CODE;
	uint64_t on = code ? UINT64_C(3) << 30 : UINT64_C(1) << 27 | UINT64_C(1) << 13; /* EnIA, EnIB; EnDA, EnDB */
	unsigned va = 64 - (unsigned)(a->tcr_el1 >> (high ? 16 : 0) & 63);
	bool tbi = a->tcr_el1 >> (high ? 38 : 37) & 1, tbid = a->tcr_el1 >> (high ? 52 : 51) & 1;
	uint64_t mask = 0;

	if (!(r->valid & GYVE_REGS_SYS))
		return -ENODATA;
	if (a->sctlr_el1 & on && va < 55)
		mask = (UINT64_C(1) << 55) - (UINT64_C(1) << va);
	if (mask && !(tbi && !(code && tbid)))
		mask |= UINT64_C(0xff) << 56;
	memcpy(buf, &mask, sizeof(mask));
	return 0;
}

#define PAUTH(name_, which)                                                                                                    \
	{                                                                                                                      \
		.name = name_, .bits = 64, .group = GYVE_REGS_SYS, .type = "int64", .feature = "org.gnu.gdb.aarch64.pauth_v2", \
		.gdb_group = "system", .dwarf = -1, .readonly = true, .get = pauth_get, .offset = which                        \
	}

static const struct gyve_reg_row rows[] = {
	X(0),
	X(1),
	X(2),
	X(3),
	X(4),
	X(5),
	X(6),
	X(7),
	X(8),
	X(9),
	X(10),
	X(11),
	X(12),
	X(13),
	X(14),
	X(15),
	X(16),
	X(17),
	X(18),
	X(19),
	X(20),
	X(21),
	X(22),
	X(23),
	X(24),
	X(25),
	X(26),
	X(27),
	X(28),
	X(29),
	X(30),
	ROW("sp", "data_ptr", 64, GYVE_REGS_GPR, CORE, "general", NULL, 31, sp),
	ROW("pc", "code_ptr", 64, GYVE_REGS_GPR, CORE, "general", NULL, 32, pc),
	ROW("cpsr", "cpsr_flags", 32, GYVE_REGS_GPR, CORE, "general", &gyve_a64_cpsr, -1, pstate),
	V(0),
	V(1),
	V(2),
	V(3),
	V(4),
	V(5),
	V(6),
	V(7),
	V(8),
	V(9),
	V(10),
	V(11),
	V(12),
	V(13),
	V(14),
	V(15),
	V(16),
	V(17),
	V(18),
	V(19),
	V(20),
	V(21),
	V(22),
	V(23),
	V(24),
	V(25),
	V(26),
	V(27),
	V(28),
	V(29),
	V(30),
	V(31),
	ROW("fpsr", "fpsr_flags", 32, GYVE_REGS_FP, FPU, "float", &gyve_a64_fpsr, -1, fpsr),
	ROW("fpcr", "fpcr_flags", 32, GYVE_REGS_FP, FPU, "float", &gyve_a64_fpcr, -1, fpcr),
	SYS("SCTLR_EL1", "a64_sctlr", &gyve_a64_sctlr, -1, sctlr_el1),
	SYS("TCR_EL1", "a64_tcr", &gyve_a64_tcr, -1, tcr_el1),
	SYS("TTBR0_EL1", "a64_ttbr", &gyve_a64_ttbr, -1, ttbr0_el1),
	SYS("TTBR1_EL1", "a64_ttbr", &gyve_a64_ttbr, -1, ttbr1_el1),
	SYS("MAIR_EL1", "int64", NULL, -1, mair_el1),
	SYS("AMAIR_EL1", "int64", NULL, -1, amair_el1),
	SYS("VBAR_EL1", "code_ptr", NULL, -1, vbar_el1),
	SYS("ESR_EL1", "a64_esr", &gyve_a64_esr, -1, esr_el1),
	SYS("FAR_EL1", "data_ptr", NULL, -1, far_el1),
	SYS("ELR_EL1", "code_ptr", NULL, -1, elr_el1),
	SYS("SPSR_EL1", "a64_spsr", &gyve_a64_spsr, -1, spsr_el1),
	SYS("AFSR0_EL1", "int64", NULL, -1, afsr0_el1),
	SYS("AFSR1_EL1", "int64", NULL, -1, afsr1_el1),
	SYS("SP_EL0", "data_ptr", NULL, -1, sp_el0),
	SYS("SP_EL1", "data_ptr", NULL, -1, sp_el1),
	SYS("TPIDR_EL0", "data_ptr", NULL, 36, tpidr_el0),
	SYS("TPIDRRO_EL0", "data_ptr", NULL, 35, tpidrro_el0),
	SYS("TPIDR_EL1", "data_ptr", NULL, 37, tpidr_el1),
	SYS("CPACR_EL1", "a64_cpacr", &gyve_a64_cpacr, -1, cpacr_el1),
	SYS("CONTEXTIDR_EL1", "int64", NULL, -1, contextidr_el1),
	SYS("PAR_EL1", "int64", NULL, -1, par_el1),
	SYS("MDSCR_EL1", "a64_mdscr", &gyve_a64_mdscr, -1, mdscr_el1),
	SYS("CNTKCTL_EL1", "int64", NULL, -1, cntkctl_el1),
	SYS("CNTV_CTL_EL0", "a64_cntv_ctl", &gyve_a64_cntv_ctl, -1, cntv_ctl_el0),
	SYS_RO("CNTV_CVAL_EL0", "int64", NULL, cntv_cval_el0),
	SYS_RO("MPIDR_EL1", "a64_mpidr", &gyve_a64_mpidr, mpidr_el1),
	SYS_RO("MIDR_EL1", "a64_midr", &gyve_a64_midr, midr_el1),
	SYS_RO("ID_AA64PFR0_EL1", "int64", NULL, id_aa64pfr0_el1),
	SYS_RO("ID_AA64PFR1_EL1", "int64", NULL, id_aa64pfr1_el1),
	SYS_RO("ID_AA64DFR0_EL1", "int64", NULL, id_aa64dfr0_el1),
	SYS_RO("ID_AA64ISAR0_EL1", "int64", NULL, id_aa64isar0_el1),
	SYS_RO("ID_AA64ISAR1_EL1", "int64", NULL, id_aa64isar1_el1),
	SYS_RO("ID_AA64MMFR0_EL1", "int64", NULL, id_aa64mmfr0_el1),
	SYS_RO("ID_AA64MMFR1_EL1", "int64", NULL, id_aa64mmfr1_el1),
	SYS_RO("ID_AA64MMFR2_EL1", "int64", NULL, id_aa64mmfr2_el1),
	PAUTH("pauth_dmask", 0),
	PAUTH("pauth_cmask", PAUTH_CODE),
	PAUTH("pauth_dmask_high", PAUTH_HIGH),
	PAUTH("pauth_cmask_high", PAUTH_HIGH | PAUTH_CODE),
};

static uint64_t pc(const struct gyve_regs *r)
{
	return r->a64.pc;
}

static void set_pc(struct gyve_regs *r, uint64_t value)
{
	r->a64.pc = value;
}

static uint64_t sp(const struct gyve_regs *r)
{
	return r->a64.sp;
}

static uint64_t fp(const struct gyve_regs *r)
{
	return r->a64.x[29];
}

static uint64_t root(const struct gyve_regs *r)
{
	return r->a64.ttbr0_el1 & 0x0000fffffffffffe; /* without ASID and CnP */
}

const struct gyve_arch gyve_arch_aarch64 = {
	.id = GYVE_AARCH64,
	.name = "aarch64",
	.gdb_arch = "aarch64",
	.regs = rows,
	.nregs = GYVE_ARRAY_SIZE(rows),
	.bp_insn = {0x00, 0x00, 0x20, 0xd4}, /* BRK #0 */
	.bp_len = 4,
	.pc = pc,
	.set_pc = set_pc,
	.sp = sp,
	.fp = fp,
	.root = root,
};
