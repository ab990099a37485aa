/* Names of the bits of aarch64 registers. Arm ARM (DDI 0487) C5.2 (PSTATE, SPSR, FPCR, FPSR) and D19.2 (system registers);
 * cpsr_flags, fpsr_flags and fpcr_flags have gdb's own names (gdb/features/aarch64-core.xml, aarch64-fpu.xml). */
#include "regs.h"

static const struct gyve_reg_field cpsr[] = {
	{"SP", 0, 0},    {"EL", 2, 3},   {"nRW", 4, 4},     {"F", 6, 6},      {"I", 7, 7},
	{"A", 8, 8},     {"D", 9, 9},    {"BTYPE", 10, 11}, {"SSBS", 12, 12}, {"ALLINT", 13, 13},
	{"IL", 20, 20},  {"SS", 21, 21}, {"PAN", 22, 22},   {"UAO", 23, 23},  {"DIT", 24, 24},
	{"TCO", 25, 25}, {"V", 28, 28},  {"C", 29, 29},     {"Z", 30, 30},    {"N", 31, 31},
};
static const struct gyve_reg_field fpsr[] = {
	{"IOC", 0, 0},  {"DZC", 1, 1}, {"OFC", 2, 2}, {"UFC", 3, 3}, {"IXC", 4, 4}, {"IDC", 7, 7},
	{"QC", 27, 27}, {"V", 28, 28}, {"C", 29, 29}, {"Z", 30, 30}, {"N", 31, 31},
};
static const struct gyve_reg_field fpcr[] = {
	{"FIZ", 0, 0},      {"AH", 1, 1},      {"NEP", 2, 2},   {"IOE", 8, 8},   {"DZE", 9, 9},   {"OFE", 10, 10},
	{"UFE", 11, 11},    {"IXE", 12, 12},   {"EBF", 13, 13}, {"IDE", 15, 15}, {"Len", 16, 18}, {"FZ16", 19, 19},
	{"Stride", 20, 21}, {"RMode", 22, 23}, {"FZ", 24, 24},  {"DN", 25, 25},  {"AHP", 26, 26},
};
static const struct gyve_reg_field sctlr[] = {
	{"M", 0, 0},        {"A", 1, 1},       {"C", 2, 2},       {"SA", 3, 3},          {"SA0", 4, 4},      {"CP15BEN", 5, 5},
	{"nAA", 6, 6},      {"ITD", 7, 7},     {"SED", 8, 8},     {"UMA", 9, 9},         {"EnRCTX", 10, 10}, {"EOS", 11, 11},
	{"I", 12, 12},      {"EnDB", 13, 13},  {"DZE", 14, 14},   {"UCT", 15, 15},       {"nTWI", 16, 16},   {"nTWE", 18, 18},
	{"WXN", 19, 19},    {"TSCXT", 20, 20}, {"IESB", 21, 21},  {"EIS", 22, 22},       {"SPAN", 23, 23},   {"E0E", 24, 24},
	{"EE", 25, 25},     {"UCI", 26, 26},   {"EnDA", 27, 27},  {"nTLSMD", 28, 28},    {"LSMAOE", 29, 29}, {"EnIB", 30, 30},
	{"EnIA", 31, 31},   {"CMOW", 32, 32},  {"MSCEn", 33, 33}, {"BT0", 35, 35},       {"BT1", 36, 36},    {"ITFSB", 37, 37},
	{"TCF0", 38, 39},   {"TCF", 40, 41},   {"ATA0", 42, 42},  {"ATA", 43, 43},       {"DSSBS", 44, 44},  {"TWEDEn", 45, 45},
	{"TWEDEL", 46, 49}, {"EPAN", 57, 57},  {"NMI", 61, 61},   {"SPINTMASK", 62, 62}, {"TIDCP", 63, 63},
};
static const struct gyve_reg_field tcr[] = {
	{"T0SZ", 0, 5},    {"EPD0", 7, 7},   {"IRGN0", 8, 9},  {"ORGN0", 10, 11}, {"SH0", 12, 13},   {"TG0", 14, 15},
	{"T1SZ", 16, 21},  {"A1", 22, 22},   {"EPD1", 23, 23}, {"IRGN1", 24, 25}, {"ORGN1", 26, 27}, {"SH1", 28, 29},
	{"TG1", 30, 31},   {"IPS", 32, 34},  {"AS", 36, 36},   {"TBI0", 37, 37},  {"TBI1", 38, 38},  {"HA", 39, 39},
	{"HD", 40, 40},    {"HPD0", 41, 41}, {"HPD1", 42, 42}, {"HWU0", 43, 46},  {"HWU1", 47, 50},  {"TBID0", 51, 51},
	{"TBID1", 52, 52}, {"NFD0", 53, 53}, {"NFD1", 54, 54}, {"E0PD0", 55, 55}, {"E0PD1", 56, 56}, {"TCMA0", 57, 57},
	{"TCMA1", 58, 58}, {"DS", 59, 59},
};
static const struct gyve_reg_field ttbr[] = {{"CnP", 0, 0}, {"BADDR", 1, 47}, {"ASID", 48, 63}};
static const struct gyve_reg_field esr[] = {{"ISS", 0, 24}, {"IL", 25, 25}, {"EC", 26, 31}, {"ISS2", 32, 55}};
static const struct gyve_reg_field cpacr[] = {{"ZEN", 16, 17}, {"FPEN", 20, 21}, {"SMEN", 24, 25}, {"TTA", 28, 28}};
static const struct gyve_reg_field mdscr[] = {
	{"SS", 0, 0},    {"ERR", 6, 6},   {"TDCC", 12, 12}, {"KDE", 13, 13},    {"HDE", 14, 14},
	{"MDE", 15, 15}, {"TXU", 26, 26}, {"RXO", 27, 27},  {"TXfull", 29, 29}, {"RXfull", 30, 30},
};
static const struct gyve_reg_field cntv_ctl[] = {{"ENABLE", 0, 0}, {"IMASK", 1, 1}, {"ISTATUS", 2, 2}};
static const struct gyve_reg_field mpidr[] = {
	{"Aff0", 0, 7}, {"Aff1", 8, 15}, {"Aff2", 16, 23}, {"MT", 24, 24}, {"U", 30, 30}, {"Aff3", 32, 39},
};
static const struct gyve_reg_field midr[] = {
	{"Revision", 0, 3}, {"PartNum", 4, 15}, {"Architecture", 16, 19}, {"Variant", 20, 23}, {"Implementer", 24, 31},
};

