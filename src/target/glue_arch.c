/* The description of the machine that the client gets: register rows as libgdbstub wants them. On x86_64 there is one for each
 * mode, and the client's stays what it is until it reads it anew. */
#include "stub_glue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The g packet holds what every gdb of this architecture knows without a description; the rest is read with p. */
static bool in_g_packet(const char *feature)
{
	static const char *const features[] = {"org.gnu.gdb.i386.core", "org.gnu.gdb.i386.sse", "org.gnu.gdb.aarch64.core",
					       "org.gnu.gdb.aarch64.fpu"};
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(features); i++)
		if (strcmp(feature, features[i]) == 0)
			return true;
	return false;
}

static unsigned reg_number(const struct gyve_arch *a, const char *x86, const char *i386, const char *a64)
{
	const struct gyve_reg_row *row = gyve_reg_find(a, x86);

	if (!row)
		row = gyve_reg_find(a, i386);
	if (!row)
		row = gyve_reg_find(a, a64);
	return row ? (unsigned)(row - a->regs) : 0;
}

static int build_flags(struct gyve_glue *g, const struct gyve_arch *a)
{
	size_t nfields = 0;
	struct gdbstub_field *f;

	for (unsigned i = 0; i < a->nregs; i++)
		nfields += a->regs[i].flags ? a->regs[i].flags->nfields : 0;
	g->flags = calloc(a->nregs, sizeof(*g->flags));
	g->fields = f = calloc(nfields + 1, sizeof(*g->fields));
	if (!g->flags || !g->fields)
		return -ENOMEM;
	for (unsigned i = 0; i < a->nregs; i++) {
		const struct gyve_reg_flags *from = a->regs[i].flags;
		if (!from)
			continue;
		g->flags[i] = (struct gdbstub_flags){from->id, from->size, f, from->nfields};
		for (unsigned k = 0; k < from->nfields; k++, f++)
			*f = (struct gdbstub_field){from->fields[k].name, from->fields[k].start, from->fields[k].end};
		g->regs[i].flags = &g->flags[i];
	}
	return 0;
}

/* What lldb calls registers of every architecture by. */
static const char *generic_name(const struct gyve_arch *a, const char *name)
{
	static const struct {
		enum gyve_arch_id arch;
		const char *name, *generic;
	} table[] = {
		{GYVE_X86_64, "rip", "pc"},   {GYVE_X86_64, "rsp", "sp"},       {GYVE_X86_64, "rbp", "fp"},
		{GYVE_X86_64, "eip", "pc"},   {GYVE_X86_64, "esp", "sp"},       {GYVE_X86_64, "ebp", "fp"},
		{GYVE_X86_64, "rdi", "arg1"}, {GYVE_X86_64, "rsi", "arg2"},     {GYVE_X86_64, "rdx", "arg3"},
		{GYVE_X86_64, "rcx", "arg4"}, {GYVE_X86_64, "eflags", "flags"}, {GYVE_AARCH64, "pc", "pc"},
		{GYVE_AARCH64, "sp", "sp"},   {GYVE_AARCH64, "x29", "fp"},      {GYVE_AARCH64, "x30", "ra"},
		{GYVE_AARCH64, "x0", "arg1"}, {GYVE_AARCH64, "x1", "arg2"},     {GYVE_AARCH64, "x2", "arg3"},
		{GYVE_AARCH64, "x3", "arg4"}, {GYVE_AARCH64, "cpsr", "flags"},
	};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(table); i++)
		if (table[i].arch == a->id && strcmp(table[i].name, name) == 0)
			return table[i].generic;
	return NULL;
}

static const char *triple_of(const struct gyve_arch *a)
{
	if (a->id == GYVE_AARCH64)
		return "aarch64-unknown-none";
	return gyve_reg_find(a, "rip") ? "x86_64-unknown-none" : "i386-unknown-none";
}

static int build_arch(struct gyve_glue *g, const struct gyve_arch *a)
{
	bool linux_abi = a->id == GYVE_X86_64, wide = gyve_reg_find(a, "rip");

	g->regs = calloc(a->nregs + 1u, sizeof(*g->regs));
	if (!g->regs)
		return -ENOMEM;
	g->arch = (struct gdbstub_arch){.name = a->gdb_arch,
					.osabi = gyve_glue_has_libraries(g->target) ? "none" : a->gdb_osabi,
					.regs = g->regs,
					.nregs = a->nregs};
	for (unsigned i = 0; i < a->nregs; i++) {
		const struct gyve_reg_row *row = &a->regs[i];
		g->regs[i] = (struct gdbstub_reg){
			.name = row->name,
			.bits = row->bits,
			.type = row->type,
			.feature = row->feature,
			.group = row->gdb_group,
			.readonly = row->readonly,
			.dwarf = (int16_t)(row->dwarf + 1),
			.generic = generic_name(a, row->name),
		};
		if (g->arch.ng == i && in_g_packet(row->feature))
			g->arch.ng = i + 1;
	}
	/* A register of Linux, not of the processor. Without it gdb knows neither $_siginfo nor `catch syscall` on x86. */
	if (linux_abi)
		g->regs[g->arch.nregs++] = (struct gdbstub_reg){.name = wide ? "orig_rax" : "orig_eax",
								.bits = wide ? 64 : 32,
								.type = wide ? "int64" : "int32",
								.feature = "org.gnu.gdb.i386.linux",
								.group = "system"};
	g->arch.triple = triple_of(a);
	g->arch.watch_before = a->id == GYVE_AARCH64;
	g->arch.pc_reg = reg_number(a, "rip", "eip", "pc");
	g->arch.sp_reg = reg_number(a, "rsp", "esp", "sp");
	g->arch.fp_reg = reg_number(a, "rbp", "ebp", "x29");
	return build_flags(g, a);
}

void gyve_glue_undescribe(struct gyve_glue *g)
{
	free(g->regs);
	free(g->flags);
	free(g->fields);
	g->regs = NULL;
	g->flags = NULL;
	g->fields = NULL;
}

/* The description that is wanted now; NULL: out of memory. */
static const struct gyve_arch *choose(struct gyve_glue *g)
{
	struct gyve_target *t = g->target;
	unsigned bits = t->describe_bits;
	struct gyve_regs *r;

	if (t->arch->id != GYVE_X86_64 || !bits || bits == 64)
		return t->arch;
	if (bits != GYVE_DESCRIBE_CPU)
		return gyve_arch_x86_mode(bits);
	if (gyve_target_regs(t, g->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, NULL) < 0)
		return g->desc ? g->desc : t->arch;
	bits = gyve_x86_mode_bits(r);
	return bits == 64 ? t->arch : gyve_arch_x86_mode(bits);
}

int gyve_glue_describe(struct gyve_glue *g)
{
	const struct gyve_arch *a = choose(g);
	struct gyve_glue next = {.target = g->target};

	if (!a)
		return -ENOMEM;
	if (a == g->desc)
		return 0;
	if (build_arch(&next, a) < 0) {
		gyve_glue_undescribe(&next);
		return -ENOMEM;
	}
	gyve_glue_undescribe(g);
	g->desc = a;
	g->arch = next.arch;
	g->regs = next.regs;
	g->flags = next.flags;
	g->fields = next.fields;
	return 0;
}
