/* The index of an ELF's symbols and units: a file in the user's cache directory, which saves reading a kernel's debug
 * information again. Keyed by build id and size; refused unless every byte is as it was written and nothing points out of the
 * ELF. */
#include "symtab_priv.h"

#include "../base/cache.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1, MAX_UNITS = 1 << 22 };

struct header {
	char magic[8];
	uint32_t version, symbol_size;
	uint64_t elf_size, elf_sum; /* of its headers: a stripped file has the same build id */
	uint64_t nsyms, nunits, has_dw;
	uint64_t sum; /* of all the rest */
};
_Static_assert(sizeof(struct header) == GYVE_INDEX_HEAD, "the head of an index file");
static const char magic[8] = "gyvesym";

static uint64_t sum_of(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 29;
	}
	for (; len; len--)
		sum = (sum ^ *p++) * UINT64_C(0x100000001b3);
	return sum;
}

static uint64_t sum_of_headers(const struct gyve_symtab *t)
{
	Elf64_Ehdr eh;
	uint64_t len, sum;

	if (t->size < sizeof(eh))
		return 0;
	memcpy(&eh, t->image, sizeof(eh));
	sum = sum_of(1, &eh, sizeof(eh));
	len = (uint64_t)eh.e_shnum * eh.e_shentsize;
	return eh.e_shoff < t->size && len <= t->size - eh.e_shoff ? sum_of(sum, t->image + eh.e_shoff, len) : sum;
}

static bool path_of(const struct gyve_symtab *t, char *buf, size_t size, bool create)
{
	char name[128];
	int n = snprintf(name, sizeof(name), "symbols-%s-%zu", t->key, t->size);

	return n > 0 && (size_t)n < sizeof(name) && !strchr(name, '/') && gyve_cache_path(buf, size, name, create);
}

static void fill_header(const struct gyve_symtab *t, size_t nsyms, size_t nunits, struct header *h)
{
	*h = (struct header){.version = VERSION, .symbol_size = sizeof(struct gyve_symbol)};
	memcpy(h->magic, magic, sizeof(magic));
	h->elf_size = t->size;
	h->elf_sum = sum_of_headers(t);
	h->nsyms = nsyms;
	h->nunits = nunits;
	h->has_dw = t->dw != NULL;
}

void gyve_index_seal(const struct gyve_symtab *t, size_t nsyms, size_t nunits, uint8_t *file, size_t size)
{
	struct header h;

	fill_header(t, nsyms, nunits, &h);
	h.sum = sum_of(sum_of(1, &h, offsetof(struct header, sum)), file + sizeof(h), size - sizeof(h));
	memcpy(file, &h, sizeof(h));
}

void gyve_index_store(const struct gyve_symtab *t)
{
	size_t nunits, size;
	const struct gyve_dw_unit *units = gyve_dw_units(t->dw, &nunits);
	uint8_t *file;
	char path[4096];

	size = GYVE_INDEX_HEAD + t->nsyms * sizeof(*t->syms) + nunits * sizeof(*units);
	if (!path_of(t, path, sizeof(path), true) || !(file = malloc(size)))
		return;
	if (t->nsyms)
		memcpy(file + GYVE_INDEX_HEAD, t->syms, t->nsyms * sizeof(*t->syms));
	if (nunits)
		memcpy(file + size - nunits * sizeof(*units), units, nunits * sizeof(*units));
	gyve_index_seal(t, t->nsyms, nunits, file, size);
	gyve_cache_store(path, file, size);
	free(file);
}

static bool fits(const struct gyve_symtab *t, const struct header *h, size_t size)
{
	struct header want;

	fill_header(t, h->nsyms, h->nunits, &want);
	want.has_dw = h->has_dw;
	want.sum = h->sum;
	return memcmp(h, &want, sizeof(want)) == 0 && h->has_dw <= 1 && h->nsyms <= SYMTAB_MAX && h->nunits <= MAX_UNITS &&
	       size == sizeof(*h) + h->nsyms * sizeof(struct gyve_symbol) + h->nunits * sizeof(struct gyve_dw_unit);
}

/* In order, and no name out of the ELF. What units point to is checked when it is used. */
static bool is_sane(const struct gyve_symtab *t, const struct header *h, const struct gyve_symbol *s,
		    const struct gyve_dw_unit *u)
{
	for (size_t i = 0; i < h->nsyms; i++)
		if (s[i].name >= t->size || s[i].end < s[i].start || (i && s[i].start < s[i - 1].start))
			return false;
	for (size_t i = 0; i < h->nunits; i++)
		if (u[i].end <= u[i].start || (i && u[i].start < u[i - 1].start))
			return false;
	return true;
}

bool gyve_index_take(struct gyve_symtab *t, const uint8_t *data, size_t size)
{
	const struct header *h = (const void *)data;
	const struct gyve_symbol *syms = (const void *)(data + sizeof(*h));
	struct gyve_symbol *copy;

	if (size < sizeof(*h) || !fits(t, h, size) ||
	    sum_of(sum_of(1, h, offsetof(struct header, sum)), data + sizeof(*h), size - sizeof(*h)) != h->sum)
		return false;
	const struct gyve_dw_unit *units = (const void *)(syms + h->nsyms);
	if (!is_sane(t, h, syms, units) || !(copy = malloc(h->nsyms * sizeof(*copy) + 1)))
		return false;
	if (h->has_dw && !(t->dw = gyve_dw_create_known(t->elf, units, h->nunits))) {
		free(copy);
		return false;
	}
	memcpy(copy, syms, h->nsyms * sizeof(*copy));
	t->syms = copy;
	t->nsyms = h->nsyms;
	return true;
}

bool gyve_index_load(struct gyve_symtab *t)
{
	char path[4096];
	struct stat st;
	bool ok = false;
	int fd = path_of(t, path, sizeof(path), false) ? gyve_cache_open(path) : -1;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= 1 << 30) {
		/* read, not mapped: a file that shrinks meanwhile must not end us */
		size_t size = (size_t)st.st_size;
		uint8_t *data = malloc(size);
		if (data && read(fd, data, size) == (ssize_t)size)
			ok = gyve_index_take(t, data, size);
		free(data);
	}
	close(fd);
	return ok;
}
