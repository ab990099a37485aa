/* Names of the bits of x86_64 registers. Intel SDM vol. 3A 2.5 (CR), 2.6 (XCR0), 17.2 (DR), 10.4.4 (APIC base); vol. 1 3.4.3
 * (EFLAGS), 10.2.3 (MXCSR); vol. 4 (EFER); AMD APM vol. 2 3.1.7 for the EFER bits that are AMD's. */
#include "regs.h"

static const struct gyve_reg_field eflags[] = {
	{"CF", 0, 0},   {"PF", 2, 2},   {"AF", 4, 4},    {"ZF", 6, 6},     {"SF", 7, 7},   {"TF", 8, 8},
	{"IF", 9, 9},   {"DF", 10, 10}, {"OF", 11, 11},  {"IOPL", 12, 13}, {"NT", 14, 14}, {"RF", 16, 16},
	{"VM", 17, 17}, {"AC", 18, 18}, {"VIF", 19, 19}, {"VIP", 20, 20},  {"ID", 21, 21},
};
static const struct gyve_reg_field mxcsr[] = {
	{"IE", 0, 0},   {"DE", 1, 1},   {"ZE", 2, 2},   {"OE", 3, 3},   {"UE", 4, 4},
	{"PE", 5, 5},   {"DAZ", 6, 6},  {"IM", 7, 7},   {"DM", 8, 8},   {"ZM", 9, 9},
	{"OM", 10, 10}, {"UM", 11, 11}, {"PM", 12, 12}, {"RC", 13, 14}, {"FZ", 15, 15},
};
static const struct gyve_reg_field cr0[] = {
	{"PE", 0, 0},   {"MP", 1, 1},   {"EM", 2, 2},   {"TS", 3, 3},   {"ET", 4, 4},   {"NE", 5, 5},
	{"WP", 16, 16}, {"AM", 18, 18}, {"NW", 29, 29}, {"CD", 30, 30}, {"PG", 31, 31},
};
static const struct gyve_reg_field cr3[] = {
	{"PWT", 3, 3}, {"PCD", 4, 4}, {"PDBR", 12, 51}, {"LAM_U57", 61, 61}, {"LAM_U48", 62, 62},
};
static const struct gyve_reg_field cr4[] = {
	{"VME", 0, 0},          {"PVI", 1, 1},       {"TSD", 2, 2},       {"DE", 3, 3},     {"PSE", 4, 4},
	{"PAE", 5, 5},          {"MCE", 6, 6},       {"PGE", 7, 7},       {"PCE", 8, 8},    {"OSFXSR", 9, 9},
	{"OSXMMEXCPT", 10, 10}, {"UMIP", 11, 11},    {"LA57", 12, 12},    {"VMXE", 13, 13}, {"SMXE", 14, 14},
	{"FSGSBASE", 16, 16},   {"PCIDE", 17, 17},   {"OSXSAVE", 18, 18}, {"KL", 19, 19},   {"SMEP", 20, 20},
	{"SMAP", 21, 21},       {"PKE", 22, 22},     {"CET", 23, 23},     {"PKS", 24, 24},  {"UINTR", 25, 25},
	{"LASS", 27, 27},       {"LAM_SUP", 28, 28},
};
static const struct gyve_reg_field efer[] = {
	{"SCE", 0, 0},    {"LME", 8, 8},     {"LMA", 10, 10},   {"NXE", 11, 11},
	{"SVME", 12, 12}, {"LMSLE", 13, 13}, {"FFXSR", 14, 14}, {"TCE", 15, 15},
};
static const struct gyve_reg_field apic_base[] = {{"BSP", 8, 8}, {"EXTD", 10, 10}, {"EN", 11, 11}, {"BASE", 12, 51}};
static const struct gyve_reg_field xcr0[] = {
	{"X87", 0, 0},       {"SSE", 1, 1},      {"AVX", 2, 2},  {"BNDREG", 3, 3},    {"BNDCSR", 4, 4},     {"OPMASK", 5, 5},
	{"ZMM_HI256", 6, 6}, {"HI16_ZMM", 7, 7}, {"PKRU", 9, 9}, {"TILECFG", 17, 17}, {"TILEDATA", 18, 18},
};
static const struct gyve_reg_field dr6[] = {
	{"B0", 0, 0},   {"B1", 1, 1},   {"B2", 2, 2},   {"B3", 3, 3},    {"BLD", 11, 11},
	{"BD", 13, 13}, {"BS", 14, 14}, {"BT", 15, 15}, {"RTM", 16, 16},
};
static const struct gyve_reg_field dr7[] = {
	{"L0", 0, 0},     {"G0", 1, 1},    {"L1", 2, 2},     {"G1", 3, 3},     {"L2", 4, 4},
	{"G2", 5, 5},     {"L3", 6, 6},    {"G3", 7, 7},     {"LE", 8, 8},     {"GE", 9, 9},
	{"RTM", 11, 11},  {"GD", 13, 13},  {"RW0", 16, 17},  {"LEN0", 18, 19}, {"RW1", 20, 21},
	{"LEN1", 22, 23}, {"RW2", 24, 25}, {"LEN2", 26, 27}, {"RW3", 28, 29},  {"LEN3", 30, 31},
};

