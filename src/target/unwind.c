/* From frame to frame of a guest's stack: by call frame information where the image has it, through what the processor saved
 * when it took an exception, else by frame pointers and return addresses, which the frame then says. */
#include "unwind_orc.h"

#include "gyve/target.h"
#include "gyve/unwind.h"

#include <errno.h>
#include <string.h>

enum {
	SCAN = 64,        /* words of a stack searched for what an exception saved */
	SWITCH_SCAN = 8,  /* for where the stack before it is */
	ONE_STACK = 4096, /* bytes: nearer is the same stack */
};

struct walker {
	struct gyve_target *t;
	unsigned cpu;
	struct gyve_regs *regs;
	uint64_t mask_low, mask_high; /* authentication code in a code pointer of either half */
	bool took_elr;                /* ELR_EL1 speaks of the last exception only */
};

static bool is_a64(const struct walker *w)
{
	return w->regs->arch == GYVE_AARCH64;
}

static unsigned sp_of(const struct walker *w)
{
	return is_a64(w) ? GYVE_DWARF_A64_SP : GYVE_DWARF_X86_RSP;
}

static int read_value(void *ctx, uint64_t addr, unsigned size, uint64_t *ret)
{
	const struct walker *w = ctx;

	*ret = 0;
	return gyve_target_read(w->t, w->cpu, addr, ret, size, NULL) == (ssize_t)size ? 0 : -EFAULT;
}

static bool read_word(const struct walker *w, uint64_t addr, uint64_t *ret)
{
	return read_value((void *)w, addr, 8, ret) == 0;
}

static void set_reg(struct gyve_frame *f, unsigned n, uint64_t v)
{
	f->reg[n] = v;
	f->known |= UINT64_C(1) << n;
}

static bool known(const struct gyve_frame *f, unsigned n)
{
	return f->known >> n & 1;
}

static uint64_t strip(const struct walker *w, uint64_t addr)
{
	return addr >> 55 & 1 ? addr | w->mask_high : addr & ~w->mask_low;
}

/* Can an instruction be there? */
static bool is_code(const struct walker *w, uint64_t addr)
{
	struct gyve_walk walk;
	bool by_layout;

	return gyve_target_translate(w->t, w->cpu, addr, &walk, &by_layout, NULL) == 0 &&
	       (by_layout || walk.perms & GYVE_PERM_X);
}

static void goes_on_at(const struct walker *w, struct gyve_frame *f, uint64_t pc, bool exact, enum gyve_frame_how how)
{
	f->pc = strip(w, pc);
	f->exact = exact;
	f->how = how;
	f->has_cfa = false;
	set_reg(f, is_a64(w) ? GYVE_DWARF_A64_PC : GYVE_DWARF_X86_RIP, f->pc);
}

/* --- exceptions */

/* RIP, CS, RFLAGS, RSP, SS as an exception leaves them (SDM vol. 3, section 6.14.2). What is not one hardly looks like one. */
static bool x86_saved(const struct walker *w, uint64_t at, uint64_t words[5])
{
	uint16_t cs = w->regs->x86.seg[GYVE_CS].selector;

	for (unsigned i = 0; i < 5; i++)
		if (!read_word(w, at + 8 * i, &words[i]))
			return false;
	if ((words[1] != cs && (words[1] & 3) != 3) || words[1] > UINT16_MAX || words[1] < 4)
		return false;
	if ((words[2] & 0x2) == 0 || words[2] >> 22 || (words[2] & 0x8028))
		return false;
	return words[4] <= UINT16_MAX && (words[4] & 3) == (words[1] & 3) && words[3] > 4096 && is_code(w, words[0]);
}

static bool x86_exception(const struct walker *w, const struct gyve_frame *f, uint64_t at, struct gyve_frame *out)
{
	uint64_t words[5];

	if (!x86_saved(w, at, words))
		return false;
	*out = *f;
	goes_on_at(w, out, words[0], true, GYVE_FRAME_EXCEPTION);
	set_reg(out, GYVE_DWARF_X86_RSP, words[3]);
	return true;
}

/* A stub between the processor and a handler has pushed what it likes above it. */
static bool x86_scan(const struct walker *w, const struct gyve_frame *f, struct gyve_frame *out)
{
	for (unsigned i = 0; known(f, GYVE_DWARF_X86_RSP) && i < SCAN; i++)
		if (x86_exception(w, f, f->reg[GYVE_DWARF_X86_RSP] + 8 * i, out)) {
			out->known &= UINT64_C(1) << GYVE_DWARF_X86_RSP | UINT64_C(1) << GYVE_DWARF_X86_RIP |
				      UINT64_C(1) << 6 /* rbp: many stubs leave it */;
			return true;
		}
	return false;
}

