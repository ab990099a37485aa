/* Options of `gyve run` from the command line, the environment and the configuration file. */
#include "opt_rows.h"

#include "../base/toml.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct parse {
	struct gyve_opts *o;
	bool given[64]; /* by row */
	struct gyve_err *err;
};

/* "true" and the like, for options without value that come from elsewhere than the command line. */
static int truth(const char *value, struct gyve_err *err)
{
	static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(words); i++)
		if (strcasecmp(value, words[i]) == 0)
			return (int)(i & 1);
	return gyve_err_set(err, -EINVAL, "'%.60s' is neither true nor false", value);
}

int opt_apply(struct gyve_opts *o, const struct option_row *row, const char *value, struct gyve_err *err)
{
	int on = row->value == NONE && value ? truth(value, err) : 1;

	if (on < 0)
		return on;
	if (row->set)
		return on ? row->set(o, value, err) : 0;
	if (row->value == NONE)
		*(bool *)((char *)o + row->field) = on;
	else
		*(const char **)((char *)o + row->field) = value;
	return 0;
}

/* A row, and others that set the same. */
static void mark(struct parse *p, const struct option_row *row)
{
	for (size_t i = 0; i < gyve_option_count; i++)
		if (&gyve_option_rows[i] == row || (row->set && gyve_option_rows[i].set == row->set))
			p->given[i] = true;
}

static const char *from_variable(const struct option_row *row, char name[48])
{
	const char *value;

	snprintf(name, 48, "GYVE_%s", row->name);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	value = getenv(name);
	if ((!value || !*value) && row->env) {
		snprintf(name, 48, "%s", row->env);
		value = getenv(name);
	}
	return value && *value ? value : NULL;
}

static int from_environment(struct parse *p)
{
	char name[48];

	for (size_t i = 0; i < gyve_option_count; i++) {
		const struct option_row *row = &gyve_option_rows[i];
		bool about = strcmp(row->name, "help") == 0 || strcmp(row->name, "version") == 0;
		const char *value = row->help && !about && !p->given[i] ? from_variable(row, name) : NULL;
		int ret = value ? opt_apply(p->o, row, value, p->err) : 0;
		if (ret < 0) {
			gyve_err_prefix(p->err, "%s", name);
			return ret;
		}
		if (value)
			mark(p, row);
	}
	return 0;
}

/* --- the command line */

static const struct option_row *find_long(const char *name, size_t len)
{
	for (size_t i = 0; i < gyve_option_count; i++) {
		const struct option_row *row = &gyve_option_rows[i];
		if (row->help && strlen(row->name) == len && strncmp(row->name, name, len) == 0)
			return row;
	}
	return NULL;
}

static const struct option_row *find_letter(char letter)
{
	for (size_t i = 0; i < gyve_option_count; i++)
		if (gyve_option_rows[i].letter && gyve_option_rows[i].letter == letter)
			return &gyve_option_rows[i];
	return NULL;
}

/* Give row its value: attached (may be NULL), or the next word where the row allows it. */
static int take(struct parse *p, const struct option_row *row, const char *attached, char **argv, int *i)
{
	const char *next = argv[*i + 1], *value = attached;
	int ret;

	if (row->value == NONE && attached)
		return gyve_err_set(p->err, -EINVAL, "--%s takes no value", row->name);
	if (row->value == REQUIRED && !value) {
		if (!next)
			return gyve_err_set(p->err, -EINVAL, "--%s needs a value", row->name);
		value = next;
		++*i;
	} else if (row->value == OPTIONAL_PORT && !value && next && *next && !next[strspn(next, "0123456789")]) {
		value = next;
		++*i;
	}
	ret = opt_apply(p->o, row, value, p->err);
	if (ret == -EINVAL)
		gyve_err_prefix(p->err, "--%s", row->name);
	mark(p, row);
	return ret;
}

static int short_options(struct parse *p, char **argv, int *i)
{
	int word = *i, ret = 0;

	for (const char *c = argv[word] + 1; *c && ret == 0; c++) {
		const struct option_row *row = find_letter(*c);
		if (!row)
			return gyve_err_set(p->err, -EINVAL, "there is no option -%c", *c);
		if (row->value == NONE) {
			ret = take(p, row, NULL, argv, i);
			continue;
		}
		return take(p, row, c[1] ? c + 1 + (c[1] == '=') : NULL, argv, i);
	}
	return ret;
}

static int long_option(struct parse *p, char **argv, int *i)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '=');
	const struct option_row *row = find_long(name, eq ? (size_t)(eq - name) : strlen(name));

	if (!row)
		return gyve_err_set(p->err, -EINVAL, "there is no option %.60s", argv[*i]);
	return take(p, row, eq ? eq + 1 : NULL, argv, i);
}

static int from_words(struct parse *p, int argc, char **argv)
{
	bool ended = false;
	int i, ret = 0;

	for (i = 1; ret == 0 && i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			ended = true;
			i++;
			break;
		}
		if (argv[i][0] != '-' || !argv[i][1])
			break;
		ret = argv[i][1] == '-' ? long_option(p, argv, &i) : short_options(p, argv, &i);
	}
	if (ret == 0 && i < argc) {
		p->o->image = argv[i++];
		if (!ended && i < argc && strcmp(argv[i], "--") == 0)
			i++;
	}
	p->o->args = (const char *const *)&argv[i < argc ? i : argc];
	return ret;
}

static int finish(struct gyve_opts *o, size_t command_line, struct gyve_err *err)
{
	if (!o->dump_crash && !o->dump_exit && !o->dump_panic)
		o->dump_crash = true;
	else if (!o->dump)
		return gyve_err_set(err, -EINVAL, "--dump-on needs --dump FILE");
	int ret = opt_check_affinity(o, err);
	return ret < 0 ? ret : opt_finish_env(o, command_line);
}

int gyve_opts_parse(struct gyve_opts *ret, int argc, char **argv, struct gyve_err *err)
{
	struct gyve_opts *o = ret;
	struct parse p = {.o = o, .err = err};
	size_t command_line;
	int res;

	memset(o, 0, sizeof(*o));
	o->mem_size = 64ull << 20;
	o->ncpus = 1;
	o->aslr = true;
	_Static_assert(sizeof(p.given) >= 48, "one for each option");
	res = gyve_option_count <= GYVE_ARRAY_SIZE(p.given) ? from_words(&p, argc, argv) : -ENOMEM;
	command_line = o->nenv;
	if (res == 0 && !o->help && !o->version) {
		res = from_environment(&p);
		if (res == 0)
			res = opt_from_config(o, p.given, err);
	}
	if (res == 0)
		res = finish(o, command_line, err);
	if (res == -ENOMEM)
		gyve_err_set(err, res, "no memory");
	if (res < 0)
		gyve_opts_deinit(o);
	return res;
}

void gyve_opts_deinit(struct gyve_opts *o)
{
	free(o->env);
	free(o->file_mappings);
	free(o->disks);
	gyve_net_options_deinit(&o->net);
	toml_free(o->toml);
	o->toml = NULL;
	o->file_mappings = NULL;
	o->disks = NULL;
	o->env = NULL;
	o->nenv = 0;
}
