/* Small ELF64 files in memory, right ones and (by changing fields afterwards) wrong ones. */
#ifndef ELF_BUILD_H
#define ELF_BUILD_H
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_BUILD_MAX = 0x8000, ELF_BUILD_PHDRS = 16, ELF_BUILD_DATA = 0x400 };

struct elf_build {
	_Alignas(16) uint8_t data[ELF_BUILD_MAX];
	size_t size;
	size_t note_at, note_len; /* notes so far: one PT_NOTE */
	unsigned note_phdr;       /* index + 1; 0: none yet */
};

/* An ELF header and room for program headers. type: ET_*. */
void elf_build_init(struct elf_build *b, uint16_t machine, uint16_t type, uint64_t entry);
Elf64_Ehdr *elf_build_ehdr(struct elf_build *b);
Elf64_Phdr *elf_build_phdr(struct elf_build *b, unsigned i);
/* Append a program header of any type; the caller fills the rest in. */
Elf64_Phdr *elf_build_add(struct elf_build *b, uint32_t type);
/* Append a PT_LOAD with a copy of bytes (NULL: zeros), vaddr = paddr, readable, writable, executable. Gives its header. */
Elf64_Phdr *elf_build_load(struct elf_build *b, uint64_t vaddr, const void *bytes, size_t filesz, uint64_t memsz);
/* Append a note. All notes follow one another: no elf_build_load() in between. */
void elf_build_note(struct elf_build *b, const char *owner, uint32_t type, const void *desc, uint32_t descsz);

/* A position-independent (or fixed) Hermit image of one segment. Everything in it has a known place, as vaddr - base: */
enum {
	HERMIT_IMAGE_SLOTS = 0x100, /* eight 8-byte words for relocations */
	HERMIT_IMAGE_SYMS = 0x180,  /* 0 none, 1 defined (value HERMIT_IMAGE_SYM), 2 weak undefined, 3 undefined, 4 absolute */
	HERMIT_IMAGE_RELA = 0x200,  /* four entries: RELATIVE of slot 0, then none */
	HERMIT_IMAGE_DYN = 0x300,
	HERMIT_IMAGE_TLS = 0x380, /* 0x10 bytes of file, 0x20 of memory, alignment 8 */
	HERMIT_IMAGE_SYM = 0x48,
	HERMIT_IMAGE_FILESZ = 0x400,
	HERMIT_IMAGE_MEMSZ = 0x3000,
	HERMIT_IMAGE_ENTRY = 0x10,
};
struct hermit_image {
	uint16_t machine;
	bool fixed;                               /* ET_EXEC at base */
	uint64_t base;                            /* link address */
	unsigned entry_version, interface, minor; /* 0: without that note; minor: of Hermit 0.MINOR.2 */
};
void elf_build_hermit(struct elf_build *b, const struct hermit_image *what);
/* In such an image: relocation entry i, dynamic entry i (three are used, then DT_NULL). */
Elf64_Rela *elf_build_rela(struct elf_build *b, unsigned i);
Elf64_Dyn *elf_build_dyn(struct elf_build *b, unsigned i);
#endif
