/* gyve target <-> libgdbstub. Which threads there are: glue_tasks.c. */
#include "slide.h"
#include "stub_glue.h"

#include "gyve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOUCH_MAX = 4096 }; /* bytes of a read that may go to devices */

int gyve_glue_err(struct gdbstub_err *out, const struct gyve_err *err, int code)
{
	if (code < 0) {
		out->code = -code;
		snprintf(out->text, sizeof(out->text), "%.*s", (int)sizeof(out->text) - 1, err->text);
	}
	return code;
}

/* " in function+0x12", if it is stopped and the address has a name. */
static void describe_place(struct gyve_glue *g, unsigned cpu, char *buf, size_t size)
{
	char where[256];
	struct gyve_regs *r;

	if (!gyve_target_stopped(g->target) || gyve_target_regs(g->target, cpu, GYVE_REGS_PC_ONLY, &r, NULL) < 0)
		return;
	gyve_symtab_format(g->target->syms, g->target->arch->pc(r), where, sizeof(where));
	where[strcspn(where, " ")] = '\0'; /* the line is for those who look closer */
	if (strncmp(where, "0x", 2) != 0)
		snprintf(buf, size, " in %.*s", (int)size - 5, where);
}

int gyve_glue_thread_info(void *ctx, int tid, char *buf, size_t size)
{
	struct gyve_glue *g = ctx;
	char state[80] = "", place[160] = "", vcpu[280] = "";
	int cpu = gyve_glue_cpu(g, tid);

	if (cpu >= 0) {
		if (g->target->ops->describe)
			g->target->ops->describe(g->target->ctx, (unsigned)cpu, state, sizeof(state));
		describe_place(g, (unsigned)cpu, place, sizeof(place));
		snprintf(vcpu, sizeof(vcpu), "vCPU %d%s%s%s%s", cpu, state[0] ? " (" : "", state, place, state[0] ? ")" : "");
	}
	return gyve_glue_task_text(g, tid, vcpu, buf, size);
}

static int glue_read_reg(void *ctx, int tid, unsigned reg, void *buf, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	const struct gyve_task *asleep = gyve_glue_select(g, tid);
	struct gyve_err err = {0};

	if (reg >= g->arch.nregs)
		return -EINVAL;
	if (g->traceframe >= 0)
		return gyve_glue_trace_reg(g, reg, buf);
	if (reg >= g->desc->nregs) { /* orig_rax: no system call is under way */
		memset(buf, 0xff, g->arch.regs[reg].bits / 8);
		return 0;
	}
	if (asleep)
		return gyve_glue_saved_reg(g, asleep, &g->desc->regs[reg], buf);
	return gyve_glue_err(out, &err, gyve_target_reg_get(g->target, g->cpu, &g->desc->regs[reg], buf, &err));
}

static int glue_write_reg(void *ctx, int tid, unsigned reg, const void *buf, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	const struct gyve_task *asleep = gyve_glue_select(g, tid);
	struct gyve_err err = {0};

	if (reg >= g->arch.nregs)
		return -EINVAL;
	if (g->traceframe >= 0)
		return gyve_glue_err(out, &err, gyve_err_set(&err, -EROFS, "a frame of a trace cannot be changed"));
	if (asleep)
		return gyve_glue_err(out, &err,
				     gyve_err_set(&err, -EROFS, "task %d (%s) does not run: what it saved cannot be written",
						  asleep->pid, asleep->comm));
	if (reg >= g->desc->nregs) /* orig_rax: gdb takes the system call back whenever it sets the pc */
		return 0;
	return gyve_glue_err(out, &err, gyve_target_reg_set(g->target, g->cpu, &g->desc->regs[reg], buf, &err));
}

static ssize_t live_mem(struct gyve_glue *g, uint64_t addr, void *buf, size_t len, struct gdbstub_err *out)
{
	struct gyve_err err = {0};
	ssize_t n;

	/* not when a client looks through memory, or fills a cache */
	g->target->touch_devices = len <= TOUCH_MAX;
	n = g->phys_mode ? gyve_target_read_phys(g->target, addr, buf, len, &err)
			 : gyve_target_read(g->target, g->cpu, addr, buf, len, &err);
	g->target->touch_devices = false;
	if (n < 0)
		gyve_glue_err(out, &err, (int)n);
	return n;
}

static ssize_t glue_read_mem(void *ctx, int tid, uint64_t addr, void *buf, size_t len, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	const struct gyve_task *asleep = gyve_glue_select(g, tid);
	ssize_t n = g->traceframe >= 0 ? gyve_glue_trace_mem(g, addr, buf, len) : -EAGAIN;

	if (n == -EAGAIN) {
		struct gyve_space before = gyve_glue_enter(g, asleep);
		n = live_mem(g, addr, buf, len, out);
		gyve_glue_leave(g, before);
	} else if (n < 0) {
		n = gyve_glue_err(out, &err, gyve_err_set(&err, (int)n, "the frame of the trace has nothing of it"));
	}
	return n;
}

