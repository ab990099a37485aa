/* Which instructions may run natively: a list of what is allowed, by instruction set; everything else is refused. Also what the
 * host has, and what the guest's control registers demand first (Intel SDM vol. 3, tables 2-2 and 14-1; vol. 2, 2.4). */
#include "assist_priv.h"

#include "../../base/bytes.h"

#include <cpuid.h>
#include <pthread.h>
#include <string.h>

enum leaf { L1_C, L1_D, L7_B, L7_C, L7_D, L71_A, LX_C, LEAVES };
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_NE (1u << 5)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXSAVE (1u << 18)

struct isa_row {
	ZydisISASet set;
	enum leaf leaf;
	int8_t bit;
	bool vl; /* also AVX512VL */
	const char *name;
};
#define AVX512_3(ext, leaf, bit, name)                                                                          \
	{ZYDIS_ISA_SET_##ext##_128, leaf, bit, true, name}, {ZYDIS_ISA_SET_##ext##_256, leaf, bit, true, name}, \
	{                                                                                                       \
		ZYDIS_ISA_SET_##ext##_512, leaf, bit, false, name                                               \
	}
#define ONE(ext, leaf, bit, name)                           \
	{                                                   \
		ZYDIS_ISA_SET_##ext, leaf, bit, false, name \
	}
static const struct isa_row rows[] = {
	ONE(X87, L1_D, 0, "x87"),
	ONE(FCMOV, L1_D, 15, "FCMOV"),
	ONE(PPRO, L1_D, 15, "FCOMI"), /* category X87_ALU only */
	ONE(PENTIUMMMX, L1_D, 23, "MMX"),
	ONE(SSE, L1_D, 25, "SSE"),
	ONE(SSEMXCSR, L1_D, 25, "SSE"),
	ONE(SSE2, L1_D, 26, "SSE2"),
	ONE(SSE2MMX, L1_D, 26, "SSE2"),
	ONE(SSE3, L1_C, 0, "SSE3"),
	ONE(SSE3X87, L1_C, 0, "SSE3"),
	ONE(SSSE3, L1_C, 9, "SSSE3"),
	ONE(SSSE3MMX, L1_C, 9, "SSSE3"),
	ONE(SSE4, L1_C, 19, "SSE4.1"),
	ONE(SSE42, L1_C, 20, "SSE4.2"),
	ONE(SSE4A, LX_C, 6, "SSE4a"),
	ONE(POPCNT, L1_C, 23, "POPCNT"),
	ONE(LZCNT, LX_C, 5, "LZCNT"),
	ONE(MOVBE, L1_C, 22, "MOVBE"),
	ONE(CMPXCHG16B, L1_C, 13, "CMPXCHG16B"),
	ONE(BMI1, L7_B, 3, "BMI1"),
	ONE(BMI2, L7_B, 8, "BMI2"),
	ONE(ADOX_ADCX, L7_B, 19, "ADX"),
	ONE(RDRAND, L1_C, 30, "RDRAND"),
	ONE(RDSEED, L7_B, 18, "RDSEED"),
	ONE(AES, L1_C, 25, "AES"),
	ONE(PCLMULQDQ, L1_C, 1, "PCLMULQDQ"),
	ONE(SHA, L7_B, 29, "SHA"),
	ONE(GFNI, L7_C, 8, "GFNI"),
	ONE(AVX, L1_C, 28, "AVX"),
	ONE(AVX2, L7_B, 5, "AVX2"),
	ONE(FMA, L1_C, 12, "FMA"),
	ONE(F16C, L1_C, 29, "F16C"),
	ONE(AVXAES, L1_C, 25, "AES"),
	ONE(VAES, L7_C, 9, "VAES"),
	ONE(VPCLMULQDQ, L7_C, 10, "VPCLMULQDQ"),
	ONE(AVX_GFNI, L7_C, 8, "GFNI"),
	ONE(AVX_VNNI, L71_A, 4, "AVX-VNNI"),
	AVX512_3(AVX512F, L7_B, 16, "AVX-512"),
	ONE(AVX512F_128N, L7_B, 16, "AVX-512"),
	ONE(AVX512F_SCALAR, L7_B, 16, "AVX-512"),
	ONE(AVX512F_KOP, L7_B, 16, "AVX-512"),
	AVX512_3(AVX512DQ, L7_B, 17, "AVX-512DQ"),
	ONE(AVX512DQ_128N, L7_B, 17, "AVX-512DQ"),
	ONE(AVX512DQ_SCALAR, L7_B, 17, "AVX-512DQ"),
	ONE(AVX512DQ_KOP, L7_B, 17, "AVX-512DQ"),
	AVX512_3(AVX512BW, L7_B, 30, "AVX-512BW"),
	ONE(AVX512BW_128N, L7_B, 30, "AVX-512BW"),
	ONE(AVX512BW_KOP, L7_B, 30, "AVX-512BW"),
	AVX512_3(AVX512CD, L7_B, 28, "AVX-512CD"),
	AVX512_3(AVX512_IFMA, L7_B, 21, "AVX-512IFMA"),
	AVX512_3(AVX512_VBMI, L7_C, 1, "AVX-512VBMI"),
	AVX512_3(AVX512_VBMI2, L7_C, 6, "AVX-512VBMI2"),
	AVX512_3(AVX512_VNNI, L7_C, 11, "AVX-512VNNI"),
	AVX512_3(AVX512_BITALG, L7_C, 12, "AVX-512BITALG"),
	AVX512_3(AVX512_VPOPCNTDQ, L7_C, 14, "AVX-512VPOPCNTDQ"),
	AVX512_3(AVX512_VP2INTERSECT, L7_D, 8, "AVX-512VP2INTERSECT"),
	AVX512_3(AVX512_BF16, L71_A, 5, "AVX-512BF16"),
	AVX512_3(AVX512_FP16, L7_D, 23, "AVX-512FP16"),
	ONE(AVX512_FP16_128N, L7_D, 23, "AVX-512FP16"),
	ONE(AVX512_FP16_SCALAR, L7_D, 23, "AVX-512FP16"),
	AVX512_3(AVX512_GFNI, L7_C, 8, "GFNI"),
	AVX512_3(AVX512_VAES, L7_C, 9, "VAES"),
	AVX512_3(AVX512_VPCLMULQDQ, L7_C, 10, "VPCLMULQDQ"),
};

static struct assist_host host;

static void measure(void)
{
	static uint8_t fx[512] __attribute__((aligned(16)));
	unsigned a, b, c, d;

	if (__get_cpuid(1, &a, &b, &c, &d)) {
		host.leaf[L1_C] = c;
		host.leaf[L1_D] = d;
	}
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
		unsigned max = a;
		host.leaf[L7_B] = b;
		host.leaf[L7_C] = c;
		host.leaf[L7_D] = d;
		if (max >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
			host.leaf[L71_A] = a;
	}
	if (__get_cpuid(0x80000001, &a, &b, &c, &d))
		host.leaf[LX_C] = c;
	__asm__ volatile("fxsave64 %0" : "=m"(fx));
	host.mxcsr_mask = get_le32(fx + XS_MXCSR_MASK) ? get_le32(fx + XS_MXCSR_MASK) : 0xffbf;
	if (!(host.leaf[L1_C] >> 27 & 1))
		return; /* no XSAVE: nothing can be run */
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	host.xcr0 = (uint64_t)d << 32 | a;
	for (unsigned i = 2; i < GYVE_ARRAY_SIZE(host.xcomp); i++)
		if (host.xcr0 >> i & 1 && __get_cpuid_count(0xd, i, &a, &b, &c, &d))
			host.xcomp[i] = (struct assist_xcomp){.offset = b, .size = a, .align64 = c >> 1 & 1};
}

const struct assist_host *assist_host(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, measure);
	return &host;
}

