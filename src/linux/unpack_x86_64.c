/* A bzImage taken apart: the kernel in it is put where it runs, so that its own boot code is not needed, and nothing of it
 * moves later. Where it may, it is linked anew for a random address first (KASLR). The layout of what is packed: the kernel's
 * arch/x86/boot/compressed/Makefile (vmlinux.bin, vmlinux.relocs) and handle_relocations() in misc.c. */
#include "x86_64.h"

#include "../base/bytes.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ALIGNMENT = 0x230, AT_PAYLOAD_OFFSET = 0x248, AT_PAYLOAD_LENGTH = 0x24c, MIN_ALIGNMENT = 2 << 20 };
#define KERNEL_MAP UINT64_C(0xffffffff80000000) /* where physical address 0 would be */
#define KERNEL_SPACE (UINT64_C(1) << 30)        /* for the image, from there on */

/* Addresses of words that hold addresses: link-time virtual ones, 32 bits of them. */
struct list {
	const uint8_t *first;
	size_t n;
};

struct x86_kernel {
	struct gyve_elf elf;
	uint8_t *file; /* unpacked */
	size_t size;
	struct list add32, subtract32, add64;
};

/* --- relocations: behind the ELF file three lists, to be read from the end, each after a zero; newer kernels have no second
 * one */

/* The list that ends at *end, which then is where its zero lies. */
static bool take_list(const uint8_t *file, size_t start, size_t *end, struct list *ret)
{
	for (ret->n = 0; *end >= start + 4; ret->n++) {
		*end -= 4;
		ret->first = file + *end + 4;
		if (!get_le32(file + *end))
			return true;
	}
	return false;
}

static int find_relocations(struct x86_kernel *k)
{
	uint64_t start = get_le64(k->file + offsetof(Elf64_Ehdr, e_shoff)) +
			 (uint64_t)get_le16(k->file + offsetof(Elf64_Ehdr, e_shnum)) * sizeof(Elf64_Shdr);
	size_t end = k->size;
	struct list second, third;

	for (unsigned i = 0; i < k->elf.nsegs; i++)
		if (start < k->elf.seg[i].offset + k->elf.seg[i].filesz)
			start = k->elf.seg[i].offset + k->elf.seg[i].filesz;
	if (start >= end) /* a kernel that cannot move */
		return 0;
	if (!take_list(k->file, (size_t)start, &end, &k->add32) || !take_list(k->file, (size_t)start, &end, &second))
		return -ENOEXEC;
	if (take_list(k->file, (size_t)start, &end, &third)) {
		k->subtract32 = second;
		k->add64 = third;
	} else {
		k->add64 = second;
	}
	return 0;
}

static uint8_t *word_at(const struct x86_image *im, uint8_t *mem, const uint8_t *entry, unsigned size)
{
	uint64_t gpa = (uint64_t)(int64_t)(int32_t)get_le32(entry) - KERNEL_MAP;

	return gpa >= im->load && gpa - im->load <= im->len - size ? mem + (gpa - im->load) : NULL;
}

static bool add_to(const struct x86_image *im, uint8_t *mem, const struct list *l, unsigned size, uint64_t delta)
{
	for (size_t i = 0; i < l->n; i++) {
		uint8_t *p = word_at(im, mem, l->first + 4 * i, size);
		if (!p)
			return false;
		if (size == 8)
			put_le64(p, get_le64(p) + delta);
		else
			put_le32(p, get_le32(p) + (uint32_t)delta);
	}
	return true;
}

int x86_image_relocate(const struct x86_image *im, const struct gyve_memmap *map, struct gyve_err *err)
{
	const struct x86_kernel *k = im->kernel;
	uint8_t *mem = gyve_memmap_ptr(map, im->load, im->len);

	if (!k || !im->slide)
		return 0;
	if (!mem)
		return gyve_err_set(err, -ENOMEM, "guest memory is missing");
	if (!add_to(im, mem, &k->add32, 4, im->slide) || !add_to(im, mem, &k->subtract32, 4, -im->slide) ||
	    !add_to(im, mem, &k->add64, 8, im->slide))
		return gyve_err_set(err, -ENOEXEC,
				    "the kernel's relocations lead out of it: --self-unpack leaves them to the kernel");
	return 0;
}

bool x86_image_movable(const struct x86_image *im)
{
	return im->kernel && im->kernel->add32.n;
}

void x86_image_move(struct x86_image *im, uint64_t random)
{
	uint64_t align = get_le32(im->data + AT_ALIGNMENT), room = KERNEL_SPACE - im->load;

	if (align < MIN_ALIGNMENT)
		align = MIN_ALIGNMENT;
	if (im->len < room)
		im->slide = random % ((room - im->len) / align + 1) * align;
}

/* --- the kernel */

/* It has to lie as the kernel's own boot code would put it: virtual addresses a constant away from physical ones, but for the
 * processors' variables, which have addresses from 0 on. */
static int check(const struct x86_image *im, const struct gyve_elf *elf)
{
	uint64_t end = im->load + im->len;

	if (elf->machine != EM_X86_64 || elf->dyn || elf->entry < im->load || elf->entry >= end)
		return -ENOEXEC;
	for (unsigned i = 0; i < elf->nsegs; i++) {
		const struct gyve_segment *s = &elf->seg[i];
		if (s->paddr < im->load || s->memsz > im->len || s->paddr - im->load > im->len - s->memsz)
			return -ENOEXEC;
		if (s->vaddr >= KERNEL_MAP && s->vaddr - s->paddr != KERNEL_MAP)
			return -ENOEXEC;
	}
	return 0;
}

static int open_kernel(struct x86_image *im, struct x86_kernel *k, uint64_t max, struct gyve_err *err)
{
	uint64_t at = im->kernel_at + (uint64_t)get_le32(im->data + AT_PAYLOAD_OFFSET),
		 len = get_le32(im->data + AT_PAYLOAD_LENGTH);
	const uint8_t *p = im->data + at;
	int r;

	if (at > im->size || len > im->size - at || len < 16)
		return gyve_err_set(err, -ENOEXEC, "the packed kernel is not where the header says");
	if (get_le16(p) != 0x8b1f) /* but for gzip's, their length was put behind them */
		len -= 4;
	r = gyve_unpack(p, (size_t)len, max, &k->file, &k->size, err);
	if (r == 0)
		r = gyve_elf_parse(&k->elf, k->file, k->size, err);
	if (r == 0 && (check(im, &k->elf) < 0 || find_relocations(k) < 0))
		r = gyve_err_set(err, -ENOEXEC, "the packed kernel is not of a known form");
	return r;
}

static void close_kernel(struct x86_kernel *k)
{
	if (k)
		free(k->file);
	free(k);
}

int x86_image_unpack(struct x86_image *im, uint64_t max, struct gyve_err *err)
{
	struct x86_kernel *k = calloc(1, sizeof(*k));
	int r = k ? open_kernel(im, k, max, err) : gyve_err_set(err, -ENOMEM, "out of memory");

	if (r < 0) {
		close_kernel(k);
		return r;
	}
	im->kernel = k;
	im->elf = &k->elf;
	im->entry = k->elf.entry;
	return 0;
}

void x86_image_close(struct x86_image *im)
{
	close_kernel(im->kernel);
	im->kernel = NULL;
}
