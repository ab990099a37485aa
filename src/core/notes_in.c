/* The notes of an ELF core, whoever wrote them. */
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct note {
	const char *owner;
	size_t namesz;
	uint32_t type;
	const uint8_t *desc;
	size_t len;
};

struct pass {
	struct gyve_core *core;
	bool i386;
	unsigned qemu; /* QEMU notes seen: one for each vCPU, in order */
};

static bool owned(const struct note *n, const char *owner)
{
	size_t len = strlen(owner);

	return n->namesz >= len && memcmp(n->owner, owner, len) == 0 && (n->namesz == len || n->owner[len] == '\0');
}

static int prstatus(struct pass *p, const struct note *n)
{
	struct gyve_core *core = p->core;
	int ret = core_set_cpus(core, core->ncpus + 1);
	struct gyve_regs *r;

	if (ret < 0)
		return ret;
	r = &core->regs[core->ncpus - 1];
	ret = core->arch->id == GYVE_AARCH64            ? core_a64_prstatus(r, n->desc, n->len)
	      : p->i386 || n->len == I386_PRSTATUS_SIZE ? core_i386_prstatus(r, n->desc, n->len)
							: core_x86_prstatus(r, n->desc, n->len);
	if (n->len >= PR_CURSIG + 2 && get_le16(n->desc + PR_CURSIG) && !core->info.signal) {
		core->info.signal = get_le16(n->desc + PR_CURSIG);
		core->info.stop_cpu = core->ncpus - 1;
	}
	return ret;
}

/* A note that belongs to the vCPU whose NT_PRSTATUS came last. */
static int per_cpu(struct pass *p, const struct note *n, int (*x86)(struct gyve_regs *, const uint8_t *, size_t),
		   int (*a64)(struct gyve_regs *, const uint8_t *, size_t))
{
	struct gyve_core *core = p->core;
	bool is_a64 = core->arch->id == GYVE_AARCH64;

	if (!core->ncpus || !(is_a64 ? a64 : x86))
		return 0;
	return (is_a64 ? a64 : x86)(&core->regs[core->ncpus - 1], n->desc, n->len);
}

static int qemu(struct pass *p, const struct note *n)
{
	struct gyve_core *core = p->core;
	unsigned cpu = p->qemu++;

	if (core->arch->id != GYVE_X86_64)
		return 0;
	if (cpu >= core->ncpus && core_set_cpus(core, cpu + 1) < 0)
		return -E2BIG;
	if (core->kind == GYVE_CORE_ELF)
		snprintf(core->format, sizeof(core->format), "ELF core of QEMU");
	core->have_sys = true;
	return core_x86_qemu(&core->regs[cpu], n->desc, n->len);
}

static int by_gpa(const void *a, const void *b)
{
	const struct core_pages *x = a, *y = b;

	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

static int pages(struct gyve_core *core, const struct note *n)
{
	struct gyve_core_backing *b = core->backing;
	uint32_t count = n->len >= 24 && get_le32(n->desc) == GYVE_NOTE_VERSION ? get_le32(n->desc + 4) : UINT32_MAX;
	uint64_t end = 0;

	if (n->len < 24 || count > (n->len - 24) / 24 || b->pages)
		return -EINVAL;
	b->pages = calloc(count ? count : 1, sizeof(*b->pages));
	if (!b->pages)
		return -ENOMEM;
	core->stored_size = 0;
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *d = n->desc + 24 + 24 * (size_t)i;
		b->pages[i] = (struct core_pages){get_le64(d), get_le64(d + 8), get_le32(d + 16)};
		if (b->pages[i].len > UINT64_MAX - b->pages[i].gpa || b->pages[i].state > GYVE_CORE_STORED)
			return -EINVAL;
	}
	qsort(b->pages, count, sizeof(*b->pages), by_gpa);
	for (uint32_t i = 0; i < count; i++) {
		if (b->pages[i].gpa < end || !b->pages[i].len)
			return -EINVAL;
		end = b->pages[i].gpa + b->pages[i].len;
		core->stored_size += b->pages[i].state == GYVE_CORE_STORED ? b->pages[i].len : 0;
		b->any_absent |= b->pages[i].state == GYVE_CORE_ABSENT;
	}
	b->npages = count;
	return 0;
}

