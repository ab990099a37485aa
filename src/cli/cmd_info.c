/* gyve info DUMP: what it is, when, why, its vCPUs, memory and images. */
#include "cmd.h"
#include "dump_cmd.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static const char *when_text(int64_t when, char buf[40])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, 40, "%Y-%m-%dT%H:%M:%SZ", &tm))
		strcpy(buf, "?");
	return buf;
}

static void build_id_text(const struct gyve_core_info *i, char *buf)
{
	buf[0] = '\0';
	for (unsigned k = 0; k < i->build_id_len; k++)
		sprintf(buf + 2 * k, "%02x", i->build_id[k]);
}

static void print_cpu(struct gyve_dump *d, unsigned cpu)
{
	struct gyve_regs *r = &d->core->regs[cpu];
	uint64_t pc = d->core->arch->pc(r);
	char where[256];

	gyve_dump_where(d, pc, where, sizeof(where));
	printf("%c vCPU %u: pc 0x%" PRIx64 "%s%s, sp 0x%" PRIx64, cpu == d->cpu ? '*' : ' ', cpu, pc, *where ? " " : "", where,
	       d->core->arch->sp(r));
	if (d->core->have_sys)
		printf(", tables at 0x%" PRIx64, d->core->arch->root(r));
	if (d->core->have_sys && r->arch == GYVE_AARCH64)
		printf(" and 0x%" PRIx64, r->a64.ttbr1_el1 & UINT64_C(0xfffffffffffe)); /* without ASID and CnP */
	printf("\n");
}

static void print_text(struct gyve_dump *d, const char *path)
{
	const struct gyve_core *c = d->core;
	const struct gyve_core_info *i = &c->info;
	char when[40], id[2 * GYVE_BUILD_ID_MAX + 1];

	printf("%s: %s, %s, %u vCPU%s\n", path, c->format, c->arch->name, c->ncpus, c->ncpus == 1 ? "" : "s");
	if (c->has_info) {
		printf("written %s by %s: %s%s%s\n", when_text(i->when, when), i->writer, i->why, *i->text ? ": " : "",
		       i->text);
	}
	build_id_text(i, id);
	if (*i->image)
		printf("image %s%s%s, loaded with offset 0x%" PRIx64 ", entry 0x%" PRIx64 "\n", i->image,
		       *id ? ", build id " : "", id, i->bias ? i->bias : d->bias, i->entry);
	if (c->guest_linux.there)
		printf("Linux %s, moved by 0x%" PRIx64 "%s\n", c->guest_linux.release, c->guest_linux.offset,
		       c->guest_linux.offset_known ? "" : " (not said)");
	printf("symbols: %s", d->image.path ? d->image.path : "none found (--symbols ELF)");
	if (d->debug.path)
		printf(", %s", d->debug.path);
	printf("\n");
	for (size_t k = 0; k < c->map.n; k++) {
		if (k == 20 && c->map.n > 24) {
			printf("... and %zu more\n", c->map.n - k);
			break;
		}
		printf("%s 0x%" PRIx64 "-0x%" PRIx64 " (%" PRIu64 " KiB)\n", c->is_virtual ? "virtual memory" : "memory",
		       c->map.regions[k].gpa, c->map.regions[k].gpa + c->map.regions[k].len - 1, c->map.regions[k].len >> 10);
	}
	printf("%" PRIu64 " KiB of memory, %" PRIu64 " KiB of it in use; system registers: %s\n", c->mem_size >> 10,
	       c->stored_size >> 10,
	       c->have_sys     ? "yes"
	       : c->is_virtual ? "no, nor needed"
			       : "no, so addresses are physical ones");
	for (unsigned k = 0; k < c->ncpus; k++)
		print_cpu(d, k);
}

static void json_pair(const char *key, const char *value)
{
	printf("  \"%s\": ", key);
	gyve_json_string(value);
	printf(",\n");
}

static void print_json(struct gyve_dump *d, const char *path)
{
	const struct gyve_core *c = d->core;
	const struct gyve_core_info *i = &c->info;
	char id[2 * GYVE_BUILD_ID_MAX + 1], where[256];

	printf("{\n");
	json_pair("file", path);
	json_pair("format", c->format);
	json_pair("arch", c->arch->name);
	json_pair("why", i->why);
	json_pair("text", i->text);
	json_pair("image", i->image);
	json_pair("writer", i->writer);
	build_id_text(i, id);
	json_pair("build_id", id);
	json_pair("symbols", d->image.path ? d->image.path : "");
	json_pair("debug_file", d->debug.path ? d->debug.path : "");
	json_pair("linux", c->guest_linux.release);
	printf("  \"when\": %" PRId64 ", \"bias\": %" PRIu64 ", \"entry\": %" PRIu64 ", \"stopped_cpu\": %u,\n", i->when,
	       i->bias, i->entry, i->stop_cpu);
	printf("  \"system_registers\": %s, \"virtual\": %s, \"memory_bytes\": %" PRIu64 ", \"stored_bytes\": %" PRIu64 ",\n",
	       c->have_sys ? "true" : "false", c->is_virtual ? "true" : "false", c->mem_size, c->stored_size);
	printf("  \"warnings\": ");
	gyve_json_string(c->warnings ? c->warnings : "");
	printf(",\n  \"memory\": [");
	for (size_t k = 0; k < c->map.n; k++)
		printf("%s\n    {\"gpa\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", k ? "," : "", c->map.regions[k].gpa,
		       c->map.regions[k].len);
	printf("\n  ],\n  \"vcpus\": [");
	for (unsigned k = 0; k < c->ncpus; k++) {
		printf("%s\n    {\"pc\": %" PRIu64 ", \"sp\": %" PRIu64 ", \"root\": %" PRIu64 ", \"where\": ", k ? "," : "",
		       c->arch->pc(&c->regs[k]), c->arch->sp(&c->regs[k]), c->arch->root(&c->regs[k]));
		gyve_json_string(gyve_dump_where(d, c->arch->pc(&c->regs[k]), where, sizeof(where)));
		printf("}");
	}
	printf("\n  ]\n}\n");
}

static int info(struct gyve_dump_run *r)
{
	r->json ? print_json(&r->d, r->path) : print_text(&r->d, r->path);
	return 0;
}

const struct gyve_dump_cmd gyve_dump_info = {"info [OPTION...] DUMP", .run = info};
