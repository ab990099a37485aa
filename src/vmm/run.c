/* Run control: the one owner of "who may be in the guest". All-stop: a stop is reported when the last vCPU has come out.
 *
 * Between runs a vCPU's thread waits in wait_in_room(). gyve_run_resume() opens the door; the first vCPU with something to tell
 * sets stop_wanted and kicks the others; the last one out reports the earliest hit. Later hits stay with their vCPU and are
 * told at the next resume if they still mean anything.
 *
 * A vCPU that was told about a breakpoint goes on by stepping over it first, alone inside, with the bytes lifted.
 *
 * Non-stop (nonstop.c): one with something to tell comes out alone and is parked by its act NONE; the phase stays RUNNING. */
#include "catch.h"
#include "trace.h"

#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool run_wanted_out(const struct gyve_vcpu *v)
{
	return __atomic_load_n(&v->vm->stop_wanted, __ATOMIC_SEQ_CST) || __atomic_load_n(&v->stop_me, __ATOMIC_SEQ_CST);
}

/* --- one vCPU inside */

static int apply_debug(struct gyve_vcpu *v, bool step, bool over, bool unit)
{
	struct gyve_vm *vm = v->vm;
	uint64_t key = (uint64_t)__atomic_load_n(&vm->book_gen, __ATOMIC_ACQUIRE) << 2 | (step ? 2 : 0) | 1;
	/* x86_64: the instruction before may have loaded its flags (IRET, POPF), and the host's trap flag is gone with the old
	 */
	bool again = step && vm->arch->id == GYVE_X86_64;
	struct gyve_debug d;

	if (!over && !unit && key == v->debug_key)
		return again ? vm->ops->set_debug(v->b, &v->debug) : 0;
	memset(&d, 0, sizeof(d));
	gyve_gva_t pc = over ? vcpu_pc(v) : 0;
	step_debug_regs(v, &d);
	bp_debug_regs(vm, &d, over ? &pc : NULL, over && (v->over_watch || v->skip_watch));
	d.step = d.block_irq = step;
	v->debug_key = over || unit ? 0 : key;
	if (!again && memcmp(&d, &v->debug, sizeof(d)) == 0)
		return 0;
	v->debug = d;
	return vm->ops->set_debug(v->b, &d);
}

/* Out, unless a finished access left an exit behind that has to be seen first. */
static bool leave(struct gyve_vcpu *v)
{
	if (!run_wanted_out(v))
		return false;
	if (!v->dirty)
		v->regs.valid = 0;
	return v->vm->ops->settle(v->b) <= 0;
}

static void stop_at(struct gyve_vcpu *v, struct gyve_stop *stop, enum gyve_stop_kind kind)
{
	stop->kind = kind;
	stop->cpu = v->index;
	stop->pc = vcpu_pc(v);
}

/* One instruction is done: was it the last one asked for? */
static bool step_is_done(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	const struct gyve_resume *a = &v->act;
	gyve_gva_t pc;

	if (a->act == GYVE_ACT_CONT)
		return false;
	if (a->act == GYVE_ACT_RANGE && (pc = vcpu_pc(v)) >= a->start && pc < a->end) /* breakpoints in it stop by themselves */
		return false;
	stop_at(v, stop, GYVE_STOP_STEP);
	return true;
}

static enum exit_result run_once(struct gyve_vcpu *v, bool step, bool over, struct gyve_stop *stop)
{
	struct gyve_exit e;
	v->masked &= step;
	/* x86_64: the host steps from where it is when it is told to, and nowhere else */
	if (step && v->dirty & GYVE_REGS_GPR && v->vm->arch->id == GYVE_X86_64 && vcpu_flush(v) < 0)
		return exit_crash(v, stop, "the host refuses the vCPU's state");
	enum step_way way = step ? step_begin(v) : STEP_HOST;

