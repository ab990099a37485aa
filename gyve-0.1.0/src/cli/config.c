/* The configuration file: [uhyve] [memory] [cpu] [guest] as uhyve has them, and [gyve] with any option by its name. */
#include "config.h"

#include "opt_rows.h"

#include "../base/io.h"
#include "../base/toml.h"
#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The file there is, if none is named: NULL or malloced. */
static char *find_file(void)
{
	static const char *const here[] = {"gyve.toml", "uhyve.toml"}, *const home[] = {"gyve/gyve.toml", "uhyve/uhyve.toml"};
	const char *dir = getenv("XDG_CONFIG_HOME");
	char *path;

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(here); i++)
		if (access(here[i], F_OK) == 0)
			return strdup(here[i]);
	for (size_t i = 0; dir && *dir && i < GYVE_ARRAY_SIZE(home); i++) {
		if (asprintf(&path, "%s/%s", dir, home[i]) < 0)
			return NULL;
		if (access(path, F_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static int read_file(struct gyve_opts *o, const char *path, struct gyve_err *err)
{
	const uint8_t *data = NULL;
	size_t size = 0;
	int ret = gyve_file_map(path, &data, &size, err);

	if (ret == 0) {
		ret = toml_parse(&o->toml, (const char *)data, size, err);
		gyve_file_unmap(data, size);
		if (ret < 0)
			gyve_err_prefix(err, "%s", path);
	}
	if (ret == 0)
		gyve_log(GYVE_LOG_INFO, GYVE_LOG_MAIN, "configuration: %s", path);
	return ret < 0 && ret != -ENOMEM ? -EINVAL : ret;
}

static const struct toml *find_key(const struct toml *root, const struct option_row *row)
{
	char key[64];
	const struct toml *v = NULL;
	const char *dot = row->toml ? strchr(row->toml, '.') : NULL;

	if (dot) {
		snprintf(key, sizeof(key), "%.*s", (int)(dot - row->toml), row->toml);
		v = toml_get(toml_get(root, key), dot + 1);
	}
	if (v)
		return v;
	snprintf(key, sizeof(key), "%s", row->name);
	for (char *p = key; *p; p++)
		*p = *p == '-' ? '_' : *p;
	return toml_get(toml_get(root, "gyve"), key);
}

/* A scalar as the command line would give it; integers go to buf. NULL: it is none. */
static const char *as_text(const struct toml *v, char buf[24])
{
	switch (v->type) {
	case TOML_STRING:
		return strlen(v->text) == v->len ? v->text : NULL;
	case TOML_INT:
		snprintf(buf, 24, "%" PRId64, v->i);
		return buf;
	case TOML_BOOL:
		return v->b ? "true" : "false";
	default:
		return NULL;
	}
}

static int wrong_type(const struct toml *v, struct gyve_err *err)
{
	return gyve_err_set(err, -EINVAL, "line %u: %s is not what this key takes", v->line, toml_type_name(v->type));
}

static int apply_array(struct gyve_opts *o, const struct option_row *row, const struct toml *v, struct gyve_err *err)
{
	char list[4096] = "", buf[24];
	size_t n = 0;

	for (const struct toml *e = v->child; e; e = e->next) {
		const char *text = as_text(e, buf);
		if (!text || (row->list && e->type != TOML_STRING))
			return wrong_type(e, err);
		if (row->list) {
			int ret = opt_apply(o, row, text, err);
			if (ret < 0)
				return ret;
			continue;
		}
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? "," : "", text);
		if (n >= sizeof(list))
			return gyve_err_set(err, -EINVAL, "line %u: the list is too long", e->line);
	}
	return row->list ? 0 : opt_apply(o, row, list, err);
}

static int apply_value(struct gyve_opts *o, const struct option_row *row, const struct toml *v, struct gyve_err *err)
{
	char buf[24];
	const char *text;

	if (v->type == TOML_ARRAY && (row->list || row->set == opt_affinity))
		return apply_array(o, row, v, err);
	text = as_text(v, buf);
	if (!text || (row->value == NONE) != (v->type == TOML_BOOL) || (row->list && row->toml))
		return wrong_type(v, err);
	/* opts keep the pointer; integers are only taken by options that read them */
	return v->type == TOML_INT && !row->set ? wrong_type(v, err) : opt_apply(o, row, text, err);
}

int opt_from_config(struct gyve_opts *o, const bool *given, struct gyve_err *err)
{
	char *found = o->config ? NULL : find_file();
	const char *path = o->config ? o->config : found;
	int ret = path ? read_file(o, path, err) : 0;

	for (size_t i = 0; ret == 0 && o->toml && i < gyve_option_count; i++) {
		const struct option_row *row = &gyve_option_rows[i];
		const struct toml *v = row->help && (!given[i] || row->list) ? find_key(o->toml, row) : NULL;
		if (!v || strcmp(row->name, "config") == 0)
			continue;
		ret = apply_value(o, row, v, err);
		if (ret == -EINVAL)
			gyve_err_prefix(err, "%s: %s", path, row->toml ? row->toml : row->name);
	}
	free(found);
	return ret;
}
