/* Which ELF belongs to a dump: at the path it names, beside it, in the debug directories; the one with the dump's build id. And
 * where that one's debug information is, if it has been split off. */
#include "dump_symbols.h"

#include "../target/kernel.h"
#include "../target/slide.h"

#include "../base/io.h"
#include "gyve/loader.h"

#include <elf.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_FROM = 8 << 20 }; /* bytes of an ELF whose index is worth a file */

struct id {
	const uint8_t *p;
	unsigned len; /* 0: unknown, anything fits */
};

struct search {
	struct gyve_dump *d;
	char *dir;         /* the dump's */
	const char *debug; /* the directory of debug files */
	struct id want;
};

static void unmap(struct gyve_elf_file *f)
{
	if (f->data)
		gyve_file_unmap(f->data, f->size);
	free(f->path);
	*f = (struct gyve_elf_file){0};
}

/* An ELF file with its build id. */
static bool map(const char *path, struct gyve_elf_file *f)
{
	ssize_t n;

	*f = (struct gyve_elf_file){0};
	if (gyve_file_map(path, &f->data, &f->size, NULL) < 0)
		return false;
	if (f->size < 20 || memcmp(f->data, "\177ELF", 4) != 0 || !(f->path = strdup(path))) {
		unmap(f);
		return false;
	}
	n = gyve_elf_build_id(f->data, f->size, f->id, sizeof(f->id));
	f->id_len = n > 0 ? (unsigned)n : 0;
	return true;
}

static bool has_id(const struct gyve_elf_file *f, struct id want)
{
	return !want.len || (f->id_len == want.len && memcmp(f->id, want.p, want.len) == 0);
}

static void hex_of(struct id id, char buf[2 * GYVE_BUILD_ID_MAX + 1])
{
	buf[0] = '\0';
	for (unsigned i = 0; i < id.len; i++)
		sprintf(buf + 2 * (size_t)i, "%02x", id.p[i]);
}

/* --- the image */

/* The file at this path becomes the image if it has the right build id. */
__attribute__((format(printf, 2, 3))) static bool try_image(struct search *s, const char *fmt, ...)
{
	char path[4096];
	struct gyve_elf_file f;
	va_list ap;

	if (s->d->image.data)
		return true;
	va_start(ap, fmt);
	int n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) || !map(path, &f))
		return false;
	if (!has_id(&f, s->want)) {
		fprintf(stderr, "gyve: %s has another build id than the dump's image: not used\n", path);
		unmap(&f);
		return false;
	}
	s->d->image = f;
	return true;
}

static void try_by_id(struct search *s, bool (*try)(struct search *s, const char *fmt, ...), struct id id)
{
	char hex[2 * GYVE_BUILD_ID_MAX + 1];

	if (id.len < 2)
		return;
	hex_of(id, hex);
	if (!try(s, "%s/.build-id/%.2s/%s.debug", s->dir, hex, hex + 2))
		try(s, "%s/.build-id/%.2s/%s.debug", s->debug, hex, hex + 2);
}

static void find_linux(struct search *s)
{
	const char *release = s->d->core->guest_linux.release;

	try_image(s, "%s/vmlinux", s->dir);
	try_image(s, "%s/vmlinux-%s", s->dir, release);
	try_image(s, "%s/boot/vmlinux-%s", s->debug, release);
	try_image(s, "%s/lib/modules/%s/vmlinux", s->debug, release);
}

static void find_image(struct search *s)
{
	const struct gyve_core_info *info = &s->d->core->info;
	const struct gyve_core_linux *l = &s->d->core->guest_linux;
	const char *base = strrchr(info->image, '/');

	s->want = l->there ? (struct id){l->build_id, l->build_id_len} : (struct id){info->build_id, info->build_id_len};
	if (*info->image && !l->there) {
		try_image(s, "%s", info->image);
		try_image(s, "%s/%s", s->dir, base ? base + 1 : info->image);
	}
	try_by_id(s, try_image, s->want);
	if (l->there)
		find_linux(s);
}

/* --- its debug information, elsewhere */

static bool is_debug_of(const struct gyve_elf_file *image, const struct gyve_elf_file *f, const struct gyve_debug_link *link)
{
	if (image->id_len)
		return has_id(f, (struct id){image->id, image->id_len});
	return gyve_debug_crc(f->data, f->size) == link->crc;
}

__attribute__((format(printf, 2, 3))) static bool try_debug(struct search *s, const char *fmt, ...)
{
	struct gyve_debug_link link, own;
	struct gyve_elf_file f;
	char path[4096];
	va_list ap;

	if (s->d->debug.data)
		return true;
	va_start(ap, fmt);
	int n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) || !map(path, &f))
		return false;
	gyve_debug_link(s->d->image.data, s->d->image.size, &own);
	gyve_debug_link(f.data, f.size, &link);
	if (is_debug_of(&s->d->image, &f, &own) && (link.has_debug || link.has_symbols)) {
		s->d->debug = f;
		return true;
	}
	if (link.has_debug || link.has_symbols)
		fprintf(stderr, "gyve: %s is not the debug information of %s: not used\n", path, s->d->image.path);
	unmap(&f);
	return false;
}

