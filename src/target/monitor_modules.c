/* `monitor modules`: a Linux kernel's modules, their files, and what gdb is to be told of one. */
#include "modules.h"
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void say_one(struct mon *m, const struct gyve_module *mod)
{
	struct gyve_ko ko;
	const char *path = gyve_module_files_find(m->t->module_files, mod, &ko);

	mon_say(m, "%-24s 0x%016" PRIx64 " %8" PRIu64 " %-8s %s\n", mod->name, mod->base, mod->size, gyve_module_state(mod),
		path ? path : "");
	gyve_ko_free(&ko);
}

static void say_sections(struct mon *m, const struct gyve_module *mod)
{
	struct gyve_ko ko;
	const char *path = gyve_module_files_find(m->t->module_files, mod, &ko);
	gyve_gva_t text = gyve_module_section(mod, ".text");

	for (size_t i = 0; i < mod->nsections; i++)
		mon_say(m, "  %-28s 0x%016" PRIx64 "\n", mod->sections[i].name, mod->sections[i].addr);
	mon_say(m, "add-symbol-file %s%s", path ? path : mod->name, path ? "" : ".ko");
	if (text)
		mon_say(m, " 0x%" PRIx64, text);
	for (size_t i = 0; i < mod->nsections; i++)
		if (strcmp(mod->sections[i].name, ".text") != 0 && strncmp(mod->sections[i].name, ".init", 5) != 0 &&
		    strcmp(mod->sections[i].name, ".symtab") != 0 && strcmp(mod->sections[i].name, ".strtab") != 0)
			mon_say(m, " -s %s 0x%" PRIx64, mod->sections[i].name, mod->sections[i].addr);
	mon_say(m, "\n");
	gyve_ko_free(&ko);
}

int mon_modules(struct mon *m)
{
	struct gyve_module *list = NULL;
	char name[64];
	bool one = mon_word(m, name, sizeof(name)), found = false;
	int ret = mon_end(m);
	struct gyve_kernel *k = ret == 0 ? gyve_kernel_of(m->t, m->err) : NULL;
	ssize_t n = k ? gyve_modules_list(k, &list, m->err) : m->err->code;

	if (n < 0)
		return (int)n;
	if (!one)
		mon_say(m, "%-24s %-18s %8s %-8s %s\n", "name", "base", "size", "state", "file");
	for (ssize_t i = 0; i < n; i++) {
		if (one && strcmp(list[i].name, name) != 0)
			continue;
		found = true;
		say_one(m, &list[i]);
		if (one)
			say_sections(m, &list[i]);
	}
	gyve_modules_free(list, (size_t)n);
	return one && !found ? gyve_err_set(m->err, -ENOENT, "the kernel has no module '%s'", name) : 0;
}
