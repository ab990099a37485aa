/* aarch64 flags types; private to this directory. */
#ifndef GYVE_AARCH64_REGS_H
#define GYVE_AARCH64_REGS_H
#include "../regrow.h"

extern const struct gyve_reg_flags gyve_a64_cpsr, gyve_a64_fpsr, gyve_a64_fpcr, gyve_a64_sctlr, gyve_a64_tcr, gyve_a64_ttbr,
	gyve_a64_esr, gyve_a64_spsr, gyve_a64_cpacr, gyve_a64_mdscr, gyve_a64_cntv_ctl, gyve_a64_mpidr, gyve_a64_midr;
#endif
