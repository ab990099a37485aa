/* The rows of an aarch64 vCPU that has SVE: gdb's feature org.gnu.gdb.aarch64.sve in place of the plain vector registers, which
 * gdb then makes of it. Their size is the vCPU's vector length, so there is a table for each length. */
#include "regs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SVE "org.gnu.gdb.aarch64.sve"
#define FPU "org.gnu.gdb.aarch64.fpu"

enum { NZ = 32, NP = 16, EXTRA = NP + 3 }; /* p, ffr, vg; ZCR_EL1 at the end */

/* offset: the value's place in struct gyve_regs; its size there is the row's. */
static int sve_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	if (!(r->valid & GYVE_REGS_FP))
		return -ENODATA;
	memcpy(buf, (const uint8_t *)r + row->offset, row->bits / 8);
	return 0;
}

static int sve_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf)
{
	if (!(r->valid & GYVE_REGS_FP))
		return -ENODATA;
	memcpy((uint8_t *)r + row->offset, buf, row->bits / 8);
	for (unsigned n = 0; n < NZ; n++) /* one register, two names */
		memcpy(r->a64.v[n], r->a64.z[n], sizeof(r->a64.v[n]));
	return 0;
}

static int vg_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	uint64_t granules = row->offset;

	if (!(r->valid & GYVE_REGS_FP))
		return -ENODATA;
	memcpy(buf, &granules, sizeof(granules));
	return 0;
}

struct table {
	struct gyve_arch arch;
	unsigned vl;
	char names[NZ + NP][4];
	struct gyve_reg_row rows[];
};

static struct gyve_reg_row vector_row(struct table *t, unsigned n)
{
	bool z = n < NZ;
	unsigned i = z ? n : n - NZ;
	size_t at = z ? offsetof(struct gyve_regs, a64.z) + sizeof(((struct gyve_a64_regs *)0)->z[0]) * i
		      : offsetof(struct gyve_regs, a64.p) + sizeof(((struct gyve_a64_regs *)0)->p[0]) * i;

	snprintf(t->names[n], sizeof(t->names[n]), "%c%u", z ? 'z' : 'p', i & 31);
	return (struct gyve_reg_row){.name = t->names[n],
				     .bits = (uint16_t)(z ? t->vl * 8 : t->vl),
				     .group = GYVE_REGS_FP,
				     .type = z ? "svev" : "svep",
				     .feature = SVE,
				     .gdb_group = "vector",
				     .dwarf = (int16_t)(z ? 96 + i : 48 + i),
				     .get = sve_get,
				     .set = sve_set,
				     .offset = (uint32_t)at};
}

/* Behind fpcr: p0 to p15, ffr, vg. */
static unsigned add_predicates(struct table *t, unsigned n)
{
	for (unsigned i = 0; i < NP; i++)
		t->rows[n++] = vector_row(t, NZ + i);
	t->rows[n] = t->rows[n - 1];
	t->rows[n].name = "ffr";
	t->rows[n].dwarf = 47;
	t->rows[n++].offset = offsetof(struct gyve_regs, a64.ffr);
	t->rows[n++] = (struct gyve_reg_row){.name = "vg",
					     .bits = 64,
					     .group = GYVE_REGS_FP,
					     .type = "int64",
					     .feature = SVE,
					     .gdb_group = "float",
					     .dwarf = 46,
					     .readonly = true,
					     .get = vg_get,
					     .offset = t->vl / 8};
	return n;
}

static struct table *build(unsigned vl)
{
	const struct gyve_arch *base = &gyve_arch_aarch64;
	struct table *t = calloc(1, sizeof(*t) + (base->nregs + EXTRA) * sizeof(t->rows[0]));
	unsigned n = 0, z = 0;

	if (!t)
		return NULL;
	t->vl = vl;
	for (unsigned i = 0; i < base->nregs; i++) {
		bool fpu = strcmp(base->regs[i].feature, FPU) == 0;
		t->rows[n] = fpu && z < NZ ? vector_row(t, z++) : base->regs[i];
		if (fpu)
			t->rows[n].feature = SVE;
		n++;
		if (strcmp(base->regs[i].name, "fpcr") == 0)
			n = add_predicates(t, n);
	}
	const struct gyve_reg_row *like = gyve_reg_find(base, "CONTEXTIDR_EL1");
	t->rows[n] = *like;
	t->rows[n].name = "ZCR_EL1";
	t->rows[n].feature = "org.gyve.aarch64.sve_system"; /* rows of a feature lie side by side */
	t->rows[n++].offset = REG_AT(a64.zcr_el1);
	t->arch = *base;
	t->arch.regs = t->rows;
	t->arch.nregs = n;
	return t;
}

const struct gyve_arch *gyve_arch_a64_sve(unsigned vl)
{
	static struct table *tables[GYVE_SVE_VL_MAX / 16];
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	if (!vl || vl % 16 || vl > GYVE_SVE_VL_MAX)
		return NULL;
	struct table **at = &tables[vl / 16 - 1];
	pthread_mutex_lock(&lock);
	if (!*at)
		*at = build(vl);
	struct table *t = *at;
	pthread_mutex_unlock(&lock);
	return t ? &t->arch : NULL;
}
