/* gyve target <-> libgdbstub. Thread id = vCPU + 1. */
#include "stub_glue.h"

#include "gyve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIG_INT = 2, SIG_ILL = 4, SIG_TRAP = 5, SIG_ABRT = 6, SIG_BUS = 10, SIG_SEGV = 11 }; /* gdb's numbers */

enum { TOUCH_MAX = 4096 }; /* bytes of a read that may go to devices */

static int give_err(struct gdbstub_err *out, const struct gyve_err *err, int code)
{
	if (code < 0) {
		out->code = -code;
		snprintf(out->text, sizeof(out->text), "%.*s", (int)sizeof(out->text) - 1, err->text);
	}
	return code;
}

static size_t glue_threads(void *ctx, int *tids, size_t max)
{
	struct gyve_glue *g = ctx;

	for (size_t i = 0; i < g->target->ncpus && i < max; i++)
		tids[i] = (int)i + 1;
	return g->target->ncpus;
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
	char state[80] = "", place[160] = "";

	if (g->target->ops->describe)
		g->target->ops->describe(g->target->ctx, (unsigned)tid - 1, state, sizeof(state));
	describe_place(g, (unsigned)tid - 1, place, sizeof(place));
	return snprintf(buf, size, "vCPU %d%s%s%s%s", tid - 1, state[0] ? " (" : "", state, place, state[0] ? ")" : "");
}

static int glue_read_reg(void *ctx, int tid, unsigned reg, void *buf, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	g->cpu = (unsigned)tid - 1;
	if (reg >= g->arch.nregs)
		return -EINVAL;
	if (g->traceframe >= 0)
		return gyve_glue_trace_reg(g, reg, buf);
	if (reg >= g->desc->nregs) { /* orig_rax: no system call is under way */
		memset(buf, 0xff, g->arch.regs[reg].bits / 8);
		return 0;
	}
	return give_err(out, &err, gyve_target_reg_get(g->target, g->cpu, &g->desc->regs[reg], buf, &err));
}

static int glue_write_reg(void *ctx, int tid, unsigned reg, const void *buf, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	g->cpu = (unsigned)tid - 1;
	if (reg >= g->arch.nregs)
		return -EINVAL;
	if (g->traceframe >= 0)
		return give_err(out, &err, gyve_err_set(&err, -EROFS, "a frame of a trace cannot be changed"));
	if (reg >= g->desc->nregs) /* orig_rax: gdb takes the system call back whenever it sets the pc */
		return 0;
	return give_err(out, &err, gyve_target_reg_set(g->target, g->cpu, &g->desc->regs[reg], buf, &err));
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
		give_err(out, &err, (int)n);
	return n;
}

static ssize_t glue_read_mem(void *ctx, int tid, uint64_t addr, void *buf, size_t len, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	ssize_t n = g->traceframe >= 0 ? gyve_glue_trace_mem(g, addr, buf, len) : -EAGAIN;

	g->cpu = (unsigned)tid - 1;
	if (n == -EAGAIN)
		n = live_mem(g, addr, buf, len, out);
	else if (n < 0)
		n = give_err(out, &err, gyve_err_set(&err, (int)n, "the frame of the trace has nothing of it"));
	return n;
}

static int glue_write_mem(void *ctx, int tid, uint64_t addr, const void *buf, size_t len, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	int ret;

	g->cpu = (unsigned)tid - 1;
	if (g->traceframe >= 0)
		return give_err(out, &err, gyve_err_set(&err, -EROFS, "a frame of a trace cannot be changed"));
	ret = g->phys_mode ? gyve_target_write_phys(g->target, addr, buf, len, &err)
			   : gyve_target_write(g->target, g->cpu, addr, buf, len, &err);
	return give_err(out, &err, ret);
}

/* Z0..Z4 in the order of enum gyve_point_kind */
static int glue_insert_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	if (type < 0 || type > GYVE_POINT_ACCESS)
		return -EOPNOTSUPP;
	return give_err(out, &err, gyve_target_point_insert(g->target, (enum gyve_point_kind)type, addr, kind, &err));
}

static int glue_set_conditions(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n,
			       struct gdbstub_err *out)
{
	struct gyve_agent_expr exprs[GDBSTUB_CONDITIONS];
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	for (size_t i = 0; i < n; i++)
		exprs[i] = (struct gyve_agent_expr){e[i].code, e[i].len};
	return give_err(out, &err, gyve_target_point_conditions(g->target, (enum gyve_point_kind)type, addr, exprs, n, &err));
}

