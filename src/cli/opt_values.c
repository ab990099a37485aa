/* What options do with their values. */
#include "config.h"

#include "opt_rows.h"
#include "serial.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern char **environ;

int opt_memory(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	o->mem_size_given = true;
	return gyve_size_parse(&o->mem_size, value, err);
}

int opt_cpus(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long n = strtoul(value, NULL, 10);

	if (digits == 0 || digits > 5 || value[digits] || n == 0 || n > 1024)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not a number of vCPUs (1..1024)", value);
	o->ncpus = (unsigned)n;
	return 0;
}

int opt_gdb(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char suffix[] = ",nowait";
	size_t len = value ? strlen(value) : 0, n = sizeof(suffix) - 1;
	char spec[256];

	o->nowait = len >= n && strcmp(value + len - n, suffix) == 0;
	if (o->nowait)
		len -= n;
	else if (len == n - 1 && strcmp(value, suffix + 1) == 0) /* --gdb=nowait */
		o->nowait = true, len = 0;
	if (len >= sizeof(spec))
		return gyve_err_set(err, -EINVAL, "'%.40s...' is too long a place to listen", value);
	memcpy(spec, value ? value : "", len);
	spec[len] = '\0';
	o->gdb = true;
	return gyve_listen_parse(&o->listen, spec, err);
}

int opt_no_aslr(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)value, (void)err;
	o->aslr = false;
	return 0;
}

static int add_env(struct gyve_opts *o, const char *value)
{
	const char **env = realloc(o->env, (o->nenv + 2) * sizeof(*env));

	if (!env)
		return -ENOMEM;
	o->env = env;
	env[o->nenv++] = value;
	env[o->nenv] = NULL;
	return 0;
}

int opt_env(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	if (strcmp(value, "host") == 0) {
		o->env_host = true;
		return 0;
	}
	if (!strchr(value, '=') || value[0] == '=')
		return gyve_err_set(err, -EINVAL, "'%.60s' is not NAME=VALUE (or 'host' for all of the host's)", value);
	return add_env(o, value);
}

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return strncmp(a, b, n) == 0 && b[n] == '=';
}

static bool is_replaced(const struct gyve_opts *o, size_t i, size_t command_line)
{
	size_t to = i < command_line ? command_line : o->nenv;

	for (size_t j = i + 1; j < to; j++)
		if (same_name(o->env[i], o->env[j]))
			return true;
	for (size_t j = 0; i >= command_line && j < command_line; j++)
		if (same_name(o->env[i], o->env[j]))
			return true;
	return false;
}

int gyve_opts_add_env(struct gyve_opts *o, const char *value)
{
	for (size_t i = 0; i < o->nenv; i++)
		if (same_name(value, o->env[i]))
			return 0;
	return add_env(o, value);
}

int opt_finish_env(struct gyve_opts *o, size_t command_line)
{
	size_t n = 0;
	int ret = 0;

	bool *out = calloc(o->nenv + 1, sizeof(*out));
	if (!out || (!o->env && !(o->env = calloc(1, sizeof(*o->env))))) {
		free(out);
		return -ENOMEM;
	}
	for (size_t i = 0; i < o->nenv; i++)
		out[i] = is_replaced(o, i, command_line);
	for (size_t i = 0; i < o->nenv; i++)
		if (!out[i])
			o->env[n++] = o->env[i];
	free(out);
	o->nenv = n;
	o->env[n] = NULL;
	for (char **e = environ; o->env_host && *e && ret == 0; e++)
		ret = strchr(*e, '=') ? gyve_opts_add_env(o, *e) : 0;
	return ret;
}

/* "0-2,5 7": host CPUs in the order of vCPUs. */
int opt_affinity(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char grammar[] = "'%.60s' is not a list of CPUs: write 0,2-3";
	const char *p = value;

	for (o->naffinity = 0; *p; p += strspn(p, ", ")) {
		char *end;
		if (!isdigit((unsigned char)*p))
			return gyve_err_set(err, -EINVAL, grammar, value);
		unsigned long from = strtoul(p, &end, 10), to = from;
		if (*end == '-' && isdigit((unsigned char)end[1]))
			to = strtoul(end + 1, &end, 10);
		if ((*end && *end != ',' && *end != ' ') || to < from || to >= CPU_SETSIZE)
			return gyve_err_set(err, -EINVAL, grammar, value);
		for (; from <= to; from++) {
			if (o->naffinity == GYVE_ARRAY_SIZE(o->affinity))
				return gyve_err_set(err, -EINVAL, "'%.60s' names too many CPUs", value);
			o->affinity[o->naffinity++] = (unsigned)from;
		}
		p = end;
	}
	return o->naffinity ? 0 : gyve_err_set(err, -EINVAL, grammar, value);
}

int opt_check_affinity(const struct gyve_opts *o, struct gyve_err *err)
{
	cpu_set_t set;

	if (!o->naffinity)
		return 0;
	if (o->naffinity != o->ncpus)
		return gyve_err_set(err, -EINVAL, "--affinity names %u CPUs for %u vCPUs", o->naffinity, o->ncpus);
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return gyve_err_set(err, -EINVAL, "--affinity: this host does not tell its CPUs");
	for (unsigned i = 0; i < o->naffinity; i++)
		if (!CPU_ISSET(o->affinity[i], &set))
			return gyve_err_set(err, -EINVAL, "--affinity: this host has no CPU %u for us", o->affinity[i]);
	return 0;
}

