/* A Linux kernel that panics while no debugger looks. Where symbols tell, breakpoints follow it: panic() begins, the message
 * and the stack are in its log when console_flush_on_panic() is called, and on the console when that returns: then it is
 * stopped. Where breakpoints are impossible or nothing is known, it is what the kernel says on its console: its last words, or
 * its message and then a reset. */
#include "panic.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum where { BEFORE, BEGUN, FLUSHING, DONE };
enum { BEGIN = 1, LAST = 2 };

struct gyve_panic {
	bool ends, by_symbols;
	enum where where;
	bool armed, told; /* told: it ended, and that was said */
	gyve_gva_t at;    /* armed: the breakpoint */
	gyve_gva_t back;  /* FLUSHING: where that returns to */
	bool due;         /* stopped because of its words */
	int fd;
	unsigned said; /* atomic: BEGIN, LAST */
	/* what it says, on the threads of vCPUs */
	char line[256];
	size_t len;
	pthread_mutex_t lock;
	char message[160];
};

static const char begin[] = "Kernel panic - not syncing", last[] = "---[ end Kernel panic - not syncing";

int gyve_panic_create(struct gyve_panic **ret, bool ends, bool by_symbols)
{
	struct gyve_panic *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->ends = ends;
	p->by_symbols = by_symbols;
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->fd < 0) {
		free(p);
		return -errno;
	}
	pthread_mutex_init(&p->lock, NULL);
	*ret = p;
	return 0;
}

