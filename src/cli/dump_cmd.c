/* The frame of a command over one dump: options, its one-letter flags, DUMP and the words behind, symbols, pager. */
#include "dump_cmd.h"

#include "cmd.h"

#include <string.h>

static int say_usage(const struct gyve_dump_cmd *c, bool asked)
{
	fprintf(asked ? stdout : stderr, "usage: gyve %s\n%s", c->usage, gyve_dump_options_help);
	return asked ? 0 : GYVE_STATUS_USAGE;
}

/* The flags among the first words. Returns the index of DUMP, or -1. */
static int take_flags(const struct gyve_dump_cmd *c, char **argv, bool given[256])
{
	int i = 1;

	for (; argv[i] && argv[i][0] == '-'; i++) {
		if (!argv[i][1] || argv[i][2] || !c->flags || !strchr(c->flags, argv[i][1]))
			return -1;
		given[(unsigned char)argv[i][1]] = true;
	}
	return argv[i] ? i : -1;
}

int gyve_dump_command(const struct gyve_dump_cmd *c, int argc, char **argv)
{
	struct gyve_dump_run r = {.name = argv[0]};
	int at, status;

	if (gyve_dump_options(&r.opts, &argc, argv) < 0)
		return GYVE_STATUS_USAGE;
	r.json = r.opts.json;
	at = take_flags(c, argv, r.given);
	r.words = argv + at + 1;
	r.nwords = argc - at - 1;
	if (r.opts.help || at < 0 || r.nwords < c->min || (c->max >= 0 && r.nwords > c->max))
		return say_usage(c, r.opts.help);
	r.path = argv[at];
	status = gyve_dump_open(&r.d, r.path, &r.opts);
	if (status)
		return status;
	gyve_pager_begin(&r.opts);
	if (r.json && c->list)
		printf("[");
	status = c->run(&r);
	if (r.json && c->list)
		printf("\n]\n");
	gyve_pager_end();
	gyve_dump_close(&r.d);
	return status;
}