/* The value's place in names, a list that NULL ends; the first is the default. */
static int choose(const char *const *names, const char *value, struct gyve_err *err)
{
	char list[128] = "";

	for (int i = 0; names[i]; i++) {
		if (strcmp(names[i], value) == 0)
			return i;
		size_t n = strlen(list);
		snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", names[i]);
	}
	return gyve_err_set(err, -EINVAL, "'%.60s' is none of: %s", value, list);
}

int opt_break_strategy(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {[GYVE_BREAK_AUTO] = "auto",
					    [GYVE_BREAK_NATIVE] = "native",
					    [GYVE_BREAK_INTERNAL_ERROR] = "internal-error",
					    [GYVE_BREAK_DEBUG_REGISTER] = "debug-register",
					    [GYVE_BREAK_STEP] = "step",
					    [GYVE_BREAK_UNSEEN] = "unseen",
					    NULL};
	int i = choose(names, value, err);

	o->break_strategy = i < 0 ? GYVE_BREAK_AUTO : (enum gyve_break_strategy)i;
	return i < 0 ? i : 0;
}

int opt_watch_strategy(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {[GYVE_WATCH_AUTO] = "auto",
					    [GYVE_WATCH_DEBUG_REGISTER] = "debug-register",
					    [GYVE_WATCH_PAGE] = "page",
					    [GYVE_WATCH_STEP] = "step",
					    NULL};
	int i = choose(names, value, err);

	o->watch_strategy = i < 0 ? GYVE_WATCH_AUTO : (enum gyve_watch_strategy)i;
	return i < 0 ? i : 0;
}

int gyve_opts_threads(const char *value, bool *tasks, struct gyve_err *err)
{
	static const char *const names[] = {"cpus", "tasks", NULL};
	int i = choose(names, value, err);

	*tasks = i == 1;
	return i < 0 ? i : 0;
}

int opt_threads(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	return gyve_opts_threads(value, &o->tasks, err);
}

static int add_to_list(const char ***list, size_t *n, const char *value)
{
	const char **longer = realloc(*list, (*n + 2) * sizeof(*longer));

	if (!longer)
		return -ENOMEM;
	*list = longer;
	longer[(*n)++] = value;
	longer[*n] = NULL;
	return 0;
}

int opt_file_mapping(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)err;
	return add_to_list(&o->file_mappings, &o->nfile_mappings, value);
}

int opt_disk(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	(void)err;
	return add_to_list(&o->disks, &o->ndisks, value);
}

int opt_serial(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	o->serial = value;
	return serial_check(value, err);
}

int opt_isolation(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {
		[GYVE_ISOLATION_NORMAL] = "normal", [GYVE_ISOLATION_STRICT] = "strict", [GYVE_ISOLATION_NONE] = "none", NULL};
	int i = choose(names, value, err);

	o->isolation = i < 0 ? GYVE_ISOLATION_NORMAL : (enum gyve_isolation)i;
	return i < 0 ? i : 0;
}

int opt_net(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	gyve_net_options_deinit(&o->net);
	return gyve_net_parse(&o->net, value, err);
}

/* host=direct,sync in any order and case; what has no = means nothing special. */
int opt_io_mode(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char prefix[] = "host=";
	const char *p = value + sizeof(prefix) - 1;

	o->io_direct = o->io_sync = false;
	if (!strchr(value, '='))
		return 0;
	if (strncasecmp(value, prefix, sizeof(prefix) - 1) != 0)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not an I/O mode: write host=direct, host=sync or both", value);
	while (*p) {
		size_t n = strcspn(p, ",");
		if (n == 6 && strncasecmp(p, "direct", n) == 0)
			o->io_direct = true;
		else if (n == 4 && strncasecmp(p, "sync", n) == 0)
			o->io_sync = true;
		else
			return gyve_err_set(err, -EINVAL, "'%.60s' is not an I/O mode: write host=direct, host=sync or both",
					    value);
		p += n + (p[n] == ',');
	}
	return 0;
}

int opt_dump(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	if (!*value)
		return gyve_err_set(err, -EINVAL, "the file's name is empty");
	o->dump = value;
	return 0;
}

int opt_dump_on(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {"crash", "exit", "panic", NULL};
	bool *const flags[] = {&o->dump_crash, &o->dump_exit, &o->dump_panic};
	char word[16];

	for (const char *p = value; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(p, ","), p);
		int i = choose(names, word, err);
		if (i < 0)
			return i;
		*flags[i] = true;
	}
	return 0;
}

int opt_dump_notes(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {"qemu", NULL};

	if (choose(names, value, err) < 0)
		return -EINVAL;
	o->dump_qemu = true;
	return 0;
}

int opt_image_mode(struct gyve_opts *o, const char *value, struct gyve_err *err)
{
	static const char *const names[] = {"external", "internal", NULL};
	int i = choose(names, value, err);

	o->image_internal = i == 1;
	return i < 0 ? i : 0;
}
