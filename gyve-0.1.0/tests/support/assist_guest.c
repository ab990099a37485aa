#include "assist_guest.h"

#include <cpuid.h>

struct assist_ram ram;
struct gyve_x86_regs regs;
struct gyve_assist_out out;
struct gyve_err err;

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
const struct gyve_assist_mem mem = {.read = ram_read, .write = ram_write, .tsc = ram_tsc};

uint64_t host_xcr0(void)
{
	uint32_t a, d;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}
bool has7b(unsigned bit)
{
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b >> bit & 1;
}
bool has_avx(void)
{
	return (host_xcr0() & 6) == 6;
}
bool has_avx512(void)
{
	return (host_xcr0() & 0xe6) == 0xe6 && has7b(16);
}
uint32_t xoffset(unsigned comp)
{
	unsigned a, b = 0, c, d;
	__get_cpuid_count(0xd, comp, &a, &b, &c, &d);
	return b;
}

void put(unsigned at, const void *v, size_t n)
{
	memcpy(regs.xsave + at, v, n);
}
void put_xmm(unsigned i, const void *v)
{
	put(160 + 16 * i, v, 16);
}
const void *xmm(unsigned i)
{
	return regs.xsave + 160 + 16 * i;
}
uint64_t get64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}
uint32_t get32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}
void set64(void *p, uint64_t v)
{
	memcpy(p, &v, 8);
}
void set32(void *p, uint32_t v)
{
	memcpy(p, &v, 4);
}
uint8_t *at(gyve_gva_t gva)
{
	return ram.bytes + (gva - BASE);
}

int fresh(void **state)
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

enum gyve_assist_result run(const uint8_t *insn)
{
	return gyve_assist_x86(&regs, insn + 1, insn[0], &mem, &out, &err);
}
/* It must be done, and rip advanced. */
void ok(const uint8_t *insn)
{
	uint64_t rip = regs.rip;

	if (run(insn) != GYVE_ASSIST_DONE)
		fail_msg("not done: %s (vector %u)", err.text, out.vector);
	assert_int_equal(regs.rip, rip + insn[0]);
	assert_string_not_equal(out.mnemonic, "");
}
void faults(const uint8_t *insn, unsigned vector)
{
	struct gyve_x86_regs before = regs;

	assert_int_equal(run(insn), GYVE_ASSIST_FAULT);
	assert_int_equal(out.vector, vector);
	assert_memory_equal(&before, &regs, sizeof(regs));
}
