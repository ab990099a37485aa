/* ELF cores: ours, QEMU's, Solo5's, those of processes. Segments by physical address; two for one address hold the same bytes
 * (a core with virtual segments as well), so the first is taken. */
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_PHDRS = 1 << 20 };

struct seg {
	uint64_t addr, off, filesz, memsz;
	uint32_t index;
};

struct phdrs {
	const uint8_t *p;
	uint64_t n;
	size_t size;
	bool is32;
};

static Elf64_Phdr phdr(const struct phdrs *t, uint64_t i)
{
	Elf64_Phdr r;
	Elf32_Phdr s;

	if (!t->is32) {
		memcpy(&r, t->p + i * t->size, sizeof(r));
		return r;
	}
	memcpy(&s, t->p + i * t->size, sizeof(s));
	return (Elf64_Phdr){.p_type = s.p_type,
			    .p_flags = s.p_flags,
			    .p_offset = s.p_offset,
			    .p_vaddr = s.p_vaddr,
			    .p_paddr = s.p_paddr,
			    .p_filesz = s.p_filesz,
			    .p_memsz = s.p_memsz,
			    .p_align = s.p_align};
}

/* The header, in 64 bits. */
static int read_header(struct gyve_core *core, Elf64_Ehdr *e, bool *is32, struct gyve_err *err)
{
	const uint8_t *p = core->backing->data;
	Elf32_Ehdr s;

	if (core->backing->size < sizeof(*e))
		return gyve_err_set(err, -ENOEXEC, "it ends within the ELF header");
	*is32 = p[EI_CLASS] == ELFCLASS32;
	if ((!*is32 && p[EI_CLASS] != ELFCLASS64) || p[EI_DATA] != ELFDATA2LSB)
		return gyve_err_set(err, -ENOEXEC, "not a little-endian ELF file");
	memcpy(e, p, sizeof(*e));
	if (*is32) {
		memcpy(&s, p, sizeof(s));
		e->e_phoff = s.e_phoff;
		e->e_shoff = s.e_shoff;
		e->e_phnum = s.e_phnum;
		e->e_phentsize = s.e_phentsize;
	}
	if (e->e_type != ET_CORE)
		return gyve_err_set(err, -ENOEXEC, "an ELF file, but not a core");
	core->arch = e->e_machine == EM_386 ? &gyve_arch_x86_64 : gyve_arch_find(e->e_machine);
	if (!core->arch)
		return gyve_err_set(err, -ENOEXEC, "a core of machine %u, which is not known here", e->e_machine);
	return 0;
}

