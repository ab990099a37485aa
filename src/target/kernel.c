/* See kernel.h. Symbols: those the target has, if they are a kernel's; else the kernel's own table, which VMCOREINFO knows.
 * Types: BTF, which lies in the kernel's memory between two symbols. */
#include "kernel.h"
#include "slide.h"

#include "gyve/kallsyms.h"

#include "../base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

/* --- VMCOREINFO: in a live guest its text begins a page (kernel/vmcore_info.c) */

static char *text_in(const struct gyve_mem *phys, gyve_gpa_t gpa)
{
	static const char begin[] = "OSRELEASE=", wanted[] = "\nSYMBOL(swapper_pg_dir)=";
	char head[sizeof(begin) - 1], *text;

	if (phys->read(phys->ctx, gpa, head, sizeof(head)) != (ssize_t)sizeof(head) || memcmp(head, begin, sizeof(head)) != 0)
		return NULL;
	text = calloc(1, PAGE + 1);
	if (text && phys->read(phys->ctx, gpa, text, PAGE) > 0 && strstr(text, wanted))
		return text;
	free(text);
	return NULL;
}

static char *find_text(const struct gyve_target *t)
{
	char *text = NULL;

	if (t->vmcoreinfo)
		return strdup(t->vmcoreinfo);
	for (size_t i = 0; t->map && i < t->map->n && !text; i++) {
		const struct gyve_region *r = &t->map->regions[i];
		for (uint64_t at = -r->gpa & (PAGE - 1); !text && at < r->len && r->len - at >= PAGE; at += PAGE)
			text = text_in(&t->phys, r->gpa + at);
	}
	return text;
}

/* --- memory */

static bool number_of(const char *text, const char *key, uint64_t *ret)
{
	const char *at = text ? strstr(text, key) : NULL;
	char *end;

	if (!at)
		return false;
	at += strlen(key);
	*ret = *at == '-' ? (uint64_t)strtoll(at, &end, 0) : strtoull(at, &end, 0);
	return end > at;
}

/* As core's vmcoreinfo.c does for a dump without registers. */
static void find_root(struct gyve_kernel *k)
{
	uint64_t swapper, moved;

	if (!k->vmcoreinfo)
		k->vmcoreinfo = find_text(k->t);
	if (!k->vmcoreinfo || !gyve_vmcoreinfo_symbol(k->vmcoreinfo, "swapper_pg_dir", &swapper))
		return;
	if (k->t->arch->id == GYVE_X86_64 && number_of(k->vmcoreinfo, "\nNUMBER(phys_base)=", &moved)) {
		k->image_offset = UINT64_C(0xffffffff80000000) - moved; /* __START_KERNEL_map */
		k->root_known = true;
	} else if (k->t->arch->id == GYVE_AARCH64 && number_of(k->vmcoreinfo, "\nNUMBER(kimage_voffset)=", &moved)) {
		k->image_offset = moved;
		k->root_known = true;
	}
	k->root = swapper - k->image_offset;
}

/* First through the vCPU's own tables: they are right until a user program runs behind separate ones. */
static ssize_t read_virt(void *ctx, uint64_t gva, void *buf, size_t len)
{
	struct gyve_kernel *k = ctx;
	struct gyve_target view = *k->t;
	struct gyve_err err = {0};

	view.as.on = false;
	ssize_t n = gyve_target_read(&view, 0, gva, buf, len, &err);
	if (n == (ssize_t)len || !k->root_known)
		return n;
	view.as = (struct gyve_space){.on = true, .root = k->root, .has_root1 = true, .root1 = k->root};
	ssize_t m = gyve_target_read(&view, 0, gva, buf, len, &err);
	return m > n ? m : n;
}

int gyve_kernel_read(const struct gyve_kernel *k, gyve_gva_t gva, void *buf, size_t len, struct gyve_err *err)
{
	if (k->mem.read(k->mem.ctx, gva, buf, len) == (ssize_t)len)
		return 0;
	return gyve_err_set(err, -EFAULT, "the kernel's memory at 0x%" PRIx64 " cannot be read", gva);
}

int gyve_kernel_u64(const struct gyve_kernel *k, gyve_gva_t gva, uint64_t *ret, struct gyve_err *err)
{
	uint8_t b[8] = {0};
	int r = gyve_kernel_read(k, gva, b, sizeof(b), err);

	*ret = get_le64(b);
	return r;
}

