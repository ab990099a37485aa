/* The XSAVE family on the guest's own area. SDM vol. 1 chapter 13. */
#include <cpuid.h>
#include <string.h>

#include "assist_priv.h"

enum { LEGACY = 512, MAX_COMPONENT = 8 };

struct component {
	uint32_t offset, size; /* in the standard format */
	bool align;            /* to 64 bytes when compacted */
};

static bool get_component(unsigned i, struct component *c)
{
	unsigned flags, d;

	return __get_cpuid_count(0xd, i, &c->size, &c->offset, &flags, &d) && c->size && (c->align = flags & 2, true) &&
	       c->offset + c->size <= GYVE_XSAVE_MAX;
}

uint64_t assist_host_xcr0(void)
{
	uint32_t lo, hi;
	unsigned a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27))
		return XC_X87 | XC_SSE;
	__asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo & XC_ALL;
}

static bool checked_address(struct assist *a, uint64_t align, gyve_gva_t *gva)
{
	*gva = assist_address(a->r, &a->insn, assist_mem_operand(a));
	return *gva % align == 0;
}

/* XMM registers 8..15 exist in 64-bit mode only; the rest of the legacy area is what it is. */
enum gyve_assist_result assist_fxsave(struct assist *a)
{
	gyve_gva_t gva, bad;

	if (!checked_address(a, 16, &gva))
		return assist_fault(a, VEC_GP, true, 0);
	if (a->mem->write(a->mem->ctx, gva, a->r->xsave, 416, &bad) < 0)
		return assist_page_fault(a, bad, true);
	return assist_done(a, 0);
}

enum gyve_assist_result assist_fxrstor(struct assist *a)
{
	uint8_t area[LEGACY];
	uint32_t mxcsr;
	gyve_gva_t gva, bad;

	if (!checked_address(a, 16, &gva))
		return assist_fault(a, VEC_GP, true, 0);
	if (a->mem->read(a->mem->ctx, gva, area, sizeof(area), &bad) < 0)
		return assist_page_fault(a, bad, false);
	memcpy(&mxcsr, area + XS_MXCSR, 4);
	if (mxcsr & ~0xffffu)
		return assist_fault(a, VEC_GP, true, 0);
	memcpy(a->r->xsave, area, 416);
	a->r->xsave[XS_BV] |= XC_X87 | XC_SSE;
	return assist_done(a, GYVE_REGS_FP);
}

/* --- one component between the guest's registers and an image */

struct piece {
	uint32_t from, len;
};

/* The legacy region interleaves x87 and SSE. */
static unsigned pieces(unsigned i, struct piece p[2])
{
	struct component c;

	if (i == 0) {
		p[0] = (struct piece){0, 24};
		p[1] = (struct piece){32, 128};
		return 2;
	}
	if (i == 1) {
		p[0] = (struct piece){XS_XMM, 256};
		return 1;
	}
	if (!get_component(i, &c))
		return 0;
	p[0] = (struct piece){c.offset, c.size};
	return 1;
}

/* Offset of extended component i in a compacted image that holds `present`. */
static uint32_t compact_offset(unsigned i, uint64_t present)
{
	uint32_t at = XS_HEADER_END;
	struct component c;

	for (unsigned k = 2; k <= i; k++) {
		if (!(present & UINT64_C(1) << k) || !get_component(k, &c))
			continue;
		if (c.align)
			at = (at + 63) & ~63u;
		if (k == i)
			return at;
		at += c.size;
	}
	return at;
}

static uint64_t requested(const struct assist *a)
{
	return (a->r->gpr[GYVE_RDX] << 32 | (uint32_t)a->r->gpr[GYVE_RAX]) & a->r->xcr0 & XC_ALL;
}

enum gyve_assist_result assist_xsave(struct assist *a, bool compact)
{
	uint64_t want = requested(a), bv, old = 0, header[2];
	gyve_gva_t gva, bad;

