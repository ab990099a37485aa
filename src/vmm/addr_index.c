#include "addr_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FREE = 0, TOMB = 1, FIRST = 2, SMALLEST = 32 };

static size_t home(const struct addr_index *x, uint64_t key)
{
	return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (x->cap - 1);
}

void addr_index_add(struct addr_index *x, uint64_t key, size_t pos)
{
	size_t i = home(x, key);

	while (x->slots[i] >= FIRST)
		i = (i + 1) & (x->cap - 1);
	x->used += x->slots[i] == FREE;
	x->slots[i] = (uint32_t)pos + FIRST;
}

int addr_index_reserve(struct addr_index *x, size_t n, uint64_t (*key_of)(const void *ctx, size_t pos), const void *ctx)
{
	struct addr_index next = {.cap = SMALLEST};

	if (n >= UINT32_MAX / 4)
		return -ENOMEM;
	if (x->cap && (x->used + 1) * 4 <= x->cap * 3)
		return 0;
	while (next.cap < 4 * (n + 1))
		next.cap *= 2;
	next.slots = calloc(next.cap, sizeof(*next.slots));
	if (!next.slots)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		addr_index_add(&next, key_of(ctx, i), i);
	free(x->slots);
	*x = next;
	return 0;
}

static size_t slot_of(const struct addr_index *x, uint64_t key, size_t pos)
{
	size_t i = x->cap ? home(x, key) : 0;

	for (size_t n = 0; n < x->cap && x->slots[i] != FREE; n++, i = (i + 1) & (x->cap - 1))
		if (x->slots[i] == (uint32_t)pos + FIRST)
			return i;
	return SIZE_MAX;
}

void addr_index_remove(struct addr_index *x, uint64_t key, size_t pos)
{
	size_t i = slot_of(x, key, pos);

	if (i != SIZE_MAX)
		x->slots[i] = TOMB;
}

void addr_index_move(struct addr_index *x, uint64_t key, size_t from, size_t to)
{
	size_t i = slot_of(x, key, from);

	if (i != SIZE_MAX)
		x->slots[i] = (uint32_t)to + FIRST;
}

size_t addr_index_next(const struct addr_index *x, uint64_t key, size_t *at)
{
	if (!x->cap)
		return SIZE_MAX;
	size_t i = *at == SIZE_MAX ? home(x, key) : (*at + 1) & (x->cap - 1);
	for (; x->slots[i] != FREE; i = (i + 1) & (x->cap - 1)) /* a quarter of them is free */
		if (x->slots[i] >= FIRST) {
			*at = i;
			return x->slots[i] - FIRST;
		}
	return SIZE_MAX;
}

void addr_index_clear(struct addr_index *x)
{
	if (x->cap)
		memset(x->slots, 0, x->cap * sizeof(*x->slots));
	x->used = 0;
}

void addr_index_free(struct addr_index *x)
{
	free(x->slots);
	*x = (struct addr_index){0};
}
