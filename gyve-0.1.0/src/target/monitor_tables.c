/* Monitor commands about the tables that the processor itself reads: interrupts and segments. */
#include "monitor.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- x86_64: IDT. Intel SDM vol. 3A 6.11 (32-bit gates), 6.14.1 (64-bit). */

static bool is_long(const struct gyve_regs *r)
{
	return r->x86.efer & 1u << 10;
}

static void idt_line(struct mon *m, unsigned vector, const uint8_t *e, bool wide)
{
	uint64_t at = get_le16(e) | (uint64_t)get_le16(e + 6) << 16 | (wide ? (uint64_t)get_le32(e + 8) << 32 : 0);
	unsigned flags = e[5], type = flags & 15;
	const char *kind = type == 14 ? "interrupt" : type == 15 ? "trap" : type == 5 ? "task" : "unknown";
	const char *name = gyve_x86_vector_name(vector);
	char where[256];

	mon_say(m, "%3u %-26s 0x%016" PRIx64 " %-24s cs 0x%x, %s gate, DPL %u", vector, name ? name : "", at,
		mon_where(m, at, where, sizeof(where)), get_le16(e + 2), kind, flags >> 5 & 3);
	if (wide && e[4] & 7)
		mon_say(m, ", IST %u", e[4] & 7);
	mon_say(m, "\n");
}

static int x86_idt(struct mon *m, const struct gyve_regs *r)
{
	unsigned size = is_long(r) ? 16 : 8, n = (r->x86.idt_limit + 1u) / size, shown = 0;
	char word[16];
	uint64_t only = UINT64_MAX;
	int ret = mon_word(m, word, sizeof(word)) ? mon_number(m, word, "vector", 255, &only) : 0;

	if (ret < 0)
		return ret;
	mon_say(m, "IDT at 0x%" PRIx64 ", limit 0x%x\n", r->x86.idt_base, r->x86.idt_limit);
	for (unsigned i = 0; i < n && i < 256; i++) {
		uint8_t e[16] = {0};
		if (only != UINT64_MAX && i != only)
			continue;
		if (gyve_target_read(m->t, m->cpu, r->x86.idt_base + i * size, e, size, m->err) != (ssize_t)size)
			return gyve_err_prefix(m->err, "vector %u", i);
		if (!(e[5] & 0x80) && i != only)
			continue;
		if (e[5] & 0x80)
			idt_line(m, i, e, is_long(r));
		else
			mon_say(m, "%3u not present\n", i);
		shown++;
	}
	if (!shown)
		mon_say(m, "no vector is present\n");
	return 0;
}

/* --- aarch64: sixteen vectors. Arm ARM D1.3.1.5. */

static int a64_vectors(struct mon *m, const struct gyve_regs *r)
{
	static const char *const from[] = {"current EL, SP_EL0", "current EL, SP_ELx", "lower EL, AArch64",
					   "lower EL, AArch32"};
	static const char *const what[] = {"synchronous", "IRQ", "FIQ", "SError"};
	uint64_t vbar = r->a64.vbar_el1 & ~UINT64_C(0x7ff);
	char where[256];

	mon_say(m, "vectors at VBAR_EL1 0x%" PRIx64 "\n", r->a64.vbar_el1);
	for (unsigned i = 0; i < 16; i++)
		mon_say(m, "%2u %-12s %-20s 0x%016" PRIx64 " %s\n", i, what[i % 4], from[i / 4], vbar + i * 0x80,
			mon_where(m, vbar + i * 0x80, where, sizeof(where)));
	return 0;
}

int mon_idt(struct mon *m)
{
	struct gyve_regs *r;
	int ret = gyve_target_regs(m->t, m->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, m->err);

	if (ret < 0)
		return ret;
	return m->t->arch->id == GYVE_X86_64 ? x86_idt(m, r) : a64_vectors(m, r);
}

/* --- x86_64: GDT. Intel SDM vol. 3A 3.4.5, 3.5. */

static unsigned gdt_line(struct mon *m, unsigned selector, const uint8_t *e, bool wide)
{
	static const char *const data[] = {"data", "data, writable", "data, down", "data, down, writable"};
	static const char *const code[] = {"code", "code, readable", "code, conforming", "code, conforming, readable"};
	uint64_t base = get_le16(e + 2) | (uint64_t)e[4] << 16 | (uint64_t)e[7] << 24;
	uint32_t limit = get_le16(e) | (uint32_t)(e[6] & 15) << 16;
	unsigned type = e[5] & 15;
	bool system = !(e[5] & 0x10), two = system && wide;
	const char *kind = system     ? (type == 2                 ? "LDT"
					 : type == 9 || type == 11 ? "TSS"
					 : type == 12              ? "call gate"
								   : "system")
			   : type & 8 ? code[type >> 1 & 3]
				      : data[type >> 1 & 3];

	if (e[6] & 0x80)
		limit = limit << 12 | 0xfff;
	if (two)
		base |= (uint64_t)get_le32(e + 8) << 32;
	mon_say(m, "0x%04x base 0x%016" PRIx64 " limit 0x%08" PRIx32 " DPL %u %s%s%s%s%s\n", selector, base, limit,
		e[5] >> 5 & 3, kind,
		!system && type & 8 ? (e[6] & 0x20   ? ", 64-bit"
				       : e[6] & 0x40 ? ", 32-bit"
						     : ", 16-bit")
				    : "",
		system && type == 11 ? ", busy" : "", !system && type & 1 ? ", accessed" : "",
		e[5] & 0x80 ? "" : ", not present");
	return two ? 16 : 8;
}

int mon_gdt(struct mon *m)
{
	struct gyve_regs *r;
	int ret = mon_only(m, GYVE_X86_64);

	if (ret == 0)
		ret = mon_end(m);
	if (ret == 0)
		ret = gyve_target_regs(m->t, m->cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &r, m->err);
	if (ret < 0)
		return ret;
	mon_say(m, "GDT at 0x%" PRIx64 ", limit 0x%x\n", r->x86.gdt_base, r->x86.gdt_limit);
	for (unsigned at = 0; at + 7 <= r->x86.gdt_limit;) {
		uint8_t e[16] = {0};
		size_t want = at + 15 <= r->x86.gdt_limit ? 16 : 8;
		if (gyve_target_read(m->t, m->cpu, r->x86.gdt_base + at, e, want, m->err) < 8)
			return gyve_err_prefix(m->err, "selector 0x%x", at);
		bool null = get_le64(e) == 0;
		at += null ? 8 : gdt_line(m, at, e, is_long(r));
	}
	return 0;
}
