/* Bare-metal ELF programs for x86_64: see docs/bare-metal.md for what they may expect. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../base/bytes.h"
#include "bare.h"
#include "gyve/walk.h"

enum {
	MAX_RAM_GIB = 512,
	STACK = 16 << 10,
	TABLES = GYVE_X86_IDENTITY_TABLES,
	GDT_OFF = TABLES, /* one more page */
	PORT_CONSOLE = 0xe9,
	PORT_EXIT = 0xf4,
	PORT_COM1 = 0x3f8,
	COM1_LCR = 3,
	COM1_LSR = 5,
	LCR_DLAB = 0x80,  /* port 0 is the baud rate now */
	LSR_READY = 0x60, /* transmitter empty */
};

#define GAP_START (UINT64_C(3) << 30) /* up to 4 GiB: interrupt controllers */
#define GAP_LEN (UINT64_C(1) << 30)

static bool probe(const struct gyve_elf *elf)
{
	return elf->machine == EM_X86_64 && !elf->dyn;
}

static uint64_t room_needed(unsigned ncpus)
{
	return TABLES + 4096 + (uint64_t)ncpus * STACK;
}

static bool is_free(const struct gyve_elf *elf, uint64_t from, uint64_t len)
{
	for (unsigned i = 0; i < elf->nsegs; i++)
		if (elf->seg[i].paddr < from + len && from < elf->seg[i].paddr + elf->seg[i].memsz)
			return false;
	return true;
}

/* Below 1 MiB if the image leaves room there, else at the end of RAM. */
static int find_room(const struct gyve_elf *elf, uint64_t ram_len, unsigned ncpus, uint64_t *ret)
{
	uint64_t need = room_needed(ncpus);
	uint64_t places[] = {0x10000, need < ram_len ? align_down(ram_len - need, 4096) : 0};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(places); i++)
		if (places[i] && places[i] + need <= ram_len && !(i == 0 && places[i] + need > 0xa0000) &&
		    is_free(elf, places[i], need)) {
			*ret = places[i];
			return 0;
		}
	return -ENOMEM;
}

static int plan(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		struct gyve_layout *layout, void **state, struct gyve_err *err)
{
	uint64_t ram_len, low, end = 0, base;
	struct bare *b;
	int r = bare_ram_len(params, MAX_RAM_GIB, &ram_len, err);

	if (r < 0)
		return r;
	low = ram_len < GAP_START ? ram_len : GAP_START;
	for (unsigned i = 0; i < elf->nsegs; i++)
		if (elf->seg[i].paddr + elf->seg[i].memsz > end)
			end = elf->seg[i].paddr + elf->seg[i].memsz;
	if (!ram_len || end > low)
		return gyve_err_set(err, -ENOEXEC,
				    "the image reaches up to 0x%" PRIx64 ", guest memory only to 0x%" PRIx64
				    ": give it more with --memory-size",
				    end, low);
	if (find_room(elf, low, params->ncpus, &base) < 0)
		return gyve_err_set(
			err, -ENOEXEC,
			"no 0x%" PRIx64
			" bytes are left beside the image for page tables and stacks: give it more with --memory-size",
			room_needed(params->ncpus));
	r = bare_create(elf, params, out, 0, ram_len, layout, &b, err);
	if (r < 0)
		return r;
	layout->gap_gpa = GAP_START;
	layout->gap_len = ram_len > GAP_START ? GAP_LEN : 0;
	b->base = base;
	*state = b;
	return 0;
}

static int load(void *state, const struct gyve_memmap *map, struct gyve_err *err)
{
	static const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};
	struct bare *b = state;
	int r = gyve_elf_copy(b->elf, map, 0, true, err);
	uint8_t *p = gyve_memmap_ptr(map, b->base, room_needed(b->ncpus));

	b->lcr = 0;
	if (r < 0 || !p)
		return r < 0 ? r : gyve_err_set(err, -ENOMEM, "guest memory is missing at 0x%" PRIx64, b->base);
	gyve_x86_identity_tables(p, b->base);
	memcpy(p + GDT_OFF, gdt, sizeof(gdt));
	return 0;
}

static void cpu_init(void *state, unsigned cpu, struct gyve_regs *regs)
{
	struct gyve_x86_seg code = {.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct gyve_x86_seg data = {.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	struct gyve_x86_regs *r = &regs->x86;
	struct bare *b = state;

	memset(r->gpr, 0, sizeof(r->gpr));
	r->rip = bare_entry(b->elf);
	r->rflags = 2;
	r->gpr[GYVE_RDI] = cpu;
	r->gpr[GYVE_RSI] = b->ncpus;
	/* as after a call: the ABI wants rsp + 8 to be a multiple of 16 at a function's entry */
	r->gpr[GYVE_RSP] = b->base + GDT_OFF + 4096 + (uint64_t)(cpu + 1) * STACK - 8;
	r->cr0 = 0x80000031;
	r->cr3 = b->base;
	r->cr4 = 0x620; /* PAE, OSFXSR, OSXMMEXCPT */
	r->efer = 0xd00;
	r->seg[GYVE_CS] = code;
	r->seg[GYVE_SS] = r->seg[GYVE_DS] = r->seg[GYVE_ES] = r->seg[GYVE_FS] = r->seg[GYVE_GS] = data;
	r->gdt_base = b->base + GDT_OFF;
	r->gdt_limit = 23;
	r->idt_base = 0;
	r->idt_limit = 0;
}

/* A UART that is always ready and never has input. Programs set its speed first: that is no output. */
static enum gyve_access_result access_com1(struct bare *b, struct gyve_access *a)
{
	unsigned reg = (unsigned)(a->addr - PORT_COM1);

	if (!a->write) {
		memset(a->data, 0, a->len);
		if (reg == COM1_LSR)
			a->data[0] = LSR_READY;
		else if (reg == COM1_LCR)
			a->data[0] = __atomic_load_n(&b->lcr, __ATOMIC_RELAXED);
	} else if (reg == COM1_LCR) {
		__atomic_store_n(&b->lcr, a->data[0], __ATOMIC_RELAXED);
	} else if (reg == 0 && !(__atomic_load_n(&b->lcr, __ATOMIC_RELAXED) & LCR_DLAB)) {
		bare_put_byte(b, a->data[0]);
	}
	return GYVE_ACCESS_DONE;
}

static enum gyve_access_result access_port(void *state, struct gyve_access *a, int *code, struct gyve_err *err)
{
	struct bare *b = state;

	(void)err;
	if (!a->pio)
		return GYVE_ACCESS_UNKNOWN;
	if (a->addr >= PORT_COM1 && a->addr < PORT_COM1 + 8)
		return access_com1(b, a);
	if (a->write && a->addr == PORT_CONSOLE) {
		bare_put_byte(b, a->data[0]);
		return GYVE_ACCESS_DONE;
	}
	if (a->write && a->addr == PORT_EXIT) {
		*code = a->data[0];
		return GYVE_ACCESS_EXIT;
	}
	if (!a->write && a->addr == PORT_CONSOLE) { /* how programs find out that it is there */
		memset(a->data, 0xff, a->len);
		a->data[0] = PORT_CONSOLE;
		return GYVE_ACCESS_DONE;
	}
	return GYVE_ACCESS_UNKNOWN;
}

const struct gyve_platform_ops gyve_platform_bare = {
	.name = "bare",
	.probe = probe,
	.plan = plan,
	.load = load,
	.cpu_init = cpu_init,
	.access = access_port,
	.destroy = bare_destroy,
};
