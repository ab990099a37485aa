/* x86_64 flags types and the register rows' accessors; private to this directory. */
#ifndef GYVE_X86_64_REGS_H
#define GYVE_X86_64_REGS_H
#include "../regrow.h"

extern const struct gyve_reg_flags gyve_x86_eflags, gyve_x86_mxcsr, gyve_x86_cr0, gyve_x86_cr3, gyve_x86_cr4, gyve_x86_efer,
	gyve_x86_apic_base, gyve_x86_xcr0, gyve_x86_dr6, gyve_x86_dr7;

extern const struct gyve_reg_flags gyve_x86_misc_enable, gyve_x86_mtrr_def_type, gyve_x86_spec_ctrl, gyve_x86_debugctl;

/* Rows of GYVE_REGS_MSR (msr_rows.c). offset: index in msr[]. */
int gyve_x86_msr_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf);
int gyve_x86_msr_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf);

/* Rows that live in the XSAVE area (xsave.c). offset: position in the area << 8 | bytes there. */
int gyve_x86_xsave_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf);
int gyve_x86_xsave_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf);
/** ftag: the full 16-bit tag word, which the area holds abridged. */
int gyve_x86_ftag_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf);
int gyve_x86_ftag_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf);
#endif
