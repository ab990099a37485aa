/* `monitor CMD`: one table. A new command is a function and a row. */
#include "monitor.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gyve_sink_say(const struct gyve_sink *out, const char *fmt, ...)
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

/* --- arguments */

bool mon_word(struct mon *m, char *buf, size_t size)
{
	size_t len = strcspn(m->arg, " \t");

	buf[0] = '\0';
	if (!len || len >= size)
		return false;
	memcpy(buf, m->arg, len);
	buf[len] = '\0';
	m->arg += len;
	m->arg += strspn(m->arg, " \t");
	return true;
}

int mon_number(struct mon *m, const char *word, const char *what, uint64_t max, uint64_t *ret)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(word, &end, 0);
	if (!isdigit((unsigned char)*word) || *end)
		return gyve_err_set(m->err, -EINVAL, "%s: '%.60s' is not a number", what, word);
	if (errno || value > max)
		return gyve_err_set(m->err, -EINVAL, "%s: %.60s is too large", what, word);
	*ret = value;
	return 0;
}

int mon_reg(struct mon *m, unsigned cpu, const char *name, uint64_t *ret)
{
	const struct gyve_reg_row *row = gyve_reg_find(m->t->arch, name);
	uint64_t value = 0;
	int r;

	if (!row || row->bits > 64)
		return gyve_err_set(m->err, -EINVAL, "there is no register '%.40s' of up to 64 bits", name);
	r = gyve_target_reg_get(m->t, cpu, row, &value, m->err);
	if (r == -ENODATA)
		return gyve_err_set(m->err, r, "register %s is not available", row->name);
	if (r == 0)
		*ret = value;
	return r;
}

static int parse_term(struct mon *m, const char *word, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(word, &end, 0);
	if (end != word && *end == '\0' && isdigit((unsigned char)*word))
		return errno ? gyve_err_set(m->err, -EINVAL, "'%.60s' does not fit in 64 bits", word) : 0;
	if (word[0] == '$')
		return mon_reg(m, m->cpu, word + 1, ret);
	if (m->t->syms && gyve_symtab_lookup(m->t->syms, word, ret) == 0)
		return 0;
	return gyve_err_set(m->err, -EINVAL, "'%.60s' is neither a number nor a known symbol", word);
}

int mon_address(struct mon *m, const char *word, uint64_t *ret)
{
	const char *plus = strrchr(word, '+');
	char term[256];
	uint64_t off = 0;
	int r;

	if (!plus || plus == word || strlen(word) >= sizeof(term))
		return parse_term(m, word, ret);
	r = mon_number(m, plus + 1, "offset", UINT64_MAX, &off);
	snprintf(term, sizeof(term), "%.*s", (int)(plus - word), word);
	if (r == 0)
		r = parse_term(m, term, ret);
	if (r == 0)
		*ret += off;
	return r;
}

int mon_next_address(struct mon *m, uint64_t *ret)
{
	char word[256];

	if (!mon_word(m, word, sizeof(word)))
		return gyve_err_set(m->err, -EINVAL, "an address is missing: a number or a symbol's name");
	return mon_address(m, word, ret);
}

int mon_end(struct mon *m)
{
	return *m->arg ? gyve_err_set(m->err, -EINVAL, "'%.60s' is too much", m->arg) : 0;
}

int mon_only(struct mon *m, enum gyve_arch_id arch)
{
	if (m->t->arch->id == arch)
		return 0;
	return gyve_err_set(m->err, -ENOTSUP, "%s guests have nothing of this kind", m->t->arch->name);
}

const char *mon_where(struct mon *m, gyve_gva_t gva, char *buf, size_t size)
{
	char text[200];

	gyve_symtab_format(m->t->syms, gva, text, sizeof(text));
	bool found = strncmp(text, "0x", 2) != 0;
	snprintf(buf, size, "%s%s%s", found ? "<" : "", found ? text : "", found ? ">" : "");
	return buf;
}

/* --- the table */

static int mon_help(struct mon *m);

