/* Monitor commands about interrupt controllers. Intel SDM vol. 3A 11.4 (local APIC), 82093AA (I/O APIC); Arm IHI 0069 (GICv3).
 */
#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int reg(struct mon *m, enum gyve_irq_part part, uint32_t off, uint64_t *ret)
{
	int r;

	*ret = 0;
	if (!m->t->ops->irq_reg)
		return gyve_err_set(m->err, -ENOTSUP, "this target has no interrupt controller");
	if (!gyve_target_cpu_stopped(m->t, m->cpu))
		return gyve_err_set(m->err, -EBUSY, "the guest is running");
	r = m->t->ops->irq_reg(m->t->ctx, m->cpu, part, off, ret);
	return r < 0 ? gyve_err_set(m->err, r, "the host does not give register 0x%" PRIx32 " of the interrupt controller", off)
		     : 0;
}

static const char *delivery(unsigned mode)
{
	static const char *const names[] = {"fixed", "lowest", "SMI", "reserved", "NMI", "INIT", "start-up", "ExtINT"};
	return names[mode & 7];
}

static void lvt(struct mon *m, const char *name, uint32_t off)
{
	static const char *const timers[] = {"one-shot", "periodic", "TSC-deadline", "reserved"};
	uint64_t v;

	if (reg(m, GYVE_IRQ_LOCAL, off, &v) < 0)
		return;
	mon_say(m, "  %-8s 0x%08" PRIx64 " vector %u, %s%s%s%s%s\n", name, v, (unsigned)v & 0xff, delivery((unsigned)v >> 8),
		v >> 16 & 1 ? ", masked" : "", v >> 12 & 1 ? ", pending" : "", off == 0x320 ? ", " : "",
		off == 0x320 ? timers[v >> 17 & 3] : "");
}

/* The vectors whose bit is set in eight registers from off on. */
static int vectors(struct mon *m, const char *name, uint32_t off)
{
	bool any = false;
	uint64_t v;

	mon_say(m, "  %-8s", name);
	for (unsigned i = 0; i < 8; i++) {
		int ret = reg(m, GYVE_IRQ_LOCAL, off + 0x10 * i, &v);
		if (ret < 0)
			return ret;
		for (unsigned bit = 0; bit < 32; bit++)
			if (v >> bit & 1) {
				mon_say(m, " %u", 32 * i + bit);
				any = true;
			}
	}
	mon_say(m, "%s\n", any ? "" : " none");
	return 0;
}

int mon_lapic(struct mon *m)
{
	static const struct {
		const char *name;
		uint32_t off;
	} plain[] = {{"ID", 0x20},     {"version", 0x30}, {"TPR", 0x80},  {"PPR", 0xa0},  {"LDR", 0xd0},
		     {"DFR", 0xe0},    {"SPIV", 0xf0},    {"ESR", 0x280}, {"ICR", 0x300}, {"ICR2", 0x310},
		     {"TMICT", 0x380}, {"TMCCT", 0x390},  {"TDCR", 0x3e0}},
	  lvts[] = {{"timer", 0x320}, {"thermal", 0x330}, {"perf", 0x340},
		    {"LINT0", 0x350}, {"LINT1", 0x360},   {"error", 0x370}};
	uint64_t v, base = 0;
	int ret = mon_only(m, GYVE_X86_64);

	if (ret == 0)
		ret = mon_end(m);
	if (ret == 0)
		ret = mon_reg(m, m->cpu, "apic_base", &base);
	if (ret == 0)
		ret = reg(m, GYVE_IRQ_LOCAL, 0x20, &v);
	if (ret < 0)
		return ret;
	mon_say(m, "local APIC of vCPU %u at 0x%" PRIx64 "%s%s\n", m->cpu, base & 0x000ffffffffff000,
		base >> 11 & 1 ? ", enabled" : ", disabled", base >> 10 & 1 ? ", x2APIC" : "");
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(plain); i++)
		if (reg(m, GYVE_IRQ_LOCAL, plain[i].off, &v) == 0)
			mon_say(m, "  %-8s 0x%08" PRIx64 "%s\n", plain[i].name, v,
				plain[i].off == 0xf0 ? (v >> 8 & 1 ? " APIC enabled" : " APIC disabled") : "");
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(lvts); i++)
		lvt(m, lvts[i].name, lvts[i].off);
	if ((ret = vectors(m, "ISR", 0x100)) == 0 && (ret = vectors(m, "TMR", 0x180)) == 0)
		ret = vectors(m, "IRR", 0x200);
	return ret;
}

