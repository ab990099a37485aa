/* gyve vtop DUMP ADDRESS... and gyve maps DUMP: the page tables. */
#include "cmd.h"
#include "dump_open.h"

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

int gyve_cmd_vtop(int argc, char **argv)
{
	struct gyve_dump_opts o;
	struct gyve_dump d;
	int status, worst = 0;

	if (gyve_dump_options(&o, &argc, argv) < 0)
		return GYVE_STATUS_USAGE;
	if (o.help || argc < 3) {
		fprintf(o.help ? stdout : stderr, "usage: gyve vtop [OPTION...] DUMP ADDRESS...\n%s", gyve_dump_options_help);
		return o.help ? 0 : GYVE_STATUS_USAGE;
	}
	status = gyve_dump_open(&d, argv[1], &o);
	if (status)
		return status;
	if (o.json)
		printf("[");
	for (int i = 2; i < argc; i++) {
		status = vtop(&d, argv[i], o.json, i == 2);
		worst = status > worst ? status : worst;
	}
	if (o.json)
		printf("\n]\n");
	gyve_dump_close(&d);
	return worst;
}

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

int gyve_cmd_maps(int argc, char **argv)
{
	struct gyve_dump_opts o;
	struct gyve_dump d;
	struct gyve_mmu mmu;
	struct gyve_err err = {0};
	int status;

	if (gyve_dump_options(&o, &argc, argv) < 0)
		return GYVE_STATUS_USAGE;
	if (o.help || argc != 2) {
		fprintf(o.help ? stdout : stderr, "usage: gyve maps [OPTION...] DUMP\n%s", gyve_dump_options_help);
		return o.help ? 0 : GYVE_STATUS_USAGE;
	}
	status = gyve_dump_open(&d, argv[1], &o);
	if (status)
		return status;
	struct maps m = {&d, 0, o.json};
	gyve_pager_begin(o.json);
	if (o.json)
		printf("[");
	if (!d.core->have_sys && !o.json)
		printf("no system registers, so no page tables: addresses are physical ones\n");
	else if (gyve_target_mmu(&d.target, d.cpu, &mmu, &err) < 0 ||
		 gyve_walk_ranges(&mmu, &d.target.phys, 0, UINT64_MAX, print_range, &m) < 0)
		status = gyve_say_err(&err, GYVE_STATUS_FAILED);
	if (o.json)
		printf("\n]\n");
	gyve_pager_end();
	gyve_dump_close(&d);
	return status;
}
