/* The breakpoint book: what the user wants stopped at, and how that is done now.
 *
 * Software breakpoints: bytes at the guest-physical address that a live walk gives; while the guest still has the page tables
 * it was started with, else the address the loader put that part of the image at; else nothing yet (PENDING). Debug registers
 * that nothing else needs stand in for pending ones and shadow planted ones, so that a page rewritten between two exits still
 * stops. */
#include "catch.h"
#include "plant.h"
#include "point.h"
#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_MAX = 16 << 20 };

static void changed(struct gyve_vm *vm)
{
	__atomic_fetch_add(&vm->book_gen, 1, __ATOMIC_RELEASE);
}

static bool overlaps(const struct point *p, gyve_gva_t addr, uint64_t len)
{
	return addr < p->gva + p->len && p->gva < addr + len;
}

/* --- where a breakpoint's bytes go */

static bool walk(struct gyve_vcpu *v, gyve_gva_t gva, gyve_gpa_t *ret)
{
	struct gyve_mem phys = gyve_memmap_mem(&v->vm->map);
	struct gyve_mmu mmu;
	struct gyve_walk w;

	if (!vcpu_mmu(v, &mmu) || gyve_walk(&mmu, &phys, gva, &w) < 0 || !gyve_memmap_ptr(&v->vm->map, w.gpa, 1))
		return false;
	*ret = w.gpa;
	return true;
}

static bool lookup_layout(struct gyve_vcpu *v, gyve_gva_t gva, gyve_gpa_t *ret)
{
	const struct gyve_layout *l = &v->vm->layout;
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_MMU);

	if (!r || v->vm->arch->root(r) != v->vm->boot_root)
		return false;
	for (unsigned i = 0; i < l->nsegs; i++)
		if (gva >= l->seg[i].gva && gva - l->seg[i].gva < l->seg[i].len) {
			*ret = l->seg[i].gpa + (gva - l->seg[i].gva);
			return true;
		}
	return false;
}

static void unplant(struct gyve_vm *vm, struct point *p)
{
	if (p->state == POINT_BYTES)
		plant_drop(vm, p->gpa);
	p->state = POINT_PENDING;
}

static bool plant_point(struct gyve_vm *vm, struct point *p, gyve_gpa_t gpa, bool by_layout)
{
	if (p->state == POINT_BYTES && p->gpa == gpa) {
		p->by_layout = by_layout;
		return true;
	}
	if (plant_add(vm, gpa) < 0)
		return false;
	unplant(vm, p);
	p->state = POINT_BYTES;
	p->gpa = gpa;
	p->by_layout = by_layout;
	changed(vm);
	return true;
}

/* Plant p as well as v's present state allows. */
static bool try_plant(struct gyve_vcpu *v, struct point *p)
{
	gyve_gpa_t gpa;

	if (walk(v, p->gva, &gpa))
		return plant_point(v->vm, p, gpa, false);
	return p->state == POINT_PENDING && lookup_layout(v, p->gva, &gpa) && plant_point(v->vm, p, gpa, true);
}

static void try_plant_any(struct gyve_vm *vm, struct gyve_vcpu *v, struct point *p)
{
	if (v)
		try_plant(v, p);
	for (unsigned i = 0; !v && i < vm->ncpus; i++)
		if (try_plant(&vm->cpus[i], p))
			return;
}

void bp_count(struct gyve_vm *vm)
{
	size_t pending = 0, soft = 0, page = 0, watch = 0, regs = 0;

	for (size_t i = 0; i < vm->npoints; i++) {
		const struct point *p = &vm->points[i];
		pending += p->kind == GYVE_POINT_SW && (p->state == POINT_PENDING || p->by_layout);
		soft += p->state == POINT_SOFT;
		page += p->state == POINT_PAGE;
		watch += point_is_watch(p->kind);
		regs += p->state == POINT_DEBUG_REG;
	}
	__atomic_store_n(&vm->npending, pending, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->nsoft, soft, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->npage, page, __ATOMIC_RELAXED);
	vm->nwatch = watch;
	vm->nregs = regs;
}

void bp_sync(struct gyve_vm *vm, struct gyve_vcpu *v)
{
	if (!v)
		trace_tidy(vm);
	pthread_mutex_lock(&vm->book_lock);
	plant_sync(vm);
	bool any = vm->npending;
	for (size_t i = 0; any && i < vm->npoints; i++) {
		struct point *p = &vm->points[i];
		if (p->kind == GYVE_POINT_SW && (p->state == POINT_PENDING || p->by_layout))
			try_plant_any(vm, v, p);
	}
	if (any)
		bp_count(vm);
	pthread_mutex_unlock(&vm->book_lock);
}

