#include "fake_target.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct gdbstub_field state_fields[] = {{"ON", 0, 0}, {"MODE", 1, 3}, {"TOP", 31, 31}};
static const struct gdbstub_flags state_flags = {"fake_state", 4, state_fields, 3};
static const struct gdbstub_field wide_fields[] = {{"A<&\">", 0, 0}, {"WIDE", 8, 63}};
static const struct gdbstub_flags wide_flags = {"fake_wide", 8, wide_fields, 2};
static const struct gdbstub_reg regs[FAKE_NREGS] = {
	{"fp", 64, "data_ptr", "org.fake.core", "general", NULL, false, 6 + 1, "fp"},
	{"sp", 64, "data_ptr", "org.fake.core", "general", NULL, false, 0, NULL},
	{"pc", 64, "code_ptr", "org.fake.core", "general", NULL, false, 0, NULL},
	{"state", 32, "fake_state", "org.fake.core", "general", &state_flags, false, 0, NULL},
	{"state2", 32, "fake_state", "org.fake.core", NULL, &state_flags, false, 0, NULL},
	{"missing", 64, "int64", "org.fake.core", NULL, NULL, false, 0, NULL},
	{"v0", 128, "vec128", "org.fake.vector", "vector", NULL, false, 0, NULL},
	{"v1", 128, "vec128", "org.fake.vector", "vector", NULL, false, 0, NULL},
	{"y0", 256, "vec256", "org.fake.wide", "vector", NULL, false, 0, NULL},
	{"id", 64, "fake_wide", "org.fake.system", "system", &wide_flags, true, 0, NULL},
	{"ctl", 32, "fake_state", "org.fake.system", "system", &state_flags, false, 0, NULL},
	{"byte", 8, "uint8", "org.fake.system", "system", NULL, false, 0, NULL},
	{"st0", 80, "i387_ext", "org.fake.system", "float", NULL, false, 0, NULL},
	{"u", 128, "uint128", "org.fake.system", "system", NULL, false, 0, NULL},
};
const struct gdbstub_arch fake_arch = {"i386:x86-64",         "none", regs, FAKE_NREGS, FAKE_NG, FAKE_PC, FAKE_SP, FAKE_FP,
				       "x86_64-unknown-none", false};

const char fake_file[] = "\177ELF is what it says: #, $, } and * need escapes, "
			 "\0"
			 " too";
const size_t fake_file_len = sizeof(fake_file) - 1;

__attribute__((format(printf, 2, 3))) static void note(struct fake_target *f, const char *fmt, ...)
{
	size_t n = strlen(f->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->log + n, sizeof(f->log) - n, fmt, ap);
	va_end(ap);
}

static int complain(struct gdbstub_err *err, int code, const char *text)
{
	err->code = code;
	snprintf(err->text, sizeof(err->text), "%s", text);
	return -code;
}

static size_t threads(void *ctx, int *tids, size_t max)
{
	struct fake_target *f = ctx;

	for (size_t i = 0; i < f->nthreads && i < max; i++)
		tids[i] = (int)i + 1;
	return f->nthreads;
}

static int thread_info(void *ctx, int tid, char *buf, size_t size)
{
	(void)ctx;
	return snprintf(buf, size, "fake <%d>", tid);
}

static int read_reg(void *ctx, int tid, unsigned reg, void *buf, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	if (tid < 1 || tid > FAKE_THREADS || reg >= FAKE_NREGS)
		return complain(err, ESRCH, "the stub asked for nonsense");
	if (reg == FAKE_MISSING)
		return -ENODATA;
	memcpy(buf, f->regs[tid][reg], regs[reg].bits / 8);
	return 0;
}

static int write_reg(void *ctx, int tid, unsigned reg, const void *buf, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	if (tid < 1 || tid > FAKE_THREADS || reg >= FAKE_NREGS || regs[reg].readonly)
		return complain(err, ESRCH, "the stub asked for nonsense");
	if (reg == FAKE_MISSING)
		return -ENODATA;
	memcpy(f->regs[tid][reg], buf, regs[reg].bits / 8);
	return 0;
}

