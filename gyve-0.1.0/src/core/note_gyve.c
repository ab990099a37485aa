/* Our own notes, owner "GYVE": every register by name, and what the dump is about as KEY=VALUE lines. A reader skips names it
 * does not know, so a new register or key needs no new version. */
#include "core_priv.h"

#include "../arch/regrow.h"
#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* State of the register file that no row shows. */
#define X86_AT(member) offsetof(struct gyve_regs, x86.member), sizeof(((struct gyve_regs *)0)->x86.member)
#define SEG_ATTR offsetof(struct gyve_x86_seg, unusable) + 1 - offsetof(struct gyve_x86_seg, type)
#define SEG(name, i)                                                                          \
	{name ".attr", offsetof(struct gyve_regs, x86.seg[i].type), SEG_ATTR, GYVE_REGS_SYS}, \
	{                                                                                     \
		name ".limit", X86_AT(seg[i].limit), GYVE_REGS_SYS                            \
	}
static const struct extra {
	const char *name;
	size_t offset, size;
	unsigned group;
} x86_extras[] = {
	SEG("cs", GYVE_CS),
	SEG("ss", GYVE_SS),
	SEG("ds", GYVE_DS),
	SEG("es", GYVE_ES),
	SEG("fs", GYVE_FS),
	SEG("gs", GYVE_GS),
	SEG("tr", GYVE_TR),
	SEG("ldtr", GYVE_LDTR),
	{"rflags", X86_AT(rflags), GYVE_REGS_GPR},
	/* exc_pending .. triple_fault: eight neighbours of one byte */
	{"events", offsetof(struct gyve_regs, x86.exc_pending), 8, GYVE_REGS_EVENTS},
	{"exc_error", X86_AT(exc_error), GYVE_REGS_EVENTS},
};
_Static_assert(offsetof(struct gyve_x86_regs, triple_fault) - offsetof(struct gyve_x86_regs, exc_pending) == 7, "events");

int core_row_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *value)
{
	if (row->get == gyve_reg_plain_get)
		return gyve_reg_plain_set(row, r, value);
	return row->set ? row->set(row, r, value) : -EROFS;
}

static void record(struct core_buf *b, const char *name, const void *value, size_t size)
{
	size_t n = strlen(name);
	uint8_t head[4] = {(uint8_t)n, (uint8_t)size, 0, 0};

	core_buf_add(b, head, sizeof(head));
	core_buf_add(b, name, n);
	core_buf_zero(b, -n & 3);
	core_buf_add(b, value, size);
	core_buf_zero(b, -size & 3);
}

void core_gyve_regs(struct core_buf *b, const struct gyve_arch *arch, const struct gyve_regs *r, unsigned cpu)
{
	struct core_buf d = {0};
	uint8_t head[16] = {0}, value[64];
	uint32_t n = 0;

	put_le32(head, GYVE_NOTE_VERSION);
	put_le32(head + 4, cpu);
	core_buf_add(&d, head, sizeof(head));
	for (unsigned i = 0; i < arch->nregs; i++) {
		const struct gyve_reg_row *row = &arch->regs[i];
		if (row->bits / 8 > sizeof(value) || row->get(row, r, value) < 0)
			continue;
		record(&d, row->name, value, row->bits / 8);
		n++;
	}
	for (size_t i = 0; arch->id == GYVE_X86_64 && i < GYVE_ARRAY_SIZE(x86_extras); i++) {
		const struct extra *x = &x86_extras[i];
		if (!(r->valid & x->group))
			continue;
		record(&d, x->name, (const uint8_t *)r + x->offset, x->size);
		n++;
	}
	if (!d.failed) {
		put_le32(d.p + 8, n);
		core_note_add(b, "GYVE", NOTE_GYVE_REGS, d.p, d.len);
	}
	b->failed |= d.failed;
	free(d.p);
}