	if (way == STEP_DONE)
		return EXIT_MOVED;
	int r = apply_debug(v, step && way == STEP_HOST, over, way == STEP_UNIT);
	if (step)
		vcpu_note_entry(v);
	unsigned keep = step ? step_keeps(v) : 0;
	if (r == 0)
		r = vcpu_flush(v);
	v->regs.valid |= keep;
	if (r < 0)
		return exit_crash(v, stop, "the host refuses the vCPU's state: %s", strerror(-r));
	e.kind = GYVE_EXIT_UNKNOWN;
	r = v->vm->ops->run(v->b, &e);
	if (r < 0)
		return exit_crash(v, stop, "the host cannot run the vCPU: %s", strerror(-r));
	__atomic_fetch_add(&v->exits[e.kind], 1, __ATOMIC_RELAXED);
	enum exit_result res = exit_handle(v, &e, step, stop);
	if (step)
		step_end(v);
	return res;
}

static void first_step_done(struct gyve_vcpu *v)
{
	pthread_mutex_lock(&v->vm->lock);
	if (--v->first_steps == 0)
		pthread_cond_broadcast(&v->vm->cond); /* vCPU 0 waits for it */
	pthread_mutex_unlock(&v->vm->lock);
}

/* An access to a protected page, or a step with the pages free, is through: the others may go on. False: there is more to it.
 * True and stop->kind: it was a hit. */
static bool watched_is_done(struct gyve_vcpu *v, enum exit_result res, struct gyve_stop *stop)
{
	if (res == EXIT_AGAIN) {
		if (v->lift)
			return false;
		if (!v->dirty)
			v->regs.valid = 0;
		if (v->vm->ops->settle(v->b) > 0)
			return false;
	}
	page_lower(v);
	if (v->watch.kind != GYVE_STOP_NONE && stop->kind == GYVE_STOP_NONE) {
		*stop = v->watch;
		stop->pc = vcpu_pc(v);
		v->done_watch = true;
	}
	v->watch.kind = GYVE_STOP_NONE;
	if (stop->kind == GYVE_STOP_NONE)
		alone_end(v);
	return true;
}

/* Of a breakpoint, whosever it is: the instruction there is still to come. */
static bool is_break(enum gyve_stop_kind kind)
{
	return kind == GYVE_STOP_SW_BP || kind == GYVE_STOP_HW_BP || kind == GYVE_STOP_CATCH || kind == GYVE_STOP_LIBRARY;
}

/* No point there stops (conditions, commands, tracepoints): the instruction is carried out here, or stepped with the bytes
 * lifted, alone. */
static bool point_lets_pass(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	if (!is_break(stop->kind) || point_stops(v, stop->pc))
		return false;
	stop->kind = GYVE_STOP_NONE;
	if (stop->pc == vcpu_pc(v) && skip_insn(v, stop->pc))
		v->agent_done = false;
	else
		v->skip = v->lift = true;
	return true;
}

/* One entry. True: something to tell, or the step over a breakpoint is done. */
static bool run_on(struct gyve_vcpu *v, bool over, struct gyve_stop *stop)
{
	struct gyve_vm *vm = v->vm;
	bool soft = __atomic_load_n(&vm->nsoft, __ATOMIC_RELAXED) > 0, first = v->first_steps > 0;
	struct watch_touch touch = {0};

	v->device = false;
	if (v->call.waits && call_serve(v, stop) == EXIT_STOP)
		return true;
	if (soft && !over && !v->skip && bp_step_hit(v, stop) && !point_lets_pass(v, stop))
		return true;
	if (v->lift)
		page_lift(v);
	if (v->skip) {
		trace_tidy(vm);
		bp_lift(v, vcpu_pc(v));
	}
	if (soft || v->lift)
		watch_before(v, &touch);
	enum exit_result res = run_once(v, soft || v->lift || over || first || v->trace_steps || v->act.act != GYVE_ACT_CONT,
					over || v->skip, stop);
	if (res == EXIT_MOVED && v->trace_steps)
		trace_stepped(v);
	if (first && res == EXIT_MOVED)
		first_step_done(v);
	if (v->agent_done && (res == EXIT_MOVED || vcpu_pc(v) != v->agent_pc))
		v->agent_done = false;
	if (res == EXIT_STOP && point_lets_pass(v, stop))
		return false;
	/* Also for an instruction that is not through yet: a device may have written. */
	if (res != EXIT_STOP && (soft || v->lift || v->device) && watch_after(v, res == EXIT_MOVED ? &touch : NULL, stop)) {
		v->done_watch = true;
		res = EXIT_STOP;
	}
	if (v->alone && watched_is_done(v, res, stop) && stop->kind != GYVE_STOP_NONE)
		return true;
	return res == EXIT_STOP || (res == EXIT_MOVED && (step_is_done(v, stop) || over));
}

