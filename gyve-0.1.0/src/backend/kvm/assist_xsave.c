/* FXSAVE, FXRSTOR and the XSAVE family, by hand between guest memory and the register file's area. The area is in the standard
 * format with this host's offsets, which KVM also tells the guest. Intel SDM vol. 1, 10.5 and 13.5 to 13.12; IA32_XSS is taken
 * as 0. */
#include "assist_priv.h"

#include "../../base/bytes.h"

#include <string.h>

#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXSAVE (1u << 18)
#define COMPACTED (1ull << 63)
#define MXCSR_INIT 0x1f80u

struct form {
	ZydisMnemonic mnemonic;
	bool save, fx, compacted, skip_init, supervisor, wide; /* wide: 64-bit FIP and FDP */
};
static const struct form forms[] = {
	{.mnemonic = ZYDIS_MNEMONIC_FXSAVE, .save = true, .fx = true},
	{.mnemonic = ZYDIS_MNEMONIC_FXSAVE64, .save = true, .fx = true, .wide = true},
	{.mnemonic = ZYDIS_MNEMONIC_FXRSTOR, .fx = true},
	{.mnemonic = ZYDIS_MNEMONIC_FXRSTOR64, .fx = true, .wide = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVE, .save = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVE64, .save = true, .wide = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVEOPT, .save = true, .skip_init = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVEOPT64, .save = true, .skip_init = true, .wide = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVEC, .save = true, .skip_init = true, .compacted = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVEC64, .save = true, .skip_init = true, .compacted = true, .wide = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVES, .save = true, .skip_init = true, .compacted = true, .supervisor = true},
	{.mnemonic = ZYDIS_MNEMONIC_XSAVES64,
	 .save = true,
	 .skip_init = true,
	 .compacted = true,
	 .supervisor = true,
	 .wide = true},
	{.mnemonic = ZYDIS_MNEMONIC_XRSTOR},
	{.mnemonic = ZYDIS_MNEMONIC_XRSTOR64, .wide = true},
	{.mnemonic = ZYDIS_MNEMONIC_XRSTORS, .supervisor = true},
	{.mnemonic = ZYDIS_MNEMONIC_XRSTORS64, .supervisor = true, .wide = true},
};

struct layout {
	uint32_t offset[63], end;
};

/* Where the components of bv lie in an area of this format. False: not in a buffer of GYVE_XSAVE_MAX. */
static bool lay_out(struct layout *l, uint64_t bv, bool compacted)
{
	const struct assist_host *h = assist_host();

	memset(l, 0, sizeof(*l));
	l->end = XS_HEADER_END;
	for (unsigned i = 2; i < GYVE_ARRAY_SIZE(l->offset); i++) {
		const struct assist_xcomp *c = &h->xcomp[i];
		uint32_t at = compacted ? c->align64 ? (uint32_t)align_up(l->end, 64) : l->end : c->offset;
		if (!(bv >> i & 1))
			continue;
		if (!c->size || c->size > GYVE_XSAVE_MAX || at > GYVE_XSAVE_MAX - c->size)
			return false;
		l->offset[i] = at;
		if (at + c->size > l->end)
			l->end = at + c->size;
	}
	return true;
}

static uint32_t xmm_len(const struct assist *a)
{
	return a->mode64 ? 256 : 128;
}

static void narrow_pointers(const struct form *f, uint8_t *area)
{
	if (!f->wide) { /* the selectors are always 0 */
		memset(area + XS_FIP + 4, 0, 4);
		memset(area + XS_FDP + 4, 0, 4);
	}
}

/* A component of the image, or its initial configuration, to where the guest wants it. */
static void put_x87(const struct assist *a, const struct form *f, uint8_t *buf, bool in_use)
{
	const uint8_t *img = a->regs->xsave;

	if (!in_use) {
		memset(buf, 0, XS_MXCSR);
		put_le16(buf, 0x37f);
		memset(buf + XS_ST, 0, XS_XMM - XS_ST);
		return;
	}
	memcpy(buf, img, XS_MXCSR);
	memcpy(buf + XS_ST, img + XS_ST, XS_XMM - XS_ST);
	narrow_pointers(f, buf);
}

static void put_mxcsr(const struct assist *a, uint8_t *buf)
{
	memcpy(buf + XS_MXCSR, a->regs->xsave + XS_MXCSR, 4);
	put_le32(buf + XS_MXCSR_MASK, assist_host()->mxcsr_mask);
}

static void put_vectors(const struct assist *a, uint8_t *to, uint32_t at, uint32_t len, bool in_use)
{
	if (in_use)
		memcpy(to, a->regs->xsave + at, len);
	else
		memset(to, 0, len);
}

static uint64_t components_in_use(const struct gyve_x86_regs *r)
{
	uint64_t bv = get_le64(r->xsave + XS_BV);

	return get_le32(r->xsave + XS_MXCSR) != MXCSR_INIT ? bv | XCOMP_SSE : bv;
}

