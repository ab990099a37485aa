/* `monitor catch hypercall`, and what a caught one says. */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NUMBERS = 64 };

/* "V1(FileOpen)": whole, or what the parentheses hold, in either case; or the number. */
static bool is_named(const char *name, uint32_t number, const char *word)
{
	const char *inner = strchr(name, '(');
	size_t len = inner ? strcspn(inner + 1, ")") : 0;
	char *end;

	if (strcasecmp(name, word) == 0 || (inner && strlen(word) == len && strncasecmp(inner + 1, word, len) == 0))
		return true;
	return strtoull(word, &end, 0) == number && !*end && end != word;
}

static int list(struct mon *m)
{
	const char *name;
	uint32_t number;

	for (size_t i = 0; (name = m->t->ops->call_row(m->t->ctx, i, &number)) != NULL; i++)
		mon_say(m, "0x%-6" PRIx32 " %-22s %s\n", number, name,
			m->t->ops->call_caught(m->t->ctx, GYVE_CALLS_MONITOR, number) ? "on" : "off");
	return 0;
}

/* Those that are on, with what `word` names switched on or off. */
static int change(struct mon *m, const char *word, bool on)
{
	bool known = false, all = strcmp(word, "all") == 0;
	uint32_t numbers[NUMBERS], number;
	const char *name;
	size_t n = 0;

	for (size_t i = 0; n < NUMBERS && (name = m->t->ops->call_row(m->t->ctx, i, &number)) != NULL; i++) {
		bool meant = all || is_named(name, number, word);
		known |= meant;
		if (meant ? on : m->t->ops->call_caught(m->t->ctx, GYVE_CALLS_MONITOR, number))
			numbers[n++] = number;
	}
	if (!known && !all)
		return gyve_err_set(m->err, -EINVAL, "the guest's interface has no hypercall '%.40s'", word);
	return m->t->ops->catch_calls(m->t->ctx, GYVE_CALLS_MONITOR, false, numbers, n, m->err);
}

int mon_catch_calls(struct mon *m)
{
	char word[40], how[8];
	uint32_t number;
	int ret;

	if (!m->t->ops->catch_calls)
		return gyve_err_set(m->err, -ENOTSUP, "%s", m->t->ops->cannot_run);
	if (!m->t->ops->call_row(m->t->ctx, 0, &number))
		return gyve_err_set(m->err, -ENOTSUP, "a guest of this kind makes no hypercalls");
	if (!mon_word(m, word, sizeof(word)))
		return *m->arg ? gyve_err_set(m->err, -EINVAL, "there is no hypercall '%.40s'", m->arg) : list(m);
	bool given = mon_word(m, how, sizeof(how)), off = strcmp(how, "off") == 0;
	if (given && !off && strcmp(how, "on") != 0)
		return gyve_err_set(m->err, -EINVAL, "'%s' is neither on nor off", how);
	ret = mon_end(m);
	if (ret == 0)
		ret = change(m, word, !off);
	return ret < 0 ? ret : list(m);
}

int gyve_call_text(struct gyve_target *t, const struct gyve_stop *stop, char *buf, size_t size)
{
	const char *name = NULL;
	uint32_t number = 0;
	char where[256];

	for (size_t i = 0; t->ops->call_row && (name = t->ops->call_row(t->ctx, i, &number)) != NULL; i++)
		if (number == (uint32_t)stop->code)
			break;
	gyve_symtab_format(t->syms, stop->pc, where, sizeof(where));
	return snprintf(buf, size, "vCPU %u makes hypercall %s, number 0x%x, at %s", stop->cpu, name ? name : "?",
			(unsigned)stop->code, where);
}
