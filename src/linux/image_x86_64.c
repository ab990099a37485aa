/* bzImage: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header". ELF kernels: the note that names their PVH entry. */
#include "x86_64.h"

#include "../base/bytes.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	AT_SETUP_SECTS = 0x1f1,
	AT_SYSSIZE = 0x1f4,
	AT_BOOT_FLAG = 0x1fe,
	AT_MAGIC = 0x202,
	AT_VERSION = 0x206,
	AT_INITRD_ADDR_MAX = 0x22c,
	AT_XLOADFLAGS = 0x236,
	AT_CMDLINE_SIZE = 0x238,
	AT_PREF_ADDRESS = 0x258,
	AT_INIT_SIZE = 0x260,
	HEADER_END = 0x268,
	MAGIC = 0x53726448,     /* "HdrS" */
	VERSION_64 = 0x020c,    /* the first with a 64-bit entry */
	XLF_KERNEL_64 = 1,      /* it has that entry, */
	XLF_ABOVE_4G = 2,       /* and takes a RAM disk anywhere */
	ENTRY_64 = 0x200,       /* from where the kernel is loaded */
	OLD_CMDLINE_SIZE = 255, /* a header that does not say */
	NOTE_PHYS32_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
};

static bool is_bzimage(const uint8_t *p, size_t size)
{
	return size > HEADER_END && get_le16(p + AT_BOOT_FLAG) == 0xaa55 && get_le32(p + AT_MAGIC) == MAGIC;
}

static ssize_t pvh_note(const struct gyve_elf *elf, const uint8_t **desc)
{
	return elf->nsegs && elf->machine == EM_X86_64 && !elf->dyn ? gyve_elf_note(elf, "Xen", NOTE_PHYS32_ENTRY, desc)
								    : -ENOENT;
}

bool x86_image_probe(const struct gyve_elf *elf)
{
	const uint8_t *desc;

	return elf->nsegs ? pvh_note(elf, &desc) > 0 : is_bzimage(elf->data, elf->size);
}

static int open_bzimage(struct x86_image *im, struct gyve_err *err)
{
	const uint8_t *p = im->data;
	unsigned version = get_le16(p + AT_VERSION), sectors = p[AT_SETUP_SECTS] ? p[AT_SETUP_SECTS] : 4;
	uint64_t protected = (uint64_t)get_le32(p + AT_SYSSIZE) * 16;

	if (version < VERSION_64 || !(get_le16(p + AT_XLOADFLAGS) & XLF_KERNEL_64))
		return gyve_err_set(err, -ENOEXEC, "a bzImage without a 64-bit entry (boot protocol %u.%02u)", version >> 8,
				    version & 0xff);
	im->kernel_at = (sectors + 1) * 512;
	if (im->kernel_at + ENTRY_64 >= im->size || protected > im->size - im->kernel_at)
		return gyve_err_set(err, -ENOEXEC, "the bzImage ends early: %zu bytes, its header says %" PRIu64, im->size,
				    im->kernel_at + protected);
	im->load = get_le64(p + AT_PREF_ADDRESS);
	im->len = get_le32(p + AT_INIT_SIZE);
	if (im->len < im->size - im->kernel_at)
		im->len = im->size - im->kernel_at;
	im->entry = im->load + ENTRY_64;
	im->initrd_max = get_le16(p + AT_XLOADFLAGS) & XLF_ABOVE_4G ? UINT32_MAX : get_le32(p + AT_INITRD_ADDR_MAX);
	im->cmdline_max = get_le32(p + AT_CMDLINE_SIZE) ? get_le32(p + AT_CMDLINE_SIZE) : OLD_CMDLINE_SIZE;
	return 0;
}

static int open_pvh(struct x86_image *im, struct gyve_err *err)
{
	const uint8_t *desc = NULL;
	ssize_t n = pvh_note(im->elf, &desc);
	uint64_t end = 0;

	if (n != 4 && n != 8)
		return gyve_err_set(err, -ENOEXEC, "the note that names the kernel's PVH entry is damaged");
	im->entry = n == 4 ? get_le32(desc) : get_le64(desc);
	im->load = UINT64_MAX;
	for (unsigned i = 0; i < im->elf->nsegs; i++) {
		const struct gyve_segment *s = &im->elf->seg[i];
		if (s->paddr > UINT32_MAX || s->memsz > UINT32_MAX)
			return gyve_err_set(err, -ENOEXEC, "the kernel wants to be at 0x%" PRIx64 ", above 4 GiB", s->paddr);
		im->load = s->paddr < im->load ? s->paddr : im->load;
		end = s->paddr + s->memsz > end ? s->paddr + s->memsz : end;
	}
	if (im->entry < im->load || im->entry >= end)
		return gyve_err_set(err, -ENOEXEC, "the kernel's PVH entry, 0x%" PRIx64 ", is not in it", im->entry);
	im->len = end - im->load;
	im->initrd_max = UINT32_MAX;
	im->cmdline_max = X86_CMDLINE_MAX - 1;
	return 0;
}

int x86_image_open(struct x86_image *ret, const struct gyve_elf *elf, struct gyve_err *err)
{
	*ret = (struct x86_image){.pvh = elf->nsegs != 0, .data = elf->data, .size = elf->size};
	ret->elf = ret->pvh ? elf : NULL;
	int r = ret->pvh ? open_pvh(ret, err) : open_bzimage(ret, err);

	if (r == 0 && (ret->load < X86_HIGH || ret->load >= X86_GAP))
		return gyve_err_set(err, -ENOEXEC,
				    "the kernel wants to be at 0x%" PRIx64 "; memory for it is from 1 MiB to 3 GiB", ret->load);
	return r;
}
