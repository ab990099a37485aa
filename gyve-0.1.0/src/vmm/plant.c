/* Breakpoint bytes in guest memory: planted, hidden, kept, lifted. Keyed by guest-physical address. */
#include "plant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	for (size_t i = 0; i < vm->nplants; i++)
		if (vm->plants[i].gpa == gpa)
			return &vm->plants[i];
	return NULL;
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
	return &vm->plants[vm->nplants++];
}

int plant_add(struct gyve_vm *vm, gyve_gpa_t gpa)
{
	struct plant *p = plant_find(vm, gpa), new = {.gpa = gpa, .len = vm->arch->bp_len, .refs = 1};

	if (p) {
		p->refs++;
		return 0;
	}
	if (gyve_memmap_read(&vm->map, gpa, new.orig, new.len) != new.len)
		return -EFAULT;
	p = append(vm);
	if (!p)
		return -ENOMEM;
	*p = new;
	write_bytes(vm, p, vm->arch->bp_insn);
	return 0;
}

static bool is_intact(struct gyve_vm *vm, const struct plant *p, uint8_t *now)
{
	return gyve_memmap_read(&vm->map, p->gpa, now, p->len) == p->len && memcmp(now, vm->arch->bp_insn, p->len) == 0;
}

void plant_drop(struct gyve_vm *vm, gyve_gpa_t gpa)
{
	struct plant *p = plant_find(vm, gpa);
	uint8_t now[sizeof(p->orig)];

	if (!p || --p->refs)
		return;
	if (!p->lifted && is_intact(vm, p, now)) /* else the guest has put something else there */
		write_bytes(vm, p, p->orig);
	*p = vm->plants[--vm->nplants];
}

void plant_sync(struct gyve_vm *vm)
{
	uint8_t now[sizeof(vm->plants->orig)];

	for (size_t i = 0; i < vm->nplants; i++) {
		struct plant *p = &vm->plants[i];
		if (p->lifted || is_intact(vm, p, now))
			continue;
		memcpy(p->orig, now, p->len);
		write_bytes(vm, p, vm->arch->bp_insn);
	}
}

void plant_lift(struct gyve_vm *vm, gyve_gpa_t gpa)
{
	struct plant *p = plant_find(vm, gpa);

	if (!p || p->lifted)
		return;
	p->lifted = true;
	write_bytes(vm, p, p->orig);
}

void bp_lower(struct gyve_vm *vm)
{
	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; i < vm->nplants; i++)
		vm->plants[i].lifted = false;
	plant_sync(vm);
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

ssize_t bp_phys_read(void *ctx, uint64_t gpa, void *buf, size_t len)
{
	struct gyve_vm *vm = ctx;
	size_t from, to;

	if (!__atomic_load_n(&vm->nplants, __ATOMIC_RELAXED))
		return gyve_memmap_read(&vm->map, gpa, buf, len);
	pthread_mutex_lock(&vm->book_lock);
	ssize_t n = gyve_memmap_read(&vm->map, gpa, buf, len);
	for (size_t i = 0; n > 0 && i < vm->nplants; i++) {
		const struct plant *p = &vm->plants[i];
		if (!p->lifted && overlap(p, gpa, (size_t)n, &from, &to) &&
		    memcmp((uint8_t *)buf + from, vm->arch->bp_insn + (gpa + from - p->gpa), to - from) == 0)
			memcpy((uint8_t *)buf + from, p->orig + (gpa + from - p->gpa), to - from);
	}
	pthread_mutex_unlock(&vm->book_lock);
	return n;
}

/* New bytes for planted places become what will be put back. */
static ssize_t write_around(struct gyve_vm *vm, uint64_t gpa, const uint8_t *buf, size_t len)
{
	uint8_t *copy = NULL;
	size_t from, to;

	for (size_t i = 0; i < vm->nplants; i++) {
		struct plant *p = &vm->plants[i];
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
