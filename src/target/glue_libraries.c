/* qXfer:libraries:read: the modules of a Linux kernel. A client that has read them is stopped where they change. */
#include "modules.h"
#include "stub_glue.h"

#include "gyve/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where a module's list of sections is there and its first instruction is still to come; where it is about to go. */
static const char *const changes[] = {"do_init_module", "free_module"};

bool gyve_glue_has_libraries(const struct gyve_target *t)
{
	uint64_t at;

	return !t->syms_adrift && t->syms && gyve_symtab_lookup(t->syms, "modules", &at) == 0 &&
	       gyve_symtab_lookup(t->syms, changes[0], &at) == 0 && gyve_symtab_lookup(t->syms, "init_task", &at) == 0;
}

static void arm(struct gyve_glue *g)
{
	const struct gyve_target *t = g->target;
	gyve_gva_t at[GYVE_ARRAY_SIZE(changes)];
	struct gyve_err err = {0};
	size_t n = 0;

	if (g->libraries.armed || !t->ops->library_at)
		return;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(changes); i++)
		if (gyve_symtab_lookup(t->syms, changes[i], &at[n]) == 0)
			n++;
	int r = t->ops->library_at(t->ctx, at, n, &err);
	g->libraries.armed = r == 0 || r == -ENOTSUP;
	if (r < 0)
		gyve_log(GYVE_LOG_INFO, GYVE_LOG_GDB, "modules are not announced: %s", err.text);
}

static void put_text(FILE *f, const char *text)
{
	for (; *text; text++)
		if (strchr("<>&\"", *text))
			fprintf(f, "&#%u;", (unsigned char)*text);
		else
			fputc((unsigned char)*text < ' ' ? '?' : *text, f);
}

static void put_section(FILE *f, gyve_gva_t addr)
{
	fprintf(f, "<section address=\"0x%" PRIx64 "\"/>", addr);
}

/* Addresses that no kernel uses: for sections that are not in memory, which a client wants addresses of all the same. They must
 * not be where others are: it would lose one of the two. */
#define NOWHERE UINT64_C(0xffffffffffe00000)
#define NOWHERE_END UINT64_C(0xfffffffffffff000)

static gyve_gva_t nowhere(gyve_gva_t *next, uint64_t size)
{
	gyve_gva_t at = *next;

	size = (size | 15) + 1;
	if (size > NOWHERE_END - at)
		at = NOWHERE;
	*next = at + (size < NOWHERE_END - at ? size : 0);
	return at;
}

static bool is_init(const char *section)
{
	return strncmp(section, ".init", 5) == 0;
}

static bool has_init(const struct gyve_module *m)
{
	for (size_t i = 0; i < m->nsections; i++)
		if (is_init(m->sections[i].name))
			return true;
	return false;
}

/* What is there only for its beginning is given back then, and soon another module's. */
static void put_section_of(FILE *f, const struct gyve_module *m, const char *name, uint64_t size, gyve_gva_t *next)
{
	bool gone = m->state == GYVE_MODULE_LIVE && is_init(name);
	gyve_gva_t at = gone ? 0 : gyve_module_section(m, name);

	put_section(f, at ? at : nowhere(next, size));
}

/* A client looks anew at where sections are when the name is another: so a module that still has to begin has an odd one, the
 * same file's. */
static void put_path(FILE *f, const struct gyve_module *m, const char *path)
{
	const char *last = strrchr(path, '/');

	if (m->state != GYVE_MODULE_COMING || !has_init(m) || !last) {
		put_text(f, path);
		return;
	}
	for (; path <= last; path++)
		fputc(*path, f);
	fputs("./", f);
	put_text(f, last + 1);
}

/* A client wants an address for each section of the file that takes memory, in their order. */
static void put_module(struct gyve_glue *g, FILE *f, const struct gyve_module *m, gyve_gva_t *next)
{
	struct gyve_ko ko;
	const char *path = gyve_module_files_find(g->target->module_files, m, &ko);

	fputs("<library name=\"", f);
	if (path)
		put_path(f, m, path);
	else
		put_text(f, m->name);
	fputs(path ? "\">" : ".ko\">", f);
	for (size_t i = 0; path && i < ko.n; i++)
		put_section_of(f, m, ko.sections[i].name, ko.sections[i].size, next);
	for (size_t i = 0; !path && i < m->nsections; i++)
		put_section_of(f, m, m->sections[i].name, 0, next);
	if (path ? !ko.n : !m->nsections)
		put_section(f, m->base);
	fputs("</library>\n", f);
	gyve_ko_free(&ko);
}