/* The byte at addr, NULL in the hole. */
static uint8_t *byte_at(struct fake_target *f, uint64_t addr)
{
	if (addr - FAKE_LOW < FAKE_SIZE)
		return &f->low[addr - FAKE_LOW];
	return addr - FAKE_HIGH < FAKE_SIZE ? &f->high[addr - FAKE_HIGH] : NULL;
}

static ssize_t read_mem(void *ctx, int tid, uint64_t addr, void *buf, size_t len, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;
	uint8_t *out = buf, *p;
	size_t n = 0;

	(void)tid;
	while (n < len && (p = byte_at(f, addr + n)) != NULL)
		out[n++] = *p;
	return n ? (ssize_t)n : complain(err, EFAULT, "level 2 entry 0x0 #$}* is not present");
}

static int write_mem(void *ctx, int tid, uint64_t addr, const void *buf, size_t len, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	(void)tid;
	for (size_t i = 0; i < len; i++)
		if (!byte_at(f, addr + i))
			return complain(err, EFAULT, "nothing is mapped there");
	for (size_t i = 0; i < len; i++)
		*byte_at(f, addr + i) = ((const uint8_t *)buf)[i];
	return 0;
}

static int mem_region(void *ctx, int tid, uint64_t addr, struct gdbstub_region *ret, struct gdbstub_err *err)
{
	(void)ctx;
	(void)tid;
	if (addr == 0x5555)
		return complain(err, EFAULT, "no tables");
	if (addr - FAKE_LOW < FAKE_SIZE)
		*ret = (struct gdbstub_region){FAKE_LOW, FAKE_LOW + FAKE_SIZE - 1, GDBSTUB_PERM_R | GDBSTUB_PERM_X};
	else if (addr < FAKE_LOW)
		*ret = (struct gdbstub_region){0, FAKE_LOW - 1, 0};
	else
		*ret = (struct gdbstub_region){FAKE_LOW + FAKE_SIZE, UINT64_MAX, 0};
	return 0;
}

static int insert_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	if (type == 3)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < FAKE_POINTS; i++) {
		if (f->points[i].used)
			continue;
		f->points[i].used = true;
		f->points[i].type = type;
		f->points[i].addr = addr;
		f->points[i].kind = kind;
		return 0;
	}
	return complain(err, ENOSPC, "all points are taken");
}

static int set_conditions(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	f->nconditions = n;
	f->condition_bytes = 0;
	for (size_t i = 0; i < n; i++) {
		f->condition_bytes += e[i].len;
		if (e[i].code[0] == 0xff)
			return complain(err, EINVAL, "0xff is no operation");
	}
	for (size_t i = 0; i < FAKE_POINTS; i++)
		if (f->points[i].used && f->points[i].type == type && f->points[i].addr == addr)
			return 0;
	return complain(err, ENOENT, "no such point");
}

static int remove_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	for (size_t i = 0; i < FAKE_POINTS; i++) {
		if (!f->points[i].used || f->points[i].type != type || f->points[i].addr != addr || f->points[i].kind != kind)
			continue;
		f->points[i].used = false;
		return 0;
	}
	return complain(err, ENOENT, "there is none");
}

static int catch_calls(void *ctx, bool on, const uint32_t *numbers, size_t n, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	note(f, "calls %d", on);
	for (size_t i = 0; i < n; i++)
		note(f, " %x", (unsigned)numbers[i]);
	note(f, ";");
	return n && numbers[0] == 0xbad ? complain(err, EINVAL, "there is no such call") : 0;
}