void core_gyve_values(struct core_buf *b, const struct gyve_core_source *src, unsigned cpu)
{
	struct gyve_core_value *v = calloc(GYVE_CORE_MAX_VALUES, sizeof(*v));
	uint8_t head[16] = {0};
	struct core_buf d = {0};
	size_t n = v ? src->values(src->ctx, cpu, v) : 0;

	put_le32(head, GYVE_NOTE_VERSION);
	put_le32(head + 4, cpu);
	put_le32(head + 8, (uint32_t)n);
	core_buf_add(&d, head, sizeof(head));
	for (size_t i = 0; i < n; i++) {
		put_le32(head, v[i].space);
		put_le32(head + 4, v[i].id);
		put_le64(head + 8, v[i].value);
		core_buf_add(&d, head, sizeof(head));
	}
	if (n && !d.failed)
		core_note_add(b, "GYVE", NOTE_GYVE_VALUES, d.p, d.len);
	b->failed |= d.failed;
	free(d.p);
	free(v);
}

static void apply(const struct gyve_arch *arch, struct gyve_regs *r, const char *name, const uint8_t *value, size_t size)
{
	const struct gyve_reg_row *row = gyve_reg_find(arch, name);

	if (row && row->bits / 8 == size) {
		if (row->group != GYVE_REGS_FP || arch->id != GYVE_X86_64 || row->get == gyve_reg_plain_get)
			r->valid |= row->group; /* x87 and vectors of x86 came in a note of their own, or not at all */
		core_row_set(row, r, value);
		return;
	}
	for (size_t i = 0; arch->id == GYVE_X86_64 && i < GYVE_ARRAY_SIZE(x86_extras); i++)
		if (strcmp(x86_extras[i].name, name) == 0 && x86_extras[i].size == size) {
			memcpy((uint8_t *)r + x86_extras[i].offset, value, size);
			r->valid |= x86_extras[i].group;
		}
}

int core_gyve_regs_read(const struct gyve_arch *arch, struct gyve_regs *regs, unsigned ncpus, const uint8_t *desc, size_t len)
{
	size_t at = 16;

	if (len < 16 || get_le32(desc) != GYVE_NOTE_VERSION || get_le32(desc + 4) >= ncpus)
		return -EINVAL;
	for (uint32_t n = get_le32(desc + 8); n; n--) {
		char name[256];
		if (len - at < 4)
			return -EINVAL;
		size_t namesz = desc[at], size = desc[at + 1];
		size_t value = at + 4 + ((namesz + 3) & ~(size_t)3), next = value + ((size + 3) & ~(size_t)3);
		if (next > len)
			return -EINVAL;
		memcpy(name, desc + at + 4, namesz);
		name[namesz] = '\0';
		apply(arch, &regs[get_le32(desc + 4)], name, desc + value, size);
		at = next;
	}
	return 0;
}

/* --- what it is about */

enum value { TEXT, DECIMAL, HEX, FLAG };
#define TEXT_KEY(member) #member, TEXT, offsetof(struct gyve_core_info, member), sizeof(((struct gyve_core_info *)0)->member)
#define NUM_KEY(member, kind) \
#member, kind, offsetof(struct gyve_core_info, member), sizeof(((struct gyve_core_info *)0)->member)
static const struct key {
	const char *name;
	enum value kind;
	size_t offset, size;
} keys[] = {
	{TEXT_KEY(writer)},
	{NUM_KEY(when, DECIMAL)},
	{TEXT_KEY(why)},
	{TEXT_KEY(text)},
	{NUM_KEY(stop_kind, DECIMAL)},
	{NUM_KEY(stop_code, DECIMAL)},
	{NUM_KEY(stop_cpu, DECIMAL)},
	{NUM_KEY(signal, DECIMAL)},
	{NUM_KEY(stop_addr, HEX)},
	{TEXT_KEY(image)},
	{NUM_KEY(layout_known, FLAG)},
	{NUM_KEY(bias, HEX)},
	{NUM_KEY(entry, HEX)},
	{NUM_KEY(ram_gpa, HEX)},
	{NUM_KEY(ram_len, HEX)},
	{NUM_KEY(window_len, HEX)},
	{NUM_KEY(boot_root, HEX)},
	{NUM_KEY(boot_root_known, FLAG)},
	{NUM_KEY(pa_bits, DECIMAL)},
};

