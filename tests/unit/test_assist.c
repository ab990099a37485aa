/* The instruction assist: real instructions on a register file and a fake memory, compared with what they must give. */
#include "unit.h"

#include "gyve/assist.h"

#include <cpuid.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The assembler encodes; the bytes are never executed here. */
#define INSN(name, text)                                                                                                \
	__asm__(".pushsection .rodata\n" #name ": .byte " #name "_end - 1f\n1: " text "\n" #name "_end:\n.popsection"); \
	extern const uint8_t name[]

INSN(i_addps, "addps %xmm1, %xmm0");
INSN(i_addps_mem, "addps 0x20(%rbx,%rcx,4), %xmm9");
INSN(i_mulsd, "mulsd (%rbx), %xmm0");
INSN(i_cvtsi2sd_rsp, "cvtsi2sd %rsp, %xmm0");
INSN(i_cvttsd2si_rsp, "cvttsd2si %xmm0, %rsp");
INSN(i_pshufb, "pshufb (%rbx), %xmm2");
INSN(i_movaps_load, "movaps (%rbx), %xmm15");
INSN(i_movaps_store, "movaps %xmm1, (%rbx)");
INSN(i_movups_load, "movups (%rbx), %xmm0");
INSN(i_movups_store, "movups %xmm1, (%rbx)");
INSN(i_movdqu_rip, "movdqu 0x100(%rip), %xmm3");
INSN(i_movdqu_fs, "movdqu %fs:0x10(%rbx), %xmm3");
INSN(i_movdqu_ea32, "movdqu 0x10(%ebx), %xmm3");
INSN(i_movdqu_stack, "movdqu 8(%rsp), %xmm3");
INSN(i_movq_gpr, "movq %xmm1, %r13");
INSN(i_movd, "movd %eax, %xmm7");
INSN(i_pxor, "pxor %xmm1, %xmm1");
INSN(i_ucomisd, "ucomisd %xmm1, %xmm0");
INSN(i_divsd, "divsd %xmm1, %xmm0");
INSN(i_crc32, "crc32q (%rbx), %rax");
INSN(i_popcnt, "popcnt %rbx, %rax");
INSN(i_movbe, "movbe (%rbx), %rax");
INSN(i_mulx_rsp, "mulx %rsp, %rax, %r12");
INSN(i_bextr, "bextr %rcx, (%rbx), %rsp");
INSN(i_cmpxchg16b, "lock cmpxchg16b (%rsi)");
INSN(i_prefetch, "prefetcht0 (%rbx)");
INSN(i_fldl, "fldl (%rbx)");
INSN(i_fadd, "faddl (%rbx)");
INSN(i_fstpl, "fstpl (%rbx)");
INSN(i_fnstenv, "fnstenv (%rbx)");
INSN(i_fninit, "fninit");
INSN(i_fldcw, "fldcw (%rbx)");
INSN(i_fdiv, "fdivp");
INSN(i_emms, "emms");
INSN(i_vaddpd, "vaddpd (%rbx), %ymm1, %ymm10");
INSN(i_vbroadcast, "vbroadcastss (%rbx), %ymm2");
INSN(i_vzeroupper, "vzeroupper");
INSN(i_vmovdqa, "vmovdqa (%rbx), %ymm2");
INSN(i_vaddps_mask, "vaddps (%rbx), %zmm1, %zmm20{%k1}{z}");
INSN(i_vaddps_bcst, "vaddps 0x40(%rbx){1to16}, %zmm1, %zmm0");
INSN(i_vmovups_store_mask, "vmovups %zmm1, (%rbx){%k1}");
INSN(i_kmovq, "kmovq %k1, %rax");
INSN(i_xgetbv, "xgetbv");
INSN(i_xsetbv, "xsetbv");
INSN(i_xsave, "xsave64 (%rbx)");
INSN(i_xsavec, "xsavec64 (%rbx)");
INSN(i_xrstor, "xrstor64 (%rbx)");
INSN(i_fxsave, "fxsave64 (%rbx)");
INSN(i_fxrstor, "fxrstor64 (%rbx)");
INSN(i_ldmxcsr, "ldmxcsr (%rbx)");
INSN(i_stmxcsr, "stmxcsr (%rbx)");
INSN(i_rdtscp, "rdtscp");
INSN(i_swapgs, "swapgs");
INSN(i_wrfsbase, "wrfsbase %rax");
INSN(i_in, "in %dx, %al");
INSN(i_syscall, "syscall");
INSN(i_int3, "int3");
INSN(i_mov_cr3, "mov %rax, %cr3");
INSN(i_hlt, "hlt");
INSN(i_jmp, "jmp *%rax");
INSN(i_ret, "ret");
INSN(i_cpuid, "cpuid");
INSN(i_mov_store, "mov %rax, (%rbx)");
INSN(i_lidt, "lidt (%rbx)");
INSN(i_wrmsr, "wrmsr");
INSN(i_wrpkru, ".byte 0x0f, 0x01, 0xef");
INSN(i_garbage, ".byte 0x62, 0xff, 0xff, 0xff, 0x06");
INSN(i_push, "push %rax");
INSN(i_pop_rsp, "pop 8(%rsp)");
INSN(i_call, "call *(%rbx)");
INSN(i_movs, "rep movsq");
INSN(i_bts, "bts %rax, (%rbx)");
INSN(i_lea, "lea (%rbx), %rax");
INSN(i_add_mem, "addl $1, 4(%rbx)");

enum { BASE = 0x10000, HOLE = 0x14000, HOLE_END = 0x15000, END = 0x18000, CODE = 0x7000 };
static struct {
	uint8_t bytes[END - BASE];
	unsigned reads, writes;
} ram;
static struct gyve_x86_regs regs;
static struct gyve_assist_out out;
static struct gyve_err err;

static int access_at(gyve_gva_t gva, size_t len, gyve_gva_t *fault)
{
	for (size_t i = 0; i < len; i++)
		if (gva + i < BASE || gva + i >= END || (gva + i >= HOLE && gva + i < HOLE_END)) {
			*fault = gva + i;
			return -EFAULT;
		}
	return 0;
}
static int ram_read(void *ctx, gyve_gva_t gva, void *buf, size_t len, gyve_gva_t *fault)
{
	(void)ctx;
	ram.reads++;
	if (access_at(gva, len, fault) < 0)
		return -EFAULT;
	memcpy(buf, ram.bytes + (gva - BASE), len);
	return 0;
}
static int ram_write(void *ctx, gyve_gva_t gva, const void *buf, size_t len, gyve_gva_t *fault)
{
	(void)ctx;
	ram.writes++;
	if (access_at(gva, len, fault) < 0)
		return -EFAULT;
	memcpy(ram.bytes + (gva - BASE), buf, len);
	return 0;
}
static uint64_t ram_tsc(void *ctx)
{
	(void)ctx;
	return 0x123456789abcull;
}
static const struct gyve_assist_mem mem = {.read = ram_read, .write = ram_write, .tsc = ram_tsc};

static uint64_t host_xcr0(void)
{
	uint32_t a, d;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}
static bool has7b(unsigned bit)
{
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> bit & 1;
}
static bool has_avx(void)
{
	return (host_xcr0() & 6) == 6;
}
static bool has_avx512(void)
{
	return (host_xcr0() & 0xe6) == 0xe6 && has7b(16);
}
static uint32_t xoffset(unsigned comp)
{
	unsigned a, b = 0, c, d;
	__get_cpuid_count(0xd, comp, &a, &b, &c, &d);
	return b;
}

static void put(unsigned at, const void *v, size_t n)
{
	memcpy(regs.xsave + at, v, n);
}
static void put_xmm(unsigned i, const void *v)
{
	put(160 + 16 * i, v, 16);
}
static const void *xmm(unsigned i)
{
	return regs.xsave + 160 + 16 * i;
}
static uint64_t get64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}
static uint32_t get32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}
static void set64(void *p, uint64_t v)
{
	memcpy(p, &v, 8);
}
static void set32(void *p, uint32_t v)
{
	memcpy(p, &v, 4);
}
static uint8_t *at(gyve_gva_t gva)
{
	return ram.bytes + (gva - BASE);
}

