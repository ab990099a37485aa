/* A call stack as text, for `monitor bt`, the crash report and `gyve bt`: gdb's form, a line a frame, functions inlined there
 * as frames of their own. */
#include "gyve/target.h"
#include "gyve/unwind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_INLINED = 16 };

static const char *const hows[] = {
	[GYVE_FRAME_FIRST] = "",
	[GYVE_FRAME_CFI] = "",
	[GYVE_FRAME_POINTER] = " [by frame pointer]",
	[GYVE_FRAME_RETURN] = " [by return address]",
	[GYVE_FRAME_EXCEPTION] = " [interrupted here]",
};

struct printer {
	struct gyve_target *t;
	unsigned cpu;
	unsigned flags;
	const struct gyve_sink *out;
	const char *indent;
	unsigned number, args;
	bool parameters; /* which of the two kinds is printed now */
};

__attribute__((format(printf, 2, 3))) static void say(const struct printer *p, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		p->out->write(p->out->ctx, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static int read_value(void *ctx, uint64_t addr, unsigned size, uint64_t *ret)
{
	const struct printer *p = ctx;

	*ret = 0;
	return gyve_target_read(p->t, p->cpu, addr, ret, size, NULL) == (ssize_t)size ? 0 : -EFAULT;
}

static void print_variable(void *ctx, const char *name, const char *value, bool parameter)
{
	struct printer *p = ctx;

	if (parameter != p->parameters)
		return;
	if (parameter)
		say(p, "%s%s=%s", p->args++ ? ", " : "", name, value);
	else
		say(p, "%s        %s = %s\n", p->indent, name, value);
}

static void print_variables(struct printer *p, const struct gyve_frame *f, unsigned level, bool parameters)
{
	struct gyve_expr_env env = {.reg = f->reg,
				    .known = f->known,
				    .has_cfa = f->has_cfa,
				    .cfa = f->cfa,
				    .bias = gyve_symtab_bias(p->t->syms),
				    .read = read_value,
				    .ctx = p};

	p->args = 0;
	p->parameters = parameters;
	gyve_symtab_locals(p->t->syms, f->exact ? f->pc : f->pc - 1, level, &env, print_variable, p);
}

/* The frame's own address stands before its innermost function only: the others have none. */
static void print_source(struct printer *p, const struct gyve_frame *f, const struct gyve_source *s, unsigned level)
{
	say(p, "%s#%-2u ", p->indent, p->number++);
	if (level == 0)
		say(p, "0x%016" PRIx64 " in ", f->pc);
	say(p, "%s (", s->function ? s->function : "??");
	print_variables(p, f, level, true);
	say(p, ")%s%s%s\n", *s->place ? " at " : "", s->place, s->inlined ? " [inlined]" : hows[f->how]);
	if (p->flags & GYVE_BACKTRACE_LOCALS)
		print_variables(p, f, level, false);
}

static void print_symbol(struct printer *p, const struct gyve_frame *f)
{
	char where[512];

	if (f->exact)
		gyve_symtab_format(p->t->syms, f->pc, where, sizeof(where));
	else
		gyve_symtab_format_return(p->t->syms, f->pc, where, sizeof(where));
	say(p, "%s#%-2u 0x%016" PRIx64 "%s%s%s\n", p->indent, p->number++, f->pc, strncmp(where, "0x", 2) ? " in " : "",
	    strncmp(where, "0x", 2) ? where : "", hows[f->how]);
}

static bool print_frame(void *ctx, unsigned number, const struct gyve_frame *f)
{
	struct gyve_source s[MAX_INLINED];
	struct printer *p = ctx;
	int n = gyve_symtab_sources(p->t->syms, f->exact ? f->pc : f->pc - 1, s, MAX_INLINED);

	(void)number;
	if (n <= 0)
		print_symbol(p, f);
	for (int i = 0; i < n; i++)
		print_source(p, f, &s[i], (unsigned)i);
	return true;
}

int gyve_backtrace_print(struct gyve_target *t, unsigned cpu, unsigned max, unsigned flags, const char *indent,
			 const struct gyve_sink *out, struct gyve_err *err)
{
	struct printer p = {.t = t, .cpu = cpu, .flags = flags, .out = out, .indent = indent};

	return gyve_unwind(t, cpu, max, print_frame, &p, err);
}