static enum gyve_assist_result save_fx(struct assist *a, const struct form *f)
{
	uint64_t bv = get_le64(a->regs->xsave + XS_BV);
	uint8_t buf[XS_LEGACY_END];
	enum gyve_assist_result res;

	put_x87(a, f, buf, bv & XCOMP_X87);
	put_mxcsr(a, buf);
	put_vectors(a, buf + XS_XMM, XS_XMM, xmm_len(a), bv & XCOMP_SSE);
	res = assist_write(a, a->gva, buf, XS_XMM + xmm_len(a));
	return res == GYVE_ASSIST_DONE ? assist_done(a, GYVE_REGS_GPR) : res;
}

static void fill_area(const struct assist *a, const struct form *f, const struct layout *l, uint64_t rfbm, uint8_t *buf)
{
	/* XSAVE_BV's SSE bit may be there for MXCSR's sake only */
	uint64_t used = components_in_use(a->regs) & rfbm, have = get_le64(a->regs->xsave + XS_BV), old = get_le64(buf + XS_BV);
	uint64_t put = f->skip_init ? used : rfbm;

	if (put & XCOMP_X87)
		put_x87(a, f, buf, have & XCOMP_X87);
	if (put & XCOMP_SSE)
		put_vectors(a, buf + XS_XMM, XS_XMM, xmm_len(a), have & XCOMP_SSE);
	if (f->compacted ? used & XCOMP_SSE : rfbm & (XCOMP_SSE | XCOMP_AVX))
		put_mxcsr(a, buf);
	for (unsigned i = 2; i < GYVE_ARRAY_SIZE(l->offset); i++)
		if (put >> i & 1)
			put_vectors(a, buf + l->offset[i], assist_host()->xcomp[i].offset, assist_host()->xcomp[i].size,
				    have >> i & 1);
	put_le64(buf + XS_BV, f->compacted ? used : (old & ~rfbm) | used);
	if (f->compacted)
		put_le64(buf + XS_COMP_BV, rfbm | COMPACTED);
}

static enum gyve_assist_result save(struct assist *a, const struct form *f, uint64_t rfbm)
{
	uint8_t buf[GYVE_XSAVE_MAX];
	enum gyve_assist_result res;
	struct layout l;

	if (!lay_out(&l, rfbm, f->compacted))
		return assist_refuse(a, "its area is too large");
	/* what is not stored stays as it is; one write, so that it is done or not done */
	if ((res = assist_read(a, a->gva, buf, l.end, true)) != GYVE_ASSIST_DONE)
		return res;
	fill_area(a, f, &l, rfbm, buf);
	res = assist_write(a, a->gva, buf, l.end);
	return res == GYVE_ASSIST_DONE ? assist_done(a, GYVE_REGS_GPR) : res;
}

static void get_x87(struct assist *a, const struct form *f, const uint8_t *buf)
{
	uint8_t *img = a->regs->xsave;

	memcpy(img, buf, XS_MXCSR);
	memcpy(img + XS_ST, buf + XS_ST, XS_XMM - XS_ST);
	narrow_pointers(f, img);
}

static void init_component(struct gyve_x86_regs *r, unsigned i)
{
	if (i == 0) {
		memset(r->xsave, 0, XS_MXCSR);
		put_le16(r->xsave, 0x37f);
		memset(r->xsave + XS_ST, 0, XS_XMM - XS_ST);
	} else if (i == 1) {
		memset(r->xsave + XS_XMM, 0, XS_LEGACY_END - XS_XMM);
	} else {
		memset(r->xsave + assist_host()->xcomp[i].offset, 0, assist_host()->xcomp[i].size);
	}
}

static enum gyve_assist_result restore_fx(struct assist *a, const struct form *f)
{
	struct gyve_x86_regs *r = a->regs;
	uint8_t buf[512];
	enum gyve_assist_result res = assist_read(a, a->gva, buf, sizeof(buf), false);

	if (res != GYVE_ASSIST_DONE)
		return res;
	if (get_le32(buf + XS_MXCSR) & ~assist_host()->mxcsr_mask)
		return assist_fault(a, VEC_GP);
	if (!(get_le64(r->xsave + XS_BV) & XCOMP_SSE))
		init_component(r, 1); /* 32-bit code loads half of it */
	get_x87(a, f, buf);
	memcpy(r->xsave + XS_MXCSR, buf + XS_MXCSR, 4);
	memcpy(r->xsave + XS_XMM, buf + XS_XMM, xmm_len(a));
	put_le64(r->xsave + XS_BV, get_le64(r->xsave + XS_BV) | XCOMP_X87 | XCOMP_SSE);
	return assist_done(a, GYVE_REGS_GPR | GYVE_REGS_FP);
}

