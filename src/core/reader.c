/* An opened dump: the file behind it, its memory, its vCPUs. Formats are in files of their own. */
#include "core_priv.h"

#include "../base/bytes.h"
#include "../base/cleanup.h"
#include "../base/io.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { MAX_WARNINGS = 16 << 10, PAGE = 4096 };

void core_warn(struct gyve_core *core, const char *fmt, ...)
{
	char line[512];
	size_t have = core->warnings ? strlen(core->warnings) : 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (have > MAX_WARNINGS)
		return;
	char *p = realloc(core->warnings, have + strlen(line) + 2);
	if (!p)
		return;
	sprintf(p + have, "%s\n", line);
	core->warnings = p;
}

int core_set_cpus(struct gyve_core *core, unsigned n)
{
	struct gyve_regs *r;

	if (n > GYVE_CORE_MAX_CPUS)
		return -E2BIG;
	r = realloc(core->regs, (n ? n : 1) * sizeof(*r));
	if (!r)
		return -ENOMEM;
	core->regs = r;
	for (unsigned i = core->ncpus; i < n; i++) {
		memset(&r[i], 0, sizeof(r[i]));
		r[i].arch = core->arch->id;
	}
	core->ncpus = n;
	return 0;
}

int core_add_zero(struct gyve_core *core, gyve_gpa_t gpa, uint64_t len, uint8_t **ret)
{
	struct gyve_core_backing *b = core->backing;
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), *list;
	int res;

	if (p == MAP_FAILED)
		return -ENOMEM;
	list = reallocarray(b->anon, b->nanon + 1, sizeof(*b->anon));
	if (!list) {
		munmap(p, len);
		return -ENOMEM;
	}
	b->anon = list;
	b->anon[b->nanon].p = p;
	b->anon[b->nanon++].len = len;
	res = gyve_memmap_add(&core->map, gpa, len, p, GYVE_REGION_RAM, ret ? "memory" : "zeros");
	if (res == 0) {
		core->mem_size += len;
		if (ret)
			*ret = p;
	}
	return res;
}

/* Neighbours in memory and in the file are one region: cores with a segment for each mapped run have tens of thousands. */
static bool grows_last(struct gyve_core *core, gyve_gpa_t gpa, const uint8_t *p, uint64_t len)
{
	struct gyve_region *last = core->map.n ? &core->map.regions[core->map.n - 1] : NULL;

	if (!last || last->gpa + last->len != gpa || last->hva + last->len != p)
		return false;
	last->len += len;
	return true;
}

int core_add_file(struct gyve_core *core, gyve_gpa_t gpa, uint64_t off, uint64_t len, const char *what)
{
	struct gyve_core_backing *b = core->backing;
	uint64_t have = off < b->size ? b->size - off : 0, end;
	const uint8_t *p = b->data + (have ? off : 0);
	int res = 0;

	if (__builtin_add_overflow(gpa, len, &end)) {
		core_warn(core, "%s at 0x%" PRIx64 ": it does not fit in the address space; left out", what, gpa);
		return -EINVAL;
	}
	if (have < len) {
		core_warn(core, "%s at 0x%" PRIx64 ": its last 0x%" PRIx64 " bytes of 0x%" PRIx64 " are not in the file", what,
			  gpa, len - have, len);
		len = have;
	}
	if (len && !grows_last(core, gpa, p, len))
		res = gyve_memmap_add(&core->map, gpa, len, (void *)(uintptr_t)p, GYVE_REGION_RAM, "file");
	if (res < 0) {
		core_warn(core, "%s at 0x%" PRIx64 ": %s; left out", what, gpa,
			  res == -EEXIST ? "it overlaps another" : strerror(-res));
		return res;
	}
	core->mem_size += len;
	core->stored_size += len;
	return 0;
}

/* --- access */