static int glue_set_commands(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n, bool persist,
			     struct gdbstub_err *out)
{
	struct gyve_agent_expr exprs[GDBSTUB_CONDITIONS];
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	for (size_t i = 0; i < n; i++)
		exprs[i] = (struct gyve_agent_expr){e[i].code, e[i].len};
	return give_err(out, &err,
			gyve_target_point_commands(g->target, (enum gyve_point_kind)type, addr, exprs, n, persist, &err));
}

static int glue_remove_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};

	if (type < 0 || type > GYVE_POINT_ACCESS)
		return -EOPNOTSUPP;
	return give_err(out, &err, gyve_target_point_remove(g->target, (enum gyve_point_kind)type, addr, kind));
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
	return give_err(out, &err, ret);
}

static struct gyve_resume translate_action(const struct gdbstub_resume *r)
{
	switch (r->act) {
	case GDBSTUB_CONT:
		return (struct gyve_resume){.act = GYVE_ACT_CONT};
	case GDBSTUB_STEP:
		return (struct gyve_resume){.act = GYVE_ACT_STEP};
	case GDBSTUB_RANGE:
		return (struct gyve_resume){.act = GYVE_ACT_RANGE, .start = r->start, .end = r->end};
	case GDBSTUB_STOP:
		return (struct gyve_resume){.act = GYVE_ACT_STOP};
	default:
		return (struct gyve_resume){.act = GYVE_ACT_NONE};
	}
}

static int glue_resume(void *ctx, const struct gdbstub_resume *r, size_t n, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	int ret;

	memset(g->actions, 0, g->target->ncpus * sizeof(*g->actions));
	for (size_t i = 0; i < n; i++)
		if (r[i].tid > 0 && (unsigned)r[i].tid <= g->target->ncpus)
			g->actions[r[i].tid - 1] = translate_action(&r[i]);
	for (unsigned i = 0; !g->nonstop && i < g->target->ncpus; i++)
		if (g->actions[i].act == GYVE_ACT_STOP)
			g->actions[i].act = GYVE_ACT_NONE;
	ret = g->nonstop ? gyve_glue_resume_nonstop(g, &err) : gyve_target_resume(g->target, g->actions, &err);
	if (ret == 0)
		g->resumed = true;
	else if (ret == -ENOTSUP) { /* clients show an error's number only */
		gdbstub_monitor_print(g->stub, err.text, strlen(err.text));
		gdbstub_monitor_print(g->stub, "\n", 1);
	}
	return give_err(out, &err, ret);
}

static void glue_interrupt(void *ctx)
{
	struct gyve_glue *g = ctx;

	if (g->nonstop)
		g->target->ops->interrupt_one(g->target->ctx);
	else
		gyve_target_interrupt(g->target);
}

void gyve_glue_translate_stop(struct gyve_target *t, const struct gyve_stop *stop, struct gdbstub_stop *ret)
{
	static const struct {
		enum gdbstub_stop_kind kind;
		int signal;
	} table[] = {
		[GYVE_STOP_NONE] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_SW_BP] = {GDBSTUB_STOP_SWBREAK, SIG_TRAP},
		[GYVE_STOP_HW_BP] = {GDBSTUB_STOP_HWBREAK, SIG_TRAP},
		[GYVE_STOP_WATCH] = {GDBSTUB_STOP_WATCH, SIG_TRAP},
		[GYVE_STOP_RWATCH] = {GDBSTUB_STOP_RWATCH, SIG_TRAP},
		[GYVE_STOP_AWATCH] = {GDBSTUB_STOP_AWATCH, SIG_TRAP},
		[GYVE_STOP_STEP] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_INTERRUPT] = {GDBSTUB_STOP_SIGNAL, SIG_INT},
		[GYVE_STOP_CRASH] = {GDBSTUB_STOP_SIGNAL, SIG_SEGV},
		[GYVE_STOP_EXIT] = {GDBSTUB_STOP_EXITED, 0},
		[GYVE_STOP_CATCH] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_CALL] = {GDBSTUB_STOP_SIGNAL, SIG_TRAP},
		[GYVE_STOP_CALL_RETURN] = {GDBSTUB_STOP_CALL_RETURN, SIG_TRAP},
		[GYVE_STOP_PAUSE] = {GDBSTUB_STOP_SIGNAL, 0},
	};
	memset(ret, 0, sizeof(*ret));
	ret->kind = table[stop->kind].kind;
	ret->signal = table[stop->kind].signal;
	if (stop->kind == GYVE_STOP_CATCH)
		ret->signal = stop->catches & 1u << GYVE_CATCH_UD      ? SIG_ILL
			      : stop->catches & 1u << GYVE_CATCH_DF    ? SIG_BUS
			      : stop->catches & 1u << GYVE_CATCH_PANIC ? SIG_ABRT
								       : SIG_SEGV;
	ret->tid = (int)stop->cpu + 1;
	ret->addr = stop->addr;
	ret->code = stop->code & 0xff;
	if (stop->kind == GYVE_STOP_CALL || stop->kind == GYVE_STOP_CALL_RETURN)
		ret->code = stop->code;
	if (stop->kind == GYVE_STOP_CALL && t->ops->call_caught(t->ctx, GYVE_CALLS_CLIENT, (uint32_t)stop->code))
		ret->kind = GDBSTUB_STOP_CALL;
}