/* Run until there is something to tell (stop->kind), a stop is wanted, or the step over a breakpoint is done. */
static void run_inside(struct gyve_vcpu *v, bool over, struct gyve_stop *stop)
{
	while (!leave(v)) {
		if (alone_pause(v))
			continue;
		if (run_on(v, over, stop))
			break;
	}
	v->cut_short = v->skip;
	page_lower(v); /* a stop came before the step: what it was for comes again */
	v->watch.kind = GYVE_STOP_NONE;
}

/* --- the waiting room; lock held */

void run_kick_all(struct gyve_vm *vm, const struct gyve_vcpu *except)
{
	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		if (!v->inside || v == except)
			continue;
		vm->ops->kick(v->b);
		pthread_kill(v->thread, KICK_SIGNAL);
	}
}

static void finish_stop(struct gyve_vm *vm);

void run_want_stop(struct gyve_vm *vm)
{
	__atomic_store_n(&vm->stop_wanted, true, __ATOMIC_SEQ_CST);
	run_kick_all(vm, NULL);
	pthread_cond_broadcast(&vm->cond);
	if (!vm->ninside)
		finish_stop(vm);
}

static void post_signal(struct gyve_vm *vm)
{
	uint64_t one = 1;

	if (write(vm->event_fd, &one, sizeof(one)) < 0)
		gyve_log(GYVE_LOG_ERROR, GYVE_LOG_RUN, "cannot signal a stop: %s", strerror(errno));
}

void run_signal(struct gyve_vm *vm)
{
	if (vm->signal_later)
		vm->signal_due = true;
	else
		post_signal(vm);
}

static void report(struct gyve_vm *vm, const struct gyve_stop *stop)
{
	vm->report = *stop;
	vm->phase = stop->kind == GYVE_STOP_EXIT ? PHASE_ENDED : PHASE_STOPPED;
	run_signal(vm);
}

/* The earliest hit that still has to be told. A vCPU that was not to run keeps its own until it is: a client that steps one
 * vCPU over a breakpoint expects to hear of that one. */
static struct gyve_vcpu *first_hit(struct gyve_vm *vm)
{
	struct gyve_vcpu *first = NULL;

	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		if (v->hit.kind == GYVE_STOP_EXIT)
			return v;
		if (v->hit.kind != GYVE_STOP_NONE && v->act.act != GYVE_ACT_NONE && (!first || v->hit_seq < first->hit_seq))
			first = v;
	}
	return first;
}

struct gyve_stop run_told(struct gyve_vcpu *v)
{
	struct gyve_vm *vm = v->vm;
	struct gyve_stop stop = v->hit;

	v->hit.kind = GYVE_STOP_NONE;
	if ((stop.kind == GYVE_STOP_PAUSE || stop.kind == GYVE_STOP_INTERRUPT) && v->told && v->told_pc == stop.pc)
		return stop; /* it came before the step: the breakpoint is still told */
	v->told = is_break(stop.kind);
	/* aarch64: the access is still to come */
	v->told_watch =
		vm->arch->id == GYVE_AARCH64 && !v->done_watch && stop.kind >= GYVE_STOP_WATCH && stop.kind <= GYVE_STOP_AWATCH;
	v->told |= v->told_watch;
	v->done_watch = false;
	v->told_pc = stop.pc;
	return stop;
}

