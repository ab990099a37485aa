/* See modules.h. The list is the kernel's `modules`; where its members are the kernel's types say. */
#include "modules.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- where members are */

static int64_t offset(const struct gyve_kernel *k, const char *type, const char *path)
{
	struct gyve_member m;

	return gyve_kernel_member(k, type, path, &m, NULL) == 0 && m.offset < 1 << 20 ? (int64_t)m.offset : -1;
}

static int64_t size_of(const struct gyve_kernel *k, const char *type)
{
	uint64_t size;

	return k->btf && gyve_btf_size(k->btf, type, &size) == 0 && size < 1 << 16 ? (int64_t)size : -1;
}

/* Linux 6.4 and later have several pieces of memory, of which those from the fifth on are given back after the beginning. */
static void find_memory(const struct gyve_kernel *k, struct gyve_module_layout *l)
{
	l->base = offset(k, "module", "core_layout.base");
	l->size = offset(k, "module", "core_layout.size");
	l->mem = offset(k, "module", "mem");
	l->mem_each = size_of(k, "module_memory");
	l->mem_base = offset(k, "module_memory", "base");
	l->mem_size = offset(k, "module_memory", "size");
	l->mem_n = 4;
}

/* Linux 6.13 and later keep a section's address in its file's private pointer. */
static void find_sections(const struct gyve_kernel *k, struct gyve_module_layout *l)
{
	l->nsections = offset(k, "module_sect_attrs", "nsections");
	l->attrs = offset(k, "module_sect_attrs", "attrs");
	l->bin_attrs = -1;
	if (l->nsections >= 0) {
		l->attr_each = size_of(k, "module_sect_attr");
		l->attr_name = offset(k, "module_sect_attr", "battr.attr.name");
		l->attr_address = offset(k, "module_sect_attr", "address");
		return;
	}
	l->bin_attrs = offset(k, "module_sect_attrs", "grp.bin_attrs");
	l->attr_name = offset(k, "bin_attribute", "attr.name");
	l->attr_address = offset(k, "bin_attribute", "private");
}

int gyve_module_layout(const struct gyve_kernel *k, struct gyve_module_layout *ret, struct gyve_err *err)
{
	struct gyve_module_layout l = {0};

	l.list = offset(k, "module", "list");
	l.state = offset(k, "module", "state");
	l.name = offset(k, "module", "name");
	l.sect_attrs = offset(k, "module", "sect_attrs");
	if (l.list < 0 || l.state < 0 || l.name < 0)
		return gyve_err_set(err, -ENOENT, "this kernel has no modules, or its types are unknown");
	find_memory(k, &l);
	find_sections(k, &l);
	*ret = l;
	return 0;
}

/* --- the list */

struct reader {
	const struct gyve_mem *mem;
	const struct gyve_module_layout *l;
};

static bool bytes_at(const struct reader *r, gyve_gva_t gva, void *buf, size_t len)
{
	return r->mem->read(r->mem->ctx, gva, buf, len) == (ssize_t)len;
}

/* 0: not there, or nothing. */
static uint64_t number_at(const struct reader *r, gyve_gva_t at, int64_t off, unsigned len)
{
	uint8_t b[8] = {0};

	return off >= 0 && bytes_at(r, at + (uint64_t)off, b, len) ? get_le64(b) : 0;
}

/* What is no ordinary letter of a name ends it. */
static void text_at(const struct reader *r, gyve_gva_t at, char *ret, size_t size)
{
	ssize_t n = r->mem->read(r->mem->ctx, at, ret, size - 1);
	size_t len = 0;

	ret[n > 0 ? n : 0] = '\0';
	while (ret[len] > ' ' && ret[len] < 127 && !strchr("<>&\"'/\\", ret[len]))
		len++;
	ret[len] = '\0';
}

static void read_memory(const struct reader *r, struct gyve_module *m)
{
	const struct gyve_module_layout *l = r->l;

	if (l->base >= 0) {
		m->base = number_at(r, m->addr, l->base, 8);
		m->size = number_at(r, m->addr, l->size, 4);
		return;
	}
	for (unsigned i = 0; l->mem >= 0 && l->mem_each > 0 && i < l->mem_n; i++) {
		gyve_gva_t at = m->addr + (uint64_t)(l->mem + i * l->mem_each);
		if (i == 0)
			m->base = number_at(r, at, l->mem_base, 8);
		m->size += number_at(r, at, l->mem_size, 4);
	}
}

/* Where the i-th section's description is; 0: there is none. */
static gyve_gva_t section_at(const struct reader *r, gyve_gva_t attrs, size_t i)
{
	const struct gyve_module_layout *l = r->l;

	if (l->nsections >= 0)
		return l->attrs >= 0 && l->attr_each > 0 && i < number_at(r, attrs, l->nsections, 4)
			       ? attrs + (uint64_t)l->attrs + i * (uint64_t)l->attr_each
			       : 0;
	gyve_gva_t list = number_at(r, attrs, l->bin_attrs, 8);
	return list ? number_at(r, list, (int64_t)(8 * i), 8) : 0;
}

