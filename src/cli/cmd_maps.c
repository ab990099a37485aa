/* gyve vtop DUMP ADDRESS... and gyve maps DUMP: the page tables. */
#include "cmd.h"
#include "dump_cmd.h"

#include <inttypes.h>
#include <string.h>

static const char *perms_text(unsigned perms, char buf[5])
{
	snprintf(buf, 5, "%c%c%c%c", perms & GYVE_PERM_R ? 'r' : '-', perms & GYVE_PERM_W ? 'w' : '-',
		 perms & GYVE_PERM_X ? 'x' : '-', perms & GYVE_PERM_U ? 'u' : '-');
	return buf;
}

static const char *state_text(struct gyve_dump *d, gyve_gpa_t gpa)
{
	static const char *const names[] = {"not in the dump", "zero", "stored"};
	uint64_t len;

	return names[gyve_core_page_state(d->core, gpa, &len)];
}

static int vtop(struct gyve_dump *d, const char *text, bool json, bool first)
{
	struct gyve_err err = {0};
	struct gyve_mmu mmu;
	struct gyve_walk w;
	bool by_layout = false;
	uint64_t gva;
	char perms[5];

	if (gyve_dump_address(d, text, &gva, &err) < 0)
		return gyve_say_err(&err, GYVE_STATUS_USAGE);
	int ret = gyve_target_mmu(&d->target, d->cpu, &mmu, &err);
	if (ret == 0)
		ret = gyve_target_translate(&d->target, d->cpu, gva, &w, &by_layout, &err);
	if (json) {
		printf("%s\n  {\"gva\": %" PRIu64 ", \"mapped\": %s", first ? "" : ",", gva, ret == 0 ? "true" : "false");
		if (ret == 0)
			printf(", \"gpa\": %" PRIu64 ", \"page_size\": %" PRIu64 ", \"perms\": \"%s\", \"state\": \"%s\"",
			       w.gpa, w.page_size, perms_text(w.perms, perms), state_text(d, w.gpa));
		else {
			printf(", \"why\": ");
			gyve_json_string(err.text);
		}
		printf("}");
		return ret == 0 ? 0 : 1;
	}
	for (unsigned i = 0; !by_layout && i < w.nsteps && i < GYVE_ARRAY_SIZE(w.step); i++)
		printf("  %-6s at gpa 0x%012" PRIx64 ": 0x%016" PRIx64 "\n", gyve_walk_level_name(&mmu, w.step[i].level),
		       w.step[i].entry_gpa, w.step[i].entry);
	if (ret < 0) {
		printf("%s\n", err.text);
		return 1;
	}
	printf("0x%" PRIx64 " -> gpa 0x%" PRIx64, gva, w.gpa);
	if (by_layout)
		printf(" (by the loaded image: the guest has not mapped it)\n");
	else
		printf(", %" PRIu64 " KiB page, %s, %s\n", w.page_size >> 10, perms_text(w.perms, perms), state_text(d, w.gpa));
	return 0;
}

static int vtop_all(struct gyve_dump_run *r)
{
	int status, worst = 0;

	for (int i = 0; i < r->nwords; i++) {
		status = vtop(&r->d, r->words[i], r->json, i == 0);
		worst = status > worst ? status : worst;
	}
	return worst;
}

const struct gyve_dump_cmd gyve_dump_vtop = {"vtop [OPTION...] DUMP ADDRESS...", .min = 1, .max = -1, .list = true,
					     .run = vtop_all};

struct maps {
	struct gyve_dump *d;
	uint64_t n;
	bool json;
};

/* How much of a range is stored, zero, or not there. */
static void backing(struct gyve_dump *d, const struct gyve_range *r, uint64_t sum[3])
{
	uint64_t total = r->end_incl - r->start + 1, n;

	sum[0] = sum[1] = sum[2] = 0;
	for (uint64_t at = 0; at < total; at += n) {
		int state = gyve_core_page_state(d->core, r->gpa + at, &n);
		if (!n || n > total - at)
			n = total - at;
		sum[state] += n;
	}
}

static int print_range(void *ctx, const struct gyve_range *r)
{
	struct maps *m = ctx;
	uint64_t sum[3];
	char perms[5], where[256] = "";

	backing(m->d, r, sum);
	if (m->json) {
		printf("%s\n  {\"start\": %" PRIu64 ", \"last\": %" PRIu64 ", \"gpa\": %" PRIu64
		       ", \"perms\": \"%s\", \"page_size\": %" PRIu64 ", \"stored\": %" PRIu64 ", \"zero\": %" PRIu64
		       ", \"absent\": %" PRIu64 "}",
		       m->n++ ? "," : "", r->start, r->end_incl, r->gpa, perms_text(r->perms, perms), r->page_size, sum[2],
		       sum[1], sum[0]);
		return 0;
	}
	m->n++;
	gyve_dump_where(m->d, r->start, where, sizeof(where));
	printf("0x%016" PRIx64 "-0x%016" PRIx64 " %s gpa 0x%" PRIx64 ", %" PRIu64 " KiB pages, %" PRIu64 " KiB stored",
	       r->start, r->end_incl, perms_text(r->perms, perms), r->gpa, r->page_size >> 10, sum[2] >> 10);
	if (sum[0])
		printf(", %" PRIu64 " KiB not in the dump", sum[0] >> 10);
	printf("%s%s\n", *where ? "  " : "", where);
	return 0;
}

static int maps(struct gyve_dump_run *r)
{
	struct maps m = {&r->d, 0, r->json};
	struct gyve_err err = {0};
	struct gyve_mmu mmu;

	if (!r->d.core->have_sys && !r->json)
		printf("no system registers, so no page tables: %s\n",
		       r->d.core->is_virtual ? "gyve info has what is where" : "addresses are physical ones");
	else if (gyve_target_mmu(&r->d.target, r->d.cpu, &mmu, &err) < 0 ||
		 gyve_walk_ranges(&mmu, &r->d.target.phys, 0, UINT64_MAX, print_range, &m) < 0)
		return gyve_say_err(&err, GYVE_STATUS_FAILED);
	return 0;
}

const struct gyve_dump_cmd gyve_dump_maps = {"maps [OPTION...] DUMP", .list = true, .run = maps};