static void tell(struct gyve_vm *vm, struct gyve_vcpu *v)
{
	struct gyve_stop stop = run_told(v);

	v->stopped_all = !vm->nonstop;
	if (vm->nonstop)
		v->act.act = GYVE_ACT_NONE;
	report(vm, &stop);
}

/* Everybody is out. */
static void finish_stop(struct gyve_vm *vm)
{
	struct gyve_vcpu *v = first_hit(vm);
	struct gyve_stop stop = {.kind = GYVE_STOP_INTERRUPT};

	vm->over = NULL;
	dev_pause(vm);
	if (vm->ops->clock_hold)
		vm->ops->clock_hold(vm->cpus[0].b, true);
	bp_lower(vm);
	__atomic_store_n(&vm->stop_wanted, false, __ATOMIC_SEQ_CST);
	vm->interrupt_wanted = false;
	if (vm->ending) {
		stop.kind = GYVE_STOP_EXIT;
		stop.code = vm->exit_code;
		report(vm, &stop);
	} else if (v) {
		tell(vm, v);
	} else {
		for (unsigned i = vm->ncpus; i-- > 0;)
			if (vm->cpus[i].act.act != GYVE_ACT_NONE)
				stop.cpu = i;
		stop.pc = vcpu_pc(&vm->cpus[stop.cpu]);
		report(vm, &stop);
	}
}

static void next_over(struct gyve_vm *vm)
{
	vm->over = NULL;
	for (unsigned i = 0; i < vm->ncpus && !vm->over; i++)
		if (vm->cpus[i].over)
			vm->over = &vm->cpus[i];
}

static void came_out(struct gyve_vcpu *v, const struct gyve_stop *stop)
{
	struct gyve_vm *vm = v->vm;

	v->inside = false;
	vm->ninside--;
	if (vm->alone)
		pthread_cond_broadcast(&vm->cond); /* it waits for us */
	bool ahead = v->over && (vm->over == v || v->cut_short);
	if (!ahead || vcpu_pc(v) != v->told_pc) /* else a stop came before the step: it is still told */
		v->told = false;
	v->over = false;
	if (vm->over == v) {
		bp_lower(vm);
		next_over(vm);
		pthread_cond_broadcast(&vm->cond);
	}
	if (stop->kind != GYVE_STOP_NONE) {
		v->hit = *stop;
		v->hit_seq = vm->next_seq++;
	}
	if (vm->nonstop && !vm->stop_wanted && stop->kind != GYVE_STOP_EXIT) {
		nonstop_came_out(v);
	} else if (stop->kind != GYVE_STOP_NONE) {
		run_want_stop(vm);
	} else if (vm->stop_wanted && !vm->ninside) {
		finish_stop(vm);
	}
	alone_end_locked(v); /* not before the others know of the stop: they would change what was found */
}

/* Kernels for one processor expect the others to be gone to sleep, on the boot stack, before they themselves get far: so vCPU 0
 * is the last to start. How far the others are then is not left to chance: they are stepped. */
static bool waits_for_others(const struct gyve_vcpu *v)
{
	const struct gyve_vm *vm = v->vm;

	if (v->index || v->started || vm->over)
		return false;
	for (unsigned i = 1; i < vm->ncpus; i++) {
		const struct gyve_vcpu *w = &vm->cpus[i];
		if ((!w->started || w->first_steps) && w->act.act != GYVE_ACT_NONE && w->hit.kind == GYVE_STOP_NONE)
			return true;
	}
	return false;
}

static bool may_enter(const struct gyve_vcpu *v)
{
	const struct gyve_vm *vm = v->vm;

	return vm->phase == PHASE_RUNNING && !vm->stop_wanted && v->act.act != GYVE_ACT_NONE && v->hit.kind == GYVE_STOP_NONE &&
	       (!vm->over || (vm->over == v && !vm->ninside)) && !waits_for_others(v) && !run_is_held(vm);
}

