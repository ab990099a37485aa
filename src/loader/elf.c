/* ELF64 little-endian images, from hostile bytes. libelf reads the headers; every offset is checked here against the file. */
#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "gyve/loader.h"
#include "gyve/walk.h"

static int bad(struct gyve_err *err, const char *why)
{
	return gyve_err_set(err, -ENOEXEC, "not a bootable ELF file: %s", why);
}

static int check_ident(const uint8_t *data, size_t size, struct gyve_err *err)
{
	if (size >= 2 && data[0] == 0x1f && data[1] == 0x8b)
		return gyve_err_set(err, -ENOEXEC, "not an ELF file but a gzip archive: give the kernel in it");
	if (size < EI_NIDENT || memcmp(data, ELFMAG, SELFMAG) != 0)
		return gyve_err_set(err, -ENOEXEC, "not an ELF file");
	if (data[EI_CLASS] != ELFCLASS64)
		return bad(err, "it is not 64-bit");
	if (data[EI_DATA] != ELFDATA2LSB)
		return bad(err, "it is not little-endian");
	if (size < sizeof(Elf64_Ehdr))
		return bad(err, "the file ends inside the ELF header");
	return 0;
}

/* PT_LOAD number i. */
static int add_segment(struct gyve_elf *e, const GElf_Phdr *p, size_t i, struct gyve_err *err)
{
	uint64_t end;

	if (!p->p_memsz)
		return 0;
	if (__builtin_add_overflow(p->p_offset, p->p_filesz, &end) || end > e->size)
		return gyve_err_set(err, -ENOEXEC,
				    "segment %zu needs bytes 0x%" PRIx64 "..0x%" PRIx64
				    " of the file, which has only 0x%zx: it is truncated",
				    i, p->p_offset, p->p_offset + p->p_filesz, e->size);
	if (p->p_filesz > p->p_memsz)
		return gyve_err_set(err, -ENOEXEC,
				    "segment %zu is larger in the file (0x%" PRIx64 ") than in memory (0x%" PRIx64 ")", i,
				    p->p_filesz, p->p_memsz);
	if (__builtin_add_overflow(p->p_vaddr, p->p_memsz, &end) || __builtin_add_overflow(p->p_paddr, p->p_memsz, &end))
		return gyve_err_set(err, -ENOEXEC, "segment %zu wraps around the end of the address space", i);
	if (e->nsegs == GYVE_ELF_MAX_SEGMENTS)
		return bad(err, "it has too many segments");
	e->seg[e->nsegs++] =
		(struct gyve_segment){.vaddr = p->p_vaddr,
				      .paddr = p->p_paddr,
				      .offset = p->p_offset,
				      .filesz = p->p_filesz,
				      .memsz = p->p_memsz,
				      .perms = (p->p_flags & PF_R ? GYVE_PERM_R : 0u) | (p->p_flags & PF_W ? GYVE_PERM_W : 0u) |
					       (p->p_flags & PF_X ? GYVE_PERM_X : 0u)};
	return 0;
}

static int check_range(const struct gyve_elf *e, const GElf_Phdr *p, const char *what, struct gyve_err *err)
{
	uint64_t end;

	if (__builtin_add_overflow(p->p_offset, p->p_filesz, &end) || end > e->size)
		return gyve_err_set(err, -ENOEXEC, "the %s segment lies outside the file", what);
	return 0;
}

