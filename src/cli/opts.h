/* Private to src/cli: options by table. Parsing prints nothing and opens nothing. */
#ifndef GYVE_OPTS_H
#define GYVE_OPTS_H
#include "../base/size.h"
#include "gyve/isolate.h"
#include "gyve/net.h"
#include "gyve/target.h"

struct toml;
enum { GYVE_OPT_CPUS = 1024 };

struct gyve_opts {
	uint64_t mem_size; /**< bytes */
	bool mem_size_given;
	unsigned ncpus;
	bool gdb, nowait, aslr, stats, strict, help, version, no_probe_cache;
	bool thp, ksm, cpu_pm, pit;
	unsigned affinity[GYVE_OPT_CPUS], naffinity; /**< host CPUs by vCPU; 0: wherever */
	enum gyve_break_strategy break_strategy;
	enum gyve_watch_strategy watch_strategy;
	const char *dump; /**< file for dumps; NULL: none */
	bool dump_crash, dump_exit, dump_panic, compress, dump_qemu, dump_virtual, live_dump;
	struct gyve_listen listen;
	const char *output; /**< NULL: standard output */
	const char *serial; /**< where the console leads; NULL: standard input and output */
	const char *log;    /**< NULL: not given */
	const char *config; /**< the file that was read; NULL: none */
	struct toml *toml;  /**< what it says; owned */
	bool env_host;      /**< all of the host's environment was asked for */
	const char **env;   /**< "K=V", NULL-terminated; the array is owned, the strings are borrowed */
	size_t nenv;
	const char **file_mappings; /**< HOST:GUEST[:ro], NULL-terminated or NULL; the array is owned */
	size_t nfile_mappings;
	const char **disks; /**< FILE[,ro|,overlay], NULL-terminated or NULL; the array is owned */
	size_t ndisks;
	bool virtio_console, self_unpack, observers;
	bool tasks;          /**< gdb's threads are the tasks of a Linux guest */
	const char *tempdir; /**< NULL: TMPDIR */
	enum gyve_isolation isolation;
	const char *module_dir;            /**< directory tree with the kernel's modules; NULL: none */
	const char *symbols;               /**< ELF file with the image's symbols; NULL: the image */
	const char *initrd, *append, *dtb; /**< for a Linux kernel; NULL: none */
	struct gyve_net_options net;       /**< its kind NONE: no network */
	bool image_internal;               /**< a Hermit image stays in guest memory as it is */
	bool io_direct, io_sync;           /**< for files in the temporary directory */
	const char *image;                 /**< NULL: missing */
	const char *const *args;           /**< after IMAGE, NULL-terminated, borrowed from argv */
};

/** argv[0] is the command's name. The command line beats environment variables (getenv()), those beat the configuration file,
 * which is read here. -EINVAL and a sentence: usage error. */
int gyve_opts_parse(struct gyve_opts *ret, int argc, char **argv, struct gyve_err *err);
void gyve_opts_deinit(struct gyve_opts *o);
/** The value of --threads. -EINVAL. */
int gyve_opts_threads(const char *value, bool *tasks, struct gyve_err *err);
/** One more variable for the guest (borrowed), unless its name is there. 0 or -ENOMEM. */
int gyve_opts_add_env(struct gyve_opts *o, const char *value);
/** Line n of the list of options, as `--name`, for tests and completion; NULL: no more. */
const char *gyve_opts_name(size_t n);
/** The option list for --help. Borrowed. */
const char *gyve_opts_help(void);
#endif
