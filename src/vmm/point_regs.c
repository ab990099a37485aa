/* Debug registers: which points have them, and how a watched range is split over them. */
#include "point.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static bool is_a64(const struct gyve_vm *vm)
{
	return vm->arch->id == GYVE_AARCH64;
}

/* The largest piece of [at, at+left) that one register can watch from at on. x86_64: 1, 2, 4 or 8 bytes, aligned. aarch64: any
 * part of a doubleword, or a power of two from 8 bytes to 2 GiB, aligned. */
static uint64_t piece_of(bool a64, gyve_gva_t at, uint64_t left)
{
	uint64_t piece = a64 ? UINT64_C(1) << 31 : 8, part = 8 - at % 8;

	if (a64 && (part < 8 || left < 8))
		return part < left ? part : left;
	while (piece > left || at % piece)
		piece /= 2;
	return piece;
}

/* One watched range takes several registers. Returns how many, at most max+1. */
static unsigned split(const struct gyve_vm *vm, const struct point *p, gyve_gva_t addr[], uint64_t len[], unsigned max)
{
	gyve_gva_t at = p->gva;
	uint64_t left = p->len;
	unsigned n = 0;

	while (left && n <= max) {
		uint64_t piece = piece_of(is_a64(vm), at, left);
		if (n < max) {
			addr[n] = at;
			len[n] = piece;
		}
		n++;
		at += piece;
		left -= piece;
	}
	return n;
}

unsigned point_slots_of(const struct gyve_vm *vm, const struct point *p)
{
	gyve_gva_t addr[POINT_SLOTS];
	uint64_t len[POINT_SLOTS];

	if (p->state != POINT_DEBUG_REG)
		return 0;
	return point_is_watch(p->kind) ? split(vm, p, addr, len, POINT_SLOTS) : 1;
}

/* Where breakpoints and watchpoints share registers, both count against the same. */
static unsigned slots_total(const struct gyve_vm *vm, bool watch)
{
	const struct gyve_host_caps *c = vm->ops->caps(vm->b);
	unsigned n = watch && !c->hw_shared ? c->hw_wps : c->hw_bps, max = c->hw_shared ? GYVE_HW_MAX : GYVE_HW_MAX / 2;
	return n < max ? n : max;
}

static bool same_registers(const struct gyve_vm *vm, bool watch, const struct point *p)
{
	return vm->ops->caps(vm->b)->hw_shared || point_is_watch(p->kind) == watch;
}

enum gyve_hw_type point_hw_type(enum gyve_point_kind kind)
{
	static const enum gyve_hw_type types[] = {[GYVE_POINT_SW] = GYVE_HW_EXEC,
						  [GYVE_POINT_HW] = GYVE_HW_EXEC,
						  [GYVE_POINT_WRITE] = GYVE_HW_WRITE,
						  [GYVE_POINT_READ] = GYVE_HW_READ,
						  [GYVE_POINT_ACCESS] = GYVE_HW_ACCESS};
	return types[kind];
}

/* free: registers left, of the kind p needs */
static void add_slots(const struct gyve_vm *vm, const struct point *p, struct gyve_debug *d, unsigned *n, unsigned *free)
{
	gyve_gva_t addr[POINT_SLOTS] = {p->gva};
	uint64_t len[POINT_SLOTS] = {1};
	unsigned k = point_is_watch(p->kind) ? split(vm, p, addr, len, POINT_SLOTS) : 1;

	for (unsigned i = 0; i < k && i < POINT_SLOTS && *free; i++, ++*n, --*free) {
		d->hw[*n].type = point_hw_type(p->kind);
		d->hw[*n].addr = addr[i];
		d->hw[*n].len = len[i];
	}
}

/* 0: those that must have a register; 1: breakpoints that could not be planted; 2: shadows. */
static int rank(const struct point *p)
{
	if (p->state == POINT_DEBUG_REG)
		return 0;
	if (p->kind != GYVE_POINT_SW || p->state == POINT_SOFT || p->owners == POINT_LIBRARY)
		return -1;
	return p->state == POINT_PENDING ? 1 : 2;
}

void bp_debug_regs(struct gyve_vm *vm, struct gyve_debug *d, const gyve_gva_t *skip_pc, bool no_watch)
{
	unsigned n = 0, total, watch_total;

	pthread_mutex_lock(&vm->book_lock);
	bool shared = vm->ops->caps(vm->b)->hw_shared;
	total = slots_total(vm, false);
	watch_total = slots_total(vm, true);
	while (n < GYVE_HW_MAX && d->hw[n].type != GYVE_HW_NONE)
		n++;
	total -= n < total ? n : total;
	d->sw_bp = vm->nplants > 0;
	for (int r = vm->nregs ? 0 : vm->npending ? 1 : 2; r <= 2; r++)
		for (size_t i = 0; i < vm->npoints && (total || (r < 2 && watch_total)); i++) {
			const struct point *p = &vm->points[i];
			if (rank(p) == r && !(no_watch && point_is_watch(p->kind)) &&
			    !(skip_pc && !point_is_watch(p->kind) && p->gva == *skip_pc))
				add_slots(vm, p, d, &n, point_is_watch(p->kind) && !shared ? &watch_total : &total);
		}
	pthread_mutex_unlock(&vm->book_lock);
}

/* Who holds the debug registers, for a refusal. */
static int refuse_slots(struct gyve_vm *vm, bool watch, unsigned total, struct gyve_err *err)
{
	char text[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < vm->npoints && n < sizeof(text) - 32; i++)
		if (same_registers(vm, watch, &vm->points[i]) && point_slots_of(vm, &vm->points[i]))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s0x%" PRIx64, n ? ", " : "", vm->points[i].gva);
	return gyve_err_set(err, -ENOSPC, "this host has %u debug registers%s%s", total, n ? ", taken by points at " : "",
			    text);
}

static unsigned slots_used(const struct gyve_vm *vm, bool watch)
{
	unsigned used = 0;

	for (size_t i = 0; i < vm->npoints; i++)
		used += same_registers(vm, watch, &vm->points[i]) ? point_slots_of(vm, &vm->points[i]) : 0;
	return used;
}

unsigned point_registers_left(const struct gyve_vm *vm)
{
	unsigned total = slots_total(vm, false), used = slots_used(vm, false);
	return used < total ? total - used : 0;
}

int point_give_registers(struct gyve_vm *vm, struct point *p, struct gyve_err *err)
{
	bool watch = point_is_watch(p->kind);
	unsigned total = slots_total(vm, watch), used = slots_used(vm, watch);

	p->state = POINT_DEBUG_REG;
	return used + point_slots_of(vm, p) > total ? refuse_slots(vm, watch, total, err) : 0;
}
