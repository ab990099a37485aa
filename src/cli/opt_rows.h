/* Private to the option files: the table of options and its functions. */
#ifndef GYVE_OPT_ROWS_H
#define GYVE_OPT_ROWS_H
#include "opts.h"

enum opt_value { NONE, REQUIRED, OPTIONAL_ATTACHED, OPTIONAL_PORT };

struct option_row {
	char letter; /* 0: none */
	const char *name;
	enum opt_value value;
	const char *arg;  /* for --help */
	const char *env;  /* besides GYVE_<NAME> */
	const char *toml; /* "table.key", besides gyve.<name> */
	bool list;        /* may be repeated; TOML gives an array of them */
	int (*set)(struct gyve_opts *o, const char *value, struct gyve_err *err);
	size_t field;     /* set is NULL: of a bool (NONE) or of a const char * in struct gyve_opts */
	const char *help; /* lines; NULL: a heading, which is name */
};

extern const struct option_row gyve_option_rows[];
extern const size_t gyve_option_count;

/* Give row its value: a bool as text, NULL for "set". */
int opt_apply(struct gyve_opts *o, const struct option_row *row, const char *value, struct gyve_err *err);
/* config.c: the rows that given[] leaves get their value from the configuration file, if there is one; lists get theirs too. */
int opt_from_config(struct gyve_opts *o, const bool *given, struct gyve_err *err);

/* opt_values.c */
int opt_memory(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_cpus(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_gdb(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_no_aslr(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_env(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_break_strategy(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_watch_strategy(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_threads(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_serial(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_disk(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_file_mapping(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_isolation(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_io_mode(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_net(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_dump(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_dump_on(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_dump_notes(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_affinity(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_image_mode(struct gyve_opts *o, const char *value, struct gyve_err *err);
int opt_check_affinity(const struct gyve_opts *o, struct gyve_err *err);
/* One variable per name. The first command_line ones are the user's: the last of a name counts, and they beat the others. */
int opt_finish_env(struct gyve_opts *o, size_t command_line);
#endif
