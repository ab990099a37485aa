/* File and line of an address: the only file that calls libdwarf. Its readers check what they read, but the files are not
 * ours to trust: sizes are bounded before it sees them, and a lookup has a budget of time. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "line.h"

#include <errno.h>

#ifdef HAVE_LIBDWARF
#include "gyve/types.h"

#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_LIBDWARF_LIBDWARF_H
#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>
#else
#include <dwarf.h>
#include <libdwarf.h>
#endif

enum {
	MAX_SECTION = 1 << 30,  /* bytes of one debug section */
	MAX_ARANGES = 64 << 20, /* bytes; libdwarf makes an object of every 16 */
	MAX_PROGRAM = 2 << 20,  /* bytes of one unit's line program; a row of it costs libdwarf up to 100 bytes */
	MAX_UNITS = 1 << 18,
	BUDGET_MS = 2000,
};

struct gyve_lines {
	Elf *elf;
	Dwarf_Obj_Access_Interface access;
	Dwarf_Debug dbg;
	const uint8_t *program; /* .debug_line */
	size_t program_len;
	Dwarf_Arange *aranges; /* read at the first lookup */
	Dwarf_Signed naranges;
	bool asked, exhausted; /* exhausted: a search ran out of its budget, and left libdwarf's cursor somewhere */
	struct timespec deadline;
};

/* --- the sections, as libdwarf asks for them */

