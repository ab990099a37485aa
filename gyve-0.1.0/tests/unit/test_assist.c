/* The instruction assist: real instructions on a register file and a fake memory, compared with what they must give. */
#include "assist_guest.h"

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

INSN(i_vmovups_load_mask, "vmovups (%rbx), %zmm2{%k1}{z}");
INSN(i_vpcompressd, "vpcompressd %zmm1, (%rbx){%k1}");
INSN(i_vpmaskmov_store, "vpmaskmovd %ymm1, %ymm2, (%rbx)");
INSN(i_vmaskmov_load, "vmaskmovpd (%rbx), %ymm2, %ymm3");

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
	regs.seg[GYVE_SS].dpl = 3;
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

/* What the mask leaves out is neither written nor able to fault. */
static void test_masked(void **state)
{
	static const uint32_t signs[8] = {0x80000000, 1, 0xffffffff, 0, 0, 0, 0x80000001, 0};
	uint8_t before[64];

	(void)state;
	if (!has_avx512())
		skip();
	memset(regs.xsave + 176, 0xee, 16);
	memset(regs.xsave + 576 + 16, 0xee, 16);
	memset(regs.xsave + xoffset(6) + 32, 0xee, 32);
	set64(regs.xsave + xoffset(5) + 8, 0x0106);
	memcpy(before, at(BASE + 0x100), 64);
	ok(i_vmovups_store_mask);
	for (int i = 0; i < 16; i++)
		assert_int_equal(get32(at(BASE + 0x100 + 4 * i)), 0x106 >> i & 1 ? 0xeeeeeeee : get32(before + 4 * i));
	memcpy(at(BASE + 0x100), before, 64);
	ok(i_vpcompressd);
	assert_int_equal(get32(at(BASE + 0x108)), 0xeeeeeeee);
	assert_memory_equal(at(BASE + 0x10c), before + 12, 52);
	/* element 8 is the last one before the hole */
	regs.gpr[GYVE_RBX] = HOLE - 36;
	ok(i_vmovups_store_mask);
	ok(i_vmovups_load_mask);
	assert_int_equal(get32(regs.xsave + xoffset(6) + 64), 0xeeeeeeee);
	regs.gpr[GYVE_RBX] += 4;
	faults(i_vmovups_load_mask, 14);
	assert_int_equal(out.cr2, HOLE);
	faults(i_vmovups_store_mask, 14);
	/* nothing chosen: nothing touched */
	set64(regs.xsave + xoffset(5) + 8, 0);
	regs.gpr[GYVE_RBX] = HOLE;
	ok(i_vmovups_store_mask);
	ok(i_vmovups_load_mask);
	/* by sign */
	put_xmm(2, signs);
	put(576 + 32, signs + 4, 16);
	regs.gpr[GYVE_RBX] = HOLE - 28;
	memcpy(before, at(HOLE - 28), 28);
	ok(i_vpmaskmov_store);
	for (int i = 0; i < 7; i++)
		assert_int_equal(get32(at(HOLE - 28 + 4 * i)), signs[i] >> 31 ? 0xeeeeeeee : get32(before + 4 * i));
	set64(regs.xsave + 160 + 32 + 8, 1ull << 63);
	regs.gpr[GYVE_RBX] = HOLE - 16;
	ok(i_vmaskmov_load);
	assert_int_equal(get64(xmm(3)), 0);
	assert_memory_equal((const uint8_t *)xmm(3) + 8, at(HOLE - 8), 8);
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
		cmocka_unit_test_setup(test_masked, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
