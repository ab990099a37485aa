/* Memory operands of which a mask chooses the bytes: AVX-512's {k}, VMASKMOV, VPMASKMOV. Bytes that are not chosen are neither
 * written nor able to fault (Intel SDM vol. 2, 2.7.4 "fault suppression"). */
#include "assist_priv.h"

#include "../../base/bytes.h"

/* Value of k1..k7, as the guest's image holds it. */
static uint64_t mask_register(const struct assist *a, ZydisRegister reg)
{
	const uint8_t *image = a->regs->xsave;
	uint32_t at = assist_host()->xcomp[5].offset + 8u * (uint32_t)(reg - ZYDIS_REGISTER_K0);

	/* assist_check has seen to it that the component is in the image */
	return get_le64(image + XS_BV) >> 5 & 1 ? get_le64(image + at) : 0;
}

/* The sign bits of a vector register's elements. */
static uint64_t sign_mask(const struct assist *a, ZydisRegister reg, unsigned esize, unsigned n)
{
	const uint8_t *image = a->regs->xsave;
	unsigned id = (unsigned)ZydisRegisterGetId(reg) & 15;
	uint64_t bv = get_le64(image + XS_BV), ret = 0;

	for (unsigned i = 0; i < n && i < 8; i++) {
		unsigned top = i * esize + esize - 1; /* the byte that holds the sign */
		uint32_t at = top < 16 ? XS_XMM + 16 * id + top : assist_host()->xcomp[2].offset + 16 * id + top - 16;
		if (bv & (top < 16 ? XCOMP_SSE : XCOMP_AVX) && image[at] >> 7)
			ret |= 1ull << i;
	}
	return ret;
}

static bool by_sign(const struct assist *a)
{
	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_VMASKMOVPS:
	case ZYDIS_MNEMONIC_VMASKMOVPD:
	case ZYDIS_MNEMONIC_VPMASKMOVD:
	case ZYDIS_MNEMONIC_VPMASKMOVQ:
		return true;
	default:
		return false;
	}
}

static bool no_suppression(const struct assist *a)
{
	switch (a->insn.meta.exception_class) {
	case ZYDIS_EXCEPTION_CLASS_E1NF:
	case ZYDIS_EXCEPTION_CLASS_E2NF:
	case ZYDIS_EXCEPTION_CLASS_E3NF:
	case ZYDIS_EXCEPTION_CLASS_E4NF:
	case ZYDIS_EXCEPTION_CLASS_E5NF:
	case ZYDIS_EXCEPTION_CLASS_E6NF:
	case ZYDIS_EXCEPTION_CLASS_E9NF:
	case ZYDIS_EXCEPTION_CLASS_E10NF:
	case ZYDIS_EXCEPTION_CLASS_E11NF:
		return true;
	default:
		return false;
	}
}

/* One bit for each byte of the operand that the instruction touches. False: it has no mask, or none that maps to bytes. */
static bool active_bytes(const struct assist *a, uint64_t *bytes)
{
	unsigned n = a->memop->element_count, esize = a->memop->element_size / 8u;
	bool store = a->memop == &a->op[0], scalar = n == 1 && a->insn.avx.broadcast.mode == ZYDIS_BROADCAST_MODE_INVALID;
	uint64_t mask, all;

	if (!n || n > 64 || !esize || n * esize != a->len || a->len > 64)
		return false;
	all = n == 64 ? UINT64_MAX : (1ull << n) - 1;
	if (by_sign(a)) {
		mask = sign_mask(a, a->op[1].reg.value, esize, n);
	} else if (a->insn.avx.mask.reg > ZYDIS_REGISTER_K0 && a->insn.avx.mask.reg <= ZYDIS_REGISTER_K7) {
		bool to_mask = a->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
			       ZydisRegisterGetClass(a->op[0].reg.value) == ZYDIS_REGCLASS_MASK;
		if (!store && (no_suppression(a) || !(scalar || to_mask || a->op[0].element_count == n)))
			return false;
		mask = mask_register(a, a->insn.avx.mask.reg);
	} else {
		return false;
	}
	mask &= all;
	if (a->insn.meta.category == ZYDIS_CATEGORY_COMPRESS || a->insn.meta.category == ZYDIS_CATEGORY_EXPAND) {
		unsigned packed = (unsigned)__builtin_popcountll(mask);
		mask = packed == 64 ? UINT64_MAX : (1ull << packed) - 1;
	}
	*bytes = 0;
	for (unsigned i = 0; i < a->len; i++)
		*bytes |= (mask >> i / esize & 1) << i;
	return true;
}

/* The next run of set bits at or after *from: its start in *from, its length. 0: none. */
static unsigned next_run(uint64_t bytes, unsigned *from)
{
	unsigned len = 0;

	while (*from < 64 && !(bytes >> *from & 1))
		(*from)++;
	while (*from + len < 64 && bytes >> (*from + len) & 1)
		len++;
	return len;
}

enum gyve_assist_result assist_read_operand(struct assist *a, uint8_t *buf, bool write_intent)
{
	enum gyve_assist_result res = assist_read(a, a->gva, buf, a->len, write_intent);
	unsigned at = 0, len;
	uint64_t bytes;

	if (res == GYVE_ASSIST_DONE || a->out->vector != VEC_PF || !active_bytes(a, &bytes))
		return res;
	for (; (len = next_run(bytes, &at)); at += len)
		if ((res = assist_read(a, a->gva + at, buf + at, len, write_intent)) != GYVE_ASSIST_DONE)
			return res;
	return GYVE_ASSIST_DONE;
}

enum gyve_assist_result assist_write_operand(struct assist *a, const uint8_t *buf)
{
	enum gyve_assist_result res;
	unsigned at = 0, len;
	uint64_t bytes;

	if (!active_bytes(a, &bytes))
		return assist_write(a, a->gva, buf, a->len);
	/* a fault in a later run leaves the earlier ones written, as it may: the instruction is begun again */
	for (; (len = next_run(bytes, &at)); at += len)
		if ((res = assist_write(a, a->gva + at, buf + at, len)) != GYVE_ASSIST_DONE)
			return res;
	return GYVE_ASSIST_DONE;
}
