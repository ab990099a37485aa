/* Breakpoint bytes in guest memory: planted, hidden, kept, lifted. Keyed by guest-physical address. */
#include "plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How many of them one look checks: a guest with more that rewrites its code is seen a little later. */
enum { CHECKS = 32 };

/* Some guests' instruction fetch does not see what is written here by itself. */
static void sync_code(struct gyve_vm *vm, gyve_gpa_t gpa, uint64_t len)
{
	void *hva = vm->ops->sync_code ? gyve_memmap_ptr(&vm->map, gpa, len) : NULL;

	if (hva)
		vm->ops->sync_code(hva, len);
}

static void write_bytes(struct gyve_vm *vm, const struct plant *p, const uint8_t *bytes)
{
	gyve_memmap_write(&vm->map, p->gpa, bytes, p->len);
	sync_code(vm, p->gpa, p->len);
}

struct plant *plant_find(struct gyve_vm *vm, gyve_gpa_t gpa)
{
	size_t at = SIZE_MAX, pos;

	while ((pos = addr_index_next(&vm->plants_at, gpa, &at)) != SIZE_MAX)
		if (vm->plants[pos].gpa == gpa)
			return &vm->plants[pos];
	return NULL;
}

static uint64_t key_of(const void *ctx, size_t pos)
{
	return ((const struct gyve_vm *)ctx)->plants[pos].gpa;
}

/* Also read without the lock: is there any at all? */
static void set_count(struct gyve_vm *vm, size_t n)
{
	__atomic_store_n(&vm->nplants, n, __ATOMIC_RELAXED);
}

static struct plant *append(struct gyve_vm *vm)
{
	if (vm->nplants == vm->plants_cap) {
		size_t cap = vm->plants_cap ? 2 * vm->plants_cap : 16;
		struct plant *p = reallocarray(vm->plants, cap, sizeof(*p));
		if (!p)
			return NULL;
		vm->plants = p;
		vm->plants_cap = cap;
	}
	if (addr_index_reserve(&vm->plants_at, vm->nplants, key_of, vm) < 0)
		return NULL;
	set_count(vm, vm->nplants + 1);
	return &vm->plants[vm->nplants - 1];
}

int plant_add(struct gyve_vm *vm, gyve_gpa_t gpa, bool spaced)
{
	struct plant *p = plant_find(vm, gpa), new = {.gpa = gpa, .len = vm->arch->bp_len, .refs = 1, .spaced = spaced};

	if (p) {
		p->refs++;
		p->spaced += spaced;
		return 0;
	}
	if (gyve_memmap_read(&vm->map, gpa, new.orig, new.len) != new.len)
		return -EFAULT;
	p = append(vm);
	if (!p)
		return -ENOMEM;
	*p = new;
	addr_index_add(&vm->plants_at, gpa, vm->nplants - 1);
	write_bytes(vm, p, vm->arch->bp_insn);
	return 0;
}

static bool is_intact(struct gyve_vm *vm, const struct plant *p, uint8_t *now)
{
	return gyve_memmap_read(&vm->map, p->gpa, now, p->len) == p->len && memcmp(now, vm->arch->bp_insn, p->len) == 0;
}

static void note_lifted(struct gyve_vm *vm, size_t pos)
{
	if (vm->lifted_from == vm->lifted_to) {
		vm->lifted_from = pos;
		vm->lifted_to = pos + 1;
		return;
	}
	vm->lifted_from = pos < vm->lifted_from ? pos : vm->lifted_from;
	vm->lifted_to = pos >= vm->lifted_to ? pos + 1 : vm->lifted_to;
}

void plant_drop(struct gyve_vm *vm, gyve_gpa_t gpa, bool spaced)
{
	struct plant *p = plant_find(vm, gpa);
	uint8_t now[sizeof(p->orig)];

	if (!p)
		return;
	p->spaced -= spaced;
	if (--p->refs)
		return;
	if (!p->lifted && is_intact(vm, p, now)) /* else the guest has put something else there */
		write_bytes(vm, p, p->orig);
	size_t pos = (size_t)(p - vm->plants), last = vm->nplants - 1;
	set_count(vm, last);
	addr_index_remove(&vm->plants_at, gpa, pos);
	if (pos == last)
		return;
	*p = vm->plants[last];
	addr_index_move(&vm->plants_at, p->gpa, last, pos);
	if (p->lifted)
		note_lifted(vm, pos);
}

void plant_forget(struct gyve_vm *vm)
{
	set_count(vm, 0);
	addr_index_clear(&vm->plants_at);
}

static void plant_again(struct gyve_vm *vm, struct plant *p)
{
	uint8_t now[sizeof(p->orig)];

	if (p->lifted || is_intact(vm, p, now))
		return;
	memcpy(p->orig, now, p->len);
	write_bytes(vm, p, vm->arch->bp_insn);
}

void plant_sync(struct gyve_vm *vm)
{
	size_t n = vm->nplants < CHECKS ? vm->nplants : CHECKS;

	for (; n; n--) {
		if (vm->plants_checked >= vm->nplants)
			vm->plants_checked = 0;
		struct plant *p = &vm->plants[vm->plants_checked++];
		if (p->refs > p->spaced) /* else the page may be somebody else's by now */
			plant_again(vm, p);
	}
}

