/* Monitor commands about registers, written from the register rows. */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "[ PE MP PG IOPL=3 ]", as gdb writes flags. */
static void flags_text(const struct gyve_reg_flags *f, uint64_t value, char *buf, size_t size)
{
	size_t n = (size_t)snprintf(buf, size, "[");

	for (unsigned i = 0; i < f->nfields && n < size; i++) {
		const struct gyve_reg_field *field = &f->fields[i];
		unsigned width = field->end - field->start + 1u;
		uint64_t v = value >> field->start & (width < 64 ? (UINT64_C(1) << width) - 1 : UINT64_MAX);
		if (!v)
			continue;
		n += (size_t)snprintf(buf + n, size - n, " %s", field->name);
		if (width > 1 && n < size)
			n += (size_t)snprintf(buf + n, size - n, "=0x%" PRIx64, v);
	}
	if (n < size)
		snprintf(buf + n, size - n, " ]");
}

static int show(struct mon *m, const struct gyve_reg_row *row)
{
	char text[600] = "";
	uint64_t value = 0;
	int ret = gyve_target_reg_get(m->t, m->cpu, row, &value, m->err);

	if (ret == -ENODATA) {
		mon_say(m, "%-16s not available\n", row->name);
		return 0;
	}
	if (ret < 0)
		return ret;
	if (row->flags)
		flags_text(row->flags, value, text, sizeof(text));
	else if (strcmp(row->type, "code_ptr") == 0 || strcmp(row->type, "data_ptr") == 0)
		mon_where(m, value, text, sizeof(text));
	mon_say(m, "%-16s 0x%0*" PRIx64 "%s%s\n", row->name, row->bits / 4, value, *text ? "  " : "", text);
	return 0;
}

static int show_group(struct mon *m, const char *group)
{
	int ret = mon_end(m);

	for (unsigned i = 0; ret == 0 && i < m->t->arch->nregs; i++) {
		const struct gyve_reg_row *row = &m->t->arch->regs[i];
		if (row->bits <= 64 && row->gdb_group && strcmp(row->gdb_group, group) == 0)
			ret = show(m, row);
	}
	return ret;
}

int mon_regs(struct mon *m)
{
	return show_group(m, "general");
}

int mon_sregs(struct mon *m)
{
	return show_group(m, "system");
}

/* --- MSRs and system registers by number */

static int list_msrs(struct mon *m)
{
	const char *name;
	uint32_t index;
	uint64_t value;

	for (unsigned i = 0; (name = gyve_msr_row(m->t->arch->id, i, &index)); i++)
		if (m->t->ops->msr(m->t->ctx, m->cpu, false, index, &value) == 0)
			mon_say(m, "%-24s 0x%08" PRIx32 " 0x%016" PRIx64 "\n", name, index, value);
	return 0;
}

int mon_msr(struct mon *m)
{
	char word[64], text[64];
	uint64_t value = 0;
	uint32_t index;
	int ret;

	if (!m->t->ops->msr)
		return gyve_err_set(m->err, -ENOTSUP, "this target has only the registers gdb shows");
	if (!gyve_target_stopped(m->t))
		return gyve_err_set(m->err, -EBUSY, "the guest is running");
	if (!mon_word(m, word, sizeof(word)))
		return list_msrs(m);
	if (gyve_msr_find(m->t->arch->id, word, &index) < 0)
		return gyve_err_set(m->err, -EINVAL, "'%s' is neither a number nor a known register; monitor msr lists those",
				    word);
	bool write = mon_word(m, text, sizeof(text));
	ret = write ? mon_number(m, text, "value", UINT64_MAX, &value) : 0;
	if (ret == 0)
		ret = mon_end(m);
	if (ret < 0)
		return ret;
	ret = m->t->ops->msr(m->t->ctx, m->cpu, write, index, &value);
	if (ret < 0)
		return gyve_err_set(m->err, ret, "the host does not %s register 0x%" PRIx32 " of vCPU %u%s",
				    write ? "take this value for" : "give", index, m->cpu,
				    ret == -ENOENT ? ": there is none" : "");
	if (write) /* what was made of it */
		ret = m->t->ops->msr(m->t->ctx, m->cpu, false, index, &value);
	if (ret == 0)
		mon_say(m, "0x%" PRIx32 " = 0x%016" PRIx64 "\n", index, value);
	return 0;
}