/* --- symbols and types */

static int find_symbols(struct gyve_kernel *k, struct gyve_err *err)
{
	struct gyve_kallsyms at;
	uint64_t init;

	k->syms = k->t->syms;
	if (k->syms && !k->t->syms_adrift && gyve_symtab_lookup(k->syms, "init_task", &init) == 0)
		return 0;
	if (!k->vmcoreinfo)
		return gyve_err_set(err, -ENOENT,
				    "no Linux kernel is known here: neither symbols (--symbols) nor VMCOREINFO, which is there "
				    "once the kernel has begun to start its drivers");
	if (gyve_kallsyms_find(k->vmcoreinfo, &at) < 0)
		return gyve_err_set(err, -ENOENT,
				    "this kernel does not tell where its symbols are (Linux 6.0 and later do): "
				    "--symbols names its vmlinux");
	int r = gyve_kallsyms_elf(&at, &k->mem, k->t->arch->id, &k->own_elf, &k->own_size, err);
	if (r == 0)
		r = gyve_symtab_create(&k->own, k->own_elf, k->own_size, 0, err);
	k->syms = k->own;
	return r;
}

static int find_types(struct gyve_kernel *k, struct gyve_err *err)
{
	uint64_t from, to;
	uint8_t *bytes;
	int r;

	if (gyve_symtab_lookup(k->syms, "__start_BTF", &from) < 0 || gyve_symtab_lookup(k->syms, "__stop_BTF", &to) < 0)
		return kernel_scan_types(k)
			       ? 0
			       : gyve_err_set(err, -ENOENT, "this kernel was built without its types (CONFIG_DEBUG_INFO_BTF)");
	if (to <= from || to - from > GYVE_BTF_MAX)
		return gyve_err_set(err, -EINVAL, "types of 0x%" PRIx64 " bytes are not believed", to - from);
	bytes = malloc(to - from);
	if (!bytes)
		return -ENOMEM;
	r = gyve_kernel_read(k, from, bytes, to - from, err);
	if (r == 0)
		r = gyve_btf_create(&k->btf, bytes, to - from, err);
	free(bytes);
	return r;
}

int gyve_kernel_symbol(const struct gyve_kernel *k, const char *name, uint64_t *ret, struct gyve_err *err)
{
	if (gyve_symtab_lookup(k->syms, name, ret) == 0)
		return 0;
	return gyve_err_set(err, -ENOENT, "the kernel has no symbol '%s'", name);
}

int gyve_kernel_member(const struct gyve_kernel *k, const char *type, const char *path, struct gyve_member *ret,
		       struct gyve_err *err)
{
	if (k->btf && gyve_btf_member(k->btf, type, path, ret) == 0)
		return 0;
	return gyve_err_set(err, -ENOENT, "the kernel's struct %s has no member %s", type, path);
}

static void destroy(struct gyve_kernel *k)
{
	gyve_btf_destroy(k->btf);
	gyve_symtab_destroy(k->own);
	free(k->own_elf);
	free(k->vmcoreinfo);
	free(k);
}

static struct gyve_kernel *find(struct gyve_target *t, struct gyve_err *err)
{
	struct gyve_kernel *k = calloc(1, sizeof(*k));

	if (!k) {
		gyve_err_set(err, -ENOMEM, "no memory");
		return NULL;
	}
	k->t = t;
	k->mem = (struct gyve_mem){.read = read_virt, .ctx = k};
	find_root(k);
	if (find_symbols(k, err) == 0 && find_types(k, err) == 0) {
		if (gyve_symtab_lookup(k->syms, "init_task", &k->init_task) < 0)
			kernel_scan_init_task(k);
		if (!t->syms)
			t->syms = k->own;
		else if (k->own)
			gyve_slide_settle_by(t, k->own);
		return k;
	}
	destroy(k);
	return NULL;
}

struct gyve_kernel *gyve_kernel_of(struct gyve_target *t, struct gyve_err *err)
{
	if (!t->kernel)
		t->kernel = find(t, err);
	else if (!t->kernel->root_known)
		find_root(t->kernel); /* it was early: the kernel had not said where its tables are */
	return t->kernel;
}

void gyve_kernel_forget(struct gyve_target *t)
{
	if (t->kernel && t->syms == t->kernel->own)
		t->syms = NULL;
	if (t->kernel)
		destroy(t->kernel);
	t->kernel = NULL;
}
