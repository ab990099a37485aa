/* `monitor info registers` as QEMU writes it: tools read values out of it. */
#include "monitor.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CR0_PE = 1, EFER_LMA = 1 << 10 };

static const char *system_type(bool lma, unsigned type)
{
	static const char *const names[2][16] = {
		{"Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16", "Reserved",
		 "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32"},
		{"<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved",
		 "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64"},
	};
	return names[lma][type & 15];
}

static void segment(struct mon *m, const struct gyve_x86_regs *x, const char *name, unsigned n)
{
	const struct gyve_x86_seg *s = &x->seg[n];
	bool lma = x->efer & EFER_LMA;
	unsigned flags = (unsigned)(s->type & 15) << 8 | (s->s & 1u) << 12 | (s->dpl & 3u) << 13 | (s->present & 1u) << 15 |
			 (s->avl & 1u) << 20 | (s->l & 1u) << 21 | (s->db & 1u) << 22 | (s->g & 1u) << 23;

	mon_say(m, "%-3s=%04x %016" PRIx64 " %08" PRIx32 " %08x", name, s->selector, s->base, s->limit, flags);
	if (!(x->cr0 & CR0_PE) || !s->present) {
		mon_say(m, "\n");
		return;
	}
	mon_say(m, " DPL=%d ", s->dpl);
	if (!s->s)
		mon_say(m, "%s\n", system_type(lma, s->type));
	else if (s->type & 8)
		mon_say(m, "%s [%c%c%c]\n",
			s->l    ? "CS64"
			: s->db ? "CS32"
				: "CS16",
			s->type & 4 ? 'C' : '-', s->type & 2 ? 'R' : '-', s->type & 1 ? 'A' : '-');
	else
		mon_say(m, "%s [%c%c%c]\n", s->db || x->seg[GYVE_CS].l ? "DS  " : "DS16", s->type & 4 ? 'E' : '-',
			s->type & 2 ? 'W' : '-', s->type & 1 ? 'A' : '-');
}

static void x86_general(struct mon *m, const struct gyve_x86_regs *x, bool halted)
{
	static const struct {
		const char *name;
		unsigned n;
	} order[] = {{"RAX", GYVE_RAX}, {"RBX", GYVE_RBX}, {"RCX", GYVE_RCX}, {"RDX", GYVE_RDX},
		     {"RSI", GYVE_RSI}, {"RDI", GYVE_RDI}, {"RBP", GYVE_RBP}, {"RSP", GYVE_RSP},
		     {"R8 ", 8},        {"R9 ", 9},        {"R10", 10},       {"R11", 11},
		     {"R12", 12},       {"R13", 13},       {"R14", 14},       {"R15", 15}};
	static const char letters[] = "CPAZSOD";
	static const uint8_t bits[] = {0, 2, 4, 6, 7, 11, 10};
	char flags[8] = "-------";

	for (unsigned i = 0; i < 16; i++)
		mon_say(m, "%s=%016" PRIx64 "%s", order[i].name, x->gpr[order[i].n], i % 4 == 3 ? "\n" : " ");
	for (unsigned i = 0; i < 7; i++)
		if (x->rflags >> bits[i] & 1)
			flags[6 - i] = letters[i];
	mon_say(m, "RIP=%016" PRIx64 " RFL=%08" PRIx32 " [%s] CPL=%d II=%d A20=1 SMM=0 HLT=%d\n", x->rip, (uint32_t)x->rflags,
		flags, x->seg[GYVE_SS].dpl, x->irq_shadow ? 1 : 0, halted);
}

static void x86_system(struct mon *m, const struct gyve_x86_regs *x)
{
	static const struct {
		const char *name;
		unsigned n;
	} segs[] = {{"ES", GYVE_ES}, {"CS", GYVE_CS}, {"SS", GYVE_SS},    {"DS", GYVE_DS},
		    {"FS", GYVE_FS}, {"GS", GYVE_GS}, {"LDT", GYVE_LDTR}, {"TR", GYVE_TR}};

	for (unsigned i = 0; i < GYVE_ARRAY_SIZE(segs); i++)
		segment(m, x, segs[i].name, segs[i].n);
	mon_say(m, "GDT=     %016" PRIx64 " %08x\n", x->gdt_base, x->gdt_limit);
	mon_say(m, "IDT=     %016" PRIx64 " %08x\n", x->idt_base, x->idt_limit);
	mon_say(m, "CR0=%08" PRIx32 " CR2=%016" PRIx64 " CR3=%016" PRIx64 " CR4=%08" PRIx32 "\n", (uint32_t)x->cr0, x->cr2,
		x->cr3, (uint32_t)x->cr4);
	for (unsigned i = 0; i < 4; i++)
		mon_say(m, "DR%u=%016" PRIx64 " ", i, x->dr[i]);
	mon_say(m, "\nDR6=%016" PRIx64 " DR7=%016" PRIx64 "\n", x->dr[6], x->dr[7]);
	mon_say(m, "EFER=%016" PRIx64 "\n", x->efer);
}