static ssize_t core_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	struct gyve_core *core = ctx;
	size_t done = 0;

	if (!core->backing->need && !core->backing->any_absent)
		return gyve_memmap_read(&core->map, addr, buf, len);
	while (done < len && addr + done >= addr) {
		uint64_t n = len - done;
		const uint8_t *p = gyve_core_ptr(core, addr + done, &n);
		if (!p)
			break;
		memcpy((uint8_t *)buf + done, p, n);
		done += n;
	}
	return done || !len ? (ssize_t)done : -EFAULT;
}

static ssize_t core_write(void *ctx, uint64_t addr, const void *buf, size_t len)
{
	struct gyve_core *core = ctx;
	uint8_t probe;

	/* what is made while it is read has to be there before it is changed */
	for (uint64_t at = 0; core->backing->need && at < len; at += PAGE)
		core_read(core, addr + at, &probe, 1);
	if (core->backing->need && len)
		core_read(core, addr + len - 1, &probe, 1);
	return gyve_memmap_write(&core->map, addr, buf, len);
}

int gyve_core_value(const struct gyve_core *core, unsigned cpu, uint32_t space, uint32_t id, uint64_t *ret)
{
	const struct gyve_core_backing *b = core->backing;

	for (size_t i = 0; i < b->nvalues; i++)
		for (uint32_t k = 0; b->values[i].cpu == cpu && k < b->values[i].n; k++) {
			const uint8_t *p = b->values[i].p + 16 * (size_t)k;
			if (get_le32(p) != space || get_le32(p + 4) != id)
				continue;
			*ret = get_le64(p + 8);
			return 0;
		}
	return -ENOENT;
}

int gyve_core_page_state(struct gyve_core *core, gyve_gpa_t gpa, uint64_t *len)
{
	struct gyve_core_backing *b = core->backing;
	const struct gyve_region *r = gyve_memmap_find(&core->map, gpa);
	size_t lo = 0, hi = b->npages;

	if (!r) {
		*len = 0;
		for (size_t i = 0; i < core->map.n; i++)
			if (core->map.regions[i].gpa > gpa) {
				*len = core->map.regions[i].gpa - gpa;
				break;
			}
		return GYVE_CORE_ABSENT;
	}
	*len = r->len - (gpa - r->gpa);
	if (!b->npages)
		return strcmp(r->name, "zeros") == 0 ? GYVE_CORE_ZERO : GYVE_CORE_STORED;
	while (lo < hi) { /* the first run that ends behind gpa */
		size_t mid = lo + (hi - lo) / 2;
		if (b->pages[mid].gpa + b->pages[mid].len <= gpa)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < b->npages && b->pages[lo].gpa <= gpa) {
		uint64_t left = b->pages[lo].gpa + b->pages[lo].len - gpa;
		*len = left < *len ? left : *len;
		return (int)b->pages[lo].state;
	}
	if (lo < b->npages && b->pages[lo].gpa - gpa < *len)
		*len = b->pages[lo].gpa - gpa;
	return GYVE_CORE_ZERO;
}

const uint8_t *gyve_core_ptr(struct gyve_core *core, gyve_gpa_t gpa, uint64_t *len)
{
	const struct gyve_region *r = gyve_memmap_find(&core->map, gpa);
	const uint8_t *p;

	if (!r)
		return NULL;
	if (*len > r->len - (gpa - r->gpa))
		*len = r->len - (gpa - r->gpa);
	if (core->backing->any_absent) {
		uint64_t n;
		if (gyve_core_page_state(core, gpa, &n) == GYVE_CORE_ABSENT)
			return NULL;
		for (uint64_t at = n; at < *len; at += n)
			if (gyve_core_page_state(core, gpa + at, &n) == GYVE_CORE_ABSENT)
				*len = at;
	}
	p = r->hva + (gpa - r->gpa);
	if (core->backing->need) {
		if (*len > 1 << 20)
			*len = 1 << 20;
		if (core->backing->need(core, p, *len) < 0)
			return NULL;
	}
	return p;
}

/* --- registers given by hand */

