/* Private to src/cli: a command over one dump is a row of these and a function; the row is named in main.c's table. */
#ifndef GYVE_DUMP_CMD_H
#define GYVE_DUMP_CMD_H
#include "dump_open.h"

/** One call of it. */
struct gyve_dump_run {
	struct gyve_dump d;
	struct gyve_dump_opts opts;
	const char *name, *path; /**< the command's word, with what follows a slash; the dump's file */
	char **words;            /**< behind DUMP; NULL-terminated */
	int nwords;
	bool json;
	bool given[256]; /**< by its letter: was the flag given? */
};

struct gyve_dump_cmd {
	const char *usage;                   /**< behind "usage: gyve ", with lines about what is its own */
	const char *flags;                   /**< letters; NULL: none */
	int min, max;                        /**< words behind DUMP; max -1: any number */
	bool list;                           /**< its JSON is a list; the brackets are printed around it */
	int (*run)(struct gyve_dump_run *r); /**< returns the exit status */
};

extern const struct gyve_dump_cmd gyve_dump_info, gyve_dump_regs, gyve_dump_bt, gyve_dump_x, gyve_dump_vtop, gyve_dump_maps,
	gyve_dump_syms, gyve_dump_verify;

/** Run c by its command line; argv[0] is its name. Returns the exit status. */
int gyve_dump_command(const struct gyve_dump_cmd *c, int argc, char **argv);
#endif