/* First thing inside after a stop. Not earlier: a vCPU's own thread pays least for its ioctls. */
static void after_stop(struct gyve_vcpu *v)
{
	const struct gyve_backend_ops *ops = v->vm->ops;

	v->was_stopped = false;
	catch_tick(v);
	if (v->act.act != GYVE_ACT_CONT) {
		if (ops->unhalt)
			ops->unhalt(v->b);
	} else if (ops->clock_stopped) {
		ops->clock_stopped(v->b);
	}
}

/* The one that stopped the others was the first to wait and is the first to wake. With fewer processors than vCPUs it would
 * stop them again and again before they get anywhere. */
static bool gives_way(struct gyve_vcpu *v)
{
	const struct gyve_vm *vm = v->vm;
	bool others = false;

	for (unsigned i = 0; v->stopped_all && i < vm->ncpus; i++)
		others |= &vm->cpus[i] != v && vm->cpus[i].act.act == GYVE_ACT_CONT;
	v->stopped_all = false;
	return others;
}

/* What came_out() had to signal. Not under the lock: the session thread wakes to take it. Lock held at entry and exit. */
static void signal_now(struct gyve_vm *vm)
{
	vm->signal_later = false;
	if (!vm->signal_due)
		return;
	vm->signal_due = false;
	pthread_mutex_unlock(&vm->lock);
	post_signal(vm);
	pthread_mutex_lock(&vm->lock);
}

void *run_vcpu(void *arg)
{
	struct gyve_vcpu *v = arg;
	struct gyve_vm *vm = v->vm;

	if (!run_thread_begins(v))
		return NULL;
	watchdog_start(v);
	pthread_mutex_lock(&vm->lock);
	while (!vm->dying) {
		if (!may_enter(v)) {
			pthread_cond_wait(&vm->cond, &vm->lock);
			continue;
		}
		struct gyve_stop stop = {.kind = GYVE_STOP_NONE};
		bool over = v->over && vm->over == v;
		if (v->over && !over) /* others are inside: as for a condition that is false */
			v->skip = v->lift = true;
		v->inside = true;
		vm->ninside++;
		if (!v->started && v->index)
			pthread_cond_broadcast(&vm->cond); /* vCPU 0 waits for it */
		v->started = true;
		bool way = !over && gives_way(v);
		pthread_mutex_unlock(&vm->lock);
		if (way)
			sched_yield();
		if (v->was_stopped)
			after_stop(v);
		if (over) {
			point_passed(v, vcpu_pc(v));
			bp_lift(v, vcpu_pc(v));
		}
		run_inside(v, over, &stop);
		pthread_mutex_lock(&vm->lock);
		vm->signal_later = true;
		came_out(v, &stop);
		signal_now(vm);
	}
	pthread_mutex_unlock(&vm->lock);
	watchdog_stop(v);
	catch_tick_stop(v);
	return NULL;
}

/* --- the session thread's side */

int gyve_run_eventfd(struct gyve_vm *vm)
{
	return vm->event_fd;
}

