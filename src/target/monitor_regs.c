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

/* --- which registers the client is told of */

int mon_mode(struct mon *m)
{
	static const struct {
		const char *name;
		unsigned bits;
	} modes[] = {{"image", 0}, {"cpu", GYVE_DESCRIBE_CPU}, {"16", 16}, {"32", 32}, {"64", 64}};
	struct gyve_regs *r;
	char word[16];
	int ret = mon_only(m, GYVE_X86_64);

	if (ret == 0)
		ret = gyve_target_regs(m->t, m->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, m->err);
	if (ret < 0)
		return ret;
	bool given = mon_word(m, word, sizeof(word)), known = false;
	for (size_t i = 0; given && i < GYVE_ARRAY_SIZE(modes); i++)
		if (strcmp(word, modes[i].name) == 0) {
			m->t->describe_bits = modes[i].bits;
			known = true;
		}
	if ((given || *m->arg) && !known)
		return gyve_err_set(m->err, -EINVAL, "the mode is 16, 32, 64, cpu or image");
	mon_say(m, "vCPU %u is in %u-bit mode; ", m->cpu, gyve_x86_mode_bits(r));
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(modes); i++)
		if (m->t->describe_bits == modes[i].bits)
			mon_say(m, "described as of: %s%s\n", modes[i].name, modes[i].bits > 1 ? " bits" : "");
	if (given)
		mon_say(m, "gdb reads the description anew at: unset tdesc filename (one that its program file contradicts it "
			   "refuses: file)\n");
	return 0;
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
	if (!gyve_target_cpu_stopped(m->t, m->cpu))
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