REG_FLAGS(gyve_a64_cpsr, "cpsr_flags", 4, cpsr);
REG_FLAGS(gyve_a64_fpsr, "fpsr_flags", 4, fpsr);
REG_FLAGS(gyve_a64_fpcr, "fpcr_flags", 4, fpcr);
REG_FLAGS(gyve_a64_sctlr, "a64_sctlr", 8, sctlr);
REG_FLAGS(gyve_a64_tcr, "a64_tcr", 8, tcr);
REG_FLAGS(gyve_a64_ttbr, "a64_ttbr", 8, ttbr);
REG_FLAGS(gyve_a64_esr, "a64_esr", 8, esr);
REG_FLAGS(gyve_a64_spsr, "a64_spsr", 8, cpsr); /* SPSR_EL1 holds PSTATE in PSTATE's places */
REG_FLAGS(gyve_a64_cpacr, "a64_cpacr", 8, cpacr);
REG_FLAGS(gyve_a64_mdscr, "a64_mdscr", 8, mdscr);
REG_FLAGS(gyve_a64_cntv_ctl, "a64_cntv_ctl", 8, cntv_ctl);
REG_FLAGS(gyve_a64_mpidr, "a64_mpidr", 8, mpidr);
REG_FLAGS(gyve_a64_midr, "a64_midr", 8, midr);