static int resume(void *ctx, const struct gdbstub_resume *r, size_t n, struct gdbstub_err *err)
{
	static const char letters[] = {
		[GDBSTUB_NONE] = '-', [GDBSTUB_CONT] = 'c', [GDBSTUB_STEP] = 's', [GDBSTUB_RANGE] = 'r', [GDBSTUB_STOP] = 't'};
	struct fake_target *f = ctx;

	if (f->resume_error)
		return complain(err, f->resume_error, "it is dead");
	note(f, "resume");
	for (size_t i = 0; i < n; i++) {
		note(f, " %d:%c", r[i].tid, letters[r[i].act]);
		if (r[i].act == GDBSTUB_RANGE)
			note(f, "%llx-%llx", (unsigned long long)r[i].start, (unsigned long long)r[i].end);
		if (r[i].signal)
			note(f, "/%d", r[i].signal);
	}
	note(f, ";");
	f->running = !f->nonstop;
	for (size_t i = 0; f->nonstop && i < n; i++)
		f->halted[r[i].tid] &= r[i].act == GDBSTUB_NONE;
	return 0;
}

static void interrupt(void *ctx)
{
	note(ctx, "interrupt;");
}

static int stop_reason(void *ctx, struct gdbstub_stop *ret)
{
	struct fake_target *f = ctx;

	if (f->running)
		return -EBUSY;
	*ret = f->stop;
	return 0;
}

static int detach(void *ctx)
{
	note(ctx, "detach;");
	return 0;
}

static int start(void *ctx, const char *file, const char *const *argv, size_t n, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	if (strcmp(file, "other") == 0)
		return complain(err, ENOENT, "no such image");
	note(f, "start %s", file);
	for (size_t i = 0; i < n; i++)
		note(f, " %s", argv[i]);
	note(f, ";");
	f->running = true;
	return 0;
}

static int environment(void *ctx, const char *text, struct gdbstub_err *err)
{
	(void)err;
	note(ctx, "env %s;", text ? text : "-");
	return 0;
}

static int directory(void *ctx, const char *path, struct gdbstub_err *err)
{
	(void)ctx;
	return path[0] ? complain(err, ENOTSUP, "no directories") : 0;
}

static int set_nonstop(void *ctx, bool on)
{
	struct fake_target *f = ctx;

	f->nonstop = on;
	for (int i = 0; i <= FAKE_THREADS; i++)
		f->halted[i] = true;
	return 0;
}

static int thread_stop(void *ctx, int tid, struct gdbstub_stop *ret)
{
	struct fake_target *f = ctx;

	if (!f->halted[tid])
		return -EBUSY;
	*ret = (struct gdbstub_stop){.kind = GDBSTUB_STOP_SIGNAL, .tid = tid};
	return 0;
}

static void kill_target(void *ctx)
{
	note(ctx, "kill;");
}

static void clear_points(void *ctx)
{
	struct fake_target *f = ctx;

	note(f, "clear;");
	memset(f->points, 0, sizeof(f->points));
}

static int monitor(void *ctx, struct gdbstub *s, const char *cmd, struct gdbstub_err *err)
{
	char line[64];

	(void)ctx;
	if (strcmp(cmd, "hello") == 0) {
		gdbstub_monitor_print(s, "hello ", 6);
		gdbstub_monitor_print(s, "you\n", 4);
		return 0;
	}
	if (strcmp(cmd, "long") != 0)
		return complain(err, ENOENT, "no such command");
	for (int i = 0; i < 400; i++)
		gdbstub_monitor_print(s, line, (size_t)snprintf(line, sizeof(line), "line %d\n", i));
	return 0;
}

static int object(void *ctx, int tid, const char *name, const char *annex, const void **ret, size_t *len)
{
	static const char map[] = "<memory-map><memory type=\"ram\" start=\"0x1000\" length=\"0x4000\"/></memory-map>";
	static char siginfo[16];
	static const char image[] = "/fake/image";

	(void)ctx;
	if (strcmp(name, "siginfo") == 0) {
		snprintf(siginfo, sizeof(siginfo), "of %d", tid);
		*ret = siginfo;
		*len = strlen(siginfo);
		return 0;
	}
	if (strcmp(name, "memory-map") == 0) {
		*ret = map;
		*len = sizeof(map) - 1;
		return annex[0] ? -ENOENT : 0;
	}
	*ret = image;
	*len = sizeof(image) - 1;
	return strcmp(name, "exec-file") == 0 ? 0 : -EOPNOTSUPP;
}