static const struct {
	const char *name, *args, *help;
	int (*fn)(struct mon *m);
} commands[] = {
	{"help", "[COMMAND]", "this list, or one line of it", mon_help},
	{"info", "", "the guest, its memory and its vCPUs", mon_info},
	{"info mem", "", "ranges of equal permissions, in QEMU's format", mon_info_mem},
	{"info tlb", "", "every page mapped, in QEMU's format", mon_info_tlb},
	{"info registers", "[-a]", "registers in QEMU's format; -a: of every vCPU", mon_info_registers},
	{"cpu", "[N|auto]", "look through vCPU N, whatever thread gdb has selected", mon_cpu},
	{"regs", "", "general registers", mon_regs},
	{"sregs", "", "system registers, bits by name", mon_sregs},
	{"mode", "[16|32|64|cpu|image]", "which registers gdb is told of (x86_64); then: unset tdesc filename", mon_mode},
	{"msr", "[NAME|NUMBER [VALUE]]", "read or write a model-specific (x86_64) or system register (aarch64)", mon_msr},
	{"idt", "[VECTOR]", "the interrupt table (x86_64: IDT; aarch64: vectors at VBAR_EL1)", mon_idt},
	{"gdt", "", "the descriptor table (x86_64)", mon_gdt},
	{"lapic", "", "the vCPU's interrupt controller (x86_64)", mon_lapic},
	{"ioapic", "", "the I/O interrupt controller (x86_64)", mon_ioapic},
	{"gic", "", "the interrupt controller (aarch64)", mon_gic},
	{"vtop", "ADDR", "guest-physical address of ADDR (number, symbol or $register)", mon_vtop},
	{"translate", "ADDR", "the same", mon_vtop},
	{"gva2gpa", "ADDR", "the same, in QEMU's format", mon_gva2gpa},
	{"pt", "[ADDR]", "the page-table walk of ADDR, entry by entry (default: the pc)", mon_pt},
	{"maps", "", "everything the page tables map, with permissions", mon_maps},
	{"as", "[ROOT [TTBR1]|pid N|cpu N|off]",
	 "read, and set points in, the address space of this CR3 or TTBR0, of a process, or that vCPU N has", mon_as},
	{"xp", "[/FMT] ADDR", "dump guest-physical memory, as QEMU's xp", mon_xp},
	{"search", "[-p] ADDR LEN PATTERN", "find bytes: hex digits or \"text\"; -p: guest-physical", mon_search},
	{"in", "[/b|/w|/l] PORT", "read a port through the device model (x86_64)", mon_in},
	{"out", "[/b|/w|/l] PORT VALUE", "write a port through the device model (x86_64)", mon_out},
	{"kernel", "", "what a Linux guest tells of itself: version, where its symbols are from", mon_kernel},
	{"tasks", "", "the tasks of a Linux guest: from its kernel's lists, by the types it carries with it (BTF)", mon_tasks},
	{"bt", "[full]", "the call stack by the image's own symbols; full: with variables", mon_bt},
	{"catch", "[WHAT on|off]",
	 "stop at an exception: pf gp ud df (x86_64), sync serror (aarch64), all; panic: of a kernel with symbols", mon_catch},
	{"catch hypercall", "[NAME|NUMBER|all on|off]", "stop when the guest makes a hypercall", mon_catch_calls},
	{"modules", "[NAME]", "a Linux kernel's modules; NAME: its sections, and a line for gdb", mon_modules},
	{"breakpoints", "", "every point and how it is planted now", mon_breakpoints},
	{"assist", "", "instructions carried out for the host, by mnemonic", mon_assist},
	{"trace", "", "tracepoints, their hits, the buffer, variables", mon_trace},
	{"stats", "", "exits by kind", mon_stats},
	{"log", "[SPEC]", "what gyve logs: warn, or kvm=info,gdb=debug", mon_log},
	{"dump", "FILE [HOW...]", "write a dump of the guest; HOW: compress, qemu, virtual", mon_dump},
	{"reset", "", "load the image again and start from its first instruction", mon_reset},
	{"quit", "", "end the guest", mon_quit},
};

static void help_line(struct mon *m, size_t i)
{
	int width = 24 - (int)strlen(commands[i].name) - (*commands[i].args ? 1 : 0);

	mon_say(m, "monitor %s%s%-*s %s\n", commands[i].name, *commands[i].args ? " " : "", width > 0 ? width : 0,
		commands[i].args, commands[i].help);
}

static int mon_help(struct mon *m)
{
	size_t len = strlen(m->arg), shown = 0;

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(commands); i++)
		if (strncmp(commands[i].name, m->arg, len) == 0) {
			help_line(m, i);
			shown++;
		}
	return shown ? 0 : gyve_err_set(m->err, -ENOENT, "there is no monitor command '%.60s'", m->arg);
}

/* The longest command that text begins with; *len: of its name. */
static int find_command(const char *text, size_t *len)
{
	int best = -1;

	*len = 0;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(commands); i++) {
		size_t n = strlen(commands[i].name);
		if (n > *len && strncmp(text, commands[i].name, n) == 0 && (!text[n] || strchr(" \t/", text[n]))) {
			best = (int)i;
			*len = n;
		}
	}
	return best;
}

/* Words apart by one blank, none at the ends; what stands in double quotes is left as it is. */
static void tidy(char *buf, size_t size, const char *cmd)
{
	size_t n = 0;
	bool quoted = false;

	for (; *cmd && n + 1 < size; cmd++) {
		bool blank = isspace((unsigned char)*cmd) && !quoted;
		quoted ^= *cmd == '"';
		if (!blank)
			buf[n++] = *cmd;
		else if (n && buf[n - 1] != ' ')
			buf[n++] = ' ';
	}
	while (n && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
}

int gyve_monitor(struct gyve_target *t, unsigned cpu, const char *cmd, const struct gyve_sink *out, struct gyve_err *err)
{
	char line[512];
	struct mon m = {t, cpu < t->ncpus ? cpu : 0, out, "", err};
	size_t len;
	int i;

	if (t->look_cpu && t->look_cpu <= t->ncpus)
		m.cpu = t->look_cpu - 1;
	tidy(line, sizeof(line), cmd);
	if (!*line)
		return mon_help(&m);
	i = find_command(line, &len);
	if (i < 0)
		return gyve_err_set(err, -ENOENT, "there is no monitor command '%.*s'; try: monitor help",
				    (int)strcspn(line, " "), line);
	m.arg = line + len;
	m.arg += strspn(m.arg, " ");
	return commands[i].fn(&m);
}
