/* gyve diff A B: registers, pages and symbols that differ. */
#include "cmd.h"
#include "dump_open.h"

#include "../base/bytes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, SHOWN = 200 };

struct diff {
	struct gyve_dump a, b;
	bool json;
	uint64_t nregs, npages, nbytes, nruns, nsyms;
	struct gyve_range *ranges;
	size_t nranges;
};

static void hex(const uint8_t *v, unsigned n, char *buf)
{
	for (unsigned i = n; i-- > 0;)
		buf += sprintf(buf, "%02x", v[i]);
}

static void diff_regs(struct diff *x)
{
	const struct gyve_arch *arch = x->a.core->arch;
	unsigned n = x->a.core->ncpus < x->b.core->ncpus ? x->a.core->ncpus : x->b.core->ncpus;
	char ta[140], tb[140];

	for (unsigned c = 0; c < n; c++)
		for (unsigned i = 0; i < arch->nregs; i++) {
			const struct gyve_reg_row *row = &arch->regs[i];
			uint8_t a[64] = {0}, b[64] = {0};
			bool ha = row->get(row, &x->a.core->regs[c], a) == 0, hb = row->get(row, &x->b.core->regs[c], b) == 0;
			if (row->bits > 512 || (!ha && !hb) || (ha == hb && memcmp(a, b, row->bits / 8) == 0))
				continue;
			hex(a, row->bits / 8, ta);
			hex(b, row->bits / 8, tb);
			if (x->json)
				printf("%s\n    {\"vcpu\": %u, \"name\": \"%s\", \"a\": \"0x%s\", \"b\": \"0x%s\"}",
				       x->nregs ? "," : "", c, row->name, ha ? ta : "", hb ? tb : "");
			else
				printf("vCPU %u %s: %s%s -> %s%s\n", c, row->name, ha ? "0x" : "", ha ? ta : "unknown",
				       hb ? "0x" : "", hb ? tb : "unknown");
			x->nregs++;
		}
	if (!x->json && x->a.core->ncpus != x->b.core->ncpus)
		printf("%u vCPUs -> %u\n", x->a.core->ncpus, x->b.core->ncpus);
}

static int add_range(void *ctx, const struct gyve_range *r)
{
	struct diff *x = ctx;

	if (x->nranges % 1024 == 0) {
		struct gyve_range *p = reallocarray(x->ranges, x->nranges + 1024, sizeof(*p));
		if (!p)
			return -1;
		x->ranges = p;
	}
	x->ranges[x->nranges++] = *r;
	return x->nranges >= 100000;
}

static bool to_virtual(const struct diff *x, gyve_gpa_t gpa, uint64_t *gva)
{
	for (size_t i = 0; i < x->nranges; i++)
		if (gpa >= x->ranges[i].gpa && gpa - x->ranges[i].gpa <= x->ranges[i].end_incl - x->ranges[i].start) {
			*gva = x->ranges[i].start + (gpa - x->ranges[i].gpa);
			return true;
		}
	*gva = gpa;
	return x->nranges == 0;
}

/* A run of bytes that differ within one page. */
static void print_run(struct diff *x, gyve_gpa_t gpa, const uint8_t *a, const uint8_t *b, size_t n)
{
	char where[256] = "";
	uint64_t gva;
	bool has = to_virtual(x, gpa, &gva);

	if (has)
		gyve_dump_where(&x->a, gva, where, sizeof(where));
	x->nsyms += *where != 0;
	if (x->nruns++ >= SHOWN)
		return;
	if (x->json) {
		printf("%s\n    {\"gpa\": %" PRIu64 ", \"bytes\": %zu, \"where\": ", x->nruns > 1 ? "," : "", gpa, n);
		gyve_json_string(where);
		printf("}");
		return;
	}
	printf("gpa 0x%" PRIx64, gpa);
	if (has && gva != gpa)
		printf(" virtual 0x%" PRIx64, gva);
	printf("%s%s%s%s%s, %zu byte%s:%s", gyve_paint(GYVE_PAINT_NAME), *where ? " <" : "", where, *where ? ">" : "",
	       gyve_paint(GYVE_PAINT_OFF), n, n == 1 ? "" : "s", gyve_paint(GYVE_PAINT_BAD));
	for (size_t i = 0; i < n && i < 8; i++)
		printf(" %02x", a[i]);
	printf("%s%s ->%s", n > 8 ? "..." : "", gyve_paint(GYVE_PAINT_OFF), gyve_paint(GYVE_PAINT_GOOD));
	for (size_t i = 0; i < n && i < 8; i++)
		printf(" %02x", b[i]);
	printf("%s%s\n", n > 8 ? "..." : "", gyve_paint(GYVE_PAINT_OFF));
}