void bp_forget_plants(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->book_lock);
	plant_forget(vm);
	for (size_t i = 0; i < vm->npoints; i++)
		if (vm->points[i].state == POINT_BYTES)
			vm->points[i].state = POINT_PENDING;
	changed(vm);
	bp_count(vm);
	pthread_mutex_unlock(&vm->book_lock);
}

void bp_lift(struct gyve_vcpu *v, gyve_gva_t pc)
{
	gyve_gpa_t gpa;

	pthread_mutex_lock(&v->vm->book_lock);
	if (walk(v, pc, &gpa))
		plant_lift(v->vm, gpa);
	pthread_mutex_unlock(&v->vm->book_lock);
}

/* --- hits */

static void set_stop(struct gyve_vcpu *v, struct gyve_stop *stop, enum gyve_stop_kind kind, gyve_gva_t addr)
{
	stop->kind = kind;
	stop->cpu = v->index;
	stop->pc = vcpu_pc(v);
	stop->addr = addr;
	if (v->catches.n && (kind == GYVE_STOP_SW_BP || kind == GYVE_STOP_HW_BP))
		catch_mark(v, stop);
}

static enum gyve_stop_kind stop_kind(enum gyve_point_kind kind)
{
	static const enum gyve_stop_kind kinds[] = {[GYVE_POINT_SW] = GYVE_STOP_SW_BP,
						    [GYVE_POINT_HW] = GYVE_STOP_HW_BP,
						    [GYVE_POINT_WRITE] = GYVE_STOP_WATCH,
						    [GYVE_POINT_READ] = GYVE_STOP_RWATCH,
						    [GYVE_POINT_ACCESS] = GYVE_STOP_AWATCH};
	return kinds[kind];
}

struct point *point_at(const struct gyve_vm *vm, gyve_gva_t gva, size_t *at)
{
	size_t pos;

	while ((pos = addr_index_next(&vm->points_at, gva, at)) != SIZE_MAX)
		if (vm->points[pos].gva == gva)
			return &vm->points[pos];
	return NULL;
}

static struct point *find_exec(struct gyve_vm *vm, gyve_gva_t pc)
{
	size_t at = SIZE_MAX;
	struct point *p;

	while ((p = point_at(vm, pc, &at)) != NULL)
		if (!point_is_watch(p->kind))
			return p;
	return NULL;
}

static bool planted(struct gyve_vcpu *v, gyve_gva_t pc)
{
	gyve_gpa_t gpa;
	return v->vm->nplants && walk(v, pc, &gpa) && plant_find(v->vm, gpa);
}

bool bp_at(struct gyve_vcpu *v, gyve_gva_t pc)
{
	pthread_mutex_lock(&v->vm->book_lock);
	bool at = find_exec(v->vm, pc) || planted(v, pc);
	pthread_mutex_unlock(&v->vm->book_lock);
	return at;
}

bool bp_stops_at(struct gyve_vcpu *v, gyve_gva_t pc)
{
	struct gyve_vm *vm = v->vm;
	bool any = false, stops = false;

	pthread_mutex_lock(&vm->book_lock);
	const struct point *p;
	size_t at = SIZE_MAX;
	while ((p = point_at(vm, pc, &at)) != NULL) {
		if (point_is_watch(p->kind))
			continue;
		any = true;
		stops |= (p->owners & POINT_USER && !p->cmds) || p->owners & POINT_CATCH;
	}
	stops = stops || (!any && planted(v, pc));
	pthread_mutex_unlock(&vm->book_lock);
	return stops;
}

bool bp_step_hit(struct gyve_vcpu *v, struct gyve_stop *stop)
{
	gyve_gva_t pc = vcpu_pc(v);

	pthread_mutex_lock(&v->vm->book_lock);
	const struct point *p = find_exec(v->vm, pc);
	bool hit = p && p->state == POINT_SOFT;
	if (hit)
		set_stop(v, stop, stop_kind(p->kind), pc);
	pthread_mutex_unlock(&v->vm->book_lock);
	return hit;
}

bool bp_hit(struct gyve_vcpu *v, gyve_gva_t pc, struct gyve_stop *stop)
{
	pthread_mutex_lock(&v->vm->book_lock);
	bool ours = planted(v, pc);
	if (ours)
		set_stop(v, stop, GYVE_STOP_SW_BP, pc);
	pthread_mutex_unlock(&v->vm->book_lock);
	return ours;
}

