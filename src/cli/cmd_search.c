/* gyve search DUMP: bytes, text, numbers; in physical memory, each hit with every virtual address it has, or along the virtual
 * address space of one vCPU. */
#include "cmd.h"
#include "dump_open.h"
#include "gyve/search.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RANGES = 100000, SHOWN = 16 };

struct job {
	struct gyve_dump d;
	struct gyve_search s;
	struct gyve_range *ranges; /* of every root, for the way back */
	size_t nranges;
	uint64_t hits, max, bytes;
	bool json, virt;
};

static int add_range(void *ctx, const struct gyve_range *r)
{
	struct job *j = ctx;

	if (j->nranges % 1024 == 0) {
		struct gyve_range *p = reallocarray(j->ranges, j->nranges + 1024, sizeof(*p));
		if (!p)
			return -ENOMEM;
		j->ranges = p;
	}
	j->ranges[j->nranges++] = *r;
	return j->nranges == MAX_RANGES;
}

/* The address spaces of all vCPUs, each once. */
static void find_ranges(struct job *j)
{
	const struct gyve_core *c = j->d.core;

	for (unsigned i = 0; c->have_sys && i < c->ncpus; i++) {
		struct gyve_mmu mmu;
		bool seen = false;
		for (unsigned k = 0; k < i; k++)
			seen |= c->arch->root(&c->regs[k]) == c->arch->root(&c->regs[i]);
		if (!seen && gyve_target_mmu(&j->d.target, i, &mmu, NULL) == 0)
			gyve_walk_ranges(&mmu, &j->d.target.phys, 0, UINT64_MAX, add_range, j);
	}
}

static void show(struct job *j, bool have_gva, uint64_t gva, bool have_gpa, uint64_t gpa, const uint8_t *p, size_t n)
{
	uint64_t seen[SHOWN]; /* processes share the kernel's half */
	char where[256];
	unsigned aliases = 0;

	if (j->json) {
		printf("%s\n  {", j->hits ? "," : "");
		if (have_gpa)
			printf("\"gpa\": %" PRIu64 ", ", gpa);
		printf("\"virtual\": [");
	} else if (have_gpa) {
		printf("gpa 0x%" PRIx64, gpa);
	}
	if (have_gva) {
		gyve_dump_where(&j->d, gva, where, sizeof(where));
		printf(j->json ? "%s%" PRIu64 : "%s 0x%" PRIx64, "", gva);
		if (!j->json && *where)
			printf(" <%s>", where);
	}
	for (size_t i = 0; !have_gva && i < j->nranges && aliases < SHOWN; i++) {
		const struct gyve_range *r = &j->ranges[i];
		if (gpa < r->gpa || gpa - r->gpa > r->end_incl - r->start)
			continue;
		uint64_t at = r->start + (gpa - r->gpa);
		unsigned k = 0;
		while (k < aliases && seen[k] != at)
			k++;
		if (k < aliases)
			continue;
		seen[aliases] = at;
		gyve_dump_where(&j->d, at, where, sizeof(where));
		printf(j->json ? "%s%" PRIu64 : "%s virtual 0x%" PRIx64, j->json && aliases ? ", " : "", at);
		if (!j->json && *where)
			printf(" <%s>", where);
		aliases++;
	}
	printf(j->json ? "], \"bytes\": \"" : ":");
	for (size_t i = 0; i < n && i < SHOWN; i++)
		printf(j->json ? "%02x" : " %02x", p[i]);
	printf(j->json ? "\"}" : "\n");
	j->hits++;
}

/* One piece; hits that begin in its first own bytes (the rest is there for those that reach beyond). */
static bool search_piece(struct job *j, const uint8_t *p, size_t len, size_t own, uint64_t addr)
{
	for (size_t at = 0; (at = gyve_search_next(&j->s, p, len, at)) < own; at++) {
		if (j->virt) {
			struct gyve_walk w;
			bool ok = gyve_target_translate(&j->d.target, j->d.cpu, addr + at, &w, NULL, NULL) == 0;
			show(j, true, addr + at, ok, w.gpa, p + at, len - at);
		} else {
			show(j, j->d.core->is_virtual, addr + at, !j->d.core->is_virtual, addr + at, p + at, len - at);
		}
		if (j->hits >= j->max)
			return false;
	}
	j->bytes += own;
	return true;
}

static bool only_zeros(const struct gyve_search *s)
{
	bool zeros = true;

	if (s->width)
		return s->lo == 0;
	for (size_t i = 0; i < s->len; i++)
		zeros &= !(s->bytes[i] & s->mask[i]);
	return zeros;
}

static void search_phys(struct job *j)
{
	struct gyve_core *c = j->d.core;
	size_t over = gyve_search_len(&j->s) - 1;

	for (size_t i = 0; i < c->map.n; i++) {
		const struct gyve_region *r = &c->map.regions[i];
		for (uint64_t at = 0, n; at < r->len; at += n) {
			int state = gyve_core_page_state(c, r->gpa + at, &n);
			if (state == GYVE_CORE_ABSENT || (state == GYVE_CORE_ZERO && !only_zeros(&j->s)))
				continue;
			if (n > 16 << 20)
				n = 16 << 20;
			uint64_t len = n + over;
			const uint8_t *p = gyve_core_ptr(c, r->gpa + at, &len);
			if (!p)
				continue;
			if (len < n)
				n = len;
			if (!search_piece(j, p, len, n, r->gpa + at))
				return;
		}
	}
}

