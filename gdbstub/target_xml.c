/* target.xml, written from the register rows. GDB manual, "Target Descriptions". */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static void add_flags(struct gdbstub_buf *b, const struct gdbstub_flags *f)
{
	gdbstub_buf_printf(b, "  <flags id=\"%s\" size=\"%u\">\n", f->id, f->size);
	for (unsigned i = 0; i < f->nfields; i++)
		gdbstub_buf_printf(b, "    <field name=\"%s\" start=\"%u\" end=\"%u\"/>\n", f->fields[i].name,
				   f->fields[i].start, f->fields[i].end);
	gdbstub_buf_printf(b, "  </flags>\n");
}

static const char vec128[] = "  <vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n"
			     "  <vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n"
			     "  <vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n"
			     "  <vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n"
			     "  <vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n"
			     "  <vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
			     "  <union id=\"vec128\">\n"
			     "    <field name=\"v4_float\" type=\"v4f\"/>\n"
			     "    <field name=\"v2_double\" type=\"v2d\"/>\n"
			     "    <field name=\"v16_int8\" type=\"v16i8\"/>\n"
			     "    <field name=\"v8_int16\" type=\"v8i16\"/>\n"
			     "    <field name=\"v4_int32\" type=\"v4i32\"/>\n"
			     "    <field name=\"v2_int64\" type=\"v2i64\"/>\n"
			     "    <field name=\"uint128\" type=\"uint128\"/>\n"
			     "  </union>\n";

/* Types are known within one feature only: each defines what its registers use, once. */
static void add_types(struct gdbstub_buf *b, const struct gdbstub_reg *regs, unsigned n)
{
	bool vector = false;

	for (unsigned i = 0; i < n; i++) {
		bool seen = false;
		if (!vector && strcmp(regs[i].type, "vec128") == 0) {
			gdbstub_buf_add(b, vec128, sizeof(vec128) - 1);
			vector = true;
		}
		for (unsigned k = 0; k < i; k++)
			seen |= regs[k].flags && regs[i].flags && strcmp(regs[k].flags->id, regs[i].flags->id) == 0;
		if (regs[i].flags && !seen)
			add_flags(b, regs[i].flags);
	}
}

static void add_feature(struct gdbstub_buf *b, const struct gdbstub_arch *arch, unsigned first, unsigned n)
{
	const struct gdbstub_reg *r = &arch->regs[first];

	gdbstub_buf_printf(b, "<feature name=\"%s\">\n", r->feature);
	add_types(b, r, n);
	for (unsigned i = 0; i < n; i++) {
		gdbstub_buf_printf(b, "  <reg name=\"%s\" bitsize=\"%u\" type=\"%s\" regnum=\"%u\"", r[i].name, r[i].bits,
				   r[i].flags ? r[i].flags->id : r[i].type, first + i);
		if (r[i].group)
			gdbstub_buf_printf(b, " group=\"%s\"", r[i].group);
		gdbstub_buf_printf(b, "/>\n");
	}
	gdbstub_buf_printf(b, "</feature>\n");
}

char *gdbstub_target_xml(const struct gdbstub_arch *arch)
{
	struct gdbstub_buf b = {0};

	gdbstub_buf_printf(&b,
			   "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
			   "<architecture>%s</architecture>\n",
			   arch->name);
	if (arch->osabi)
		gdbstub_buf_printf(&b, "<osabi>%s</osabi>\n", arch->osabi);
	for (unsigned i = 0, n; i < arch->nregs; i += n) {
		for (n = 1; i + n < arch->nregs && strcmp(arch->regs[i + n].feature, arch->regs[i].feature) == 0; n++)
			;
		add_feature(&b, arch, i, n);
	}
	gdbstub_buf_printf(&b, "</target>\n");
	if (b.failed) {
		free(b.data);
		return NULL;
	}
	return b.data;
}
