/* aarch64 vCPUs as Linux's notes hold them: include/uapi/linux/elf.h, arch/arm64's user_pt_regs and user_fpsimd_state. */
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>

enum { AT_SP = 31, AT_PC = 32, AT_PSTATE = 33, PR_FPVALID = 384, FPSR_AT = 512, FPCR_AT = 516 };

static uint64_t row_value(const struct gyve_regs *r, const char *name)
{
	const struct gyve_reg_row *row = gyve_reg_find(&gyve_arch_aarch64, name);
	uint8_t value[16] = {0};

	return row && row->bits == 64 && row->get(row, r, value) == 0 ? get_le64(value) : 0;
}

static void pac_mask(struct core_buf *b, const struct gyve_regs *r)
{
	uint8_t d[16];

	put_le64(d, row_value(r, "pauth_dmask"));
	put_le64(d + 8, row_value(r, "pauth_cmask"));
	if (get_le64(d) || get_le64(d + 8))
		core_note_add(b, "LINUX", NOTE_ARM_PAC_MASK, d, sizeof(d));
}

void core_a64_notes(struct core_buf *b, const struct gyve_regs *regs, unsigned cpu, int signal)
{
	const struct gyve_a64_regs *r = &regs->a64;
	uint8_t d[A64_FPREGS_SIZE] = {0}, *reg = d + PR_REG;

	put_le32(d, (uint32_t)signal);
	put_le16(d + PR_CURSIG, (uint16_t)signal);
	put_le32(d + PR_PID, cpu + 1);
	for (unsigned i = 0; i < 31; i++)
		put_le64(reg + 8 * i, r->x[i]);
	put_le64(reg + 8 * AT_SP, r->sp);
	put_le64(reg + 8 * AT_PC, r->pc);
	put_le64(reg + 8 * AT_PSTATE, r->pstate);
	put_le32(d + PR_FPVALID, 1);
	core_note_add(b, "CORE", NOTE_PRSTATUS, d, A64_PRSTATUS_SIZE);
	memset(d, 0, sizeof(d));
	for (unsigned i = 0; i < 32; i++) {
		put_le64(d + 16 * i, r->v[i][0]);
		put_le64(d + 16 * i + 8, r->v[i][1]);
	}
	put_le32(d + FPSR_AT, r->fpsr);
	put_le32(d + FPCR_AT, r->fpcr);
	core_note_add(b, "CORE", NOTE_FPREGSET, d, A64_FPREGS_SIZE);
	put_le64(d, r->tpidr_el0);
	core_note_add(b, "LINUX", NOTE_ARM_TLS, d, 8);
	pac_mask(b, regs);
}

int core_a64_prstatus(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	const uint8_t *reg = desc + PR_REG;

	if (len != A64_PRSTATUS_SIZE)
		return -EINVAL;
	for (unsigned i = 0; i < 31; i++)
		r->a64.x[i] = get_le64(reg + 8 * i);
	r->a64.sp = get_le64(reg + 8 * AT_SP);
	r->a64.pc = get_le64(reg + 8 * AT_PC);
	r->a64.pstate = get_le64(reg + 8 * AT_PSTATE);
	r->valid |= GYVE_REGS_GPR | GYVE_REGS_PC;
	return 0;
}

int core_a64_fpregs(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	if (len < FPCR_AT + 4)
		return -EINVAL;
	for (unsigned i = 0; i < 32; i++) {
		r->a64.v[i][0] = get_le64(desc + 16 * i);
		r->a64.v[i][1] = get_le64(desc + 16 * i + 8);
	}
	r->a64.fpsr = get_le32(desc + FPSR_AT);
	r->a64.fpcr = get_le32(desc + FPCR_AT);
	r->valid |= GYVE_REGS_FP;
	return 0;
}

int core_a64_tls(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	if (len < 8)
		return -EINVAL;
	r->a64.tpidr_el0 = get_le64(desc);
	return 0;
}
