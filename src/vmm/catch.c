/* Stops when the guest takes an exception: breakpoints of the book's own at the entries of its handlers. KVM reports no
 * exceptions, so the tables say where those are: looked at when the guest goes on, at each exit of a vCPU, and, as a guest may
 * run for long without one, by a timer. */
#include "catch.h"
#include "point.h"
#include "space.h"

#include "gyve/log.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* Intel SDM vol. 3A table 6-1 */
static const uint8_t x86_vectors[] = {
	[GYVE_CATCH_PF] = 14, [GYVE_CATCH_GP] = 13, [GYVE_CATCH_UD] = 6, [GYVE_CATCH_DF] = 8, [GYVE_CATCH_N] = 0};

static unsigned supported(const struct gyve_vm *vm)
{
	unsigned a64 = 1u << GYVE_CATCH_SYNC | 1u << GYVE_CATCH_SERROR, panic = vm->panic_at ? 1u << GYVE_CATCH_PANIC : 0;

	return panic | (vm->arch->id == GYVE_AARCH64 ? a64 : ((1u << GYVE_CATCH_PANIC) - 1) & ~a64);
}

/* --- where the handlers begin */

static void add_entry(struct catch_list *l, gyve_gva_t gva, enum gyve_catch what)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->at[i].gva == gva) {
			l->at[i].kinds |= 1u << what;
			return;
		}
	if (l->n < GYVE_ARRAY_SIZE(l->at))
		l->at[l->n++] = (struct catch_at){gva, 1u << what};
}

/* Gates: Intel SDM vol. 3A 6.11, 6.14.1. In real mode there are none. */
static void x86_entry(struct gyve_vcpu *v, const struct gyve_x86_regs *r, enum gyve_catch what, struct catch_list *l)
{
	bool wide = r->efer & 1u << 10;
	unsigned size = wide ? 16 : 8, off = x86_vectors[what] * size;
	uint8_t e[16] = {0};

	if (!(r->cr0 & 1) || off + size - 1 > r->idt_limit || vcpu_read(v, r->idt_base + off, e, size) != (ssize_t)size)
		return;
	if (!(e[5] & 0x80) || (e[5] & 0xe) != 0xe)
		return;
	gyve_gva_t gva = e[0] | e[1] << 8 | (uint64_t)e[6] << 16 | (uint64_t)e[7] << 24;
	for (unsigned i = 0; wide && i < 4; i++)
		gva |= (uint64_t)e[8 + i] << (32 + 8 * i);
	add_entry(l, gva, what);
}

/* Four entries each: Arm ARM D1.3.1.5. */
static void a64_entries(const struct gyve_a64_regs *r, enum gyve_catch what, struct catch_list *l)
{
	gyve_gva_t vbar = r->vbar_el1 & ~UINT64_C(0x7ff);

	for (unsigned i = 0; vbar && i < 4; i++)
		add_entry(l, vbar + 0x200 * i + (what == GYVE_CATCH_SERROR ? 0x180 : 0), what);
}

static void find_entries(struct gyve_vcpu *v, struct catch_list *l)
{
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_SYS);

	memset(l, 0, sizeof(*l));
	for (unsigned what = 0; r && what < GYVE_CATCH_N; what++) {
		if (!(v->vm->catch_mask & 1u << what))
			continue;
		if (what == GYVE_CATCH_PANIC)
			add_entry(l, v->vm->panic_at, what);
		else if (v->vm->arch->id == GYVE_AARCH64)
			a64_entries(&r->a64, what, l);
		else
			x86_entry(v, &r->x86, what, l);
	}
}

/* --- the points */

static bool wanted(const struct gyve_vm *vm, gyve_gva_t gva)
{
	for (unsigned i = 0; i < vm->ncpus; i++)
		for (unsigned k = 0; k < vm->cpus[i].catches.n; k++)
			if (vm->cpus[i].catches.at[k].gva == gva)
				return true;
	return false;
}

static void update_points(struct gyve_vcpu *v)
{
	struct gyve_vm *vm = v->vm;

	for (size_t i = vm->npoints; i-- > 0;)
		if (vm->points[i].owners & POINT_CATCH && !wanted(vm, vm->points[i].gva))
			bp_disown(vm, &vm->points[i], POINT_CATCH);
	for (unsigned i = 0; i < v->catches.n; i++)
		if (bp_own(vm, v, v->catches.at[i].gva, POINT_CATCH) < 0)
			gyve_log(GYVE_LOG_WARN, GYVE_LOG_BP, "vCPU %u: an exception's handler cannot be watched", v->index);
}

/* A thousand times a second until there is a table, then a hundred times. */
static void set_pace(struct gyve_vcpu *v)
{
	long ns = v->catches.n ? 10000000 : 1000000;
	struct itimerspec often = {{0, ns}, {0, ns}};

	if (v->has_tick)
		timer_settime(v->tick, 0, &often, NULL);
}

void catch_sync(struct gyve_vcpu *v)
{
	struct catch_list now;

	find_entries(v, &now);
	if (memcmp(&now, &v->catches, sizeof(now)) == 0)
		return;
	pthread_mutex_lock(&v->vm->book_lock);
	v->catches = now;
	update_points(v);
	pthread_mutex_unlock(&v->vm->book_lock);
	set_pace(v);
}

void catch_sync_all(struct gyve_vm *vm)
{
	for (unsigned i = 0; vm->catch_mask && i < vm->ncpus; i++)
		catch_sync(&vm->cpus[i]);
}

void catch_mark(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	stop->catches = 0;
	for (unsigned i = 0; i < v->catches.n; i++)
		if (v->catches.at[i].gva == stop->pc)
			stop->catches = v->catches.at[i].kinds;
	if (!stop->catches)
		return;
	const struct point *p;
	size_t at = SIZE_MAX;
	while ((p = point_at(v->vm, stop->pc, &at)) != NULL)
		if (p->owners & POINT_USER && p->kind <= GYVE_POINT_HW && space_current(v, &p->in, stop->pc))
			return; /* the client's own breakpoint: it shall know it for that */
	stop->kind = GYVE_STOP_CATCH;
}

/* --- the timer */

void catch_tick(struct gyve_vcpu *v)
{
	struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL};

	if (!v->vm->catch_mask == !v->has_tick)
		return;
	if (v->has_tick) {
		timer_delete(v->tick);
		v->has_tick = false;
		return;
	}
	ev.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	v->has_tick = timer_create(CLOCK_MONOTONIC, &ev, &v->tick) == 0;
	set_pace(v);
}

void catch_tick_stop(struct gyve_vcpu *v)
{
	if (v->has_tick)
		timer_delete(v->tick);
	v->has_tick = false;
}

/* --- the session thread's side */

void gyve_vm_panic_at(struct gyve_vm *vm, gyve_gva_t gva)
{
	vm->panic_at = gva;
}

unsigned gyve_vm_catches(const struct gyve_vm *vm)
{
	return vm->catch_mask;
}

int gyve_vm_catch(struct gyve_vm *vm, enum gyve_catch what, bool on, struct gyve_err *err)
{
	if (!gyve_run_stopped(vm))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	if (what >= GYVE_CATCH_N || !(supported(vm) & 1u << what))
		return gyve_err_set(err, -ENOTSUP, "%s guests have no such exception", vm->arch->name);
	vm->catch_mask = on ? vm->catch_mask | 1u << what : vm->catch_mask & ~(1u << what);
	for (unsigned i = 0; i < vm->ncpus; i++)
		catch_sync(&vm->cpus[i]);
	return 0;
}
