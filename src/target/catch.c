/* Exceptions that are to stop the guest: `monitor catch`, and what a caught one says. */
#include "monitor.h"
#include "panic.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[GYVE_CATCH_N] = {
	[GYVE_CATCH_PF] = "pf",     [GYVE_CATCH_GP] = "gp",         [GYVE_CATCH_UD] = "ud",       [GYVE_CATCH_DF] = "df",
	[GYVE_CATCH_SYNC] = "sync", [GYVE_CATCH_SERROR] = "serror", [GYVE_CATCH_PANIC] = "panic",
};

static bool of_arch(const struct gyve_target *t, unsigned what)
{
	uint64_t at;

	if (what == GYVE_CATCH_PANIC)
		return t->panic || gyve_symtab_lookup(t->syms, "panic", &at) == 0;
	return (what >= GYVE_CATCH_SYNC) == (t->arch->id == GYVE_AARCH64);
}

static int list(struct mon *m)
{
	unsigned on = m->t->ops->catches(m->t->ctx) | (unsigned)m->t->catch_heard_panic << GYVE_CATCH_PANIC;

	for (unsigned i = 0; i < GYVE_CATCH_N; i++)
		if (of_arch(m->t, i))
			mon_say(m, "%-7s %s\n", names[i], on & 1u << i ? "on" : "off");
	return 0;
}

int mon_catch(struct mon *m)
{
	char what[16], how[8];
	bool known = false;
	uint64_t at = 0;
	int ret = 0;

	if (!m->t->ops->catch_set)
		return gyve_err_set(m->err, -ENOTSUP, "%s", m->t->ops->cannot_run);
	if (!mon_word(m, what, sizeof(what)))
		return *m->arg ? gyve_err_set(m->err, -EINVAL, "there is no exception '%.40s'", m->arg) : list(m);
	bool given = mon_word(m, how, sizeof(how)), off = strcmp(how, "off") == 0;
	if (given && !off && strcmp(how, "on") != 0)
		return gyve_err_set(m->err, -EINVAL, "'%s' is neither on nor off", how);
	ret = mon_end(m);
	for (unsigned i = 0; ret == 0 && i < GYVE_CATCH_N; i++) {
		if (strcmp(what, names[i]) != 0 && !(strcmp(what, "all") == 0 && of_arch(m->t, i)))
			continue;
		known = true;
		if (i == GYVE_CATCH_PANIC && m->t->panic && !panic_has_breakpoint(m->t, &at)) {
			m->t->catch_heard_panic = !off;
			continue;
		}
		if (i == GYVE_CATCH_PANIC && gyve_symtab_lookup(m->t->syms, "panic", &at) < 0)
			return gyve_err_set(m->err, -ENOENT, "there is no symbol 'panic': --symbols names a kernel's vmlinux");
		if (i == GYVE_CATCH_PANIC)
			m->t->ops->panic_at(m->t->ctx, at);
		ret = m->t->ops->catch_set(m->t->ctx, i, !off, m->err);
	}
	if (ret == 0 && !known)
		ret = gyve_err_set(m->err, -EINVAL, "there is no exception '%s': pf, gp, ud, df; sync, serror; panic; all",
				   what);
	return ret < 0 ? ret : list(m);
}

/* --- what a caught one says */

struct text {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *x, const char *fmt, ...)
{
	size_t at = x->len < x->size ? x->len : x->size;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(x->buf + at, x->size - at, fmt, ap);
	va_end(ap);
	if (n > 0)
		x->len += (size_t)n;
}

static void add_place(struct text *x, struct gyve_target *t, const char *what, gyve_gva_t gva)
{
	char where[256];

	gyve_symtab_format(t->syms, gva, where, sizeof(where));
	add(x, "%s0x%" PRIx64, what, gva);
	if (strncmp(where, "0x", 2) != 0)
		add(x, " in %s", where);
}

static void add_unmapped(struct text *x, struct gyve_target *t, unsigned cpu, gyve_gva_t gva)
{
	struct gyve_err err = {0};
	struct gyve_walk w;

	if (gyve_target_translate(t, cpu, gva, &w, NULL, &err) < 0)
		add(x, "; %s", err.text);
}

/* Intel SDM vol. 3A 4.7 */
static void add_page_fault(struct text *x, struct gyve_target *t, unsigned cpu, uint64_t cr2, uint64_t code)
{
	add(x, ": %s of 0x%" PRIx64 " (CR2) from ring %s, %s",
	    code & 16  ? "execution"
	    : code & 2 ? "write"
		       : "read",
	    cr2, code & 4 ? "3" : "0",
	    code & 8   ? "a reserved bit is set"
	    : code & 1 ? "the page's rights forbid it"
		       : "not present");
	if (code & 32)
		add(x, ", protection key");
	if (!(code & 1))
		add_unmapped(x, t, cpu, cr2);
}