	if (!(a->r->cr4 & 1u << 18))
		return assist_fault(a, VEC_UD, false, 0);
	if (!checked_address(a, 64, &gva))
		return assist_fault(a, VEC_GP, true, 0);
	memcpy(&bv, a->r->xsave + XS_BV, 8);
	for (unsigned i = 0; i < MAX_COMPONENT; i++) {
		struct piece p[2];
		unsigned n = want & UINT64_C(1) << i ? pieces(i, p) : 0;
		if (compact && !(bv & UINT64_C(1) << i))
			n = 0; /* initial: not written */
		for (unsigned k = 0; k < n; k++) {
			uint32_t to = compact && i >= 2 ? compact_offset(i, want) : p[k].from;
			if (a->mem->write(a->mem->ctx, gva + to, a->r->xsave + p[k].from, p[k].len, &bad) < 0)
				return assist_page_fault(a, bad, true);
		}
	}
	if (want & (XC_SSE | XC_AVX) && a->mem->write(a->mem->ctx, gva + XS_MXCSR, a->r->xsave + XS_MXCSR, 8, &bad) < 0)
		return assist_page_fault(a, bad, true);
	if (!compact && a->mem->read(a->mem->ctx, gva + XS_BV, &old, 8, &bad) < 0)
		return assist_page_fault(a, bad, false);
	header[0] = (old & ~want) | (bv & want);
	header[1] = UINT64_C(1) << 63 | want;
	if (a->mem->write(a->mem->ctx, gva + XS_BV, header, compact ? 16 : 8, &bad) < 0)
		return assist_page_fault(a, bad, true);
	return assist_done(a, 0);
}

/* SDM vol. 1 13.8: what a header may say. */
static bool legal_header(const struct assist *a, uint64_t bv, uint64_t comp, const uint64_t *reserved)
{
	for (unsigned i = 0; i < 6; i++)
		if (reserved[i])
			return false;
	if (comp >> 63)
		return !((comp & ~(UINT64_C(1) << 63)) & ~a->r->xcr0) && !(bv & ~comp);
	return !comp && !(bv & ~a->r->xcr0);
}

static void initial(uint8_t *xsave, unsigned i)
{
	struct piece p[2];
	unsigned n = pieces(i, p);

	for (unsigned k = 0; k < n; k++)
		memset(xsave + p[k].from, 0, p[k].len);
	if (i == 0) {
		xsave[XS_FCW] = 0x7f;
		xsave[XS_FCW + 1] = 3;
	}
}

enum gyve_assist_result assist_xrstor(struct assist *a)
{
	_Alignas(64) uint8_t area[GYVE_XSAVE_MAX];
	uint64_t want = requested(a), header[8], bv;
	gyve_gva_t gva, bad;

	if (!(a->r->cr4 & 1u << 18))
		return assist_fault(a, VEC_UD, false, 0);
	if (!checked_address(a, 64, &gva))
		return assist_fault(a, VEC_GP, true, 0);
	if (a->mem->read(a->mem->ctx, gva + XS_BV, header, sizeof(header), &bad) < 0)
		return assist_page_fault(a, bad, false);
	if (!legal_header(a, header[0], header[1], header + 2))
		return assist_fault(a, VEC_GP, true, 0);
	bool compact = header[1] >> 63;
	memcpy(area, a->r->xsave, sizeof(area));
	memcpy(&bv, area + XS_BV, 8);
	for (unsigned i = 0; i < MAX_COMPONENT; i++) {
		struct piece p[2];
		if (!(want & UINT64_C(1) << i))
			continue;
		if (!(header[0] & UINT64_C(1) << i)) {
			initial(area, i);
			continue;
		}
		unsigned n = pieces(i, p);
		for (unsigned k = 0; k < n; k++) {
			uint32_t from = compact && i >= 2 ? compact_offset(i, header[1]) : p[k].from;
			if (a->mem->read(a->mem->ctx, gva + from, area + p[k].from, p[k].len, &bad) < 0)
				return assist_page_fault(a, bad, false);
		}
	}
	uint32_t mxcsr = 0x1f80;
	bool load_mxcsr = compact ? want & header[0] & XC_SSE : want & (XC_SSE | XC_AVX);
	if (load_mxcsr && a->mem->read(a->mem->ctx, gva + XS_MXCSR, &mxcsr, 4, &bad) < 0)
		return assist_page_fault(a, bad, false);
	if (mxcsr & ~0xffffu)
		return assist_fault(a, VEC_GP, true, 0);
	if (load_mxcsr || (compact && want & XC_SSE))
		memcpy(area + XS_MXCSR, &mxcsr, 4);
	bv = (bv & ~want) | (header[0] & want);
	memcpy(area + XS_BV, &bv, 8);
	memcpy(a->r->xsave, area, sizeof(area));
	return assist_done(a, GYVE_REGS_FP);
}
