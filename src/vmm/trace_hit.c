/* Collecting, on the thread of the vCPU that is at a tracepoint. */
#include "trace.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct builder {
	struct gyve_vcpu *v;
	struct trace_frame *f;
	size_t cap;
	uint8_t extra[1024]; /* goes behind the blocks */
};

/* Room for n more bytes, or NULL. */
static uint8_t *room(struct builder *b, size_t n)
{
	if (b->f->len + n > TRACE_MAX_FRAME)
		return NULL;
	if (b->f->len + n + sizeof(b->extra) > b->cap) {
		size_t cap = 2 * b->cap + n + sizeof(b->extra);
		struct trace_frame *f = realloc(b->f, sizeof(*f) + cap);
		if (!f)
			return NULL;
		b->f = f;
		b->cap = cap;
	}
	b->f->len += (uint32_t)n;
	return b->f->data + b->f->len - n;
}

/* --- the blocks */

static bool get_reg(struct gyve_vcpu *v, unsigned number, void *buf)
{
	const struct gyve_reg_row *row = &v->vm->arch->regs[number];
	const struct gyve_regs *r = vcpu_regs(v, row->group);

	memset(buf, 0, row->bits / 8);
	return r && row->get(row, r, buf) == 0;
}

static int collect_g(struct builder *b)
{
	const struct gyve_arch *a = b->v->vm->arch;
	uint8_t *p = room(b, 1);

	if (!p)
		return -E2BIG;
	*p = 'R';
	for (unsigned i = 0; i < b->v->vm->trace->ng; i++) {
		p = room(b, a->regs[i].bits / 8);
		if (!p)
			return -E2BIG;
		get_reg(b->v, i, p);
	}
	return 0;
}

static void collect_behind(struct builder *b, unsigned number)
{
	size_t n = b->v->vm->arch->regs[number].bits / 8;
	uint8_t *p = b->extra + b->f->extra;

	if (b->f->extra + 4 + n > sizeof(b->extra) || !get_reg(b->v, number, p + 4))
		return;
	put_le16(p, (uint16_t)number);
	put_le16(p + 2, (uint16_t)n);
	b->f->extra += (uint32_t)(4 + n);
}

static int collect_regs(struct builder *b, const struct gyve_trace_action *a)
{
	const struct gyve_arch *arch = b->v->vm->arch;
	unsigned ng = b->v->vm->trace->ng;
	bool in_g = false, all = true;

	/* $regs asks for every register there is, of which some take longer than all the rest */
	for (unsigned n = 0; n < ng && all; n++)
		all = n / 8 < a->e.len && a->e.code[n / 8] >> n % 8 & 1;
	if (all)
		return collect_g(b);
	for (unsigned n = 0; n < 8 * a->e.len && n < arch->nregs; n++) {
		if (!(a->e.code[n / 8] >> n % 8 & 1))
			continue;
		if (n < ng)
			in_g = true;
		else
			collect_behind(b, n);
	}
	return in_g ? collect_g(b) : 0;
}

/* What of it can be read. */
static int collect_mem(void *ctx, uint64_t addr, uint64_t len)
{
	struct builder *b = ctx;

	while (len) {
		uint16_t n = len < UINT16_MAX ? (uint16_t)len : UINT16_MAX;
		uint8_t *p = room(b, 11u + n);
		if (!p)
			return -E2BIG;
		ssize_t got = vcpu_read(b->v, addr, p + 11, n);
		*p = 'M';
		put_le64(p + 1, addr);
		put_le16(p + 9, got > 0 ? (uint16_t)got : 0);
		b->f->len -= got > 0 ? n - (uint32_t)got : 11u + n;
		if (got < n)
			return 0;
		addr += n;
		len -= n;
	}
	return 0;
}

static int collect_var(void *ctx, unsigned number)
{
	struct builder *b = ctx;
	uint64_t value;
	uint8_t *p;

	if (gyve_trace_value(b->v->vm->trace, number, &value) < 0)
		return -ENOENT;
	p = room(b, 13);
	if (!p)
		return -E2BIG;
	*p = 'V';
	put_le32(p + 1, number);
	put_le64(p + 5, value);
	return 0;
}

/* Up to its end, or max bytes of it. */
static int collect_string(void *ctx, uint64_t addr, uint64_t max)
{
	enum { LONGEST = 4096 };
	struct builder *b = ctx;
	uint64_t n = 0;
	char c = 1;

	if (!max || max > LONGEST)
		max = LONGEST;
	while (n < max && c && vcpu_read(b->v, addr + n, &c, 1) == 1)
		n++;
	return n ? collect_mem(b, addr, n) : 0;
}

static int read_reg(void *ctx, unsigned number, uint64_t *ret)
{
	return vcpu_agent_reg(((struct builder *)ctx)->v, number, ret);
}

static int read_mem(void *ctx, uint64_t addr, void *buf, size_t len)
{
	return vcpu_agent_read(((struct builder *)ctx)->v, addr, buf, len);
}

static int var_get(void *ctx, unsigned number, uint64_t *ret)
{
	return trace_var_get(((struct builder *)ctx)->v, number, ret);
}

static int var_set(void *ctx, unsigned number, uint64_t value)
{
	return trace_var_set(((struct builder *)ctx)->v, number, value);
}

