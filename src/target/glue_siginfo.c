/* A stop as Linux would tell a process of it: siginfo_t, whose layout x86_64 and aarch64 share (Linux,
 * include/uapi/asm-generic/ siginfo.h). gdb shows it as $_siginfo. */
#include "stub_glue.h"

#include "../base/bytes.h"

#include <errno.h>
#include <string.h>

enum { SI_SIZE = 128, AT_SIGNO = 0, AT_CODE = 8, AT_ADDR = 16 };
enum { L_SIGINT = 2, L_SIGILL = 4, L_SIGTRAP = 5, L_SIGBUS = 7, L_SIGSEGV = 11 };
enum {
	CODE_KERNEL = 0x80,
	SEGV_UNMAPPED = 1,
	SEGV_RIGHTS = 2,
	ILL_OPERAND = 2,
	TRAP_BREAK = 1,
	TRAP_STEP = 2,
	TRAP_HARDWARE = 4
};

struct info {
	int signo, code;
	uint64_t addr;
};

static struct info segv(struct gyve_target *t, unsigned cpu, uint64_t addr)
{
	struct gyve_walk w;

	return (struct info){L_SIGSEGV, gyve_target_translate(t, cpu, addr, &w, NULL, NULL) < 0 ? SEGV_UNMAPPED : SEGV_RIGHTS,
			     addr};
}

/* A crash, or a caught exception of aarch64: by the syndrome; on x86_64 by CR2, as KVM does not say what was in flight. */
static struct info fault(struct gyve_target *t, const struct gyve_stop *stop)
{
	struct info none = {L_SIGSEGV, CODE_KERNEL, 0};
	struct gyve_regs *r;

	if (gyve_target_regs(t, stop->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, NULL) < 0)
		return none;
	if (r->arch == GYVE_X86_64)
		return r->x86.cr2 ? segv(t, stop->cpu, r->x86.cr2) : none;
	if (gyve_a64_esr_is_abort(r->a64.esr_el1))
		return segv(t, stop->cpu, r->a64.far_el1);
	none.addr = r->a64.elr_el1;
	return none;
}

/* #UD pushes no error code: the faulting instruction's address is on top. */
static struct info undefined(struct gyve_target *t, const struct gyve_stop *stop)
{
	struct info ret = {L_SIGILL, ILL_OPERAND, 0};
	struct gyve_regs *r;
	uint8_t top[8];

	if (gyve_target_regs(t, stop->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, NULL) == 0 && r->arch == GYVE_X86_64 &&
	    gyve_target_read(t, stop->cpu, r->x86.gpr[GYVE_RSP], top, sizeof(top), NULL) == (ssize_t)sizeof(top))
		ret.addr = get_le64(top);
	return ret;
}

static struct info caught(struct gyve_target *t, const struct gyve_stop *stop)
{
	if (stop->catches & 1u << GYVE_CATCH_UD)
		return undefined(t, stop);
	if (stop->catches & 1u << GYVE_CATCH_DF)
		return (struct info){L_SIGBUS, CODE_KERNEL, 0};
	if (stop->catches & (1u << GYVE_CATCH_PF | 1u << GYVE_CATCH_SYNC))
		return fault(t, stop);
	return (struct info){L_SIGSEGV, CODE_KERNEL, 0};
}

static struct info info_of(struct gyve_target *t, const struct gyve_stop *stop)
{
	switch (stop->kind) {
	case GYVE_STOP_SW_BP:
		return (struct info){L_SIGTRAP, TRAP_BREAK, stop->pc};
	case GYVE_STOP_HW_BP:
		return (struct info){L_SIGTRAP, TRAP_HARDWARE, stop->pc};
	case GYVE_STOP_WATCH:
	case GYVE_STOP_RWATCH:
	case GYVE_STOP_AWATCH:
		return (struct info){L_SIGTRAP, TRAP_HARDWARE, stop->addr};
	case GYVE_STOP_STEP:
		return (struct info){L_SIGTRAP, TRAP_STEP, stop->pc};
	case GYVE_STOP_INTERRUPT:
		return (struct info){L_SIGINT, CODE_KERNEL, 0};
	case GYVE_STOP_CRASH:
		return fault(t, stop);
	case GYVE_STOP_CATCH:
		return caught(t, stop);
	default:
		return (struct info){L_SIGTRAP, CODE_KERNEL, stop->pc};
	}
}

int gyve_glue_siginfo(struct gyve_glue *g, int tid, const void **ret, size_t *len)
{
	const struct gyve_stop *stop = tid > 0 ? gyve_glue_thread(g, tid) : NULL;
	struct info i = {0};

	if (tid > 0) {
		if (!stop)
			return -EBUSY;
		if (gyve_glue_tid(g, stop->cpu) == tid) /* the others got no signal */
			i = info_of(g->target, stop);
	}
	memset(g->siginfo, 0, sizeof(g->siginfo));
	_Static_assert(sizeof(g->siginfo) == SI_SIZE, "room for a siginfo_t");
	put_le32(g->siginfo + AT_SIGNO, (uint32_t)i.signo);
	put_le32(g->siginfo + AT_CODE, (uint32_t)i.code);
	put_le64(g->siginfo + AT_ADDR, i.addr);
	*ret = g->siginfo;
	*len = sizeof(g->siginfo);
	return 0;
}
