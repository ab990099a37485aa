/* What an x86 kernel finds in memory and registers: struct boot_params (Documentation/arch/x86/zero-page.rst) or struct
 * hvm_start_info. */
#include "x86_64.h"

#include "../base/bytes.h"

#include <errno.h>
#include <string.h>

/* boot_params */
enum {
	AT_RSDP = 0x70,
	AT_EXT_RAMDISK = 0xc0, /* upper halves of address and size */
	AT_E820_ENTRIES = 0x1e8,
	AT_HEADER = 0x1f1,
	AT_HEADER_END = 0x201, /* the header ends this byte's value behind the next */
	AT_TYPE_OF_LOADER = 0x210,
	AT_LOADFLAGS = 0x211,
	AT_RAMDISK = 0x218,
	AT_CMD_LINE_PTR = 0x228,
	AT_SETUP_DATA = 0x250,
	AT_E820 = 0x2d0,
	LOADER_UNKNOWN = 0xff,
	KASLR_FLAG = 2,
	SETUP_RNG_SEED = 9,
	SEED_LEN = 32,
};
/* hvm_start_info, version 1 */
enum { START_MAGIC = 0x336ec578, START_LEN = 56, START_MODULE = 0x80, START_MEMMAP = 0x100, MEMMAP_ENTRY = 24 };
enum { E820_RAM = 1, E820_RESERVED = 2, E820_MAX = 4 };
enum { SELECTOR_CODE = 0x10, SELECTOR_DATA = 0x18 };

static const uint64_t gdt_64[] = {0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff};
static const uint64_t gdt_32[] = {0, 0, 0x00cf9b000000ffff, 0x00cf93000000ffff};

struct range {
	uint64_t base, len;
	uint32_t type;
};

static unsigned memory_ranges(uint64_t ram_len, struct range ret[E820_MAX])
{
	uint64_t below = ram_len < X86_GAP ? ram_len : X86_GAP;
	unsigned n = 0;

	ret[n++] = (struct range){0, X86_LOW_END, E820_RAM};
	ret[n++] = (struct range){X86_LOW_END, X86_HIGH - X86_LOW_END, E820_RESERVED};
	ret[n++] = (struct range){X86_HIGH, below - X86_HIGH, E820_RAM};
	if (ram_len > below)
		ret[n++] = (struct range){X86_GAP + X86_GAP_LEN, ram_len - below, E820_RAM};
	return n;
}

/* --- bzImage */

static void write_seed(const struct x86_boot *b, uint8_t *params, uint8_t *data)
{
	if (!b->seed)
		return;
	put_le64(params + AT_SETUP_DATA, X86_SETUP_DATA);
	put_le64(data, 0); /* the last */
	put_le32(data + 8, SETUP_RNG_SEED);
	put_le32(data + 12, SEED_LEN);
	memcpy(data + 16, b->seed, SEED_LEN);
}

static void write_boot_params(const struct x86_boot *b, uint8_t *p, uint8_t *setup_data)
{
	struct range ranges[E820_MAX];
	unsigned n = memory_ranges(b->ram_len, ranges), len = b->image->data[AT_HEADER_END] + 0x202u - AT_HEADER;

	memset(p, 0, 4096);
	memcpy(p + AT_HEADER, b->image->data + AT_HEADER, len < AT_E820 - AT_HEADER ? len : AT_E820 - AT_HEADER);
	p[AT_TYPE_OF_LOADER] = LOADER_UNKNOWN;
	if (b->kaslr)
		p[AT_LOADFLAGS] |= KASLR_FLAG; /* it goes on with its memory map */
	put_le32(p + AT_CMD_LINE_PTR, X86_CMDLINE);
	put_le32(p + AT_RAMDISK, b->initrd_len ? (uint32_t)b->initrd : 0);
	put_le32(p + AT_RAMDISK + 4, (uint32_t)b->initrd_len);
	put_le32(p + AT_EXT_RAMDISK, (uint32_t)(b->initrd >> 32));
	put_le32(p + AT_EXT_RAMDISK + 4, (uint32_t)(b->initrd_len >> 32));
	put_le64(p + AT_RSDP, b->rsdp);
	put_le64(p + AT_SETUP_DATA, 0);
	write_seed(b, p, setup_data);
	p[AT_E820_ENTRIES] = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		put_le64(p + AT_E820 + 20 * i, ranges[i].base);
		put_le64(p + AT_E820 + 20 * i + 8, ranges[i].len);
		put_le32(p + AT_E820 + 20 * i + 16, ranges[i].type);
	}
}

