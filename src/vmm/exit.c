/* What an exit means: devices, breakpoints, deaths. */
#include "catch.h"

#include "../base/bytes.h"
#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Enough to map the page tables' pages, the code's and those of two operands one by one. */
#define UNMOVED_MAX 16

enum exit_result exit_crash(struct gyve_vcpu *v, struct gyve_stop *stop, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(stop->text, sizeof(stop->text), fmt, ap);
	va_end(ap);
	stop->kind = GYVE_STOP_CRASH;
	stop->cpu = v->index;
	stop->pc = vcpu_pc(v);
	return EXIT_STOP;
}

static const struct gyve_regs *access_regs(void *ctx, unsigned groups)
{
	return vcpu_regs(ctx, groups);
}

static bool access_interrupted(void *ctx)
{
	const struct gyve_vcpu *v = ctx;
	return run_wanted_out(v) || alone_wanted(v);
}

/* Nobody is there: reads give all ones as on a real bus. */
static enum exit_result unknown_access(struct gyve_vcpu *v, struct gyve_access *a, struct gyve_stop *stop)
{
	const char *where = a->pio ? "port" : "address";

	if (v->vm->opt.boot.strict)
		return exit_crash(v, stop, "a %u byte %s at %s 0x%" PRIx64 ", where there is no device", a->len,
				  a->write ? "write" : "read", where, a->addr);
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_RUN, "vCPU %u: %s of unknown %s 0x%" PRIx64, v->index, a->write ? "write" : "read",
		 where, a->addr);
	if (!a->write)
		memset(a->data, 0xff, a->len);
	return EXIT_AGAIN;
}

enum exit_result exit_device(struct gyve_vcpu *v, struct gyve_access *a, struct gyve_stop *stop)
{
	struct gyve_err err = {0};
	int code = 0;

	a->cpu = v->index;
	a->regs = access_regs;
	a->interrupted = access_interrupted;
	a->ctx = v;

	switch (v->vm->platform->access(v->vm->platform_state, a, &code, &err)) {
	case GYVE_ACCESS_DONE:
		return EXIT_AGAIN;
	case GYVE_ACCESS_UNKNOWN:
		return unknown_access(v, a, stop);
	case GYVE_ACCESS_EXIT:
		stop->kind = GYVE_STOP_EXIT;
		stop->cpu = v->index;
		stop->code = code;
		return EXIT_STOP;
	case GYVE_ACCESS_CRASH:
		break;
	}
	return exit_crash(v, stop, "%s", err.text);
}

static enum exit_result access_once(struct gyve_vcpu *v, struct gyve_access *a, struct gyve_stop *stop)
{
	return call_caught(v, a, stop) ? EXIT_STOP : exit_device(v, a, stop);
}

static enum exit_result handle_io(struct gyve_vcpu *v, struct gyve_exit *e, struct gyve_stop *stop)
{
	enum exit_result res = EXIT_AGAIN;

	for (uint32_t i = 0; i < e->io.count && res == EXIT_AGAIN; i++) {
		struct gyve_access a = {.write = e->io.out,
					.pio = true,
					.addr = e->io.port,
					.len = e->io.size,
					.data = e->io.data + (size_t)i * e->io.size};
		/* the rest of a string output could not be carried out any more */
		res = e->io.count == 1 ? access_once(v, &a, stop) : exit_device(v, &a, stop);
	}
	return res;
}

static enum exit_result handle_mmio(struct gyve_vcpu *v, struct gyve_exit *e, struct gyve_stop *stop)
{
	struct gyve_access a = {.write = e->mmio.write, .addr = e->mmio.gpa, .len = e->mmio.len, .data = e->mmio.data};

	return access_once(v, &a, stop);
}

/* KVM finishes an access at the next entry, and does not always count that as the step it is. */
static enum exit_result finish_step(struct gyve_vcpu *v, gyve_gva_t pc)
{
	v->regs.valid = 0;
	int r = v->vm->ops->settle(v->b);
	if (r > 0)
		return EXIT_AGAIN; /* the step's own exit waits */
	return r == 0 && vcpu_pc(v) != pc ? EXIT_MOVED : EXIT_AGAIN;
}

