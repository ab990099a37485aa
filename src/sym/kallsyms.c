/* See gyve/kallsyms.h. A name is a length and as many bytes, each of which stands for a token; the first character of what they
 * expand to is the kind of symbol, as nm prints it. */
#include "gyve/kallsyms.h"

#include "../base/bytes.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS = 256, TOKEN_BYTES = 1 << 16, NAME_MAX_LEN = 1024, CHUNK = 1 << 16 };

bool gyve_vmcoreinfo_symbol(const char *text, const char *name, uint64_t *ret)
{
	char key[96], *end;
	int n = snprintf(key, sizeof(key), "SYMBOL(%s)=", name);

	for (const char *line = text; line && n < (int)sizeof(key); line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, (size_t)n) != 0)
			continue;
		*ret = strtoull(line + n, &end, 16);
		return end > line + n;
	}
	return false;
}

int gyve_kallsyms_find(const char *text, struct gyve_kallsyms *ret)
{
	const struct {
		const char *name;
		uint64_t *to;
	} rows[] = {
		{"kallsyms_names", &ret->names},
		{"kallsyms_num_syms", &ret->num_syms},
		{"kallsyms_token_table", &ret->token_table},
		{"kallsyms_token_index", &ret->token_index},
		{"kallsyms_offsets", &ret->offsets},
		{"kallsyms_relative_base", &ret->relative_base},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!gyve_vmcoreinfo_symbol(text, rows[i].name, rows[i].to))
			return -ENOENT;
	return 0;
}

struct tables {
	const struct gyve_mem *kernel;
	uint16_t index[TOKENS];
	char tokens[TOKEN_BYTES + NAME_MAX_LEN]; /**< zeros behind the table */
	uint8_t *offsets;
	uint64_t base;
	uint32_t n;
	bool negative; /**< offsets below zero are the kernel's addresses, the others numbers: per-CPU variables */
	uint64_t lowest, highest;
	/* a window on the names */
	uint64_t names;
	uint8_t chunk[CHUNK];
	size_t at, have;
};

static bool read_all(const struct gyve_mem *kernel, uint64_t addr, void *buf, size_t len)
{
	return kernel->read(kernel->ctx, addr, buf, len) == (ssize_t)len;
}

static int next_byte(struct tables *t)
{
	if (t->at == t->have) {
		ssize_t n = t->kernel->read(t->kernel->ctx, t->names, t->chunk, CHUNK);
		if (n <= 0)
			return -EFAULT;
		t->names += (uint64_t)n;
		t->have = (size_t)n;
		t->at = 0;
	}
	return t->chunk[t->at++];
}

/* The next symbol's name without its kind, which is returned. */
static int next_name(struct tables *t, char name[NAME_MAX_LEN])
{
	int len = next_byte(t), kind = 0;
	size_t out = 0;

	if (len >= 0x80) { /* Linux 6.1: two bytes */
		int high = next_byte(t);
		len = high < 0 ? high : (len & 0x7f) | high << 7;
	}
	for (int i = 0; i < len; i++) {
		int byte = next_byte(t);
		if (byte < 0)
			return byte;
		for (const char *c = t->tokens + t->index[byte]; *c && out < NAME_MAX_LEN - 1; c++) {
			if (!kind)
				kind = (unsigned char)*c;
			else
				name[out++] = *c;
		}
	}
	name[out] = '\0';
	return len < 0 ? len : kind;
}

static uint64_t address(const struct tables *t, uint32_t i, bool *number)
{
	uint32_t off = get_le32(t->offsets + 4 * (size_t)i);

	*number = t->negative && !(off >> 31);
	if (*number)
		return off;
	return t->negative ? t->base - 1 - (uint64_t)(int64_t)(int32_t)off : t->base + off;
}

static int read_tables(struct tables *t, const struct gyve_kallsyms *k, struct gyve_err *err)
{
	uint8_t word[8], index[2 * TOKENS];

	if (!read_all(t->kernel, k->num_syms, word, 4) || !read_all(t->kernel, k->token_index, index, sizeof(index)) ||
	    t->kernel->read(t->kernel->ctx, k->token_table, t->tokens, TOKEN_BYTES) <= 0)
		return gyve_err_set(err, -EFAULT, "the kernel's symbols cannot be read");
	t->n = get_le32(word);
	if (t->n == 0 || t->n > GYVE_KALLSYMS_MAX)
		return gyve_err_set(err, -EINVAL, "a kernel with %u symbols is not believed", t->n);
	for (unsigned i = 0; i < TOKENS; i++)
		t->index[i] = get_le16(index + 2 * (size_t)i);
	t->offsets = malloc(4 * (size_t)t->n);
	if (!t->offsets)
		return -ENOMEM;
	if (!read_all(t->kernel, k->offsets, t->offsets, 4 * (size_t)t->n) || !read_all(t->kernel, k->relative_base, word, 8))
		return gyve_err_set(err, -EFAULT, "the addresses of the kernel's symbols cannot be read");
	t->base = get_le64(word);
	t->names = k->names;
	for (uint32_t i = 0; i < t->n; i++)
		t->negative |= get_le32(t->offsets + 4 * (size_t)i) >> 31;
	t->lowest = UINT64_MAX;
	for (uint32_t i = 0; i < t->n; i++) {
		bool number;
		uint64_t at = address(t, i, &number);
		if (!number && at < t->lowest)
			t->lowest = at;
		if (!number && at > t->highest)
			t->highest = at;
	}
	return 0;
}

enum { S_NULL, S_TEXT, S_SYMTAB, S_STRTAB, S_SHSTRTAB, S_N };

