/* Symbols out of an ELF file, by libelf. */
#define _GNU_SOURCE
#include "symtab_priv.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

static unsigned rank_of(const GElf_Sym *s)
{
	static const uint8_t by_bind[] = {[STB_LOCAL] = 1, [STB_GLOBAL] = 3, [STB_WEAK] = 2};
	unsigned type = GELF_ST_TYPE(s->st_info), bind = GELF_ST_BIND(s->st_info);
	unsigned rank = type == STT_FUNC || type == STT_GNU_IFUNC ? 8 : type == STT_OBJECT ? 4 : 0;

	return rank + (bind < GYVE_ARRAY_SIZE(by_bind) ? by_bind[bind] : 0);
}

static bool wanted(const GElf_Sym *s, const char *name)
{
	switch (GELF_ST_TYPE(s->st_info)) {
	case STT_NOTYPE:
	case STT_FUNC:
	case STT_OBJECT:
	case STT_GNU_IFUNC:
		/* "$x", "$d": aarch64 mapping symbols; ".L": the assembler's own labels */
		return s->st_shndx != SHN_UNDEF && name && *name && *name != '$' && strncmp(name, ".L", 2) != 0;
	default:
		return false;
	}
}

static bool add_symbol(struct gyve_symtab *t, const GElf_Sym *s, const char *name)
{
	uint64_t end;

	if (t->nsyms == t->max_syms) {
		size_t max = t->max_syms ? 2 * t->max_syms : 1024;
		struct gyve_symbol *p = max <= SYMTAB_MAX ? reallocarray(t->syms, max, sizeof(*p)) : NULL;
		if (!p)
			return false;
		t->syms = p;
		t->max_syms = max;
	}
	if (__builtin_add_overflow(s->st_value, s->st_size, &end))
		end = s->st_value;
	t->syms[t->nsyms++] = (struct gyve_symbol){
		.start = s->st_value,
		.end = end,
		.name = (uint64_t)((const uint8_t *)name - t->image),
		.section = s->st_shndx,
		.rank = (uint16_t)rank_of(s),
		.placed = s->st_shndx != SHN_ABS,
	};
	return true;
}

/* A string table and how much of it ends in a zero byte: asking libelf for each name would search the end each time. */
struct strings {
	const char *base;
	size_t len;
};

static struct strings read_strings(struct gyve_symtab *t, size_t index)
{
	Elf_Scn *scn = elf_getscn(t->elf, index);
	Elf_Data *data = scn ? elf_rawdata(scn, NULL) : NULL;
	GElf_Shdr sh;
	const char *last;

	if (!data || !data->d_buf || !gelf_getshdr(scn, &sh) || sh.sh_flags & SHF_COMPRESSED)
		return (struct strings){0};
	if ((const uint8_t *)data->d_buf < t->image || (const uint8_t *)data->d_buf >= t->image + t->size)
		return (struct strings){0};
	last = memrchr(data->d_buf, 0, data->d_size);
	return (struct strings){data->d_buf, last ? (size_t)(last - (const char *)data->d_buf) + 1 : 0};
}

static void read_table(struct gyve_symtab *t, Elf_Scn *scn, const GElf_Shdr *sh)
{
	size_t each = gelf_fsize(t->elf, ELF_T_SYM, 1, EV_CURRENT), n;
	struct strings names = read_strings(t, sh->sh_link);
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Sym sym;

	if (!data || !data->d_buf || !each)
		return;
	n = data->d_size / each;
	for (size_t i = 1; i < n && i < INT32_MAX; i++) {
		const char *name;
		if (!gelf_getsym(data, (int)i, &sym))
			return;
		name = sym.st_name < names.len ? names.base + sym.st_name : NULL;
		if (wanted(&sym, name) && !add_symbol(t, &sym, name))
			return;
	}
}

static int by_start(const void *va, const void *vb)
{
	const struct gyve_symbol *a = va, *b = vb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return 0;
}

void gyve_symtab_read_sections(struct gyve_symtab *t)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr sh;

	if (elf_getshdrnum(t->elf, &t->nsects) < 0 || !(t->sect_end = calloc(t->nsects + 1, sizeof(*t->sect_end)))) {
		t->nsects = 0;
		return;
	}
	while ((scn = elf_nextscn(t->elf, scn))) {
		size_t i = elf_ndxscn(scn);
		if (i < t->nsects && gelf_getshdr(scn, &sh) && sh.sh_flags & SHF_ALLOC)
			t->sect_end[i] = sh.sh_addr + sh.sh_size;
	}
}

/* .symtab has all that .dynsym has. */
void gyve_symtab_read_symbols(struct gyve_symtab *t)
{
	static const GElf_Word types[] = {SHT_SYMTAB, SHT_DYNSYM};
	GElf_Shdr sh;

	for (size_t k = 0; k < GYVE_ARRAY_SIZE(types) && !t->nsyms; k++)
		for (Elf_Scn *scn = NULL; (scn = elf_nextscn(t->elf, scn));)
			if (gelf_getshdr(scn, &sh) && sh.sh_type == types[k])
				read_table(t, scn, &sh);
	if (!t->nsyms)
		return;
	qsort(t->syms, t->nsyms, sizeof(*t->syms), by_start);
}
