/* See step_a64.h. Encodings: Arm ARM (DDI 0487) C4.1. */
#include "step_a64.h"

enum { DAIF = 0x3c0, BORROWED = 0x1c0, MODE_EL1H = 5 };

/* LSE's CASP has o1 set where the pairs have a size of 2 or 3. */
static bool is_casp(uint32_t i)
{
	return (i & 0xbfa00000) == 0x08200000;
}

static bool is_load_excl(uint32_t i)
{
	/* LDXR, LDAXR, LDXP, LDAXP, and B and H forms: size 001000 0 1 o1 Rs o0 Rt2 Rn Rt */
	return (i & 0x3fc00000) == 0x08400000 && !is_casp(i);
}

static bool is_store_excl(uint32_t i)
{
	return (i & 0x3fc00000) == 0x08000000 && !is_casp(i);
}

enum a64_insn a64_classify(uint32_t i)
{
	if (i == 0xd503207f || (i & ~0x1fu) == 0xd5031020) /* WFI, WFIT */
		return A64_WAIT;
	if (is_load_excl(i))
		return A64_LOAD_EXCL;
	if (is_store_excl(i))
		return A64_STORE_EXCL;
	if ((i & ~0x1fu) == 0xd51b4220 || i == 0xd69f03e0 || i == 0xd69f0bff || i == 0xd69f0fff)
		return A64_WRITES_DAIF;
	if ((i & ~0xf00u) == 0xd50340df)
		return A64_SETS_DAIF;
	if ((i & ~0x1fu) == 0xd53b4220)
		return A64_READS_DAIF;
	return A64_PLAIN;
}

/* Arm ARM C4.1, "Loads and stores". */
unsigned a64_access_len(uint32_t insn)
{
	unsigned size = insn >> 30;
	bool vector = insn & 1u << 26;

	if ((insn & 0x3a000000) == 0x28000000) /* pair */
		return vector ? 8u << size : size == 2 ? 16 : 8;
	if ((insn & 0x3f000000) == 0x08000000) /* exclusive, one or a pair */
		return (1u << size) << (insn >> 21 & 1);
	if ((insn & 0x3a000000) == 0x38000000) /* one register */
		return vector && insn & 1u << 23 ? 16 : 1u << size;
	return 64;
}

bool a64_writes_system(uint32_t i)
{
	return (i & 0xfff00000) == 0xd5100000 || (i & 0xfff00000) == 0xd5500000; /* MSR, MSRR */
}

/* --- borrowed bits */

void a64_lend(struct a64_lent *l, struct gyve_a64_regs *r, uint32_t insn)
{
	l->pc = r->pc;
	l->insn = insn;
	l->bits = BORROWED & ~r->pstate;
	r->pstate |= l->bits;
}

bool a64_maybe_exception(const struct a64_lent *l, const struct gyve_a64_regs *r)
{
	return l->bits && (r->pstate & DAIF) == DAIF && (r->pstate & 0xf) == MODE_EL1H && !(r->pc & 0x7f);
}

static bool took_exception(const struct a64_lent *l, const struct gyve_a64_regs *r)
{
	uint64_t off = r->pc - (r->vbar_el1 & ~UINT64_C(0x7ff));

	return a64_maybe_exception(l, r) && off < 0x800 && !(off & 0x1ff) && (r->elr_el1 == l->pc || r->elr_el1 == l->pc + 4);
}

unsigned a64_give_back(const struct a64_lent *l, struct gyve_a64_regs *r, bool sys)
{
	uint64_t keep = 0;
	unsigned changed = 0;

	if (!l->bits)
		return 0;
	if (sys && took_exception(l, r)) {
		r->spsr_el1 &= ~l->bits;
		return GYVE_REGS_SYS;
	}
	if (r->pc != l->pc) { /* it was carried out */
		switch (a64_classify(l->insn)) {
		case A64_WRITES_DAIF:
			return 0;
		case A64_SETS_DAIF:
			keep = (uint64_t)(l->insn >> 8 & 0xf) << 6;
			break;
		case A64_READS_DAIF:
			if ((l->insn & 31) != 31) {
				r->x[l->insn & 31] &= ~l->bits;
				changed = GYVE_REGS_GPR;
			}
			break;
		default:
			break;
		}
	}
	if (!(r->pstate & l->bits & ~keep))
		return changed;
	r->pstate &= ~(l->bits & ~keep);
	return changed | GYVE_REGS_PC;
}

/* --- exclusive accesses */

static int64_t sign_extend(uint64_t v, unsigned bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

enum flow { FLOW_NEXT, FLOW_MAYBE, FLOW_ALWAYS, FLOW_UNKNOWN };

/* Where else the instruction at pc may lead to. */
static enum flow branch(uint32_t i, uint64_t pc, uint64_t *target)
{
	if ((i & 0xff000010) == 0x54000000 || (i & 0x7e000000) == 0x34000000) { /* B.cond; CBZ, CBNZ */
		*target = pc + (uint64_t)(sign_extend(i >> 5 & 0x7ffff, 19) * 4);
		return FLOW_MAYBE;
	}
	if ((i & 0x7e000000) == 0x36000000) { /* TBZ, TBNZ */
		*target = pc + (uint64_t)(sign_extend(i >> 5 & 0x3fff, 14) * 4);
		return FLOW_MAYBE;
	}
	if ((i & 0xfc000000) == 0x14000000) { /* B */
		*target = pc + (uint64_t)(sign_extend(i & 0x3ffffff, 26) * 4);
		return FLOW_ALWAYS;
	}
	/* BL, BR, BLR, RET, ERET; exceptions */
	if ((i & 0xfc000000) == 0x94000000 || (i & 0xfe000000) == 0xd6000000 || (i & 0xff000000) == 0xd4000000)
		return FLOW_UNKNOWN;
	return FLOW_NEXT;
}

static bool add_end(uint64_t ends[], unsigned *n, uint64_t at)
{
	for (unsigned i = 0; i < *n; i++)
		if (ends[i] == at)
			return true;
	if (*n == A64_UNIT_ENDS)
		return false;
	ends[(*n)++] = at;
	return true;
}

static bool find_store(const uint32_t *insn, unsigned n, unsigned *at)
{
	for (unsigned i = 1; i < n; i++) {
		enum a64_insn kind = a64_classify(insn[i]);
		if (kind == A64_STORE_EXCL) {
			*at = i;
			return true;
		}
		if (kind != A64_PLAIN)
			return false;
	}
	return false;
}

unsigned a64_unit_ends(const uint32_t *insn, unsigned n, uint64_t pc, uint64_t ends[A64_UNIT_ENDS])
{
	uint64_t target, behind;
	unsigned store, count = 0;

	if (!n || a64_classify(insn[0]) != A64_LOAD_EXCL || !find_store(insn, n, &store))
		return 0;
	behind = pc + 4 * (store + 1);
	add_end(ends, &count, behind);
	for (unsigned i = 1; i < store; i++) {
		enum flow f = branch(insn[i], pc + 4 * i, &target);
		if (f == FLOW_NEXT)
			continue;
		if (f == FLOW_UNKNOWN)
			return 0;
		if ((target < pc || target >= behind) && !add_end(ends, &count, target))
			return 0;
	}
	return count;
}
