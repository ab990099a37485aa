/* Which instructions may be executed by this host on the guest's behalf: a list of what is harmless, everything else is
 * refused. */
#include <cpuid.h>
#include <string.h>

#include "assist_priv.h"

/* What __builtin_cpu_supports() knows differs from compiler to compiler; the rest is read here. */
enum { ECX_1, EBX_7, ECX_EXT };
static bool cpuid_bit(int where, unsigned bit)
{
	static const unsigned leaf[] = {[ECX_1] = 1, [EBX_7] = 7, [ECX_EXT] = 0x80000001};
	unsigned a, b, c, d;

	return __get_cpuid_count(leaf[where], 0, &a, &b, &c, &d) && (where == EBX_7 ? b : c) >> bit & 1;
}

static bool host_has(ZydisISAExt ext)
{
	switch (ext) {
	case ZYDIS_ISA_EXT_X87:
	case ZYDIS_ISA_EXT_MMX:
	case ZYDIS_ISA_EXT_SSE:
	case ZYDIS_ISA_EXT_SSE2:
		return true; /* part of x86-64 */
	case ZYDIS_ISA_EXT_SSE3:
		return __builtin_cpu_supports("sse3");
	case ZYDIS_ISA_EXT_SSSE3:
		return __builtin_cpu_supports("ssse3");
	case ZYDIS_ISA_EXT_SSE4:
		return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
	case ZYDIS_ISA_EXT_AES:
		return __builtin_cpu_supports("aes");
	case ZYDIS_ISA_EXT_PCLMULQDQ:
		return __builtin_cpu_supports("pclmul");
	case ZYDIS_ISA_EXT_AVX:
		return __builtin_cpu_supports("avx");
	case ZYDIS_ISA_EXT_AVXAES:
		return __builtin_cpu_supports("avx") && __builtin_cpu_supports("aes");
	case ZYDIS_ISA_EXT_AVX2:
		return __builtin_cpu_supports("avx2");
	case ZYDIS_ISA_EXT_FMA:
		return __builtin_cpu_supports("fma");
	case ZYDIS_ISA_EXT_F16C:
		return cpuid_bit(ECX_1, 29);
	case ZYDIS_ISA_EXT_BMI1:
		return __builtin_cpu_supports("bmi");
	case ZYDIS_ISA_EXT_BMI2:
		return __builtin_cpu_supports("bmi2");
	case ZYDIS_ISA_EXT_LZCNT:
		return cpuid_bit(ECX_EXT, 5);
	case ZYDIS_ISA_EXT_ADOX_ADCX:
		return cpuid_bit(EBX_7, 19);
	case ZYDIS_ISA_EXT_MOVBE:
		return cpuid_bit(ECX_1, 22);
	case ZYDIS_ISA_EXT_RDRAND:
		return cpuid_bit(ECX_1, 30);
	case ZYDIS_ISA_EXT_RDSEED:
		return cpuid_bit(EBX_7, 18);
	case ZYDIS_ISA_EXT_SHA:
		return cpuid_bit(EBX_7, 29);
	default:
		return false;
	}
}

/* AVX-512 comes in subsets; the set's name says which, and its end the vector length. */
static bool host_has_avx512(ZydisISASet set)
{
	const char *name = ZydisISASetGetString(set);

	if (!name || strncmp(name, "AVX512", 6) != 0 || !__builtin_cpu_supports("avx512f"))
		return false;
	size_t n = strlen(name);
	if (n > 4 && (strcmp(name + n - 4, "_128") == 0 || strcmp(name + n - 4, "_256") == 0) &&
	    !__builtin_cpu_supports("avx512vl"))
		return false;
	name += 6;
	if (strncmp(name, "F_", 2) == 0)
		return true;
	if (strncmp(name, "BW_", 3) == 0)
		return __builtin_cpu_supports("avx512bw");
	if (strncmp(name, "DQ_", 3) == 0)
		return __builtin_cpu_supports("avx512dq");
	if (strncmp(name, "CD_", 3) == 0)
		return __builtin_cpu_supports("avx512cd");
	if (strncmp(name, "_VBMI_", 6) == 0 || strncmp(name, "VBMI_", 5) == 0)
		return __builtin_cpu_supports("avx512vbmi");
	if (strncmp(name, "_VBMI2_", 7) == 0)
		return __builtin_cpu_supports("avx512vbmi2");
	if (strncmp(name, "_VNNI_", 6) == 0)
		return __builtin_cpu_supports("avx512vnni");
	if (strncmp(name, "_BITALG_", 8) == 0)
		return __builtin_cpu_supports("avx512bitalg");
	if (strncmp(name, "_VPOPCNTDQ_", 11) == 0)
		return __builtin_cpu_supports("avx512vpopcntdq");
	return false;
}