bool gyve_run_take_stop(struct gyve_vm *vm, struct gyve_stop *ret)
{
	uint64_t n;

	pthread_mutex_lock(&vm->lock);
	bool any = vm->report.kind != GYVE_STOP_NONE;
	if (any)
		*ret = vm->report;
	else if (vm->nonstop && (any = nonstop_take(vm, ret)))
		goto out; /* there may be more */
	vm->report.kind = GYVE_STOP_NONE;
	if (read(vm->event_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		gyve_log(GYVE_LOG_ERROR, GYVE_LOG_RUN, "cannot take a stop: %s", strerror(errno));
	if (any && vm->nonstop)
		run_signal(vm); /* there may be some of single vCPUs */
out:
	pthread_mutex_unlock(&vm->lock);
	return any;
}

bool gyve_run_stopped(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	bool stopped = vm->phase != PHASE_RUNNING;
	pthread_mutex_unlock(&vm->lock);
	return stopped;
}

void gyve_run_interrupt(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->phase == PHASE_RUNNING && !vm->stop_wanted)
		run_want_stop(vm);
	pthread_mutex_unlock(&vm->lock);
}

void gyve_run_kill(struct gyve_vm *vm, int code)
{
	pthread_mutex_lock(&vm->lock);
	if (vm->phase != PHASE_ENDED && !vm->ending) {
		vm->ending = true;
		vm->exit_code = code;
		run_want_stop(vm);
	}
	pthread_mutex_unlock(&vm->lock);
}

/* Points may have been removed, or be another's by now, and registers changed since. */
bool run_still_true(struct gyve_vcpu *v)
{
	switch (v->hit.kind) {
	case GYVE_STOP_SW_BP:
	case GYVE_STOP_HW_BP:
	case GYVE_STOP_CATCH:
	case GYVE_STOP_LIBRARY:
		return vcpu_pc(v) == v->hit.pc && bp_still_hit(v, &v->hit);
	case GYVE_STOP_WATCH:
	case GYVE_STOP_RWATCH:
	case GYVE_STOP_AWATCH:
		return bp_watches(v->vm, v->hit.kind, v->hit.addr);
	case GYVE_STOP_CALL:
	case GYVE_STOP_CALL_RETURN:
		return call_still_wanted(v, &v->hit);
	case GYVE_STOP_CRASH:
	case GYVE_STOP_EXIT:
		return true;
	default:
		return false;
	}
}

/* Tell a hit that waited, of a vCPU that is to go on. */
static bool tell_waiting(struct gyve_vm *vm)
{
	struct gyve_vcpu *first = NULL;

	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		if (v->hit.kind == GYVE_STOP_NONE || v->act.act == GYVE_ACT_NONE)
			continue;
		if (!run_still_true(v))
			v->hit.kind = GYVE_STOP_NONE;
		else if (!first || v->hit_seq < first->hit_seq)
			first = v;
	}
	if (first)
		tell(vm, first);
	return first;
}

void run_prepare(struct gyve_vcpu *v, const struct gyve_resume *act)
{
	v->act = *act;
	v->over = false;
	if (act->act == GYVE_ACT_NONE)
		return;
	gyve_gva_t pc = vcpu_pc(v);
	v->over_watch = v->told && v->told_watch && v->told_pc == pc;
	v->over = v->over_watch || ((act->act != GYVE_ACT_CONT || (v->told && v->told_pc == pc)) && bp_at(v, pc));
	v->was_stopped = true;
}

void run_open(struct gyve_vm *vm)
{
	catch_sync_all(vm);
	bp_sync(vm, NULL);
	for (unsigned i = 0; i < vm->ncpus; i++)
		run_prepare(&vm->cpus[i], &vm->cpus[i].act);
	page_arm(vm);
	watch_arm(vm);
	vm->report.kind = GYVE_STOP_NONE;
	if (vm->ops->clock_hold)
		vm->ops->clock_hold(vm->cpus[0].b, false);
	dev_resume(vm);
	vm->phase = PHASE_RUNNING;
	next_over(vm);
}

static int resume(struct gyve_vm *vm, const struct gyve_resume *actions)
{
	if (vm->phase != PHASE_STOPPED)
		return vm->phase == PHASE_ENDED ? -ESRCH : -EBUSY;
	for (unsigned i = 0; actions && i < vm->ncpus; i++)
		vm->cpus[i].act = actions[i];
	if (!tell_waiting(vm))
		run_open(vm);
	return 0;
}

int gyve_run_resume(struct gyve_vm *vm, const struct gyve_resume *actions)
{
	pthread_mutex_lock(&vm->lock);
	int r = vm->nonstop ? nonstop_resume(vm, actions) : resume(vm, actions);
	pthread_mutex_unlock(&vm->lock);
	pthread_cond_broadcast(&vm->cond); /* not while they would only meet a locked door */
	return r;
}