int mon_ioapic(struct mon *m)
{
	uint64_t v;
	int ret = mon_only(m, GYVE_X86_64);

	if (ret == 0)
		ret = mon_end(m);
	for (unsigned i = 0; ret == 0 && i < 24; i++) {
		ret = reg(m, GYVE_IRQ_GLOBAL, i, &v);
		if (ret == 0)
			mon_say(m, "pin %2u 0x%016" PRIx64 " vector %3u, %s, %s, %s%s, to %u%s\n", i, v, (unsigned)v & 0xff,
				delivery((unsigned)v >> 8), v >> 15 & 1 ? "level" : "edge", v >> 13 & 1 ? "low" : "high",
				v >> 16 & 1 ? ", masked" : "", (unsigned)(v >> 56), v >> 11 & 1 ? " (logical)" : "");
	}
	return ret;
}

/* --- GICv3 */

enum { SYS_PMR = 0xc230, SYS_BPR1 = 0xc663, SYS_IGRPEN1 = 0xc667, SYS_CTLR = 0xc664, SYS_AP1R0 = 0xc648 };

static int gic_line(struct mon *m, unsigned intid)
{
	enum gyve_irq_part part = intid < 32 ? GYVE_IRQ_LOCAL : GYVE_IRQ_GLOBAL;
	uint32_t base = intid < 32 ? 0x10000 : 0, word = intid / 32 * 4; /* SGI frame of the redistributor */
	uint64_t enabled, pending, active, prio;
	int ret = reg(m, part, base + 0x100 + word, &enabled);

	if (ret == 0)
		ret = reg(m, part, base + 0x200 + word, &pending);
	if (ret == 0)
		ret = reg(m, part, base + 0x300 + word, &active);
	if (ret == 0)
		ret = reg(m, part, base + 0x400 + intid / 4 * 4, &prio);
	if (ret < 0)
		return ret;
	unsigned bit = intid % 32;
	if ((enabled | pending | active) >> bit & 1)
		mon_say(m, "  %s %4u: priority 0x%02x%s%s%s\n",
			intid < 16   ? "SGI"
			: intid < 32 ? "PPI"
				     : "SPI",
			intid, (unsigned)(prio >> 8 * (intid % 4)) & 0xff, enabled >> bit & 1 ? ", enabled" : ", disabled",
			pending >> bit & 1 ? ", pending" : "", active >> bit & 1 ? ", active" : "");
	return 0;
}

int mon_gic(struct mon *m)
{
	static const struct {
		const char *name;
		uint32_t enc;
	} sys[] = {{"ICC_PMR_EL1", SYS_PMR},
		   {"ICC_BPR1_EL1", SYS_BPR1},
		   {"ICC_CTLR_EL1", SYS_CTLR},
		   {"ICC_IGRPEN1_EL1", SYS_IGRPEN1},
		   {"ICC_AP1R0_EL1", SYS_AP1R0}};
	uint64_t ctlr, typer, v;
	int ret = mon_only(m, GYVE_AARCH64);

	if (ret == 0)
		ret = mon_end(m);
	if (ret == 0)
		ret = reg(m, GYVE_IRQ_GLOBAL, 0, &ctlr);
	if (ret == 0)
		ret = reg(m, GYVE_IRQ_GLOBAL, 4, &typer);
	if (ret < 0)
		return ret;
	unsigned lines = 32 * ((unsigned)(typer & 31) + 1);
	mon_say(m, "GICD_CTLR 0x%" PRIx64 ", GICD_TYPER 0x%" PRIx64 " (%u interrupts)\n", ctlr, typer, lines);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(sys); i++)
		if (reg(m, GYVE_IRQ_CPU, sys[i].enc, &v) == 0)
			mon_say(m, "%s 0x%" PRIx64 "\n", sys[i].name, v);
	for (unsigned i = 0; ret == 0 && i < lines && i < 1020; i++)
		ret = gic_line(m, i);
	return ret;
}