/* The last word of an interrupt's own stack leads back to the stack that was left for it. */
static bool x86_other_stack(const struct walker *w, const struct gyve_frame *f, struct gyve_frame *out)
{
	uint64_t rsp = f->reg[GYVE_DWARF_X86_RSP], to;
	struct gyve_frame there = *f;

	for (unsigned i = 0; known(f, GYVE_DWARF_X86_RSP) && i < SWITCH_SCAN; i++) {
		if (!read_word(w, rsp + 8 * i, &to) || to % 8 || to >> 63 != rsp >> 63 || to - rsp < ONE_STACK ||
		    rsp - to < ONE_STACK)
			continue;
		there.reg[GYVE_DWARF_X86_RSP] = to;
		if (x86_scan(w, &there, out))
			return true;
	}
	return false;
}

/* In the vector table, or in a stub that keeps ELR_EL1 and SPSR_EL1 side by side on its stack. */
static bool a64_exception(struct walker *w, const struct gyve_frame *f, struct gyve_frame *out)
{
	const struct gyve_a64_regs *a = &w->regs->a64;
	bool in_table = a->vbar_el1 && f->pc - a->vbar_el1 < 0x800, saved = false;
	uint64_t sp = f->reg[GYVE_DWARF_A64_SP], word, next;

	if (w->took_elr || !a->elr_el1)
		return false;
	for (unsigned i = 0; known(f, GYVE_DWARF_A64_SP) && !saved && i < SCAN; i++)
		saved = read_word(w, sp + 8 * i, &word) && word == a->elr_el1 && read_word(w, sp + 8 * i + 8, &next) &&
			(uint32_t)next == (uint32_t)a->spsr_el1;
	if ((!in_table && !saved) || !is_code(w, a->elr_el1))
		return false;
	w->took_elr = true;
	*out = *f;
	goes_on_at(w, out, a->elr_el1, true, GYVE_FRAME_EXCEPTION);
	out->known &= UINT64_C(1) << 29 | UINT64_C(1) << GYVE_DWARF_A64_PC; /* x29 is the one most stubs leave alone */
	if (in_table && f->how == GYVE_FRAME_FIRST)
		out->known = f->known; /* nothing has run that could change them */
	return true;
}

/* A kernel that puts all registers on its stack, as Linux does: x0 to x30, the interrupted SP, PC and PSTATE. */
static bool a64_saved(const struct walker *w, uint64_t at, struct gyve_frame *out)
{
	enum { SP = 31, PC, PSTATE, WORDS };
	uint64_t v[WORDS], beyond;

	for (unsigned i = 0; i < WORDS; i++)
		if (!read_word(w, at + 8 * i, &v[i]))
			return false;
	unsigned mode = v[PSTATE] & 0x1f;
	bool user = mode == 0;
	if ((!user && mode != 4 && mode != 5 && mode != 9) || v[PSTATE] >> 36 || v[PC] % 4 || v[SP] % 16 || !v[SP] ||
	    v[29] % 8 || !is_code(w, v[PC]) || !read_word(w, v[PC] & ~UINT64_C(7), &beyond) || !read_word(w, v[SP], &beyond))
		return false;
	/* nothing but zeros would do for a user's PSTATE; another half of the addresses tells as well */
	if (user ? v[PC] >> 63 || !(at >> 63) : v[SP] < at)
		return false;
	goes_on_at(w, out, v[PC], true, GYVE_FRAME_EXCEPTION);
	out->known = UINT64_C(1) << GYVE_DWARF_A64_PC;
	for (unsigned i = 0; i <= SP; i++)
		set_reg(out, i == SP ? GYVE_DWARF_A64_SP : i, v[i]);
	return true;
}

static bool a64_scan(const struct walker *w, const struct gyve_frame *f, struct gyve_frame *out)
{
	for (unsigned i = 0; known(f, GYVE_DWARF_A64_SP) && i < SCAN; i++)
		if (a64_saved(w, f->reg[GYVE_DWARF_A64_SP] + 8 * i, out))
			return true;
	return false;
}

/* --- by rules */

