/* An aarch64 guest whose exception vectors cannot be executed takes the same exception for ever and never leaves by itself: no
 * triple fault ends it. So its vCPUs are looked at once a second. */
#include "vmm.h"

#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

void watchdog_start(struct gyve_vcpu *v)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL};
	struct itimerspec second = {{1, 0}, {1, 0}};

	if (v->vm->arch->id != GYVE_AARCH64)
		return;
	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	v->has_watchdog = timer_create(CLOCK_MONOTONIC, &ev, &v->watchdog) == 0;
	if (!v->has_watchdog || timer_settime(v->watchdog, 0, &second, NULL) < 0)
		gyve_log(GYVE_LOG_INFO, GYVE_LOG_RUN, "vCPU %u: no watchdog: %s", v->index, strerror(errno));
}

void watchdog_stop(struct gyve_vcpu *v)
{
	if (v->has_watchdog)
		timer_delete(v->watchdog);
	v->has_watchdog = false;
}

/* The vector's first instruction was itself the reason of the last exception: where that came from is lost for good. */
bool watchdog_bites(struct gyve_vcpu *v)
{
	const struct gyve_regs *r;

	if (v->vm->arch->id != GYVE_AARCH64 || !(r = vcpu_regs(v, GYVE_REGS_PC | GYVE_REGS_SYS)))
		return false;
	uint64_t off = r->a64.pc - (r->a64.vbar_el1 & ~UINT64_C(0x7ff)), class = r->a64.esr_el1 >> 26 & 0x3f;
	bool entry = off == 0 || off == 0x200; /* current EL, SP_EL0 or its own */
	return entry && r->a64.elr_el1 == r->a64.pc && (class == 0 || class == 0x21);
}
