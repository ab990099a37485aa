/* No instruction assist on this host: what its KVM cannot carry out ends the guest, with the bytes named. */
#include <errno.h>
#include <stdio.h>

#include "gyve/assist.h"

enum gyve_assist_result gyve_assist_x86(struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn,
					const struct gyve_assist_mem *mem, struct gyve_assist_out *ret, struct gyve_err *err)
{
	char text[3 * 15 + 1] = "";

	(void)regs, (void)mem, (void)ret;
	for (size_t i = 0; i < ninsn && i < 15; i++)
		snprintf(text + 3 * i, 4, " %02x", insn[i]);
	gyve_err_set(err, -ENOTSUP, "this host's KVM cannot carry out the instruction%s", text);
	return GYVE_ASSIST_UNSUPPORTED;
}

void gyve_assist_prepare(void) {}

int gyve_x86_disasm(const uint8_t *insn, size_t ninsn, uint64_t rip, char *buf, size_t size)
{
	(void)insn, (void)ninsn, (void)rip, (void)buf, (void)size;
	return -EINVAL;
}

int gyve_x86_data_refs(const struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn, struct gyve_x86_data_ref ret[4])
{
	(void)regs, (void)insn, (void)ninsn, (void)ret;
	return -EINVAL;
}
