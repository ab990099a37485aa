/* Symbols by address and by name. Nothing is parsed before the first question: most runs never ask. */
#define _GNU_SOURCE
#include "symtab_priv.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WALK_BACK = 4096 };

int gyve_symtab_borrow(struct gyve_symtab **ret, const void *elf, size_t size, uint64_t bias, struct gyve_err *err)
{
	struct gyve_symtab *t;

	if (size < EI_NIDENT || memcmp(elf, ELFMAG, SELFMAG) != 0)
		return gyve_err_set(err, -ENOEXEC, "no symbols: not an ELF file");
	t = calloc(1, sizeof(*t));
	if (!t)
		return gyve_err_set(err, -ENOMEM, "no symbols: no memory");
	t->image = elf;
	t->size = size;
	t->bias = bias;
	pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

int gyve_symtab_create(struct gyve_symtab **ret, const void *elf, size_t size, uint64_t bias, struct gyve_err *err)
{
	uint8_t *copy = size <= SIZE_MAX - GYVE_SYM_TAIL ? malloc(size + GYVE_SYM_TAIL) : NULL;
	int r;

	if (!copy)
		return gyve_err_set(err, -ENOMEM, "no symbols: no memory for a copy of the image");
	memcpy(copy, elf, size);
	memset(copy + size, 0, GYVE_SYM_TAIL);
	r = gyve_symtab_borrow(ret, copy, size, bias, err);
	if (r < 0)
		free(copy);
	else
		(*ret)->copy = copy;
	return r;
}

void gyve_symtab_keep_index(struct gyve_symtab *t, const char *key)
{
	free(t->key);
	t->key = strdup(key);
}

void gyve_symtab_destroy(struct gyve_symtab *t)
{
	if (!t)
		return;
	gyve_dw_destroy(t->dw);
	gyve_cfi_destroy(t->cfi);
	gyve_cfi_destroy(t->frames_cfi);
	if (t->frames_elf)
		elf_end(t->frames_elf);
	if (t->elf)
		elf_end(t->elf);
	pthread_mutex_destroy(&t->lock);
	free(t->syms);
	free(t->reach);
	free(t->sect_end);
	free(t->copy);
	free(t->key);
	free(t);
}

void gyve_symtab_make_reach(struct gyve_symtab *t)
{
	t->reach = malloc(t->nsyms * sizeof(*t->reach) + 1);
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
	if (elf_version(EV_CURRENT) == EV_NONE || !(t->elf = elf_memory((char *)(uintptr_t)t->image, t->size)))
		return;
	if (elf_kind(t->elf) != ELF_K_ELF)
		return;
	gyve_symtab_read_sections(t);
	if (!t->key || !gyve_index_load(t)) {
		gyve_symtab_read_symbols(t);
		t->dw = gyve_dw_create(t->elf);
		if (t->key)
			gyve_index_store(t);
	}
	gyve_symtab_make_reach(t);
}

static const char *name_of(const struct gyve_symtab *t, const struct gyve_symbol *s)
{
	return (const char *)t->image + s->name;
}

static uint64_t section_end(const struct gyve_symtab *t, const struct gyve_symbol *s)
{
	return s->section < t->nsects ? t->sect_end[s->section] : 0;
}

/* The innermost sized symbol around addr. If there is none: the nearest label before it, unless a sized symbol ended between
 * the two (then addr belongs to nobody) or the section did. */
static const struct gyve_symbol *find(const struct gyve_symtab *t, uint64_t addr)
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
		const struct gyve_symbol *s = &t->syms[i];
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
	const struct gyve_symbol *s;
	char line[256];
	int n;

	if (!t)
		return snprintf(buf, size, "0x%" PRIx64, addr);
	pthread_mutex_lock(&t->lock);
	parse(t);
	s = find(t, look - t->bias);
	if (s)
		n = snprintf(buf, size, "%s+0x%" PRIx64, name_of(t, s), addr - t->bias - s->start);
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
	const struct gyve_symbol *best = NULL;

	if (!t)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	parse(t);
	for (size_t i = 0; i < t->nsyms; i++)
		if (strcmp(name_of(t, &t->syms[i]), name) == 0 && (!best || t->syms[i].rank > best->rank))
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
		ret = cb(ctx, name_of(t, &t->syms[i]), t->syms[i].start + (t->syms[i].placed ? t->bias : 0),
			 t->syms[i].end - t->syms[i].start);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

void gyve_symtab_add_frames(struct gyve_symtab *t, const void *elf, size_t size)
{
	t->frames = elf;
	t->frames_size = size;
}

static void read_frames(struct gyve_symtab *t)
{
	t->cfi_read = true;
	if (t->elf)
		t->cfi = gyve_cfi_create(t->elf);
	if (!t->frames || elf_version(EV_CURRENT) == EV_NONE)
		return;
	t->frames_elf = elf_memory((char *)(uintptr_t)t->frames, t->frames_size);
	if (t->frames_elf && elf_kind(t->frames_elf) == ELF_K_ELF)
		t->frames_cfi = gyve_cfi_create(t->frames_elf);
}

int gyve_symtab_cfi(const struct gyve_symtab *ct, uint64_t pc, struct gyve_cfi_row *row)
{
	struct gyve_symtab *t = (struct gyve_symtab *)ct;
	int ret;

	if (!t)
		return -ENOENT;
	pthread_mutex_lock(&t->lock);
	parse(t);
	if (!t->cfi_read)
		read_frames(t);
	ret = gyve_cfi_find(t->cfi, pc - t->bias, row);
	if (ret < 0 && t->frames_cfi)
		ret = gyve_cfi_find(t->frames_cfi, pc - t->bias, row);
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

void gyve_symtab_move(struct gyve_symtab *t, uint64_t bias)
{
	t->bias = bias;
}