static void diff_page(struct diff *x, gyve_gpa_t gpa, const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t from = i, last = i;
		if (a[i] == b[i]) {
			i++;
			continue;
		}
		for (; i < n && i - last < 8; i++) /* short equal stretches belong to a run */
			if (a[i] != b[i])
				last = i;
		x->nbytes += last - from + 1;
		print_run(x, gpa + from, a + from, b + from, last - from + 1);
	}
}

static void diff_memory(struct diff *x)
{
	static uint8_t a[PAGE], b[PAGE];
	const struct gyve_memmap *map = &x->a.core->map;

	for (size_t i = 0; i < map->n; i++)
		for (uint64_t at = 0, na, nb; at < map->regions[i].len;) {
			gyve_gpa_t gpa = map->regions[i].gpa + at;
			uint64_t len = map->regions[i].len - at;
			int sa = gyve_core_page_state(x->a.core, gpa, &na), sb = gyve_core_page_state(x->b.core, gpa, &nb);
			if (sa != GYVE_CORE_STORED && (sb != GYVE_CORE_STORED || sa == GYVE_CORE_ABSENT)) {
				uint64_t n = na < nb || !nb ? na : nb;
				at += n && n < len ? n : len;
				continue;
			}
			size_t n = len < PAGE ? (size_t)len : PAGE;
			ssize_t ra = x->a.core->phys.read(x->a.core->phys.ctx, gpa, a, n);
			ssize_t rb = x->b.core->phys.read(x->b.core->phys.ctx, gpa, b, n);
			if (ra == rb && ra > 0 && memcmp(a, b, (size_t)ra) != 0) {
				x->npages++;
				diff_page(x, gpa, a, b, (size_t)ra);
			}
			at += n;
		}
}

static void run(struct diff *x)
{
	struct gyve_mmu mmu;

	if (x->json)
		printf("{\n  \"registers\": [");
	diff_regs(x);
	if (x->json)
		printf("\n  ],\n  \"memory\": [");
	if (x->a.core->have_sys && gyve_target_mmu(&x->a.target, x->a.cpu, &mmu, NULL) == 0)
		gyve_walk_ranges(&mmu, &x->a.target.phys, 0, UINT64_MAX, add_range, x);
	diff_memory(x);
	if (x->json)
		printf("\n  ],\n  \"pages\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"runs\": %" PRIu64 "\n}\n", x->npages,
		       x->nbytes, x->nruns);
	else {
		if (x->nruns > SHOWN)
			printf("... and %" PRIu64 " more places\n", x->nruns - SHOWN);
		printf("%" PRIu64 " registers; %" PRIu64 " bytes in %" PRIu64 " places on %" PRIu64 " pages\n", x->nregs,
		       x->nbytes, x->nruns, x->npages);
	}
}

int gyve_cmd_diff(int argc, char **argv)
{
	struct diff x = {0};
	struct gyve_dump_opts o;
	int status;

	if (gyve_dump_options(&o, &argc, argv) < 0)
		return GYVE_STATUS_USAGE;
	if (o.help || argc != 3) {
		fprintf(o.help ? stdout : stderr, "usage: gyve diff [OPTION...] A B\n%s", gyve_dump_options_help);
		return o.help ? 0 : GYVE_STATUS_USAGE;
	}
	status = gyve_dump_open(&x.a, argv[1], &o);
	if (status)
		return status;
	status = gyve_dump_open(&x.b, argv[2], &o);
	if (status == 0 && x.a.core->arch != x.b.core->arch) {
		fprintf(stderr, "gyve: one dump is of %s, the other of %s\n", x.a.core->arch->name, x.b.core->arch->name);
		status = GYVE_STATUS_USAGE;
	}
	if (status == 0) {
		x.json = o.json;
		gyve_pager_begin(&o);
		run(&x);
		gyve_pager_end();
		status = x.nregs || x.nruns;
	}
	free(x.ranges);
	if (x.b.core)
		gyve_dump_close(&x.b);
	gyve_dump_close(&x.a);
	return status;
}
