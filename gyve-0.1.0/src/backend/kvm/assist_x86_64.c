/* The instruction assist: decode, choose between "by hand" and "natively on the guest's registers", commit all or nothing. */
#include "assist_priv.h"

#include "../../base/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_LA57 (1u << 12)
#define RFLAGS_RF (1u << 16)
enum { PF_WRITE = 2, PF_USER = 4 };
enum { MXCSR_FLAGS = 0x3f, MXCSR_MASKS = 0x1f80 };

enum gyve_assist_result assist_fault(struct assist *a, uint8_t vector)
{
	a->out->vector = vector;
	a->out->has_error = vector == VEC_GP || vector == VEC_SS || vector == VEC_PF;
	a->out->error = 0;
	return GYVE_ASSIST_FAULT;
}

enum gyve_assist_result assist_address_fault(struct assist *a)
{
	return assist_fault(a, a->memop && a->memop->mem.segment == ZYDIS_REGISTER_SS ? VEC_SS : VEC_GP);
}

static enum gyve_assist_result page_fault(struct assist *a, gyve_gva_t gva, bool write)
{
	assist_fault(a, VEC_PF);
	a->out->cr2 = gva;
	a->out->error = (write ? PF_WRITE : 0) | (assist_cpl(a->regs) == 3 ? PF_USER : 0);
	return GYVE_ASSIST_FAULT;
}

enum gyve_assist_result assist_refuse(struct assist *a, const char *fmt, ...)
{
	char insn[96] = "?", why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	gyve_x86_disasm(a->bytes, a->insn.length, a->regs->rip, insn, sizeof(insn));
	gyve_err_set(a->err, -ENOTSUP, "cannot carry out '%s': %s", insn, why);
	return GYVE_ASSIST_UNSUPPORTED;
}

enum gyve_assist_result assist_done(struct assist *a, unsigned changed)
{
	a->regs->rip += a->insn.length;
	if (!a->mode64)
		a->regs->rip = (uint32_t)a->regs->rip;
	a->regs->rflags &= ~(uint64_t)RFLAGS_RF;
	a->out->changed = changed | GYVE_REGS_GPR;
	return GYVE_ASSIST_DONE;
}

bool assist_canonical(const struct assist *a, gyve_gva_t gva, size_t len)
{
	unsigned top = a->regs->cr4 & CR4_LA57 ? 56 : 47;
	gyve_gva_t last;

	if (__builtin_add_overflow(gva, len ? len - 1 : 0, &last))
		return false;
	if (!a->mode64)
		return last <= UINT32_MAX;
	return (uint64_t)((int64_t)gva >> top) + 1 <= 1 && (uint64_t)((int64_t)last >> top) + 1 <= 1 && gva >> 63 == last >> 63;
}

enum gyve_assist_result assist_read(struct assist *a, gyve_gva_t gva, void *buf, size_t len, bool write_intent)
{
	gyve_gva_t at = gva;

	if (!assist_canonical(a, gva, len))
		return assist_address_fault(a);
	return a->mem->read(a->mem->ctx, gva, buf, len, &at) < 0 ? page_fault(a, at, write_intent) : GYVE_ASSIST_DONE;
}

enum gyve_assist_result assist_write(struct assist *a, gyve_gva_t gva, const void *buf, size_t len)
{
	gyve_gva_t at = gva;

	if (!assist_canonical(a, gva, len))
		return assist_address_fault(a);
	return a->mem->write(a->mem->ctx, gva, buf, len, &at) < 0 ? page_fault(a, at, true) : GYVE_ASSIST_DONE;
}

bool assist_find_memop(struct assist *a)
{
	for (unsigned i = 0; i < a->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &a->op[i];
		if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		if (a->memop || op->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT ||
		    op->encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM || op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
			return false;
		a->memop = op;
		a->len = op->size / 8u;
		a->gva = assist_address(a->regs, &a->insn, op);
	}
	return true;
}

/* Legacy SSE wants 16-byte operands aligned, save these; VEX and EVEX only the moves that say so. */
static uint32_t alignment(const struct assist *a)
{
	bool legacy = a->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;

	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_VMOVAPS:
	case ZYDIS_MNEMONIC_VMOVAPD:
	case ZYDIS_MNEMONIC_VMOVDQA:
	case ZYDIS_MNEMONIC_VMOVDQA32:
	case ZYDIS_MNEMONIC_VMOVDQA64:
	case ZYDIS_MNEMONIC_VMOVNTPS:
	case ZYDIS_MNEMONIC_VMOVNTPD:
	case ZYDIS_MNEMONIC_VMOVNTDQ:
	case ZYDIS_MNEMONIC_VMOVNTDQA:
		return a->len;
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_LDDQU:
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPESTRM:
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_PCMPISTRM:
		return 1;
	default: /* x87 and MMX operands are never 16 bytes long */
		return legacy && a->len == 16 ? 16 : 1;
	}
}

