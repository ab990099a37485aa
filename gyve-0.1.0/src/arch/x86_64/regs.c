/* x86_64 registers as gdb sees them. A row's index is gdb's register number: the first three features keep the order and
 * the names gdb knows (gdb/features/i386/64bit-*.xml), all of each or none; what no gdb feature has follows in one of our
 * own. DWARF numbers: System V psABI, AMD64 supplement, figure 3.36.
 * The row of the architecture itself stands at the end. */
#include "regs.h"

#define CORE "org.gnu.gdb.i386.core"
#define SSE "org.gnu.gdb.i386.sse"
#define AVX "org.gnu.gdb.i386.avx"
#define SEGMENTS "org.gnu.gdb.i386.segments"
#define MSRS "org.gyve.x86_64.msr"
#define SYSTEM "org.gyve.x86_64.system"

#define PLAIN .get = gyve_reg_plain_get, .set = gyve_reg_plain_set
#define PLAIN_RO .get = gyve_reg_plain_get, .readonly = true
#define XSAVE .get = gyve_x86_xsave_get, .set = gyve_x86_xsave_set
#define XSAVE_AT(at, n) ((uint32_t)(at) << 8 | (n))

#define GPR(name_, i, type_, dwarf_)                                                                                \
	{                                                                                                           \
		.name = name_, .bits = 64, .group = GYVE_REGS_GPR, .type = type_, .feature = CORE, .dwarf = dwarf_, \
		.gdb_group = "general", PLAIN, .offset = REG_AT_I(x86.gpr, i)                                       \
	}
#define SELECTOR(name_, i, feature_, group_, dwarf_)                                                                          \
	{                                                                                                                     \
		.name = name_, .bits = 32, .group = GYVE_REGS_SYS, .type = "int32", .feature = feature_, .gdb_group = group_, \
		.dwarf = dwarf_, PLAIN, .offset = REG_AT(x86.seg[i].selector)                                                 \
	}
#define SEG_BASE(name_, i, feature_, dwarf_)                                                             \
	{                                                                                                \
		.name = name_, .bits = 64, .group = GYVE_REGS_SYS, .type = "int64", .feature = feature_, \
		.gdb_group = "system", .dwarf = dwarf_, PLAIN, .offset = REG_AT(x86.seg[i].base)         \
	}
#define SEG_LIMIT(name_, i)                                                                                                   \
	{                                                                                                                     \
		.name = name_, .bits = 32, .group = GYVE_REGS_SYS, .type = "int32", .feature = SYSTEM, .gdb_group = "system", \
		.dwarf = -1, PLAIN, .offset = REG_AT(x86.seg[i].limit)                                                        \
	}
#define ST(i)                                                                                                                  \
	{                                                                                                                      \
		.name = "st" #i, .bits = 80, .group = GYVE_REGS_FP, .type = "i387_ext", .feature = CORE, .gdb_group = "float", \
		.dwarf = 33 + i, XSAVE, .offset = XSAVE_AT(32 + 16 * i, 10)                                                    \
	}
#define X87(name_, at, n, dwarf_)                                                                                         \
	{                                                                                                                 \
		.name = name_, .bits = 32, .group = GYVE_REGS_FP, .type = "int32", .feature = CORE, .gdb_group = "float", \
		.dwarf = dwarf_, XSAVE, .offset = XSAVE_AT(at, n)                                                         \
	}
#define XMM(i)                                                                                                                 \
	{                                                                                                                      \
		.name = "xmm" #i, .bits = 128, .group = GYVE_REGS_FP, .type = "vec128", .feature = SSE, .gdb_group = "vector", \
		.dwarf = 17 + i, XSAVE, .offset = XSAVE_AT(160 + 16 * i, 16)                                                   \
	}
#define YMMH(i)                                                                                              \
	{                                                                                                    \
		.name = "ymm" #i "h", .bits = 128, .group = GYVE_REGS_FP, .type = "uint128", .feature = AVX, \
		.gdb_group = "vector", .dwarf = -1, XSAVE, .offset = XSAVE_AT(576 + 16 * i, 16)              \
	}
#define SYS(name_, type_, bits_, member)                                                                                       \
	{                                                                                                                      \
		.name = name_, .bits = bits_, .group = GYVE_REGS_SYS, .type = type_, .feature = SYSTEM, .gdb_group = "system", \
		.dwarf = -1, PLAIN, .offset = REG_AT(x86.member)                                                               \
	}
#define SYS_FLAGS(name_, id_, flags_, member)                                                                             \
	{                                                                                                                 \
		.name = name_, .bits = 64, .group = GYVE_REGS_SYS, .type = id_, .feature = SYSTEM, .gdb_group = "system", \
		.flags = &flags_, .dwarf = -1, PLAIN, .offset = REG_AT(x86.member)                                        \
	}
#define DR(name_, type_, flags_, i)                                                                                           \
	{                                                                                                                     \
		.name = name_, .bits = 64, .group = GYVE_REGS_DEBUG, .type = type_, .feature = SYSTEM, .gdb_group = "system", \
		.flags = flags_, .dwarf = -1, PLAIN_RO, .offset = REG_AT_I(x86.dr, i)                                         \
	}