static bool rule_value(const struct walker *w, const struct gyve_frame *f, const struct gyve_cfi_rule *r, uint64_t cfa,
		       uint64_t *ret)
{
	struct gyve_expr_env env = {.reg = f->reg,
				    .known = f->known,
				    .has_cfa = true,
				    .cfa = cfa,
				    .read = read_value,
				    .ctx = (void *)w,
				    .bias = gyve_symtab_bias(w->t->syms)};
	struct gyve_expr_result x;

	switch (r->kind) {
	case GYVE_CFI_OFFSET:
		return read_word(w, cfa + (uint64_t)r->offset, ret);
	case GYVE_CFI_VAL_OFFSET:
		*ret = cfa + (uint64_t)r->offset;
		return true;
	case GYVE_CFI_REGISTER:
		*ret = f->reg[r->reg];
		return known(f, r->reg);
	case GYVE_CFI_EXPR:
	case GYVE_CFI_VAL_EXPR:
		if (gyve_expr_eval(r->expr, r->len, &env, &cfa, &x) < 0 || x.where == GYVE_EXPR_REGISTER)
			return false;
		*ret = x.value;
		return r->kind == GYVE_CFI_VAL_EXPR || read_word(w, x.value, ret);
	default:
		return false;
	}
}

static bool find_cfa(const struct walker *w, struct gyve_frame *f, const struct gyve_cfi_rule *r)
{
	struct gyve_expr_env env = {
		.reg = f->reg, .known = f->known, .read = read_value, .ctx = (void *)w, .bias = gyve_symtab_bias(w->t->syms)};
	struct gyve_expr_result x;

	if (r->kind == GYVE_CFI_OFFSET) {
		f->cfa = f->reg[r->reg] + (uint64_t)r->offset;
		f->has_cfa = known(f, r->reg);
	} else if (gyve_expr_eval(r->expr, r->len, &env, NULL, &x) == 0 && x.where != GYVE_EXPR_REGISTER) {
		f->cfa = x.value;
		f->has_cfa = true;
	}
	return f->has_cfa;
}

/* What a called function must give back when its rules don't mention it. */
static bool is_kept(const struct walker *w, unsigned n)
{
	if (is_a64(w))
		return n >= 19 && n <= 30; /* 30: a leaf has not changed it */
	return n == 3 || n == 6 || (n >= 12 && n <= 15);
}

static bool by_rules(const struct walker *w, struct gyve_frame *f, struct gyve_frame *out)
{
	struct gyve_cfi_row row;
	uint64_t v, pc;
	unsigned ra;

	if (gyve_symtab_cfi(w->t->syms, f->exact ? f->pc : f->pc - 1, &row) < 0 || !find_cfa(w, f, &row.cfa))
		return false;
	*out = (struct gyve_frame){0};
	for (unsigned n = 0; n < GYVE_DWARF_REGS; n++) {
		const struct gyve_cfi_rule *r = &row.reg[n];
		if (r->kind == GYVE_CFI_SAME || (r->kind == GYVE_CFI_UNSAID && is_kept(w, n))) {
			if (known(f, n))
				set_reg(out, n, f->reg[n]);
		} else if (rule_value(w, f, r, f->cfa, &v)) {
			set_reg(out, n, v);
		}
	}
	ra = row.return_reg;
	if (row.reg[ra].kind == GYVE_CFI_UNDEFINED) {
		out->pc = 0; /* the outermost, by its own word */
		return true;
	}
	if (!known(out, ra))
		return false;
	if (!known(out, sp_of(w)))
		set_reg(out, sp_of(w), f->cfa);
	pc = out->reg[ra];
	if (!is_a64(w) && row.reg[ra].kind == GYVE_CFI_OFFSET &&
	    x86_exception(w, out, f->cfa + (uint64_t)row.reg[ra].offset, out))
		return true;
	goes_on_at(w, out, pc, row.signal, GYVE_FRAME_CFI);
	return true;
}

/* --- by guesses */

/* Does a call end at addr? */
static bool follows_call(const struct walker *w, uint64_t addr)
{
	uint8_t b[7];
	uint32_t insn;

	if (!is_code(w, addr))
		return false;
	if (is_a64(w)) { /* BL; BLR and its authenticating forms */
		if (gyve_target_read(w->t, w->cpu, addr - 4, &insn, 4, NULL) != 4)
			return false;
		return insn >> 26 == 0x25 || (insn & 0xfffffc1f) == 0xd63f0000 || (insn & 0xfefff800) == 0xd63f0800;
	}
	if (gyve_target_read(w->t, w->cpu, addr - sizeof(b), b, sizeof(b), NULL) != sizeof(b))
		return false;
	if (b[2] == 0xe8)
		return true;
	for (unsigned at = 0; at < sizeof(b) - 1; at++) /* FF /2 in any of its lengths */
		if (b[at] == 0xff && (b[at + 1] >> 3 & 7) == 2)
			return true;
	return false;
}

