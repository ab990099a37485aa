/* What of a kernel is found without a symbol for it, since kernels without CONFIG_KALLSYMS_ALL know those of their functions
 * only: BTF by its header, init_task by its name and the list it begins. */
#include "kernel.h"

#include "gyve/search.h"

#include "../base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 20, BTF_HEADER = 24, BTF_TYPES_MIN = 1 << 16 };

typedef bool hit_fn(struct gyve_kernel *k, gyve_gpa_t at);

/* Until fn says that this is it. */
static bool search_region(struct gyve_kernel *k, const struct gyve_region *r, const struct gyve_search *s, uint8_t *buf,
			  hit_fn *fn)
{
	size_t over = gyve_search_len(s) - 1;

	for (uint64_t from = 0; from < r->len; from += CHUNK) {
		size_t want = r->len - from < CHUNK + over ? (size_t)(r->len - from) : CHUNK + over;
		ssize_t have = k->t->phys.read(k->t->phys.ctx, r->gpa + from, buf, want);
		for (size_t at = 0; have > 0 && at < (size_t)have; at++) {
			at = gyve_search_next(s, buf, (size_t)have, at);
			if (at < (size_t)have && fn(k, r->gpa + from + at))
				return true;
		}
	}
	return false;
}

static bool search_memory(struct gyve_kernel *k, const struct gyve_search *s, hit_fn *fn)
{
	uint8_t *buf = malloc(CHUNK + GYVE_SEARCH_MAX);
	bool found = false;

	for (size_t i = 0; buf && k->t->map && i < k->t->map->n && !found; i++)
		found = search_region(k, &k->t->map->regions[i], s, buf, fn);
	free(buf);
	return found;
}

static bool is_btf(struct gyve_kernel *k, gyve_gpa_t at)
{
	uint8_t head[BTF_HEADER], *bytes;
	struct gyve_member m;
	struct gyve_err none = {0};

	if (k->t->phys.read(k->t->phys.ctx, at, head, sizeof(head)) != BTF_HEADER)
		return false;
	uint64_t len = (uint64_t)BTF_HEADER + get_le32(head + 16) + get_le32(head + 20); /* names are last */
	if (get_le32(head + 12) < BTF_TYPES_MIN || get_le32(head + 16) != get_le32(head + 12) || len > GYVE_BTF_MAX)
		return false; /* a module's, or none */
	bytes = malloc(len);
	if (bytes && k->t->phys.read(k->t->phys.ctx, at, bytes, len) == (ssize_t)len)
		gyve_btf_create(&k->btf, bytes, len, &none);
	free(bytes);
	if (k->btf && gyve_btf_member(k->btf, "task_struct", "comm", &m) == 0)
		return true;
	gyve_btf_destroy(k->btf);
	k->btf = NULL;
	return false;
}

bool kernel_scan_types(struct gyve_kernel *k)
{
	struct gyve_search s = {0};
	struct gyve_err none = {0};

	/* magic, version 1, no flags, its length; types begin behind it */
	return gyve_search_hex(&s, "9feb01001800000000000000", &none) == 0 && search_memory(k, &s, is_btf);
}

/* The kernel's image is one piece, in memory as in its address space. */
static bool is_init_task(struct gyve_kernel *k, gyve_gpa_t at)
{
	struct gyve_member comm, tasks, pid;
	struct gyve_err none = {0};
	uint64_t next, back;
	uint8_t number[4];

	if (gyve_btf_member(k->btf, "task_struct", "comm", &comm) < 0 ||
	    gyve_btf_member(k->btf, "task_struct", "tasks", &tasks) < 0 ||
	    gyve_btf_member(k->btf, "task_struct", "pid", &pid) < 0)
		return false;
	uint64_t task = at - comm.offset + k->image_offset;
	if (gyve_kernel_read(k, task + pid.offset, number, sizeof(number), &none) < 0 || get_le32(number) != 0 ||
	    gyve_kernel_u64(k, task + tasks.offset, &next, &none) < 0 || gyve_kernel_u64(k, next + 8, &back, &none) < 0 ||
	    back != task + tasks.offset)
		return false;
	k->init_task = task;
	return true;
}

bool kernel_scan_init_task(struct gyve_kernel *k)
{
	struct gyve_search s = {0};
	struct gyve_err none = {0};

	return k->btf && k->root_known && gyve_search_string(&s, "swapper", &none) == 0 && search_memory(k, &s, is_init_task);
}
