/* See bare.h. */
#include "bare.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"

enum { DEFAULT_RAM = 64 << 20 };

int bare_ram_len(const struct gyve_boot_params *params, unsigned max_gib, uint64_t *ret, struct gyve_err *err)
{
	uint64_t len = align_down(params->mem_size_given ? params->mem_size : DEFAULT_RAM, 4096);

	if (len > (uint64_t)max_gib << 30)
		return gyve_err_set(err, -EINVAL,
				    "a bare-metal program has at most %u GiB of memory, %" PRIu64 " bytes were asked for",
				    max_gib, params->mem_size);
	*ret = len;
	return 0;
}

static void fill_layout(const struct gyve_elf *elf, gyve_gpa_t ram_gpa, uint64_t ram_len, struct gyve_layout *l)
{
	l->arch = (enum gyve_arch_id)elf->machine;
	l->ram_gpa = ram_gpa;
	l->ram_len = ram_len;
	l->bias = 0;
	l->entry = elf->entry;
	l->nsegs = elf->nsegs;
	for (unsigned i = 0; i < elf->nsegs; i++) {
		l->seg[i].gva = elf->seg[i].vaddr;
		l->seg[i].gpa = elf->seg[i].paddr;
		l->seg[i].len = elf->seg[i].memsz;
		l->seg[i].perms = elf->seg[i].perms;
	}
}

int bare_create(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		gyve_gpa_t ram_gpa, uint64_t ram_len, struct gyve_layout *layout, struct bare **ret, struct gyve_err *err)
{
	struct bare *b = calloc(1, sizeof(*b));

	if (!b)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	*b = (struct bare){.elf = elf, .out = *out, .ncpus = params->ncpus, .ram_len = ram_len};
	pthread_mutex_init(&b->lock, NULL);
	fill_layout(elf, ram_gpa, ram_len, layout);
	*ret = b;
	return 0;
}

void bare_destroy(void *state)
{
	struct bare *b = state;

	pthread_mutex_destroy(&b->lock);
	free(b);
}

gyve_gpa_t bare_entry(const struct gyve_elf *elf)
{
	for (unsigned i = 0; i < elf->nsegs; i++)
		if (elf->entry >= elf->seg[i].vaddr && elf->entry - elf->seg[i].vaddr < elf->seg[i].memsz)
			return elf->seg[i].paddr + (elf->entry - elf->seg[i].vaddr);
	return elf->entry;
}

void bare_put_byte(struct bare *b, uint8_t byte)
{
	pthread_mutex_lock(&b->lock);
	b->out.write(b->out.ctx, &byte, 1);
	pthread_mutex_unlock(&b->lock);
}
