/* Relocations of a position-independent image without a dynamic linker: RELA only. ELF gABI; psABIs of x86-64 and AArch64. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "../base/bytes.h"
#include "gyve/loader.h"

struct rela {
	uint64_t addr, size;
};

struct dynamic {
	struct rela data, plt; /* size 0: none */
	uint64_t symtab;
	bool has_symtab;
};

enum { TAG_RELR = 36 }; /* DT_RELR: newer than some <elf.h> */

static int read_dynamic(const struct gyve_elf *elf, struct dynamic *d, struct gyve_err *err)
{
	uint64_t n = elf->dynamic.filesz / sizeof(Elf64_Dyn);

	for (uint64_t i = 0; i < n; i++) {
		const uint8_t *p = elf->data + elf->dynamic.offset + i * sizeof(Elf64_Dyn);
		uint64_t tag = get_le64(p), val = get_le64(p + 8);
		switch (tag) {
		case DT_NULL:
			return 0;
		case DT_NEEDED:
			return gyve_err_set(err, -ENOEXEC, "the image needs shared libraries");
		case DT_REL:
			return gyve_err_set(err, -ENOEXEC,
					    "the image has REL relocations, which its architecture does not use");
		case DT_RELA:
			d->data.addr = val;
			break;
		case DT_RELASZ:
			d->data.size = val;
			break;
		case DT_JMPREL:
			d->plt.addr = val;
			break;
		case DT_PLTRELSZ:
			d->plt.size = val;
			break;
		case TAG_RELR:
			return gyve_err_set(err, -ENOEXEC,
					    "the image has packed relocations (DT_RELR), which are not supported: link it with "
					    "-z nopack-relative-relocs");
		case DT_RELAENT:
			if (val != sizeof(Elf64_Rela))
				return gyve_err_set(err, -ENOEXEC, "relocation entries have a wrong size");
			break;
		case DT_SYMTAB:
			d->symtab = val;
			d->has_symtab = true;
			break;
		}
	}
	return 0;
}

enum kind { RELATIVE, SYMBOL, SYMBOL_NO_ADDEND, NOTHING, UNKNOWN };

static enum kind kind_of(int machine, uint32_t type)
{
	if (machine == EM_X86_64)
		switch (type) {
		case R_X86_64_NONE:
			return NOTHING;
		case R_X86_64_RELATIVE:
			return RELATIVE;
		case R_X86_64_64:
			return SYMBOL;
		case R_X86_64_GLOB_DAT:
		case R_X86_64_JUMP_SLOT:
			return SYMBOL_NO_ADDEND;
		}
	if (machine == EM_AARCH64)
		switch (type) {
		case R_AARCH64_NONE:
			return NOTHING;
		case R_AARCH64_RELATIVE:
			return RELATIVE;
		case R_AARCH64_ABS64:
		case R_AARCH64_GLOB_DAT:
		case R_AARCH64_JUMP_SLOT:
			return SYMBOL;
		}
	return UNKNOWN;
}

/* Loaded bytes at link-time address vaddr, inside the image. */
static uint8_t *image_ptr(const struct gyve_elf *elf, const struct gyve_memmap *mem, uint64_t bias, uint64_t vaddr,
			  uint64_t len)
{
	for (unsigned i = 0; i < elf->nsegs; i++) {
		const struct gyve_segment *s = &elf->seg[i];
		if (vaddr >= s->vaddr && len <= s->memsz && vaddr - s->vaddr <= s->memsz - len)
			return gyve_memmap_ptr(mem, vaddr + bias, len);
	}
	return NULL;
}

static int symbol_value(const struct gyve_elf *elf, const struct gyve_memmap *mem, const struct dynamic *d, uint64_t bias,
			uint32_t index, uint64_t *ret, struct gyve_err *err)
{
	uint64_t at;
	const uint8_t *sym = NULL;

	if (d->has_symtab && !__builtin_add_overflow(d->symtab, (uint64_t)index * sizeof(Elf64_Sym), &at))
		sym = image_ptr(elf, mem, bias, at, sizeof(Elf64_Sym));
	if (!sym)
		return gyve_err_set(err, -ENOEXEC, "a relocation names symbol %u, which lies outside the image", index);
	uint16_t shndx = get_le16(sym + offsetof(Elf64_Sym, st_shndx));
	unsigned bind = sym[offsetof(Elf64_Sym, st_info)] >> 4;
	uint64_t value = get_le64(sym + offsetof(Elf64_Sym, st_value));
	if (shndx == SHN_UNDEF && bind != STB_WEAK)
		return gyve_err_set(err, -ENOEXEC, "a relocation names symbol %u, which is not defined", index);
	*ret = shndx == SHN_UNDEF ? 0 : shndx == SHN_ABS ? value : value + bias;
	return 0;
}

static int apply(const struct gyve_elf *elf, const struct gyve_memmap *mem, const struct dynamic *d, uint64_t bias,
		 const uint8_t *rela, struct gyve_err *err)
{
	uint64_t offset = get_le64(rela), info = get_le64(rela + 8), addend = get_le64(rela + 16), value = 0;
	uint32_t type = (uint32_t)info, index = (uint32_t)(info >> 32);
	enum kind kind = kind_of(elf->machine, type);

	if (kind == NOTHING)
		return 0;
	if (kind == UNKNOWN)
		return gyve_err_set(err, -ENOEXEC, "relocation type %u at 0x%" PRIx64 " is not supported", type, offset);
	uint8_t *to = image_ptr(elf, mem, bias, offset, 8);
	if (!to)
		return gyve_err_set(err, -ENOEXEC, "a relocation at 0x%" PRIx64 " lies outside the image", offset);
	if (kind == RELATIVE) {
		put_le64(to, addend + bias);
		return 0;
	}
	int r = symbol_value(elf, mem, d, bias, index, &value, err);
	if (r == 0)
		put_le64(to, value + (kind == SYMBOL ? addend : 0));
	return r;
}

static int apply_table(const struct gyve_elf *elf, const struct gyve_memmap *mem, const struct dynamic *d, uint64_t bias,
		       const struct rela *t, struct gyve_err *err)
{
	int r = 0;

	if (!t->size)
		return 0;
	/* relocations may rewrite the table itself: each entry is checked as it is applied */
	const uint8_t *table = image_ptr(elf, mem, bias, t->addr, t->size);
	if (!table)
		return gyve_err_set(err, -ENOEXEC, "the relocation table lies outside the image");
	for (uint64_t at = 0; r == 0 && t->size - at >= sizeof(Elf64_Rela); at += sizeof(Elf64_Rela))
		r = apply(elf, mem, d, bias, table + at, err);
	return r;
}

int gyve_elf_relocate(const struct gyve_elf *elf, const struct gyve_memmap *mem, uint64_t bias, struct gyve_err *err)
{
	struct dynamic d = {0};
	int r = elf->dynamic.present ? read_dynamic(elf, &d, err) : 0;

	if (r == 0)
		r = apply_table(elf, mem, &d, bias, &d.data, err);
	return r < 0 ? r : apply_table(elf, mem, &d, bias, &d.plt, err);
}
