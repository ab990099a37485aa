/* QEMU's own packets, beside its physical-memory mode: scripts tell a whole machine from a process by these. */
#include "internal.h"

#include <errno.h>

/* Interrupts and timers of the guest wait while it steps; that is all there is. */
enum { ENABLE = 1, NOIRQ = 2, NOTIMER = 4, ALL = ENABLE | NOIRQ | NOTIMER };

GDBSTUB_HANDLER(qemu_step_bits)
{
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else
		gdbstub_reply(s, "ENABLE=1,NOIRQ=2,NOTIMER=4");
}

GDBSTUB_HANDLER(qemu_step)
{
	if (gdbstub_cur_done(c)) {
		gdbstub_reply(s, "0x7");
		return;
	}
	gdbstub_cur_expect(c, '=');
	uint64_t bits = gdbstub_cur_hex_max(c, ALL);
	if (!gdbstub_cur_done(c))
		gdbstub_reply_malformed(s);
	else if (bits != ALL)
		gdbstub_reply_error(s, ENOTSUP, "steps always hold the guest's interrupts");
	else
		gdbstub_reply(s, "OK");
}