/* Only what lines need: libdwarf reads the other sections eagerly, and not all of its readers survive damaged ones. */
static bool is_needed(const char *name)
{
	static const char *const names[] = {".debug_line",   ".debug_line_str", ".debug_info",
					    ".debug_abbrev", ".debug_str",      ".debug_aranges"};

	for (size_t i = 0; name && i < GYVE_ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static Elf_Data *section(Elf *elf, size_t index, GElf_Shdr *sh, const char **name)
{
	Elf_Scn *scn = elf_getscn(elf, index);
	size_t strndx;

	if (!scn || !gelf_getshdr(scn, sh) || elf_getshdrstrndx(elf, &strndx) < 0)
		return NULL;
	*name = elf_strptr(elf, strndx, sh->sh_name);
	/* A compressed section stays closed: its size would be the file's word. */
	if (!is_needed(*name) || sh->sh_type == SHT_NOBITS || sh->sh_flags & SHF_COMPRESSED || sh->sh_size > MAX_SECTION)
		return NULL;
	if (strcmp(*name, ".debug_aranges") == 0 && sh->sh_size > MAX_ARANGES)
		return NULL;
	return elf_rawdata(scn, NULL);
}

static int get_section_info(void *obj, Dwarf_Half index, Dwarf_Obj_Access_Section *ret, int *error)
{
	const char *name = NULL;
	GElf_Shdr sh;
	Elf_Data *d = section(obj, index, &sh, &name);

	(void)error;
	memset(ret, 0, sizeof(*ret));
	ret->name = "";
	if (d && d->d_buf) {
		ret->type = SHT_PROGBITS;
		ret->size = d->d_size;
		ret->name = name;
	}
	return DW_DLV_OK;
}

static int load_section(void *obj, Dwarf_Half index, Dwarf_Small **ret, int *error)
{
	const char *name;
	GElf_Shdr sh;
	Elf_Data *d = section(obj, index, &sh, &name);

	(void)error;
	if (!d || !d->d_buf)
		return DW_DLV_NO_ENTRY;
	*ret = d->d_buf;
	return DW_DLV_OK;
}

static Dwarf_Endianness get_byte_order(void *obj)
{
	return elf_getident(obj, NULL)[EI_DATA] == ELFDATA2MSB ? DW_OBJECT_MSB : DW_OBJECT_LSB;
}

static Dwarf_Small get_word_size(void *obj)
{
	return gelf_getclass(obj) == ELFCLASS32 ? 4 : 8;
}

static Dwarf_Unsigned get_section_count(void *obj)
{
	size_t n;

	return elf_getshdrnum(obj, &n) < 0 || n > UINT16_MAX ? 0 : n;
}

static const Dwarf_Obj_Access_Methods methods = {
	.get_section_info = get_section_info,
	.get_byte_order = get_byte_order,
	.get_length_size = get_word_size,
	.get_pointer_size = get_word_size,
	.get_section_count = get_section_count,
	.load_section = load_section,
};

/* --- one unit */

static void drop_error(struct gyve_lines *l, Dwarf_Error e)
{
	if (e)
		dwarf_dealloc(l->dbg, e, DW_DLA_ERROR);
}

static bool out_of_time(const struct gyve_lines *l)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > l->deadline.tv_sec || (now.tv_sec == l->deadline.tv_sec && now.tv_nsec > l->deadline.tv_nsec);
}

/* Has this unit a line program of a size we dare to run? */
static bool program_is_bounded(struct gyve_lines *l, Dwarf_Die die)
{
	Dwarf_Attribute attr;
	Dwarf_Error e = NULL;
	Dwarf_Off off;
	uint32_t len;
	int ret;

	if (dwarf_attr(die, DW_AT_stmt_list, &attr, &e) != DW_DLV_OK) {
		drop_error(l, e);
		return false;
	}
	ret = dwarf_global_formref(attr, &off, &e);
	dwarf_dealloc(l->dbg, attr, DW_DLA_ATTR);
	if (ret != DW_DLV_OK) {
		drop_error(l, e);
		return false;
	}
	if (off >= l->program_len || l->program_len - off < sizeof(len))
		return false;
	memcpy(&len, l->program + off, sizeof(len));
	return len <= MAX_PROGRAM && len <= l->program_len - off - sizeof(len); /* also refuses 64-bit DWARF */
}

/* Is addr certainly outside? Units of several ranges have no DW_AT_high_pc and must be searched. */
static bool unit_excludes(struct gyve_lines *l, Dwarf_Die die, uint64_t addr)
{
	enum Dwarf_Form_Class class;
	Dwarf_Addr low, high;
	Dwarf_Error e = NULL;
	Dwarf_Half form;

	if (dwarf_lowpc(die, &low, &e) != DW_DLV_OK || dwarf_highpc_b(die, &high, &form, &class, &e) != DW_DLV_OK) {
		drop_error(l, e);
		return false;
	}
	if (class == DW_FORM_CLASS_CONSTANT)
		high += low;
	return addr < low || addr >= high;
}

/* "mod.rs" alone says nothing: such names keep their directory. */
static const char *short_name(const char *path)
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

static int print_line(struct gyve_lines *l, Dwarf_Line line, char *buf, size_t size)
{
	Dwarf_Unsigned number;
	Dwarf_Error e = NULL;
	char *src = NULL;
	int n = -ENOENT;

	if (dwarf_lineno(line, &number, &e) == DW_DLV_OK && dwarf_linesrc(line, &src, &e) == DW_DLV_OK)
		n = snprintf(buf, size, "%s:%llu", short_name(src), number);
	if (src)
		dwarf_dealloc(l->dbg, src, DW_DLA_STRING);
	drop_error(l, e);
	return n;
}

/* A row covers addresses up to the next row's of its sequence. Rows of line 0 name no source: the row before them does. */
static int search_rows(struct gyve_lines *l, Dwarf_Line *rows, Dwarf_Signed n, uint64_t addr, char *buf, size_t size)
{
	Dwarf_Signed named = -1;
	Dwarf_Error e = NULL;

	for (Dwarf_Signed i = 0; i + 1 < n; i++) {
		Dwarf_Unsigned number;
		Dwarf_Addr start, end;
		Dwarf_Bool last;
		if (dwarf_lineendsequence(rows[i], &last, &e) != DW_DLV_OK ||
		    dwarf_lineaddr(rows[i], &start, &e) != DW_DLV_OK || dwarf_lineaddr(rows[i + 1], &end, &e) != DW_DLV_OK ||
		    dwarf_lineno(rows[i], &number, &e) != DW_DLV_OK)
			break;
		if (last)
			named = -1;
		else if (number)
			named = i;
		if (!last && start <= addr && addr < end && named >= 0)
			return print_line(l, rows[named], buf, size);
	}
	drop_error(l, e);
	return -ENOENT;
}

static int search_unit(struct gyve_lines *l, Dwarf_Die die, uint64_t addr, char *buf, size_t size)
{
	Dwarf_Line_Context ctx = NULL;
	Dwarf_Unsigned version;
	Dwarf_Signed n;
	Dwarf_Small tables;
	Dwarf_Error e = NULL;
	Dwarf_Line *rows;
	int ret = -ENOENT;

	if (!program_is_bounded(l, die))
		return -ENOENT;
	if (dwarf_srclines_b(die, &version, &tables, &ctx, &e) == DW_DLV_OK) {
		/* two tables in one unit: an experiment that no compiler of today writes */
		if (tables == 1 && dwarf_srclines_from_linecontext(ctx, &rows, &n, &e) == DW_DLV_OK)
			ret = search_rows(l, rows, n, addr, buf, size);
		dwarf_srclines_dealloc_b(ctx);
	}
	drop_error(l, e);
	return ret;
}

/* --- which unit */

static int search_aranges(struct gyve_lines *l, uint64_t addr, char *buf, size_t size)
{
	Dwarf_Error e = NULL;
	Dwarf_Arange hit;
	Dwarf_Off off;
	Dwarf_Die die;
	int ret = -ENOENT;

	if (!l->asked) {
		l->asked = true;
		if (dwarf_get_aranges(l->dbg, &l->aranges, &l->naranges, &e) != DW_DLV_OK)
			l->aranges = NULL;
	}
	if (l->aranges && dwarf_get_arange(l->aranges, (Dwarf_Unsigned)l->naranges, addr, &hit, &e) == DW_DLV_OK &&
	    dwarf_get_cu_die_offset(hit, &off, &e) == DW_DLV_OK && dwarf_offdie_b(l->dbg, off, true, &die, &e) == DW_DLV_OK) {
		ret = search_unit(l, die, addr, buf, size);
		dwarf_dealloc(l->dbg, die, DW_DLA_DIE);
	}
	drop_error(l, e);
	return ret;
}

/* The cursor over units lives in dbg and starts again only after its end: go to the end even after a hit. */
static int search_all(struct gyve_lines *l, uint64_t addr, char *buf, size_t size)
{
	Dwarf_Unsigned length, type_off, next;
	Dwarf_Half version, addr_size, len_size, ext_size, type;
	Dwarf_Off abbrev;
	Dwarf_Sig8 sig;
	Dwarf_Error e = NULL;
	Dwarf_Die die;
	int ret = -ENOENT;

	for (int n = 0; !l->exhausted; n++) {
		if (dwarf_next_cu_header_d(l->dbg, true, &length, &version, &abbrev, &addr_size, &len_size, &ext_size, &sig,
					   &type_off, &next, &type, &e) != DW_DLV_OK)
			break;
		l->exhausted = n == MAX_UNITS || out_of_time(l);
		if (ret > 0 || l->exhausted || dwarf_siblingof_b(l->dbg, NULL, true, &die, &e) != DW_DLV_OK)
			continue;
		if (!unit_excludes(l, die, addr))
			ret = search_unit(l, die, addr, buf, size);
		dwarf_dealloc(l->dbg, die, DW_DLA_DIE);
	}
	drop_error(l, e);
	return ret;
}

int gyve_lines_format(struct gyve_lines *l, uint64_t addr, char *buf, size_t size)
{
	int ret;

	if (!l || l->exhausted)
		return -ENOENT;
	clock_gettime(CLOCK_MONOTONIC, &l->deadline);
	l->deadline.tv_sec += BUDGET_MS / 1000;
	ret = search_aranges(l, addr, buf, size);
	return ret > 0 ? ret : search_all(l, addr, buf, size);
}

struct gyve_lines *gyve_lines_create(Elf *elf)
{
	struct gyve_lines *l = calloc(1, sizeof(*l));
	Dwarf_Error e = NULL;
	size_t n = l ? get_section_count(elf) : 0;

	for (size_t i = 1; i < n && !l->program; i++) {
		const char *name;
		GElf_Shdr sh;
		Elf_Data *d = section(elf, i, &sh, &name);
		if (d && d->d_buf && strcmp(name, ".debug_line") == 0) {
			l->program = d->d_buf;
			l->program_len = d->d_size;
		}
	}
	if (l && l->program) {
		l->elf = elf;
		l->access = (Dwarf_Obj_Access_Interface){.object = elf, .methods = &methods};
		if (dwarf_object_init_b(&l->access, NULL, NULL, DW_GROUPNUMBER_ANY, &l->dbg, &e) == DW_DLV_OK)
			return l;
	}
	free(l);
	return NULL;
}

void gyve_lines_destroy(struct gyve_lines *l)
{
	Dwarf_Error e = NULL;

	if (!l)
		return;
	for (Dwarf_Signed i = 0; l->aranges && i < l->naranges; i++)
		dwarf_dealloc(l->dbg, l->aranges[i], DW_DLA_ARANGE);
	if (l->aranges)
		dwarf_dealloc(l->dbg, l->aranges, DW_DLA_LIST);
	dwarf_object_finish(l->dbg, &e);
	free(l);
}

#else

struct gyve_lines *gyve_lines_create(Elf *elf)
{
	(void)elf;
	return NULL;
}

void gyve_lines_destroy(struct gyve_lines *l)
{
	(void)l;
}

int gyve_lines_format(struct gyve_lines *l, uint64_t addr, char *buf, size_t size)
{
	(void)l, (void)addr, (void)buf, (void)size;
	return -ENOENT;
}
#endif
