/* gyve regs DUMP: registers of one vCPU or all, the system's as well with -a. */
#include "cmd.h"
#include "dump_cmd.h"

#include "../base/bytes.h"

#include <inttypes.h>
#include <string.h>

static void value_text(const struct gyve_reg_row *row, const uint8_t *v, char *buf)
{
	unsigned n = row->bits / 8;

	buf += sprintf(buf, "0x");
	for (unsigned i = n; i-- > 0;)
		buf += sprintf(buf, "%02x", v[i]);
}

/* Names of the bits that are set, fields with their values. */
static void flags_text(const struct gyve_reg_row *row, const uint8_t *v, char *buf, size_t size)
{
	uint64_t value = row->bits == 32 ? get_le32(v) : get_le64(v);
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; row->flags && i < row->flags->nfields && len < size; i++) {
		const struct gyve_reg_field *f = &row->flags->fields[i];
		uint64_t bits =
			value >> f->start & (f->end - f->start >= 63 ? UINT64_MAX : (UINT64_C(2) << (f->end - f->start)) - 1);
		if (bits && f->start == f->end)
			len += (size_t)snprintf(buf + len, size - len, " %s", f->name);
		else if (bits)
			len += (size_t)snprintf(buf + len, size - len, " %s=0x%" PRIx64, f->name, bits);
	}
}

static bool wanted(const struct gyve_reg_row *row, bool all)
{
	return all || !row->gdb_group || strcmp(row->gdb_group, "general") == 0;
}

static void print_cpu(struct gyve_dump *d, unsigned cpu, bool all, bool json)
{
	const struct gyve_arch *a = d->core->arch;
	char text[140], flags[512], where[256];
	uint8_t v[64] = {0};
	bool first = true;

	if (!json)
		printf("vCPU %u\n", cpu);
	else
		printf("  {\"vcpu\": %u, \"registers\": {", cpu);
	for (unsigned i = 0; i < a->nregs; i++) {
		const struct gyve_reg_row *row = &a->regs[i];
		if (!wanted(row, all) || row->bits > 512 || gyve_target_reg_get(&d->target, cpu, row, v, NULL) < 0)
			continue;
		value_text(row, v, text);
		if (json) {
			printf("%s\"%s\": \"%s\"", first ? "" : ", ", row->name, text);
			first = false;
			continue;
		}
		flags_text(row, v, flags, sizeof(flags));
		where[0] = '\0';
		if (row->type && strcmp(row->type, "code_ptr") == 0)
			gyve_dump_where(d, get_le64(v), where, sizeof(where));
		printf("  %-18s %s%s%s%s\n", row->name, text, flags, *where ? "  " : "", where);
	}
	if (json)
		printf("}}");
}

static int regs(struct gyve_dump_run *r)
{
	unsigned ncpus = r->d.core->ncpus;

	if (r->json)
		printf("[\n");
	for (unsigned c = 0; c < ncpus; c++) {
		if (r->opts.cpu_given && c != r->opts.cpu)
			continue;
		print_cpu(&r->d, c, r->given['a'], r->json);
		if (r->json)
			printf("%s\n", r->opts.cpu_given || c + 1 == ncpus ? "" : ",");
	}
	if (r->json)
		printf("]\n");
	return 0;
}

const struct gyve_dump_cmd gyve_dump_regs = {
	"regs [-a] [OPTION...] DUMP\n  -a                system, float and vector registers as well",
	.flags = "a",
	.run = regs,
};