static int offsets(void *ctx, uint64_t *bias, uint64_t *segment)
{
	*segment = 0;
	(void)ctx;
	*bias = 0x200000;
	return 0;
}

static int file_open(void *ctx, const char *path)
{
	struct fake_target *f = ctx;

	if (strcmp(path, "/fake/image") != 0)
		return -EACCES;
	f->open_files++;
	return 5;
}

static ssize_t file_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off)
{
	struct fake_target *f = ctx;

	if (fd != 5 || !f->open_files)
		return -EBADF;
	if (off >= fake_file_len)
		return 0;
	if (len > fake_file_len - off)
		len = fake_file_len - (size_t)off;
	memcpy(buf, fake_file + off, len);
	return (ssize_t)len;
}

static int64_t file_size(void *ctx, int fd)
{
	struct fake_target *f = ctx;

	return fd == 5 && f->open_files ? (int64_t)fake_file_len : -EBADF;
}

static int file_close(void *ctx, int fd)
{
	struct fake_target *f = ctx;

	if (fd != 5 || !f->open_files)
		return -EBADF;
	f->open_files--;
	return 0;
}

static int set_phys_mode(void *ctx, bool on)
{
	((struct fake_target *)ctx)->phys_mode = on;
	return 0;
}

static bool get_phys_mode(void *ctx)
{
	return ((struct fake_target *)ctx)->phys_mode;
}

/* --- one tracepoint, three frames */

static int trace_status(void *ctx, struct gdbstub_trace_status *ret)
{
	(void)ctx;
	*ret = (struct gdbstub_trace_status){.end = "terror", .text = "no", .point = 2, .frames = 3, .size = 0x1000};
	return 0;
}

static int trace_init(void *ctx, unsigned ng)
{
	struct fake_target *f = ctx;

	f->tp.number = f->nactions = f->ntexts = 0;
	return ng ? 0 : -EINVAL;
}

static int trace_define(void *ctx, const struct gdbstub_tracepoint *p, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	if (p->number == 0xff)
		return complain(err, E2BIG, "too many");
	f->tp = *p;
	return 0;
}

static int trace_action(void *ctx, unsigned number, uint64_t addr, const struct gdbstub_trace_action *a,
			struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	if (number != f->tp.number || addr != f->tp.addr)
		return complain(err, ENOENT, "no such tracepoint");
	if (f->nactions < 8)
		f->actions[f->nactions++] = *a;
	return 0;
}

static int trace_text(void *ctx, unsigned number, uint64_t addr, const char *text, size_t len, struct gdbstub_err *err)
{
	struct fake_target *f = ctx;

	(void)number, (void)addr, (void)err;
	if (f->ntexts < 8 && len < 64) {
		memcpy(f->texts[f->ntexts], text, len);
		f->texts[f->ntexts++][len] = '\0';
	}
	return 0;
}

static int trace_variable(void *ctx, unsigned number, uint64_t initial, const char *name, struct gdbstub_err *err)
{
	(void)ctx, (void)number, (void)initial;
	return *name ? 0 : complain(err, EINVAL, "no name");
}

static int trace_readonly(void *ctx, uint64_t start, uint64_t end, struct gdbstub_err *err)
{
	(void)ctx;
	return start <= end ? 0 : complain(err, EINVAL, "backwards");
}

static int trace_enable(void *ctx, unsigned number, uint64_t addr, bool on)
{
	struct fake_target *f = ctx;

	f->tp.enabled = on;
	return number == f->tp.number && addr == f->tp.addr ? 0 : -ENOENT;
}

static int trace_option(void *ctx, enum gdbstub_trace_option option, uint64_t value)
{
	(void)ctx;
	return option == GDBSTUB_TRACE_SIZE && value > 0x100000 ? -EINVAL : 0;
}