static const struct gyve_reg_field misc_enable[] = {
	{"FAST_STRINGS", 0, 0}, {"TCC", 3, 3},     {"PERFMON", 7, 7},       {"BTS_UNAVAIL", 11, 11}, {"PEBS_UNAVAIL", 12, 12},
	{"EIST", 16, 16},       {"MWAIT", 18, 18}, {"LIMIT_CPUID", 22, 22}, {"XD_DISABLE", 34, 34},
};
static const struct gyve_reg_field mtrr_def_type[] = {{"TYPE", 0, 7}, {"FE", 10, 10}, {"E", 11, 11}};
static const struct gyve_reg_field spec_ctrl[] = {{"IBRS", 0, 0}, {"STIBP", 1, 1}, {"SSBD", 2, 2}, {"PSFD", 7, 7}};
static const struct gyve_reg_field debugctl[] = {
	{"LBR", 0, 0},
	{"BTF", 1, 1},
	{"TR", 6, 6},
	{"BTS", 7, 7},
	{"BTINT", 8, 8},
	{"FREEZE_LBRS", 11, 11},
	{"FREEZE_PERFMON", 12, 12},
};

REG_FLAGS(gyve_x86_eflags, "i386_eflags", 4, eflags);
REG_FLAGS(gyve_x86_mxcsr, "i386_mxcsr", 4, mxcsr);
REG_FLAGS(gyve_x86_cr0, "x86_cr0", 8, cr0);
REG_FLAGS(gyve_x86_cr3, "x86_cr3", 8, cr3);
REG_FLAGS(gyve_x86_cr4, "x86_cr4", 8, cr4);
REG_FLAGS(gyve_x86_efer, "x86_efer", 8, efer);
REG_FLAGS(gyve_x86_apic_base, "x86_apic_base", 8, apic_base);
REG_FLAGS(gyve_x86_xcr0, "x86_xcr0", 8, xcr0);
REG_FLAGS(gyve_x86_dr6, "x86_dr6", 8, dr6);
REG_FLAGS(gyve_x86_dr7, "x86_dr7", 8, dr7);
REG_FLAGS(gyve_x86_misc_enable, "x86_misc_enable", 8, misc_enable);
REG_FLAGS(gyve_x86_mtrr_def_type, "x86_mtrr_def_type", 8, mtrr_def_type);
REG_FLAGS(gyve_x86_spec_ctrl, "x86_spec_ctrl", 8, spec_ctrl);
REG_FLAGS(gyve_x86_debugctl, "x86_debugctl", 8, debugctl);
