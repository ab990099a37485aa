/* See slide.h. */
#include "slide.h"

#include "../base/bytes.h"
#include "gyve/log.h"
#include "gyve/sym.h"
#include "kernel.h"

#include <inttypes.h>
#include <string.h>

/* Where a processor enters the kernel, and what is there in the course of a boot. */
enum entry { VECTORS, DIVIDE_ERROR, SYSCALL };
static const struct {
	enum gyve_arch_id arch;
	enum entry entry;
	const char *symbol;
	uint64_t align; /* of the distance */
} table[] = {
	{GYVE_AARCH64, VECTORS, "vectors", 0x1000},
	{GYVE_X86_64, DIVIDE_ERROR, "asm_exc_divide_error", 0x200000},
	{GYVE_X86_64, DIVIDE_ERROR, "divide_error", 0x200000},
	{GYVE_X86_64, DIVIDE_ERROR, "early_idt_handler_array", 0x200000},
	{GYVE_X86_64, SYSCALL, "entry_SYSCALL_64", 0x200000},
};

static uint64_t first_handler(struct gyve_target *t, unsigned cpu, uint64_t idt)
{
	uint8_t gate[16];

	if (gyve_target_read(t, cpu, idt, gate, sizeof(gate), NULL) != sizeof(gate))
		return 0;
	return get_le16(gate) | (uint64_t)get_le16(gate + 6) << 16 | (uint64_t)get_le32(gate + 8) << 32;
}

static uint64_t entry_of(struct gyve_target *t, unsigned cpu, enum entry what)
{
	struct gyve_regs *r;

	if (gyve_target_regs(t, cpu, GYVE_REGS_SYS, &r, NULL) < 0)
		return 0;
	switch (what) {
	case VECTORS:
		return r->a64.vbar_el1;
	case DIVIDE_ERROR:
		return first_handler(t, cpu, r->x86.idt_base);
	default:
		return r->x86.lstar;
	}
}

/* User mode may have vectors of its own on aarch64, at a distance that may look right, and no banner in its page tables. */
static bool confirmed(struct gyve_target *t, unsigned cpu, uint64_t linked, uint64_t slide)
{
	static const char words[] = "Linux version ";
	char text[sizeof(words) - 1];
	uint64_t at;

	if (gyve_symtab_lookup(t->syms, "linux_banner", &at) < 0)
		return true;
	at += slide - linked;
	if (gyve_target_read(t, cpu, at, text, sizeof(text), NULL) != sizeof(text))
		return t->arch->id == GYVE_X86_64;
	return memcmp(text, words, sizeof(text)) == 0;
}

bool gyve_slide_find(struct gyve_target *t, uint64_t *ret)
{
	uint64_t bias = gyve_symtab_bias(t->syms), linked;

	for (size_t i = 0; t->syms && i < GYVE_ARRAY_SIZE(table); i++) {
		if (table[i].arch != t->arch->id || gyve_symtab_lookup(t->syms, table[i].symbol, &linked) < 0)
			continue;
		linked -= bias;
		for (unsigned cpu = 0; cpu < t->ncpus; cpu++) {
			uint64_t now = entry_of(t, cpu, table[i].entry);
			if (!(now >> 63) || !(linked >> 63) || (now - linked) % table[i].align ||
			    !confirmed(t, cpu, bias, now - linked))
				continue;
			*ret = now - linked;
			return true;
		}
	}
	return false;
}

static void settle(struct gyve_target *t, uint64_t slide)
{
	gyve_symtab_move(t->drifts, slide);
	t->syms_adrift = false;
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_MAIN, "the kernel has moved itself by 0x%" PRIx64, slide);
}

static bool is_adrift(const struct gyve_target *t)
{
	return t->syms_adrift && t->drifts && t->syms == t->drifts;
}

void gyve_slide_settle(struct gyve_target *t)
{
	uint64_t slide;

	if (is_adrift(t) && gyve_target_stopped(t) && gyve_slide_find(t, &slide))
		settle(t, slide);
}

void gyve_slide_settle_by(struct gyve_target *t, const struct gyve_symtab *syms)
{
	uint64_t now, linked;

	if (is_adrift(t) && gyve_symtab_lookup(syms, "_text", &now) == 0 && gyve_symtab_lookup(t->syms, "_text", &linked) == 0)
		settle(t, now - linked);
}

void gyve_slide_forget(struct gyve_target *t)
{
	if (!t->drifts)
		return;
	gyve_symtab_move(t->drifts, 0);
	t->syms_adrift = true;
}

uint64_t gyve_slide_text(const struct gyve_target *t)
{
	const struct gyve_symtab *syms = t->kernel ? t->kernel->syms : t->syms;
	uint64_t at;

	if (t->syms_adrift || (!gyve_symtab_bias(syms) && !(t->kernel && t->kernel->own)))
		return 0;
	return gyve_symtab_lookup(syms, "_text", &at) == 0 && at >> 63 ? at : 0;
}
