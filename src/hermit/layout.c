/* What the image's notes ask for, and where RAM and the kernel go. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "../base/bytes.h"
#include "hermit.h"

enum { ENTRY_VERSION = 4, MIN_RAM = 16 << 20, DEFAULT_RAM = 64 << 20, PAGE_2M = 2 << 20, INTERFACE_MAX = 3 };

#define A64_V1_ASLR_END UINT64_C(0xc0000000)
#define NOT_HERMIT                                                                               \
	"the image has no Hermit entry version note, so it is not a Hermit image; a bare-metal " \
	"program must be linked at a fixed address (-no-pie)"

/* Kernels say which Hermit they are since 0.10.0. */
static uint32_t kernel_version(const struct gyve_elf *elf)
{
	const uint8_t *desc;
	enum { OS_HERMIT = 6 };

	if (gyve_elf_note(elf, "GNU", 1, &desc) != 16 || get_le32(desc) != OS_HERMIT)
		return 0;
	uint32_t major = get_le32(desc + 4), minor = get_le32(desc + 8), patch = get_le32(desc + 12);
	return HERMIT_VERSION(major & 0xff, minor & 0xff, patch & 0xff);
}

int hermit_read_notes(struct hermit *h, struct gyve_err *err)
{
	const uint8_t *desc;
	ssize_t n;

	n = gyve_elf_note(h->elf, "HERMIT", 0x5a00, &desc);
	if (n < 0)
		return gyve_err_set(err, -ENOEXEC, n == -ENOENT ? NOT_HERMIT : "the image's notes are damaged");
	if (n != 1 || desc[0] != ENTRY_VERSION)
		return gyve_err_set(err, -ENOEXEC,
				    "the image has Hermit entry version %u, this program knows version %u: rebuild it with "
				    "Hermit 0.7 or later",
				    n ? desc[0] : 0, ENTRY_VERSION);
	h->version = kernel_version(h->elf);
	h->legacy = h->version < HERMIT_VERSION(0, 10, 0);
	n = gyve_elf_note(h->elf, "UHYVEIF", 0x5b00, &desc);
	h->interface = n == 4 ? (unsigned)desc[0] << 24 | (unsigned)desc[1] << 16 | (unsigned)desc[2] << 8 | desc[3] : 1;
	if (h->interface < 1 || h->interface > INTERFACE_MAX)
		return gyve_err_set(err, -ENOEXEC, "the image speaks uhyve interface version %u, this program 1 to %u",
				    h->interface, INTERFACE_MAX);
	return 0;
}

/* A multiple of 2 MiB in [lo, hi]. */
static uint64_t random_base(uint64_t lo, uint64_t hi)
{
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return lo;
	return align_down(lo + r % (hi - lo + 1), PAGE_2M);
}

static int choose_ram_size(struct hermit *h, struct gyve_err *err)
{
	h->ram_len = h->params->mem_size_given ? h->params->mem_size : DEFAULT_RAM;
	if (h->ram_len < MIN_RAM)
		return gyve_err_set(err, -ENOEXEC,
				    "a Hermit guest needs at least 16 MiB of memory, %" PRIu64 " bytes were asked for",
				    h->ram_len);
	if (h->ram_len % PAGE_2M)
		return gyve_err_set(err, -ENOEXEC,
				    "the memory size of a Hermit guest is a multiple of 2 MiB, %" PRIu64
				    " bytes were asked for",
				    h->ram_len);
	return 0;
}

/* A kernel before 0.10 in the last large page of a GiB dies in its first steps (seen with 0.6.9): one page lower will do. */
static uint64_t avoid_end_of_gib(const struct hermit *h, uint64_t ga)
{
	uint64_t gib = 1 << 30, end = ga + HERMIT_KERNEL + h->image_len;

	return h->legacy && ga >= PAGE_2M && align_up(end, PAGE_2M) % gib == 0 ? ga - PAGE_2M : ga;
}

int hermit_place(struct hermit *h, struct gyve_err *err)
{
	bool x86 = h->elf->machine == EM_X86_64;
	uint64_t base = x86 ? (h->interface == 1 ? 0 : UINT64_C(1) << 32) : 0x10000000;
	uint64_t end = x86 && h->interface == 1 ? 0xbfffffff : UINT64_C(0x1000000000);
	uint64_t lo, hi, need;
	int r = choose_ram_size(h, err);

	if (r < 0)
		return r;
	gyve_elf_span(h->elf, &lo, &hi);
	h->image_len = hi - lo;
	if (h->elf->dyn && lo != 0)
		return gyve_err_set(err, -ENOEXEC, "the image is position-independent but linked at 0x%" PRIx64 ", not at 0",
				    lo);
	if (__builtin_add_overflow(h->image_len, h->ram_len + HERMIT_KERNEL, &need) || need > end - base)
		return gyve_err_set(err, -ENOEXEC,
				    "memory of %" PRIu64 " bytes and an image of %" PRIu64
				    " do not fit the guest's address range",
				    h->ram_len, h->image_len);
	h->ga = base;
	/* aarch64 kernels of version 1 keep their own addresses between their end and 4 GiB */
	uint64_t last = !x86 && h->interface == 1 && need <= A64_V1_ASLR_END - base ? A64_V1_ASLR_END : end;
	if (h->elf->dyn && h->params->aslr)
		h->ga = random_base(base, last - need);
	if (x86 && h->elf->dyn && h->params->aslr)
		h->ga = avoid_end_of_gib(h, h->ga);
	h->ka = h->elf->dyn ? h->ga + HERMIT_KERNEL : lo;
	if (!h->elf->dyn && (h->ka < h->ga + HERMIT_TABLES_END + HERMIT_STACK || h->ka > end - need))
		return gyve_err_set(err, -ENOEXEC,
				    "the image is linked at 0x%" PRIx64 ", where a Hermit guest has no room for it", h->ka);
	if (h->params->initrd) {
		h->initrd = align_up(hermit_image_end(h), 4096);
		uint64_t offset = h->initrd - h->ga;
		if (offset > h->ram_len || align_up(h->params->initrd_len, 4096) > h->ram_len - offset)
			return gyve_err_set(err, -ENOEXEC,
					    "the image's %" PRIu64 " bytes of files do not fit behind its kernel: give it more "
					    "with --memory-size",
					    h->params->initrd_len);
	}
	if (h->image_len > h->ram_len || h->ka - h->ga > h->ram_len - h->image_len)
		return gyve_err_set(err, -ENOEXEC,
				    "the image ends 0x%" PRIx64 " bytes into memory, which has only 0x%" PRIx64
				    ": give it more with --memory-size",
				    h->ka - h->ga + h->image_len, h->ram_len);
	return 0;
}

void hermit_fill_layout(const struct hermit *h, struct gyve_layout *l)
{
	uint64_t bias = h->elf->dyn ? h->ka : 0;

	memset(l, 0, sizeof(*l));
	l->arch = (enum gyve_arch_id)h->elf->machine;
	l->ram_gpa = h->ga;
	l->ram_len = h->ram_len;
	l->window_len = h->elf->machine == EM_X86_64 ? 0 : HERMIT_A64_WINDOW;
	l->bias = bias;
	l->entry = h->elf->entry + bias;
	l->nsegs = h->elf->nsegs;
	for (unsigned i = 0; i < l->nsegs; i++) {
		l->seg[i].gva = l->seg[i].gpa = h->elf->seg[i].vaddr + bias;
		l->seg[i].len = h->elf->seg[i].memsz;
		l->seg[i].perms = h->elf->seg[i].perms;
	}
}