static int fresh(void **state)
{
	uint16_t fcw = 0x37f;

	(void)state;
	memset(&regs, 0, sizeof(regs));
	memset(&err, 0, sizeof(err));
	for (size_t i = 0; i < sizeof(ram.bytes); i++)
		ram.bytes[i] = (uint8_t)(i * 7 + (i >> 8));
	ram.reads = ram.writes = 0;
	for (unsigned i = 0; i < 16; i++)
		regs.gpr[i] = 0x1111111111111111ull * i;
	regs.gpr[GYVE_RSP] = BASE + 0x2000;
	regs.gpr[GYVE_RBX] = BASE + 0x100;
	regs.rip = CODE;
	regs.rflags = 0x202;
	regs.efer = 0x500;
	regs.cr0 = 0x80000031;
	regs.cr4 = 0x40620;
	regs.seg[GYVE_CS].l = 1;
	regs.seg[GYVE_CS].selector = 8;
	regs.xcr0 = host_xcr0() & 0xe7;
	regs.xsave_len = sizeof(regs.xsave);
	set64(regs.xsave + 512, regs.xcr0);
	put(0, &fcw, 2);
	set32(regs.xsave + 24, 0x1f80);
	return 0;
}

static enum gyve_assist_result run(const uint8_t *insn)
{
	return gyve_assist_x86(&regs, insn + 1, insn[0], &mem, &out, &err);
}
/* It must be done, and rip advanced. */
static void ok(const uint8_t *insn)
{
	uint64_t rip = regs.rip;

	if (run(insn) != GYVE_ASSIST_DONE)
		fail_msg("not done: %s (vector %u)", err.text, out.vector);
	assert_int_equal(regs.rip, rip + insn[0]);
	assert_string_not_equal(out.mnemonic, "");
}
static void faults(const uint8_t *insn, unsigned vector)
{
	struct gyve_x86_regs before = regs;

	assert_int_equal(run(insn), GYVE_ASSIST_FAULT);
	assert_int_equal(out.vector, vector);
	assert_memory_equal(&before, &regs, sizeof(regs));
}

