/* A call stack as text, for `monitor bt`, the crash report and `gyve bt`. */
#include "gyve/target.h"
#include "gyve/unwind.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *const hows[] = {
	[GYVE_FRAME_FIRST] = "",
	[GYVE_FRAME_CFI] = "",
	[GYVE_FRAME_POINTER] = " [by frame pointer]",
	[GYVE_FRAME_RETURN] = " [by return address]",
	[GYVE_FRAME_EXCEPTION] = " [interrupted here]",
};

struct printer {
	struct gyve_target *t;
	const struct gyve_sink *out;
	const char *indent;
};

static bool print_frame(void *ctx, unsigned number, const struct gyve_frame *f)
{
	const struct printer *p = ctx;
	char where[512], line[640];

	if (f->exact)
		gyve_symtab_format(p->t->syms, f->pc, where, sizeof(where));
	else
		gyve_symtab_format_return(p->t->syms, f->pc, where, sizeof(where));
	snprintf(line, sizeof(line), "%s#%-2u 0x%016" PRIx64 "%s%s%s\n", p->indent, number, f->pc,
		 where[0] == '0' ? "" : " in ", where[0] == '0' ? "" : where, hows[f->how]);
	p->out->write(p->out->ctx, line, strlen(line));
	return true;
}

int gyve_backtrace_print(struct gyve_target *t, unsigned cpu, unsigned max, const char *indent, const struct gyve_sink *out,
			 struct gyve_err *err)
{
	struct printer p = {t, out, indent};

	return gyve_unwind(t, cpu, max, print_frame, &p, err);
}
