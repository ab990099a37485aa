/* Call frame information by our own reader: one pass makes a table sorted by address, a lookup runs one short program.
 * Libraries for this trust the file, and unwinding is what one does with a damaged machine. */
#include "cfi_priv.h"

#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FDES = 1 << 22, MAX_SECTION = 1 << 30 };

/* pointer encodings (LSB Core, "DWARF Exception Header Encoding") */
enum { PE_OMIT = 0xff, PE_INDIRECT = 0x80, PE_PCREL = 0x10, PE_DATAREL = 0x30 };

struct fde {
	uint64_t start, end;
	uint32_t offset; /* of its length field */
	uint8_t section;
};

struct gyve_cfi {
	struct section sect[2];
	struct fde *fdes;
	size_t nfdes, max;
};

/* A length-prefixed entry, cut to its bounds. */
struct entry {
	struct reader r; /* behind the id */
	uint64_t id;     /* CIE: all ones or 0; FDE: where its CIE is */
	size_t id_at;
	size_t next;
	bool wide;
};

static bool read_entry(const struct section *s, size_t at, struct entry *e)
{
	struct reader r = reader_at(s->data, s->len, at);
	uint64_t len = read_u32(&r);

	e->wide = len == UINT32_MAX;
	if (e->wide)
		len = read_u64(&r);
	if (r.bad || !len || len > s->len - r.at)
		return false;
	e->next = r.at + (size_t)len;
	r.end = e->next;
	e->id_at = r.at;
	e->id = e->wide && !s->eh ? read_u64(&r) : read_u32(&r);
	e->r = r;
	return !r.bad;
}

static bool is_cie(const struct section *s, const struct entry *e)
{
	return s->eh ? e->id == 0 : e->id == (e->wide ? UINT64_MAX : UINT32_MAX);
}

uint64_t gyve_cfi_pointer(const struct section *s, struct reader *r, uint8_t encoding)
{
	uint64_t base = (encoding & 0x70) == PE_PCREL ? s->addr + r->at : 0, v;

	switch (encoding & 0xf) {
	case 0x0: /* an address */
	case 0x4:
	case 0xc:
		v = read_u64(r);
		break;
	case 0x1:
		v = read_uleb(r);
		break;
	case 0x2:
		v = read_u16(r);
		break;
	case 0x3:
		v = read_u32(r);
		break;
	case 0x9:
		v = (uint64_t)read_sleb(r);
		break;
	case 0xa:
		v = (uint64_t)(int16_t)read_u16(r);
		break;
	case 0xb:
		v = (uint64_t)(int32_t)read_u32(r);
		break;
	default:
		r->bad = true;
		return 0;
	}
	if (encoding & PE_INDIRECT || (encoding & 0x70) > PE_PCREL)
		r->bad = true; /* relative to what only a loader knows */
	return base + v;
}

/* "zPLRSB": what the augmentation data holds, letter by letter. */
static void read_augmentation(const struct section *s, const char *letters, struct reader *r, struct cie *c)
{
	uint64_t len = read_uleb(r);
	struct reader data = *r;

	reader_skip(r, len);
	c->augmented = true;
	if (r->bad)
		return;
	data.end = r->at;
	for (letters++; *letters && !data.bad; letters++) {
		switch (*letters) {
		case 'R':
			c->encoding = read_u8(&data);
			break;
		case 'L':
			read_u8(&data);
			break;
		case 'P': {
			uint8_t encoding = read_u8(&data);
			if (encoding != PE_OMIT)
				gyve_cfi_pointer(s, &data, encoding & 0xf);
			break;
		}
		case 'S':
			c->signal = true;
			break;
		case 'B': /* pointers are signed with key B: they are stripped either way */
			break;
		default:
			return; /* the rest cannot be known, nor is it needed */
		}
	}
}

static bool read_cie(const struct section *s, size_t at, struct cie *c)
{
	struct entry e;
	const char *letters;
	uint8_t version;

	*c = (struct cie){0};
	if (at >= s->len || !read_entry(s, at, &e) || !is_cie(s, &e))
		return false;
	version = read_u8(&e.r);
	letters = read_string(&e.r);
	if (version == 4 && (read_u8(&e.r) != 8 || read_u8(&e.r) != 0))
		return false; /* 32-bit addresses, or segments */
	c->code_align = read_uleb(&e.r);
	c->data_align = read_sleb(&e.r);
	c->return_reg = version == 1 ? read_u8(&e.r) : (uint32_t)read_uleb(&e.r);
	if (e.r.bad || !letters || (version != 1 && version != 3 && version != 4))
		return false;
	if (letters[0] == 'z')
		read_augmentation(s, letters, &e.r, c);
	else if (letters[0])
		return false;
	c->program = e.r;
	return !e.r.bad && c->return_reg < GYVE_DWARF_REGS;
}

/* Where the CIE of an FDE is: .eh_frame counts back from the field. */
static size_t cie_at(const struct section *s, const struct entry *e)
{
	return s->eh ? (e->id <= e->id_at ? e->id_at - (size_t)e->id : s->len) : e->id < s->len ? (size_t)e->id : s->len;
}

