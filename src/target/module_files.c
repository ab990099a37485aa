/* Files of kernel modules below a directory, found by name: "-" in a file's name is "_" in the module's. */
#include "modules.h"

#include "../base/io.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 100000, DEPTH_MAX = 16 };

struct file {
	char *path;
	char name[64]; /**< the module's */
};
struct gyve_module_files {
	struct file *list; /**< by name */
	size_t n, cap;
};

/* "dm-mod.ko", "dm-mod.ko.debug" */
static bool name_of(const char *file, char *ret, size_t size)
{
	const char *end = strstr(file, ".ko");
	size_t len = end ? (size_t)(end - file) : 0;

	if (!len || len >= size || (strcmp(end, ".ko") != 0 && strcmp(end, ".ko.debug") != 0))
		return false;
	for (size_t i = 0; i < len; i++)
		ret[i] = file[i] == '-' ? '_' : file[i];
	ret[len] = '\0';
	return true;
}

static int add(struct gyve_module_files *f, const char *name, const char *path)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 256;
		struct file *list = cap <= FILES_MAX ? reallocarray(f->list, cap, sizeof(*list)) : NULL;
		if (!list)
			return -ENOMEM;
		f->list = list;
		f->cap = cap;
	}
	struct file *new = &f->list[f->n];
	memcpy(new->name, name, strlen(name) + 1);
	new->path = realpath(path, NULL);
	if (new->path)
		f->n++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : strcmp(x->path, y->path);
}

static int read_tree(struct gyve_module_files *f, FTS *tree)
{
	char name[64];
	int r = 0;

	for (FTSENT *e; r == 0 && (e = fts_read(tree));) {
		if (e->fts_info == FTS_D && e->fts_level > DEPTH_MAX)
			fts_set(tree, e, FTS_SKIP);
		else if (e->fts_info == FTS_F && name_of(e->fts_name, name, sizeof(name)))
			r = add(f, name, e->fts_path);
	}
	return r;
}

int gyve_module_files_open(struct gyve_module_files **ret, const char *dir, struct gyve_err *err)
{
	char *const paths[] = {(char *)(uintptr_t)dir, NULL};
	struct gyve_module_files *f = calloc(1, sizeof(*f));
	char *real = realpath(dir, NULL);
	int r = real ? 0 : -errno;
	FTS *tree = f && r == 0 ? fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL) : NULL;

	free(real);
	if (f && r == 0)
		r = tree ? read_tree(f, tree) : -errno;
	if (tree)
		fts_close(tree);
	if (!f || r < 0) {
		gyve_module_files_close(f);
		return f ? gyve_err_set(err, r, "modules in %s: %s", dir, strerror(-r))
			 : gyve_err_set(err, -ENOMEM, "out of memory");
	}
	if (f->n)
		qsort(f->list, f->n, sizeof(*f->list), by_name);
	*ret = f;
	return 0;
}

void gyve_module_files_close(struct gyve_module_files *f)
{
	for (size_t i = 0; f && i < f->n; i++)
		free(f->list[i].path);
	if (f)
		free(f->list);
	free(f);
}

bool gyve_module_files_has(const struct gyve_module_files *f, const char *path)
{
	for (size_t i = 0; f && i < f->n; i++)
		if (strcmp(f->list[i].path, path) == 0)
			return true;
	return false;
}

static bool is_of(const struct gyve_ko *ko, const struct gyve_module *m)
{
	return !ko->build_id_len || !m->build_id_len ||
	       (ko->build_id_len == m->build_id_len && memcmp(ko->build_id, m->build_id, m->build_id_len) == 0);
}

static bool read_file(const char *path, struct gyve_ko *ret)
{
	const uint8_t *data;
	size_t size;

	if (gyve_file_map(path, &data, &size, NULL) < 0)
		return false;
	int r = gyve_ko_read(data, size, ret);
	gyve_file_unmap(data, size);
	return r == 0;
}

static size_t first_of(const struct gyve_module_files *f, const char *name)
{
	size_t lo = 0, hi = f->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (strcmp(f->list[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const char *gyve_module_files_find(const struct gyve_module_files *f, const struct gyve_module *m, struct gyve_ko *ret)
{
	const char *path = NULL;

	*ret = (struct gyve_ko){0};
	for (size_t i = f ? first_of(f, m->name) : 0; f && i < f->n && strcmp(f->list[i].name, m->name) == 0; i++) {
		struct gyve_ko ko;
		if (!read_file(f->list[i].path, &ko))
			continue;
		if (!is_of(&ko, m) || (path && !ko.has_debug)) {
			gyve_ko_free(&ko);
			continue;
		}
		gyve_ko_free(ret);
		*ret = ko;
		path = f->list[i].path;
		if (ko.has_debug)
			break;
	}
	return path;
}