static enum exit_result handle_access(struct gyve_vcpu *v, struct gyve_exit *e, bool stepping, struct gyve_stop *stop)
{
	gyve_gva_t pc = v->entry_pc;
	enum exit_result res = EXIT_AGAIN;

	v->device = !page_access(v, e);
	if (v->device)
		res = e->kind == GYVE_EXIT_IO ? handle_io(v, e, stop) : handle_mmio(v, e, stop);
	return res == EXIT_AGAIN && stepping ? finish_step(v, pc) : res;
}

/* A breakpoint instruction of any form. What cannot be read counts as one. */
static bool is_break(struct gyve_vcpu *v)
{
	uint8_t insn[4];
	ssize_t n = vcpu_read(v, vcpu_pc(v), insn, v->vm->arch->id == GYVE_AARCH64 ? 4 : 2);

	if (n <= 0)
		return true;
	if (v->vm->arch->id == GYVE_AARCH64)
		return n < 4 || (get_le32(insn) & 0xffe0001f) == 0xd4200000;
	return insn[0] == 0xcc || (insn[0] == 0xcd && (n < 2 || insn[1] == 3));
}

static enum exit_result foreign_bp(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	if (!is_break(v)) /* it was ours, and has been taken out since */
		return EXIT_AGAIN;
	int r = v->vm->ops->reinject_bp(v->b);

	v->regs.valid = 0;
	if (r < 0)
		return exit_crash(v, stop, "the guest's own breakpoint instruction cannot be given back to it: %s",
				  strerror(-r));
	return EXIT_AGAIN;
}

/* A step can end before its instruction has begun: an emulated VMX does so for the first steps of a vCPU, probably when KVM has
 * to map a page for the instruction. To try again does no harm: an instruction that is done and has changed nothing, a jump to
 * itself, does it once more. */
static enum exit_result step_ended(struct gyve_vcpu *v)
{
	if (v->unmoved < UNMOVED_MAX && vcpu_unchanged(v)) {
		v->unmoved++;
		return EXIT_AGAIN;
	}
	v->unmoved = 0;
	return EXIT_MOVED;
}

static enum exit_result handle_debug(struct gyve_vcpu *v, struct gyve_exit *e, struct gyve_stop *stop)
{
	unsigned kinds = e->debug.kinds;

	if (kinds & 1u << GYVE_DBG_SW_BP)
		return bp_hit(v, e->debug.pc, stop) ? EXIT_STOP : foreign_bp(v, stop);
	if (kinds & (1u << GYVE_DBG_HW_BP | 1u << GYVE_DBG_WATCH) && bp_hw_hit(v, e, stop))
		return EXIT_STOP;
	if (kinds & 1u << GYVE_DBG_HW_BP && step_unit_ended(v, e->debug.pc))
		return EXIT_MOVED;
	return kinds & 1u << GYVE_DBG_STEP ? step_ended(v) : EXIT_AGAIN;
}

static enum exit_result handle_emulation(struct gyve_vcpu *v, struct gyve_exit *e, struct gyve_stop *stop)
{
	const struct gyve_arch *arch = v->vm->arch;

	if (bp_hit(v, vcpu_pc(v), stop))
		return EXIT_STOP;
	if (page_blames(v, e))
		return EXIT_AGAIN;
	if (!e->emul.ninsn) {
		ssize_t n = vcpu_read(v, vcpu_pc(v), e->emul.insn, 15);
		e->emul.ninsn = n > 0 ? (unsigned)n : 0;
	}
	if (e->emul.ninsn >= arch->bp_len && memcmp(e->emul.insn, arch->bp_insn, arch->bp_len) == 0)
		return foreign_bp(v, stop);
	return exit_assist(v, e, stop);
}

