/* Private to src/cli: options by table. Parsing prints nothing and opens nothing. */
#ifndef GYVE_OPTS_H
#define GYVE_OPTS_H
#include "gyve/isolate.h"
#include "gyve/target.h"

struct gyve_opts {
	uint64_t mem_size; /**< bytes */
	bool mem_size_given;
	unsigned ncpus;
	bool gdb, nowait, aslr, stats, strict, help, version, no_probe_cache;
	enum gyve_break_strategy break_strategy;
	enum gyve_watch_strategy watch_strategy;
	const char *dump; /**< file for dumps; NULL: none */
	bool dump_crash, dump_exit, dump_panic, compress, dump_qemu, dump_virtual;
	struct gyve_listen listen;
	const char *output; /**< NULL: standard output */
	const char *log;    /**< NULL: not given */
	const char **env;   /**< "K=V", NULL-terminated; the array is owned, the strings are borrowed */
	size_t nenv;
	const char **file_mappings; /**< HOST:GUEST[:ro], NULL-terminated or NULL; the array is owned */
	size_t nfile_mappings;
	const char *tempdir; /**< NULL: TMPDIR */
	enum gyve_isolation isolation;
	bool io_direct, io_sync; /**< for files in the temporary directory */
	const char *image;       /**< NULL: missing */
	const char *const *args; /**< after IMAGE, NULL-terminated, borrowed from argv */
};

/** argv[0] is the command's name. environment variables are read through getenv(). -EINVAL and a sentence: usage error. */
int gyve_opts_parse(struct gyve_opts *ret, int argc, char **argv, struct gyve_err *err);
void gyve_opts_deinit(struct gyve_opts *o);
/** The option list for --help. Borrowed. */
const char *gyve_opts_help(void);
/** "16MiB", "1GiB", "64M" (10^6), "4096". -EINVAL, also for 0 and what does not fit 64 bits. */
int gyve_size_parse(uint64_t *ret, const char *text, struct gyve_err *err);
#endif