#define MSR_ROW(name_, type_, flags_, i)                                                                          \
	.name = name_, .bits = 64, .group = GYVE_REGS_MSR, .type = type_, .feature = MSRS, .gdb_group = "system", \
	.flags = flags_, .dwarf = -1, .get = gyve_x86_msr_get, .offset = i
#define MSR(name_, type_, flags_, i)                                      \
	{                                                                 \
		MSR_ROW(name_, type_, flags_, i), .set = gyve_x86_msr_set \
	}
#define MSR_RO(name_, i)                                           \
	{                                                          \
		MSR_ROW(name_, "int64", NULL, i), .readonly = true \
	}

static const struct gyve_reg_row rows[] = {
	/* gdb's order and struct gyve_x86_regs's; DWARF's differs */
	GPR("rax", GYVE_RAX, "int64", 0),
	GPR("rbx", GYVE_RBX, "int64", 3),
	GPR("rcx", GYVE_RCX, "int64", 2),
	GPR("rdx", GYVE_RDX, "int64", 1),
	GPR("rsi", GYVE_RSI, "int64", 4),
	GPR("rdi", GYVE_RDI, "int64", 5),
	GPR("rbp", GYVE_RBP, "data_ptr", 6),
	GPR("rsp", GYVE_RSP, "data_ptr", 7),
	GPR("r8", 8, "int64", 8),
	GPR("r9", 9, "int64", 9),
	GPR("r10", 10, "int64", 10),
	GPR("r11", 11, "int64", 11),
	GPR("r12", 12, "int64", 12),
	GPR("r13", 13, "int64", 13),
	GPR("r14", 14, "int64", 14),
	GPR("r15", 15, "int64", 15),
	{.name = "rip",
	 .bits = 64,
	 .group = GYVE_REGS_GPR,
	 .type = "code_ptr",
	 .feature = CORE,
	 .gdb_group = "general",
	 .dwarf = 16,
	 PLAIN,
	 .offset = REG_AT(x86.rip)},
	{.name = "eflags",
	 .bits = 32,
	 .group = GYVE_REGS_GPR,
	 .type = "i386_eflags",
	 .feature = CORE,
	 .gdb_group = "general",
	 .flags = &gyve_x86_eflags,
	 .dwarf = 49,
	 PLAIN,
	 .offset = REG_AT(x86.rflags)},
	SELECTOR("cs", GYVE_CS, CORE, "general", 51),
	SELECTOR("ss", GYVE_SS, CORE, "general", 52),
	SELECTOR("ds", GYVE_DS, CORE, "general", 53),
	SELECTOR("es", GYVE_ES, CORE, "general", 50),
	SELECTOR("fs", GYVE_FS, CORE, "general", 54),
	SELECTOR("gs", GYVE_GS, CORE, "general", 55),
	ST(0),
	ST(1),
	ST(2),
	ST(3),
	ST(4),
	ST(5),
	ST(6),
	ST(7),
	X87("fctrl", 0, 2, 65),
	X87("fstat", 2, 2, 66),
	{.name = "ftag",
	 .bits = 32,
	 .group = GYVE_REGS_FP,
	 .type = "int32",
	 .feature = CORE,
	 .gdb_group = "float",
	 .dwarf = -1,
	 .get = gyve_x86_ftag_get,
	 .set = gyve_x86_ftag_set,
	 .offset = XSAVE_AT(4, 1)},
	/* the 64-bit FIP and FDP, cut as gdb's names for them want it */
	X87("fiseg", 12, 2, -1),
	X87("fioff", 8, 4, -1),
	X87("foseg", 20, 2, -1),
	X87("fooff", 16, 4, -1),
	X87("fop", 6, 2, -1),
	XMM(0),
	XMM(1),
	XMM(2),
	XMM(3),
	XMM(4),
	XMM(5),
	XMM(6),
	XMM(7),
	XMM(8),
	XMM(9),
	XMM(10),
	XMM(11),
	XMM(12),
	XMM(13),
	XMM(14),
	XMM(15),
	{.name = "mxcsr",
	 .bits = 32,
	 .group = GYVE_REGS_FP,
	 .type = "i386_mxcsr",
	 .feature = SSE,
	 .gdb_group = "vector",
	 .flags = &gyve_x86_mxcsr,
	 .dwarf = 64,
	 XSAVE,
	 .offset = XSAVE_AT(24, 4)},
	YMMH(0),
	YMMH(1),
	YMMH(2),
	YMMH(3),
	YMMH(4),
	YMMH(5),
	YMMH(6),
	YMMH(7),
	YMMH(8),
	YMMH(9),
	YMMH(10),
	YMMH(11),
	YMMH(12),
	YMMH(13),
	YMMH(14),
	YMMH(15),
	SEG_BASE("fs_base", GYVE_FS, SEGMENTS, 58),
	SEG_BASE("gs_base", GYVE_GS, SEGMENTS, 59),
	SYS("k_gs_base", "int64", 64, kernel_gs_base),
	SEG_BASE("cs_base", GYVE_CS, SYSTEM, -1),
	SEG_BASE("ss_base", GYVE_SS, SYSTEM, -1),
	SEG_BASE("ds_base", GYVE_DS, SYSTEM, -1),
	SEG_BASE("es_base", GYVE_ES, SYSTEM, -1),
	SELECTOR("tr", GYVE_TR, SYSTEM, "system", 62),
	SEG_BASE("tr_base", GYVE_TR, SYSTEM, -1),
	SEG_LIMIT("tr_limit", GYVE_TR),
	SELECTOR("ldtr", GYVE_LDTR, SYSTEM, "system", 63),
	SEG_BASE("ldtr_base", GYVE_LDTR, SYSTEM, -1),
	SEG_LIMIT("ldtr_limit", GYVE_LDTR),
	SYS("gdt_base", "data_ptr", 64, gdt_base),
	SYS("gdt_limit", "int32", 32, gdt_limit),
	SYS("idt_base", "data_ptr", 64, idt_base),
	SYS("idt_limit", "int32", 32, idt_limit),
	SYS_FLAGS("cr0", "x86_cr0", gyve_x86_cr0, cr0),
	SYS("cr2", "data_ptr", 64, cr2),
	SYS_FLAGS("cr3", "x86_cr3", gyve_x86_cr3, cr3),
	SYS_FLAGS("cr4", "x86_cr4", gyve_x86_cr4, cr4),
	SYS("cr8", "int64", 64, cr8),
	SYS_FLAGS("efer", "x86_efer", gyve_x86_efer, efer),
	SYS_FLAGS("apic_base", "x86_apic_base", gyve_x86_apic_base, apic_base),
	SYS("star", "int64", 64, star),
	SYS("lstar", "code_ptr", 64, lstar),
	SYS("cstar", "code_ptr", 64, cstar),
	SYS("sfmask", "int64", 64, sfmask),
	SYS("tsc_aux", "int64", 64, tsc_aux),
	DR("dr0", "data_ptr", NULL, 0),
	DR("dr1", "data_ptr", NULL, 1),
	DR("dr2", "data_ptr", NULL, 2),
	DR("dr3", "data_ptr", NULL, 3),
	DR("dr6", "x86_dr6", &gyve_x86_dr6, 6),
	DR("dr7", "x86_dr7", &gyve_x86_dr7, 7),
	{.name = "xcr0",
	 .bits = 64,
	 .group = GYVE_REGS_FP,
	 .type = "x86_xcr0",
	 .feature = SYSTEM,
	 .gdb_group = "system",
	 .flags = &gyve_x86_xcr0,
	 .dwarf = -1,
	 PLAIN_RO,
	 .offset = REG_AT(x86.xcr0)},
	MSR("sysenter_cs", "int64", NULL, GYVE_MSR_SYSENTER_CS),
	MSR("sysenter_esp", "data_ptr", NULL, GYVE_MSR_SYSENTER_ESP),
	MSR("sysenter_eip", "code_ptr", NULL, GYVE_MSR_SYSENTER_EIP),
	MSR("pat", "int64", NULL, GYVE_MSR_PAT),
	MSR("misc_enable", "x86_misc_enable", &gyve_x86_misc_enable, GYVE_MSR_MISC_ENABLE),
	MSR("mtrr_def_type", "x86_mtrr_def_type", &gyve_x86_mtrr_def_type, GYVE_MSR_MTRR_DEF_TYPE),
	MSR("spec_ctrl", "x86_spec_ctrl", &gyve_x86_spec_ctrl, GYVE_MSR_SPEC_CTRL),
	MSR("debugctl", "x86_debugctl", &gyve_x86_debugctl, GYVE_MSR_DEBUGCTL),
	/* not to be written beside others: they move the guest's time */
	MSR_RO("tsc", GYVE_MSR_TSC),
	MSR_RO("tsc_deadline", GYVE_MSR_TSC_DEADLINE),
	MSR_RO("kvm_system_time", GYVE_MSR_KVM_SYSTEM_TIME),
	MSR_RO("kvm_wall_clock", GYVE_MSR_KVM_WALL_CLOCK),
};

static uint64_t pc(const struct gyve_regs *r)
{
	return r->x86.rip;
}

static void set_pc(struct gyve_regs *r, uint64_t value)
{
	r->x86.rip = value;
}

static uint64_t sp(const struct gyve_regs *r)
{
	return r->x86.gpr[GYVE_RSP];
}

static uint64_t fp(const struct gyve_regs *r)
{
	return r->x86.gpr[GYVE_RBP];
}

static uint64_t root(const struct gyve_regs *r)
{
	return r->x86.cr3 & 0x000ffffffffff000;
}

const struct gyve_arch gyve_arch_x86_64 = {
	.id = GYVE_X86_64,
	.name = "x86_64",
	.gdb_arch = "i386:x86-64",
	.regs = rows,
	.nregs = GYVE_ARRAY_SIZE(rows),
	.bp_insn = {0xcc},
	.bp_len = 1,
	.pc = pc,
	.set_pc = set_pc,
	.sp = sp,
	.fp = fp,
	.root = root,
};