static bool add_fde(struct gyve_cfi *c, unsigned section, size_t at, uint64_t start, uint64_t len)
{
	if (c->nfdes == c->max) {
		size_t max = c->max ? 2 * c->max : 256;
		struct fde *p = max <= MAX_FDES ? reallocarray(c->fdes, max, sizeof(*p)) : NULL;
		if (!p)
			return false;
		c->fdes = p;
		c->max = max;
	}
	if (!len || start + len < start)
		return true;
	c->fdes[c->nfdes++] = (struct fde){start, start + len, (uint32_t)at, (uint8_t)section};
	return true;
}

static void read_section(struct gyve_cfi *c, unsigned index)
{
	const struct section *s = &c->sect[index];
	size_t last = SIZE_MAX;
	struct cie cie;
	struct entry e;

	for (size_t at = 0; at < s->len && read_entry(s, at, &e); at = e.next) {
		size_t from = cie_at(s, &e);
		uint64_t start, len;
		if (is_cie(s, &e))
			continue;
		if (from != last && !read_cie(s, from, &cie)) {
			last = SIZE_MAX;
			continue;
		}
		last = from;
		start = gyve_cfi_pointer(s, &e.r, cie.encoding);
		len = gyve_cfi_pointer(s, &e.r, cie.encoding & 0xf);
		if (!e.r.bad && !add_fde(c, index, at, start, len))
			return;
	}
}

static int by_start(const void *va, const void *vb)
{
	const struct fde *a = va, *b = vb;

	return a->start != b->start ? (a->start < b->start ? -1 : 1) : (int)a->section - (int)b->section;
}

struct gyve_cfi *gyve_cfi_create_from(const struct gyve_cfi_bytes *debug_frame, const struct gyve_cfi_bytes *eh_frame)
{
	struct gyve_cfi *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sect[0] = (struct section){debug_frame->data, debug_frame->len, debug_frame->addr, false};
	c->sect[1] = (struct section){eh_frame->data, eh_frame->len, eh_frame->addr, true};
	read_section(c, 0);
	read_section(c, 1);
	if (c->nfdes)
		qsort(c->fdes, c->nfdes, sizeof(*c->fdes), by_start);
	return c;
}

struct gyve_cfi *gyve_cfi_create(Elf *elf)
{
	static const char *const names[] = {".debug_frame", ".eh_frame"};
	struct gyve_cfi_bytes found[2] = {{0}, {0}};
	size_t strndx;
	GElf_Shdr sh;

	if (elf_getshdrstrndx(elf, &strndx) < 0)
		return NULL;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strndx, sh.sh_name) : NULL;
		for (unsigned i = 0; name && i < 2; i++) {
			if (strcmp(name, names[i]) != 0 || sh.sh_type == SHT_NOBITS || sh.sh_flags & SHF_COMPRESSED)
				continue;
			Elf_Data *d = elf_rawdata(scn, NULL);
			if (d && d->d_buf && d->d_size <= MAX_SECTION)
				found[i] = (struct gyve_cfi_bytes){d->d_buf, d->d_size, sh.sh_addr};
		}
	}
	return gyve_cfi_create_from(&found[0], &found[1]);
}

void gyve_cfi_destroy(struct gyve_cfi *c)
{
	if (!c)
		return;
	free(c->fdes);
	free(c);
}

/* --- looking up */

static int rules_at(const struct gyve_cfi *c, const struct fde *f, uint64_t pc, struct gyve_cfi_row *row)
{
	const struct section *s = &c->sect[f->section];
	struct gyve_cfi_row initial;
	struct entry e;
	struct cie cie;

	if (!read_entry(s, f->offset, &e) || !read_cie(s, cie_at(s, &e), &cie))
		return -EBADMSG;
	gyve_cfi_pointer(s, &e.r, cie.encoding);
	gyve_cfi_pointer(s, &e.r, cie.encoding & 0xf);
	if (cie.augmented)
		reader_skip(&e.r, read_uleb(&e.r));
	*row = (struct gyve_cfi_row){.return_reg = cie.return_reg, .signal = cie.signal};
	if (e.r.bad || !gyve_cfi_run(s, &cie, cie.program, f->start, UINT64_MAX, NULL, row))
		return -EBADMSG;
	initial = *row;
	if (!gyve_cfi_run(s, &cie, e.r, f->start, pc, &initial, row) || row->cfa.kind == GYVE_CFI_UNSAID)
		return -EBADMSG;
	return 0;
}

int gyve_cfi_find(const struct gyve_cfi *c, uint64_t pc, struct gyve_cfi_row *row)
{
	size_t lo = 0, hi = c ? c->nfdes : 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (c->fdes[mid].start <= pc)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* the same function may be in both sections, and an empty one beside it */
	for (size_t i = lo, n = 0; i-- > 0 && n < 8; n++)
		if (pc < c->fdes[i].end)
			return rules_at(c, &c->fdes[i], pc, row);
	return -ENOENT;
}