static int add_section(struct gyve_module *m, const struct gyve_module_section *s)
{
	struct gyve_module_section *p = m->sections;

	if (!(m->nsections & (m->nsections - 1))) { /* 0, 1, 2, 4 ... are full */
		p = reallocarray(p, m->nsections ? 2 * m->nsections : 1, sizeof(*p));
		if (!p)
			return -ENOMEM;
		m->sections = p;
	}
	p[m->nsections++] = *s;
	return 0;
}

static int read_sections(const struct reader *r, struct gyve_module *m)
{
	gyve_gva_t attrs = number_at(r, m->addr, r->l->sect_attrs, 8), at;
	int ret = 0;

	for (size_t i = 0; attrs && ret == 0 && i < GYVE_MODULE_SECTIONS && (at = section_at(r, attrs, i)); i++) {
		struct gyve_module_section s = {.addr = number_at(r, at, r->l->attr_address, 8)};
		gyve_gva_t name = number_at(r, at, r->l->attr_name, 8);
		if (!name || !s.addr)
			continue;
		text_at(r, name, s.name, sizeof(s.name));
		if (*s.name)
			ret = add_section(m, &s);
	}
	return ret;
}

/* The note: lengths of name and bytes, type 3, "GNU". */
static void read_build_id(const struct reader *r, struct gyve_module *m)
{
	gyve_gva_t at = gyve_module_section(m, ".note.gnu.build-id");
	uint8_t head[16];

	if (!at || !bytes_at(r, at, head, sizeof(head)) || get_le32(head) != 4 || get_le32(head + 8) != 3 ||
	    memcmp(head + 12, "GNU", 4) != 0)
		return;
	uint32_t len = get_le32(head + 4);
	if (len && len <= sizeof(m->build_id) && bytes_at(r, at + 16, m->build_id, len))
		m->build_id_len = len;
}

static int read_module(const struct reader *r, struct gyve_module *m)
{
	text_at(r, m->addr + (uint64_t)r->l->name, m->name, sizeof(m->name) - 7);
	m->state = (unsigned)number_at(r, m->addr, r->l->state, 4);
	if (m->state == GYVE_MODULE_UNFORMED)
		return 0;
	read_memory(r, m);
	int ret = read_sections(r, m);
	read_build_id(r, m);
	return ret;
}

ssize_t gyve_modules_read(const struct gyve_mem *mem, const struct gyve_module_layout *l, gyve_gva_t head,
			  struct gyve_module **ret, struct gyve_err *err)
{
	const struct reader r = {mem, l};
	struct gyve_module *list = NULL;
	uint8_t b[8];
	size_t n = 0;
	int bad = 0;

	if (!bytes_at(&r, head, b, sizeof(b)))
		return gyve_err_set(err, -EFAULT, "the kernel's list of modules at 0x%" PRIx64 " cannot be read", head);
	for (gyve_gva_t at = get_le64(b); at && at != head && n < GYVE_MODULES_MAX && !bad;) {
		if (!(n & (n - 1))) {
			struct gyve_module *more = reallocarray(list, n ? 2 * n : 1, sizeof(*list));
			if (!more) {
				bad = -ENOMEM;
				break;
			}
			list = more;
		}
		list[n] = (struct gyve_module){.addr = at - (uint64_t)l->list};
		if (!bytes_at(&r, at, b, sizeof(b))) /* torn: what was found so far is what there is */
			break;
		bad = read_module(&r, &list[n++]);
		at = get_le64(b);
	}
	if (bad < 0) {
		gyve_modules_free(list, n);
		return gyve_err_set(err, bad, "out of memory");
	}
	*ret = list;
	return (ssize_t)n;
}

ssize_t gyve_modules_list(struct gyve_kernel *k, struct gyve_module **ret, struct gyve_err *err)
{
	struct gyve_module_layout l;
	uint64_t head;
	int r = gyve_module_layout(k, &l, err);

	if (r == 0)
		r = gyve_kernel_symbol(k, "modules", &head, err);
	return r < 0 ? r : gyve_modules_read(&k->mem, &l, head, ret, err);
}

void gyve_modules_free(struct gyve_module *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(m[i].sections);
	free(m);
}

gyve_gva_t gyve_module_section(const struct gyve_module *m, const char *name)
{
	for (size_t i = 0; i < m->nsections; i++)
		if (strcmp(m->sections[i].name, name) == 0)
			return m->sections[i].addr;
	return 0;
}

const char *gyve_module_state(const struct gyve_module *m)
{
	static const char *const names[] = {"live", "coming", "going", "unformed"};

	return m->state < GYVE_ARRAY_SIZE(names) ? names[m->state] : "?";
}
