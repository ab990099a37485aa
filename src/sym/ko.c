/* What a relocatable file (a kernel module) says of itself, by libelf. */
#include "gyve/sym.h"

#include "../base/bytes.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTIONS_MAX = 4096 };

/* Lengths of name and bytes, type 3, "GNU". */
static void read_note(Elf_Scn *scn, struct gyve_ko *ret)
{
	const Elf_Data *d = elf_rawdata(scn, NULL);
	const uint8_t *p = d ? d->d_buf : NULL;

	if (!p || d->d_size < 16 || get_le32(p) != 4 || get_le32(p + 8) != 3 || memcmp(p + 12, "GNU", 4) != 0)
		return;
	uint32_t len = get_le32(p + 4);
	if (len && len <= sizeof(ret->build_id) && len <= d->d_size - 16) {
		memcpy(ret->build_id, p + 16, len);
		ret->build_id_len = len;
	}
}

static int read_all(Elf *elf, struct gyve_ko *ret)
{
	size_t strndx, total;
	GElf_Shdr sh;

	if (elf_getshdrstrndx(elf, &strndx) < 0 || elf_getshdrnum(elf, &total) < 0 || total > SECTIONS_MAX)
		return -ENOEXEC;
	ret->sections = calloc(total + 1, sizeof(*ret->sections));
	if (!ret->sections)
		return -ENOMEM;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn)) && ret->n < total;) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strndx, sh.sh_name) : NULL;
		if (!name)
			return -ENOEXEC;
		ret->has_debug |= strcmp(name, ".debug_info") == 0 && sh.sh_type != SHT_NOBITS;
		if (strcmp(name, ".note.gnu.build-id") == 0 && sh.sh_type == SHT_NOTE)
			read_note(scn, ret);
		if (!(sh.sh_flags & SHF_ALLOC))
			continue;
		snprintf(ret->sections[ret->n].name, sizeof(ret->sections[0].name), "%s", name);
		ret->sections[ret->n++].size = sh.sh_size;
	}
	return 0;
}

int gyve_ko_read(const void *data, size_t size, struct gyve_ko *ret)
{
	Elf *elf = elf_version(EV_CURRENT) != EV_NONE ? elf_memory((char *)(uintptr_t)data, size) : NULL;
	GElf_Ehdr eh;
	int r = -ENOEXEC;

	*ret = (struct gyve_ko){0};
	if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &eh) && eh.e_type == ET_REL)
		r = read_all(elf, ret);
	if (r < 0)
		gyve_ko_free(ret);
	elf_end(elf);
	return r;
}

void gyve_ko_free(struct gyve_ko *ko)
{
	free(ko->sections);
	*ko = (struct gyve_ko){0};
}