static int glue_write_mem(void *ctx, int tid, uint64_t addr, const void *buf, size_t len, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	const struct gyve_task *asleep = gyve_glue_select(g, tid);
	struct gyve_err err = {0};
	struct gyve_space before;
	int ret;

	if (g->traceframe >= 0)
		return gyve_glue_err(out, &err, gyve_err_set(&err, -EROFS, "a frame of a trace cannot be changed"));
	before = gyve_glue_enter(g, asleep);
	ret = g->phys_mode ? gyve_target_write_phys(g->target, addr, buf, len, &err)
			   : gyve_target_write(g->target, g->cpu, addr, buf, len, &err);
	gyve_glue_leave(g, before);
	return gyve_glue_err(out, &err, ret);
}

static int glue_catch_calls(void *ctx, bool on, const uint32_t *numbers, size_t n, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	int ret;

	if (!g->target->ops->catch_calls)
		ret = gyve_err_set(&err, -ENOTSUP, "%s", g->target->ops->cannot_run);
	else
		ret = g->target->ops->catch_calls(g->target->ctx, GYVE_CALLS_CLIENT, on && n == 0, numbers, n, &err);
	return gyve_glue_err(out, &err, ret);
}

static int glue_stop_reason(void *ctx, struct gdbstub_stop *ret)
{
	struct gyve_glue *g = ctx;

	if (!gyve_target_stopped(g->target))
		return -EBUSY;
	gyve_glue_translate_stop(g, &g->target->last, ret);
	return 0;
}

static int glue_detach(void *ctx)
{
	struct gyve_glue *g = ctx;
	int code;

	if (!g->target->ops->resume) /* a dump waits for the next client */
		return 0;
	g->resumed = true;
	/* A dead guest cannot go on: without a debugger it ends as it would have. */
	if (gyve_glue_any_crashed(g, &code)) {
		gyve_target_kill(g->target, code);
		return 0;
	}
	if (g->nonstop)
		g->target->ops->nonstop(g->target->ctx, false);
	g->nonstop = false;
	return gyve_target_stopped(g->target) ? gyve_target_continue(g->target) : 0;
}

static void glue_kill(void *ctx)
{
	struct gyve_glue *g = ctx;

	g->killed = gdbstub_extended(g->stub);
	gyve_target_kill(g->target, 0);
}

static void glue_clear_points(void *ctx)
{
	struct gyve_glue *g = ctx;

	/* A client lost while the guest runs: the server clears them at the stop it asks for. */
	if (gyve_target_stopped(g->target) || g->nonstop)
		gyve_target_points_clear(g->target);
}

static void console_write(void *ctx, const void *buf, size_t len)
{
	gdbstub_monitor_print(ctx, buf, len);
}

static int glue_monitor(void *ctx, struct gdbstub *s, const char *cmd, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	struct gyve_sink sink = {console_write, s};

	g->points.asked = true;
	return gyve_glue_err(out, &err, gyve_monitor(g->target, g->cpu, cmd, &sink, &err));
}

static int glue_offsets(void *ctx, uint64_t *bias, uint64_t *segment)
{
	const struct gyve_glue *g = ctx;
	const struct gyve_layout *l = g->target->layout;

	if (!l)
		return -ENOENT;
	*bias = *segment = 0;
	if (g->kernel_file) /* its addresses are the running kernel's */
		return 0;
	*bias = l->bias;
	*segment = l->place ? l->place : l->bias && l->nsegs ? l->seg[0].gva : 0;
	if (!*segment && !*bias)
		*segment = gyve_slide_text(g->target);
	return 0;
}

static int glue_set_phys_mode(void *ctx, bool on)
{
	((struct gyve_glue *)ctx)->phys_mode = on;
	return 0;
}

static bool glue_get_phys_mode(void *ctx)
{
	return ((struct gyve_glue *)ctx)->phys_mode;
}

/* The old description stays where a new one cannot be made. */
static void glue_redescribe(void *ctx)
{
	gyve_glue_describe(ctx);
}

