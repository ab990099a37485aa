/* gyve bt DUMP: the call stack of one vCPU or all. */
#include "cmd.h"
#include "dump_cmd.h"

#include "gyve/unwind.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_FRAMES = 256 };

struct stack {
	struct gyve_dump *d;
	unsigned cpu;
	bool locals, first;
	bool parameters, first_variable; /* JSON: which of the two kinds is printed now */
};

static void write_text(void *ctx, const void *buf, size_t len)
{
	static char line[8192]; /* it comes in pieces */
	static size_t n;

	(void)ctx;
	for (const char *p = buf; len--; p++) {
		line[n++] = *p;
		if (*p == '\n' || n == sizeof(line)) {
			gyve_print_frame(line, n);
			n = 0;
		}
	}
}

static void json_variable(void *ctx, const char *name, const char *value, bool parameter)
{
	struct stack *k = ctx;

	if (parameter != k->parameters)
		return;
	printf("%s", k->first_variable ? "" : ", ");
	k->first_variable = false;
	gyve_json_string(name);
	printf(": ");
	gyve_json_string(value);
}

static void json_variables(struct stack *k, const struct gyve_bt_line *line, const char *what, bool parameters)
{
	k->parameters = parameters;
	k->first_variable = true;
	printf(", \"%s\": {", what);
	gyve_backtrace_locals(&k->d->target, k->cpu, line, json_variable, k);
	printf("}");
}

static void json_line(void *ctx, const struct gyve_bt_line *line)
{
	struct stack *k = ctx;

	printf("%s\n    {\"frame\": %u, \"pc\": \"0x%" PRIx64 "\"", k->first ? "" : ",", line->number, line->frame->pc);
	k->first = false;
	if (strncmp(line->symbol, "0x", 2) != 0) {
		printf(", \"symbol\": ");
		gyve_json_string(line->symbol);
	}
	if (line->source) {
		printf(", \"function\": ");
		gyve_json_string(line->source->function ? line->source->function : "");
		printf(", \"place\": ");
		gyve_json_string(line->source->place);
		printf(", \"inlined\": %s", line->source->inlined ? "true" : "false");
		json_variables(k, line, "parameters", true);
		if (k->locals)
			json_variables(k, line, "locals", false);
	}
	if (*line->how) {
		printf(", \"how\": ");
		gyve_json_string(line->how);
	}
	printf("}");
}

static int print_cpu(struct stack *k, bool json, bool header)
{
	const struct gyve_sink out = {write_text, NULL};
	struct gyve_target *t = &k->d->target;
	struct gyve_err err = {0};
	int n;

	if (json) {
		printf("  {\"vcpu\": %u, \"frames\": [", k->cpu);
		k->first = true;
		n = gyve_backtrace(t, k->cpu, MAX_FRAMES, json_line, k, &err);
		printf("\n  ]}");
	} else {
		if (header)
			printf("vCPU %u\n", k->cpu);
		n = gyve_backtrace_print(t, k->cpu, MAX_FRAMES, k->locals ? GYVE_BACKTRACE_LOCALS : 0, "", &out, &err);
	}
	return n < 0 ? gyve_say_err(&err, 1) : 0;
}

static int print_all(struct gyve_dump *d, bool all, bool locals, bool json)
{
	struct stack k = {.d = d, .locals = locals};
	int status = 0;

	if (json)
		printf("[\n");
	for (unsigned c = 0; c < d->core->ncpus; c++) {
		if (!all && c != d->cpu)
			continue;
		k.cpu = c;
		if (print_cpu(&k, json, all))
			status = 1;
		if (json)
			printf("%s\n", all && c + 1 < d->core->ncpus ? "," : "");
	}
	if (json)
		printf("]\n");
	return status;
}

static int bt(struct gyve_dump_run *r)
{
	return print_all(&r->d, r->given['a'], r->given['l'], r->json);
}

const struct gyve_dump_cmd gyve_dump_bt = {
	"bt [-a] [-l] [OPTION...] DUMP\n  -a                every vCPU\n  -l                variables as well",
	.flags = "al",
	.run = bt,
};
