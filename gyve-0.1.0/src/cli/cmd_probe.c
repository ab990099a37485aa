/* gyve probe: what this host can do for a debugger. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "gyve/probe.h"
#include "opts.h"

enum { USABLE = 0, USABLE_WITH_LIMITS = 1 };

static const char *const states[] = {
	[GYVE_PROBE_WORKS] = "works", [GYVE_PROBE_LIMITED] = "limited", [GYVE_PROBE_ABSENT] = "absent"};

/* Our own texts only: no character needs an escape. */
static void print_json(const struct gyve_probe_fact *f, int n)
{
	puts("[");
	for (int i = 0; i < n; i++)
		printf("  {\"feature\": \"%s\", \"state\": \"%s\", \"seen\": \"%s\", \"strategy\": \"%s\"}%s\n", f[i].feature,
		       states[f[i].state], f[i].seen, f[i].strategy, i + 1 < n ? "," : "");
	puts("]");
}

static void print_text(const struct gyve_probe_fact *f, int n)
{
	for (int i = 0; i < n; i++)
		printf("%-26s %-8s %s%s%s\n", f[i].feature, states[f[i].state], f[i].seen, f[i].strategy[0] ? "; " : "",
		       f[i].strategy);
}

int gyve_cmd_probe(int argc, char **argv)
{
	struct gyve_probe_fact facts[GYVE_PROBE_MAX];
	struct gyve_err err = {0};
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
	int status = USABLE;

	if (argc > 1 && !json) {
		fprintf(stderr, "gyve: probe takes --json and nothing else\ntry: gyve --help\n");
		return GYVE_STATUS_USAGE;
	}
	int n = gyve_probe(facts, &err);
	if (n < 0) {
		fprintf(stderr, "gyve: %s\n", err.text);
		return GYVE_STATUS_NO_KVM;
	}
	for (int i = 0; i < n; i++)
		if (facts[i].state != GYVE_PROBE_WORKS)
			status = USABLE_WITH_LIMITS;
	if (json)
		print_json(facts, n);
	else
		print_text(facts, n);
	return status;
}
