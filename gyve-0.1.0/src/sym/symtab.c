/* Symbols by address and by name. Nothing is parsed before the first question: most runs never ask. */
#define _GNU_SOURCE
#include "gyve/sym.h"

#include "cfi.h"
#include "dw.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bounds on what a hostile file can make us do. */
enum { MAX_SYMBOLS = 1 << 24, MAX_WALK_BACK = 4096, ZERO_TAIL = 64 };

struct symbol {
	uint64_t start;
	uint64_t end;     /* exclusive; == start: size unknown */
	const char *name; /* in the image, terminated within its string table */
	uint32_t section;
	uint8_t rank; /* of several names for an address the higher is shown */
	bool placed;  /* an address of the image, not a mere number (SHN_ABS) */
};

struct gyve_symtab {
	uint64_t bias;
	uint8_t *image; /* our copy: the caller's may go, its file may change */
	size_t size;
	pthread_mutex_t lock; /* guards everything below; a lookup may be the first and parse */
	bool parsed;
	Elf *elf;
	struct symbol *syms; /* sorted by start, then rank */
	uint64_t *reach;     /* reach[i]: the highest end among syms[0..i] */
	uint64_t *sect_end;  /* by section index: end of the section, 0 if it is not in memory */
	size_t nsyms, max_syms, nsects;
	struct gyve_dw *dw;
	struct gyve_cfi *cfi; /* read when first asked for */
	bool cfi_read;
};

int gyve_symtab_create(struct gyve_symtab **ret, const void *elf, size_t size, uint64_t bias, struct gyve_err *err)
{
	struct gyve_symtab *t;

	if (size < EI_NIDENT || memcmp(elf, ELFMAG, SELFMAG) != 0)
		return gyve_err_set(err, -ENOEXEC, "no symbols: not an ELF file");
	t = calloc(1, sizeof(*t));
	if (!t || size > SIZE_MAX - ZERO_TAIL || !(t->image = malloc(size + ZERO_TAIL))) {
		free(t);
		return gyve_err_set(err, -ENOMEM, "no symbols: no memory for a copy of the image");
	}
	memcpy(t->image, elf, size);
	memset(t->image + size, 0, ZERO_TAIL);
	t->size = size;
	t->bias = bias;
	pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

void gyve_symtab_destroy(struct gyve_symtab *t)
{
	if (!t)
		return;
	gyve_dw_destroy(t->dw);
	gyve_cfi_destroy(t->cfi);
	if (t->elf)
		elf_end(t->elf);
	pthread_mutex_destroy(&t->lock);
	free(t->syms);
	free(t->reach);
	free(t->sect_end);
	free(t->image);
	free(t);
}

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
		struct symbol *p = max <= MAX_SYMBOLS ? reallocarray(t->syms, max, sizeof(*p)) : NULL;
		if (!p)
			return false;
		t->syms = p;
		t->max_syms = max;
	}
	if (__builtin_add_overflow(s->st_value, s->st_size, &end))
		end = s->st_value;
	t->syms[t->nsyms++] = (struct symbol){
		.start = s->st_value,
		.end = end,
		.name = name,
		.section = s->st_shndx,
		.rank = (uint8_t)rank_of(s),
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
	const struct symbol *a = va, *b = vb;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return 0;
}

static void read_section_ends(struct gyve_symtab *t)
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
static void read_symbols(struct gyve_symtab *t)
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
	t->reach = malloc(t->nsyms * sizeof(*t->reach));
	if (!t->reach) {
		t->nsyms = 0;
		return;
	}
	for (size_t i = 0; i < t->nsyms; i++) {
		uint64_t end = t->syms[i].placed ? t->syms[i].end : 0;
		t->reach[i] = i && t->reach[i - 1] > end ? t->reach[i - 1] : end;
	}
}

static void parse(struct gyve_symtab *t)
{
	if (t->parsed)
		return;
	t->parsed = true;
	if (elf_version(EV_CURRENT) == EV_NONE || !(t->elf = elf_memory((char *)t->image, t->size)))
		return;
	if (elf_kind(t->elf) != ELF_K_ELF)
		return;
	read_section_ends(t);
	read_symbols(t);
	t->dw = gyve_dw_create(t->elf);
}

static uint64_t section_end(const struct gyve_symtab *t, const struct symbol *s)
{
	return s->section < t->nsects ? t->sect_end[s->section] : 0;
}

/* The innermost sized symbol around addr. If there is none: the nearest label before it, unless a sized symbol ended between
 * the two (then addr belongs to nobody) or the section did. */