void plant_keep(struct gyve_vm *vm, gyve_gpa_t gpa)
{
	struct plant *p = plant_find(vm, gpa);

	if (p)
		plant_again(vm, p);
}

void plant_lift(struct gyve_vm *vm, gyve_gpa_t gpa)
{
	struct plant *p = plant_find(vm, gpa);

	if (!p || p->lifted)
		return;
	p->lifted = true;
	note_lifted(vm, (size_t)(p - vm->plants));
	write_bytes(vm, p, p->orig);
}

void bp_lower(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = vm->lifted_from; i < vm->lifted_to && i < vm->nplants; i++) {
		vm->plants[i].lifted = false;
		plant_again(vm, &vm->plants[i]);
	}
	vm->lifted_from = vm->lifted_to = 0;
	pthread_mutex_unlock(&vm->book_lock);
}

/* --- guest memory as others see it */

/* The part of [gpa, gpa+len) that p covers. */
static bool overlap(const struct plant *p, gyve_gpa_t gpa, size_t len, size_t *from, size_t *to)
{
	gyve_gpa_t lo = p->gpa > gpa ? p->gpa : gpa, hi = p->gpa + p->len < gpa + len ? p->gpa + p->len : gpa + len;

	if (lo >= hi)
		return false;
	*from = lo - gpa;
	*to = hi - gpa;
	return true;
}

/* Plants that may overlap [gpa, gpa+len), one by one: by their addresses if that is less to look at than all of them. *at
 * begins as 0. */
static struct plant *next_overlap(struct gyve_vm *vm, gyve_gpa_t gpa, size_t len, size_t *at)
{
	size_t before = vm->arch->bp_len - 1u;

	if (len >= vm->nplants)
		return *at < vm->nplants ? &vm->plants[(*at)++] : NULL;
	while (*at < len + before) {
		struct plant *p = plant_find(vm, gpa - before + (*at)++);
		if (p)
			return p;
	}
	return NULL;
}

bool plant_overlaps(struct gyve_vm *vm, gyve_gpa_t gpa, size_t len)
{
	size_t from, to, at = 0;
	const struct plant *p;
	bool any = false;

	pthread_mutex_lock(&vm->book_lock);
	while (!any && (p = next_overlap(vm, gpa, len, &at)) != NULL)
		any = overlap(p, gpa, len, &from, &to);
	pthread_mutex_unlock(&vm->book_lock);
	return any;
}

static void hide(struct gyve_vm *vm, uint64_t gpa, uint8_t *buf, size_t len)
{
	size_t from, to, at = 0;
	const struct plant *p;

	while ((p = next_overlap(vm, gpa, len, &at)) != NULL)
		if (!p->lifted && overlap(p, gpa, len, &from, &to) &&
		    memcmp(buf + from, vm->arch->bp_insn + (gpa + from - p->gpa), to - from) == 0)
			memcpy(buf + from, p->orig + (gpa + from - p->gpa), to - from);
}

ssize_t bp_phys_read(void *ctx, uint64_t gpa, void *buf, size_t len)
{
	struct gyve_vm *vm = ctx;

	if (!__atomic_load_n(&vm->nplants, __ATOMIC_RELAXED))
		return gyve_memmap_read(&vm->map, gpa, buf, len);
	pthread_mutex_lock(&vm->book_lock);
	ssize_t n = gyve_memmap_read(&vm->map, gpa, buf, len);
	if (n > 0)
		hide(vm, gpa, buf, (size_t)n);
	pthread_mutex_unlock(&vm->book_lock);
	return n;
}

/* New bytes for planted places become what will be put back. */
static ssize_t write_around(struct gyve_vm *vm, uint64_t gpa, const uint8_t *buf, size_t len)
{
	uint8_t *copy = NULL;
	size_t from, to, next = 0;
	struct plant *p;

	while ((p = next_overlap(vm, gpa, len, &next)) != NULL) {
		if (!overlap(p, gpa, len, &from, &to))
			continue;
		if (!copy) {
			copy = malloc(len);
			if (!copy)
				return -ENOMEM;
			memcpy(copy, buf, len);
		}
		size_t at = gpa + from - p->gpa;
		memcpy(p->orig + at, buf + from, to - from);
		if (!p->lifted)
			memcpy(copy + from, vm->arch->bp_insn + at, to - from);
	}
	ssize_t n = gyve_memmap_write(&vm->map, gpa, copy ? copy : buf, len);
	free(copy);
	if (n > 0)
		sync_code(vm, gpa, (uint64_t)n);
	return n;
}

ssize_t bp_phys_write(void *ctx, uint64_t gpa, const void *buf, size_t len)
{
	struct gyve_vm *vm = ctx;

	if (!len)
		return 0;
	if (len > UINT64_MAX - gpa)
		len = UINT64_MAX - gpa;
	pthread_mutex_lock(&vm->book_lock);
	ssize_t n = write_around(vm, gpa, buf, len);
	pthread_mutex_unlock(&vm->book_lock);
	return n;
}
