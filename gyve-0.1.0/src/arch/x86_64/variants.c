/* Register tables beside the plain one: with AVX-512 and protection keys for hosts that have them, and as gdb describes a
 * processor in 32- or 16-bit mode. Each is built once. Intel SDM vol. 1, 13.4 "XSAVE area"; gdb/features/i386. */
#include "regs.h"

#include "../../base/bytes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define AVX512 "org.gnu.gdb.i386.avx512"
#define PKEYS "org.gnu.gdb.i386.pkeys"
#define SYSTEM "org.gyve.x86_64.system"

enum { XSTATE_BV = 512 };
enum { OPMASK = 5, ZMM_HI256 = 6, HI16_ZMM = 7, PKRU = 9 };
#define AVX512_MASK (UINT64_C(1) << OPMASK | UINT64_C(1) << ZMM_HI256 | UINT64_C(1) << HI16_ZMM)
#define COMP_AT(comp, at, n) ((uint32_t)(comp) << 24 | (uint32_t)(at) << 8 | (n))

struct table {
	struct gyve_arch arch;
	struct gyve_reg_row rows[];
};

/* --- components of the XSAVE area whose place the processor tells */

/* Where the row's bytes are; -ENODATA: the vCPU has no such state. */
static int locate(const struct gyve_reg_row *row, const struct gyve_regs *r, uint32_t *at, bool *used)
{
	const struct gyve_x86_regs *x = &r->x86;
	unsigned comp = row->offset >> 24, rel = row->offset >> 8 & 0xffff, n = row->offset & 0xff;

	if (!(r->valid & GYVE_REGS_FP) || x->xsave_len > sizeof(x->xsave) || x->xsave_len < XSTATE_BV + 64 ||
	    comp >= GYVE_ARRAY_SIZE(x->xsave_at) || x->xsave_at[comp] < XSTATE_BV + 64)
		return -ENODATA;
	*at = x->xsave_at[comp] + rel;
	*used = get_le64(x->xsave + XSTATE_BV) >> comp & 1;
	return *at + n <= x->xsave_len && (*used || x->xcr0 >> comp & 1) ? 0 : -ENODATA;
}

static int comp_get(const struct gyve_reg_row *row, const struct gyve_regs *r, void *buf)
{
	uint32_t at;
	bool used;
	int ret = locate(row, r, &at, &used);

	if (ret < 0)
		return ret;
	memset(buf, 0, row->bits / 8);
	if (used)
		memcpy(buf, r->x86.xsave + at, row->offset & 0xff);
	return 0;
}

static int comp_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *buf)
{
	static const uint16_t sizes[] = {[OPMASK] = 64, [ZMM_HI256] = 512, [HI16_ZMM] = 1024, [PKRU] = 8};
	struct gyve_x86_regs *x = &r->x86;
	unsigned comp = row->offset >> 24;
	uint32_t at;
	bool used;
	int ret = locate(row, r, &at, &used);

	if (ret < 0 || x->xsave_at[comp] + sizes[comp] > x->xsave_len)
		return ret < 0 ? ret : -ENODATA;
	if (!used) { /* the rest of it begins as zeros */
		memset(x->xsave + x->xsave_at[comp], 0, sizes[comp]);
		put_le64(x->xsave + XSTATE_BV, get_le64(x->xsave + XSTATE_BV) | UINT64_C(1) << comp);
	}
	memcpy(x->xsave + at, buf, row->offset & 0xff);
	return 0;
}

/* --- rows for AVX-512 and PKRU */

static const struct kind {
	const char *format, *feature, *type;
	unsigned comp, first, n, bits, at; /* at: of the first, in the component; each behind the other by step bytes */
	unsigned step;
	int dwarf;
} kinds[] = {
	{"xmm%u", AVX512, "vec128", HI16_ZMM, 16, 16, 128, 0, 64, 67},
	{"ymm%uh", AVX512, "uint128", HI16_ZMM, 16, 16, 128, 16, 64, -1},
	{"k%u", AVX512, "uint64", OPMASK, 0, 8, 64, 0, 8, 118},
	{"zmm%uh", AVX512, "v2ui128", ZMM_HI256, 0, 16, 256, 0, 32, -1},
	{"zmm%uh", AVX512, "v2ui128", HI16_ZMM, 16, 16, 256, 32, 64, -1},
	{"pkru", PKEYS, "uint32", PKRU, 0, 1, 32, 0, 4, -1},
};
enum { EXTRA = 16 + 16 + 8 + 16 + 16 + 1 };

static bool has(const struct kind *k, uint64_t xfeatures)
{
	uint64_t mask = k->comp == PKRU ? UINT64_C(1) << PKRU : AVX512_MASK;
	return (xfeatures & mask) == mask;
}

static unsigned add_kind(struct gyve_reg_row *rows, unsigned n, char (*names)[8], const struct kind *k)
{
	for (unsigned i = 0; i < k->n; i++, n++, names++) {
		snprintf(*names, sizeof(*names), k->format, k->first + i);
		rows[n] = (struct gyve_reg_row){.name = *names,
						.bits = (uint16_t)k->bits,
						.group = GYVE_REGS_FP,
						.type = k->type,
						.feature = k->feature,
						.gdb_group = k->comp == PKRU ? "system" : "vector",
						.dwarf = (int16_t)(k->dwarf < 0 ? -1 : k->dwarf + (int)i),
						.get = comp_get,
						.set = comp_set,
						.offset = COMP_AT(k->comp, k->at + k->step * i, k->bits / 8)};
	}
	return n;
}

