/* What the book holds, in words. */
#include "point.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void describe_space(const struct gyve_vm *vm, const struct gyve_space *s, char *buf, size_t size)
{
	size_t len = strlen(buf);

	if (!s->on)
		return;
	buf += len;
	size -= len;
	if (vm->arch->id == GYVE_AARCH64 && s->has_root1)
		snprintf(buf, size, ", in address space 0x%" PRIx64 " 0x%" PRIx64 "%s%s", s->root, s->root1,
			 *s->name ? ": " : "", s->name);
	else
		snprintf(buf, size, ", in address space 0x%" PRIx64 "%s%s", s->root, *s->name ? ": " : "", s->name);
}

static void describe(const struct gyve_vm *vm, const struct point *p, char *buf, size_t size)
{
	static const char *const kinds[] = {"breakpoint", "hardware breakpoint", "write watch", "read watch", "access watch"};
	const char *kind = p->owners & POINT_USER      ? kinds[p->kind]
			   : p->owners & POINT_CATCH   ? "exception handler"
			   : p->owners & POINT_LIBRARY ? "modules change"
			   : p->owners & POINT_TRACE   ? "tracepoint"
						       : "commands that stay";
	int n = snprintf(buf, size, "0x%016" PRIx64 "  %-19s ", p->gva, kind);

	if (n < 0 || (size_t)n >= size)
		return;
	buf += n;
	size -= (size_t)n;
	switch (p->state) {
	case POINT_BYTES:
		snprintf(buf, size, "planted at gpa 0x%" PRIx64 "%s", p->gpa, p->by_layout ? " (where the loader put it)" : "");
		break;
	case POINT_DEBUG_REG:
		if (p->yields)
			snprintf(buf, size, "in a debug register: the guest's code stays as it is");
		else
			snprintf(buf, size, "in %u debug register(s), %" PRIu64 " byte(s)", point_slots_of(vm, p), p->len);
		break;
	case POINT_SOFT:
		if (point_is_watch(p->kind))
			snprintf(buf, size, "by stepping and comparing %" PRIu64 " byte(s)%s%s", p->len, *p->why ? ": " : "",
				 p->why);
		else
			snprintf(buf, size, "by stepping: %s", p->why);
		break;
	case POINT_PAGE:
		snprintf(buf, size, "by page protection, %" PRIu64 " byte(s)", p->len);
		break;
	case POINT_PENDING:
		snprintf(buf, size, "pending: not mapped yet (a debug register stands in while one is free)");
		break;
	}
}

void gyve_bp_list(struct gyve_vm *vm, void (*cb)(void *ctx, const char *line), void *ctx)
{
	char line[256];

	strategy_list(vm, cb, ctx);
	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->npoints; i++) {
		describe(vm, &vm->points[i], line, sizeof(line));
		describe_space(vm, &vm->points[i].in, line, sizeof(line));
		cb(ctx, line);
	}
	pthread_mutex_unlock(&vm->book_lock);
}
