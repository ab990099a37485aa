#include "regrow.h"

#include <errno.h>
#include <string.h>

static const struct gyve_arch *const archs[] = {&gyve_arch_x86_64, &gyve_arch_aarch64};

const struct gyve_arch *gyve_arch_find(int e_machine)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(archs); i++)
		if ((int)archs[i]->id == e_machine)
			return archs[i];
	return NULL;
}

const struct gyve_arch *gyve_arch_host(void)
{
#ifdef __x86_64__
	return &gyve_arch_x86_64;
#else
	return &gyve_arch_aarch64;
#endif
}

const struct gyve_reg_row *gyve_reg_find(const struct gyve_arch *arch, const char *name)
{
	for (unsigned i = 0; i < arch->nregs; i++)
		if (strcmp(arch->regs[i].name, name) == 0)
			return &arch->regs[i];
	return NULL;
}

int gyve_reg_plain_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	size_t len = row->bits / 8, have = REG_SIZE(row);

	if ((r->valid & row->group) != row->group)
		return -ENODATA;
	memset(buf, 0, len);
	memcpy(buf, (const uint8_t *)r + REG_OFFSET(row), len < have ? len : have);
	return 0;
}

int gyve_reg_plain_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf)
{
	size_t len = row->bits / 8, have = REG_SIZE(row);
	uint8_t *at = (uint8_t *)r + REG_OFFSET(row);

	if ((r->valid & row->group) != row->group)
		return -ENODATA;
	memset(at, 0, have);
	memcpy(at, buf, len < have ? len : have);
	return 0;
}