static uint64_t load(const void *p, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, p, size);
	return size == 4 ? (uint64_t)(int64_t)(int32_t)v : v;
}

static void add_text(struct core_buf *d, const char *s, size_t size)
{
	char clean[1024];
	size_t n = strnlen(s, size < sizeof(clean) ? size : sizeof(clean) - 1);

	for (size_t i = 0; i < n; i++)
		clean[i] = s[i] == '\n' ? ' ' : s[i];
	core_buf_add(d, clean, n);
}

void core_gyve_info(struct core_buf *b, const struct gyve_core_info *info)
{
	struct core_buf d = {0};

	core_buf_printf(&d, "version=%d\n", GYVE_NOTE_VERSION);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(keys); i++) {
		const struct key *k = &keys[i];
		const char *p = (const char *)info + k->offset;
		core_buf_printf(&d, "%s=", k->name);
		if (k->kind == TEXT)
			add_text(&d, p, k->size);
		else
			core_buf_printf(&d, k->kind == HEX ? "0x%" PRIx64 : "%" PRId64, load(p, k->size));
		core_buf_printf(&d, "\n");
	}
	core_buf_printf(&d, "build_id=");
	for (unsigned i = 0; i < info->build_id_len; i++)
		core_buf_printf(&d, "%02x", info->build_id[i]);
	core_buf_printf(&d, "\n");
	for (unsigned i = 0; i < info->nsegs; i++)
		core_buf_printf(&d, "segment=0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " %u\n", info->seg[i].gva,
				info->seg[i].gpa, info->seg[i].len, info->seg[i].perms);
	if (!d.failed)
		core_note_add(b, "GYVE", NOTE_GYVE_INFO, d.p, d.len);
	b->failed |= d.failed;
	free(d.p);
}

static void read_build_id(struct gyve_core_info *info, const char *v)
{
	unsigned byte;

	for (; info->build_id_len < GYVE_BUILD_ID_MAX && sscanf(v, "%2x", &byte) == 1 && v[1]; v += 2)
		info->build_id[info->build_id_len++] = (uint8_t)byte;
}

static void read_segment(struct gyve_core_info *info, const char *v)
{
	struct gyve_core_seg s;
	uint64_t end;

	if (info->nsegs < GYVE_CORE_MAX_SEGS &&
	    sscanf(v, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %u", &s.gva, &s.gpa, &s.len, &s.perms) == 4 &&
	    !__builtin_add_overflow(s.gva, s.len, &end) && !__builtin_add_overflow(s.gpa, s.len, &end))
		info->seg[info->nsegs++] = s;
}

static void read_key(struct gyve_core_info *info, const char *name, const char *v)
{
	if (strcmp(name, "build_id") == 0 && !info->build_id_len)
		read_build_id(info, v);
	else if (strcmp(name, "segment") == 0)
		read_segment(info, v);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(keys); i++) {
		const struct key *k = &keys[i];
		char *p = (char *)info + k->offset;
		if (strcmp(k->name, name) != 0)
			continue;
		if (k->kind == TEXT) {
			snprintf(p, k->size, "%s", v);
			continue;
		}
		uint64_t n = *v == '-' ? (uint64_t)strtoll(v, NULL, 0) : strtoull(v, NULL, 0);
		if (k->kind == FLAG)
			n = n != 0;
		memcpy(p, &n, k->size);
	}
}

int core_gyve_info_read(struct gyve_core_info *info, const uint8_t *desc, size_t len)
{
	size_t at = 0;

	if (len < 10 || memcmp(desc, "version=1\n", 10) != 0)
		return -EINVAL;
	while (at < len) {
		const uint8_t *nl = memchr(desc + at, '\n', len - at);
		size_t n = nl ? (size_t)(nl - desc) - at : len - at;
		char line[1200], *eq;
		snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line) - 1), (const char *)desc + at);
		eq = strchr(line, '=');
		if (eq) {
			*eq = '\0';
			read_key(info, line, eq + 1);
		}
		at += n + 1;
	}
	return 0;
}