void gyve_panic_destroy(struct gyve_panic *p)
{
	if (!p)
		return;
	close(p->fd);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* --- what it says */

static void tell(struct gyve_panic *p, unsigned what)
{
	__atomic_fetch_or(&p->said, what, __ATOMIC_SEQ_CST);
	eventfd_write(p->fd, 1);
}

static void hear_line(struct gyve_panic *p)
{
	const char *at;

	p->line[p->len] = '\0';
	if (strstr(p->line, last)) {
		tell(p, LAST);
	} else if ((at = strstr(p->line, begin)) != NULL) {
		at += sizeof(begin) - 1;
		pthread_mutex_lock(&p->lock);
		snprintf(p->message, sizeof(p->message), "%s", *at == ':' && at[1] ? at + 2 : "no reason is given");
		pthread_mutex_unlock(&p->lock);
		tell(p, BEGIN);
	}
}

void gyve_panic_hear(struct gyve_panic *p, const void *buf, size_t len)
{
	const char *c = buf;

	for (size_t i = 0; i < len; i++) {
		if (c[i] == '\n') {
			hear_line(p);
			p->len = 0;
		} else if (c[i] != '\r' && c[i] && p->len < sizeof(p->line) - 1) {
			p->line[p->len++] = c[i];
		}
	}
}

static bool message(struct gyve_panic *p, char *buf, size_t size)
{
	pthread_mutex_lock(&p->lock);
	snprintf(buf, size, "%s", p->message);
	pthread_mutex_unlock(&p->lock);
	return *buf;
}

int panic_fd(const struct gyve_panic *p)
{
	return p ? p->fd : -1;
}

void panic_heard(struct gyve_panic *p, struct gyve_target *t, bool debugger)
{
	eventfd_t n;

	if (eventfd_read(p->fd, &n) < 0)
		return;
	unsigned said = __atomic_exchange_n(&p->said, 0, __ATOMIC_SEQ_CST);
	if (debugger ? !(said & BEGIN) || !t->catch_heard_panic : !(said & LAST) || !p->ends || p->where == DONE)
		return;
	p->due = true;
	if (!gyve_target_stopped(t))
		gyve_target_interrupt(t);
}

/* --- breakpoints */

static bool breakpoints_are_cheap(const struct gyve_target *t)
{
	const struct gyve_host_caps *c = t->caps;
	return !c || !c->no_sw_bp || c->sw_bp_is_internal_error || (c->hw_bps && !c->no_hw_bp);
}

bool panic_has_breakpoint(const struct gyve_target *t, uint64_t *at)
{
	return breakpoints_are_cheap(t) && !t->syms_adrift && gyve_symtab_lookup(t->syms, "panic", at) == 0;
}

static bool next_point(const struct gyve_panic *p, const struct gyve_target *t, gyve_gva_t *at)
{
	switch (p->where) {
	case BEFORE:
		return panic_has_breakpoint(t, at);
	case BEGUN:
		return gyve_symtab_lookup(t->syms, "console_flush_on_panic", at) == 0;
	case FLUSHING:
		*at = p->back;
		return true;
	default:
		return false;
	}
}

void panic_arm(struct gyve_panic *p, struct gyve_target *t)
{
	if (!panic_wants_points(p) || p->armed || !next_point(p, t, &p->at))
		return;
	p->armed = gyve_target_point_insert(t, GYVE_POINT_SW, p->at, t->arch->bp_len, NULL) == 0;
}

bool panic_wants_points(const struct gyve_panic *p)
{
	return p && p->ends && p->by_symbols;
}

void panic_disarm(struct gyve_panic *p, struct gyve_target *t)
{
	if (p && p->armed)
		gyve_target_point_remove(t, GYVE_POINT_SW, p->at, t->arch->bp_len);
	if (p)
		p->armed = false;
}

/* At a function's first instruction. */
static bool return_address(struct gyve_target *t, unsigned cpu, gyve_gva_t *ret)
{
	struct gyve_regs *r;
	uint8_t b[8];

	if (gyve_target_regs(t, cpu, GYVE_REGS_GPR, &r, NULL) < 0)
		return false;
	if (r->arch == GYVE_AARCH64) {
		*ret = r->a64.x[30];
		return true;
	}
	if (gyve_target_read(t, cpu, r->x86.gpr[GYVE_RSP], b, sizeof(b), NULL) != sizeof(b))
		return false;
	*ret = 0;
	for (unsigned i = sizeof(b); i-- > 0;)
		*ret = *ret << 8 | b[i];
	return true;
}

/* --- the end */

struct search {
	bool found;
};

static void look_for_panic(void *ctx, const struct gyve_bt_line *line)
{
	struct search *s = ctx;
	size_t n = strcspn(line->symbol, "+");

	s->found |= n == 5 && memcmp(line->symbol, "panic", n) == 0;
}

/* Which vCPU is in panic()? Others have been stopped by it, or sleep. */
static unsigned panicked(struct gyve_target *t, unsigned otherwise)
{
	for (unsigned cpu = 0; cpu < t->ncpus; cpu++) {
		struct search s = {false};
		gyve_backtrace(t, cpu, 32, look_for_panic, &s, NULL);
		if (s.found)
			return cpu;
	}
	return otherwise;
}

static void finish(struct gyve_panic *p, struct gyve_target *t, struct gyve_stop *stop)
{
	struct gyve_regs *r;

	p->where = DONE;
	stop->kind = GYVE_STOP_CRASH;
	stop->catches = 1u << GYVE_CATCH_PANIC;
	stop->code = 0;
	if (!message(p, stop->text, sizeof(p->message)))
		snprintf(stop->text, sizeof(stop->text), "it did not say why on a console of gyve's");
	if (gyve_target_regs(t, stop->cpu, GYVE_REGS_GPR, &r, NULL) == 0)
		stop->pc = t->arch->pc(r);
	t->last = *stop;
}

enum panic_result panic_stop(struct gyve_panic *p, struct gyve_target *t, struct gyve_stop *stop)
{
	bool hit = p && p->armed && (stop->kind == GYVE_STOP_SW_BP || stop->kind == GYVE_STOP_HW_BP) && stop->pc == p->at;

	if (p && p->due && stop->kind == GYVE_STOP_INTERRUPT) {
		p->due = false;
		panic_disarm(p, t);
		stop->cpu = panicked(t, stop->cpu);
		finish(p, t, stop);
		return PANIC_NOW;
	}
	if (!hit)
		return PANIC_NOT;
	panic_disarm(p, t);
	if (p->where == FLUSHING) {
		finish(p, t, stop);
		return PANIC_NOW;
	}
	p->where = p->where == BEFORE ? BEGUN : return_address(t, stop->cpu, &p->back) ? FLUSHING : DONE;
	panic_arm(p, t);
	return PANIC_GO_ON;
}

void panic_caught(struct gyve_panic *p, struct gyve_target *t, struct gyve_stop *stop)
{
	if (!p || !p->due)
		return;
	p->due = false; /* also where something else came first */
	if (stop->kind != GYVE_STOP_INTERRUPT)
		return;
	stop->kind = GYVE_STOP_CATCH;
	stop->catches = 1u << GYVE_CATCH_PANIC;
	stop->cpu = panicked(t, stop->cpu);
	message(p, stop->text, sizeof(p->message));
	t->last = *stop;
}

bool panic_ended(struct gyve_panic *p, struct gyve_target *t, struct gyve_stop *stop)
{
	char text[sizeof(p->message)];

	if (!p || !p->ends || p->where == DONE || (p->where == BEFORE && !message(p, text, sizeof(text))))
		return false;
	stop->cpu = panicked(t, stop->cpu);
	finish(p, t, stop);
	return true;
}
