/* target.xml from the register rows. Types come before the registers that use them, once in each feature.
 * Format: GDB manual, appendix "Target Descriptions". */
#include "buf.h"
#include "gdbstub.h"

#include <string.h>

struct member {
	const char *name, *type;
	unsigned count; /**< 0: a scalar */
};
/* The names gdb gives the views of a vector register, so that `p $xmm0.v4_float` works as people know it. */
static const struct member vec128[] = {
	{"v4_float", "ieee_single", 4}, {"v2_double", "ieee_double", 2}, {"v16_int8", "int8", 16},  {"v8_int16", "int16", 8},
	{"v4_int32", "int32", 4},       {"v2_int64", "int64", 2},        {"uint128", "uint128", 0},
};
static const struct member vec256[] = {
	{"v8_float", "ieee_single", 8}, {"v4_double", "ieee_double", 4}, {"v32_int8", "int8", 32},   {"v16_int16", "int16", 16},
	{"v8_int32", "int32", 8},       {"v4_int64", "int64", 4},        {"v2_int128", "int128", 2},
};
static const struct {
	const char *id;
	const struct member *members;
	size_t n;
} unions[] = {
	{"vec128", vec128, sizeof(vec128) / sizeof(vec128[0])},
	{"vec256", vec256, sizeof(vec256) / sizeof(vec256[0])},
};

static void put_union(struct gdbstub_buf *b, const char *id, const struct member *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (m[i].count)
			gdbstub_buf_fmt(b, "<vector id=\"%s_%s\" type=\"%s\" count=\"%u\"/>\n", id, m[i].name, m[i].type,
					m[i].count);
	gdbstub_buf_fmt(b, "<union id=\"%s\">\n", id);
	for (size_t i = 0; i < n; i++) {
		gdbstub_buf_fmt(b, "<field name=\"%s\" type=\"", m[i].name);
		if (m[i].count)
			gdbstub_buf_fmt(b, "%s_%s", id, m[i].name);
		else
			gdbstub_buf_str(b, m[i].type);
		gdbstub_buf_str(b, "\"/>\n");
	}
	gdbstub_buf_str(b, "</union>\n");
}

static void put_flags(struct gdbstub_buf *b, const struct gdbstub_flags *f)
{
	gdbstub_buf_str(b, "<flags id=\"");
	gdbstub_buf_xml(b, f->id);
	gdbstub_buf_fmt(b, "\" size=\"%u\">\n", f->size);
	for (unsigned i = 0; i < f->nfields; i++) {
		gdbstub_buf_str(b, "<field name=\"");
		gdbstub_buf_xml(b, f->fields[i].name);
		gdbstub_buf_fmt(b, "\" start=\"%u\" end=\"%u\"/>\n", f->fields[i].start, f->fields[i].end);
	}
	gdbstub_buf_str(b, "</flags>\n");
}

/* Does a row of [first, end) use this type? */
static bool uses(const struct gdbstub_reg *regs, unsigned first, unsigned end, const char *type)
{
	for (unsigned i = first; i < end; i++)
		if (strcmp(regs[i].flags ? regs[i].flags->id : regs[i].type, type) == 0)
			return true;
	return false;
}

/* A vector register of any length as gdb itself describes those of SVE: `p $z0.s.f`, `p $p0`. */
static const struct {
	const char *name, *views[4]; /* by letter: f, u, s */
	unsigned size;
} sve_elements[] = {
	{"q", {"u:uint128", "s:int128"}, 16},
	{"d", {"f:ieee_double", "u:uint64", "s:int64"}, 8},
	{"s", {"f:ieee_single", "u:uint32", "s:int32"}, 4},
	{"h", {"f:ieee_half", "u:uint16", "s:int16"}, 2},
	{"b", {"u:uint8", "s:int8"}, 1},
};
enum { NELEMENTS = sizeof(sve_elements) / sizeof(sve_elements[0]) };

static void put_sve_element(struct gdbstub_buf *b, unsigned i, unsigned bytes)
{
	const char *name = sve_elements[i].name, *const * view;

	for (view = sve_elements[i].views; *view; view++)
		gdbstub_buf_fmt(b, "<vector id=\"sve%s%c\" type=\"%s\" count=\"%u\"/>\n", name, **view, *view + 2,
				bytes / sve_elements[i].size);
	gdbstub_buf_fmt(b, "<union id=\"svevn%s\">\n", name);
	for (view = sve_elements[i].views; *view; view++)
		gdbstub_buf_fmt(b, "<field name=\"%c\" type=\"sve%s%c\"/>\n", **view, name, **view);
	gdbstub_buf_str(b, "</union>\n");
}

