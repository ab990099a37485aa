/* Breakpoint conditions and commands, and tracepoints: what the vCPU that meets a point does there by itself. A false
 * condition, and a point that only has commands, cost no stop of the machine. */
#include "agent.h"
#include "trace.h"
#include "point.h"
#include "space.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { A64_SP = 31, A64_PC = 32 }; /* gdb's numbers */
enum { MAX_EXPRS = 64, MAX_AT_ONCE = 8 };

/* Expressions of one breakpoint, in one block of memory. */
struct bp_exprs {
	size_t n;
	uint64_t asked; /* atomic */
	bool persist;   /* commands: carried out also when the client is gone */
	struct {
		size_t len;
		const uint8_t *code;
	} e[];
};

void bp_exprs_free(struct bp_exprs *c)
{
	free(c);
}

uint64_t bp_exprs_asked(const struct bp_exprs *c)
{
	return __atomic_load_n(&c->asked, __ATOMIC_RELAXED);
}

bool bp_exprs_persist(const struct bp_exprs *c)
{
	return c && c->persist;
}

static int make(struct bp_exprs **ret, const struct gyve_agent_expr *e, size_t n, unsigned allowed, struct gyve_err *err)
{
	struct bp_exprs *c;
	size_t bytes = 0;

	*ret = NULL;
	if (n > MAX_EXPRS)
		return gyve_err_set(err, -E2BIG, "a breakpoint takes up to %d of them", MAX_EXPRS);
	for (size_t i = 0; i < n; i++) {
		int r = agent_check(e[i].code, e[i].len, allowed, err);
		if (r < 0)
			return r;
		bytes += e[i].len;
	}
	if (!n)
		return 0;
	c = calloc(1, sizeof(*c) + n * sizeof(c->e[0]) + bytes);
	if (!c)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	uint8_t *code = (uint8_t *)&c->e[n];
	c->n = n;
	for (size_t i = 0; i < n; i++) {
		c->e[i].len = e[i].len;
		c->e[i].code = memcpy(code, e[i].code, e[i].len);
		code += e[i].len;
	}
	*ret = c;
	return 0;
}

/* Put c in place of the conditions or commands of a breakpoint. */
static int replace(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, bool commands, struct bp_exprs *c,
		   struct gyve_err *err)
{
	bool found = false, held;

	if (!run_change_begin(vm, &held)) {
		bp_exprs_free(c);
		return gyve_err_set(err, -EBUSY, "the guest is running");
	}
	pthread_mutex_lock(&vm->book_lock);
	struct gyve_space in = space_for(vm, gva);
	size_t iter = SIZE_MAX;
	struct point *p;
	while (!found && (p = point_at(vm, gva, &iter)) != NULL) {
		struct bp_exprs **at = commands ? &p->cmds : &p->conds;
		found = p->kind == kind && kind <= GYVE_POINT_HW && space_same(vm, &p->in, &in);
		if (found) {
			bp_exprs_free(*at);
			*at = c;
		}
	}
	pthread_mutex_unlock(&vm->book_lock);
	run_change_end(vm, held);
	if (found)
		return 0;
	bp_exprs_free(c);
	return gyve_err_set(err, -ENOENT, "there is no breakpoint at 0x%" PRIx64, gva);
}

int gyve_bp_conditions(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
		       struct gyve_err *err)
{
	struct bp_exprs *c;

	int r = make(&c, e, n, AGENT_VARS, err);
	return r < 0 ? r : replace(vm, kind, gva, false, c, err);
}

int gyve_bp_commands(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
		     bool persist, struct gyve_err *err)
{
	struct bp_exprs *c;

	int r = make(&c, e, n, AGENT_VARS | AGENT_PRINT, err);
	if (r < 0)
		return r;
	if (c)
		c->persist = persist;
	return replace(vm, kind, gva, true, c, err);
}

/* --- on the vCPU's thread */

int vcpu_agent_reg(void *ctx, unsigned number, uint64_t *ret)
{
	struct gyve_vcpu *v = ctx;
	const struct gyve_arch *a = v->vm->arch;
	const struct gyve_reg_row *row = number < a->nregs ? &a->regs[number] : NULL;

	*ret = 0;
	if (!row || row->bits > 64)
		return -ENOENT;
	if (a->id == GYVE_AARCH64 && row->group == GYVE_REGS_GPR && number <= A64_PC) { /* there each costs something */
		if (number == A64_PC ? !vcpu_regs(v, GYVE_REGS_PC_ONLY) : !vcpu_x(v, 1u << number))
			return -ENOENT;
		const struct gyve_a64_regs *r = &v->regs.a64;
		*ret = number == A64_PC ? r->pc : number == A64_SP ? r->sp : r->x[number];
		return 0;
	}
	return vcpu_regs(v, row->group) ? row->get(row, &v->regs, ret) : -ENOENT;
}

