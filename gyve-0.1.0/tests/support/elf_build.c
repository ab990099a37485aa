#include "elf_build.h"

#include <stdlib.h>
#include <string.h>

static void *grow(struct elf_build *b, const void *bytes, size_t len, size_t align)
{
	size_t at = (b->size + align - 1) & ~(align - 1);

	if (len > sizeof(b->data) || at > sizeof(b->data) - len)
		abort(); /* the test asks for too much */
	if (bytes && len)
		memcpy(b->data + at, bytes, len);
	b->size = at + len;
	return b->data + at;
}

void elf_build_init(struct elf_build *b, uint16_t machine, uint16_t type, uint64_t entry)
{
	memset(b, 0, sizeof(*b));
	*elf_build_ehdr(b) = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_STANDALONE},
		.e_type = type,
		.e_machine = machine,
		.e_version = EV_CURRENT,
		.e_entry = entry,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr)};
	b->size = ELF_BUILD_DATA;
}

Elf64_Ehdr *elf_build_ehdr(struct elf_build *b)
{
	return (Elf64_Ehdr *)(void *)b->data;
}

Elf64_Phdr *elf_build_phdr(struct elf_build *b, unsigned i)
{
	return (Elf64_Phdr *)(void *)(b->data + sizeof(Elf64_Ehdr)) + i;
}

Elf64_Phdr *elf_build_add(struct elf_build *b, uint32_t type)
{
	unsigned i = elf_build_ehdr(b)->e_phnum++;

	if (i >= ELF_BUILD_PHDRS)
		abort();
	Elf64_Phdr *p = elf_build_phdr(b, i);
	*p = (Elf64_Phdr){.p_type = type};
	return p;
}

Elf64_Phdr *elf_build_load(struct elf_build *b, uint64_t vaddr, const void *bytes, size_t filesz, uint64_t memsz)
{
	const uint8_t *at = grow(b, bytes, filesz, 16);
	Elf64_Phdr *p = elf_build_add(b, PT_LOAD);

	p->p_flags = PF_R | PF_W | PF_X;
	p->p_offset = (uint64_t)(at - b->data);
	p->p_vaddr = p->p_paddr = vaddr;
	p->p_filesz = filesz;
	p->p_memsz = memsz;
	p->p_align = 16;
	return p;
}

void elf_build_note(struct elf_build *b, const char *owner, uint32_t type, const void *desc, uint32_t descsz)
{
	uint32_t head[3] = {(uint32_t)strlen(owner) + 1, descsz, type};

	if (!b->note_phdr) {
		Elf64_Phdr *p = elf_build_add(b, PT_NOTE);
		grow(b, NULL, 0, 4);
		b->note_phdr = elf_build_ehdr(b)->e_phnum;
		b->note_at = b->size;
		p->p_offset = b->note_at;
		p->p_align = 4;
	}
	grow(b, head, sizeof(head), 4);
	grow(b, owner, head[0], 4);
	grow(b, desc, descsz, 4);
	grow(b, NULL, 0, 4);
	Elf64_Phdr *p = elf_build_phdr(b, b->note_phdr - 1);
	p->p_filesz = p->p_memsz = b->size - b->note_at;
}

static uint8_t *in_image(struct elf_build *b, size_t at)
{
	return b->data + elf_build_phdr(b, 0)->p_offset + at;
}

Elf64_Rela *elf_build_rela(struct elf_build *b, unsigned i)
{
	return (Elf64_Rela *)(void *)in_image(b, HERMIT_IMAGE_RELA) + i;
}

Elf64_Dyn *elf_build_dyn(struct elf_build *b, unsigned i)
{
	return (Elf64_Dyn *)(void *)in_image(b, HERMIT_IMAGE_DYN) + i;
}

static void add_dynamic(struct elf_build *b, const struct hermit_image *what)
{
	static const Elf64_Sym syms[] = {
		[1] = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), .st_shndx = 1, .st_value = HERMIT_IMAGE_SYM},
		[2] = {.st_info = ELF64_ST_INFO(STB_WEAK, STT_NOTYPE)},
		[3] = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE)},
		[4] = {.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE), .st_shndx = SHN_ABS, .st_value = 0x1234}};
	static const Elf64_Dyn dyns[] = {{.d_tag = DT_RELA, .d_un.d_val = HERMIT_IMAGE_RELA},
					 {.d_tag = DT_RELASZ, .d_un.d_val = 4 * sizeof(Elf64_Rela)},
					 {.d_tag = DT_SYMTAB, .d_un.d_val = HERMIT_IMAGE_SYMS}};
	const Elf64_Rela rela = {.r_offset = HERMIT_IMAGE_SLOTS,
				 .r_info = ELF64_R_INFO(0, what->machine == EM_X86_64 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE),
				 .r_addend = HERMIT_IMAGE_ENTRY};
	Elf64_Phdr *p;

	memcpy(in_image(b, HERMIT_IMAGE_SYMS), syms, sizeof(syms));
	memcpy(in_image(b, HERMIT_IMAGE_RELA), &rela, sizeof(rela));
	memcpy(in_image(b, HERMIT_IMAGE_DYN), dyns, sizeof(dyns));
	p = elf_build_add(b, PT_DYNAMIC);
	p->p_offset = elf_build_phdr(b, 0)->p_offset + HERMIT_IMAGE_DYN;
	p->p_vaddr = p->p_paddr = HERMIT_IMAGE_DYN;
	p->p_filesz = p->p_memsz = 6 * sizeof(Elf64_Dyn);
}

void elf_build_hermit(struct elf_build *b, const struct hermit_image *what)
{
	static const uint8_t body[HERMIT_IMAGE_FILESZ] = {0xf4};
	uint32_t abi[4] = {6, 0, what->minor, 2};
	uint8_t version = (uint8_t)what->entry_version, interface[4] = {0, 0, 0, (uint8_t)what->interface};
	Elf64_Phdr *p;

	elf_build_init(b, what->machine, what->fixed ? ET_EXEC : ET_DYN, what->base + HERMIT_IMAGE_ENTRY);
	elf_build_load(b, what->base, body, sizeof(body), HERMIT_IMAGE_MEMSZ);
	p = elf_build_add(b, PT_TLS);
	p->p_offset = elf_build_phdr(b, 0)->p_offset + HERMIT_IMAGE_TLS;
	p->p_vaddr = p->p_paddr = what->base + HERMIT_IMAGE_TLS;
	p->p_filesz = 0x10;
	p->p_memsz = 0x20;
	p->p_align = 8;
	if (!what->fixed)
		add_dynamic(b, what);
	if (what->minor)
		elf_build_note(b, "GNU", 1, abi, sizeof(abi));
	if (what->entry_version)
		elf_build_note(b, "HERMIT", 0x5a00, &version, 1);
	if (what->interface)
		elf_build_note(b, "UHYVEIF", 0x5b00, interface, 4);
}
