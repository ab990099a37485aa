/* A running VM as a target: nothing but forwarding. */
#include "gyve/target.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool live_stopped(void *ctx)
{
	return gyve_run_stopped(ctx);
}

static bool live_cpu_stopped(void *ctx, unsigned cpu)
{
	return gyve_vcpu_stopped(ctx, cpu);
}

static int live_peek(void *ctx, unsigned cpu, unsigned groups, struct gyve_regs *ret)
{
	return gyve_vcpu_peek(ctx, cpu, groups, ret);
}

static void live_nonstop(void *ctx, bool on)
{
	gyve_run_nonstop(ctx, on);
}

static void live_interrupt_one(void *ctx)
{
	gyve_run_interrupt_one(ctx);
}

static struct gyve_regs *live_regs(void *ctx, unsigned cpu, unsigned groups)
{
	return gyve_vcpu_regs(ctx, cpu, groups);
}

static void live_regs_dirty(void *ctx, unsigned cpu, unsigned groups)
{
	gyve_vcpu_regs_dirty(ctx, cpu, groups);
}

static int live_describe(void *ctx, unsigned cpu, char *buf, size_t size)
{
	return gyve_vcpu_describe(ctx, cpu, buf, size);
}

static int live_resume(void *ctx, const struct gyve_resume *actions)
{
	return gyve_run_resume(ctx, actions);
}

static void live_interrupt(void *ctx)
{
	gyve_run_interrupt(ctx);
}

static void live_kill(void *ctx, int code)
{
	gyve_run_kill(ctx, code);
}

static int live_reset(void *ctx, struct gyve_err *err)
{
	return gyve_vm_reset(ctx, err);
}

static int live_arguments(void *ctx, const char *const *args)
{
	return gyve_vm_arguments(ctx, args);
}

static int live_environment(void *ctx, const char *text)
{
	return gyve_vm_environment(ctx, text);
}

static int live_event_fd(void *ctx)
{
	return gyve_run_eventfd(ctx);
}

static bool live_take_stop(void *ctx, struct gyve_stop *ret)
{
	return gyve_run_take_stop(ctx, ret);
}

static int live_point_insert(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len, struct gyve_err *err)
{
	return gyve_bp_insert(ctx, kind, gva, len, err);
}

static int live_point_conditions(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e,
				 size_t n, struct gyve_err *err)
{
	return gyve_bp_conditions(ctx, kind, gva, e, n, err);
}

static int live_point_commands(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
			       bool persist, struct gyve_err *err)
{
	return gyve_bp_commands(ctx, kind, gva, e, n, persist, err);
}

static int live_text_fd(void *ctx)
{
	return gyve_vm_text_fd(ctx);
}

static size_t live_take_text(void *ctx, char *buf, size_t size)
{
	return gyve_vm_take_text(ctx, buf, size);
}

static int live_point_remove(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len)
{
	return gyve_bp_remove(ctx, kind, gva, len);
}

static void live_point_space(void *ctx, const struct gyve_space *s)
{
	gyve_bp_space(ctx, s);
}

static int live_library_at(void *ctx, const gyve_gva_t *at, size_t n, struct gyve_err *err)
{
	return gyve_vm_library_at(ctx, at, n, err);
}

static struct gyve_trace *live_trace(void *ctx)
{
	return gyve_vm_trace(ctx);
}

static void live_points_clear(void *ctx)
{
	gyve_bp_clear(ctx);
}

static void live_points_list(void *ctx, void (*cb)(void *ctx, const char *line), void *cb_ctx)
{
	gyve_bp_list(ctx, cb, cb_ctx);
}

static ssize_t live_stats(void *ctx, struct gyve_stat **ret)
{
	return gyve_vm_stats(ctx, ret);
}

static int live_msr(void *ctx, unsigned cpu, bool write, uint32_t index, uint64_t *val)
{
	return gyve_vcpu_msr(ctx, cpu, write, index, val);
}