static int glue_stop_reason(void *ctx, struct gdbstub_stop *ret)
{
	struct gyve_glue *g = ctx;

	if (!gyve_target_stopped(g->target))
		return -EBUSY;
	gyve_glue_translate_stop(g->target, &g->target->last, ret);
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

	return give_err(out, &err, gyve_monitor(g->target, g->cpu, cmd, &sink, &err));
}

static int glue_offsets(void *ctx, uint64_t *bias, uint64_t *segment)
{
	const struct gyve_layout *l = ((struct gyve_glue *)ctx)->target->layout;

	if (!l)
		return -ENOENT;
	*bias = l->bias;
	*segment = l->place ? l->place : l->bias && l->nsegs ? l->seg[0].gva : 0;
	return 0;
}

/* "/proc/42000/exe": the running program, as scripts ask a Linux host for it (gef does). */
static bool is_proc_exe(const char *path)
{
	size_t digits;

	if (strncmp(path, "/proc/", 6) != 0)
		return false;
	digits = strspn(path + 6, "0123456789");
	return digits && strcmp(path + 6 + digits, "/exe") == 0;
}

static int glue_file_open(void *ctx, const char *path)
{
	struct gyve_glue *g = ctx;
	int fd;

	if (!g->target->image || (strcmp(path, g->target->image) != 0 && !is_proc_exe(path)))
		return -EACCES;
	if (g->image_fd < 0) {
		fd = open(g->target->image, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return -errno;
		g->image_fd = fd;
	}
	return (int)g->image_uses++; /* one file: a number of its own for each use is all a client needs */
}

static bool is_open(const struct gyve_glue *g, int fd)
{
	return g->image_fd >= 0 && fd >= 0 && (unsigned)fd < g->image_uses;
}

static ssize_t glue_file_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
	struct gyve_glue *g = ctx;
	ssize_t n;

	if (!is_open(g, fd))
		return -EBADF;
	if (off > INT64_MAX)
		return -EINVAL;
	n = pread(g->image_fd, buf, len, (off_t)off);
	return n < 0 ? -errno : n;
}

static int64_t glue_file_size(void *ctx, int fd)
{
	struct gyve_glue *g = ctx;
	struct stat st;

	if (!is_open(g, fd))
		return -EBADF;
	return fstat(g->image_fd, &st) < 0 ? -errno : st.st_size;
}

static int glue_file_close(void *ctx, int fd)
{
	struct gyve_glue *g = ctx;

	if (!is_open(g, fd))
		return -EBADF;
	return 0; /* stays open for the session: other uses may be left */
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
	.threads = glue_threads,
	.thread_info = gyve_glue_thread_info,
	.read_reg = glue_read_reg,
	.write_reg = glue_write_reg,
	.read_mem = glue_read_mem,
	.write_mem = glue_write_mem,
	.tracing = &gyve_glue_tracing,
	.insert_point = glue_insert_point,
	.set_conditions = glue_set_conditions,
	.set_commands = glue_set_commands,
	.remove_point = glue_remove_point,
	.catch_calls = glue_catch_calls,
	.resume = glue_resume,
	.interrupt = glue_interrupt,
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
	.file_open = glue_file_open,
	.file_pread = glue_file_pread,
	.file_size = glue_file_size,
	.file_close = glue_file_close,
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
	t->as_on = t->touch_devices = false;
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
	free(g->text);
	gyve_glue_free_args(g);
	gyve_glue_undescribe(g);
	memset(g, 0, sizeof(*g));
	g->image_fd = -1;
}

void gyve_glue_report(struct gyve_glue *g, const struct gyve_stop *stop)
{
	struct gdbstub_stop s;

	if (stop->cpu < g->target->ncpus && !g->nonstop)
		g->cpu = stop->cpu;
	gyve_glue_note_stop(g, stop);
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
	gyve_glue_translate_stop(g->target, stop, &s);
	if (stop->kind == GYVE_STOP_CALL && s.kind != GDBSTUB_STOP_CALL && gdbstub_running(g->stub)) {
		char text[512];
		gyve_call_text(g->target, stop, text, sizeof(text) - 2);
		strcat(text, "\n");
		gdbstub_monitor_print(g->stub, text, strlen(text));
	}
	gdbstub_report_stop(g->stub, &s);
}
