/* Vector arithmetic in ring 0: what some hosts' KVM cannot emulate and gyve completes. Exits with the number of the first
 * check that went wrong, 0 if none did. Vector instructions stand in asm only; the compiler is told to use none. */
#include "guest.h"

static uint8_t page[2 * 4096] __attribute__((aligned(4096)));
static float fa[4] __attribute__((aligned(16))) = {1, 2, 3, 4}, fb[4] __attribute__((aligned(16))) = {10, 20, 30, 40};
static float fr[4] __attribute__((aligned(16)));
static uint8_t ba[16] __attribute__((aligned(16))) = "gyve holds cpus", bb[16] __attribute__((aligned(16))) = "gyve molds cups";
static double da[4] __attribute__((aligned(32))) = {1, 2, 3, 4}, dr[4] __attribute__((aligned(32)));
static uint32_t order[4] __attribute__((aligned(16))) = {1, 2, 3, 4}, shuffled[4] __attribute__((aligned(16)));

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(sub));
}

static int enable(void)
{
	uint64_t cr0, cr4;
	uint32_t r[4];

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 & ~(1ull << 2 | 1ull << 3)) | 1ull << 1; /* not EM, not TS, MP */
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0));
	cpuid(1, 0, r);
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= 1ull << 9 | 1ull << 10; /* OSFXSR, OSXMMEXCPT */
	if (r[2] & 1u << 26)
		cr4 |= 1ull << 18; /* OSXSAVE */
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
	if (!(r[2] & 1u << 26) || !(r[2] & 1u << 28))
		return 0;
	__asm__ volatile("xsetbv" : : "c"(0), "a"(7), "d"(0));
	return 1;
}

static int sse_arithmetic(void)
{
	__asm__ volatile("movaps %1, %%xmm0; addps %2, %%xmm0; mulps %1, %%xmm0; movaps %%xmm0, %0"
			 : "=m"(fr)
			 : "m"(fa), "m"(fb));
	/* 11 44 99 176 as IEEE singles: general registers compare the bits */
	return ((uint32_t *)fr)[0] == 0x41300000 && ((uint32_t *)fr)[1] == 0x42300000 && ((uint32_t *)fr)[2] == 0x42c60000 &&
	       ((uint32_t *)fr)[3] == 0x43300000;
}

static int sse_bytes(void)
{
	uint32_t mask;

	__asm__ volatile("movdqa %1, %%xmm1; pcmpeqb %2, %%xmm1; pmovmskb %%xmm1, %0" : "=r"(mask) : "m"(ba), "m"(bb));
	return mask == 0xcfdf; /* they differ at 5, 12 and 13 */
}

static int sse_shuffle(void)
{
	__asm__ volatile("pshufd $0x1b, %1, %%xmm2; movdqa %%xmm2, %0" : "=m"(shuffled) : "m"(order));
	return shuffled[0] == 4 && shuffled[1] == 3 && shuffled[2] == 2 && shuffled[3] == 1;
}

static int sse_zero(void)
{
	uint64_t low;

	__asm__ volatile("pcmpeqb %%xmm3, %%xmm3; pxor %%xmm3, %%xmm3; movq %%xmm3, %0" : "=r"(low));
	return low == 0;
}

/* 16 bytes that lie across two pages */
static int sse_crossing(void)
{
	uint8_t *at = page + 4096 - 7;

	for (int i = 0; i < 16; i++)
		at[i] = (uint8_t)(i + 1);
	__asm__ volatile("movdqu (%0), %%xmm4; paddb %%xmm4, %%xmm4; movdqu %%xmm4, (%0)" : : "r"(at) : "memory");
	for (int i = 0; i < 16; i++)
		if (at[i] != (uint8_t)(2 * (i + 1)))
			return 0;
	return at[16] == 0 && at[-1] == 0;
}

static int sse_flags(void)
{
	uint8_t above;

	__asm__ volatile("movss %1, %%xmm5; comiss %2, %%xmm5; seta %0" : "=r"(above) : "m"(fb[0]), "m"(fa[0]) : "cc");
	return above == 1;
}

static int sse_convert(void)
{
	int64_t n;

	__asm__ volatile("cvtsi2sdq %1, %%xmm6; mulsd %2, %%xmm6; cvttsd2siq %%xmm6, %0"
			 : "=r"(n)
			 : "r"((int64_t)21), "m"(da[1]));
	return n == 42;
}

static int x87(void)
{
	uint32_t n;

	__asm__ volatile("fninit; flds %1; fadds %2; fistpl %0" : "=m"(n) : "m"(fa[1]), "m"(fb[3]));
	return n == 42;
}

static int avx(void)
{
	static const uint64_t want[4] = {0x4000000000000000, 0x4010000000000000, 0x4018000000000000, 0x4020000000000000};

	__asm__ volatile("vmovapd %1, %%ymm7; vaddpd %1, %%ymm7, %%ymm8; vmovapd %%ymm8, %0; vzeroupper" : "=m"(dr) : "m"(da));
	for (int i = 0; i < 4; i++)
		if (((uint64_t *)dr)[i] != want[i])
			return 0;
	return 1;
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	static int (*const checks[])(void) = {sse_arithmetic, sse_bytes,   sse_shuffle, sse_zero, sse_crossing,
					      sse_flags,      sse_convert, x87,         avx};
	int has_avx;

	(void)ncpus;
	if (cpu != 0)
		halt();
	has_avx = enable();
	for (unsigned i = 0; i < sizeof(checks) / sizeof(*checks) - !has_avx; i++)
		if (!checks[i]()) {
			put_text("wrong: check ");
			put_number(i + 1);
			put_text("\n");
			return (int)i + 1;
		}
	put_text(has_avx ? "x87, SSE and AVX are right\n" : "x87 and SSE are right\n");
	return 0;
}
