/* Monitor commands over a hostile guest: its page tables, descriptor tables and registers, and the command lines themselves.
 * Input: a byte (bit 0: aarch64), a byte n, n commands each ended by a newline, then registers' bytes, then memory's. */
#include "gyve/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM = 0x4000, REGS = 256 };
static uint8_t ram[RAM];
static struct gyve_regs regs;
static size_t written;

static struct gyve_regs *fake_regs(void *ctx, unsigned cpu, unsigned groups)
{
	(void)ctx, (void)cpu;
	regs.valid |= groups;
	return &regs;
}

static int fake_msr(void *ctx, unsigned cpu, bool write, uint32_t index, uint64_t *val)
{
	(void)ctx, (void)cpu;
	if (!write)
		*val = index;
	return index & 1 ? -2 : 0;
}

static int fake_irq_reg(void *ctx, unsigned cpu, enum gyve_irq_part part, uint32_t reg, uint64_t *ret)
{
	(void)ctx, (void)cpu, (void)part;
	memcpy(ret, ram + reg % (RAM - 8), 8);
	return 0;
}

static const struct gyve_target_ops ops = {.name = "fake", .regs = fake_regs, .msr = fake_msr, .irq_reg = fake_irq_reg};

static void count(void *ctx, const void *buf, size_t len)
{
	(void)ctx, (void)buf;
	written += len;
}

/* System registers from the input; the tables' roots and bases are brought near memory, or every walk would end at once. */
static void make_regs(bool a64, const uint8_t *p, size_t n)
{
	memset(&regs, 0, sizeof(regs));
	regs.arch = a64 ? GYVE_AARCH64 : GYVE_X86_64;
	if (a64) {
		memcpy(&regs.a64.sp_el0, p,
		       n < sizeof(regs.a64) - offsetof(struct gyve_a64_regs, sp_el0)
			       ? n
			       : sizeof(regs.a64) - offsetof(struct gyve_a64_regs, sp_el0));
		regs.a64.ttbr0_el1 %= RAM;
		regs.a64.ttbr1_el1 %= RAM;
		regs.a64.sve_vl = 0;
	} else {
		memcpy(&regs.x86.gdt_base, p, n < 100 ? n : 100);
		regs.x86.cr3 %= RAM;
		regs.x86.gdt_base %= RAM;
		regs.x86.idt_base %= RAM;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct gyve_sink out = {count, NULL};
	struct gyve_memmap map;

	if (size < 2)
		return 0;
	bool a64 = data[0] & 1;
	unsigned n = data[1] % 16;
	const uint8_t *line = data + 2, *end = data + size, *rest = line;
	for (unsigned i = 0; i < n && rest < end; i++) {
		const uint8_t *next = memchr(rest, '\n', (size_t)(end - rest));
		rest = next ? next + 1 : end;
	}
	size_t left = (size_t)(end - rest), for_regs = left < REGS ? left : REGS;
	make_regs(a64, rest, for_regs);
	memset(ram, 0, sizeof(ram));
	memcpy(ram, rest + for_regs, left - for_regs < RAM ? left - for_regs : RAM);
	gyve_memmap_init(&map);
	if (gyve_memmap_add(&map, 0, RAM, ram, GYVE_REGION_RAM, "ram") < 0)
		abort();
	struct gyve_target t = {.ops = &ops, .arch = a64 ? &gyve_arch_aarch64 : &gyve_arch_x86_64, .ncpus = 1, .map = &map};
	t.phys = gyve_memmap_mem(&map);
	while (line < rest) {
		char cmd[300] = "";
		struct gyve_err err = {0};
		size_t len = strcspn((const char *)memcpy(cmd, line, (size_t)(rest - line) < 299 ? (size_t)(rest - line) : 299),
				     "\n");
		cmd[len] = '\0';
		written = 0;
		if (gyve_monitor(&t, 0, cmd, &out, &err) < 0 && !err.text[0])
			abort(); /* a refusal without a reason */
		line += len + 1;
	}
	gyve_memmap_deinit(&map);
	return 0;
}