/* Without an in-kernel interrupt controller nothing but a debugger wakes it. */
static enum exit_result handle_halt(struct gyve_vcpu *v)
{
	struct gyve_vm *vm = v->vm;

	pthread_mutex_lock(&vm->lock);
	vm->npaused++;
	pthread_cond_broadcast(&vm->cond); /* somebody may want to be alone */
	while ((!run_wanted_out(v) && !vm->dying) || (vm->alone && vm->alone != v))
		pthread_cond_wait(&vm->cond, &vm->lock);
	vm->npaused--;
	pthread_mutex_unlock(&vm->lock);
	return EXIT_AGAIN;
}

static enum exit_result handle_internal(struct gyve_vcpu *v, const struct gyve_exit *e, struct gyve_stop *stop)
{
	static const char *const names[] = {
		[1] = "emulation", [2] = "simultaneous exceptions", [3] = "event delivery", [4] = "unexpected exit reason"};
	uint32_t sub = e->internal.suberror;
	const char *name = sub < GYVE_ARRAY_SIZE(names) && names[sub] ? names[sub] : "unknown";

	return exit_crash(v, stop, "KVM internal error %u (%s), data 0x%" PRIx64, sub, name,
			  e->internal.ndata ? e->internal.data[0] : 0);
}

static enum exit_result handle_system(struct gyve_vcpu *v, const struct gyve_exit *e, struct gyve_stop *stop)
{
	enum { SHUTDOWN = 1, RESET = 2 }; /* KVM_SYSTEM_EVENT_* */

	if (e->system.type != SHUTDOWN && e->system.type != RESET)
		return exit_crash(v, stop, "the guest reports a crash (system event %u)", e->system.type);
	stop->kind = GYVE_STOP_EXIT;
	stop->cpu = v->index;
	stop->code = 0;
	return EXIT_STOP;
}

static enum exit_result handle_interrupted(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	const char *why = access_interrupted(v) ? NULL : watchdog_bites(v);

	if (why)
		return exit_crash(v, stop, "%s", why);
	return EXIT_AGAIN;
}

static void sync_points(struct gyve_vcpu *v)
{
	bool alone = v->alone;

	bp_sync(v->vm, v);
	if (!v->wants_alone)
		return;
	v->wants_alone = false;
	alone_begin(v);
	bp_sync(v->vm, v);
	if (!alone)
		alone_end(v);
}

enum exit_result exit_handle(struct gyve_vcpu *v, struct gyve_exit *e, bool stepping, struct gyve_stop *stop)
{
	if (v->vm->catch_mask)
		catch_sync(v);
	if (__atomic_load_n(&v->vm->nplants, __ATOMIC_RELAXED) || __atomic_load_n(&v->vm->npending, __ATOMIC_RELAXED))
		sync_points(v);
	switch (e->kind) {
	case GYVE_EXIT_INTR:
		return handle_interrupted(v, stop);
	case GYVE_EXIT_IO:
	case GYVE_EXIT_MMIO:
		return handle_access(v, e, stepping, stop);
	case GYVE_EXIT_HLT:
		return handle_halt(v);
	case GYVE_EXIT_DEBUG:
		return handle_debug(v, e, stop);
	case GYVE_EXIT_EMULATION:
		return handle_emulation(v, e, stop);
	case GYVE_EXIT_SHUTDOWN:
		return exit_crash(v, stop, "triple fault: an exception, and no handler that can run");
	case GYVE_EXIT_SYSTEM:
		return handle_system(v, e, stop);
	case GYVE_EXIT_INTERNAL:
		return handle_internal(v, e, stop);
	case GYVE_EXIT_FAIL_ENTRY:
		return exit_crash(v, stop, "the processor refuses the vCPU's state (hardware reason 0x%" PRIx64 ")",
				  e->fail_entry.reason);
	case GYVE_EXIT_UNKNOWN:
		break;
	}
	return exit_crash(v, stop, "an exit of KVM that gyve does not know (reason %u)", e->unknown.reason);
}