bool bp_watches(struct gyve_vm *vm, enum gyve_stop_kind kind, gyve_gva_t addr)
{
	bool any = false;

	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->npoints; i++)
		any |= stop_kind(vm->points[i].kind) == kind && overlaps(&vm->points[i], addr, 1);
	pthread_mutex_unlock(&vm->book_lock);
	return any;
}

bool bp_hw_hit(struct gyve_vcpu *v, const struct gyve_exit *e, struct gyve_stop *stop)
{
	struct gyve_vm *vm = v->vm;
	bool found = false;

	pthread_mutex_lock(&vm->book_lock);
	for (unsigned s = 0; s < GYVE_HW_MAX && !found; s++) {
		if (!(e->debug.slots & 1u << s) || v->debug.hw[s].type == GYVE_HW_NONE)
			continue;
		bool exec = v->debug.hw[s].type == GYVE_HW_EXEC;
		for (size_t i = 0; i < vm->npoints && !found; i++) {
			const struct point *p = &vm->points[i];
			found = exec ? !point_is_watch(p->kind) && p->gva == v->debug.hw[s].addr
				     : point_hw_type(p->kind) == v->debug.hw[s].type &&
						overlaps(p, v->debug.hw[s].addr, v->debug.hw[s].len);
			if (found)
				set_stop(v, stop, stop_kind(p->kind), v->debug.hw[s].addr);
		}
	}
	pthread_mutex_unlock(&vm->book_lock);
	return found;
}

/* --- insert, remove, list */

static struct point *find(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len)
{
	size_t at = SIZE_MAX;
	struct point *p;

	while ((p = point_at(vm, gva, &at)) != NULL)
		if (p->kind == kind && (!point_is_watch(kind) || p->len == len))
			return p;
	return NULL;
}

static int place_hardware(struct gyve_vm *vm, struct point *p, struct gyve_err *err)
{
	if (strategy_registers(vm))
		return point_give_registers(vm, p, err);
	p->why = "execute breakpoints in debug registers do not fire here";
	p->state = POINT_SOFT;
	return 0;
}

/* v: NULL, or inside, and the only one whose tables may be walked. */
static void place_breakpoint(struct gyve_vm *vm, struct gyve_vcpu *v, struct point *p)
{
	switch (strategy_break(vm)) {
	case GYVE_BREAK_DEBUG_REGISTER:
		if (point_give_registers(vm, p, NULL) == 0)
			return;
		p->why = "no debug register is free";
		break;
	case GYVE_BREAK_STEP:
		p->why = "chosen";
		break;
	default:
		try_plant_any(vm, v, p);
		return;
	}
	p->state = POINT_SOFT;
}

/* Whether pages can be protected for it is found when the guest goes on (page_arm). */
static int place_watch(struct gyve_vm *vm, struct point *p, struct gyve_err *err)
{
	if (!p->len || p->len > WATCH_MAX || p->gva + p->len < p->gva)
		return gyve_err_set(err, -EINVAL, "a watchpoint covers 1 to %u bytes", WATCH_MAX);
	if (strategy_watch(vm, GYVE_WATCH_DEBUG_REGISTER)) {
		int r = point_give_registers(vm, p, err);
		if (r == 0 || vm->opt.watch_strategy == GYVE_WATCH_DEBUG_REGISTER)
			return r;
	}
	if (p->kind != GYVE_POINT_WRITE && vm->arch->id != GYVE_X86_64 && !strategy_watch(vm, GYVE_WATCH_PAGE))
		return gyve_err_set(err, -ENOTSUP, "a step does not show what an instruction reads");
	p->old = malloc(p->len);
	if (!p->old)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	p->state = POINT_SOFT;
	p->why = "";
	return 0;
}

static int place(struct gyve_vm *vm, struct gyve_vcpu *v, struct point *p, struct gyve_err *err)
{
	if (point_is_watch(p->kind))
		return place_watch(vm, p, err);
	if (p->kind == GYVE_POINT_HW)
		return place_hardware(vm, p, err);
	place_breakpoint(vm, v, p);
	return 0;
}

static uint64_t key_of(const void *ctx, size_t pos)
{
	return ((const struct gyve_vm *)ctx)->points[pos].gva;
}

static int insert(struct gyve_vm *vm, struct gyve_vcpu *v, const struct point *new, struct gyve_err *err)
{
	struct point p = *new, *old = find(vm, p.kind, p.gva, p.len);

	if (old) {
		old->owners |= p.owners;
		return 0;
	}
	if (vm->npoints == vm->points_cap) {
		size_t cap = vm->points_cap ? 2 * vm->points_cap : 16;
		struct point *points = reallocarray(vm->points, cap, sizeof(p));
		if (!points)
			return gyve_err_set(err, -ENOMEM, "out of memory");
		vm->points = points;
		vm->points_cap = cap;
	}
	if (addr_index_reserve(&vm->points_at, vm->npoints, key_of, vm) < 0)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	int r = place(vm, v, &p, err);
	if (r < 0)
		return r;
	addr_index_add(&vm->points_at, p.gva, vm->npoints);
	vm->points[vm->npoints++] = p;
	return 0;
}