static int trace_note(void *ctx, const char *which, const char *text)
{
	(void)ctx, (void)which, (void)text;
	return 0;
}

static int trace_start(void *ctx, struct gdbstub_err *err)
{
	(void)ctx, (void)err;
	return 0;
}

static int trace_stop(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool trace_point(void *ctx, size_t i, struct gdbstub_tracepoint *ret)
{
	struct fake_target *f = ctx;

	*ret = f->tp;
	ret->cond.len = 0;
	return i == 0 && f->tp.number;
}

static const char *trace_point_text(void *ctx, size_t i, size_t k)
{
	struct fake_target *f = ctx;
	return i == 0 && k < f->ntexts ? f->texts[k] : NULL;
}

static const char *trace_var(void *ctx, size_t i, unsigned *number, uint64_t *initial)
{
	(void)ctx;
	*number = 1, *initial = 0;
	return i == 0 ? "now" : NULL;
}

static int trace_value(void *ctx, unsigned number, uint64_t *ret)
{
	(void)ctx;
	*ret = 0x10;
	return number == 1 ? 0 : -ENOENT;
}

static int64_t trace_find(void *ctx, const struct gdbstub_trace_find *f, unsigned *point)
{
	(void)ctx;
	*point = 2;
	return f->by == GDBSTUB_FIND_NUMBER ? (f->a < 3 ? (int64_t)f->a : -ENOENT) : f->a == 0x1000 ? 1 : -ENOENT;
}

static size_t trace_raw(void *ctx, uint64_t off, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 0x5a, len < 4 ? len : 4);
	return off ? 0 : len < 4 ? len : 4;
}

static const struct gdbstub_trace_ops fake_tracing = {
	.status = trace_status,
	.init = trace_init,
	.define = trace_define,
	.action = trace_action,
	.text = trace_text,
	.variable = trace_variable,
	.readonly = trace_readonly,
	.enable = trace_enable,
	.option = trace_option,
	.note = trace_note,
	.start = trace_start,
	.stop = trace_stop,
	.point = trace_point,
	.point_text = trace_point_text,
	.var = trace_var,
	.value = trace_value,
	.find = trace_find,
	.raw = trace_raw,
};

const struct gdbstub_ops fake_ops = {
	.threads = threads,
	.thread_info = thread_info,
	.read_reg = read_reg,
	.write_reg = write_reg,
	.read_mem = read_mem,
	.write_mem = write_mem,
	.mem_region = mem_region,
	.tracing = &fake_tracing,
	.insert_point = insert_point,
	.set_conditions = set_conditions,
	.remove_point = remove_point,
	.catch_calls = catch_calls,
	.resume = resume,
	.interrupt = interrupt,
	.stop_reason = stop_reason,
	.detach = detach,
	.kill = kill_target,
	.set_nonstop = set_nonstop,
	.thread_stop = thread_stop,
	.start = start,
	.environment = environment,
	.directory = directory,
	.clear_points = clear_points,
	.monitor = monitor,
	.object = object,
	.offsets = offsets,
	.file_open = file_open,
	.file_pread = file_pread,
	.file_size = file_size,
	.file_close = file_close,
	.set_phys_mode = set_phys_mode,
	.get_phys_mode = get_phys_mode,
};
const struct gdbstub_ops fake_no_ops = {.threads = threads};

void fake_target_init(struct fake_target *f)
{
	memset(f, 0, sizeof(*f));
	f->nthreads = FAKE_THREADS;
	f->stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_SIGNAL, .tid = 1, .signal = 5};
	for (size_t i = 0; i < FAKE_SIZE; i++) {
		f->low[i] = (uint8_t)i;
		f->high[i] = (uint8_t)i;
	}
	for (unsigned t = 1; t <= FAKE_THREADS; t++)
		for (unsigned r = 0; r < FAKE_NREGS; r++)
			f->regs[t][r][0] = (uint8_t)(t << 4 | r);
}