static void test_sse(void **state)
{
	float a[4] = {1, 2, 3, 4}, b[4] = {10, 20, 30, 40}, sum[4] = {11, 22, 33, 44};
	uint8_t shuffle[16], src[16], want[16];
	double d = 1.5, e = -4;

	(void)state;
	put_xmm(0, a);
	put_xmm(1, b);
	ok(i_addps);
	assert_memory_equal(xmm(0), sum, 16);
	assert_memory_equal(xmm(1), b, 16);
	assert_string_equal(out.mnemonic, "addps");
	assert_int_equal(out.changed, GYVE_REGS_GPR | GYVE_REGS_FP);

	put_xmm(9, a);
	regs.gpr[GYVE_RCX] = 4;
	memcpy(at(BASE + 0x130), b, 16);
	ok(i_addps_mem);
	assert_memory_equal(xmm(9), sum, 16);

	put(160, &d, 8);
	memcpy(at(BASE + 0x100), &e, 8);
	ok(i_mulsd);
	d = -6;
	assert_memory_equal(xmm(0), &d, 8);

	for (int i = 0; i < 16; i++) {
		src[i] = (uint8_t)(0xa0 + i);
		shuffle[i] = (uint8_t)(15 - i);
		want[i] = (uint8_t)(0xa0 + 15 - i);
	}
	put_xmm(2, src);
	memcpy(at(BASE + 0x100), shuffle, 16);
	ok(i_pshufb);
	assert_memory_equal(xmm(2), want, 16);
	put_xmm(1, src);
	ok(i_movq_gpr);
	assert_int_equal(regs.gpr[13], get64(src));
	regs.gpr[GYVE_RAX] = 0x1234567890ull;
	ok(i_movd);
	assert_int_equal(get64(xmm(7)), 0x34567890);
	ok(i_pxor);
	assert_int_equal(get64(xmm(1)), 0);
	assert_int_equal(regs.rflags, 0x202);
}

static void test_load_store(void **state)
{
	(void)state;
	ok(i_movaps_load);
	assert_memory_equal(xmm(15), at(BASE + 0x100), 16);
	put_xmm(1, "0123456789abcdef");
	ok(i_movaps_store);
	assert_memory_equal(at(BASE + 0x100), "0123456789abcdef", 16);
	regs.gpr[GYVE_RBX]++;
	faults(i_movaps_load, 13);
	assert_true(out.has_error);
	faults(i_movaps_store, 13);
	faults(i_addps_mem, 13);
	ok(i_movups_load);
	assert_memory_equal(xmm(0), at(BASE + 0x101), 16);
	ok(i_movups_store);
	/* across a page */
	regs.gpr[GYVE_RBX] = BASE + 0xff9;
	ok(i_movups_load);
	assert_memory_equal(xmm(0), at(BASE + 0xff9), 16);
	ok(i_movups_store);
	assert_memory_equal(at(BASE + 0xff9), "0123456789abcdef", 16);
}

static void test_addresses(void **state)
{
	(void)state;
	regs.rip = BASE;
	ok(i_movdqu_rip);
	assert_memory_equal(xmm(3), at(BASE + i_movdqu_rip[0] + 0x100), 16);
	regs.seg[GYVE_FS].base = BASE + 0x3000;
	regs.gpr[GYVE_RBX] = (uint64_t)-0x20;
	ok(i_movdqu_fs);
	assert_memory_equal(xmm(3), at(BASE + 0x2ff0), 16);
	regs.gpr[GYVE_RBX] = 0xabcd00000000ull + BASE;
	ok(i_movdqu_ea32);
	assert_memory_equal(xmm(3), at(BASE + 0x10), 16);
	ok(i_movdqu_stack);
	assert_memory_equal(xmm(3), at(BASE + 0x2008), 16);
	regs.gpr[GYVE_RBX] = 0x8000000000000000ull;
	faults(i_movups_load, 13);
	regs.gpr[GYVE_RSP] = 0x8000000000000000ull;
	faults(i_movdqu_stack, 12);
}