static const struct symbol *find(const struct gyve_symtab *t, uint64_t addr)
{
	size_t lo = 0, hi = t->nsyms;
	uint64_t reach;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (t->syms[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	reach = lo ? t->reach[lo - 1] : 0;
	for (size_t i = lo, n = 0; i-- > 0 && n < MAX_WALK_BACK; n++) {
		const struct symbol *s = &t->syms[i];
		if (!s->placed)
			continue;
		if (reach > addr ? addr < s->end : s->start >= reach && addr < section_end(t, s))
			return s;
	}
	return NULL;
}

static int append(char *buf, size_t size, int at, const char *prefix, const char *text, const char *suffix)
{
	size_t used = (size_t)at < size ? (size_t)at : size;

	return at + snprintf(size ? buf + used : NULL, size - used, "%s%s%s", prefix, text, suffix);
}

/* look: the address within the instruction that is meant. */
static int format_at(const struct gyve_symtab *ct, uint64_t addr, uint64_t look, char *buf, size_t size)
{
	struct gyve_symtab *t = (struct gyve_symtab *)ct; /* parsing late is not a change the caller can see */
	const struct symbol *s;
	char line[256];
	int n;

	if (!t)
		return snprintf(buf, size, "0x%" PRIx64, addr);
	pthread_mutex_lock(&t->lock);
	parse(t);
	s = find(t, look - t->bias);
	if (s)
		n = snprintf(buf, size, "%s+0x%" PRIx64, s->name, addr - t->bias - s->start);
	else
		n = snprintf(buf, size, "0x%" PRIx64, addr);
	if (n >= 0 && gyve_dw_line(t->dw, look - t->bias, line, sizeof(line)) > 0)
		n = append(buf, size, n, " (", line, ")");
	pthread_mutex_unlock(&t->lock);
	return n;
}

int gyve_symtab_format(const struct gyve_symtab *t, uint64_t addr, char *buf, size_t size)
{
	return format_at(t, addr, addr, buf, size);
}

int gyve_symtab_format_return(const struct gyve_symtab *t, uint64_t addr, char *buf, size_t size)
{
	return format_at(t, addr, addr - 1, buf, size);
}

int gyve_symtab_lookup(const struct gyve_symtab *ct, const char *name, uint64_t *ret)
{
	struct gyve_symtab *t = (struct gyve_symtab *)ct;
	const struct symbol *best = NULL;

	if (!t)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	parse(t);
	for (size_t i = 0; i < t->nsyms; i++)
		if (strcmp(t->syms[i].name, name) == 0 && (!best || t->syms[i].rank > best->rank))
			best = &t->syms[i];
	if (best)
		*ret = best->start + (best->placed ? t->bias : 0);
	pthread_mutex_unlock(&t->lock);
	return best ? 0 : -ENOENT;
}

int gyve_symtab_each(const struct gyve_symtab *ct, int (*cb)(void *ctx, const char *name, uint64_t addr, uint64_t size),
		     void *ctx)
{
	struct gyve_symtab *t = (struct gyve_symtab *)ct;
	int ret = 0;

	if (!t)
		return 0;
	pthread_mutex_lock(&t->lock);
	parse(t);
	for (size_t i = 0; i < t->nsyms && ret == 0; i++)
		ret = cb(ctx, t->syms[i].name, t->syms[i].start + (t->syms[i].placed ? t->bias : 0),
			 t->syms[i].end - t->syms[i].start);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

int gyve_symtab_cfi(const struct gyve_symtab *ct, uint64_t pc, struct gyve_cfi_row *row)
{
	struct gyve_symtab *t = (struct gyve_symtab *)ct;
	int ret;

	if (!t)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	parse(t);
	if (!t->cfi_read && t->elf) {
		t->cfi_read = true;
		t->cfi = gyve_cfi_create(t->elf);
	}
	ret = gyve_cfi_find(t->cfi, pc - t->bias, row);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

int gyve_symtab_sources(const struct gyve_symtab *ct, uint64_t addr, struct gyve_source *ret, unsigned max)
{
	struct gyve_symtab *t = (struct gyve_symtab *)ct;
	int n;

	if (!t)
		return 0;
	pthread_mutex_lock(&t->lock);
	parse(t);
	n = gyve_dw_sources(t->dw, addr - t->bias, ret, max);
	pthread_mutex_unlock(&t->lock);
	return n;
}

int gyve_symtab_locals(const struct gyve_symtab *ct, uint64_t addr, unsigned level, const struct gyve_expr_env *env,
		       gyve_local_fn *fn, void *ctx)
{
	struct gyve_symtab *t = (struct gyve_symtab *)ct;
	int ret;

	if (!t)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	parse(t);
	ret = gyve_dw_locals(t->dw, addr - t->bias, level, env, fn, ctx);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

uint64_t gyve_symtab_bias(const struct gyve_symtab *t)
{
	return t ? t->bias : 0;
}
