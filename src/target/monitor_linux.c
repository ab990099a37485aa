/* What a Linux guest tells of itself: `monitor kernel`, `monitor tasks`. */
#include "monitor.h"
#include "tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's own words, if there is a symbol for them. */
static bool say_banner(struct mon *m, const struct gyve_kernel *k)
{
	struct gyve_err none = {0};
	char text[256] = {0};
	uint64_t at;

	if (gyve_kernel_symbol(k, "linux_banner", &at, &none) < 0 || gyve_kernel_read(k, at, text, sizeof(text) - 1, &none) < 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	mon_say(m, "%s\n", text);
	return true;
}

int mon_kernel(struct mon *m)
{
	struct gyve_kernel *k;
	uint64_t text;

	if (mon_end(m) < 0)
		return -EINVAL;
	k = gyve_kernel_of(m->t, m->err);
	if (!k)
		return m->err->code;
	if (!say_banner(m, k) && k->vmcoreinfo)
		mon_say(m, "%.*s\n", (int)strcspn(k->vmcoreinfo, "\n"), k->vmcoreinfo);
	mon_say(m, "symbols: %s", k->own ? "the kernel's own (kallsyms)" : "from a file");
	if (gyve_symtab_bias(k->syms))
		mon_say(m, ", moved by 0x%" PRIx64, gyve_symtab_bias(k->syms));
	if (gyve_symtab_lookup(k->syms, "_text", &text) == 0)
		mon_say(m, ", _text at 0x%" PRIx64, text);
	mon_say(m, "\nVMCOREINFO: %s\n", k->vmcoreinfo ? "there" : "not there (yet)");
	return 0;
}

int mon_tasks(struct mon *m)
{
	struct gyve_task *tasks = NULL;
	struct gyve_kernel *k;

	if (mon_end(m) < 0)
		return -EINVAL;
	k = gyve_kernel_of(m->t, m->err);
	ssize_t n = k ? gyve_tasks_list(k, &tasks, m->err) : m->err->code;
	if (n < 0)
		return (int)n;
	mon_say(m, "%7s %7s CPU S %-18s %-18s %s\n", "PID", "TGID", "task_struct", "page tables", "name");
	for (ssize_t i = 0; i < n; i++) {
		const struct gyve_task *t = &tasks[i];
		char cpu[12] = "-", root[20] = "-";
		if (t->cpu >= 0)
			snprintf(cpu, sizeof(cpu), "%d", t->cpu);
		if (t->root)
			snprintf(root, sizeof(root), "0x%" PRIx64, t->root);
		mon_say(m, "%7d %7d %3s %c 0x%016" PRIx64 " %-18s %s\n", t->pid, t->tgid, cpu, gyve_task_state(t), t->addr,
			root, t->comm);
	}
	free(tasks);
	return 0;
}
