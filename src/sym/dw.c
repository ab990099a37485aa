/* Units, lines and scopes. The files are not ours to trust: what libdw would read at one go is bounded before. */
#define _GNU_SOURCE
#include "dw.h"

#include <dwarf.h>
#include <errno.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_INFLATED = 1 << 30, /* bytes of a compressed section */
	MAX_PROGRAM = 4 << 20,  /* bytes of one unit's line program; a row of it costs libdw some 50 bytes */
	MAX_UNITS = 1 << 18,
	MAX_RANGES = 1 << 22, /* of all units */
};

struct gyve_dw {
	Dwarf *dbg;
	const uint8_t *program; /* .debug_line as it is in the file; NULL: compressed */
	size_t program_len;
	struct gyve_dw_unit *units; /* sorted by start */
	size_t nunits, max;
};

/* --- which unit */

static bool add_unit(struct gyve_dw *d, uint64_t start, uint64_t end, Dwarf_Off die)
{
	if (d->nunits == d->max) {
		size_t max = d->max ? 2 * d->max : 64;
		struct gyve_dw_unit *p = max <= MAX_RANGES ? reallocarray(d->units, max, sizeof(*p)) : NULL;
		if (!p)
			return false;
		d->units = p;
		d->max = max;
	}
	if (start < end)
		d->units[d->nunits++] = (struct gyve_dw_unit){start, end, die};
	return true;
}

static bool add_ranges(struct gyve_dw *d, Dwarf_Die *die)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t at = 0;

	for (unsigned n = 0; n < MAX_RANGES && (at = dwarf_ranges(die, at, &base, &start, &end)) > 0; n++)
		if (!add_unit(d, start, end, dwarf_dieoffset(die)))
			return false;
	return true;
}

static int by_start(const void *va, const void *vb)
{
	const struct gyve_dw_unit *a = va, *b = vb;

	return a->start != b->start ? (a->start < b->start ? -1 : 1) : 0;
}

static void read_units(struct gyve_dw *d)
{
	Dwarf_Off at = 0, next;
	size_t header;

	for (unsigned n = 0; n < MAX_UNITS && dwarf_nextcu(d->dbg, at, &next, &header, NULL, NULL, NULL) == 0; n++) {
		Dwarf_Die die;
		if (dwarf_offdie(d->dbg, at + header, &die) && !add_ranges(d, &die))
			break;
		if (next <= at)
			break;
		at = next;
	}
	if (d->nunits)
		qsort(d->units, d->nunits, sizeof(*d->units), by_start);
}

/* The offset may be from an index file: it has to be that of a unit's first DIE. */
static bool unit_at(struct gyve_dw *d, Dwarf_Off off, Dwarf_Die *ret)
{
	Dwarf_Die unit;

	return dwarf_offdie(d->dbg, off, ret) && dwarf_diecu(ret, &unit, NULL, NULL) && dwarf_dieoffset(&unit) == off;
}

static bool find_unit(struct gyve_dw *d, uint64_t addr, Dwarf_Die *ret)
{
	size_t lo = 0, hi = d->nunits;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (d->units[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = lo, n = 0; i-- > 0 && n < DW_DEPTH; n++)
		if (addr < d->units[i].end)
			return unit_at(d, d->units[i].die, ret);
	return false;
}

/* --- lines */

const char *gyve_dw_short_name(const char *path)
{
	static const char *const common[] = {"mod.rs", "lib.rs", "main.rs"};
	const char *slash = strrchr(path, '/'), *dir;

	if (!slash)
		return path;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(common); i++)
		if (strcmp(slash + 1, common[i]) == 0) {
			dir = memrchr(path, '/', (size_t)(slash - path));
			return dir ? dir + 1 : path;
		}
	return slash + 1;
}

