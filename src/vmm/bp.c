/* The breakpoint book: what the user wants stopped at, and how that is done now.
 *
 * Software breakpoints: bytes at the guest-physical address that a live walk gives; while the guest still has the page tables
 * it was started with, else the address the loader put that part of the image at; else nothing yet (PENDING). Debug registers
 * that nothing else needs stand in for pending ones and shadow planted ones, so that a page rewritten between two exits still
 * stops. */
#include "catch.h"
#include "plant.h"
#include "point.h"
#include "space.h"
#include "trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_MAX = 16 << 20 };

void bp_changed(struct gyve_vm *vm)
{
	__atomic_fetch_add(&vm->book_gen, 1, __ATOMIC_RELEASE);
}

/* --- where a breakpoint's bytes go */

bool bp_walk(struct gyve_vcpu *v, gyve_gva_t gva, gyve_gpa_t *ret)
{
	struct gyve_mem phys = gyve_memmap_mem(&v->vm->map);
	struct gyve_mmu mmu;
	struct gyve_walk w;

	if (!vcpu_mmu_at(v, gva, &mmu) || gyve_walk(&mmu, &phys, gva, &w) < 0 || !gyve_memmap_ptr(&v->vm->map, w.gpa, 1))
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
		plant_drop(vm, p->gpa, p->in.on);
	p->state = POINT_PENDING;
}

void bp_unplant(struct gyve_vm *vm, struct point *p)
{
	if (p->state != POINT_BYTES)
		return;
	unplant(vm, p);
	bp_changed(vm);
}

static bool plant_point(struct gyve_vm *vm, struct point *p, gyve_gpa_t gpa, bool by_layout)
{
	if (p->state == POINT_BYTES && p->gpa == gpa) {
		p->by_layout = by_layout;
		return true;
	}
	if (plant_add(vm, gpa, p->in.on) < 0)
		return false;
	unplant(vm, p);
	p->state = POINT_BYTES;
	p->gpa = gpa;
	p->by_layout = by_layout;
	bp_changed(vm);
	return true;
}

bool bp_plant(struct gyve_vm *vm, struct point *p, gyve_gpa_t gpa)
{
	return plant_point(vm, p, gpa, false);
}

/* Plant p as well as v's present state allows. */
static bool try_plant(struct gyve_vcpu *v, struct point *p, bool all_stand)
{
	gyve_gpa_t gpa;

	if (p->in.on)
		return space_walk(v, &p->in, p->gva, &gpa) && gyve_memmap_ptr(&v->vm->map, gpa, 1) &&
		       plant_point(v->vm, p, gpa, false);
	if (bp_walk(v, p->gva, &gpa))
		return unseen_take(v, p, all_stand) || plant_point(v->vm, p, gpa, false);
	return p->state == POINT_PENDING && lookup_layout(v, p->gva, &gpa) && plant_point(v->vm, p, gpa, true);
}

static void try_plant_any(struct gyve_vm *vm, struct gyve_vcpu *v, struct point *p)
{
	if (v)
		try_plant(v, p, v->alone || vm->ncpus == 1);
	for (unsigned i = 0; !v && i < vm->ncpus; i++)
		if (try_plant(&vm->cpus[i], p, true))
			return;
}

void bp_count(struct gyve_vm *vm)
{
	size_t pending = 0, soft = 0, page = 0, watch = 0, regs = 0, spaced = 0;

	for (size_t i = 0; i < vm->npoints; i++) {
		const struct point *p = &vm->points[i];
		pending += p->kind == GYVE_POINT_SW && (p->state == POINT_PENDING || p->by_layout);
		soft += p->state == POINT_SOFT;
		page += p->state == POINT_PAGE;
		watch += point_is_watch(p->kind);
		regs += p->state == POINT_DEBUG_REG;
		spaced += space_plants(p);
	}
	__atomic_store_n(&vm->npending, pending, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->nsoft, soft, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->npage, page, __ATOMIC_RELAXED);
	__atomic_store_n(&vm->nwatch, watch, __ATOMIC_RELAXED);
	vm->nregs = regs;
	vm->nspaced = spaced;
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
		if (p->kind == GYVE_POINT_SW && !p->in.on && (p->state == POINT_PENDING || p->by_layout))
			try_plant_any(vm, v, p);
	}
	if (vm->nspaced)
		space_sync(vm, v);
	if (any || vm->nspaced)
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
	bp_changed(vm);
	bp_count(vm);
	pthread_mutex_unlock(&vm->book_lock);
}

void bp_lift(struct gyve_vcpu *v, gyve_gva_t pc)
{
	gyve_gpa_t gpa;

	pthread_mutex_lock(&v->vm->book_lock);
	if (bp_walk(v, pc, &gpa))
		plant_lift(v->vm, gpa);
	pthread_mutex_unlock(&v->vm->book_lock);
}

/* --- insert, remove */

struct point *point_at(const struct gyve_vm *vm, gyve_gva_t gva, size_t *at)
{
	size_t pos;

	while ((pos = addr_index_next(&vm->points_at, gva, at)) != SIZE_MAX)
		if (vm->points[pos].gva == gva)
			return &vm->points[pos];
	return NULL;
}

static struct point *find(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len,
			  const struct gyve_space *in)
{
	size_t at = SIZE_MAX;
	struct point *p;

	while ((p = point_at(vm, gva, &at)) != NULL)
		if (p->kind == kind && (!point_is_watch(kind) || p->len == len) && space_same(vm, &p->in, in))
			return p;
	return NULL;
}

static int give_registers(struct gyve_vm *vm, struct point *p, struct gyve_err *err)
{
	int r;

	do
		r = point_give_registers(vm, p, err);
	while (r == -ENOSPC && unseen_yield(vm));
	return r;
}

static int place_hardware(struct gyve_vm *vm, struct point *p, struct gyve_err *err)
{
	if (strategy_registers(vm))
		return give_registers(vm, p, err);
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
		int r = give_registers(vm, p, err);
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
	struct point p = *new, *old = find(vm, p.kind, p.gva, p.len, &p.in);

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
	p.in = space_for(vm, gva);
	int r = insert(vm, NULL, &p, err);
	bp_changed(vm);
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
	bp_changed(vm);
	bp_count(vm);
}

int bp_own(struct gyve_vm *vm, struct gyve_vcpu *v, gyve_gva_t gva, unsigned owner)
{
	struct point p = {.kind = GYVE_POINT_SW, .gva = gva, .len = 1, .state = POINT_PENDING, .owners = owner};
	int r = insert(vm, v, &p, NULL);

	bp_changed(vm);
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
	struct gyve_space in = space_for(vm, gva);
	struct point *p = find(vm, kind, gva, len, &in);
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
		bp_disown(vm, p, POINT_USER | POINT_CATCH | POINT_LIBRARY);
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