static bool is_x87(const struct assist *a)
{
	return a->insn.meta.category == ZYDIS_CATEGORY_X87_ALU || a->insn.meta.category == ZYDIS_CATEGORY_FCMOV;
}

/* The x87 instruction, operand and opcode pointers: the ones the host wrote are host addresses. */
static void fix_x87_pointers(const struct assist *a, struct assist_frame *f)
{
	const uint8_t *was = a->regs->xsave;

	switch (is_x87(a) ? a->insn.mnemonic : ZYDIS_MNEMONIC_FWAIT) {
	case ZYDIS_MNEMONIC_FNINIT:
	case ZYDIS_MNEMONIC_FNSAVE:
		put_le16(f->xsave + XS_FOP, 0);
		memset(f->xsave + XS_FIP, 0, 16);
		break;
	case ZYDIS_MNEMONIC_FLDENV:
	case ZYDIS_MNEMONIC_FRSTOR:
		break; /* from the guest's memory */
	case ZYDIS_MNEMONIC_FWAIT:
	case ZYDIS_MNEMONIC_FNCLEX:
	case ZYDIS_MNEMONIC_FLDCW:
	case ZYDIS_MNEMONIC_FNSTCW:
	case ZYDIS_MNEMONIC_FNSTSW:
	case ZYDIS_MNEMONIC_FNSTENV:
		memcpy(f->xsave + XS_FOP, was + XS_FOP, XS_MXCSR - XS_FOP);
		break;
	default:
		put_le16(f->xsave + XS_FOP, (uint16_t)((a->insn.opcode & 7) << 8 | a->bytes[a->insn.raw.modrm.offset]));
		put_le64(f->xsave + XS_FIP, a->regs->rip);
		put_le64(f->xsave + XS_FDP, a->memop ? a->gva : get_le64(was + XS_FDP));
		break;
	}
}

/* FNSTENV and FNSAVE store those pointers: the guest's, as the 32-bit and 16-bit protected-mode formats hold them. */
static void fix_stored_environment(const struct assist *a, uint8_t *scratch)
{
	const uint8_t *was = a->regs->xsave;

	if (a->insn.mnemonic != ZYDIS_MNEMONIC_FNSTENV && a->insn.mnemonic != ZYDIS_MNEMONIC_FNSAVE)
		return;
	if (a->len == 28 || a->len == 108) {
		put_le32(scratch + 12, get_le32(was + XS_FIP));
		put_le32(scratch + 16, (uint32_t)(get_le16(was + XS_FOP) & 0x7ff) << 16);
		put_le64(scratch + 20, get_le32(was + XS_FDP));
	} else {
		put_le16(scratch + 6, get_le16(was + XS_FIP));
		put_le16(scratch + 8, 0);
		put_le32(scratch + 10, get_le16(was + XS_FDP));
	}
}

/* The frame: a copy of the guest's state that XRSTOR accepts whatever it holds, all SIMD exceptions masked and none raised. */
static void load_frame(const struct assist *a, struct assist_frame *f)
{
	const struct gyve_x86_regs *r = a->regs;
	uint32_t mxcsr = get_le32(r->xsave + XS_MXCSR) & assist_host()->mxcsr_mask;
	uint64_t bv = get_le64(r->xsave + XS_BV);

	memcpy(f->gpr, r->gpr, sizeof(f->gpr));
	f->rflags = r->rflags & ASSIST_FLAGS;
	f->components = assist_components(r) & XCOMP_RUN;
	f->has_avx = (assist_host()->xcr0 & XCOMP_AVX) != 0;
	memcpy(f->xsave, r->xsave, r->xsave_len);
	memset(f->xsave + XS_BV, 0, XS_HEADER_END - XS_BV);
	put_le64(f->xsave + XS_BV, bv & f->components);
	put_le32(f->xsave + XS_MXCSR, (mxcsr & ~(uint32_t)MXCSR_FLAGS) | MXCSR_MASKS);
}

static void commit_gprs(struct gyve_x86_regs *r, struct assist_frame *f, int stand_in)
{
	for (int i = 0; i < 16; i++)
		if (i != GYVE_RSP && i != stand_in)
			r->gpr[i] = f->gpr[i];
	if (stand_in >= 0)
		r->gpr[GYVE_RSP] = f->gpr[stand_in];
	r->rflags = (r->rflags & ~(uint64_t)ASSIST_FLAGS) | (f->rflags & ASSIST_FLAGS);
}

static void commit_vectors(struct assist *a, struct assist_frame *f, uint32_t mxcsr)
{
	struct gyve_x86_regs *r = a->regs;
	uint64_t run = f->components, bv = get_le64(r->xsave + XS_BV), now = get_le64(f->xsave + XS_BV);

	fix_x87_pointers(a, f);
	put_le32(f->xsave + XS_MXCSR, mxcsr);
	put_le32(f->xsave + XS_MXCSR_MASK, get_le32(r->xsave + XS_MXCSR_MASK));
	memcpy(r->xsave, f->xsave, XS_LEGACY_END);
	for (unsigned i = 2; i < 8; i++) {
		const struct assist_xcomp *c = &assist_host()->xcomp[i];
		if (run >> i & 1)
			memcpy(r->xsave + c->offset, f->xsave + c->offset, c->size);
	}
	put_le64(r->xsave + XS_BV, (bv & ~run) | (now & run));
}