static void find_debug(struct search *s)
{
	struct gyve_elf_file *image = &s->d->image;
	struct gyve_debug_link link;
	char *copy, *real;

	gyve_debug_link(image->data, image->size, &link);
	if (link.has_debug)
		return;
	try_by_id(s, try_debug, (struct id){image->id, image->id_len});
	real = *link.name ? realpath(image->path, NULL) : NULL;
	copy = real;
	if (real) {
		const char *dir = dirname(copy);
		try_debug(s, "%s/%s", dir, link.name);
		try_debug(s, "%s/.debug/%s", dir, link.name);
		try_debug(s, "%s/%s", s->dir, link.name);
		try_debug(s, "%s%s/%s", s->debug, dir, link.name);
	}
	free(real);
}

/* --- what was added to its addresses */

static int load(struct gyve_dump *d, uint64_t bias)
{
	struct gyve_elf_file *f = d->debug.data ? &d->debug : &d->image;
	char hex[2 * GYVE_BUILD_ID_MAX + 1];
	struct gyve_err err = {0};

	gyve_symtab_destroy(d->syms);
	d->syms = NULL;
	d->target.syms = NULL;
	d->bias = bias;
	if (gyve_symtab_borrow(&d->syms, f->data, f->size, bias, &err) < 0) {
		fprintf(stderr, "gyve: %s: %s\n", f->path, err.text);
		return -1;
	}
	d->target.syms = d->syms;
	if (f == &d->debug)
		gyve_symtab_add_frames(d->syms, d->image.data, d->image.size);
	if (f->size >= INDEX_FROM && f->id_len) {
		hex_of((struct id){f->id, f->id_len}, hex);
		gyve_symtab_keep_index(d->syms, hex);
	}
	return 0;
}

/* --- all of it */

bool gyve_dump_find_symbols(struct gyve_dump *d, const char *dump, const struct gyve_dump_opts *o)
{
	char *copy = strdup(dump);
	struct search s = {.d = d, .dir = copy ? dirname(copy) : NULL, .debug = o->debug_dir ? o->debug_dir : "/usr/lib/debug"};
	struct gyve_elf_file f;
	bool ok = copy;

	if (copy && o->symbols) {
		const struct gyve_core_linux *l = &d->core->guest_linux;
		const struct gyve_core_info *i = &d->core->info;
		s.want = l->there ? (struct id){l->build_id, l->build_id_len} : (struct id){i->build_id, i->build_id_len};
		ok = map(o->symbols, &f);
		if (!ok)
			fprintf(stderr, "gyve: %s: no ELF file that can be read\n", o->symbols);
		else if (!has_id(&f, s.want))
			fprintf(stderr, "gyve: %s has another build id than the dump's image: names may be wrong\n",
				o->symbols);
		if (ok)
			d->image = f;
	} else if (copy) {
		find_image(&s);
	}
	if (d->image.data)
		find_debug(&s);
	free(copy);
	return ok;
}

/* --- a process: its program is an ordinary one, which no loader of ours takes */

static bool read_header(const struct gyve_elf_file *f, Elf64_Ehdr *e)
{
	if (f->size < sizeof(*e))
		return false;
	memcpy(e, f->data, sizeof(*e));
	return e->e_ident[EI_CLASS] == ELFCLASS64 && e->e_phentsize == sizeof(Elf64_Phdr) && e->e_phoff <= f->size &&
	       e->e_phnum <= (f->size - e->e_phoff) / sizeof(Elf64_Phdr);
}

/* What its core leaves out is in the file. */
static void show_image(struct gyve_dump *d)
{
	const struct gyve_elf_file *f = &d->image;
	Elf64_Ehdr e;
	Elf64_Phdr p;

	for (unsigned i = 0; read_header(f, &e) && i < e.e_phnum; i++) {
		memcpy(&p, f->data + e.e_phoff + i * sizeof(p), sizeof(p));
		if (p.p_type == PT_LOAD && !(p.p_flags & PF_W) && p.p_offset <= f->size && p.p_filesz <= f->size - p.p_offset)
			gyve_core_add_image(d->core, p.p_vaddr + d->bias, f->data + p.p_offset, p.p_filesz);
	}
}

/* Its entry is where the kernel told the process, and where the file says. */
static uint64_t bias_of_process(struct gyve_dump *d)
{
	Elf64_Ehdr e;

	if (!d->core->info.entry || !read_header(&d->image, &e) || (d->core->info.entry - e.e_entry) % 4096)
		return 0;
	return d->core->info.entry - e.e_entry;
}

void gyve_dump_load_symbols(struct gyve_dump *d, const struct gyve_dump_opts *o)
{
	const struct gyve_core_linux *l = &d->core->guest_linux;
	bool process = d->core->is_virtual && !d->core->has_info;
	uint64_t bias = d->core->info.bias;

	if (!d->image.data) {
		struct gyve_err none = {0};
		if (l->text) /* the kernel's own symbols are better than none */
			gyve_kernel_of(&d->target, &none);
		return;
	}
	if (o->bias_given)
		bias = o->bias;
	else if (process)
		bias = bias_of_process(d);
	else if (l->there && l->offset_known)
		bias = l->offset;
	if (load(d, bias) < 0)
		return;
	if (process)
		show_image(d);
	if (o->bias_given || process || (l->there && l->offset_known) || d->core->has_info)
		return;
	if (d->core->have_sys && gyve_slide_find(&d->target, &bias) && bias) /* a kernel that does not say */
		load(d, bias);
}

void gyve_dump_drop_symbols(struct gyve_dump *d)
{
	gyve_symtab_destroy(d->syms);
	d->syms = NULL;
	unmap(&d->image);
	unmap(&d->debug);
}