int gyve_core_set_reg(struct gyve_core *core, unsigned cpu, const char *assignment, struct gyve_err *err)
{
	const char *eq = strchr(assignment, '=');
	const struct gyve_reg_row *row = NULL;
	uint8_t value[64] = {0};
	char *end;
	uint64_t v;

	for (unsigned i = 0; eq && i < core->arch->nregs; i++)
		if (strlen(core->arch->regs[i].name) == (size_t)(eq - assignment) &&
		    strncasecmp(core->arch->regs[i].name, assignment, (size_t)(eq - assignment)) == 0)
			row = &core->arch->regs[i];
	if (!row || cpu >= core->ncpus)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not REGISTER=VALUE with a register of %s", assignment,
				    core->arch->name);
	errno = 0;
	v = strtoull(eq + 1, &end, 0);
	if (errno || end == eq + 1 || *end)
		return gyve_err_set(err, -EINVAL, "'%.60s': the value is not a number", assignment);
	put_le64(value, v);
	core->regs[cpu].valid |= row->group;
	return core_row_set(row, &core->regs[cpu], value) < 0
		       ? gyve_err_set(err, -EINVAL, "register %s does not take this value", row->name)
		       : 0;
}

/* A root alone shall do: the bits that say it is in use follow from it. */
static void complete_mmu(struct gyve_core *core, struct gyve_regs *r)
{
	if (r->arch == GYVE_X86_64 && r->x86.cr3 && !(r->x86.cr0 >> 31 & 1)) {
		r->x86.cr0 |= 0x80000001;
		r->x86.cr4 |= 1 << 5;
		r->x86.efer |= 0xd00; /* long mode, no-execute bits */
	} else if (r->arch == GYVE_AARCH64 && (r->a64.ttbr0_el1 || r->a64.ttbr1_el1)) {
		r->a64.sctlr_el1 |= 1;
		if (!r->a64.tcr_el1) /* 4 KiB granules, 48-bit halves */
			r->a64.tcr_el1 = 16 | 16 << 16 | UINT64_C(2) << 30;
	}
	core->have_sys |= r->arch == GYVE_X86_64 ? r->x86.cr3 != 0 : (r->a64.ttbr0_el1 | r->a64.ttbr1_el1) != 0;
}

static int apply_options(struct gyve_core *core, const struct gyve_core_open *opt, struct gyve_err *err)
{
	int ret = 0;

	for (size_t i = 0; opt->regs && opt->regs[i]; i++)
		for (unsigned c = 0; c < core->ncpus; c++)
			if ((ret = gyve_core_set_reg(core, c, opt->regs[i], err)) < 0)
				return ret;
	for (unsigned c = 0; opt->regs && opt->regs[0] && c < core->ncpus; c++)
		complete_mmu(core, &core->regs[c]);
	return opt->find_roots ? gyve_core_find_roots(core, err) : 0;
}

/* --- open */

static int open_format(struct gyve_core *core, const struct gyve_core_open *opt, struct gyve_err *err)
{
	const uint8_t *p = core->backing->data;
	uint64_t n = core->backing->size;

	if (opt->raw)
		return core_raw_open(core, opt, err);
	if (n >= SELFMAG && memcmp(p, ELFMAG, SELFMAG) == 0)
		return core_elf_open(core, opt, err);
	if (n >= 4 && get_le32(p) == 0x4c694d45)
		return core_lime_open(core, err);
	return gyve_err_set(err, -ENOEXEC,
			    "not a dump that is known here: neither ELF core, kdump-compressed nor LiME "
			    "(a memory image without headers needs --raw gpa=ADDRESS,arch=NAME)");
}

static int begin(struct gyve_core **ret, struct gyve_err *err)
{
	struct gyve_core *core = calloc(1, sizeof(*core));

	if (core)
		core->backing = calloc(1, sizeof(*core->backing));
	if (!core || !core->backing) {
		free(core);
		return gyve_err_set(err, -ENOMEM, "no memory");
	}
	gyve_memmap_init(&core->map);
	*ret = core;
	return 0;
}