/* Which SIMD exceptions did it raise that the guest has unmasked? Then the guest takes #XM and sees no result but the flags. */
static bool simd_exception(struct assist *a, const struct assist_frame *f, uint32_t *mxcsr)
{
	uint32_t was = get_le32(a->regs->xsave + XS_MXCSR), raised = get_le32(f->xsave + XS_MXCSR) & MXCSR_FLAGS;

	*mxcsr = was | raised;
	return raised & ~(was >> 7);
}

static enum gyve_assist_result run_native(struct assist *a)
{
	uint8_t scratch[ASSIST_SCRATCH] = {0};
	struct assist_frame f = {0};
	struct assist_code code;
	enum gyve_assist_result res;
	bool writes = a->memop && a->memop->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE, reads;
	uint32_t mxcsr;
	int err;

	if (assist_rewrite(a, &code) < 0)
		return assist_refuse(a, "no form of it is safe to run");
	if (a->memop && (a->gva & (alignment(a) - 1)))
		return assist_fault(a, VEC_GP);
	reads = a->memop && (a->memop->actions & ZYDIS_OPERAND_ACTION_MASK_READ);
	if (reads && (res = assist_read_operand(a, scratch, writes)) != GYVE_ASSIST_DONE)
		return res;
	load_frame(a, &f);
	if (code.stand_in >= 0)
		f.gpr[code.stand_in] = a->regs->gpr[GYVE_RSP];
	err = assist_exec(&f, &code, scratch, a->memop ? a->len : 0);
	if (err == -EILSEQ)
		return assist_refuse(a, "this host's processor does not know it");
	if (err < 0)
		return assist_refuse(a, "no page to run it in: %s", strerror(-err));
	if (simd_exception(a, &f, &mxcsr)) {
		put_le32(a->regs->xsave + XS_MXCSR, mxcsr);
		a->out->changed = GYVE_REGS_FP;
		return assist_fault(a, a->regs->cr4 & CR4_OSXMMEXCPT ? VEC_XM : VEC_UD);
	}
	fix_stored_environment(a, scratch);
	if (writes && (res = assist_write_operand(a, scratch)) != GYVE_ASSIST_DONE)
		return res;
	commit_gprs(a->regs, &f, code.stand_in);
	commit_vectors(a, &f, mxcsr);
	return assist_done(a, GYVE_REGS_GPR | GYVE_REGS_FP);
}

static enum gyve_assist_result carry_out(struct assist *a)
{
	enum gyve_assist_result res;
	bool handled = false;

	if (a->insn.machine_mode == ZYDIS_MACHINE_MODE_LEGACY_16)
		return assist_refuse(a, "the guest is in 16-bit code");
	if (assist_is_nop(a))
		return assist_done(a, GYVE_REGS_GPR);
	res = assist_special(a, &handled);
	if (!handled)
		res = assist_xsave_family(a, &handled);
	if (handled)
		return res;
	if (!assist_find_memop(a))
		return assist_refuse(a, "its kind of memory operand is not supported");
	if (a->len > 512 || (a->memop && !a->len))
		return assist_refuse(a, "its memory operand has no usable size");
	res = assist_check(a);
	return res == GYVE_ASSIST_DONE ? run_native(a) : res;
}

enum gyve_assist_result gyve_assist_x86(struct gyve_x86_regs *regs, const uint8_t *insn, size_t ninsn,
					const struct gyve_assist_mem *mem, struct gyve_assist_out *ret, struct gyve_err *err)
{
	struct assist a = {.regs = regs, .bytes = insn, .mem = mem, .out = ret, .err = err, .mode64 = assist_mode64(regs)};
	const char *name;

	memset(ret, 0, sizeof(*ret));
	if (assist_decode(regs, insn, ninsn, &a.insn, a.op) < 0) {
		char text[3 * ZYDIS_MAX_INSTRUCTION_LENGTH + 1] = "";
		for (size_t i = 0; i < ninsn && i < ZYDIS_MAX_INSTRUCTION_LENGTH; i++)
			snprintf(text + 3 * i, 4, " %02x", insn[i]);
		gyve_err_set(err, -ENOTSUP, "cannot carry out the bytes%s: not an instruction", text);
		return GYVE_ASSIST_UNSUPPORTED;
	}
	name = ZydisMnemonicGetString(a.insn.mnemonic);
	snprintf(ret->mnemonic, sizeof(ret->mnemonic), "%s", name ? name : "?");
	if (regs->xsave_len < XS_HEADER_END || regs->xsave_len > sizeof(regs->xsave))
		return assist_refuse(&a, "the vCPU's XSAVE area is not known");
	return carry_out(&a);
}