static void test_page_faults(void **state)
{
	(void)state;
	regs.gpr[GYVE_RBX] = HOLE - 5;
	faults(i_movups_load, 14);
	assert_int_equal(out.cr2, HOLE);
	assert_int_equal(out.error, 0);
	faults(i_movups_store, 14);
	assert_int_equal(out.cr2, HOLE);
	assert_int_equal(out.error, 2);
	regs.seg[GYVE_CS].selector = 0x33;
	regs.gpr[GYVE_RBX] = HOLE_END - 1;
	faults(i_movups_store, 14);
	assert_int_equal(out.cr2, HOLE_END - 1);
	assert_int_equal(out.error, 6);
	regs.gpr[GYVE_RSI] = HOLE;
	faults(i_cmpxchg16b, 14);
	assert_int_equal(out.error, 6);
}

static void test_rsp_operand(void **state)
{
	double d;
	uint64_t rbx = regs.gpr[GYVE_RBX];

	(void)state;
	regs.gpr[GYVE_RSP] = 77;
	ok(i_cvtsi2sd_rsp);
	memcpy(&d, xmm(0), 8);
	assert_true(d == 77);
	d = 123.9;
	put(160, &d, 8);
	ok(i_cvttsd2si_rsp);
	assert_int_equal(regs.gpr[GYVE_RSP], 123);
	assert_int_equal(regs.gpr[GYVE_RBX], rbx);
	if (!has7b(8))
		return;
	regs.gpr[GYVE_RDX] = 1ull << 63;
	ok(i_mulx_rsp);
	assert_int_equal(regs.gpr[12], 61);
	assert_int_equal(regs.gpr[GYVE_RAX], 1ull << 63);
	regs.gpr[GYVE_RCX] = 0x0804;
	set64(at(rbx), 0xabcd);
	ok(i_bextr);
	assert_int_equal(regs.gpr[GYVE_RSP], 0xbc);
	assert_int_equal(regs.gpr[GYVE_RBX], rbx);
}

static void test_integer(void **state)
{
	uint64_t crc = 0xffffffff;

	(void)state;
	__asm__("crc32q %1, %0" : "+r"(crc) : "r"(0ull));
	regs.gpr[GYVE_RAX] = 0xffffffff;
	memcpy(at(BASE + 0x100), "\0\0\0\0\0\0\0\0", 8);
	ok(i_crc32);
	assert_int_equal(regs.gpr[GYVE_RAX], crc);
	regs.rflags |= 0x41;
	ok(i_popcnt);
	assert_int_equal(regs.gpr[GYVE_RAX], __builtin_popcountll(regs.gpr[GYVE_RBX]));
	assert_int_equal(regs.rflags, 0x202);
	set64(at(BASE + 0x100), 0x0102030405060708ull);
	ok(i_movbe);
	assert_int_equal(regs.gpr[GYVE_RAX], 0x0807060504030201ull);
	regs.gpr[GYVE_RSI] = BASE + 0x200;
	set64(at(BASE + 0x200), 5);
	set64(at(BASE + 0x208), 6);
	regs.gpr[GYVE_RAX] = 5;
	regs.gpr[GYVE_RDX] = 6;
	regs.gpr[GYVE_RBX] = 7;
	regs.gpr[GYVE_RCX] = 8;
	ok(i_cmpxchg16b);
	assert_int_equal(get64(at(BASE + 0x200)), 7);
	assert_int_equal(get64(at(BASE + 0x208)), 8);
	assert_true(regs.rflags & 0x40);
	ok(i_cmpxchg16b);
	assert_false(regs.rflags & 0x40);
	assert_int_equal(regs.gpr[GYVE_RAX], 7);
	regs.gpr[GYVE_RSI] += 8;
	faults(i_cmpxchg16b, 13);
	regs.gpr[GYVE_RBX] = HOLE;
	ok(i_prefetch);
}