static const struct gdbstub_ops glue_ops = {
	.redescribe = glue_redescribe,
	.threads = gyve_glue_threads,
	.thread_core = gyve_glue_thread_core,
	.thread_info = gyve_glue_thread_info,
	.read_reg = glue_read_reg,
	.write_reg = glue_write_reg,
	.read_mem = glue_read_mem,
	.write_mem = glue_write_mem,
	.tracing = &gyve_glue_tracing,
	.insert_point = gyve_glue_insert_point,
	.set_conditions = gyve_glue_set_conditions,
	.set_commands = gyve_glue_set_commands,
	.remove_point = gyve_glue_remove_point,
	.catch_calls = glue_catch_calls,
	.resume = gyve_glue_resume,
	.interrupt = gyve_glue_interrupt,
	.set_nonstop = gyve_glue_set_nonstop,
	.thread_stop = gyve_glue_thread_stop,
	.stop_reason = glue_stop_reason,
	.detach = glue_detach,
	.kill = glue_kill,
	.start = gyve_glue_run,
	.environment = gyve_glue_environment,
	.directory = gyve_glue_directory,
	.clear_points = glue_clear_points,
	.monitor = glue_monitor,
	.mem_region = gyve_glue_mem_region,
	.object = gyve_glue_object,
	.offsets = glue_offsets,
	.file_open = gyve_glue_file_open,
	.file_pread = gyve_glue_file_pread,
	.file_size = gyve_glue_file_size,
	.file_close = gyve_glue_file_close,
	.set_phys_mode = glue_set_phys_mode,
	.get_phys_mode = glue_get_phys_mode,
};

static void trace(void *ctx, char dir, const char *data, size_t len)
{
	(void)ctx;
	gyve_log(GYVE_LOG_DEBUG, GYVE_LOG_GDB, "%c %.*s%s", dir, (int)(len < 400 ? len : 400), data, len < 400 ? "" : "...");
}

int gyve_glue_init(struct gyve_glue *g, struct gyve_target *t)
{
	memset(g, 0, sizeof(*g));
	g->target = t;
	g->image_fd = -1;
	g->traceframe = -1;
	g->cpu = t->last.cpu < t->ncpus ? t->last.cpu : 0;
	t->look_cpu = t->describe_bits = 0; /* what the client before had chosen */
	t->as.on = t->touch_devices = false;
	g->actions = calloc(t->ncpus, sizeof(*g->actions));
	g->threads = calloc(t->ncpus, sizeof(*g->threads));
	if (!g->actions || !g->threads || gyve_glue_describe(g) < 0 || !(g->stub = gdbstub_create(&g->arch, &glue_ops, g))) {
		gyve_glue_deinit(g);
		return -ENOMEM;
	}
	if (gyve_log_levels[GYVE_LOG_GDB] >= GYVE_LOG_DEBUG)
		gdbstub_set_trace(g->stub, trace, NULL);
	return 0;
}

void gyve_glue_deinit(struct gyve_glue *g)
{
	if (g->stub && gyve_target_trace(g->target))
		gyve_trace_client_gone(gyve_target_trace(g->target));
	if (g->stub)
		gdbstub_destroy(g->stub);
	if (g->image_fd >= 0)
		close(g->image_fd);
	if (g->nonstop)
		g->target->ops->nonstop(g->target->ctx, false);
	free(g->actions);
	free(g->threads);
	gyve_glue_tasks_free(g);
	free(g->points.list);
	gyve_glue_libraries_deinit(g);
	free(g->text);
	gyve_glue_free_args(g);
	gyve_glue_undescribe(g);
	memset(g, 0, sizeof(*g));
	g->image_fd = -1;
}

void gyve_glue_report(struct gyve_glue *g, const struct gyve_stop *stop)
{
	struct gdbstub_stop s;

	gyve_glue_tasks_stale(g);
	if (stop->cpu < g->target->ncpus && !g->nonstop)
		g->cpu = stop->cpu;
	gyve_glue_note_stop(g, stop);
	g->points.asked = false;
	if (stop->kind == GYVE_STOP_CRASH && gdbstub_running(g->stub)) {
		char text[6144];
		gyve_crash_text(g->target, stop, text, sizeof(text) - 2);
		strcat(text, "\n");
		gdbstub_monitor_print(g->stub, text, strlen(text));
	}
	if (stop->catches && gdbstub_running(g->stub)) {
		char text[1024];
		gyve_catch_text(g->target, stop, text, sizeof(text) - 2);
		strcat(text, "\n");
		gdbstub_monitor_print(g->stub, text, strlen(text));
	}
	gyve_glue_translate_stop(g, stop, &s);
	if (stop->kind == GYVE_STOP_CALL && s.kind != GDBSTUB_STOP_CALL && gdbstub_running(g->stub)) {
		char text[512];
		gyve_call_text(g->target, stop, text, sizeof(text) - 2);
		strcat(text, "\n");
		gdbstub_monitor_print(g->stub, text, strlen(text));
	}
	gdbstub_report_stop(g->stub, &s);
}
