/* An aarch64 guest whose exception vectors cannot be executed, or fault themselves, takes the same exception for ever and never
 * leaves by itself: no triple fault ends it. So its vCPUs are looked at once a second. */
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

/* Where a synchronous exception of EL1 with stack pointer 0 or its own is taken to: 128 bytes each. */
static bool in_vector(const struct gyve_a64_regs *r, gyve_gva_t addr)
{
	uint64_t off = addr - (r->vbar_el1 & ~UINT64_C(0x7ff));
	return off < 0x80 || (off >= 0x200 && off < 0x280);
}

/* Looks half a second apart or more: the vector's own code was the reason of the last exception, nothing has changed since. */
static bool no_progress(struct gyve_vcpu *v, const struct gyve_a64_regs *r)
{
	struct gyve_lost *last = &v->lost, now = {.elr = r->elr_el1, .esr = r->esr_el1, .far = r->far_el1, .sp = r->sp_el1};
	bool same = now.elr == last->elr && now.esr == last->esr && now.far == last->far && now.sp == last->sp;

	clock_gettime(CLOCK_MONOTONIC, &now.at);
	int64_t ms = (now.at.tv_sec - last->at.tv_sec) * 1000 + (now.at.tv_nsec - last->at.tv_nsec) / 1000000;
	if (same && ms < 500)
		return false;
	*last = now;
	return same && in_vector(r, r->pc) && in_vector(r, r->elr_el1);
}

const char *watchdog_bites(struct gyve_vcpu *v)
{
	const struct gyve_regs *r;

	if (v->vm->arch->id != GYVE_AARCH64 || !(r = vcpu_regs(v, GYVE_REGS_PC | GYVE_REGS_SYS)))
		return NULL;
	if (v->index && v->vm->platform->starts_cpus && !(r->a64.sctlr_el1 & 1))
		return NULL; /* not started yet: it is at 0, where its vectors are */
	uint64_t off = r->a64.pc - (r->a64.vbar_el1 & ~UINT64_C(0x7ff)), class = r->a64.esr_el1 >> 26 & 0x3f;
	/* the vector's first instruction was itself the reason: where that came from is lost for good */
	if ((off == 0 || off == 0x200) && r->a64.elr_el1 == r->a64.pc && (class == 0 || class == 0x21))
		return "an exception, and the exception vectors cannot be executed";
	return no_progress(v, &r->a64) ? "the same exception again and again, in the exception vectors themselves" : NULL;
}