/* Has this unit a line program of a size we dare to run? */
static bool program_is_bounded(struct gyve_dw *d, Dwarf_Die *unit)
{
	Dwarf_Attribute attr;
	Dwarf_Word off;
	uint32_t len;

	if (!dwarf_attr(unit, DW_AT_stmt_list, &attr) || dwarf_formudata(&attr, &off) != 0)
		return false;
	if (!d->program)
		return true; /* its section is bounded as a whole */
	if (off >= d->program_len || d->program_len - off < sizeof(len))
		return false;
	memcpy(&len, d->program + off, sizeof(len));
	return len <= MAX_PROGRAM && len <= d->program_len - off - sizeof(len); /* also refuses 64-bit DWARF */
}

/* A row covers addresses up to the next row's of its sequence. Rows of line 0 name no source: the row before them does. */
static Dwarf_Line *find_row(Dwarf_Lines *rows, size_t n, uint64_t addr)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		Dwarf_Addr at;
		if (dwarf_lineaddr(dwarf_onesrcline(rows, mid), &at) != 0)
			return NULL;
		if (at <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo-- > 0) {
		Dwarf_Line *row = dwarf_onesrcline(rows, lo);
		bool end;
		int number;
		if (!row || dwarf_lineendsequence(row, &end) != 0 || end || dwarf_lineno(row, &number) != 0)
			return NULL;
		if (number > 0)
			return row;
	}
	return NULL;
}

static int unit_line(struct gyve_dw *d, Dwarf_Die *unit, uint64_t addr, char *buf, size_t size)
{
	const char *src;
	Dwarf_Lines *rows;
	Dwarf_Line *row;
	int number;
	size_t n;

	if (!program_is_bounded(d, unit) || dwarf_getsrclines(unit, &rows, &n) != 0 || !(row = find_row(rows, n, addr)))
		return -ENOENT;
	src = dwarf_linesrc(row, NULL, NULL);
	if (!src || dwarf_lineno(row, &number) != 0)
		return -ENOENT;
	return snprintf(buf, size, "%s:%d", gyve_dw_short_name(src), number);
}

int gyve_dw_line(struct gyve_dw *d, uint64_t addr, char *buf, size_t size)
{
	Dwarf_Die unit;

	return d && find_unit(d, addr, &unit) ? unit_line(d, &unit, addr, buf, size) : -ENOENT;
}

/* --- scopes */

/* Namespaces and types have no addresses of their own, but functions inside. */
static bool may_hold(Dwarf_Die *die, uint64_t addr)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_subprogram:
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
		return dwarf_haspc(die, addr) > 0;
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		return true;
	default:
		return false;
	}
}

static bool is_code(Dwarf_Die *die)
{
	int tag = dwarf_tag(die);

	return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block;
}

unsigned gyve_dw_scopes(struct gyve_dw *d, uint64_t addr, Dwarf_Die path[DW_DEPTH])
{
	unsigned depth = 1, found = 0;
	int more;

	if (!find_unit(d, addr, &path[0]))
		return 0;
	/* path[depth - 1] is entered; a namespace that turns out to hold nothing is left for its sibling */
	more = dwarf_child(&path[0], &path[1]);
	while (depth) {
		if (more == 0 && !may_hold(&path[depth], addr)) {
			more = dwarf_siblingof(&path[depth], &path[depth]);
		} else if (more == 0 && depth + 1 < DW_DEPTH) {
			if (is_code(&path[depth]))
				found = depth + 1;
			depth++;
			more = dwarf_child(&path[depth - 1], &path[depth]);
		} else {
			depth--;
			if (found > depth || !depth)
				return found; /* nothing deeper in the innermost that holds it */
			more = dwarf_siblingof(&path[depth], &path[depth]);
		}
	}
	return found;
}