static const struct gyve_arch *build_xsave(uint64_t xfeatures)
{
	const struct gyve_arch *base = &gyve_arch_x86_64;
	struct table *t = calloc(1, sizeof(*t) + (base->nregs + EXTRA) * sizeof(t->rows[0]));
	char(*names)[8] = calloc(EXTRA, sizeof(*names));
	unsigned n = base->nregs, used = 0;

	if (!t || !names) {
		free(t);
		free(names);
		return NULL;
	}
	memcpy(t->rows, base->regs, n * sizeof(t->rows[0]));
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(kinds); i++)
		if (has(&kinds[i], xfeatures)) {
			n = add_kind(t->rows, n, names + used, &kinds[i]);
			used += kinds[i].n;
		}
	t->arch = *base;
	t->arch.regs = t->rows;
	t->arch.nregs = n;
	return &t->arch;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

const struct gyve_arch *gyve_arch_x86_xsave(uint64_t xfeatures)
{
	static const struct gyve_arch *made[4];
	unsigned which = (xfeatures & AVX512_MASK) == AVX512_MASK ? 1 : 0;

	which |= xfeatures >> PKRU & 1 ? 2 : 0;
	if (!which)
		return &gyve_arch_x86_64;
	pthread_mutex_lock(&lock);
	if (!made[which])
		made[which] = build_xsave(xfeatures);
	const struct gyve_arch *a = made[which];
	pthread_mutex_unlock(&lock);
	return a;
}

/* --- 32 and 16 bits */

static const struct {
	const char *name, *from, *type;
} core32[] = {
	{"eax", "rax", "int32"}, {"ecx", "rcx", "int32"},    {"edx", "rdx", "int32"},
	{"ebx", "rbx", "int32"}, {"esp", "rsp", "data_ptr"}, {"ebp", "rbp", "data_ptr"},
	{"esi", "rsi", "int32"}, {"edi", "rdi", "int32"},    {"eip", "rip", "code_ptr"},
};

static unsigned add_core32(struct gyve_reg_row *rows)
{
	unsigned n = 0;

	for (; n < GYVE_ARRAY_SIZE(core32); n++) {
		rows[n] = *gyve_reg_find(&gyve_arch_x86_64, core32[n].from);
		rows[n].name = core32[n].name;
		rows[n].type = core32[n].type;
		rows[n].bits = 32;
		rows[n].dwarf = (int16_t)n; /* psABI i386: the same order */
	}
	return n;
}

/* Not there in this mode: the upper eight of everything, and the general registers, which are there already. */
static bool only_64(const struct gyve_reg_row *row)
{
	const char *digits = row->name + strcspn(row->name, "0123456789");

	if (row->group == GYVE_REGS_GPR)
		return strcmp(row->name, "eflags") != 0;
	return (strncmp(row->name, "xmm", 3) == 0 || strncmp(row->name, "ymm", 3) == 0) && atoi(digits) >= 8;
}

static const struct gyve_arch *build_mode(const char *gdb_arch)
{
	const struct gyve_arch *base = &gyve_arch_x86_64;
	struct table *t = calloc(1, sizeof(*t) + (base->nregs + GYVE_ARRAY_SIZE(core32)) * sizeof(t->rows[0]));

	if (!t)
		return NULL;
	unsigned n = add_core32(t->rows);
	for (unsigned i = 0; i < base->nregs; i++) {
		struct gyve_reg_row row = base->regs[i];
		if (only_64(&row))
			continue;
		row.dwarf = strcmp(row.name, "eflags") == 0 ? 9 : -1;
		if (strcmp(row.feature, "org.gnu.gdb.i386.segments") == 0)
			row.feature = SYSTEM; /* gdb has those for 64 bits only */
		if (row.bits == 64 && (strcmp(row.type, "data_ptr") == 0 || strcmp(row.type, "code_ptr") == 0))
			row.type = "int64"; /* pointers have 32 bits there */
		t->rows[n++] = row;
	}
	t->arch = *base;
	t->arch.gdb_arch = gdb_arch;
	t->arch.regs = t->rows;
	t->arch.nregs = n;
	return &t->arch;
}

const struct gyve_arch *gyve_arch_x86_mode(unsigned bits)
{
	static const struct gyve_arch *made[2];
	unsigned which = bits == 16;

	if (bits != 16 && bits != 32)
		return bits == 64 ? &gyve_arch_x86_64 : NULL;
	pthread_mutex_lock(&lock);
	if (!made[which])
		made[which] = build_mode(which ? "i8086" : "i386");
	const struct gyve_arch *a = made[which];
	pthread_mutex_unlock(&lock);
	return a;
}

unsigned gyve_x86_mode_bits(const struct gyve_regs *r)
{
	const struct gyve_x86_regs *x = &r->x86;

	if (!(x->cr0 & 1) || x->rflags & 1u << 17) /* real, virtual 8086 */
		return 16;
	if (x->efer & 1u << 10 && x->seg[GYVE_CS].l)
		return 64;
	return x->seg[GYVE_CS].db ? 32 : 16;
}
