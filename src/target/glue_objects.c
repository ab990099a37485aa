/* What clients read as a whole: qXfer objects, and regions of the address space. */
#include "stub_glue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- osdata: tables that `info os` shows */

static void put_column(FILE *f, const char *name, const char *value)
{
	fprintf(f, "<column name=\"%s\">", name);
	for (; *value; value++)
		if (strchr("<>&", *value))
			fprintf(f, "&#%u;", (unsigned char)*value);
		else
			fputc((unsigned char)*value < ' ' ? '?' : *value, f);
	fputs("</column>", f);
}

static void put_row(FILE *f, const char *const names[3], const char *const values[3])
{
	fputs("<item>", f);
	for (unsigned i = 0; i < 3; i++)
		put_column(f, names[i], values[i]);
	fputs("</item>\n", f);
}

static void put_types(struct gyve_glue *g, FILE *f)
{
	static const char *const names[] = {"Type", "Description", "Title"};

	(void)g;
	put_row(f, names, (const char *const[]){"processes", "The guest: one process", "Processes"});
	put_row(f, names, (const char *const[]){"threads", "Its vCPUs", "Threads"});
}

static void put_processes(struct gyve_glue *g, FILE *f)
{
	static const char *const names[] = {"pid", "user", "command"};

	put_row(f, names, (const char *const[]){"1", "guest", g->target->image ? g->target->image : ""});
}

static void put_threads(struct gyve_glue *g, FILE *f)
{
	static const char *const names[] = {"tid", "core", "command"};

	size_t n = gyve_glue_threads(g, NULL, 0);
	int *tids = calloc(n + 1, sizeof(*tids));

	n = tids ? gyve_glue_threads(g, tids, n) : 0;
	for (size_t i = 0; i < n; i++) {
		char tid[16], core[16] = "", what[256] = "";
		int cpu = gyve_glue_cpu(g, tids[i]);
		snprintf(tid, sizeof(tid), "%d", tids[i]);
		if (cpu >= 0)
			snprintf(core, sizeof(core), "%d", cpu);
		gyve_glue_thread_info(g, tids[i], what, sizeof(what));
		put_row(f, names, (const char *const[]){tid, core, what});
	}
	free(tids);
}

static int osdata(struct gyve_glue *g, const char *annex, const void **ret, size_t *len)
{
	static const struct {
		const char *annex, *type;
		void (*put)(struct gyve_glue *g, FILE *f);
	} tables[] = {{"", "types", put_types}, {"processes", "processes", put_processes}, {"threads", "threads", put_threads}};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(tables); i++) {
		if (strcmp(annex, tables[i].annex) != 0)
			continue;
		char *text = NULL;
		FILE *f = open_memstream(&text, len);
		if (!f)
			return -ENOMEM;
		fprintf(f, "<?xml version=\"1.0\"?>\n<!DOCTYPE osdata SYSTEM \"osdata.dtd\">\n<osdata type=\"%s\">\n",
			tables[i].type);
		tables[i].put(g, f);
		fputs("</osdata>\n", f);
		if (fclose(f) != 0) {
			free(text);
			return -ENOMEM;
		}
		free(g->text);
		g->text = text;
		*ret = text;
		return 0;
	}
	return -ENOENT;
}

int gyve_glue_object(void *ctx, int tid, const char *object, const char *annex, const void **ret, size_t *len)
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

	if (strcmp(object, "memory-map") == 0) {
		*ret = map;
		*len = sizeof(map) - 1;
		return 0;
	}
	if (strcmp(object, "exec-file") == 0) { /* annex: a process id; there is one image */
		const char *name = gyve_glue_exec_file(g);
		*ret = name;
		*len = name ? strlen(name) : 0;
		return name ? 0 : -ENOENT;
	}
	if (strcmp(object, "siginfo") == 0)
		return *annex ? -ENOENT : gyve_glue_siginfo(g, tid, ret, len);
	if (strcmp(object, "traceframe-info") == 0)
		return *annex ? -ENOENT : gyve_glue_traceframe_info(g, ret, len);
	if (strcmp(object, "libraries") == 0)
		return *annex ? -ENOENT : gyve_glue_libraries(g, tid, ret, len);
	if (strcmp(object, "osdata") == 0)
		return osdata(g, annex, ret, len);
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

	gyve_glue_select(g, tid);
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