static int add_phdr(struct gyve_elf *e, const GElf_Phdr *p, size_t i, struct gyve_err *err)
{
	int r = 0;

	switch (p->p_type) {
	case PT_LOAD:
		return add_segment(e, p, i, err);
	case PT_TLS:
		e->tls.present = true;
		e->tls.vaddr = p->p_vaddr;
		e->tls.filesz = p->p_filesz;
		e->tls.memsz = p->p_memsz;
		e->tls.align = p->p_align;
		return p->p_filesz > p->p_memsz ? bad(err, "the TLS segment is larger in the file than in memory") : 0;
	case PT_NOTE:
		r = check_range(e, p, "note", err);
		if (r == 0 && !e->note.present) {
			e->note.present = true;
			e->note.offset = p->p_offset;
			e->note.filesz = p->p_filesz;
			e->note.align = p->p_align;
		}
		return r;
	case PT_DYNAMIC:
		r = check_range(e, p, "dynamic", err);
		e->dynamic.present = r == 0;
		e->dynamic.offset = p->p_offset;
		e->dynamic.filesz = p->p_filesz;
		return r;
	case PT_INTERP:
		return bad(err, "it asks for an interpreter, so it is a program of an operating system");
	}
	return 0;
}

static int by_vaddr(const void *a, const void *b)
{
	const struct gyve_segment *x = a, *y = b;
	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

static int check_segments(struct gyve_elf *e, struct gyve_err *err)
{
	if (!e->nsegs)
		return bad(err, "it has no loadable segment");
	qsort(e->seg, e->nsegs, sizeof(e->seg[0]), by_vaddr);
	for (unsigned i = 1; i < e->nsegs; i++)
		if (e->seg[i - 1].vaddr + e->seg[i - 1].memsz > e->seg[i].vaddr)
			return gyve_err_set(err, -ENOEXEC, "segments overlap at 0x%" PRIx64, e->seg[i].vaddr);
	for (unsigned i = 0; i < e->nsegs; i++)
		for (unsigned k = i + 1; k < e->nsegs; k++)
			if (e->seg[i].paddr < e->seg[k].paddr + e->seg[k].memsz &&
			    e->seg[k].paddr < e->seg[i].paddr + e->seg[i].memsz)
				return gyve_err_set(err, -ENOEXEC, "segments overlap at physical address 0x%" PRIx64,
						    e->seg[k].paddr);
	for (unsigned i = 0; i < e->nsegs; i++) /* kernels name it as a physical address */
		if (e->entry - e->seg[i].vaddr < e->seg[i].memsz || e->entry - e->seg[i].paddr < e->seg[i].memsz)
			return 0;
	return gyve_err_set(err, -ENOEXEC, "the entry point 0x%" PRIx64 " lies in no segment", e->entry);
}

static int parse(struct gyve_elf *e, Elf *elf, struct gyve_err *err)
{
	GElf_Ehdr eh;
	GElf_Phdr ph;
	size_t n;

	if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &eh))
		return bad(err, "its header is damaged");
	if (eh.e_type != ET_EXEC && eh.e_type != ET_DYN)
		return bad(err, eh.e_type == ET_REL    ? "it is an object file, not linked"
				: eh.e_type == ET_CORE ? "it is a dump"
						       : "its type is unknown");
	e->machine = eh.e_machine;
	e->dyn = eh.e_type == ET_DYN;
	e->entry = eh.e_entry;
	if (eh.e_phentsize != sizeof(Elf64_Phdr) && eh.e_phnum)
		return bad(err, "its program headers have a wrong size");
	n = eh.e_phnum; /* elf_getphdrnum() is silent about those that a truncated file lacks */
	if (n == PN_XNUM)
		return bad(err, "it has too many program headers");
	if (n && (eh.e_phoff > e->size || n > (e->size - eh.e_phoff) / sizeof(Elf64_Phdr)))
		return bad(err, "its program headers lie outside the file: it is truncated");
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &ph))
			return bad(err, "a program header cannot be read");
		int r = add_phdr(e, &ph, i, err);
		if (r < 0)
			return r;
	}
	return check_segments(e, err);
}

int gyve_elf_parse(struct gyve_elf *ret, const void *data, size_t size, struct gyve_err *err)
{
	int r = check_ident(data, size, err);

	if (r < 0)
		return r;
	struct gyve_elf *e = calloc(1, sizeof(*e));
	if (!e)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	e->data = data;
	e->size = size;
	elf_version(EV_CURRENT);
	Elf *elf = elf_memory((char *)data, size); /* only reads it */
	r = parse(e, elf, err);
	elf_end(elf);
	if (r == 0)
		*ret = *e;
	free(e);
	return r;
}

