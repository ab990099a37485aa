/* Where an ELF's debug information is: in itself, or in a file that .gnu_debuglink names. */
#include "gyve/sym.h"

#include <gelf.h>
#include <libelf.h>
#include <string.h>

uint32_t gyve_debug_crc(const void *data, size_t size)
{
	uint32_t table[256], crc = UINT32_MAX;
	const uint8_t *p = data;

	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (unsigned k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ UINT32_C(0xedb88320) : c >> 1;
		table[i] = c;
	}
	for (size_t i = 0; i < size; i++)
		crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
	return ~crc;
}

/* A name, its zero, zeros to a multiple of four, and the sum. */
static void read_link(const Elf_Data *d, struct gyve_debug_link *ret)
{
	size_t len = d && d->d_buf ? strnlen(d->d_buf, d->d_size) : 0, at = (len + 4) & ~(size_t)3;

	if (!len || len >= sizeof(ret->name) || d->d_size < 4 || at > d->d_size - 4 || memchr(d->d_buf, '/', len))
		return;
	memcpy(ret->name, d->d_buf, len);
	memcpy(&ret->crc, (const uint8_t *)d->d_buf + at, sizeof(ret->crc));
}

void gyve_debug_link(const void *data, size_t size, struct gyve_debug_link *ret)
{
	Elf *elf = elf_version(EV_CURRENT) != EV_NONE ? elf_memory((char *)(uintptr_t)data, size) : NULL;
	size_t strndx;
	GElf_Shdr sh;

	*ret = (struct gyve_debug_link){0};
	if (!elf || elf_kind(elf) != ELF_K_ELF || elf_getshdrstrndx(elf, &strndx) < 0) {
		elf_end(elf);
		return;
	}
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strndx, sh.sh_name) : NULL;
		if (!name || sh.sh_type == SHT_NOBITS)
			continue;
		ret->has_symbols |= sh.sh_type == SHT_SYMTAB;
		ret->has_debug |= strcmp(name, ".debug_info") == 0;
		if (strcmp(name, ".gnu_debuglink") == 0)
			read_link(elf_rawdata(scn, NULL), ret);
	}
	elf_end(elf);
}