/* --- PVH */

static void write_start_info(const struct x86_boot *b, uint8_t *p)
{
	struct range ranges[E820_MAX];
	unsigned n = memory_ranges(b->ram_len, ranges);

	memset(p, 0, 4096);
	put_le32(p, START_MAGIC);
	put_le32(p + 4, 1); /* version */
	put_le32(p + 12, b->initrd_len ? 1 : 0);
	put_le64(p + 16, b->initrd_len ? X86_START_INFO + START_MODULE : 0);
	put_le64(p + 24, X86_CMDLINE);
	put_le64(p + 32, b->rsdp);
	put_le64(p + 40, X86_START_INFO + START_MEMMAP);
	put_le32(p + 48, n);
	put_le64(p + START_MODULE, b->initrd);
	put_le64(p + START_MODULE + 8, b->initrd_len);
	for (unsigned i = 0; i < n; i++) {
		put_le64(p + START_MEMMAP + MEMMAP_ENTRY * i, ranges[i].base);
		put_le64(p + START_MEMMAP + MEMMAP_ENTRY * i + 8, ranges[i].len);
		put_le32(p + START_MEMMAP + MEMMAP_ENTRY * i + 16, ranges[i].type);
	}
}

/* --- both */

static int copy_kernel(const struct x86_image *im, const struct gyve_memmap *map, struct gyve_err *err)
{
	size_t n = im->size - im->kernel_at;

	if (im->elf) {
		int r = gyve_elf_copy(im->elf, map, 0, true, err);
		return r < 0 ? r : x86_image_relocate(im, map, err);
	}
	return gyve_memmap_write(map, im->load, im->data + im->kernel_at, n) == (ssize_t)n
		       ? 0
		       : gyve_err_set(err, -ENOMEM, "guest memory is missing");
}

int x86_boot_write(const struct x86_boot *b, const struct gyve_memmap *map, struct gyve_err *err)
{
	const struct x86_image *im = b->image;
	uint8_t *low = gyve_memmap_ptr(map, 0, X86_LOW_END);

	if (!low)
		return gyve_err_set(err, -ENOMEM, "guest memory is missing");
	memcpy(low + X86_GDT, im->pvh ? gdt_32 : gdt_64, sizeof(gdt_64));
	strcpy((char *)low + X86_CMDLINE, b->cmdline); /* x86_64.c has checked its length */
	if (im->pvh) {
		write_start_info(b, low + X86_START_INFO);
	} else {
		write_boot_params(b, low + X86_BOOT_PARAMS, low + X86_SETUP_DATA);
		gyve_x86_identity_tables(low + X86_TABLES, X86_TABLES);
	}
	return copy_kernel(im, map, err);
}

void x86_boot_registers(const struct x86_boot *b, struct gyve_x86_regs *r)
{
	bool pvh = b->image->pvh;
	struct gyve_x86_seg code = {
		.limit = ~0u, .selector = SELECTOR_CODE, .type = 11, .present = 1, .s = 1, .l = !pvh, .db = pvh, .g = 1};
	struct gyve_x86_seg data = {.limit = ~0u, .selector = SELECTOR_DATA, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};

	memset(r->gpr, 0, sizeof(r->gpr));
	r->rip = b->image->entry;
	r->rflags = 2;
	r->gpr[pvh ? GYVE_RBX : GYVE_RSI] = pvh ? X86_START_INFO : X86_BOOT_PARAMS;
	r->cr0 = pvh ? 0x11 : 0x80000031;
	r->cr3 = pvh ? 0 : X86_TABLES;
	r->cr4 = pvh ? 0 : 0x20; /* PAE */
	r->efer = pvh ? 0 : 0x500;
	r->seg[GYVE_CS] = code;
	r->seg[GYVE_SS] = r->seg[GYVE_DS] = r->seg[GYVE_ES] = r->seg[GYVE_FS] = r->seg[GYVE_GS] = data;
	r->gdt_base = X86_GDT;
	r->gdt_limit = sizeof(gdt_64) - 1;
	r->idt_base = r->idt_limit = 0;
}