static void test_flags_and_exceptions(void **state)
{
	double one = 1, two = 2, zero = 0;

	(void)state;
	put(160, &one, 8);
	put(176, &two, 8);
	regs.rflags = 0x202 | 0x8d5 | 0x400;
	ok(i_ucomisd);
	assert_int_equal(regs.rflags, 0x202 | 0x400 | 1);
	put(176, &zero, 8);
	ok(i_divsd);
	assert_int_equal(get32(regs.xsave + 24), 0x1f84);
	assert_int_equal(get64(xmm(0)), 0x7ff0000000000000ull);
	/* division by zero unmasked */
	put(160, &one, 8);
	set32(regs.xsave + 24, 0x1d80);
	assert_int_equal(run(i_divsd), GYVE_ASSIST_FAULT);
	assert_int_equal(out.vector, 19);
	assert_int_equal(out.changed, GYVE_REGS_FP);
	assert_int_equal(get32(regs.xsave + 24), 0x1d84);
	assert_memory_equal(xmm(0), &one, 8);
	assert_int_equal(regs.rip, CODE + i_ucomisd[0] + i_divsd[0]);
	regs.cr4 &= ~0x400ull;
	faults(i_divsd, 6);
}

static void test_x87(void **state)
{
	double d = 2.5, e = 4;
	uint16_t fsw;

	(void)state;
	set64(regs.xsave + 512, 0); /* everything in its initial configuration */
	memcpy(at(BASE + 0x100), &d, 8);
	ok(i_fldl);
	assert_true(get64(regs.xsave + 512) & 1);
	assert_int_equal(get64(regs.xsave + 8), CODE);
	assert_int_equal(get64(regs.xsave + 16), BASE + 0x100);
	memcpy(at(BASE + 0x100), &e, 8);
	ok(i_fadd);
	ok(i_fstpl);
	memcpy(&d, at(BASE + 0x100), 8);
	assert_true(d == 6.5);
	assert_int_equal(regs.xsave[4], 0);
	/* no host address in what it stores */
	ok(i_fnstenv);
	assert_int_equal(get32(at(BASE + 0x10c)), CODE + i_fldl[0] + i_fadd[0]);
	assert_int_equal(get32(at(BASE + 0x114)), BASE + 0x100);
	/* 0/0 unmasked waits for the next instruction that looks */
	ok(i_fninit);
	set32(at(BASE + 0x100), 0x37e);
	ok(i_fldcw);
	set64(at(BASE + 0x100), 0);
	ok(i_fldl);
	ok(i_fldl);
	ok(i_fdiv);
	memcpy(&fsw, regs.xsave + 2, 2);
	assert_true(fsw & 0x81);
	faults(i_fldl, 16);
	faults(i_emms, 16);
	ok(i_fninit);
	ok(i_fldl);
	ok(i_emms);
	regs.cr0 |= 8;
	faults(i_fldl, 7);
	faults(i_addps, 7);
	regs.cr0 ^= 8 | 4;
	faults(i_fldl, 7);
	faults(i_addps, 6);
	faults(i_emms, 6);
	regs.cr0 ^= 4;
	regs.cr4 &= ~0x200ull;
	faults(i_addps, 6);
	ok(i_crc32);
}

static void test_avx(void **state)
{
	double a[4] = {1, 2, 3, 4}, b[4] = {5, 6, 7, 8};

	(void)state;
	if (!has_avx())
		skip();
	put_xmm(1, a);
	put(576 + 16, a + 2, 16);
	memcpy(at(BASE + 0x100), b, 32);
	ok(i_vaddpd);
	for (int i = 0; i < 4; i++)
		a[i] += b[i];
	assert_memory_equal(xmm(10), a, 16);
	assert_memory_equal(regs.xsave + 576 + 160, a + 2, 16);
	ok(i_vbroadcast);
	assert_int_equal(get32(regs.xsave + 576 + 32 + 12), get32(at(BASE + 0x100)));
	ok(i_vmovdqa);
	regs.gpr[GYVE_RBX] += 16;
	faults(i_vmovdqa, 13);
	ok(i_vaddpd);
	ok(i_vzeroupper);
	for (unsigned i = 0; i < 32 && get64(regs.xsave + 512) & 4; i++)
		assert_int_equal(get64(regs.xsave + 576 + 8 * i), 0);
	regs.xcr0 = 3;
	faults(i_vaddpd, 6);
	regs.xcr0 = 7;
	regs.cr4 &= ~0x40000ull;
	faults(i_vaddpd, 6);
}

