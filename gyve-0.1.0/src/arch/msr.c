/* Names of registers that are read by number: x86_64 MSRs (Intel SDM vol. 4; AMD APM vol. 2 appendix A; Documentation/virt/kvm/
 * x86/msr.rst), aarch64 system registers as S<op0>_<op1>_C<n>_C<m>_<op2> (Arm ARM D19). */
#include "gyve/arch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct msr {
	const char *name;
	uint32_t index;
};

static const struct msr x86[] = {
	{"tsc", 0x10},
	{"apic_base", 0x1b},
	{"feature_control", 0x3a},
	{"tsc_adjust", 0x3b},
	{"spec_ctrl", 0x48},
	{"bios_sign_id", 0x8b},
	{"mtrrcap", 0xfe},
	{"arch_capabilities", 0x10a},
	{"sysenter_cs", 0x174},
	{"sysenter_esp", 0x175},
	{"sysenter_eip", 0x176},
	{"mcg_cap", 0x179},
	{"mcg_status", 0x17a},
	{"perf_status", 0x198},
	{"misc_enable", 0x1a0},
	{"debugctl", 0x1d9},
	{"pat", 0x277},
	{"mtrr_def_type", 0x2ff},
	{"perf_global_ctrl", 0x38f},
	{"u_cet", 0x6a0},
	{"s_cet", 0x6a2},
	{"pl0_ssp", 0x6a4},
	{"tsc_deadline", 0x6e0},
	{"xss", 0xda0},
	{"x2apic_id", 0x802},
	{"x2apic_version", 0x803},
	{"x2apic_tpr", 0x808},
	{"x2apic_ppr", 0x80a},
	{"x2apic_ldr", 0x80d},
	{"x2apic_sivr", 0x80f},
	{"kvm_wall_clock", 0x4b564d00},
	{"kvm_system_time", 0x4b564d01},
	{"kvm_async_pf_en", 0x4b564d02},
	{"kvm_steal_time", 0x4b564d03},
	{"kvm_pv_eoi_en", 0x4b564d04},
	{"efer", 0xc0000080},
	{"star", 0xc0000081},
	{"lstar", 0xc0000082},
	{"cstar", 0xc0000083},
	{"sfmask", 0xc0000084},
	{"fs_base", 0xc0000100},
	{"gs_base", 0xc0000101},
	{"kernel_gs_base", 0xc0000102},
	{"tsc_aux", 0xc0000103},
};

#define SYSREG(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
static const struct msr a64[] = {
	{"mdscr_el1", SYSREG(2u, 0, 0, 2, 2)},        {"oslsr_el1", SYSREG(2u, 0, 1, 1, 4)},
	{"midr_el1", SYSREG(3u, 0, 0, 0, 0)},         {"mpidr_el1", SYSREG(3u, 0, 0, 0, 5)},
	{"id_aa64pfr0_el1", SYSREG(3u, 0, 0, 4, 0)},  {"id_aa64dfr0_el1", SYSREG(3u, 0, 0, 5, 0)},
	{"id_aa64isar0_el1", SYSREG(3u, 0, 0, 6, 0)}, {"id_aa64mmfr0_el1", SYSREG(3u, 0, 0, 7, 0)},
	{"sctlr_el1", SYSREG(3u, 0, 1, 0, 0)},        {"actlr_el1", SYSREG(3u, 0, 1, 0, 1)},
	{"cpacr_el1", SYSREG(3u, 0, 1, 0, 2)},        {"ttbr0_el1", SYSREG(3u, 0, 2, 0, 0)},
	{"ttbr1_el1", SYSREG(3u, 0, 2, 0, 1)},        {"tcr_el1", SYSREG(3u, 0, 2, 0, 2)},
	{"afsr0_el1", SYSREG(3u, 0, 5, 1, 0)},        {"esr_el1", SYSREG(3u, 0, 5, 2, 0)},
	{"far_el1", SYSREG(3u, 0, 6, 0, 0)},          {"par_el1", SYSREG(3u, 0, 7, 4, 0)},
	{"mair_el1", SYSREG(3u, 0, 10, 2, 0)},        {"vbar_el1", SYSREG(3u, 0, 12, 0, 0)},
	{"disr_el1", SYSREG(3u, 0, 12, 1, 1)},        {"contextidr_el1", SYSREG(3u, 0, 13, 0, 1)},
	{"tpidr_el1", SYSREG(3u, 0, 13, 0, 4)},       {"cntkctl_el1", SYSREG(3u, 0, 14, 1, 0)},
	{"csselr_el1", SYSREG(3u, 2, 0, 0, 0)},       {"tpidr_el0", SYSREG(3u, 3, 13, 0, 2)},
	{"tpidrro_el0", SYSREG(3u, 3, 13, 0, 3)},     {"cntv_ctl_el0", SYSREG(3u, 3, 14, 3, 1)},
};

static size_t table(enum gyve_arch_id arch, const struct msr **ret)
{
	*ret = arch == GYVE_X86_64 ? x86 : a64;
	return arch == GYVE_X86_64 ? GYVE_ARRAY_SIZE(x86) : GYVE_ARRAY_SIZE(a64);
}

const char *gyve_msr_row(enum gyve_arch_id arch, unsigned i, uint32_t *index)
{
	const struct msr *t;

	if (i >= table(arch, &t))
		return NULL;
	*index = t[i].index;
	return t[i].name;
}

/* S3_0_C1_C0_0 */
static int encoding(const char *name, uint32_t *index)
{
	unsigned op0, op1, crn, crm, op2;
	int end = 0;

	if (sscanf(name, "%*1[sS]%1u_%1u_%*1[cC]%2u_%*1[cC]%2u_%1u%n", &op0, &op1, &crn, &crm, &op2, &end) != 5 || name[end])
		return -EINVAL;
	if (op0 < 2 || op0 > 3 || op1 > 7 || crn > 15 || crm > 15 || op2 > 7)
		return -EINVAL;
	*index = SYSREG(op0, op1, crn, crm, op2);
	return 0;
}

int gyve_msr_find(enum gyve_arch_id arch, const char *name, uint32_t *index)
{
	const struct msr *t;
	size_t n = table(arch, &t);
	unsigned long value;
	char *end;

	if (strncasecmp(name, "ia32_", 5) == 0 || strncasecmp(name, "msr_", 4) == 0)
		name = strchr(name, '_') + 1;
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(t[i].name, name) == 0) {
			*index = t[i].index;
			return 0;
		}
	if (arch == GYVE_AARCH64 && encoding(name, index) == 0)
		return 0;
	if (*name < '0' || *name > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(name, &end, 0);
	if (*end || errno || value > (arch == GYVE_X86_64 ? UINT32_MAX : 0xffff))
		return -EINVAL;
	*index = (uint32_t)value;
	return 0;
}
