/* How points are done on this host: the first that works here, or what was asked for. Only what the host was seen to do
 * (gyve_host_caps) is asked, never what it is called. */
#include "vmm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct gyve_host_caps *probed(struct gyve_vm *vm)
{
	if (vm->ops->probe)
		vm->ops->probe(vm->b);
	return vm->ops->caps(vm->b);
}

/* Why the host cannot, or NULL. */
static const char *cannot_break(const struct gyve_host_caps *c, enum gyve_break_strategy how)
{
	switch (how) {
	case GYVE_BREAK_NATIVE:
		return c->sw_bp_is_internal_error ? "a breakpoint instruction leaves the guest as a failed emulation here"
		       : c->no_sw_bp              ? "a breakpoint instruction does not leave the guest here"
						  : NULL;
	case GYVE_BREAK_INTERNAL_ERROR:
		return c->sw_bp_is_internal_error ? NULL : "a breakpoint instruction is no failed emulation here";
	case GYVE_BREAK_DEBUG_REGISTER:
	case GYVE_BREAK_UNSEEN:
		return c->hw_bps && !c->no_hw_bp ? NULL : "execute breakpoints in debug registers do not fire here";
	default:
		return NULL;
	}
}

static const char *cannot_watch(const struct gyve_host_caps *c, enum gyve_watch_strategy how)
{
	switch (how) {
	case GYVE_WATCH_DEBUG_REGISTER:
		return c->hw_watch_works ? NULL : "data watchpoints in debug registers do not fire here";
	case GYVE_WATCH_PAGE:
		return c->absent_exits || c->readonly_exits ? NULL : "accesses to protected pages do not leave the guest here";
	default:
		return NULL;
	}
}

static const char *const break_names[] = {[GYVE_BREAK_AUTO] = "auto",
					  [GYVE_BREAK_NATIVE] = "native",
					  [GYVE_BREAK_INTERNAL_ERROR] = "internal-error",
					  [GYVE_BREAK_DEBUG_REGISTER] = "debug-register",
					  [GYVE_BREAK_STEP] = "step",
					  [GYVE_BREAK_UNSEEN] = "unseen"};
static const char *const watch_names[] = {[GYVE_WATCH_AUTO] = "auto",
					  [GYVE_WATCH_DEBUG_REGISTER] = "debug-register",
					  [GYVE_WATCH_PAGE] = "page",
					  [GYVE_WATCH_STEP] = "step"};

int strategy_check(struct gyve_vm *vm, struct gyve_err *err)
{
	const struct gyve_vm_options *o = &vm->opt;
	const char *why = NULL;

	if (o->break_strategy != GYVE_BREAK_AUTO && (why = cannot_break(probed(vm), o->break_strategy)))
		return gyve_err_set(err, -ENOTSUP, "no breakpoints by %s: %s", break_names[o->break_strategy], why);
	if (o->watch_strategy != GYVE_WATCH_AUTO && (why = cannot_watch(probed(vm), o->watch_strategy)))
		return gyve_err_set(err, -ENOTSUP, "no watchpoints by %s: %s", watch_names[o->watch_strategy], why);
	return 0;
}

enum gyve_break_strategy strategy_break(struct gyve_vm *vm)
{
	enum gyve_break_strategy asked = vm->opt.break_strategy;
	const struct gyve_host_caps *c = probed(vm);

	for (enum gyve_break_strategy how = GYVE_BREAK_NATIVE; asked == GYVE_BREAK_AUTO || asked == GYVE_BREAK_UNSEEN; how++)
		if (!cannot_break(c, how))
			return how;
	return asked;
}

bool strategy_unseen(struct gyve_vm *vm)
{
	enum gyve_break_strategy asked = vm->opt.break_strategy;
	bool patches_itself = strcmp(vm->platform->name, "linux") == 0;

	return (asked == GYVE_BREAK_UNSEEN || (asked == GYVE_BREAK_AUTO && patches_itself)) &&
	       strategy_break(vm) <= GYVE_BREAK_INTERNAL_ERROR && !cannot_break(probed(vm), GYVE_BREAK_DEBUG_REGISTER);
}

bool strategy_registers(struct gyve_vm *vm)
{
	return !probed(vm)->no_hw_bp;
}

bool strategy_watch(struct gyve_vm *vm, enum gyve_watch_strategy how)
{
	enum gyve_watch_strategy asked = vm->opt.watch_strategy;

	return (asked == GYVE_WATCH_AUTO || asked == how) && !cannot_watch(probed(vm), how);
}

void strategy_list(struct gyve_vm *vm, void (*cb)(void *ctx, const char *line), void *ctx)
{
	const struct gyve_host_caps *c = probed(vm);
	enum gyve_break_strategy b = strategy_break(vm);
	enum gyve_watch_strategy w = GYVE_WATCH_DEBUG_REGISTER;
	const char *why = NULL;
	char line[256];

	if (strategy_unseen(vm))
		cb(ctx, "software breakpoints in debug registers while one is left: the guest's code stays as it is");
	if (vm->opt.break_strategy != GYVE_BREAK_AUTO && vm->opt.break_strategy != GYVE_BREAK_UNSEEN)
		why = "chosen by --break-strategy";
	else if (b > GYVE_BREAK_INTERNAL_ERROR)
		why = cannot_break(c, b - 1 == GYVE_BREAK_INTERNAL_ERROR ? GYVE_BREAK_NATIVE : b - 1);
	else
		why = b == GYVE_BREAK_NATIVE ? "a breakpoint instruction leaves the guest as a debug exit here"
					     : cannot_break(c, GYVE_BREAK_NATIVE);
	snprintf(line, sizeof(line), "%s by %s: %s", strategy_unseen(vm) ? "others" : "software breakpoints", break_names[b],
		 why);
	cb(ctx, line);
	while (w < GYVE_WATCH_STEP && !strategy_watch(vm, w))
		w++;
	if (vm->opt.watch_strategy != GYVE_WATCH_AUTO)
		why = "chosen by --watch-strategy";
	else
		why = w == GYVE_WATCH_DEBUG_REGISTER ? "they fire here; when none is left by page, then by step"
						     : cannot_watch(c, w - 1);
	snprintf(line, sizeof(line), "watchpoints by %s: %s", watch_names[w], why);
	cb(ctx, line);
}