/* Intel SDM vol. 3A 6.13 */
static void add_selector(struct text *x, uint64_t code)
{
	if (code & 0xfff8)
		add(x, ": %s entry %u", code & 2 ? "IDT" : code & 4 ? "LDT" : "GDT", (unsigned)(code & 0xffff) >> 3);
	if (code & 1)
		add(x, ", while another event was delivered");
}

/* The frame that the processor has pushed: Intel SDM vol. 3A 6.14.2, 6.12.1. */
static void x86_text(struct text *x, struct gyve_target *t, const struct gyve_stop *stop, const struct gyve_regs *r)
{
	static const uint8_t vectors[] = {[GYVE_CATCH_PF] = 14, [GYVE_CATCH_GP] = 13, [GYVE_CATCH_UD] = 6, [GYVE_CATCH_DF] = 8};
	bool has_code = !(stop->catches & 1u << GYVE_CATCH_UD), wide = r->x86.efer & 1u << 10;
	unsigned size = wide ? 8 : 4, first = 1;
	uint64_t frame[4] = {0};
	uint8_t buf[32];
	ssize_t n = gyve_target_read(t, stop->cpu, r->x86.gpr[GYVE_RSP], buf, 4 * size, NULL);

	for (unsigned i = 0; n == (ssize_t)(4 * size) && i < 4; i++)
		frame[i] = wide ? get_le64(buf + 8 * i) : get_le32(buf + 4 * i);
	for (unsigned i = 0; i < GYVE_ARRAY_SIZE(vectors); i++)
		if (stop->catches & 1u << i) {
			add(x, "%s%s", first ? "" : " or ", gyve_x86_vector_name(vectors[i]));
			first = 0;
		}
	if (n != (ssize_t)(4 * size)) {
		add(x, "; the stack cannot be read");
		return;
	}
	if (stop->catches == 1u << GYVE_CATCH_PF)
		add_page_fault(x, t, stop->cpu, r->x86.cr2, frame[0]);
	else if (has_code)
		add_selector(x, frame[0]);
	add_place(x, t, "; at ", frame[has_code]);
	if (has_code)
		add(x, ", error code 0x%" PRIx64, frame[0]);
}

static void a64_text(struct text *x, struct gyve_target *t, const struct gyve_stop *stop, const struct gyve_a64_regs *r)
{
	static const char *const from[] = {"the current level on SP_EL0", "the current level", "a lower level",
					   "a lower level in AArch32"};
	unsigned off = (unsigned)(stop->pc & 0x7ff);
	char what[128];

	gyve_a64_esr_text(r->esr_el1, what, sizeof(what));
	add(x, "%s from %s: %s, ESR_EL1 0x%" PRIx64,
	    stop->catches & 1u << GYVE_CATCH_SERROR ? "SError" : "synchronous exception", from[off >> 9], what, r->esr_el1);
	add_place(x, t, "; at ", r->elr_el1);
	if (!gyve_a64_esr_is_abort(r->esr_el1))
		return;
	add(x, "; FAR_EL1 0x%" PRIx64, r->far_el1);
	add_unmapped(x, t, stop->cpu, r->far_el1);
}

/* What was heard; or its first argument: what it will print, with places for numbers. */
static void panic_text(struct text *x, struct gyve_target *t, unsigned cpu, const char *heard)
{
	char message[160] = "";
	struct gyve_regs *r;

	add(x, "vCPU %u: the kernel panics", cpu);
	if (heard)
		add(x, ": %s", heard);
	if (heard || gyve_target_regs(t, cpu, GYVE_REGS_GPR, &r, NULL) < 0)
		return;
	uint64_t at = r->arch == GYVE_X86_64 ? r->x86.gpr[GYVE_RDI] : r->a64.x[0];
	ssize_t n = gyve_target_read(t, cpu, at, message, sizeof(message) - 1, NULL);
	message[n > 0 ? n : 0] = '\0';
	message[strcspn(message, "\n")] = '\0';
	add(x, ": %s", message);
}

int gyve_catch_text(struct gyve_target *t, const struct gyve_stop *stop, char *buf, size_t size)
{
	struct text x = {buf, size, 0};
	struct gyve_regs *r;

	if (stop->catches == 1u << GYVE_CATCH_PANIC) {
		panic_text(&x, t, stop->cpu, *stop->text ? stop->text : NULL);
		return (int)x.len;
	}
	add(&x, "vCPU %u has taken an exception: ", stop->cpu);
	if (gyve_target_regs(t, stop->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, NULL) < 0)
		add(&x, "its registers cannot be read");
	else if (r->arch == GYVE_X86_64)
		x86_text(&x, t, stop, r);
	else
		a64_text(&x, t, stop, &r->a64);
	return (int)x.len;
}
