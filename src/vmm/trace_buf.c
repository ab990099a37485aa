/* The frames: kept whole, one allocation each, in a ring that drops the oldest when it may. */
#include "trace.h"

#include "../base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 6 }; /* u16 tracepoint, u32 bytes: before each frame in a trace file */

static struct trace_frame *at(const struct gyve_trace *t, size_t i)
{
	return t->frames[(t->first + i) % t->cap];
}

/* Of memory: the buffer's size is what is really used. */
static size_t cost(const struct trace_frame *f)
{
	return sizeof(f) + sizeof(*f) + f->len + f->extra;
}

static struct trace_frame *fit(struct trace_frame *f)
{
	struct trace_frame *small = realloc(f, sizeof(*f) + f->len + f->extra);
	return small ? small : f;
}

void trace_frames_clear(struct gyve_trace *t)
{
	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->nframes; i++)
		free(at(t, i));
	t->nframes = t->first = 0;
	t->used = 0;
	pthread_mutex_unlock(&t->lock);
}

static bool grow(struct gyve_trace *t)
{
	size_t cap = t->cap ? 2 * t->cap : 64;
	struct trace_frame **f = calloc(cap, sizeof(*f));

	if (!f)
		return false;
	for (size_t i = 0; i < t->nframes; i++)
		f[i] = at(t, i);
	free(t->frames);
	t->frames = f;
	t->cap = cap;
	t->first = 0;
	return true;
}

static void drop_oldest(struct gyve_trace *t)
{
	struct trace_frame *f = at(t, 0);

	t->used -= cost(f);
	free(f);
	t->first = (t->first + 1) % t->cap;
	t->nframes--;
}

void trace_frames_add(struct gyve_trace *t, struct trace_frame *f, struct trace_point *p)
{
	size_t need = cost(f);

	while (t->st.circular && t->nframes && t->used + need > t->st.size)
		drop_oldest(t);
	if (t->used + need > t->st.size || (t->nframes == t->cap && !grow(t))) {
		trace_end(t, GYVE_TRACE_FULL, p->p.number, "");
		free(f);
		return;
	}
	t->frames[(t->first + t->nframes++) % t->cap] = fit(f);
	t->used += need;
	t->st.created++;
	p->p.usage += need;
}

/* --- looking at them */

static bool matches(const struct trace_frame *f, const struct gyve_trace_find *what)
{
	bool inside = f->pc >= what->a && f->pc <= what->b;

	switch (what->by) {
	case GYVE_TRACE_BY_PC:
		return f->pc == what->a;
	case GYVE_TRACE_BY_POINT:
		return f->point == what->a;
	case GYVE_TRACE_INSIDE:
		return inside;
	case GYVE_TRACE_OUTSIDE:
		return !inside;
	default:
		return true;
	}
}

int64_t gyve_trace_find(struct gyve_trace *t, const struct gyve_trace_find *f, unsigned *point)
{
	int64_t found = -ENOENT;

	pthread_mutex_lock(&t->lock);
	size_t i = f->by == GYVE_TRACE_BY_NUMBER ? (f->a < t->nframes ? (size_t)f->a : t->nframes)
		   : f->after < 0                ? 0
						 : (size_t)f->after + 1;
	for (; i < t->nframes && found < 0; i++)
		if (matches(at(t, i), f)) {
			found = (int64_t)i;
			*point = at(t, i)->point;
		}
	pthread_mutex_unlock(&t->lock);
	return found;
}

struct block {
	char kind;
	gyve_gva_t addr; /* M; V: number */
	const uint8_t *data;
	size_t len;
};

static size_t regs_len(const struct gyve_trace *t)
{
	const struct gyve_arch *a = t->vm->arch;
	size_t n = 0;

	for (unsigned i = 0; i < t->ng; i++)
		n += a->regs[i].bits / 8;
	return n;
}

/* The block at *off, which moves behind it. */
static bool next_block(const struct gyve_trace *t, const struct trace_frame *f, size_t *off, struct block *b)
{
	const uint8_t *p = f->data + *off;

	if (*off >= f->len)
		return false;
	b->kind = (char)*p;
	switch (b->kind) {
	case 'R':
		b->data = p + 1;
		b->len = regs_len(t);
		break;
	case 'M':
		b->addr = get_le64(p + 1);
		b->len = get_le16(p + 9);
		b->data = p + 11;
		break;
	default:
		b->addr = get_le32(p + 1);
		b->data = p + 5;
		b->len = 8;
	}
	*off = (size_t)(b->data - f->data) + b->len;
	return true;
}

/* Lock held until frame_put(). */
static const struct trace_frame *frame_get(struct gyve_trace *t, int64_t i)
{
	pthread_mutex_lock(&t->lock);
	return i >= 0 && (uint64_t)i < t->nframes ? at(t, (size_t)i) : NULL;
}