static void test_avx512(void **state)
{
	float a[16], b[16];

	(void)state;
	if (!has_avx512()) {
		assert_int_equal(run(i_vaddps_bcst), GYVE_ASSIST_UNSUPPORTED);
		assert_non_null(strstr(err.text, "vaddps"));
		skip();
	}
	for (int i = 0; i < 16; i++) {
		a[i] = (float)i;
		b[i] = (float)(100 * i);
	}
	put_xmm(1, a);
	put(576 + 16, a + 4, 16);
	put(xoffset(6) + 32, a + 8, 32);
	memcpy(at(BASE + 0x100), b, 64);
	memcpy(at(BASE + 0x140), &b[3], 4);
	set64(regs.xsave + xoffset(5) + 8, 0x8001);
	memset(regs.xsave + xoffset(7), 0xee, 1024);
	ok(i_vaddps_mask);
	for (int i = 0; i < 16; i++) {
		float want = i == 0 || i == 15 ? a[i] + b[i] : 0, got;
		memcpy(&got, regs.xsave + xoffset(7) + 64 * 4 + 4 * i, 4);
		assert_true(got == want);
	}
	ok(i_vaddps_bcst);
	for (int i = 0; i < 4; i++) {
		float got;
		memcpy(&got, (const uint8_t *)xmm(0) + 4 * i, 4);
		assert_true(got == a[i] + b[3]);
	}
	ok(i_vmovups_store_mask);
	assert_memory_equal(at(BASE + 0x13c), &a[15], 4);
	assert_memory_equal(at(BASE + 0x138), &b[14], 4);
	ok(i_kmovq);
	assert_int_equal(regs.gpr[GYVE_RAX], 0x8001);
	regs.xcr0 = 7;
	faults(i_vaddps_bcst, 6);
	faults(i_kmovq, 6);
}

static void test_xcr(void **state)
{
	(void)state;
	regs.gpr[GYVE_RCX] = 0;
	ok(i_xgetbv);
	assert_int_equal(regs.gpr[GYVE_RAX], regs.xcr0);
	assert_int_equal(regs.gpr[GYVE_RDX], 0);
	regs.gpr[GYVE_RAX] = 3;
	ok(i_xsetbv);
	assert_int_equal(regs.xcr0, 3);
	assert_true(out.changed & GYVE_REGS_FP);
	regs.gpr[GYVE_RAX] = 2;
	faults(i_xsetbv, 13);
	regs.gpr[GYVE_RAX] = 5;
	faults(i_xsetbv, 13);
	regs.gpr[GYVE_RAX] = 3;
	regs.seg[GYVE_CS].selector = 0x33;
	faults(i_xsetbv, 13);
	regs.gpr[GYVE_RCX] = 5;
	faults(i_xgetbv, 13);
	regs.cr4 &= ~0x40000ull;
	faults(i_xgetbv, 6);
}

static void fill_state(uint8_t seed)
{
	for (unsigned i = 32; i < 416; i++)
		regs.xsave[i] = (uint8_t)(i * 3 + seed);
	for (unsigned c = 2; c < 8; c++)
		if (regs.xcr0 >> c & 1)
			memset(regs.xsave + xoffset(c), seed + (int)c, c == 5 ? 64 : c == 7 ? 1024 : c == 6 ? 512 : 256);
}

static void test_xsave(void **state)
{
	const uint8_t *const saves[] = {i_xsave, i_xsavec};
	struct gyve_x86_regs kept;

	(void)state;
	regs.gpr[GYVE_RAX] = regs.gpr[GYVE_RDX] = (uint64_t)-1;
	for (size_t i = 0; i < 2; i++) {
		fill_state((uint8_t)(40 + i));
		regs.gpr[GYVE_RBX] = BASE + 0x1000;
		memset(at(BASE + 0x1000 + 512), 0, 64);
		kept = regs;
		ok(saves[i]);
		assert_int_equal(get64(at(BASE + 0x1200)), regs.xcr0);
		if (i == 0)
			assert_memory_equal(at(BASE + 0x1000 + 576), regs.xsave + 576, has_avx() ? 256 : 0);
		assert_int_equal(get64(at(BASE + 0x1208)), i ? regs.xcr0 | 1ull << 63 : 0);
		fill_state(1);
		set32(regs.xsave + 24, 0x1fa0);
		ok(i_xrstor);
		set32(regs.xsave + 28, get32(kept.xsave + 28));
		assert_memory_equal(regs.xsave, kept.xsave, sizeof(regs.xsave));
	}
	/* initial configuration: the second component asked for, not the others */
	set64(at(BASE + 0x1200), 0);
	regs.gpr[GYVE_RAX] = 2;
	regs.gpr[GYVE_RDX] = 0;
	ok(i_xrstor);
	assert_int_equal(get64(regs.xsave + 512), regs.xcr0 & ~2ull);
	/* what the header may not hold */
	set64(at(BASE + 0x1200), 1ull << 40);
	faults(i_xrstor, 13);
	set64(at(BASE + 0x1200), 3);
	set64(at(BASE + 0x1208), 1);
	faults(i_xrstor, 13);
	set64(at(BASE + 0x1208), 0);
	set32(at(BASE + 0x1018), 0xffff0000);
	faults(i_xrstor, 13);
	regs.gpr[GYVE_RBX] += 16;
	faults(i_xsave, 13);
	regs.gpr[GYVE_RBX] = HOLE - 64;
	faults(i_xsave, 14);
	assert_int_equal(out.cr2, HOLE);
}