/* What the header must be like (SDM vol. 1, 13.8.1 and 13.8.2). */
static bool header_valid(const struct assist *a, const struct form *f, const uint8_t *buf)
{
	uint64_t bv = get_le64(buf + XS_BV), comp = get_le64(buf + XS_COMP_BV);
	unsigned reserved = 0;

	for (unsigned i = XS_COMP_BV + 8; i < (comp & COMPACTED ? (unsigned)XS_HEADER_END : XS_COMP_BV + 16u); i++)
		reserved |= buf[i];
	if (reserved || (f->supervisor && !(comp & COMPACTED)))
		return false;
	if (comp & COMPACTED)
		return !(comp & ~COMPACTED & ~a->regs->xcr0) && !(bv & ~comp);
	return !comp && !(bv & ~a->regs->xcr0);
}

static enum gyve_assist_result load_area(struct assist *a, const struct form *f, uint64_t rfbm, const struct layout *l,
					 const uint8_t *buf)
{
	struct gyve_x86_regs *r = a->regs;
	bool compacted = get_le64(buf + XS_COMP_BV) & COMPACTED;
	uint64_t bv = get_le64(buf + XS_BV) & rfbm;
	uint32_t mxcsr = get_le32(r->xsave + XS_MXCSR);

	if (compacted && rfbm & XCOMP_SSE)
		mxcsr = bv & XCOMP_SSE ? get_le32(buf + XS_MXCSR) : MXCSR_INIT;
	else if (!compacted && rfbm & (XCOMP_SSE | XCOMP_AVX))
		mxcsr = get_le32(buf + XS_MXCSR);
	if (mxcsr & ~assist_host()->mxcsr_mask)
		return assist_fault(a, VEC_GP);
	for (unsigned i = 0; i < GYVE_ARRAY_SIZE(l->offset); i++) {
		if (!(rfbm >> i & 1))
			continue;
		init_component(r, i);
		if (!(bv >> i & 1))
			continue;
		if (i == 0)
			get_x87(a, f, buf);
		else if (i == 1)
			memcpy(r->xsave + XS_XMM, buf + XS_XMM, xmm_len(a));
		else
			memcpy(r->xsave + assist_host()->xcomp[i].offset, buf + l->offset[i], assist_host()->xcomp[i].size);
	}
	put_le32(r->xsave + XS_MXCSR, mxcsr);
	put_le64(r->xsave + XS_BV, (get_le64(r->xsave + XS_BV) & ~rfbm) | bv);
	return assist_done(a, GYVE_REGS_GPR | GYVE_REGS_FP);
}

static enum gyve_assist_result restore(struct assist *a, const struct form *f, uint64_t rfbm)
{
	uint8_t buf[GYVE_XSAVE_MAX];
	enum gyve_assist_result res = assist_read(a, a->gva, buf, XS_HEADER_END, false);
	uint64_t bv, comp;
	struct layout l;

	if (res != GYVE_ASSIST_DONE)
		return res;
	if (!header_valid(a, f, buf))
		return assist_fault(a, VEC_GP);
	bv = get_le64(buf + XS_BV);
	comp = get_le64(buf + XS_COMP_BV);
	if (!lay_out(&l, comp & COMPACTED ? comp & ~COMPACTED : bv & rfbm, comp & COMPACTED))
		return assist_refuse(a, "its area is too large");
	/* the header is not taken from the second read: it has been checked */
	if (l.end > XS_HEADER_END && (res = assist_read(a, a->gva + XS_HEADER_END, buf + XS_HEADER_END, l.end - XS_HEADER_END,
							false)) != GYVE_ASSIST_DONE)
		return res;
	return load_area(a, f, rfbm, &l, buf);
}

static enum gyve_assist_result run(struct assist *a, const struct form *f)
{
	const struct gyve_x86_regs *r = a->regs;
	uint64_t rfbm = (r->gpr[GYVE_RDX] << 32 | (uint32_t)r->gpr[GYVE_RAX]) & r->xcr0;

	if (f->fx ? r->cr0 & CR0_EM : !(r->cr4 & CR4_OSXSAVE))
		return assist_fault(a, f->fx ? VEC_NM : VEC_UD);
	if (r->cr0 & CR0_TS)
		return assist_fault(a, VEC_NM);
	if (f->supervisor && assist_cpl(r))
		return assist_fault(a, VEC_GP);
	if (!assist_find_memop(a) || !a->memop)
		return assist_refuse(a, "its kind of memory operand is not supported");
	if (a->gva & (f->fx ? 15 : 63))
		return assist_fault(a, VEC_GP);
	if (f->fx)
		return f->save ? save_fx(a, f) : restore_fx(a, f);
	if (rfbm & ~assist_components(r))
		return assist_refuse(a, "XCR0 enables a component that is not in the register file");
	return f->save ? save(a, f, rfbm) : restore(a, f, rfbm);
}

enum gyve_assist_result assist_xsave_family(struct assist *a, bool *handled)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(forms); i++)
		if (forms[i].mnemonic == a->insn.mnemonic) {
			*handled = true;
			return run(a, &forms[i]);
		}
	return GYVE_ASSIST_UNSUPPORTED;
}