uint64_t assist_components(const struct gyve_x86_regs *regs)
{
	const struct assist_host *h = assist_host();
	uint64_t ret = h->xcr0 & (XCOMP_X87 | XCOMP_SSE);

	for (unsigned i = 2; i < GYVE_ARRAY_SIZE(h->xcomp); i++)
		if (h->xcomp[i].size && (uint64_t)h->xcomp[i].offset + h->xcomp[i].size <= regs->xsave_len)
			ret |= 1ull << i;
	if ((ret & XCOMP_AVX512) != XCOMP_AVX512)
		ret &= ~(uint64_t)XCOMP_AVX512;
	return ret;
}

bool assist_is_nop(const struct assist *a)
{
	switch (a->insn.meta.category) {
	case ZYDIS_CATEGORY_PREFETCH:
	case ZYDIS_CATEGORY_PREFETCHWT1:
	case ZYDIS_CATEGORY_WIDENOP:
	case ZYDIS_CATEGORY_CLFLUSHOPT:
	case ZYDIS_CATEGORY_CLWB:
	case ZYDIS_CATEGORY_CLDEMOTE:
	case ZYDIS_CATEGORY_SERIALIZE:
		return true;
	default:
		break;
	}
	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_ENDBR32:
	case ZYDIS_MNEMONIC_ENDBR64:
	case ZYDIS_MNEMONIC_PAUSE:
		return true;
	default:
		return false;
	}
}