static unsigned char info_of(int kind)
{
	bool global = kind >= 'A' && kind <= 'Z', weak = kind == 'w' || kind == 'W' || kind == 'V' || kind == 'v';
	bool code = kind == 't' || kind == 'T' || kind == 'w' || kind == 'W';

	return ELF64_ST_INFO(weak ? STB_WEAK : global ? STB_GLOBAL : STB_LOCAL, code ? STT_FUNC : STT_OBJECT);
}

static void add_symbol(const struct tables *t, uint32_t i, int kind, uint32_t name, Elf64_Sym *s)
{
	bool number;

	s->st_value = address(t, i, &number);
	s->st_name = name;
	s->st_info = info_of(kind);
	s->st_shndx = number ? SHN_ABS : S_TEXT;
}

/* To the next symbol; several names may be for one address. */
static void set_sizes(const struct tables *t, Elf64_Sym *syms)
{
	uint64_t next = t->highest, at = t->highest;

	for (uint32_t i = t->n; i > 0; i--) {
		if (syms[i].st_shndx != S_TEXT)
			continue;
		if (syms[i].st_value != at)
			next = at;
		at = syms[i].st_value;
		syms[i].st_size = next > at ? next - at : 0;
	}
}

/* All names, one after the other; the symbols by the way. */
static int read_names(struct tables *t, Elf64_Sym *syms, char **strings, size_t *len, struct gyve_err *err)
{
	FILE *f = open_memstream(strings, len);
	char name[NAME_MAX_LEN];
	int kind = 0;

	if (!f)
		return -ENOMEM;
	fputc('\0', f);
	for (uint32_t i = 0; i < t->n && kind >= 0; i++) {
		long at = ftell(f);
		kind = at < 0 || at > INT32_MAX ? -EINVAL : next_name(t, name);
		if (kind < 0)
			break;
		add_symbol(t, i, kind, (uint32_t)at, &syms[i + 1]);
		fputs(name, f);
		fputc('\0', f);
	}
	bool bad = ferror(f);
	if (fclose(f) || bad)
		return -ENOMEM;
	return kind < 0 ? gyve_err_set(err, kind, "the names of the kernel's symbols cannot be read") : 0;
}

static void section(Elf64_Shdr *s, uint32_t name, uint32_t type, uint64_t off, uint64_t size)
{
	s->sh_name = name;
	s->sh_type = type;
	s->sh_offset = off;
	s->sh_size = size;
	s->sh_addralign = 1;
}

static int make_elf(const struct tables *t, enum gyve_arch_id arch, const Elf64_Sym *syms, const char *strings, size_t len,
		    uint8_t **ret, size_t *size)
{
	static const char names[] = "\0.text\0.symtab\0.strtab\0.shstrtab";
	size_t nsyms = (t->n + (size_t)1) * sizeof(Elf64_Sym), heads = sizeof(Elf64_Ehdr) + S_N * sizeof(Elf64_Shdr);
	Elf64_Ehdr *e;

	*size = heads + nsyms + len + sizeof(names);
	*ret = calloc(1, *size);
	if (!*ret)
		return -ENOMEM;
	e = (Elf64_Ehdr *)*ret;
	memcpy(e->e_ident, ELFMAG, SELFMAG);
	e->e_ident[EI_CLASS] = ELFCLASS64;
	e->e_ident[EI_DATA] = ELFDATA2LSB;
	e->e_ident[EI_VERSION] = EV_CURRENT;
	e->e_type = ET_EXEC;
	e->e_machine = arch == GYVE_AARCH64 ? EM_AARCH64 : EM_X86_64;
	e->e_version = EV_CURRENT;
	e->e_ehsize = sizeof(*e);
	e->e_shoff = sizeof(*e);
	e->e_shentsize = sizeof(Elf64_Shdr);
	e->e_shnum = S_N;
	e->e_shstrndx = S_SHSTRTAB;
	Elf64_Shdr *s = (Elf64_Shdr *)(*ret + sizeof(*e));
	section(&s[S_TEXT], 1, SHT_NOBITS, heads, t->highest > t->lowest ? t->highest - t->lowest : 0);
	s[S_TEXT].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	s[S_TEXT].sh_addr = t->lowest;
	section(&s[S_SYMTAB], 7, SHT_SYMTAB, heads, nsyms);
	s[S_SYMTAB].sh_link = S_STRTAB;
	s[S_SYMTAB].sh_entsize = sizeof(Elf64_Sym);
	s[S_SYMTAB].sh_info = 1;
	s[S_SYMTAB].sh_addralign = 8;
	section(&s[S_STRTAB], 15, SHT_STRTAB, heads + nsyms, len);
	section(&s[S_SHSTRTAB], 23, SHT_STRTAB, heads + nsyms + len, sizeof(names));
	memcpy(*ret + heads, syms, nsyms);
	memcpy(*ret + heads + nsyms, strings, len);
	memcpy(*ret + heads + nsyms + len, names, sizeof(names));
	return 0;
}

int gyve_kallsyms_elf(const struct gyve_kallsyms *k, const struct gyve_mem *kernel, enum gyve_arch_id arch, uint8_t **ret,
		      size_t *size, struct gyve_err *err)
{
	struct tables *t = calloc(1, sizeof(*t));
	Elf64_Sym *syms = NULL;
	char *strings = NULL;
	size_t len = 0;
	int r;

	if (!t)
		return -ENOMEM;
	t->kernel = kernel;
	r = read_tables(t, k, err);
	if (r == 0 && !(syms = calloc(t->n + (size_t)1, sizeof(*syms))))
		r = -ENOMEM;
	if (r == 0)
		r = read_names(t, syms, &strings, &len, err);
	if (r == 0)
		set_sizes(t, syms);
	if (r == 0)
		r = make_elf(t, arch, syms, strings, len, ret, size);
	free(strings);
	free(syms);
	free(t->offsets);
	free(t);
	return r;
}