static int search_range(void *ctx, const struct gyve_range *r)
{
	static uint8_t buf[(1 << 20) + GYVE_SEARCH_MAX];
	struct job *j = ctx;
	size_t over = gyve_search_len(&j->s) - 1;
	uint64_t total = r->end_incl - r->start + 1;

	for (uint64_t at = 0; at < total || !total; at += 1 << 20) {
		uint64_t own = total - at < 1 << 20 && total ? total - at : 1 << 20, pages;
		int state = gyve_core_page_state(j->d.core, r->gpa + at, &pages);
		if (state != GYVE_CORE_STORED && pages >= own && !only_zeros(&j->s))
			continue;
		ssize_t n = gyve_target_read(&j->d.target, j->d.cpu, r->start + at, buf, own + over, NULL);
		if (n <= 0)
			return 0;
		if (!search_piece(j, buf, (size_t)n, (uint64_t)n < own ? (size_t)n : own, r->start + at))
			return 1;
	}
	return 0;
}

static int search_virt(struct job *j)
{
	struct gyve_mmu mmu;
	struct gyve_err err = {0};

	if (gyve_target_mmu(&j->d.target, j->d.cpu, &mmu, &err) < 0)
		return gyve_say_err(&err, GYVE_STATUS_FAILED);
	gyve_walk_ranges(&mmu, &j->d.target.phys, 0, UINT64_MAX, search_range, j);
	return 0;
}

static int parse(struct job *j, int argc, char **argv, const char **path, struct gyve_err *err)
{
	static const struct {
		const char *name;
		unsigned width;
	} kinds[] = {{"--text", 0}, {"--bytes", 1}, {"--u16", 2}, {"--u32", 4}, {"--u64", 8}};
	bool have = false;

	for (int i = 1; i < argc; i++) {
		size_t k = 0;
		while (k < GYVE_ARRAY_SIZE(kinds) && strcmp(argv[i], kinds[k].name) != 0)
			k++;
		if (k < GYVE_ARRAY_SIZE(kinds) && i + 1 < argc) {
			unsigned w = kinds[k].width;
			const char *v = argv[++i];
			int ret = w == 0   ? gyve_search_string(&j->s, v, err)
				  : w == 1 ? gyve_search_hex(&j->s, v, err)
					   : gyve_search_number(&j->s, w, v, err);
			if (ret < 0)
				return ret;
			have = true;
		} else if (strcmp(argv[i], "--virtual") == 0) {
			j->virt = true;
		} else if (strcmp(argv[i], "--max") == 0 && i + 1 < argc) {
			j->max = strtoull(argv[++i], NULL, 0);
		} else if (argv[i][0] != '-' && !*path) {
			*path = argv[i];
		} else {
			return gyve_err_set(err, -EINVAL, "search does not know '%.60s'", argv[i]);
		}
	}
	if (!have || !*path)
		return gyve_err_set(err, -EINVAL, "search needs a dump and --text, --bytes, --u16, --u32 or --u64");
	return 0;
}

int gyve_cmd_search(int argc, char **argv)
{
	struct job j = {.max = 1000};
	struct gyve_dump_opts o;
	struct gyve_err err = {0};
	const char *path = NULL;
	int status;

	if (gyve_dump_options(&o, &argc, argv) < 0)
		return GYVE_STATUS_USAGE;
	if (o.help) {
		printf("usage: gyve search WHAT [OPTION...] DUMP\n"
		       "  --text TEXT       these bytes\n"
		       "  --bytes HEX       these, ?? for any: 4889e5??c3\n"
		       "  --u16|--u32|--u64 VALUE or LOW-HIGH, with or without /MASK: numbers at addresses of their size\n"
		       "  --virtual         along the virtual addresses of one vCPU [physical memory, with the way back]\n"
		       "  --max N           hits shown [1000]\n%s",
		       gyve_dump_options_help);
		return 0;
	}
	if (parse(&j, argc, argv, &path, &err) < 0)
		return gyve_say_err(&err, GYVE_STATUS_USAGE);
	j.json = o.json;
	status = gyve_dump_open(&j.d, path, &o);
	if (status)
		return status;
	gyve_pager_begin(&o);
	if (j.json)
		printf("[");
	if (!j.virt)
		find_ranges(&j);
	if (j.virt)
		status = search_virt(&j);
	else
		search_phys(&j);
	if (j.json)
		printf("\n]\n");
	else if (j.hits >= j.max)
		printf("... %" PRIu64 " hit%s shown; more with --max\n", j.hits, j.hits == 1 ? "" : "s");
	else
		printf("%" PRIu64 " hit%s in %" PRIu64 " KiB\n", j.hits, j.hits == 1 ? "" : "s", j.bytes >> 10);
	gyve_pager_end();
	free(j.ranges);
	gyve_dump_close(&j.d);
	return status ? status : j.hits ? 0 : 1;
}