static const struct isa_row *find_row(const struct assist *a)
{
	const ZydisDecodedInstructionMeta *m = &a->insn.meta;

	/* what the sets hold besides arithmetic and moves */
	if (a->insn.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED || m->branch_type != ZYDIS_BRANCH_TYPE_NONE)
		return NULL;
	if (m->isa_set == ZYDIS_ISA_SET_PPRO && m->category != ZYDIS_CATEGORY_X87_ALU)
		return NULL;
	if (m->category == ZYDIS_CATEGORY_GATHER || m->category == ZYDIS_CATEGORY_SCATTER ||
	    m->category == ZYDIS_CATEGORY_AVX2GATHER)
		return NULL;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(rows); i++)
		if (rows[i].set == m->isa_set)
			return &rows[i];
	return NULL;
}

static bool host_has(const struct isa_row *row)
{
	const struct assist_host *h = assist_host();

	return h->leaf[row->leaf] >> row->bit & 1 && (!row->vl || h->leaf[L7_B] >> 31 & 1);
}

/* By its kind, whatever registers it names: EMMS names none, CVTPI2PS of a memory operand no MMX register. */
static bool uses_x87(const struct assist *a)
{
	return a->insn.meta.category == ZYDIS_CATEGORY_X87_ALU || a->insn.meta.category == ZYDIS_CATEGORY_FCMOV ||
	       a->insn.meta.isa_set == ZYDIS_ISA_SET_PENTIUMMMX || a->insn.mnemonic == ZYDIS_MNEMONIC_CVTPI2PS ||
	       a->insn.mnemonic == ZYDIS_MNEMONIC_CVTPI2PD;
}