static size_t live_msr_list(void *ctx, unsigned cpu, uint32_t *ret, size_t max)
{
	return gyve_vcpu_msr_list(ctx, cpu, ret, max);
}

static int live_irq_reg(void *ctx, unsigned cpu, enum gyve_irq_part part, uint32_t reg, uint64_t *ret)
{
	return gyve_vcpu_irq_reg(ctx, cpu, part, reg, ret);
}

static int live_device(void *ctx, unsigned cpu, bool pio, bool write, uint64_t addr, void *buf, unsigned len,
		       struct gyve_err *err)
{
	return gyve_vm_device(ctx, cpu, pio, write, addr, buf, len, err);
}

static int live_catch(void *ctx, enum gyve_catch what, bool on, struct gyve_err *err)
{
	return gyve_vm_catch(ctx, what, on, err);
}

static void live_panic_at(void *ctx, gyve_gva_t gva)
{
	gyve_vm_panic_at(ctx, gva);
}

static unsigned live_catches(void *ctx)
{
	return gyve_vm_catches(ctx);
}

static int live_catch_calls(void *ctx, enum gyve_call_owner owner, bool all, const uint32_t *numbers, size_t n,
			    struct gyve_err *err)
{
	return gyve_vm_catch_calls(ctx, owner, all, numbers, n, err);
}

static bool live_call_caught(void *ctx, enum gyve_call_owner owner, uint32_t number)
{
	return gyve_vm_call_caught(ctx, owner, number);
}

static const char *live_call_row(void *ctx, size_t i, uint32_t *number)
{
	return gyve_vm_call(ctx, i, number);
}

static const struct gyve_target_ops live_ops = {
	.name = "live",
	.stopped = live_stopped,
	.cpu_stopped = live_cpu_stopped,
	.peek = live_peek,
	.nonstop = live_nonstop,
	.interrupt_one = live_interrupt_one,
	.regs = live_regs,
	.regs_dirty = live_regs_dirty,
	.describe = live_describe,
	.resume = live_resume,
	.interrupt = live_interrupt,
	.kill = live_kill,
	.reset = live_reset,
	.arguments = live_arguments,
	.environment = live_environment,
	.event_fd = live_event_fd,
	.take_stop = live_take_stop,
	.point_insert = live_point_insert,
	.point_conditions = live_point_conditions,
	.point_commands = live_point_commands,
	.text_fd = live_text_fd,
	.take_text = live_take_text,
	.point_remove = live_point_remove,
	.library_at = live_library_at,
	.point_space = live_point_space,
	.trace = live_trace,
	.points_clear = live_points_clear,
	.points_list = live_points_list,
	.stats = live_stats,
	.msr = live_msr,
	.msr_list = live_msr_list,
	.irq_reg = live_irq_reg,
	.device = live_device,
	.catch_set = live_catch,
	.catches = live_catches,
	.panic_at = live_panic_at,
	.catch_calls = live_catch_calls,
	.call_caught = live_call_caught,
	.call_row = live_call_row,
};

int gyve_target_live(struct gyve_target *ret, struct gyve_vm *vm, const struct gyve_symtab *syms, const char *image)
{
	memset(ret, 0, sizeof(*ret));
	ret->ops = &live_ops;
	ret->ctx = vm;
	ret->arch = gyve_vm_arch(vm);
	ret->ncpus = gyve_vm_ncpus(vm);
	ret->phys = gyve_vm_phys(vm);
	ret->map = gyve_vm_memmap(vm);
	ret->layout = gyve_vm_layout(vm);
	ret->caps = gyve_vm_caps(vm);
	ret->syms = syms;
	ret->image = image ? realpath(image, NULL) : NULL;
	if (image && !ret->image && errno == ENOMEM)
		return -ENOMEM;
	gyve_target_note_boot(ret);
	return 0;
}