static int find_phdrs(struct gyve_core *core, const Elf64_Ehdr *e, struct phdrs *t, struct gyve_err *err)
{
	uint64_t size = core->backing->size, room;

	t->n = e->e_phnum;
	t->size = t->is32 ? sizeof(Elf32_Phdr) : sizeof(Elf64_Phdr);
	if (e->e_phnum == PN_XNUM && !t->is32 && e->e_shoff <= size && size - e->e_shoff >= sizeof(Elf64_Shdr)) {
		Elf64_Shdr s;
		memcpy(&s, core->backing->data + e->e_shoff, sizeof(s));
		t->n = s.sh_info;
	}
	if (e->e_phentsize != t->size || e->e_phoff > size)
		return gyve_err_set(err, -ENOEXEC, "its program headers are not where the ELF header says");
	room = (size - e->e_phoff) / t->size;
	if (t->n > room)
		core_warn(core, "%" PRIu64 " of %" PRIu64 " program headers are not in the file", t->n - room, t->n);
	t->n = t->n < room ? t->n : room;
	if (t->n > MAX_PHDRS)
		return gyve_err_set(err, -ENOEXEC, "%" PRIu64 " program headers are too many", t->n);
	t->p = core->backing->data + e->e_phoff;
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct seg *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static void add_seg(struct gyve_core *core, struct seg s, uint64_t *end)
{
	char what[32];

	snprintf(what, sizeof(what), "segment %u", s.index);
	if (s.memsz > UINT64_MAX - s.addr || s.filesz > UINT64_MAX - s.off) {
		core_warn(core, "%s at 0x%" PRIx64 ": its size 0x%" PRIx64 " makes no sense; left out", what, s.addr, s.memsz);
		return;
	}
	if (s.addr < *end) { /* what another segment has */
		uint64_t skip = *end - s.addr;
		if (skip >= s.memsz)
			return;
		s.addr += skip;
		s.off += skip < s.filesz ? skip : s.filesz;
		s.filesz -= skip < s.filesz ? skip : s.filesz;
		s.memsz -= skip;
	}
	*end = s.addr + s.memsz;
	if (s.filesz && core_add_file(core, s.addr, s.off, s.filesz, what) < 0)
		return;
	if (s.memsz > s.filesz && core_add_zero(core, s.addr + s.filesz, s.memsz - s.filesz, NULL) < 0)
		core_warn(core, "%s at 0x%" PRIx64 ": no room for its 0x%" PRIx64 " bytes of zeros", what, s.addr,
			  s.memsz - s.filesz);
}

static int add_segments(struct gyve_core *core, const struct phdrs *t, struct gyve_err *err)
{
	struct seg *seg = calloc(t->n ? t->n : 1, sizeof(*seg));
	bool any_paddr = false, aliased = false;
	uint64_t end = 0;
	size_t n = 0;

	if (!seg)
		return gyve_err_set(err, -ENOMEM, "no memory");
	for (uint64_t i = 0; i < t->n; i++) {
		Elf64_Phdr p = phdr(t, i);
		if (p.p_type != PT_LOAD)
			continue;
		any_paddr |= p.p_paddr != 0;
		aliased |= p.p_paddr != p.p_vaddr;
	}
	/* No segment has a physical address, and there is more than one: those are virtual ones. */
	core->is_virtual = !any_paddr && aliased;
	for (uint64_t i = 0; i < t->n; i++) {
		Elf64_Phdr p = phdr(t, i);
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		if (p.p_filesz > p.p_memsz)
			p.p_filesz = p.p_memsz;
		seg[n++] =
			(struct seg){core->is_virtual ? p.p_vaddr : p.p_paddr, p.p_offset, p.p_filesz, p.p_memsz, (uint32_t)i};
	}
	qsort(seg, n, sizeof(*seg), by_addr);
	for (size_t i = 0; i < n; i++)
		add_seg(core, seg[i], &end);
	free(seg);
	return 0;
}

static void read_notes(struct gyve_core *core, const struct phdrs *t)
{
	for (uint64_t i = 0; i < t->n; i++) {
		Elf64_Phdr p = phdr(t, i);
		uint64_t size = core->backing->size, len = p.p_filesz;
		if (p.p_type != PT_NOTE)
			continue;
		if (p.p_offset > size || len > size - p.p_offset) {
			core_warn(core, "the notes reach beyond the end of the file");
			len = p.p_offset < size ? size - p.p_offset : 0;
		}
		core_elf_notes(core, core->backing->data + (len ? p.p_offset : 0), len, p.p_align == 8 ? 8 : 4, t->is32);
	}
}

int core_elf_open(struct gyve_core *core, const struct gyve_core_open *opt, struct gyve_err *err)
{
	struct phdrs t = {0};
	Elf64_Ehdr e;
	int ret = read_header(core, &e, &t.is32, err);

	(void)opt;
	if (ret < 0 || (ret = find_phdrs(core, &e, &t, err)) < 0)
		return ret;
	/* headers and notes of a compressed dump are made when they are looked at */
	for (uint64_t i = 0; core->backing->need && i < t.n; i++) {
		Elf64_Phdr p = phdr(&t, i);
		if (p.p_type == PT_NOTE && p.p_offset < core->backing->size && p.p_filesz <= core->backing->size - p.p_offset)
			core->backing->need(core, core->backing->data + p.p_offset, p.p_filesz);
	}
	core->kind = GYVE_CORE_ELF;
	snprintf(core->format, sizeof(core->format), "ELF core");
	if ((ret = add_segments(core, &t, err)) < 0)
		return ret;
	read_notes(core, &t);
	if (core->is_virtual && core->have_sys) /* one region of RAM at 0, and page tables: those were physical */
		core_warn(core, "its segments have no physical addresses: it is shown by virtual address, without page tables");
	return 0;
}