/* Registers the instruction names or implies, as XCOMP bits; XCOMP_X87 also for MMX. */
static unsigned state_used(const struct assist *a)
{
	unsigned used = uses_x87(a) ? XCOMP_X87 : 0;

	for (unsigned i = 0; i < a->insn.operand_count; i++) {
		if (a->op[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		switch (ZydisRegisterGetClass(a->op[i].reg.value)) {
		case ZYDIS_REGCLASS_MMX:
		case ZYDIS_REGCLASS_X87:
			used |= XCOMP_X87;
			break;
		case ZYDIS_REGCLASS_XMM:
			used |= XCOMP_SSE;
			break;
		case ZYDIS_REGCLASS_YMM:
			used |= XCOMP_SSE | XCOMP_AVX;
			break;
		case ZYDIS_REGCLASS_ZMM:
		case ZYDIS_REGCLASS_MASK:
			used |= XCOMP_SSE | XCOMP_AVX | XCOMP_AVX512;
			break;
		default:
			break;
		}
	}
	if (a->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX)
		used |= XCOMP_SSE | XCOMP_AVX | XCOMP_AVX512;
	if (a->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX && (used || a->insn.meta.isa_set == ZYDIS_ISA_SET_AVX))
		used |= XCOMP_SSE | XCOMP_AVX;
	return used;
}

static bool x87_waits(const struct assist *a)
{
	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_FNINIT:
	case ZYDIS_MNEMONIC_FNCLEX:
	case ZYDIS_MNEMONIC_FNSTCW:
	case ZYDIS_MNEMONIC_FNSTSW:
	case ZYDIS_MNEMONIC_FNSTENV:
	case ZYDIS_MNEMONIC_FNSAVE:
		return false;
	default:
		return true;
	}
}

/* An unmasked x87 exception waits in the guest: running the instruction would raise SIGFPE here. */
static bool x87_pending(const struct gyve_x86_regs *r)
{
	return get_le64(r->xsave + XS_BV) & XCOMP_X87 && get_le16(r->xsave + XS_FSW) & ~get_le16(r->xsave + XS_FCW) & 0x3f;
}

static enum gyve_assist_result check_x87(struct assist *a)
{
	const struct gyve_x86_regs *r = a->regs;
	bool mmx = a->insn.meta.category != ZYDIS_CATEGORY_X87_ALU && a->insn.meta.category != ZYDIS_CATEGORY_FCMOV;

	if (a->insn.mnemonic == ZYDIS_MNEMONIC_FWAIT) {
		if ((r->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
			return assist_fault(a, VEC_NM);
	} else if (r->cr0 & CR0_EM) {
		return assist_fault(a, mmx ? VEC_UD : VEC_NM);
	} else if (r->cr0 & CR0_TS) {
		return assist_fault(a, VEC_NM);
	}
	if (!x87_pending(r) || !x87_waits(a))
		return GYVE_ASSIST_DONE;
	return r->cr0 & CR0_NE ? assist_fault(a, VEC_MF) : assist_refuse(a, "an x87 exception is pending and CR0.NE is clear");
}

static enum gyve_assist_result check_guest(struct assist *a, unsigned used)
{
	const struct gyve_x86_regs *r = a->regs;
	bool vex = used & XCOMP_AVX;

	if (used & XCOMP_X87) {
		enum gyve_assist_result res = check_x87(a);
		if (res != GYVE_ASSIST_DONE)
			return res;
	}
	if (used & XCOMP_SSE || a->insn.meta.isa_set == ZYDIS_ISA_SET_SSEMXCSR) {
		if (vex && (!(r->cr4 & CR4_OSXSAVE) || (r->xcr0 & used & ~1u) != (used & ~1u)))
			return assist_fault(a, VEC_UD);
		if (!vex && (r->cr0 & CR0_EM || !(r->cr4 & CR4_OSFXSR)))
			return assist_fault(a, VEC_UD);
		if (r->cr0 & CR0_TS)
			return assist_fault(a, VEC_NM);
	}
	return GYVE_ASSIST_DONE;
}

enum gyve_assist_result assist_check(struct assist *a)
{
	const struct isa_row *row = find_row(a);
	unsigned used;

	if (!row)
		return assist_refuse(a, "not an instruction the assist knows");
	if (!host_has(row))
		return assist_refuse(a, "this host has no %s", row->name);
	used = state_used(a) | XCOMP_X87 | XCOMP_SSE;
	if ((assist_components(a->regs) & used) != used)
		return assist_refuse(a, "its registers are not enabled on this host");
	return check_guest(a, state_used(a));
}
