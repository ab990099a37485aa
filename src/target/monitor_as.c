/* `monitor as`: another address space than that of the selected vCPU, for memory and for points set from then on. */
#include "monitor.h"
#include "tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(struct mon *m)
{
	const struct gyve_space *s = &m->t->as;
	struct gyve_mmu mmu;

	if (!s->on) {
		mon_say(m, "memory is read as the selected vCPU sees it, points are those of every address space\n");
		return;
	}
	mon_say(m, "memory packets read the address space 0x%" PRIx64, s->root);
	if (s->has_root1)
		mon_say(m, " and 0x%" PRIx64, s->root1);
	if (*s->name)
		mon_say(m, " (%s)", s->name);
	mon_say(m, ", and points set now belong to it, until: monitor as off\n");
	if (gyve_target_mmu(m->t, m->cpu, &mmu, NULL) == 0 && mon_paging_off(&mmu))
		mon_say(m, "paging is off on this vCPU, so it makes no difference now\n");
}

static int by_cpu(struct mon *m, struct gyve_space *s)
{
	struct gyve_space before = m->t->as;
	struct gyve_mmu mmu;
	char word[24];
	uint64_t n = m->cpu;
	int ret = mon_word(m, word, sizeof(word)) ? mon_number(m, word, "vCPU", m->t->ncpus - 1, &n) : 0;

	if (ret < 0)
		return ret;
	m->t->as.on = false; /* its own */
	ret = gyve_target_mmu(m->t, (unsigned)n, &mmu, m->err);
	m->t->as = before;
	if (ret < 0)
		return ret;
	if (mon_paging_off(&mmu))
		return gyve_err_set(m->err, -EINVAL, "vCPU %u has no address space: paging is off", (unsigned)n);
	*s = (struct gyve_space){.on = true};
	s->root = mmu.arch == GYVE_X86_64 ? mmu.x86.cr3 & 0x000ffffffffff000 : mmu.a64.ttbr0 & 0x0000fffffffffffe;
	return 0;
}

static int of_task(struct mon *m, const struct gyve_task *task, struct gyve_space *s)
{
	if (!task->root)
		return gyve_err_set(m->err, -EINVAL, "task %d (%s) is the kernel's own: it has no address space", task->pid,
				    task->comm);
	*s = (struct gyve_space){.on = true, .root = task->root};
	snprintf(s->name, sizeof(s->name), "pid %d, %.16s", task->pid, task->comm);
	return 0;
}

static int by_pid(struct mon *m, struct gyve_space *s)
{
	struct gyve_task *tasks = NULL;
	char word[24];
	uint64_t pid;
	int ret = mon_word(m, word, sizeof(word)) ? mon_number(m, word, "pid", INT32_MAX, &pid)
						  : gyve_err_set(m->err, -EINVAL, "which pid?");
	struct gyve_kernel *k = ret == 0 ? gyve_kernel_of(m->t, m->err) : NULL;
	ssize_t n = k ? gyve_tasks_list(k, &tasks, m->err) : m->err->code;

	if (n < 0)
		return (int)n;
	ret = gyve_err_set(m->err, -ESRCH, "the guest has no task %d", (int)pid);
	for (ssize_t i = 0; i < n; i++)
		if (tasks[i].pid == (int)pid)
			ret = of_task(m, &tasks[i], s);
	free(tasks);
	return ret;
}

static int by_root(struct mon *m, const char *word, struct gyve_space *s)
{
	char second[256];
	int ret;

	*s = (struct gyve_space){.on = true};
	ret = mon_address(m, word, &s->root);
	s->has_root1 = ret == 0 && mon_word(m, second, sizeof(second));
	if (s->has_root1)
		ret = mon_only(m, GYVE_AARCH64);
	if (ret == 0 && s->has_root1)
		ret = mon_address(m, second, &s->root1);
	return ret;
}

int mon_as(struct mon *m)
{
	struct gyve_space s = m->t->as;
	char word[256];
	int ret = 0;

	if (!mon_word(m, word, sizeof(word))) {
		say(m);
		return 0;
	}
	if (strcmp(word, "off") == 0 || strcmp(word, "reset") == 0)
		s = (struct gyve_space){0};
	else if (strcmp(word, "cpu") == 0)
		ret = by_cpu(m, &s);
	else if (strcmp(word, "pid") == 0)
		ret = by_pid(m, &s);
	else
		ret = by_root(m, word, &s);
	if (ret == 0)
		ret = mon_end(m);
	if (ret < 0)
		return ret;
	m->t->as = s;
	say(m);
	return 0;
}
