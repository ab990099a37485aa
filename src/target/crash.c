/* The paragraph for a guest that died: what, where, why. */
#include "kernel.h"

#include "gyve/target.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *x, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(x->buf + (x->len < x->size ? x->len : x->size), x->len < x->size ? x->size - x->len : 0, fmt, ap);
	va_end(ap);
	if (n > 0)
		x->len += (size_t)n;
}

static void add_vector(struct text *x, const struct gyve_x86_regs *r)
{
	const char *name = gyve_x86_vector_name(r->exc_nr);

	if (!r->exc_pending && !r->exc_injected)
		return;
	add(x, "; in flight: %s (vector %u", name ? name : "exception", r->exc_nr);
	if (r->exc_has_error)
		add(x, ", error code 0x%x", r->exc_error);
	add(x, ")");
}

/* One sentence if addr cannot be translated, nothing if it can. */
static bool add_walk(struct text *x, struct gyve_target *t, unsigned cpu, const char *what, gyve_gva_t addr)
{
	struct gyve_walk w;
	struct gyve_err err = {0};

	if (gyve_target_translate(t, cpu, addr, &w, NULL, &err) == 0)
		return false;
	add(x, "; %s: %s", what, err.text);
	return true;
}

static void add_a64_exception(struct text *x, struct gyve_target *t, unsigned cpu, const struct gyve_a64_regs *r)
{
	char what[128], where[256];

	if (!r->esr_el1)
		return;
	gyve_a64_esr_text(r->esr_el1, what, sizeof(what));
	gyve_symtab_format(t->syms, r->elr_el1, where, sizeof(where));
	add(x, "; the last exception: %s (ESR_EL1 0x%" PRIx64 "), to return to 0x%" PRIx64, what, r->esr_el1, r->elr_el1);
	if (strncmp(where, "0x", 2) != 0)
		add(x, " in %s", where);
	if (!gyve_a64_esr_is_abort(r->esr_el1))
		return;
	add(x, "; FAR_EL1 is 0x%" PRIx64, r->far_el1);
	add_walk(x, t, cpu, "it is not mapped", r->far_el1);
}

static void add_why(struct text *x, struct gyve_target *t, unsigned cpu, const struct gyve_regs *r)
{
	bool pc_bad = add_walk(x, t, cpu, "the instruction address cannot be read", t->arch->pc(r));

	if (r->arch == GYVE_X86_64) {
		add_vector(x, &r->x86);
		if (r->x86.cr2 && !(pc_bad && r->x86.cr2 == r->x86.rip)) {
			add(x, "; CR2 is 0x%" PRIx64, r->x86.cr2);
			add_walk(x, t, cpu, "it is not mapped", r->x86.cr2);
		}
		if (r->x86.idt_limit < 16)
			add(x, "; the guest has set no interrupt table, so any exception ends it");
	} else {
		add_a64_exception(x, t, cpu, &r->a64);
	}
	add_walk(x, t, cpu, "the stack is not mapped", t->arch->sp(r));
}

static void add_bytes(void *ctx, const void *buf, size_t len)
{
	add(ctx, "%.*s", (int)len, (const char *)buf);
}

/* A frame that says no more than the sentence before it is left out. */
static void add_stack(struct text *x, struct gyve_target *t, unsigned cpu)
{
	struct gyve_sink out = {add_bytes, x};
	size_t before = x->len;

	add(x, "\n");
	if (gyve_backtrace_print(t, cpu, 32, 0, "  ", &out, NULL) < 2)
		x->len = before;
	else if (x->len <= x->size)
		x->len--; /* the last newline */
	if (x->len < x->size)
		x->buf[x->len] = '\0';
}

int gyve_crash_text(struct gyve_target *t, const struct gyve_stop *stop, char *buf, size_t size)
{
	struct text x = {buf, size, 0};
	struct gyve_regs *r;
	struct gyve_err none = {0};
	char where[256];
	uint64_t pc = stop->pc;
	bool panic = stop->catches == 1u << GYVE_CATCH_PANIC;
	unsigned groups = GYVE_REGS_GPR | GYVE_REGS_SYS | GYVE_REGS_EVENTS;
	bool have = gyve_target_regs(t, stop->cpu, groups, &r, NULL) == 0;

	if (have)
		pc = t->arch->pc(r);
	if (!t->syms && t->image_raw)
		gyve_kernel_of(t, &none); /* its own symbols, if it has come so far */
	gyve_symtab_format(t->syms, pc, where, sizeof(where));
	add(&x, panic ? "the guest's kernel panics: %.*s" : "the guest crashed: %.*s", (int)sizeof(stop->text),
	    stop->text[0] ? stop->text : "no reason was given");
	add(&x, "; vCPU %u at 0x%" PRIx64, stop->cpu, pc);
	if (strncmp(where, "0x", 2) != 0)
		add(&x, " in %s", where);
	if (have && !panic)
		add_why(&x, t, stop->cpu, r);
	if (have)
		add_stack(&x, t, stop->cpu);
	return (int)x.len;
}