const char *gyve_elf_machine(int machine, char buf[24])
{
	static const struct {
		int machine;
		const char *name;
	} names[] = {{EM_X86_64, "x86_64"}, {EM_AARCH64, "aarch64"}, {EM_386, "32-bit x86"}, {EM_ARM, "32-bit Arm"},
		     {EM_RISCV, "RISC-V"},  {EM_PPC64, "PowerPC"},   {EM_S390, "s390"},      {EM_MIPS, "MIPS"},
		     {258, "LoongArch"},    {EM_NONE, "no machine"}};

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(names); i++)
		if (names[i].machine == machine)
			return names[i].name;
	snprintf(buf, 24, "machine %d", machine);
	return buf;
}

ssize_t gyve_elf_note(const struct gyve_elf *elf, const char *owner, uint32_t type, const uint8_t **desc)
{
	const uint8_t *p = elf->data + elf->note.offset;
	uint64_t left = elf->note.present ? elf->note.filesz : 0, align = elf->note.align == 8 ? 8 : 4;

	while (left >= 12) {
		uint64_t namesz = get_le32(p), descsz = get_le32(p + 4), t = get_le32(p + 8);
		/* the name is padded to 4 bytes, the descriptor begins and ends at the segment's alignment */
		uint64_t at = align_up(12 + namesz, align), end = at + descsz;
		if (at > left || end > left)
			return -ENOEXEC;
		if (t == type && namesz == strlen(owner) + 1 && memcmp(p + 12, owner, namesz) == 0) {
			*desc = p + at;
			return (ssize_t)descsz;
		}
		end = align_up(end, align);
		if (end > left)
			break;
		p += end;
		left -= end;
	}
	return -ENOENT;
}

void gyve_elf_span(const struct gyve_elf *elf, uint64_t *lo, uint64_t *hi)
{
	*lo = UINT64_MAX;
	*hi = 0;
	for (unsigned i = 0; i < elf->nsegs; i++) {
		const struct gyve_segment *s = &elf->seg[i];
		if (s->vaddr < *lo)
			*lo = s->vaddr;
		if (s->vaddr + s->memsz > *hi)
			*hi = s->vaddr + s->memsz;
	}
}

int gyve_elf_copy(const struct gyve_elf *elf, const struct gyve_memmap *mem, uint64_t bias, bool by_paddr, struct gyve_err *err)
{
	for (unsigned i = 0; i < elf->nsegs; i++) {
		const struct gyve_segment *s = &elf->seg[i];
		uint64_t gpa = (by_paddr ? s->paddr : s->vaddr) + bias;
		uint8_t *to = gyve_memmap_ptr(mem, gpa, s->memsz);
		if (!to)
			return gyve_err_set(err, -ENOEXEC,
					    "the image needs memory at 0x%" PRIx64 "..0x%" PRIx64
					    ", which the guest does not have: give it more",
					    gpa, gpa + s->memsz);
		memcpy(to, elf->data + s->offset, s->filesz);
		memset(to + s->filesz, 0, s->memsz - s->filesz);
	}
	return 0;
}

ssize_t gyve_elf_build_id(const void *data, size_t size, uint8_t *ret, size_t max)
{
	struct gyve_elf *elf = calloc(1, sizeof(*elf));
	const uint8_t *desc = NULL;
	ssize_t n = -ENOENT;

	if (elf && gyve_elf_parse(elf, data, size, NULL) == 0)
		n = gyve_elf_note(elf, "GNU", 3, &desc);
	if (n > 0 && (size_t)n > max)
		n = (ssize_t)max;
	if (n > 0)
		memcpy(ret, desc, (size_t)n);
	free(elf);
	return n;
}
