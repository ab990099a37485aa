/* A hostile image: parsed, its notes read, copied into a small memory and relocated there. What the parser lets through has to
 * keep the promises of struct gyve_elf. */
#include "gyve/loader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAM_GPA = 0x10000, RAM_LEN = 256 << 10 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool inside(const struct gyve_elf *elf, uint64_t offset, uint64_t len)
{
	return len <= elf->size && offset <= elf->size - len;
}

static void check(const struct gyve_elf *elf)
{
	bool entered = false;
	uint64_t lo, hi;

	must(elf->nsegs > 0 && elf->nsegs <= GYVE_ELF_MAX_SEGMENTS);
	gyve_elf_span(elf, &lo, &hi);
	for (unsigned i = 0; i < elf->nsegs; i++) {
		const struct gyve_segment *s = &elf->seg[i];
		must(inside(elf, s->offset, s->filesz) && s->memsz > 0 && s->filesz <= s->memsz);
		must(s->vaddr + s->memsz > s->vaddr && s->paddr + s->memsz > s->paddr);
		must(s->vaddr >= lo && s->vaddr + s->memsz <= hi);
		must(!i || elf->seg[i - 1].vaddr + elf->seg[i - 1].memsz <= s->vaddr);
		entered |= elf->entry >= s->vaddr && elf->entry - s->vaddr < s->memsz;
	}
	must(entered);
	must(!elf->note.present || inside(elf, elf->note.offset, elf->note.filesz));
	must(!elf->dynamic.present || inside(elf, elf->dynamic.offset, elf->dynamic.filesz));
}

static void check_note(const struct gyve_elf *elf, const char *owner, uint32_t type)
{
	const uint8_t *desc = NULL;
	ssize_t n = gyve_elf_note(elf, owner, type, &desc);

	must(n < 0 || inside(elf, (uint64_t)(desc - elf->data), (uint64_t)n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gyve_elf elf;
	struct gyve_memmap map;
	struct gyve_err err = {0};
	uint8_t *ram;

	if (gyve_elf_parse(&elf, data, size, &err) < 0) {
		must(err.code < 0 && err.text[0] != '\0');
		return 0;
	}
	check(&elf);
	check_note(&elf, "HERMIT", 0x5a00);
	check_note(&elf, "GNU", 1);
	ram = malloc(RAM_LEN);
	must(ram != NULL);
	gyve_memmap_init(&map);
	must(gyve_memmap_add(&map, RAM_GPA, RAM_LEN, ram, GYVE_REGION_RAM, "ram") == 0);
	uint64_t bias = elf.dyn ? RAM_GPA : 0;
	if (gyve_elf_copy(&elf, &map, bias, false, &err) == 0)
		(void)gyve_elf_relocate(&elf, &map, bias, &err);
	(void)gyve_elf_copy(&elf, &map, 0, true, &err);
	gyve_memmap_deinit(&map);
	free(ram);
	return 0;
}