static struct agent_env env_of(struct builder *b)
{
	return (struct agent_env){.reg = read_reg,
				  .read = read_mem,
				  .ctx = b,
				  .var_get = var_get,
				  .var_set = var_set,
				  .trace = collect_mem,
				  .trace_string = collect_string,
				  .trace_var = collect_var};
}

static int act(struct builder *b, const struct gyve_trace_action *a)
{
	const struct agent_env env = env_of(b);
	uint64_t base = 0;

	switch (a->what) {
	case GYVE_TRACE_REGS:
		return collect_regs(b, a);
	case GYVE_TRACE_MEM:
		if (a->base >= 0 && env.reg(env.ctx, (unsigned)a->base, &base) < 0)
			return -ENOENT;
		return collect_mem(b, base + a->offset, a->len);
	default:
		break;
	}
	return agent_eval(a->e.code, a->e.len, &env, NULL);
}

/* --- frames */

static void fail(struct gyve_trace *t, const struct trace_point *p, int err)
{
	char text[128];

	snprintf(text, sizeof(text), "%s", err == -E2BIG ? "a frame is too large" : strerror(-err));
	trace_end(t, GYVE_TRACE_ERROR, p->p.number, text);
}

static void collect(struct gyve_vcpu *v, struct trace_point *p, bool stepping)
{
	struct gyve_trace *t = v->vm->trace;
	struct builder b = {.v = v, .cap = 2048};
	int r = 0;

	b.f = malloc(sizeof(*b.f) + b.cap);
	if (!b.f)
		return;
	*b.f = (struct trace_frame){.point = (uint16_t)p->p.number, .pc = vcpu_pc(v)};
	for (unsigned i = 0; r >= 0 && i < p->nactions; i++)
		if (p->actions[i].stepping == stepping) {
			int one = act(&b, &p->actions[i]);
			if (one != -EFAULT) /* what cannot be read is not there, the rest is */
				r = one;
		}
	memcpy(b.f->data + b.f->len, b.extra, b.f->extra);
	pthread_mutex_lock(&t->lock);
	if (r < 0)
		fail(t, p, r);
	if (t->running)
		trace_frames_add(t, b.f, p);
	else
		free(b.f);
	pthread_mutex_unlock(&t->lock);
}

static bool is_true(struct gyve_vcpu *v, const struct trace_point *p)
{
	struct builder b = {.v = v};
	const struct agent_env env = env_of(&b);
	uint64_t value = 1;

	if (!p->p.cond.len)
		return true;
	int r = agent_eval(p->p.cond.code, p->p.cond.len, &env, &value);
	if (r < 0 && r != -EFAULT) {
		pthread_mutex_lock(&v->vm->trace->lock);
		fail(v->vm->trace, p, r);
		pthread_mutex_unlock(&v->vm->trace->lock);
	}
	return r == 0 && value;
}

/* Hits beyond the pass count belong to a trace that has ended. */
static bool count(struct gyve_trace *t, struct trace_point *p)
{
	pthread_mutex_lock(&t->lock);
	bool wanted = t->running && (!p->p.pass || p->p.hits < p->p.pass);
	if (wanted) {
		p->p.hits++;
		p->busy++;
	}
	pthread_mutex_unlock(&t->lock);
	return wanted;
}

/* All frames of a hit are there. The pass count ends tracing when those of the others, which were earlier, are, too. */
static void done(struct gyve_trace *t, struct trace_point *p)
{
	pthread_mutex_lock(&t->lock);
	if (!--p->busy && p->p.pass && p->p.hits >= p->p.pass)
		trace_end(t, GYVE_TRACE_PASSCOUNT, p->p.number, "");
	pthread_mutex_unlock(&t->lock);
}

void trace_steps_end(struct gyve_vcpu *v)
{
	if (v->trace_steps)
		done(v->vm->trace, v->vm->trace->points[v->trace_point]);
	v->trace_steps = 0;
}

static void hit(struct gyve_vcpu *v, struct trace_point *p, unsigned index)
{
	struct gyve_trace *t = v->vm->trace;

	if (!is_true(v, p) || !count(t, p))
		return;
	collect(v, p, false);
	if (!p->p.steps) {
		done(t, p);
		return;
	}
	trace_steps_end(v); /* those of one tracepoint end at the next that has some */
	v->trace_steps = p->p.steps;
	v->trace_point = index;
}

void trace_hit(struct gyve_vcpu *v, gyve_gva_t pc)
{
	struct gyve_trace *t = v->vm->trace;

	for (unsigned i = 0; i < t->npoints && __atomic_load_n(&t->running, __ATOMIC_RELAXED); i++) {
		struct trace_point *p = t->points[i];
		if (p->p.addr == pc && __atomic_load_n(&p->p.enabled, __ATOMIC_RELAXED))
			hit(v, p, i);
	}
}

void trace_stepped(struct gyve_vcpu *v)
{
	struct gyve_trace *t = v->vm->trace;

	if (!__atomic_load_n(&t->running, __ATOMIC_RELAXED) || v->trace_point >= t->npoints) {
		v->trace_steps = 0;
		return;
	}
	v->trace_steps--;
	collect(v, t->points[v->trace_point], true);
	if (!v->trace_steps)
		done(t, t->points[v->trace_point]);
}
