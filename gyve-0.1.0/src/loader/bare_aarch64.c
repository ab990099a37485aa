/* Bare-metal ELF programs for aarch64: see docs/bare-metal.md for what they may expect. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../base/bytes.h"
#include "bare.h"

enum {
	RAM = 0x40000000,
	MAX_RAM_GIB = 64,
	STACK = 16 << 10,
	VECTORS = 4096,    /* at the end of RAM; 2 KiB are used */
	TRAP = 4096,       /* behind RAM: the vectors read here */
	UART = 0x09000000, /* a PL011 that never has input */
	UART_FLAGS = UART + 0x18,
	UART_END = UART + 0x1000,
	EXIT = 0x09001000,
	FLAGS_IDLE = 0x90, /* nothing received, everything sent */
};

static gyve_gpa_t ram_end(const struct bare *b)
{
	return RAM + b->ram_len;
}

static bool probe(const struct gyve_elf *elf)
{
	return elf->machine == EM_AARCH64 && !elf->dyn;
}

static uint64_t room_needed(unsigned ncpus)
{
	return VECTORS + (uint64_t)ncpus * STACK;
}

static int check_fit(const struct gyve_elf *elf, uint64_t ram_len, unsigned ncpus, struct gyve_err *err)
{
	uint64_t need = room_needed(ncpus);

	for (unsigned i = 0; i < elf->nsegs; i++) {
		uint64_t from = elf->seg[i].paddr, to = from + elf->seg[i].memsz;
		if (from < RAM)
			return gyve_err_set(err, -ENOEXEC,
					    "the image has a segment at 0x%" PRIx64 ", guest memory begins at 0x%x", from, RAM);
		if (need > ram_len || to > RAM + ram_len - need)
			return gyve_err_set(err, -ENOEXEC,
					    "the image reaches up to 0x%" PRIx64 ", guest memory to 0x%" PRIx64
					    ", of which stacks and vectors take 0x%" PRIx64 ": give it more with --memory-size",
					    to, RAM + ram_len, need);
	}
	return 0;
}

static int plan(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		struct gyve_layout *layout, void **state, struct gyve_err *err)
{
	uint64_t ram_len;
	struct bare *b;
	int r = bare_ram_len(params, MAX_RAM_GIB, &ram_len, err);

	if (r < 0 || (r = check_fit(elf, ram_len, params->ncpus, err)) < 0)
		return r;
	r = bare_create(elf, params, out, RAM, ram_len, layout, &b, err);
	if (r < 0)
		return r;
	*state = b;
	return 0;
}

/* A program without vectors of its own would take the same exception for ever. These read behind RAM, which leaves the guest
 * and changes no register: LDR WZR, <label>; B . */
static void write_vectors(uint8_t *p)
{
	for (uint32_t at = 0; at < 0x800; at += 0x80) {
		put_le32(p + at, 0x18000000u | (VECTORS - at) / 4 << 5 | 31);
		put_le32(p + at + 4, 0x14000000);
	}
}

static int load(void *state, const struct gyve_memmap *map, struct gyve_err *err)
{
	struct bare *b = state;
	int r = gyve_elf_copy(b->elf, map, 0, true, err);
	uint8_t *p = gyve_memmap_ptr(map, ram_end(b) - VECTORS, VECTORS);

	if (r < 0 || !p)
		return r < 0 ? r : gyve_err_set(err, -ENOMEM, "guest memory is missing at 0x%" PRIx64, ram_end(b) - VECTORS);
	write_vectors(p);
	return 0;
}

static void cpu_init(void *state, unsigned cpu, struct gyve_regs *regs)
{
	struct gyve_a64_regs *r = &regs->a64;
	struct bare *b = state;

	memset(r->x, 0, sizeof(r->x));
	r->x[0] = cpu;
	r->x[1] = b->ncpus;
	r->pc = bare_entry(b->elf);
	r->pstate = 0x3c5; /* EL1h, everything masked */
	r->sp = r->sp_el1 = ram_end(b) - VECTORS - (uint64_t)(b->ncpus - 1 - cpu) * STACK;
	r->sctlr_el1 = 0x30d00980; /* translation, caches and alignment checks off */
	r->cpacr_el1 |= 3u << 20;  /* FP and SIMD */
	r->vbar_el1 = ram_end(b) - VECTORS;
	r->esr_el1 = r->far_el1 = r->elr_el1 = r->spsr_el1 = 0; /* KVM leaves noise here, a crash report shows it */
}

static enum gyve_access_result access_mmio(void *state, struct gyve_access *a, int *code, struct gyve_err *err)
{
	struct bare *b = state;

	if (!a->write && a->addr >= ram_end(b) && a->addr < ram_end(b) + TRAP) {
		gyve_err_set(err, -EFAULT, "an exception, and the guest has set no vectors");
		return GYVE_ACCESS_CRASH;
	}
	if (a->addr >= UART && a->addr < UART_END) {
		if (!a->write)
			memset(a->data, 0, a->len);
		if (!a->write && a->addr == UART_FLAGS)
			a->data[0] = FLAGS_IDLE;
		if (a->write && a->addr == UART)
			bare_put_byte(b, a->data[0]);
		return GYVE_ACCESS_DONE;
	}
	if (a->write && a->addr == EXIT) {
		*code = a->data[0];
		return GYVE_ACCESS_EXIT;
	}
	return GYVE_ACCESS_UNKNOWN;
}

const struct gyve_platform_ops gyve_platform_bare_aarch64 = {
	.name = "bare",
	.probe = probe,
	.plan = plan,
	.load = load,
	.cpu_init = cpu_init,
	.access = access_mmio,
	.destroy = bare_destroy,
};
