/* Bare-metal ELF programs for aarch64: see docs/bare-metal.md for what they may expect. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "gyve/loader.h"

enum {
	RAM = 0x40000000,
	DEFAULT_RAM = 64 << 20,
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

struct bare {
	const struct gyve_elf *elf;
	struct gyve_sink out;
	pthread_mutex_t lock; /* console writes of several vCPUs */
	unsigned ncpus;
	uint64_t end; /* of RAM */
};

static bool probe(const struct gyve_elf *elf)
{
	return elf->machine == EM_AARCH64 && !elf->dyn;
}

static uint64_t room_needed(unsigned ncpus)
{
	return VECTORS + (uint64_t)ncpus * STACK;
}

static void fill_layout(const struct gyve_elf *elf, uint64_t ram_len, struct gyve_layout *l)
{
	l->arch = GYVE_AARCH64;
	l->ram_gpa = RAM;
	l->ram_len = ram_len;
	l->bias = 0;
	l->entry = elf->entry;
	l->nsegs = elf->nsegs;
	for (unsigned i = 0; i < elf->nsegs; i++) {
		l->seg[i].gva = elf->seg[i].vaddr;
		l->seg[i].gpa = elf->seg[i].paddr;
		l->seg[i].len = elf->seg[i].memsz;
		l->seg[i].perms = elf->seg[i].perms;
	}
}

/* It is entered without translation: the entry has to be given as a physical address. */
static uint64_t entry_gpa(const struct gyve_elf *elf)
{
	for (unsigned i = 0; i < elf->nsegs; i++)
		if (elf->entry >= elf->seg[i].vaddr && elf->entry - elf->seg[i].vaddr < elf->seg[i].memsz)
			return elf->seg[i].paddr + (elf->entry - elf->seg[i].vaddr);
	return elf->entry;
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
	uint64_t ram_len = align_down(params->mem_size_given ? params->mem_size : DEFAULT_RAM, 4096);

	if (ram_len > (uint64_t)MAX_RAM_GIB << 30)
		return gyve_err_set(err, -EINVAL,
				    "a bare-metal program has at most %d GiB of memory, %" PRIu64 " bytes were asked for",
				    MAX_RAM_GIB, params->mem_size);
	int r = check_fit(elf, ram_len, params->ncpus, err);
	if (r < 0)
		return r;
	struct bare *b = calloc(1, sizeof(*b));
	if (!b)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	*b = (struct bare){.elf = elf, .out = *out, .ncpus = params->ncpus, .end = RAM + ram_len};
	pthread_mutex_init(&b->lock, NULL);
	fill_layout(elf, ram_len, layout);
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
	uint8_t *p = gyve_memmap_ptr(map, b->end - VECTORS, VECTORS);

	if (r < 0 || !p)
		return r < 0 ? r : gyve_err_set(err, -ENOMEM, "guest memory is missing at 0x%" PRIx64, b->end - VECTORS);
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
	r->pc = entry_gpa(b->elf);
	r->pstate = 0x3c5; /* EL1h, everything masked */
	r->sp = r->sp_el1 = b->end - VECTORS - (uint64_t)(b->ncpus - 1 - cpu) * STACK;
	r->sctlr_el1 = 0x30d00980; /* translation, caches and alignment checks off */
	r->cpacr_el1 |= 3u << 20;  /* FP and SIMD */
	r->vbar_el1 = b->end - VECTORS;
	r->esr_el1 = r->far_el1 = r->elr_el1 = r->spsr_el1 = 0; /* KVM leaves noise here, a crash report shows it */
}

static void put_byte(struct bare *b, uint8_t byte)
{
	pthread_mutex_lock(&b->lock);
	b->out.write(b->out.ctx, &byte, 1);
	pthread_mutex_unlock(&b->lock);
}

static enum gyve_access_result access_mmio(void *state, struct gyve_access *a, int *code, struct gyve_err *err)
{
	struct bare *b = state;

	if (!a->write && a->addr >= b->end && a->addr < b->end + TRAP) {
		gyve_err_set(err, -EFAULT, "an exception, and the guest has set no vectors");
		return GYVE_ACCESS_CRASH;
	}
	if (a->addr >= UART && a->addr < UART_END) {
		if (!a->write)
			memset(a->data, 0, a->len);
		if (!a->write && a->addr == UART_FLAGS)
			a->data[0] = FLAGS_IDLE;
		if (a->write && a->addr == UART)
			put_byte(b, a->data[0]);
		return GYVE_ACCESS_DONE;
	}
	if (a->write && a->addr == EXIT) {
		*code = a->data[0];
		return GYVE_ACCESS_EXIT;
	}
	return GYVE_ACCESS_UNKNOWN;
}

static void destroy(void *state)
{
	struct bare *b = state;

	pthread_mutex_destroy(&b->lock);
	free(b);
}

const struct gyve_platform_ops gyve_platform_bare_aarch64 = {
	.name = "bare",
	.probe = probe,
	.plan = plan,
	.load = load,
	.cpu_init = cpu_init,
	.access = access_mmio,
	.destroy = destroy,
};
