/* What clients read as a whole: qXfer objects, and regions of the address space. */
#include "stub_glue.h"

#include <errno.h>
#include <string.h>

int gyve_glue_object(void *ctx, const char *object, const char *annex, const void **ret, size_t *len)
{
	/* All of the address space is memory: what is really there the walk decides. Two halves, as gdb's ends are exclusive.
	 */
	static const char map[] = "<?xml version=\"1.0\"?>\n"
				  "<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
				  "\"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"
				  "<memory-map>"
				  "<memory type=\"ram\" start=\"0x0\" length=\"0x8000000000000000\"/>"
				  "<memory type=\"ram\" start=\"0x8000000000000000\" length=\"0x8000000000000000\"/>"
				  "</memory-map>\n";
	struct gyve_glue *g = ctx;

	(void)annex; /* exec-file: a process id; there is one image */
	if (strcmp(object, "memory-map") == 0) {
		*ret = map;
		*len = sizeof(map) - 1;
		return 0;
	}
	if (strcmp(object, "exec-file") == 0) {
		if (!g->target->image)
			return -ENOENT;
		*ret = g->target->image;
		*len = strlen(g->target->image);
		return 0;
	}
	return -EOPNOTSUPP;
}

/* --- regions of the address space */

struct search {
	struct gyve_range found;
	bool any;
};

static int first_range(void *ctx, const struct gyve_range *r)
{
	struct search *s = ctx;

	s->found = *r;
	s->any = true;
	return 1;
}

/* From the page of addr to where something else begins; what is behind is not walked. */
int gyve_glue_mem_region(void *ctx, int tid, uint64_t addr, struct gdbstub_region *ret, struct gdbstub_err *out)
{
	struct gyve_glue *g = ctx;
	struct gyve_err err = {0};
	struct search s = {0};
	struct gyve_mmu mmu;
	uint64_t page = addr & ~UINT64_C(0xfff);
	int res;

	g->cpu = (unsigned)tid - 1;
	*ret = (struct gdbstub_region){page, UINT64_MAX, 0};
	if (g->phys_mode) {
		ret->perms = GDBSTUB_PERM_R | GDBSTUB_PERM_W;
		return 0;
	}
	res = gyve_target_mmu(g->target, g->cpu, &mmu, &err);
	if (res == 0)
		res = gyve_walk_ranges(&mmu, &g->target->phys, page, UINT64_MAX, first_range, &s);
	if (res < 0) {
		out->code = -res;
		return res;
	}
	if (s.any && s.found.start <= addr) {
		ret->end_incl = s.found.end_incl;
		ret->perms = (s.found.perms & GYVE_PERM_R ? GDBSTUB_PERM_R : 0) |
			     (s.found.perms & GYVE_PERM_W ? GDBSTUB_PERM_W : 0) |
			     (s.found.perms & GYVE_PERM_X ? GDBSTUB_PERM_X : 0);
	} else if (s.any) {
		ret->end_incl = s.found.start - 1;
	}
	return 0;
}