/* Nothing has been pushed yet: the return address is where the call has put it. */
static bool by_return_address(const struct walker *w, const struct gyve_frame *f, struct gyve_frame *out)
{
	unsigned sp = sp_of(w);
	uint64_t ra;

	if (!f->exact || !known(f, sp))
		return false;
	if (is_a64(w)) {
		ra = strip(w, f->reg[30]);
		if (!known(f, 30) || ra == f->pc)
			return false;
	} else if (!read_word(w, f->reg[sp], &ra)) {
		return false;
	}
	if (!follows_call(w, ra))
		return false;
	*out = *f;
	goes_on_at(w, out, ra, false, GYVE_FRAME_RETURN);
	if (is_a64(w))
		out->known &= ~(UINT64_C(1) << 30);
	else
		set_reg(out, sp, f->reg[sp] + 8);
	return true;
}

/* [fp] is the caller's, [fp + 8] the return address: both ABIs agree. */
static bool by_frame_pointer(const struct walker *w, const struct gyve_frame *f, struct gyve_frame *out)
{
	unsigned fp = is_a64(w) ? 29 : 6, sp = sp_of(w);
	uint64_t at = f->reg[fp], up, ra;

	if (!known(f, fp) || !at || at % 8 || (known(f, sp) && at < f->reg[sp]))
		return false;
	if (!read_word(w, at, &up) || !read_word(w, at + 8, &ra) || !ra || !follows_call(w, strip(w, ra)))
		return false;
	*out = (struct gyve_frame){0};
	goes_on_at(w, out, ra, false, GYVE_FRAME_POINTER);
	set_reg(out, fp, up);
	set_reg(out, sp, at + 16);
	return true;
}

/* --- the walk */

static bool next_frame(struct walker *w, struct gyve_frame *f, struct gyve_frame *out)
{
	if (is_a64(w) && a64_exception(w, f, out))
		return true;
	if (by_rules(w, f, out))
		return true;
	if (w->t->kernel && gyve_orc_step(w->t->kernel, f, out))
		return true;
	if (!is_a64(w) && (x86_scan(w, f, out) || x86_other_stack(w, f, out)))
		return true;
	return by_return_address(w, f, out) || by_frame_pointer(w, f, out) || (is_a64(w) && a64_scan(w, f, out));
}

static void first_frame(const struct walker *w, struct gyve_frame *f)
{
	const struct gyve_arch *a = w->t->arch;

	*f = (struct gyve_frame){.exact = true, .how = GYVE_FRAME_FIRST, .pc = a->pc(w->regs)};
	for (unsigned i = 0; i < a->nregs; i++) {
		const struct gyve_reg_row *row = &a->regs[i];
		uint64_t v;
		if (row->group == GYVE_REGS_GPR && row->bits == 64 && row->dwarf >= 0 && row->dwarf < GYVE_DWARF_REGS &&
		    row->get(row, w->regs, &v) == 0)
			set_reg(f, (unsigned)row->dwarf, v);
	}
}

static uint64_t auth_mask(const struct walker *w, const char *name)
{
	const struct gyve_reg_row *row = gyve_reg_find(w->t->arch, name);
	uint64_t mask = 0;

	return row && row->get(row, w->regs, &mask) == 0 ? mask : 0;
}

/* A damaged stack must not be walked in circles. */
static bool goes_forward(const struct walker *w, const struct gyve_frame *from, const struct gyve_frame *to)
{
	unsigned sp = sp_of(w);

	if (!to->pc || (to->pc == from->pc && known(from, sp) && known(to, sp) && from->reg[sp] == to->reg[sp]))
		return false;
	if (from->how == GYVE_FRAME_FIRST || to->how == GYVE_FRAME_EXCEPTION || !known(from, sp) || !known(to, sp))
		return true; /* a lost stack pointer may be what the guest died of */
	return to->reg[sp] >= from->reg[sp];
}

int gyve_unwind(struct gyve_target *t, unsigned cpu, unsigned max,
		bool (*cb)(void *ctx, unsigned number, const struct gyve_frame *frame), void *ctx, struct gyve_err *err)
{
	struct walker w = {.t = t, .cpu = cpu};
	struct gyve_frame f, next;
	unsigned n = 0;
	int ret = gyve_target_regs(t, cpu, GYVE_REGS_GPR | GYVE_REGS_SYS, &w.regs, err);

	if (ret < 0)
		return ret;
	w.mask_low = auth_mask(&w, "pauth_cmask");
	w.mask_high = auth_mask(&w, "pauth_cmask_high");
	first_frame(&w, &f);
	while (n < max) {
		bool more = next_frame(&w, &f, &next) && goes_forward(&w, &f, &next); /* also finds f's CFA */
		n++;
		if (!cb(ctx, n - 1, &f) || !more)
			break;
		f = next;
	}
	return (int)n;
}