static void frame_put(struct gyve_trace *t)
{
	pthread_mutex_unlock(&t->lock);
}

static int reg_in_g(const struct gyve_trace *t, const struct trace_frame *f, unsigned number, void *buf)
{
	const struct gyve_arch *a = t->vm->arch;
	struct block b;
	size_t off = 0;

	while (next_block(t, f, &off, &b)) {
		if (b.kind != 'R')
			continue;
		size_t skip = 0;
		for (unsigned i = 0; i < number; i++)
			skip += a->regs[i].bits / 8;
		memcpy(buf, b.data + skip, a->regs[number].bits / 8);
		return 0;
	}
	return -ENODATA;
}

static int reg_behind(const struct trace_frame *f, unsigned number, void *buf)
{
	const uint8_t *p = f->data + f->len, *end = p + f->extra;

	for (; p < end; p += 4 + get_le16(p + 2))
		if (get_le16(p) == number) {
			memcpy(buf, p + 4, get_le16(p + 2));
			return 0;
		}
	return -ENODATA;
}

int gyve_trace_reg(struct gyve_trace *t, int64_t frame, unsigned number, void *buf)
{
	const struct trace_frame *f = frame_get(t, frame);
	int r = !f || number >= t->vm->arch->nregs ? -ENOENT
		: number < t->ng                   ? reg_in_g(t, f, number, buf)
						   : reg_behind(f, number, buf);

	frame_put(t);
	return r;
}

/* Where the next collected byte behind addr is, so that a gap is not read across. */
static ssize_t mem_in(const struct gyve_trace *t, const struct trace_frame *f, gyve_gva_t addr, void *buf, size_t len)
{
	struct block b;
	size_t off = 0;

	while (next_block(t, f, &off, &b)) {
		if (b.kind != 'M' || addr < b.addr || addr - b.addr >= b.len)
			continue;
		size_t skip = (size_t)(addr - b.addr), n = b.len - skip < len ? b.len - skip : len;
		memcpy(buf, b.data + skip, n);
		return (ssize_t)n;
	}
	for (unsigned i = 0; i < t->nreadonly; i++)
		if (addr >= t->readonly[i].start && addr < t->readonly[i].end)
			return -EAGAIN;
	return -EFAULT;
}

ssize_t gyve_trace_mem(struct gyve_trace *t, int64_t frame, gyve_gva_t addr, void *buf, size_t len)
{
	const struct trace_frame *f = frame_get(t, frame);
	size_t done = 0;
	ssize_t n = -ENOENT;

	while (f && done < len && (n = mem_in(t, f, addr + done, (uint8_t *)buf + done, len - done)) > 0)
		done += (size_t)n;
	frame_put(t);
	return done ? (ssize_t)done : n;
}

int gyve_trace_frame_value(struct gyve_trace *t, int64_t frame, unsigned number, uint64_t *ret)
{
	const struct trace_frame *f = frame_get(t, frame);
	int r = -ENOENT;
	struct block b;

	for (size_t off = 0; f && next_block(t, f, &off, &b);)
		if (b.kind == 'V' && b.addr == number) {
			*ret = get_le64(b.data);
			r = 0;
		}
	frame_put(t);
	return r;
}

int gyve_trace_frame_parts(struct gyve_trace *t, int64_t frame, void (*mem)(void *ctx, gyve_gva_t addr, uint64_t len),
			   void (*var)(void *ctx, unsigned number), void *ctx)
{
	const struct trace_frame *f = frame_get(t, frame);
	struct block b;

	for (size_t off = 0; f && next_block(t, f, &off, &b);) {
		if (b.kind == 'M')
			mem(ctx, b.addr, b.len);
		else if (b.kind == 'V')
			var(ctx, (unsigned)b.addr);
	}
	frame_put(t);
	return f ? 0 : -ENOENT;
}

size_t gyve_trace_raw(struct gyve_trace *t, uint64_t off, void *buf, size_t len)
{
	uint8_t *out = buf, head[HEAD];
	size_t done = 0;
	uint64_t begin = 0;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->nframes && done < len; i++) {
		const struct trace_frame *f = at(t, i);
		put_le16(head, f->point);
		put_le32(head + 2, f->len);
		for (uint64_t k = off + done > begin ? off + done - begin : 0; k < HEAD + f->len && done < len;) {
			const uint8_t *from = k < HEAD ? head + k : f->data + (k - HEAD);
			size_t n = k < HEAD ? HEAD - (size_t)k : f->len - (size_t)(k - HEAD);
			n = n < len - done ? n : len - done;
			memcpy(out + done, from, n);
			done += n;
			k += n;
		}
		begin += HEAD + f->len;
	}
	pthread_mutex_unlock(&t->lock);
	return done;
}
