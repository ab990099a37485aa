/* `monitor CMD`: one table. A new command is a function and a row. */
#include "gyve/target.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mon {
	struct gyve_target *t;
	unsigned cpu;
	const struct gyve_sink *out;
	const char *arg; /**< "" if none */
	struct gyve_err *err;
};

__attribute__((format(printf, 2, 3))) static void say(const struct gyve_sink *out, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		out->write(out->ctx, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void say_line(void *ctx, const char *line)
{
	say(ctx, "%s\n", line);
}

/* A number as C writes it, or a symbol. */
static int parse_address(struct mon *m, uint64_t *ret)
{
	char *end;

	if (!*m->arg)
		return gyve_err_set(m->err, -EINVAL, "an address is missing: a number or a symbol's name");
	errno = 0;
	*ret = strtoull(m->arg, &end, 0);
	if (end != m->arg && *end == '\0' && isdigit((unsigned char)*m->arg))
		return errno ? gyve_err_set(m->err, -EINVAL, "'%.60s' does not fit in 64 bits", m->arg) : 0;
	if (m->t->syms && gyve_symtab_lookup(m->t->syms, m->arg, ret) == 0)
		return 0;
	return gyve_err_set(m->err, -EINVAL, "'%.60s' is neither a number nor a known symbol", m->arg);
}

static const char *perms_text(unsigned perms, char buf[5])
{
	snprintf(buf, 5, "%c%c%c%c", perms & GYVE_PERM_R ? 'r' : '-', perms & GYVE_PERM_W ? 'w' : '-',
		 perms & GYVE_PERM_X ? 'x' : '-', perms & GYVE_PERM_U ? 'u' : '-');
	return buf;
}

static const char *size_text(uint64_t size, char buf[24])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned u = 0;

	for (; u + 1 < GYVE_ARRAY_SIZE(units) && size && size % 1024 == 0; u++)
		size /= 1024;
	snprintf(buf, 24, "%" PRIu64 " %s", size, units[u]);
	return buf;
}

static const char *mode_text(const struct gyve_mmu *mmu)
{
	if (mmu->arch != GYVE_X86_64)
		return mmu->a64.sctlr & 1 ? "MMU on" : "MMU off";
	if (!(mmu->x86.cr0 & 1u << 31))
		return mmu->x86.cr0 & 1 ? "protected mode, paging off" : "real mode";
	if (mmu->x86.efer & 1u << 10)
		return mmu->x86.cr4 & 1u << 12 ? "long mode, 5-level paging" : "long mode, 4-level paging";
	return mmu->x86.cr4 & 1u << 5 ? "protected mode, PAE paging" : "protected mode, 32-bit paging";
}

static int info_cpu(struct mon *m, unsigned cpu)
{
	char where[256], state[80] = "";
	struct gyve_mmu mmu;
	struct gyve_regs *r;
	int ret = gyve_target_mmu(m->t, cpu, &mmu, m->err);

	if (ret == 0)
		ret = gyve_target_regs(m->t, cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, m->err);
	if (ret < 0)
		return ret;
	if (m->t->ops->describe)
		m->t->ops->describe(m->t->ctx, cpu, state, sizeof(state));
	gyve_symtab_format(m->t->syms, m->t->arch->pc(r), where, sizeof(where));
	say(m->out, "%c vCPU %u: %s, pc 0x%" PRIx64 " %s, %s, tables at 0x%" PRIx64 "\n", cpu == m->cpu ? '*' : ' ', cpu, state,
	    m->t->arch->pc(r), strncmp(where, "0x", 2) ? where : "", mode_text(&mmu), m->t->arch->root(r));
	return 0;
}

static int mon_info(struct mon *m)
{
	const struct gyve_target *t = m->t;
	char size[24];

	say(m->out, "%s target, %s, %u vCPU%s\n", t->ops->name, t->arch->name, t->ncpus, t->ncpus == 1 ? "" : "s");
	if (t->image)
		say(m->out, "image %s", t->image);
	if (t->layout)
		say(m->out, "%sloaded with offset 0x%" PRIx64 ", entry 0x%" PRIx64, t->image ? ", " : "", t->layout->bias,
		    t->layout->entry);
	say(m->out, "\n");
	for (size_t i = 0; t->map && i < t->map->n; i++)
		say(m->out, "memory 0x%" PRIx64 "-0x%" PRIx64 " (%s) %s\n", t->map->regions[i].gpa,
		    t->map->regions[i].gpa + t->map->regions[i].len - 1, size_text(t->map->regions[i].len, size),
		    t->map->regions[i].name);
	if (t->caps)
		say(m->out, "host: %u hardware breakpoints, %u watchpoints%s%s\n", t->caps->hw_bps, t->caps->hw_wps,
		    t->caps->hw_shared ? " (shared)" : "",
		    t->caps->hw_watch_works ? "" : "; its watchpoints do not fire, so they are done by stepping");
	for (unsigned i = 0; i < t->ncpus; i++) {
		int ret = info_cpu(m, i);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int mon_vtop(struct mon *m)
{
	struct gyve_walk w;
	bool by_layout;
	char perms[5], size[24];
	uint64_t gva;
	int ret = parse_address(m, &gva);

	if (ret == 0)
		ret = gyve_target_translate(m->t, m->cpu, gva, &w, &by_layout, m->err);
	if (ret < 0)
		return ret;
	if (by_layout)
		say(m->out, "0x%" PRIx64 " -> gpa 0x%" PRIx64 " (by the loaded image: the guest has not mapped it yet)\n", gva,
		    w.gpa);
	else
		say(m->out, "0x%" PRIx64 " -> gpa 0x%" PRIx64 ", %s page, %s\n", gva, w.gpa, size_text(w.page_size, size),
		    perms_text(w.perms, perms));
	return 0;
}

static const struct {
	uint8_t bit;
	const char *name;
} x86_bits[] = {{0, "P"}, {1, "RW"}, {2, "US"}, {3, "PWT"}, {4, "PCD"}, {5, "A"}, {6, "D"}, {7, "PS"}, {8, "G"}, {63, "NX"}},
  a64_bits[] = {{0, "valid"}, {1, "table/page"}, {6, "AP1:user"}, {7, "AP2:ro"}, {10, "AF"},
		{11, "nG"},   {52, "contig"},    {53, "PXN"},     {54, "UXN"}};

static void entry_bits(const struct gyve_mmu *mmu, const struct gyve_walk_step *s, char *buf, size_t size)
{
	bool x86 = mmu->arch == GYVE_X86_64;
	size_t n = x86 ? GYVE_ARRAY_SIZE(x86_bits) : GYVE_ARRAY_SIZE(a64_bits), len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		unsigned bit = x86 ? x86_bits[i].bit : a64_bits[i].bit;
		const char *name = x86 ? x86_bits[i].name : a64_bits[i].name;
		if (x86 && bit == 7 && s->level == 1)
			name = "PAT";
		if (s->entry >> bit & 1 && len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s", len ? " " : "", name);
	}
}

static int mon_pt(struct mon *m)
{
	struct gyve_mmu mmu;
	struct gyve_walk w;
	struct gyve_regs *r;
	char text[400], perms[5], size[24];
	uint64_t gva;
	int ret = gyve_target_mmu(m->t, m->cpu, &mmu, m->err);

	if (ret == 0)
		ret = gyve_target_regs(m->t, m->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, m->err);
	if (ret == 0 && *m->arg)
		ret = parse_address(m, &gva);
	if (ret < 0)
		return ret;
	if (!*m->arg)
		gva = m->t->arch->pc(r);
	say(m->out, "0x%" PRIx64 " on vCPU %u: %s, tables at gpa 0x%" PRIx64 "\n", gva, m->cpu, mode_text(&mmu),
	    m->t->arch->root(r));
	ret = gyve_walk(&mmu, &m->t->phys, gva, &w);
	for (unsigned i = 0; i < w.nsteps && i < GYVE_ARRAY_SIZE(w.step); i++) {
		entry_bits(&mmu, &w.step[i], text, sizeof(text));
		say(m->out, "  %-6s at gpa 0x%012" PRIx64 ": 0x%016" PRIx64 "  %s\n",
		    gyve_walk_level_name(&mmu, w.step[i].level), w.step[i].entry_gpa, w.step[i].entry, text);
	}
	if (ret == 0) {
		say(m->out, "  -> gpa 0x%" PRIx64 ", %s page, %s, memory type %u%s%s\n", w.gpa, size_text(w.page_size, size),
		    perms_text(w.perms, perms), w.memtype, w.global ? ", global" : "", w.contiguous ? ", contiguous" : "");
	} else {
		gyve_walk_explain(&mmu, gva, &w, text, sizeof(text));
		say(m->out, "  %s\n", text);
	}
	return 0;
}

struct maps {
	const struct gyve_sink *out;
	unsigned n;
};
enum { MAPS_MAX = 2000 }; /* lines; a hostile table can describe millions */

static int maps_line(void *ctx, const struct gyve_range *r)
{
	struct maps *m = ctx;
	char perms[5], size[24];

	if (m->n++ >= MAPS_MAX) {
		say(m->out, "... more than %d ranges\n", MAPS_MAX);
		return 1;
	}
	say(m->out, "0x%016" PRIx64 "-0x%016" PRIx64 " %s -> gpa 0x%" PRIx64 " (%s pages)\n", r->start, r->end_incl,
	    perms_text(r->perms, perms), r->gpa, size_text(r->page_size, size));
	return 0;
}

static int mon_maps(struct mon *m)
{
	struct maps ctx = {m->out, 0};
	struct gyve_mmu mmu;
	int ret = gyve_target_mmu(m->t, m->cpu, &mmu, m->err);

	if (ret < 0)
		return ret;
	ret = gyve_walk_ranges(&mmu, &m->t->phys, 0, UINT64_MAX, maps_line, &ctx);
	if (ret < 0)
		return gyve_err_set(m->err, ret, "the page tables cannot be read");
	if (ctx.n == 0)
		say(m->out, "nothing is mapped\n");
	return 0;
}

static int mon_breakpoints(struct mon *m)
{
	if (!m->t->ops->points_list)
		return gyve_err_set(m->err, -ENOTSUP, "this target has no breakpoints");
	m->t->ops->points_list(m->t->ctx, say_line, (void *)m->out);
	return 0;
}

int gyve_target_print_stats(struct gyve_target *t, const char *prefix, const struct gyve_sink *out)
{
	struct gyve_stat *stats = NULL;
	ssize_t n = t->ops->stats ? t->ops->stats(t->ctx, &stats) : -ENOTSUP;
	unsigned shown = 0;

	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++) {
		if (prefix && strncmp(stats[i].name, prefix, strlen(prefix)) != 0)
			continue;
		say(out, "%-32.39s %12" PRIu64 "\n", stats[i].name, stats[i].count);
		shown++;
	}
	free(stats);
	if (!shown)
		say(out, "nothing counted\n");
	return 0;
}

static int mon_assist(struct mon *m)
{
	return gyve_target_print_stats(m->t, "assist", m->out);
}

static int mon_stats(struct mon *m)
{
	return gyve_target_print_stats(m->t, NULL, m->out);
}

static int mon_reset(struct mon *m)
{
	int ret = gyve_target_reset(m->t, m->err);
	if (ret == 0)
		say(m->out, "the guest is at its first instruction again; tell gdb: maintenance flush register-cache\n");
	return ret;
}

static int mon_quit(struct mon *m)
{
	say(m->out, "the guest ends\n");
	gyve_target_kill(m->t, 0);
	return 0;
}

static int mon_help(struct mon *m);

static const struct {
	const char *name, *args, *help;
	int (*fn)(struct mon *m);
} commands[] = {
	{"help", "", "this list", mon_help},
	{"info", "", "the guest, its memory and its vCPUs", mon_info},
	{"vtop", "ADDR", "guest-physical address of ADDR (number or symbol)", mon_vtop},
	{"pt", "[ADDR]", "the page-table walk of ADDR, entry by entry (default: the pc)", mon_pt},
	{"maps", "", "everything the page tables map, with permissions", mon_maps},
	{"breakpoints", "", "every point and how it is planted now", mon_breakpoints},
	{"assist", "", "instructions carried out for the host, by mnemonic", mon_assist},
	{"stats", "", "exits by kind", mon_stats},
	{"reset", "", "load the image again and start from its first instruction", mon_reset},
	{"quit", "", "end the guest", mon_quit},
};

static int mon_help(struct mon *m)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(commands); i++)
		say(m->out, "monitor %s%s%-*s %s\n", commands[i].name, *commands[i].args ? " " : "",
		    18 - (int)strlen(commands[i].name) - (*commands[i].args ? 1 : 0), commands[i].args, commands[i].help);
	return 0;
}

int gyve_monitor(struct gyve_target *t, unsigned cpu, const char *cmd, const struct gyve_sink *out, struct gyve_err *err)
{
	char word[32], arg[256];
	struct mon m = {t, cpu < t->ncpus ? cpu : 0, out, arg, err};
	size_t len;

	cmd += strspn(cmd, " \t");
	len = strcspn(cmd, " \t");
	snprintf(word, sizeof(word), "%.*s", (int)(len < sizeof(word) ? len : sizeof(word) - 1), cmd);
	cmd += len;
	cmd += strspn(cmd, " \t");
	snprintf(arg, sizeof(arg), "%.255s", cmd);
	for (len = strlen(arg); len && isspace((unsigned char)arg[len - 1]);)
		arg[--len] = '\0';
	if (!*word)
		return mon_help(&m);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, word) == 0)
			return commands[i].fn(&m);
	return gyve_err_set(err, -ENOENT, "there is no monitor command '%s'; try: monitor help", word);
}