int vcpu_agent_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	return vcpu_read(ctx, addr, buf, len) == (ssize_t)len ? 0 : -EFAULT;
}

static int print(void *ctx, const char *text, size_t len)
{
	struct gyve_vcpu *v = ctx;

	text_put(v->vm, text, len);
	return 0;
}

static const struct agent_env *env_of(struct gyve_vcpu *v, struct agent_env *env)
{
	*env = (struct agent_env){.reg = vcpu_agent_reg,
				  .read = vcpu_agent_read,
				  .var_get = trace_var_get,
				  .var_set = trace_var_set,
				  .print = print,
				  .ctx = v};
	return env;
}

/* One that cannot be evaluated counts as true: a stop too many can be looked at, one too few cannot. */
static bool is_true(struct gyve_vcpu *v, struct bp_exprs *c)
{
	struct agent_env env;

	__atomic_fetch_add(&c->asked, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < c->n; i++) {
		uint64_t value;
		if (agent_eval(c->e[i].code, c->e[i].len, env_of(v, &env), &value) < 0 || value)
			return true;
	}
	return false;
}

/* A command that cannot be carried out is a line of output: the others still are. */
static void carry_out(struct gyve_vcpu *v, gyve_gva_t pc, struct bp_exprs *c)
{
	struct agent_env env;

	for (size_t i = 0; i < c->n; i++) {
		int r = agent_eval(c->e[i].code, c->e[i].len, env_of(v, &env), NULL);
		char text[128];
		if (r == 0)
			continue;
		int n = snprintf(text, sizeof(text), "a command of the breakpoint at 0x%" PRIx64 " failed: %s\n", pc,
				 strerror(-r));
		text_put(v->vm, text, n > 0 ? (size_t)n : 0);
	}
}

/* What there is at an address. */
struct found {
	bool any, trace, stops;
	bool elsewhere; /**< what is there is none of this vCPU's address space, or its page is still to come */
	size_t n;
	struct {
		struct bp_exprs *conds, *cmds;
	} user[MAX_AT_ONCE];
};

static void find_at(struct gyve_vcpu *v, gyve_gva_t pc, struct found *f)
{
	struct gyve_vm *vm = v->vm;

	memset(f, 0, sizeof(*f));
	pthread_mutex_lock(&vm->book_lock);
	const struct point *p;
	size_t at = SIZE_MAX;
	while ((p = point_at(vm, pc, &at)) != NULL) {
		if (p->kind > GYVE_POINT_HW)
			continue;
		if (!space_has(v, &p->in, pc)) {
			f->elsewhere = true;
			continue;
		}
		f->any = true;
		f->trace |= (p->owners & POINT_TRACE) != 0;
		f->stops |= p->owners & (POINT_CATCH | POINT_LIBRARY) || (p->owners & POINT_USER && !p->conds && !p->cmds);
		if (!(p->owners & (POINT_USER | POINT_STAYS)) || (!p->conds && !p->cmds))
			continue;
		if (f->n == MAX_AT_ONCE) {
			f->stops = true;
			break;
		}
		f->user[f->n].conds = p->conds;
		f->user[f->n++].cmds = p->cmds;
	}
	if (!f->any && !f->elsewhere) /* by another address, or in the way of a shadow that is gone */
		f->elsewhere = bp_only_spaced(v, pc);
	pthread_mutex_unlock(&vm->book_lock);
}

/* Expressions change only while the machine stands: what is found under the lock lives until this vCPU is out. */
bool point_stops(struct gyve_vcpu *v, gyve_gva_t pc)
{
	bool again = v->agent_done && v->agent_pc == pc; /* a stop came before the instruction: it is done once */
	struct found f;

	find_at(v, pc, &f);
	if (f.trace && !again)
		trace_hit(v, pc);
	for (size_t i = 0; i < f.n; i++) {
		if (f.stops && !f.user[i].cmds)
			continue;
		if (f.user[i].conds && !is_true(v, f.user[i].conds))
			continue;
		if (!f.user[i].cmds)
			f.stops = true;
		else if (!again)
			carry_out(v, pc, f.user[i].cmds);
	}
	v->agent_done = true;
	v->agent_pc = pc;
	return f.stops || (!f.any && !f.elsewhere);
}

void point_passed(struct gyve_vcpu *v, gyve_gva_t pc)
{
	struct found f;

	if (v->agent_done && v->agent_pc == pc)
		return;
	find_at(v, pc, &f);
	if (!f.trace)
		return;
	trace_hit(v, pc);
	v->agent_done = true;
	v->agent_pc = pc;
}
