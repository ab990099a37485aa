/* See unwind_orc.h; arch/x86/include/asm/orc_types.h, arch/x86/kernel/unwind_orc.c. Two tables of one length: code addresses,
 * each as the distance from where it stands, in ascending order; and from there on, where the stack was before the call. */
#include "unwind_orc.h"

#include "../base/bytes.h"

#include <string.h>

enum { ENTRY = 6, TABLE_MAX = 1 << 22, RBP = 6, RDX = 1, RDI = 5, R10 = 10, R13 = 13 };
enum { BY_NOTHING, BY_PREV_SP, BY_DX, BY_DI, BY_BP, BY_SP, BY_R10, BY_R13, BY_BP_INDIRECT, BY_SP_INDIRECT };
enum type { UNDEFINED, END_OF_STACK, CALL, REGS, REGS_PARTIAL };

struct orc {
	int16_t sp_offset, bp_offset;
	unsigned sp_reg, bp_reg;
	enum type type;
};

static bool read_u64(const struct gyve_kernel *k, uint64_t at, uint64_t *ret)
{
	struct gyve_err none = {0};

	return gyve_kernel_u64(k, at, ret, &none) == 0;
}

static bool code_of(const struct gyve_kernel *k, uint64_t ips, uint64_t i, uint64_t *ret)
{
	struct gyve_err none = {0};
	uint8_t b[4];

	if (gyve_kernel_read(k, ips + 4 * i, b, sizeof(b), &none) < 0)
		return false;
	*ret = ips + 4 * i + (uint64_t)(int64_t)(int32_t)get_le32(b);
	return true;
}

/* Linux 6.4 has given the types other numbers, and one more bit. */
static enum type type_of(const struct gyve_kernel *k, unsigned bits)
{
	struct gyve_member m;

	if (gyve_btf_member(k->btf, "orc_entry", "end", &m) < 0)
		return (bits >> 8 & 7) <= REGS_PARTIAL ? (enum type)(bits >> 8 & 7) : UNDEFINED;
	bool end = bits >> (gyve_btf_member(k->btf, "orc_entry", "signal", &m) == 0 ? 11 : 10) & 1;
	return end ? END_OF_STACK : (bits >> 8 & 3) < 3 ? (enum type)(CALL + (bits >> 8 & 3)) : UNDEFINED;
}

/* The last entry whose code is not behind pc. */
static bool find(const struct gyve_kernel *k, uint64_t pc, struct orc *ret)
{
	struct gyve_err none = {0};
	uint64_t ips, end, entries, code, low = 0, high;
	uint8_t b[ENTRY];

	if (gyve_kernel_symbol(k, "__start_orc_unwind_ip", &ips, &none) < 0 ||
	    gyve_kernel_symbol(k, "__stop_orc_unwind_ip", &end, &none) < 0 ||
	    gyve_kernel_symbol(k, "__start_orc_unwind", &entries, &none) < 0 || end <= ips || end - ips > TABLE_MAX * 4)
		return false;
	high = (end - ips) / 4;
	if (!high || !code_of(k, ips, 0, &code) || pc < code || !code_of(k, ips, high - 1, &code) || pc > code)
		return false;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		if (!code_of(k, ips, middle, &code))
			return false;
		*(code <= pc ? &low : &high) = middle;
	}
	if (gyve_kernel_read(k, entries + ENTRY * low, b, sizeof(b), &none) < 0)
		return false;
	unsigned bits = get_le16(b + 4);
	*ret = (struct orc){(int16_t)get_le16(b), (int16_t)get_le16(b + 2), bits & 15, bits >> 4 & 15, type_of(k, bits)};
	return true;
}

static bool stack_before(const struct gyve_kernel *k, const struct orc *o, const struct gyve_frame *f, uint64_t *ret)
{
	static const uint8_t reg[] = {
		[BY_DX] = RDX,  [BY_DI] = RDI,  [BY_BP] = RBP,          [BY_SP] = GYVE_DWARF_X86_RSP,
		[BY_R10] = R10, [BY_R13] = R13, [BY_BP_INDIRECT] = RBP, [BY_SP_INDIRECT] = GYVE_DWARF_X86_RSP,
	};
	uint64_t off = (uint64_t)(int64_t)o->sp_offset;
	unsigned n = o->sp_reg < sizeof(reg) ? reg[o->sp_reg] : 0;

	if (!n || !(f->known >> n & 1))
		return false;
	switch (o->sp_reg) {
	case BY_SP_INDIRECT:
		return read_u64(k, f->reg[n], ret) && (*ret += off, true);
	case BY_BP_INDIRECT:
		return read_u64(k, f->reg[n] + off, ret);
	case BY_SP:
	case BY_BP:
		*ret = f->reg[n] + off;
		return true;
	default:
		*ret = f->reg[n];
		return true;
	}
}

static void set_reg(struct gyve_frame *f, unsigned n, uint64_t v)
{
	f->reg[n] = v;
	f->known |= UINT64_C(1) << n;
}

/* struct pt_regs: what the kernel pushed, below what the processor did. */
static bool interrupted(const struct gyve_kernel *k, uint64_t at, bool full, struct gyve_frame *out)
{
	static const uint8_t order[] = {15, 14, 13, 12, RBP, 3, 11, 10, 9, 8, 0, 2, RDX, 4, RDI};
	enum { IP = 16, SP = 19 };
	uint64_t v;

	if (!full)
		at -= 8 * IP;
	for (unsigned i = 0; full && i < sizeof(order); i++) {
		if (!read_u64(k, at + 8 * i, &v))
			return false;
		set_reg(out, order[i], v);
	}
	if (!read_u64(k, at + 8 * IP, &out->pc) || !read_u64(k, at + 8 * SP, &v))
		return false;
	set_reg(out, GYVE_DWARF_X86_RSP, v);
	out->exact = true;
	out->how = GYVE_FRAME_EXCEPTION;
	return true;
}

static bool called(const struct gyve_kernel *k, const struct orc *o, const struct gyve_frame *f, uint64_t sp,
		   struct gyve_frame *out)
{
	uint64_t v, bp = o->bp_reg == BY_PREV_SP ? sp : f->reg[RBP];

	if (!read_u64(k, sp - 8, &out->pc))
		return false;
	set_reg(out, GYVE_DWARF_X86_RSP, sp);
	if (o->bp_reg == BY_NOTHING) {
		out->reg[RBP] = f->reg[RBP];
		out->known |= f->known & UINT64_C(1) << RBP;
	} else if ((o->bp_reg == BY_PREV_SP || (o->bp_reg == BY_BP && f->known >> RBP & 1)) &&
		   read_u64(k, bp + (uint64_t)(int64_t)o->bp_offset, &v)) {
		set_reg(out, RBP, v);
	}
	out->how = GYVE_FRAME_CFI;
	return true;
}

bool gyve_orc_step(const struct gyve_kernel *k, const struct gyve_frame *f, struct gyve_frame *out)
{
	struct orc o;
	uint64_t sp;

	*out = (struct gyve_frame){0};
	if (k->t->arch->id != GYVE_X86_64 || !k->btf || !find(k, f->exact ? f->pc : f->pc - 1, &o) || o.type == UNDEFINED)
		return false;
	if (o.type == END_OF_STACK || (o.sp_reg == BY_NOTHING && o.type == CALL))
		return true;
	if (!stack_before(k, &o, f, &sp))
		return false;
	bool ok = o.type == CALL ? called(k, &o, f, sp, out) : interrupted(k, sp, o.type == REGS, out);
	if (ok)
		set_reg(out, GYVE_DWARF_X86_RIP, out->pc);
	return ok;
}