static int finish(struct gyve_core *core, const struct gyve_core_open *opt, struct gyve_err *err)
{
	int ret;

	core->file_size = core->backing->size;
	if (!core->arch)
		core->arch = opt->arch ? opt->arch : gyve_arch_host();
	if (!core->kind && (ret = core_zstd_open(core, err)) < 0)
		return ret;
	if (core->kind != GYVE_CORE_KDUMP && (ret = open_format(core, opt, err)) < 0)
		return ret;
	if (core->ncpus == 0) {
		core_warn(core, "it has no registers: one vCPU with all of them 0 is shown");
		if ((ret = core_set_cpus(core, 1)) < 0)
			return gyve_err_set(err, ret, "no memory");
	}
	if (core->info.stop_cpu >= core->ncpus)
		core->info.stop_cpu = 0;
	if (!opt->writable)
		for (size_t i = 0; i < core->map.n; i++)
			core->map.regions[i].flags |= GYVE_REGION_READONLY;
	core->phys = (struct gyve_mem){core_read, opt->writable ? core_write : NULL, core, NULL};
	if (!core->backing->need && !core->backing->any_absent)
		core->phys.direct = &core->map;
	return apply_options(core, opt, err);
}

static int map_file(struct gyve_core_backing *b, const char *path, bool writable, struct gyve_err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	void *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return gyve_err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		return gyve_err_set(err, -ENOEXEC, "%s: %s", path, st.st_size ? "not a regular file" : "it is empty");
	/* private: what is written stays in this process */
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | (writable ? PROT_WRITE : 0), MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED)
		return gyve_err_set(err, -errno, "%s: %s", path, strerror(errno));
	b->data = b->map = p;
	b->size = b->map_len = (uint64_t)st.st_size;
	return 0;
}

/* Formats of files in files, and those that need a file. path may be NULL. */
static int unwrap(struct gyve_core *core, const char *path, const struct gyve_core_open *opt, struct gyve_err *err)
{
	char own[64];
	int fd, ret;

	if (opt->raw)
		return 0;
	fd = core_flat_open(core, opt->writable, err);
	if (fd < 0 && fd != -ENOENT)
		return path ? gyve_err_prefix(err, "%s", path), fd : fd;
	snprintf(own, sizeof(own), "/proc/self/fd/%d", fd);
	ret = fd >= 0 || path ? core_kdump_open(core, fd >= 0 ? own : path, err) : 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

int gyve_core_open(struct gyve_core **ret, const char *path, const struct gyve_core_open *opt, struct gyve_err *err)
{
	static const struct gyve_core_open none;
	struct gyve_core *core;
	int res = begin(&core, err);

	if (res < 0)
		return res;
	opt = opt ? opt : &none;
	res = map_file(core->backing, path, opt->writable, err);
	if (res == 0)
		res = unwrap(core, path, opt, err);
	if (res == 0 && (res = finish(core, opt, err)) < 0)
		gyve_err_prefix(err, "%s", path);
	if (res < 0) {
		gyve_core_close(core);
		return res;
	}
	*ret = core;
	return 0;
}

int gyve_core_open_mem(struct gyve_core **ret, const void *data, size_t size, const struct gyve_core_open *opt,
		       struct gyve_err *err)
{
	static const struct gyve_core_open none;
	struct gyve_core *core;
	int res = begin(&core, err);

	if (res < 0)
		return res;
	core->backing->data = data;
	core->backing->size = size;
	opt = opt ? opt : &none;
	res = unwrap(core, NULL, opt, err);
	if (res == 0)
		res = finish(core, opt, err);
	if (res < 0) {
		gyve_core_close(core);
		return res;
	}
	*ret = core;
	return 0;
}

void gyve_core_close(struct gyve_core *core)
{
	if (!core)
		return;
	struct gyve_core_backing *b = core->backing;
	if (b->destroy)
		b->destroy(b);
	for (size_t i = 0; i < b->nanon; i++)
		munmap(b->anon[i].p, b->anon[i].len);
	if (b->map)
		munmap(b->map, b->map_len);
	free(b->anon);
	free(b->pages);
	free(b->values);
	free(b);
	gyve_memmap_deinit(&core->map);
	free(core->regs);
	free(core->guest_linux.text);
	free(core->warnings);
	free(core);
}
