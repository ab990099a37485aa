/* A Hermit image as a whole: its archive, hermit.toml, and what that asks for. */
#include "archive.h"

#include "../base/size.h"
#include "../base/toml.h"
#include "gyve/filemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char config_name[] = "hermit.toml";

bool gyve_hermit_image_probe(const void *data, size_t size)
{
	return size >= 4 && memcmp(data, "\x1f\x8b\x08", 3) == 0;
}

/* The last of this name. */
static const struct gyve_hermit_file *find(const struct gyve_hermit_image *image, const char *name)
{
	for (size_t i = image->nfiles; i-- > 0;)
		if (strcmp(image->files[i].name, name) == 0)
			return &image->files[i];
	return NULL;
}

static int by_name(const void *a, const void *b)
{
	const struct gyve_hermit_file *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int refuse_doubles(const struct gyve_hermit_image *image, struct gyve_err *err)
{
	const struct gyve_hermit_file **list = calloc(image->nfiles + 1, sizeof(*list));
	int ret = 0;

	if (!list)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	for (size_t i = 0; i < image->nfiles; i++)
		list[i] = &image->files[i];
	qsort(list, image->nfiles, sizeof(*list), by_name);
	for (size_t i = 1; ret == 0 && i < image->nfiles; i++)
		if (by_name(&list[i - 1], &list[i]) == 0)
			ret = gyve_err_set(err, -ENOEXEC, "the image holds '%.100s' twice", list[i]->name);
	free(list);
	return ret;
}

/* --- hermit.toml */

static int bad_key(const char *key, const char *what, struct gyve_err *err)
{
	return gyve_err_set(err, -ENOEXEC, "%s: %s is %s", config_name, key, what);
}

static bool is_text(const struct toml *v)
{
	return v && v->type == TOML_STRING && strlen(v->text) == v->len;
}

static int check_list(const struct toml *v, const char *key, bool needed, size_t *n, struct gyve_err *err)
{
	if (!v)
		return needed ? bad_key(key, "missing", err) : 0;
	if (v->type != TOML_ARRAY)
		return bad_key(key, "no array of strings", err);
	for (const struct toml *e = v->child; e; e = e->next, ++*n)
		if (!is_text(e))
			return bad_key(key, "no array of strings", err);
	return 0;
}

static size_t put_list(const char **to, size_t n, const struct toml *v, bool variables)
{
	for (const struct toml *e = v ? v->child : NULL; e; e = e->next)
		if (!variables || (strchr(e->text, '=') && e->text[0] != '='))
			to[n++] = e->text;
	return n;
}

static int read_input(struct gyve_hermit_image *image, const struct toml *input, struct gyve_err *err)
{
	const struct toml *kernel = toml_get(input, "kernel_args"), *app = toml_get(input, "app_args");
	const struct toml *env = toml_get(input, "env_vars");
	size_t nargs = 2, nenv = 1, n;
	int ret;

	if ((ret = check_list(kernel, "input.kernel_args", true, &nargs, err)) < 0 ||
	    (ret = check_list(app, "input.app_args", true, &nargs, err)) < 0 ||
	    (ret = check_list(env, "input.env_vars", false, &nenv, err)) < 0)
		return ret;
	image->args = calloc(nargs, sizeof(*image->args));
	image->env = calloc(nenv, sizeof(*image->env));
	if (!image->args || !image->env)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	n = put_list(image->args, 0, kernel, false);
	if (app->child)
		image->args[n++] = "--";
	put_list(image->args, n, app, false);
	put_list(image->env, 0, env, true);
	return 0;
}

/* 134217728, "128MiB" or "128 MiB". */
static int read_memory(struct gyve_hermit_image *image, const struct toml *v, struct gyve_err *err)
{
	char text[32];
	size_t n = 0;

	if (v->type == TOML_INT && v->i >= 0) {
		image->memory = (uint64_t)v->i;
		return 0;
	}
	if (!is_text(v) || v->len >= sizeof(text))
		return bad_key("requirements.memory", "no size", err);
	for (const char *p = v->text; *p; p++)
		if (*p != ' ')
			text[n++] = *p;
	text[n] = '\0';
	return gyve_size_parse(&image->memory, text, NULL) < 0 ? bad_key("requirements.memory", "no size", err) : 0;
}

static int read_requirements(struct gyve_hermit_image *image, const struct toml *t, struct gyve_err *err)
{
	const struct toml *memory = toml_get(t, "memory"), *cpus = toml_get(t, "cpus");

	if (cpus && (cpus->type != TOML_INT || cpus->i < 0 || cpus->i > UINT32_MAX))
		return bad_key("requirements.cpus", "no number of vCPUs", err);
	image->cpus = cpus ? (unsigned)cpus->i : 0;
	return memory ? read_memory(image, memory, err) : 0;
}

static int read_config(struct gyve_hermit_image *image, struct gyve_err *err)
{
	const struct gyve_hermit_file *f = find(image, config_name);
	const struct toml *version, *kernel;
	int ret;

	if (!f)
		return gyve_err_set(err, -ENOEXEC, "the image has no %s", config_name);
	ret = toml_parse(&image->toml, (const char *)f->data, f->len, err);
	if (ret < 0) {
		gyve_err_prefix(err, "%s", config_name);
		return ret == -ENOMEM ? ret : -ENOEXEC;
	}
	version = toml_get(image->toml, "version");
	kernel = toml_get(image->toml, "kernel");
	if (!is_text(version) || strcmp(version->text, "1") != 0)
		return bad_key("version", "not \"1\"", err);
	if (!is_text(kernel))
		return bad_key("kernel", "missing", err);
	image->kernel = find(image, kernel->text);
	if (!image->kernel)
		return gyve_err_set(err, -ENOEXEC, "the image has no kernel '%.100s'", kernel->text);
	if (toml_get(image->toml, "input") == NULL)
		return bad_key("input", "missing", err);
	ret = read_input(image, toml_get(image->toml, "input"), err);
	return ret < 0 ? ret : read_requirements(image, toml_get(image->toml, "requirements"), err);
}

int gyve_hermit_image_open(struct gyve_hermit_image **ret, const void *data, size_t size, bool internal, uint64_t max,
			   struct gyve_err *err)
{
	struct gyve_hermit_image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return gyve_err_set(err, -ENOMEM, "no memory for the image");
	if ((r = hermit_archive_read(image, data, size, !internal, max, err)) < 0 ||
	    (!internal && (r = refuse_doubles(image, err)) < 0) || (r = read_config(image, err)) < 0) {
		gyve_hermit_image_close(image);
		return r;
	}
	*ret = image;
	return 0;
}

void gyve_hermit_image_close(struct gyve_hermit_image *image)
{
	if (!image)
		return;
	for (size_t i = 0; i < image->nfiles; i++) {
		free(image->files[i].name);
		free(image->files[i].data);
	}
	free(image->files);
	free(image->tar);
	free(image->args);
	free(image->env);
	toml_free(image->toml);
	free(image);
}

int gyve_hermit_image_map(const struct gyve_hermit_image *image, struct gyve_filemap *map, struct gyve_err *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < image->nfiles; i++)
		ret = gyve_filemap_add_memory(map, image->files[i].name, image->files[i].data, image->files[i].len, err);
	return ret;
}