int gyve_bp_insert(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len, struct gyve_err *err)
{
	struct point p = {
		.kind = kind, .gva = gva, .len = point_is_watch(kind) ? len : 1, .state = POINT_PENDING, .owners = POINT_USER};

	bool held;

	if (!run_change_begin(vm, &held))
		return gyve_err_set(err, -EBUSY, "the guest is running");
	pthread_mutex_lock(&vm->book_lock);
	int r = insert(vm, NULL, &p, err);
	changed(vm);
	bp_count(vm);
	pthread_mutex_unlock(&vm->book_lock);
	run_change_end(vm, held);
	return r;
}

static void drop(struct gyve_vm *vm, struct point *p)
{
	unplant(vm, p);
	bp_exprs_free(p->conds);
	bp_exprs_free(p->cmds);
	free(p->old);
	free(p->pages);
	size_t pos = (size_t)(p - vm->points), last = --vm->npoints;
	addr_index_remove(&vm->points_at, p->gva, pos);
	if (pos != last) {
		*p = vm->points[last];
		addr_index_move(&vm->points_at, p->gva, last, pos);
	}
	changed(vm);
	bp_count(vm);
}

int bp_own(struct gyve_vm *vm, struct gyve_vcpu *v, gyve_gva_t gva, unsigned owner)
{
	struct point p = {.kind = GYVE_POINT_SW, .gva = gva, .len = 1, .state = POINT_PENDING, .owners = owner};
	int r = insert(vm, v, &p, NULL);

	changed(vm);
	bp_count(vm);
	return r;
}

void bp_disown(struct gyve_vm *vm, struct point *p, unsigned owner)
{
	p->owners &= ~owner;
	if (!p->owners) {
		drop(vm, p);
	} else if (!(p->owners & (POINT_USER | POINT_STAYS))) {
		bp_exprs_free(p->conds);
		bp_exprs_free(p->cmds);
		p->conds = p->cmds = NULL;
	}
}

int gyve_bp_remove(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len)
{
	bool held;

	if (!run_change_begin(vm, &held))
		return -EBUSY;
	pthread_mutex_lock(&vm->book_lock);
	struct point *p = find(vm, kind, gva, len);
	if (p)
		bp_disown(vm, p, POINT_USER | POINT_STAYS);
	pthread_mutex_unlock(&vm->book_lock);
	run_change_end(vm, held);
	return 0; /* removing what is not there is no error: clients repeat themselves */
}

void gyve_bp_clear(struct gyve_vm *vm)
{
	bool held;

	run_change_begin(vm, &held);
	pthread_mutex_lock(&vm->book_lock);
	vm->catch_mask = 0;
	call_clear(vm);
	for (unsigned i = 0; i < vm->ncpus; i++)
		memset(&vm->cpus[i].catches, 0, sizeof(vm->cpus[i].catches));
	for (size_t i = vm->npoints; i-- > 0;) {
		struct point *p = &vm->points[i];
		if (p->owners & POINT_USER && bp_exprs_persist(p->cmds))
			p->owners |= POINT_STAYS;
		bp_disown(vm, p, POINT_USER | POINT_CATCH);
	}
	pthread_mutex_unlock(&vm->book_lock);
	run_change_end(vm, held);
}

void bp_deinit(struct gyve_vm *vm)
{
	for (size_t i = 0; i < vm->npoints; i++)
		free(vm->points[i].old), free(vm->points[i].pages), bp_exprs_free(vm->points[i].conds),
			bp_exprs_free(vm->points[i].cmds);
	free(vm->points);
	free(vm->plants);
	addr_index_free(&vm->points_at);
	addr_index_free(&vm->plants_at);
}

static void describe(const struct gyve_vm *vm, const struct point *p, char *buf, size_t size)
{
	static const char *const kinds[] = {"breakpoint", "hardware breakpoint", "write watch", "read watch", "access watch"};
	const char *kind = p->owners & POINT_USER    ? kinds[p->kind]
			   : p->owners & POINT_CATCH ? "exception handler"
			   : p->owners & POINT_TRACE ? "tracepoint"
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
		cb(ctx, line);
	}
	pthread_mutex_unlock(&vm->book_lock);
}