static void test_fxsave(void **state)
{
	struct gyve_x86_regs kept;

	(void)state;
	fill_state(7);
	kept = regs;
	ok(i_fxsave);
	fill_state(9);
	ok(i_fxrstor);
	assert_memory_equal(regs.xsave + 32, kept.xsave + 32, 416 - 32);
	set32(at(BASE + 0x100), 0x1f00);
	ok(i_ldmxcsr);
	assert_int_equal(get32(regs.xsave + 24), 0x1f00);
	set32(at(BASE + 0x100), 0x80000000);
	faults(i_ldmxcsr, 13);
	ok(i_stmxcsr);
	assert_int_equal(get32(at(BASE + 0x100)), 0x1f00);
}

static void test_system(void **state)
{
	(void)state;
	regs.tsc_aux = 42;
	ok(i_rdtscp);
	assert_int_equal(regs.gpr[GYVE_RDX] << 32 | regs.gpr[GYVE_RAX], 0x123456789abcull);
	assert_int_equal(regs.gpr[GYVE_RCX], 42);
	regs.seg[GYVE_GS].base = 1;
	regs.kernel_gs_base = 2;
	ok(i_swapgs);
	assert_int_equal(regs.seg[GYVE_GS].base, 2);
	assert_int_equal(out.changed, GYVE_REGS_GPR | GYVE_REGS_SYS);
	faults(i_wrfsbase, 6);
	regs.cr4 |= 1 << 16;
	regs.gpr[GYVE_RAX] = 1ull << 63;
	faults(i_wrfsbase, 13);
	regs.gpr[GYVE_RAX] = 0x7777;
	ok(i_wrfsbase);
	assert_int_equal(regs.seg[GYVE_FS].base, 0x7777);
}

static void test_refused(void **state)
{
	const uint8_t *const insns[] = {i_in,    i_syscall, i_int3,      i_mov_cr3, i_hlt,    i_jmp,  i_ret,
					i_cpuid, i_lidt,    i_mov_store, i_wrmsr,   i_wrpkru, i_push, i_garbage};
	struct gyve_x86_regs before = regs;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(insns); i++) {
		err.text[0] = 0;
		assert_int_equal(run(insns[i]), GYVE_ASSIST_UNSUPPORTED);
		assert_non_null(strstr(err.text, "cannot carry out"));
	}
	assert_memory_equal(&before, &regs, sizeof(regs));
	assert_int_equal(ram.reads + ram.writes, 0);
	run(i_in);
	assert_string_equal(err.text, "cannot carry out 'in al, dx': not an instruction the assist knows");
	regs.xsave_len = 0;
	assert_int_equal(run(i_addps), GYVE_ASSIST_UNSUPPORTED);
	assert_int_equal(gyve_assist_x86(&regs, i_addps + 1, 1, &mem, &out, &err), GYVE_ASSIST_UNSUPPORTED);
	assert_int_equal(gyve_assist_x86(&regs, i_addps + 1, 0, &mem, &out, NULL), GYVE_ASSIST_UNSUPPORTED);
}

static void test_disasm(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(gyve_x86_disasm(i_movups_load + 1, i_movups_load[0], 0, text, sizeof(text)), i_movups_load[0]);
	assert_string_equal(text, "movups xmm0, [rbx]");
	assert_int_equal(gyve_x86_disasm(i_garbage + 1, i_garbage[0], 0, text, sizeof(text)), -EINVAL);
	assert_int_equal(gyve_x86_disasm(i_addps + 1, 0, 0, text, sizeof(text)), -EINVAL);
}

static void refs(const uint8_t *insn, int want, gyve_gva_t gva, uint32_t len, bool r, bool w)
{
	struct gyve_x86_data_ref ref[4] = {0};
	int n = gyve_x86_data_refs(&regs, insn + 1, insn[0], ref);

	assert_int_equal(n, want);
	for (int i = 0; i < n; i++)
		if (ref[i].gva == gva && ref[i].len == len && ref[i].read == r && ref[i].write == w)
			return;
	if (want)
		fail_msg("not among them: first %lx+%u r%d w%d", ref[0].gva, ref[0].len, ref[0].read, ref[0].write);
}