static bool is_avx512(const struct assist *a)
{
	ZydisISAExt ext = a->insn.meta.isa_ext;
	return ext == ZYDIS_ISA_EXT_AVX512EVEX || ext == ZYDIS_ISA_EXT_AVX512VEX;
}

/* Harmless instructions of the base set that an emulator may lack. */
static bool is_plain(const struct assist *a)
{
	return a->insn.mnemonic == ZYDIS_MNEMONIC_CMPXCHG16B || a->insn.mnemonic == ZYDIS_MNEMONIC_BSWAP ||
	       a->insn.mnemonic == ZYDIS_MNEMONIC_POPCNT || a->insn.mnemonic == ZYDIS_MNEMONIC_TZCNT;
}

static const char *operand_refusal(const struct assist *a)
{
	unsigned memory = 0;

	for (unsigned i = 0; i < a->insn.operand_count; i++) {
		const ZydisDecodedOperand *op = &a->ops[i];
		if (op->type == ZYDIS_OPERAND_TYPE_POINTER)
			return "it names a far address";
		if (op->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			if (op->visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
				return "its memory operand is implicit";
			if (op->mem.type != ZYDIS_MEMOP_TYPE_MEM)
				return "its memory operand is a vector of addresses";
			if (memory++)
				return "it has several memory operands";
		}
		if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		ZydisRegisterClass c = ZydisRegisterGetClass(op->reg.value);
		if (c == ZYDIS_REGCLASS_SEGMENT || c == ZYDIS_REGCLASS_CONTROL || c == ZYDIS_REGCLASS_DEBUG ||
		    c == ZYDIS_REGCLASS_TEST || c == ZYDIS_REGCLASS_TABLE || op->reg.value == ZYDIS_REGISTER_RIP ||
		    op->reg.value == ZYDIS_REGISTER_EIP)
			return "it touches system registers";
		if (assist_gpr(op->reg.value) == GYVE_RSP)
			return "it uses the stack pointer";
	}
	return NULL;
}

const char *assist_refusal(const struct assist *a)
{
	const ZydisDecodedInstruction *d = &a->insn;

	if (d->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED || d->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE)
		return "it is not an instruction gyve executes for a guest";
	__builtin_cpu_init();
	if (is_avx512(a) ? !host_has_avx512(d->meta.isa_set) : !is_plain(a) && !host_has(d->meta.isa_ext))
		return is_avx512(a) || d->meta.isa_ext == ZYDIS_ISA_EXT_AVX || d->meta.isa_ext == ZYDIS_ISA_EXT_AVX2
			       ? "this host's processor lacks that extension"
			       : "it is not an instruction gyve executes for a guest";
	return operand_refusal(a);
}

static bool touches(const struct assist *a, bool vector)
{
	for (unsigned i = 0; i < a->insn.operand_count; i++) {
		if (a->ops[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		ZydisRegisterClass c = ZydisRegisterGetClass(a->ops[i].reg.value);
		if (vector ? c == ZYDIS_REGCLASS_XMM || c == ZYDIS_REGCLASS_YMM || c == ZYDIS_REGCLASS_ZMM ||
				     c == ZYDIS_REGCLASS_MASK
			   : c == ZYDIS_REGCLASS_X87 || c == ZYDIS_REGCLASS_MMX)
			return true;
	}
	return false;
}

bool assist_is_x87(const struct assist *a)
{
	return a->insn.meta.isa_ext == ZYDIS_ISA_EXT_X87 || touches(a, false);
}

bool assist_is_vector(const struct assist *a)
{
	return a->insn.mnemonic == ZYDIS_MNEMONIC_VZEROUPPER || a->insn.mnemonic == ZYDIS_MNEMONIC_VZEROALL || touches(a, true);
}