/* Is it too early for modules, as far as can be seen without a search for the kernel? */
static bool none_yet(struct gyve_target *t)
{
	uint64_t head, next = 0;
	struct gyve_target view = *t;

	view.as.on = false;
	return gyve_symtab_lookup(t->syms, "modules", &head) == 0 &&
	       gyve_target_read(&view, 0, head, &next, sizeof(next), NULL) == sizeof(next) && (next == head || !next);
}

static int make(struct gyve_glue *g)
{
	struct gyve_module *list = NULL;
	struct gyve_err err = {0};
	struct gyve_kernel *k = none_yet(g->target) ? NULL : gyve_kernel_of(g->target, &err);
	ssize_t n = k ? gyve_modules_list(k, &list, &err) : 0;
	gyve_gva_t next = NOWHERE;
	size_t len;
	FILE *f;

	arm(g);
	gyve_glue_libraries_changed(g);
	f = open_memstream(&g->libraries.text, &len);
	if (!f) {
		gyve_modules_free(list, n > 0 ? (size_t)n : 0);
		return -ENOMEM;
	}
	fputs("<library-list version=\"1.0\">\n", f);
	for (ssize_t i = 0; i < n; i++)
		if (list[i].state <= GYVE_MODULE_COMING && *list[i].name)
			put_module(g, f, &list[i], &next);
	fputs("</library-list>\n", f);
	gyve_modules_free(list, n > 0 ? (size_t)n : 0);
	return fclose(f) == 0 ? 0 : -ENOMEM;
}

int gyve_glue_libraries(struct gyve_glue *g, int tid, const void **ret, size_t *len)
{
	if (!gyve_glue_has_libraries(g->target))
		return -EOPNOTSUPP;
	if (tid && !g->libraries.text && make(g) < 0)
		return -ENOMEM;
	*ret = g->libraries.text ? g->libraries.text : "";
	*len = strlen(*ret);
	return 0;
}

void gyve_glue_libraries_changed(struct gyve_glue *g)
{
	free(g->libraries.text);
	g->libraries.text = NULL;
}

/* --- files of modules, for a client on another machine */

enum { FIRST_NUMBER = 1 << 16 };

int gyve_glue_library_open(struct gyve_glue *g, const char *name)
{
	char path[PATH_MAX];
	const char *odd = strstr(name, "/./"); /* put_path() */

	if ((size_t)snprintf(path, sizeof(path), "%.*s%s", odd ? (int)(odd - name) : 0, name, odd ? odd + 2 : name) >=
		    sizeof(path) ||
	    !gyve_module_files_has(g->target->module_files, path))
		return -EACCES;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(g->libraries.fds); i++) {
		if (g->libraries.fds[i])
			continue;
		int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return -errno;
		g->libraries.fds[i] = fd + 1;
		return FIRST_NUMBER + (int)i;
	}
	return -EMFILE;
}

int gyve_glue_library_fd(const struct gyve_glue *g, int number)
{
	unsigned i = (unsigned)number - FIRST_NUMBER;

	return i < GYVE_ARRAY_SIZE(g->libraries.fds) ? g->libraries.fds[i] - 1 : -1;
}

void gyve_glue_library_close(struct gyve_glue *g, int number)
{
	int fd = gyve_glue_library_fd(g, number);

	if (fd < 0)
		return;
	close(fd);
	g->libraries.fds[number - FIRST_NUMBER] = 0;
}

void gyve_glue_libraries_deinit(struct gyve_glue *g)
{
	gyve_glue_libraries_changed(g);
	for (int i = 0; i < (int)GYVE_ARRAY_SIZE(g->libraries.fds); i++)
		gyve_glue_library_close(g, FIRST_NUMBER + i);
}