static void test_data_refs(void **state)
{
	uint64_t rsp = regs.gpr[GYVE_RSP];

	(void)state;
	refs(i_add_mem, 1, BASE + 0x104, 4, true, true);
	refs(i_movaps_store, 1, BASE + 0x100, 16, false, true);
	refs(i_lea, 0, 0, 0, false, false);
	refs(i_prefetch, 0, 0, 0, false, false);
	refs(i_push, 1, rsp - 8, 8, false, true);
	refs(i_call, 2, rsp - 8, 8, false, true);
	refs(i_call, 2, BASE + 0x100, 8, true, false);
	refs(i_ret, 1, rsp, 8, true, false);
	refs(i_pop_rsp, 2, rsp + 16, 8, false, true);
	refs(i_pop_rsp, 2, rsp, 8, true, false);
	regs.gpr[GYVE_RSI] = 0x1000;
	regs.gpr[GYVE_RDI] = 0x2000;
	refs(i_movs, 2, 0x1000, 8, true, false);
	refs(i_movs, 2, 0x2000, 8, false, true);
	regs.gpr[GYVE_RCX] = 0;
	refs(i_movs, 0, 0, 0, false, false);
	regs.gpr[GYVE_RAX] = (uint64_t)-1;
	refs(i_bts, 1, BASE + 0xf8, 8, true, true);
	assert_int_equal(gyve_x86_data_refs(&regs, i_garbage + 1, i_garbage[0], (struct gyve_x86_data_ref[4]){{0}}), -EINVAL);
}

static uint64_t random64(void)
{
	static uint64_t s = 0x9e3779b97f4a7c15ull;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s;
}

/* Bytes likely to be vector instructions: random ones rarely are. */
static void random_insn(uint8_t *b, unsigned kind)
{
	static const uint8_t prefix[] = {0x66, 0xf2, 0xf3, 0xf0, 0x67, 0x64, 0x65, 0x48, 0x41, 0x4f};
	unsigned n = 0;

	for (unsigned i = 0; i < 15; i++)
		b[i] = (uint8_t)(random64() >> 20);
	if (kind == 0)
		return;
	for (unsigned i = random64() % 3; i; i--)
		b[n++] = prefix[random64() % sizeof(prefix)];
	switch (kind) {
	case 1:
		b[n] = 0x0f;
		break;
	case 2:
		b[n++] = 0x0f;
		b[n] = random64() & 1 ? 0x38 : 0x3a;
		break;
	case 3:
		b[n] = 0xc5;
		break;
	case 4:
		b[n++] = 0xc4;
		b[n] = (uint8_t)((b[n] & 0xe0) | (1 + random64() % 3));
		break;
	case 5:
		b[n++] = 0x62;
		b[n] = (uint8_t)((b[n] & 0xf0) | (1 + random64() % 3));
		b[n + 1] |= 4;
		break;
	default:
		b[n] = (uint8_t)(0xd8 + random64() % 8);
		break;
	}
}

/* Whatever the bytes: no crash, no host state lost, and every change of memory came by the callbacks. */
static void test_random(void **state)
{
	unsigned done = 0, faulted = 0;
	uint8_t insn[15];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		if (i % 64 == 0) {
			fresh(NULL);
			for (unsigned g = 0; g < 16; g++)
				regs.gpr[g] = i & 64 ? BASE + random64() % (END - BASE) : random64();
			for (unsigned x = 0; i & 128 && x < 832; x++)
				regs.xsave[x] = (uint8_t)random64();
			regs.cr4 |= 1 << 16;
		}
		random_insn(insn, random64() % 7);
		regs.rip = CODE;
		switch (gyve_assist_x86(&regs, insn, 15, &mem, &out, &err)) {
		case GYVE_ASSIST_DONE:
			done++;
			break;
		case GYVE_ASSIST_FAULT:
			faulted++;
			break;
		default:
			break;
		}
	}
	print_message("%u done, %u faulted\n", done, faulted);
	assert_true(done > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sse, fresh),
		cmocka_unit_test_setup(test_load_store, fresh),
		cmocka_unit_test_setup(test_addresses, fresh),
		cmocka_unit_test_setup(test_page_faults, fresh),
		cmocka_unit_test_setup(test_rsp_operand, fresh),
		cmocka_unit_test_setup(test_integer, fresh),
		cmocka_unit_test_setup(test_flags_and_exceptions, fresh),
		cmocka_unit_test_setup(test_x87, fresh),
		cmocka_unit_test_setup(test_avx, fresh),
		cmocka_unit_test_setup(test_avx512, fresh),
		cmocka_unit_test_setup(test_xcr, fresh),
		cmocka_unit_test_setup(test_xsave, fresh),
		cmocka_unit_test_setup(test_fxsave, fresh),
		cmocka_unit_test_setup(test_system, fresh),
		cmocka_unit_test_setup(test_refused, fresh),
		cmocka_unit_test_setup(test_disasm, fresh),
		cmocka_unit_test_setup(test_data_refs, fresh),
		cmocka_unit_test_setup(test_random, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