static int values(struct gyve_core *core, const struct note *n)
{
	struct gyve_core_backing *b = core->backing;
	uint32_t count = n->len >= 16 && get_le32(n->desc) == GYVE_NOTE_VERSION ? get_le32(n->desc + 8) : UINT32_MAX;
	void *list;

	if (n->len < 16 || count > (n->len - 16) / 16 || get_le32(n->desc + 4) >= core->ncpus ||
	    b->nvalues > GYVE_CORE_MAX_CPUS)
		return -EINVAL;
	list = reallocarray(b->values, b->nvalues + 1, sizeof(*b->values));
	if (!list)
		return -ENOMEM;
	b->values = list;
	b->values[b->nvalues++] = (struct core_values){get_le32(n->desc + 4), count, n->desc + 16};
	return 0;
}

static int gyve(struct pass *p, const struct note *n)
{
	struct gyve_core *core = p->core;
	int ret;

	switch (n->type) {
	case NOTE_GYVE_INFO:
		ret = core_gyve_info_read(&core->info, n->desc, n->len);
		core->has_info |= ret == 0;
		return ret;
	case NOTE_GYVE_REGS:
		snprintf(core->format, sizeof(core->format), "ELF core of gyve");
		ret = core_gyve_regs_read(core->arch, core->regs, core->ncpus, n->desc, n->len);
		core->have_sys |= ret == 0;
		return ret;
	case NOTE_GYVE_VALUES:
		return values(core, n);
	case NOTE_GYVE_PAGES:
		ret = pages(core, n);
		if (ret < 0 && core->backing->pages)
			core->backing->npages = 0;
		return ret;
	default:
		return 0;
	}
}

static int take(struct pass *p, const struct note *n)
{
	if (owned(n, "GYVE"))
		return gyve(p, n);
	if (owned(n, "QEMU"))
		return n->type == NOTE_QEMU ? qemu(p, n) : 0;
	if (owned(n, "VMCOREINFO"))
		return core_vmcoreinfo(p->core, n->desc, n->len);
	if (owned(n, "CORE") && n->type == NOTE_PRSTATUS)
		return prstatus(p, n);
	if (owned(n, "CORE") && n->type == NOTE_AUXV)
		return p->i386 ? 0 : core_auxv(p->core, n->desc, n->len);
	if (owned(n, "CORE") && n->type == NOTE_FILE)
		return p->i386 ? 0 : core_files(p->core, n->desc, n->len);
	if (owned(n, "CORE") && n->type == NOTE_FPREGSET)
		return p->i386 ? 0 : per_cpu(p, n, core_x86_fpregs, core_a64_fpregs);
	if (owned(n, "LINUX") && n->type == NOTE_X86_XSTATE)
		return per_cpu(p, n, core_x86_xstate, NULL);
	if (owned(n, "LINUX") && n->type == NOTE_ARM_TLS)
		return per_cpu(p, n, NULL, core_a64_tls);
	return 0;
}

int core_elf_notes(struct gyve_core *core, const uint8_t *data, uint64_t len, unsigned align, bool i386)
{
	struct pass p = {.core = core, .i386 = i386};
	uint64_t at = 0, mask = align - 1;

	while (len - at >= 12) {
		struct note n = {
			.namesz = get_le32(data + at), .len = get_le32(data + at + 4), .type = get_le32(data + at + 8)};
		uint64_t name = at + 12, desc = (name + n.namesz + mask) & ~mask, end = desc + n.len;
		if (desc > len || end > len) {
			core_warn(core, "the note at 0x%" PRIx64 " of the notes reaches beyond their end", at);
			return -EINVAL;
		}
		n.owner = (const char *)data + name;
		n.desc = data + desc;
		if (take(&p, &n) < 0)
			core_warn(core, "the note %.*s type 0x%x makes no sense (%zu bytes); left out",
				  (int)strnlen(n.owner, n.namesz < 16 ? n.namesz : 16), n.owner, n.type, n.len);
		at = (end + mask) & ~mask;
		if (at > len)
			break;
	}
	return 0;
}
