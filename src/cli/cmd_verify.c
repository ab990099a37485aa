/* gyve verify DUMP: is it whole, and what will other tools make of it? And gyve syms DUMP: names at addresses. */
#include "cmd.h"
#include "dump_cmd.h"

#include "gyve/loader.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct report {
	struct gyve_dump *d;
	bool json;
	unsigned problems, lines;
};

__attribute__((format(printf, 4, 5))) static void tell(struct report *r, bool ok, const char *what, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->problems += !ok;
	if (!r->json) {
		printf("%s%-8s%s %s: %s\n", gyve_paint(ok ? GYVE_PAINT_GOOD : GYVE_PAINT_BAD), ok ? "ok" : "PROBLEM",
		       gyve_paint(GYVE_PAINT_OFF), what, text);
		return;
	}
	printf("%s\n  {\"check\": \"%s\", \"ok\": %s, \"text\": ", r->lines++ ? "," : "", what, ok ? "true" : "false");
	gyve_json_string(text);
	printf("}");
}

static void check_cpus(struct report *r)
{
	struct gyve_core *c = r->d->core;

	for (unsigned i = 0; i < c->ncpus; i++) {
		struct gyve_walk w;
		struct gyve_err err = {0};
		char what[32];
		uint8_t b;
		snprintf(what, sizeof(what), "vCPU %u", i);
		if (!(c->regs[i].valid & GYVE_REGS_GPR)) {
			tell(r, false, what, "the dump has no general registers of it");
			continue;
		}
		uint64_t root = c->arch->root(&c->regs[i]), pc = c->arch->pc(&c->regs[i]), sp = c->arch->sp(&c->regs[i]);
		if (c->have_sys && c->phys.read(c->phys.ctx, root, &b, 1) != 1)
			tell(r, false, what, "its tables at 0x%" PRIx64 " are not in the dump", root);
		else if (gyve_target_translate(&r->d->target, i, pc, &w, NULL, &err) < 0)
			tell(r, false, what, "its pc cannot be read: %s", err.text);
		else if (gyve_target_translate(&r->d->target, i, sp ? sp - 1 : 0, &w, NULL, &err) < 0)
			tell(r, false, what, "its stack cannot be read: %s", err.text);
		else
			tell(r, true, what, "pc 0x%" PRIx64 " and stack 0x%" PRIx64 " are mapped and there", pc, sp);
	}
}

/* The image's code against what is in memory: the strongest sign that the symbols are the right ones. */
static void check_image(struct report *r)
{
	struct gyve_dump *d = r->d;
	struct gyve_elf *elf = calloc(1, sizeof(*elf));
	uint64_t same = 0, other = 0;
	uint8_t buf[4096];

	if (!d->image.data)
		tell(r, true, "symbols", "none to compare with");
	else if (!elf || gyve_elf_parse(elf, d->image.data, d->image.size, NULL) < 0)
		tell(r, true, "symbols", "%s cannot be compared", d->image.path);
	else {
		for (unsigned i = 0; i < elf->nsegs; i++) {
			const struct gyve_segment *s = &elf->seg[i];
			if (!(s->perms & GYVE_PERM_X) || s->perms & GYVE_PERM_W)
				continue;
			for (uint64_t at = 0; at < s->filesz && at < 4 << 20; at += sizeof(buf)) {
				size_t n = s->filesz - at < sizeof(buf) ? (size_t)(s->filesz - at) : sizeof(buf);
				ssize_t got = gyve_target_read(&d->target, d->cpu, s->vaddr + d->bias + at, buf, n, NULL);
				if (got == (ssize_t)n && memcmp(buf, d->image.data + s->offset + at, n) == 0)
					same++;
				else
					other++;
			}
		}
		tell(r, same >= other, "symbols", "%s: %" PRIu64 " of %" PRIu64 " pages of code are the same in memory",
		     d->image.path, same, same + other);
	}
	free(elf);
}

static void check_readers(struct report *r)
{
	struct gyve_core *c = r->d->core;
	struct gyve_walk w;
	uint64_t pc = c->arch->pc(&c->regs[r->d->cpu]);

	if (c->kind != GYVE_CORE_ELF) {
		tell(r, true, "gdb", "reads ELF cores only; use gyve serve");
		return;
	}
	bool identity =
		!c->have_sys || (gyve_target_translate(&r->d->target, r->d->cpu, pc, &w, NULL, NULL) == 0 && w.gpa == pc);
	tell(r, true, "gdb",
	     identity ? "opens it; virtual addresses are physical ones where the pc is"
		      : "knows no page tables: dump with --dump-virtual, or use gyve serve");
	if (c->guest_linux.there) {
		tell(r, true, "crash, drgn", "take it with the vmlinux of Linux %s", c->guest_linux.release);
		return;
	}
	tell(r, true, "crash, drgn", strstr(c->format, "QEMU") ? "take it when it has VMCOREINFO" : "take it as a plain core");
}

static int verify(struct gyve_dump_run *run)
{
	const struct gyve_core *core = run->d.core;
	struct report r = {&run->d, run->json, 0, 0};

	tell(&r, !core->warnings, "file", core->warnings ? "%s, damaged: see above" : "%s, whole", core->format);
	tell(&r, core->have_sys || core->is_virtual, "registers",
	     core->have_sys     ? "system registers are there"
	     : core->is_virtual ? "those of a process"
				: "no system registers: addresses are physical ones");
	check_cpus(&r);
	check_image(&r);
	check_readers(&r);
	return r.problems ? 1 : 0;
}

const struct gyve_dump_cmd gyve_dump_verify = {"verify [OPTION...] DUMP", .list = true, .run = verify};

/* --- syms */

struct list {
	const char *pattern;
	bool json;
	uint64_t n;
};

static int print_symbol(void *ctx, const char *name, uint64_t addr, uint64_t size)
{
	struct list *l = ctx;

	if (l->pattern && !strstr(name, l->pattern))
		return 0;
	if (!l->json) {
		printf("0x%016" PRIx64 " %8" PRIu64 " %s\n", addr, size, name);
	} else {
		printf("%s\n  {\"address\": %" PRIu64 ", \"size\": %" PRIu64 ", \"name\": ", l->n ? "," : "", addr, size);
		gyve_json_string(name);
		printf("}");
	}
	l->n++;
	return 0;
}

static int syms(struct gyve_dump_run *r)
{
	struct list l = {r->words[0], r->json, 0};

	if (!r->d.syms) {
		fprintf(stderr, "gyve: no symbols were found; give them with --symbols ELF\n");
		return GYVE_STATUS_FAILED;
	}
	gyve_symtab_each(r->d.syms, print_symbol, &l);
	return l.n ? 0 : 1;
}

const struct gyve_dump_cmd gyve_dump_syms = {"syms [OPTION...] DUMP [PART-OF-NAME]", .max = 1, .list = true, .run = syms};