static void call_place(Dwarf_Die *unit, Dwarf_Die *inlined, char *buf, size_t size)
{
	Dwarf_Attribute attr;
	Dwarf_Word file, line;
	Dwarf_Files *files;
	const char *src;
	size_t n;

	buf[0] = '\0';
	if (!dwarf_attr(inlined, DW_AT_call_line, &attr) || dwarf_formudata(&attr, &line) != 0 ||
	    !dwarf_attr(inlined, DW_AT_call_file, &attr) || dwarf_formudata(&attr, &file) != 0)
		return;
	if (dwarf_getsrcfiles(unit, &files, &n) != 0 || file >= n || !(src = dwarf_filesrc(files, file, NULL, NULL)))
		return;
	snprintf(buf, size, "%s:%u", gyve_dw_short_name(src), (unsigned)line);
}

int gyve_dw_sources(struct gyve_dw *d, uint64_t addr, struct gyve_source *ret, unsigned max)
{
	Dwarf_Die path[DW_DEPTH];
	unsigned n = d ? gyve_dw_scopes(d, addr, path) : 0, got = 0;
	char place[sizeof(ret->place)] = "";

	if (!n)
		return 0;
	if (unit_line(d, &path[0], addr, place, sizeof(place)) < 0)
		place[0] = '\0';
	for (unsigned i = n; i-- > 1 && got < max;) {
		int tag = dwarf_tag(&path[i]);
		if (tag != DW_TAG_subprogram && tag != DW_TAG_inlined_subroutine)
			continue;
		struct gyve_source *s = &ret[got++];
		s->function = dwarf_diename(&path[i]);
		s->inlined = tag == DW_TAG_inlined_subroutine;
		memcpy(s->place, place, sizeof(place));
		if (!s->inlined)
			break;
		call_place(&path[0], &path[i], place, sizeof(place));
	}
	return (int)got;
}

/* --- the file */

/* What libdw opens all of: refuse a file whose compressed sections claim too much. */
static bool is_bounded(struct gyve_dw *d, Elf *elf)
{
	size_t strndx;
	GElf_Shdr sh;
	bool lines = false;

	if (elf_getshdrstrndx(elf, &strndx) < 0)
		return false;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, strndx, sh.sh_name) : NULL;
		GElf_Chdr ch;
		if (!name)
			continue;
		if (sh.sh_flags & SHF_COMPRESSED && (!gelf_getchdr(scn, &ch) || ch.ch_size > MAX_INFLATED))
			return false;
		if (strncmp(name, ".zdebug", 7) == 0)
			return false; /* the old form, whose size cannot be asked */
		if (strcmp(name, ".debug_line") != 0)
			continue;
		lines = true;
		Elf_Data *data = sh.sh_flags & SHF_COMPRESSED ? NULL : elf_rawdata(scn, NULL);
		if (data && data->d_buf) {
			d->program = data->d_buf;
			d->program_len = data->d_size;
		}
	}
	return lines;
}

static struct gyve_dw *open_dwarf(Elf *elf)
{
	struct gyve_dw *d = calloc(1, sizeof(*d));

	if (d && is_bounded(d, elf) && (d->dbg = dwarf_begin_elf(elf, DWARF_C_READ, NULL)))
		return d;
	free(d);
	return NULL;
}

struct gyve_dw *gyve_dw_create(Elf *elf)
{
	struct gyve_dw *d = open_dwarf(elf);

	if (d)
		read_units(d);
	return d;
}

struct gyve_dw *gyve_dw_create_known(Elf *elf, const struct gyve_dw_unit *units, size_t n)
{
	struct gyve_dw_unit *copy = malloc(n * sizeof(*copy) + 1);
	struct gyve_dw *d = copy ? open_dwarf(elf) : NULL;

	if (!d) {
		free(copy);
		return NULL;
	}
	memcpy(copy, units, n * sizeof(*copy));
	d->units = copy;
	d->nunits = d->max = n;
	return d;
}

const struct gyve_dw_unit *gyve_dw_units(const struct gyve_dw *d, size_t *n)
{
	*n = d ? d->nunits : 0;
	return d ? d->units : NULL;
}

void gyve_dw_destroy(struct gyve_dw *d)
{
	if (!d)
		return;
	dwarf_end(d->dbg);
	free(d->units);
	free(d);
}