static void put_sve(struct gdbstub_buf *b, const struct gdbstub_reg *regs, unsigned first, unsigned end)
{
	for (unsigned i = first; i < end; i++) {
		if (strcmp(regs[i].type, "svev") != 0)
			continue;
		for (unsigned k = 0; k < NELEMENTS; k++)
			put_sve_element(b, k, regs[i].bits / 8);
		gdbstub_buf_str(b, "<union id=\"svev\">\n");
		for (unsigned k = 0; k < NELEMENTS; k++)
			gdbstub_buf_fmt(b, "<field name=\"%s\" type=\"svevn%s\"/>\n", sve_elements[k].name,
					sve_elements[k].name);
		gdbstub_buf_str(b, "</union>\n");
		break;
	}
	for (unsigned i = first; i < end; i++)
		if (strcmp(regs[i].type, "svep") == 0) {
			gdbstub_buf_fmt(b, "<vector id=\"svep\" type=\"uint8\" count=\"%u\"/>\n", regs[i].bits / 8);
			break;
		}
}

static void put_types(struct gdbstub_buf *b, const struct gdbstub_reg *regs, unsigned first, unsigned end)
{
	for (size_t i = 0; i < sizeof(unions) / sizeof(unions[0]); i++)
		if (uses(regs, first, end, unions[i].id))
			put_union(b, unions[i].id, unions[i].members, unions[i].n);
	put_sve(b, regs, first, end);
	if (uses(regs, first, end, "v2ui128")) /* gdb's name for the upper half of a ZMM register */
		gdbstub_buf_str(b, "<vector id=\"v2ui128\" type=\"uint128\" count=\"2\"/>\n");
	for (unsigned i = first; i < end; i++)
		if (regs[i].flags && !uses(regs, first, i, regs[i].flags->id))
			put_flags(b, regs[i].flags);
}

static void put_reg(struct gdbstub_buf *b, const struct gdbstub_reg *r, unsigned number)
{
	gdbstub_buf_str(b, "<reg name=\"");
	gdbstub_buf_xml(b, r->name);
	gdbstub_buf_fmt(b, "\" bitsize=\"%u\" regnum=\"%u\" type=\"", r->bits, number);
	gdbstub_buf_xml(b, r->flags ? r->flags->id : r->type);
	gdbstub_buf_str(b, "\"");
	if (r->group) {
		gdbstub_buf_str(b, " group=\"");
		gdbstub_buf_xml(b, r->group);
		gdbstub_buf_str(b, "\"");
	}
	/* gdb puts registers back after a call of the user's; not those it cannot write */
	gdbstub_buf_str(b, r->readonly ? " save-restore=\"no\"/>\n" : "/>\n");
}

char *gdbstub_target_xml(const struct gdbstub_arch *arch)
{
	struct gdbstub_buf b = {0};
	unsigned end;

	gdbstub_buf_str(&b, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n");
	gdbstub_buf_str(&b, "<architecture>");
	gdbstub_buf_xml(&b, arch->name);
	gdbstub_buf_str(&b, "</architecture>\n");
	if (arch->osabi) {
		gdbstub_buf_str(&b, "<osabi>");
		gdbstub_buf_xml(&b, arch->osabi);
		gdbstub_buf_str(&b, "</osabi>\n");
	}
	for (unsigned first = 0; first < arch->nregs; first = end) {
		const char *feature = arch->regs[first].feature;
		for (end = first + 1; end < arch->nregs && strcmp(arch->regs[end].feature, feature) == 0; end++)
			;
		gdbstub_buf_str(&b, "<feature name=\"");
		gdbstub_buf_xml(&b, feature);
		gdbstub_buf_str(&b, "\">\n");
		put_types(&b, arch->regs, first, end);
		for (unsigned i = first; i < end; i++)
			put_reg(&b, &arch->regs[i], i);
		gdbstub_buf_str(&b, "</feature>\n");
	}
	gdbstub_buf_str(&b, "</target>\n");
	gdbstub_buf_add(&b, "", 1);
	if (b.failed)
		gdbstub_buf_free(&b);
	return b.data;
}
