/* x87, SSE and AVX registers in an XSAVE area of the standard format. Intel SDM vol. 1, 13.4 "XSAVE area", 10.5 "FXSAVE",
 * 8.1.7 "x87 FPU tag word". A component that XSTATE_BV does not name is in its initial configuration whatever the bytes say. */
#include "regs.h"

#include "../../base/bytes.h"

#include <errno.h>

enum {
	FCW = 0,
	FSW = 2,
	FTW = 4, /* abridged: a bit per physical register, set = not empty */
	MXCSR = 24,
	ST = 32,
	XMM = 160,
	LEGACY_END = 416,
	XSTATE_BV = 512,
	HEADER_END = 576,
	YMM_HI = 576,
	YMM_HI_END = 832,
};
enum { X87 = 1, SSE = 2, AVX = 4 };

/* The state component that holds the byte at offset at, and where the component's own bytes lie. MXCSR belongs to SSE but
 * is always there: XSAVE stores it for SSE or AVX and XRSTOR loads it without asking XSTATE_BV. */
static unsigned component(uint32_t at, uint32_t *start, uint32_t *end)
{
	if (at >= YMM_HI) {
		*start = YMM_HI;
		*end = YMM_HI_END;
		return AVX;
	}
	*start = at >= XMM ? XMM : ST;
	*end = at >= XMM ? LEGACY_END : XMM;
	return at >= XMM ? SSE : X87;
}

/* 0, or -ENODATA when the vCPU has no such state. */
static int available(const struct gyve_reg_row *row, const struct gyve_regs *r, uint32_t end)
{
	const struct gyve_x86_regs *x = &r->x86;

	if (!(r->valid & GYVE_REGS_FP) || end > x->xsave_len || x->xsave_len > sizeof(x->xsave))
		return -ENODATA;
	/* AVX exists when the guest's XCR0 or the host's area says so; an area without room for it was refused above. */
	if (row->offset >> 8 >= YMM_HI && x->xcr0 && !(x->xcr0 & AVX) && !(get_le64(x->xsave + XSTATE_BV) & AVX))
		return -ENODATA;
	return 0;
}

static bool in_use(const struct gyve_x86_regs *x, unsigned comp)
{
	return x->xsave_len < HEADER_END || get_le64(x->xsave + XSTATE_BV) & comp;
}

/* Give comp its initial bytes and mark it in use. */
static void put_in_use(struct gyve_x86_regs *x, unsigned comp, uint32_t start, uint32_t end)
{
	if (in_use(x, comp))
		return;
	memset(x->xsave + start, 0, end - start);
	if (comp == X87) {
		memset(x->xsave, 0, MXCSR);
		put_le16(x->xsave + FCW, 0x37f);
	}
	put_le64(x->xsave + XSTATE_BV, get_le64(x->xsave + XSTATE_BV) | comp);
}

int gyve_x86_xsave_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	const struct gyve_x86_regs *x = &r->x86;
	uint32_t at = REG_OFFSET(row), n = REG_SIZE(row), start, end;
	unsigned comp = component(at, &start, &end);
	int ret = available(row, r, at + n);

	if (ret < 0)
		return ret;
	memset(buf, 0, row->bits / 8);
	if (at == MXCSR || in_use(x, comp))
		memcpy(buf, x->xsave + at, n);
	else if (at == FCW)
		put_le16(buf, 0x37f);
	return 0;
}

int gyve_x86_xsave_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf)
{
	struct gyve_x86_regs *x = &r->x86;
	uint32_t at = REG_OFFSET(row), n = REG_SIZE(row), start, end;
	unsigned comp = component(at, &start, &end);
	int ret = available(row, r, comp == AVX ? end : at + n);

	if (ret < 0)
		return ret;
	if (at == MXCSR) {
		if (get_le32(buf) >> 16)
			return -EINVAL; /* reserved bits: loading them faults */
		put_in_use(x, SSE, XMM, LEGACY_END);
	} else {
		put_in_use(x, comp, start, end);
	}
	memcpy(x->xsave + at, buf, n);
	return 0;
}

/* 0 valid, 1 zero, 2 special (NaN, infinity, denormal, unnormal) */
static unsigned tag_of(const uint8_t *st)
{
	unsigned exponent = get_le16(st + 8) & 0x7fff;
	uint64_t mantissa = get_le64(st);

	if (exponent == 0)
		return mantissa ? 2 : 1;
	return exponent != 0x7fff && mantissa >> 63 ? 0 : 2;
}

int gyve_x86_ftag_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	const struct gyve_x86_regs *x = &r->x86;
	uint16_t tags = 0xffff;
	unsigned top;
	int ret = available(row, r, XMM);

	if (ret < 0)
		return ret;
	top = get_le16(x->xsave + FSW) >> 11 & 7;
	for (unsigned i = 0; in_use(x, X87) && i < 8; i++) {
		/* bit i is physical register i; the area stores them from the top of the stack on */
		if (!(x->xsave[FTW] >> i & 1))
			continue;
		tags &= (uint16_t) ~(3u << 2 * i);
		tags |= (uint16_t)(tag_of(x->xsave + ST + 16 * ((i - top) & 7)) << 2 * i);
	}
	memset(buf, 0, row->bits / 8);
	put_le16(buf, tags);
	return 0;
}

int gyve_x86_ftag_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf)
{
	struct gyve_x86_regs *x = &r->x86;
	uint16_t tags = get_le16(buf);
	uint8_t abridged = 0;
	int ret = available(row, r, XMM);

	if (ret < 0)
		return ret;
	for (unsigned i = 0; i < 8; i++)
		abridged |= (uint8_t)((tags >> 2 * i & 3) != 3) << i;
	put_in_use(x, X87, ST, XMM);
	x->xsave[FTW] = abridged;
	return 0;
}
