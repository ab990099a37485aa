/* Breakpoint conditions, evaluated by the vCPU that meets the breakpoint: a false one costs no stop of the machine. */
#include "agent.h"
#include "vmm.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONDITIONS = 64, MAX_AT_ONCE = 8 };

struct bp_conds {
	size_t n;
	uint64_t asked; /* atomic */
	struct {
		size_t len;
		uint8_t code[AGENT_MAX_LEN];
	} * e;
};

void cond_free(struct bp_conds *c)
{
	if (!c)
		return;
	free(c->e);
	free(c);
}

uint64_t cond_asked(const struct bp_conds *c)
{
	return __atomic_load_n(&c->asked, __ATOMIC_RELAXED);
}

static int make(struct bp_conds **ret, const struct gyve_agent_expr *e, size_t n, struct gyve_err *err)
{
	struct bp_conds *c;

	*ret = NULL;
	if (n > MAX_CONDITIONS)
		return gyve_err_set(err, -E2BIG, "a breakpoint takes up to %d conditions", MAX_CONDITIONS);
	for (size_t i = 0; i < n; i++) {
		int r = agent_check(e[i].code, e[i].len, err);
		if (r < 0)
			return r;
	}
	if (!n)
		return 0;
	c = calloc(1, sizeof(*c));
	if (!c || !(c->e = calloc(n, sizeof(*c->e)))) {
		free(c);
		return gyve_err_set(err, -ENOMEM, "out of memory");
	}
	c->n = n;
	for (size_t i = 0; i < n; i++) {
		c->e[i].len = e[i].len;
		memcpy(c->e[i].code, e[i].code, e[i].len);
	}
	*ret = c;
	return 0;
}

int gyve_bp_conditions(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
		       struct gyve_err *err)
{
	struct bp_conds *c;
	bool found = false;
	int r;

	if (!gyve_run_stopped(vm))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	r = make(&c, e, n, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->npoints && !found; i++) {
		struct point *p = &vm->points[i];
		found = p->kind == kind && p->gva == gva && kind <= GYVE_POINT_HW;
		if (found) {
			cond_free(p->conds);
			p->conds = c;
		}
	}
	pthread_mutex_unlock(&vm->book_lock);
	if (found)
		return 0;
	cond_free(c);
	return gyve_err_set(err, -ENOENT, "there is no breakpoint at 0x%" PRIx64, gva);
}

/* --- on the vCPU's thread */

static int read_reg(void *ctx, unsigned number, uint64_t *ret)
{
	struct gyve_vcpu *v = ctx;
	const struct gyve_arch *a = v->vm->arch;
	const struct gyve_reg_row *row = number < a->nregs ? &a->regs[number] : NULL;
	const struct gyve_regs *r = row && row->bits <= 64 ? vcpu_regs(v, row->group) : NULL;

	*ret = 0;
	return r ? row->get(row, r, ret) : -ENOENT;
}

static int read_mem(void *ctx, uint64_t addr, void *buf, size_t len)
{
	return vcpu_read(ctx, addr, buf, len) == (ssize_t)len ? 0 : -EFAULT;
}

/* One that cannot be evaluated counts as true: a stop too many can be looked at, one too few cannot. */
static bool is_true(struct gyve_vcpu *v, struct bp_conds *c)
{
	const struct agent_env env = {read_reg, read_mem, v};

	__atomic_fetch_add(&c->asked, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < c->n; i++) {
		uint64_t value;
		if (agent_eval(c->e[i].code, c->e[i].len, &env, &value) < 0 || value)
			return true;
	}
	return false;
}

/* Conditions change only while the machine stands: what is found under the lock lives until this vCPU is out. */
bool cond_stops(struct gyve_vcpu *v, gyve_gva_t pc)
{
	struct bp_conds *found[MAX_AT_ONCE];
	struct gyve_vm *vm = v->vm;
	bool stops = false;
	size_t n = 0;

	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->npoints && !stops; i++) {
		const struct point *p = &vm->points[i];
		if (p->gva != pc || p->kind > GYVE_POINT_HW)
			continue;
		stops = !p->conds || p->owners != POINT_USER || n == MAX_AT_ONCE;
		if (!stops)
			found[n++] = p->conds;
	}
	pthread_mutex_unlock(&vm->book_lock);
	for (size_t i = 0; i < n && !stops; i++)
		stops = is_true(v, found[i]);
	return stops || !n;
}