static int vector(struct mon *m, unsigned cpu, const char *prefix, unsigned i, uint8_t buf[16])
{
	const struct gyve_reg_row *row;
	char name[16];

	snprintf(name, sizeof(name), "%s%u", prefix, i);
	row = gyve_reg_find(m->t->arch, name);
	return row && row->bits <= 128 ? gyve_target_reg_get(m->t, cpu, row, buf, m->err) : -ENODATA;
}

static void x86_float(struct mon *m, unsigned cpu)
{
	uint64_t fctrl = 0, fstat = 0, ftag = 0, mxcsr = 0;
	uint8_t buf[16] = {0};
	unsigned abridged = 0;

	if (mon_reg(m, cpu, "fctrl", &fctrl) < 0 || mon_reg(m, cpu, "fstat", &fstat) < 0 ||
	    mon_reg(m, cpu, "ftag", &ftag) < 0 || mon_reg(m, cpu, "mxcsr", &mxcsr) < 0)
		return;
	for (unsigned i = 0; i < 8; i++)
		abridged |= (unsigned)((ftag >> 2 * i & 3) != 3) << i;
	mon_say(m, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", (unsigned)fctrl, (unsigned)fstat,
		(unsigned)fstat >> 11 & 7, abridged, (unsigned)mxcsr);
	for (unsigned i = 0; i < 8 && vector(m, cpu, "st", i, buf) == 0; i++)
		mon_say(m, "FPR%u=%016" PRIx64 " %04x%s", i, get_le64(buf), get_le16(buf + 8), i & 1 ? "\n" : " ");
	for (unsigned i = 0; i < 16 && vector(m, cpu, "xmm", i, buf) == 0; i++)
		mon_say(m, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%s", i, get_le64(buf + 8), get_le64(buf), i & 1 ? "\n" : " ");
}

static void a64_registers(struct mon *m, unsigned cpu, const struct gyve_a64_regs *a)
{
	uint32_t p = (uint32_t)a->pstate;
	uint8_t buf[16] = {0};

	mon_say(m, " PC=%016" PRIx64 " ", a->pc);
	for (unsigned i = 0; i < 31; i++)
		mon_say(m, "X%02u=%016" PRIx64 "%s", i, a->x[i], (i + 2) % 3 ? " " : "\n");
	mon_say(m, " SP=%016" PRIx64 "\n", a->sp);
	mon_say(m, "PSTATE=%08" PRIx32 " %c%c%c%c NS EL%u%c", p, p >> 31 & 1 ? 'N' : '-', p >> 30 & 1 ? 'Z' : '-',
		p >> 29 & 1 ? 'C' : '-', p >> 28 & 1 ? 'V' : '-', p >> 2 & 3, p & 1 ? 'h' : 't');
	mon_say(m, "     FPCR=%08" PRIx32 " FPSR=%08" PRIx32 "\n", a->fpcr, a->fpsr);
	for (unsigned i = 0; i < 32 && vector(m, cpu, "v", i, buf) == 0; i++)
		mon_say(m, "Q%02u=%016" PRIx64 ":%016" PRIx64 "%s", i, get_le64(buf + 8), get_le64(buf), i & 1 ? "\n" : " ");
}

static int one_cpu(struct mon *m, unsigned cpu)
{
	unsigned groups = GYVE_REGS_GPR | GYVE_REGS_SYS | GYVE_REGS_FP | GYVE_REGS_DEBUG | GYVE_REGS_EVENTS;
	bool a64 = m->t->arch->id == GYVE_AARCH64;
	struct gyve_regs *r;
	char state[80] = "";
	int ret = gyve_target_regs(m->t, cpu, a64 ? GYVE_REGS_GPR | GYVE_REGS_SYS | GYVE_REGS_FP : groups, &r, m->err);

	if (ret < 0)
		return ret;
	mon_say(m, "\nCPU#%u\n", cpu);
	if (a64) {
		a64_registers(m, cpu, &r->a64);
		return 0;
	}
	if (m->t->ops->describe)
		m->t->ops->describe(m->t->ctx, cpu, state, sizeof(state));
	x86_general(m, &r->x86, strstr(state, "halted") != NULL);
	x86_system(m, &r->x86);
	x86_float(m, cpu);
	return 0;
}

int mon_info_registers(struct mon *m)
{
	char word[8];
	bool all = mon_word(m, word, sizeof(word)) && strcmp(word, "-a") == 0;
	int ret = *word && !all ? gyve_err_set(m->err, -EINVAL, "'%s' is not -a", word) : mon_end(m);

	for (unsigned i = 0; ret == 0 && i < m->t->ncpus; i++)
		if (all || i == m->cpu)
			ret = one_cpu(m, i);
	return ret;
}
