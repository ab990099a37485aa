/* A guest as an ELF core: Ehdr, PT_NOTE, PT_LOADs, notes, then each region of memory at its nominal size, what was never
 * touched or is zero as holes. Readers' rules that are kept here (docs/post-mortem.md): PT_NOTE first and before the data,
 * p_align 0, no segment without bytes in the file, full nominal length. */
#include "config.h"

#include "core_priv.h"

#include "../base/bytes.h"
#include "../base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PAGE = 4096, CHUNK = 1 << 20, HOLE_MIN = 16 << 10, MAX_PAGE_RUNS = 8192, MAX_VIRT = 1000 };

struct load {
	gyve_gva_t gva;
	gyve_gpa_t gpa;
	uint64_t off, len;
	uint32_t flags;
};

struct writer {
	const struct gyve_core_source *src;
	const struct gyve_core_options *opt;
	struct core_out *out;
	const char *path;
	struct core_runs runs;
	struct core_buf notes;
	struct load *loads; /* virtual ones first: of two that hold an address gdb takes the first */
	size_t nloads, nvirt;
	uint64_t size, total, done, stored;
	double begin, last_progress;
	uint8_t *chunk;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- what there is */

static int find_pages(struct writer *w)
{
	int ret = 0;

	for (size_t i = 0; i < w->src->map->n && ret == 0; i++) {
		const struct gyve_region *r = &w->src->map->regions[i];
		ret = core_resident(&w->runs, w->opt->pagemap_fd, r->hva, r->len, r->gpa);
	}
	for (size_t i = 0; i < w->runs.n; i++)
		w->total += w->runs.run[i].len;
	return ret;
}

static const struct gyve_region *region_of(const struct writer *w, gyve_gpa_t gpa)
{
	return gyve_memmap_find(w->src->map, gpa);
}

/* The page states in at most MAX_PAGE_RUNS runs: short gaps count as stored where there are more. */
static void note_pages(struct writer *w)
{
	_cleanup_free_ uint8_t *d = calloc(MAX_PAGE_RUNS + 1, 24);
	uint64_t gap = 0;
	uint32_t n;

	if (!d) {
		w->notes.failed = true;
		return;
	}
	do {
		uint64_t end = 0;
		n = 0;
		for (size_t i = 0; i < w->runs.n; i++) {
			const struct core_run *r = &w->runs.run[i];
			uint8_t *e = d + 24 * (size_t)n; /* one behind the last: entry 0 is the head */
			if (n && r->gpa - end <= gap)
				put_le64(e + 8, r->gpa + r->len - get_le64(e));
			else if (++n <= MAX_PAGE_RUNS) {
				put_le64(e + 24, r->gpa);
				put_le64(e + 32, r->len);
				put_le32(e + 40, GYVE_CORE_STORED);
			} else
				break;
			end = r->gpa + r->len;
		}
		gap = gap ? gap * 2 : PAGE;
	} while (n > MAX_PAGE_RUNS);
	memset(d, 0, 24);
	put_le32(d, GYVE_NOTE_VERSION);
	put_le32(d + 4, n);
	core_note_add(&w->notes, "GYVE", NOTE_GYVE_PAGES, d, 24 * ((size_t)n + 1));
}

/* What a Linux guest says of itself: text that begins a page (kernel/vmcore_info.c), with the symbol that every reader of it
 * wants. The note makes crash and drgn take the dump for Linux's. */
static bool add_vmcoreinfo(struct writer *w)
{
	static const char begin[] = "OSRELEASE=", wanted[] = "\nSYMBOL(swapper_pg_dir)=";
	const struct gyve_mem *m = &w->src->phys;
	char text[PAGE + 1];

	for (size_t i = 0; i < w->runs.n; i++)
		for (uint64_t at = 0; at + PAGE <= w->runs.run[i].len; at += PAGE) {
			gyve_gpa_t gpa = w->runs.run[i].gpa + at;
			if (m->read(m->ctx, gpa, text, sizeof(begin) - 1) != sizeof(begin) - 1 ||
			    memcmp(text, begin, sizeof(begin) - 1) != 0 || m->read(m->ctx, gpa, text, PAGE) != PAGE)
				continue;
			text[PAGE] = '\0';
			if (!strstr(text, wanted))
				continue;
			core_note_add(&w->notes, "VMCOREINFO", NOTE_VMCOREINFO, text, strlen(text));
			return true;
		}
	return false;
}

static int build_notes(struct writer *w, struct gyve_err *err)
{
	const struct gyve_core_source *s = w->src;
	struct core_buf qemu = {0}, own = {0}, linux_info = {0};
	bool is_linux;
	int ret = 0;

	is_linux = add_vmcoreinfo(w);
	linux_info = w->notes;
	w->notes = (struct core_buf){0};
	for (unsigned i = 0; i < s->ncpus; i++) {
		const struct gyve_regs *r = s->regs(s->ctx, i);
		int signal = s->info && s->info->stop_cpu == i ? s->info->signal : 0;
		if (!r) {
			ret = gyve_err_set(err, -EIO, "the registers of vCPU %u cannot be had", i);
			break;
		}
		if (s->arch->id == GYVE_X86_64) {
			core_x86_notes(&w->notes, &r->x86, i, signal);
			if (w->opt->qemu || is_linux)
				core_x86_qemu_note(&qemu, &r->x86);
		} else {
			core_a64_notes(&w->notes, r, i, signal);
		}
		core_gyve_regs(&own, s->arch, r, i);
		if (s->values)
			core_gyve_values(&own, s, i);
	}
	core_buf_add(&w->notes, qemu.p, qemu.len);
	core_buf_add(&w->notes, linux_info.p, linux_info.len);
	core_buf_add(&w->notes, own.p, own.len);
	w->notes.failed |= qemu.failed | own.failed | linux_info.failed;
	free(qemu.p);
	free(own.p);
	free(linux_info.p);
	if (s->info)
		core_gyve_info(&w->notes, s->info);
	note_pages(w);
	if (ret < 0)
		return ret;
	return w->notes.failed ? gyve_err_set(err, -ENOMEM, "no memory for the dump's notes") : 0;
}

static int add_virtual(void *ctx, const struct gyve_range *r)
{
	struct writer *w = ctx;
	const struct gyve_region *reg = region_of(w, r->gpa);
	uint64_t len = r->end_incl - r->start + 1;

	if (!reg || r->gpa == r->start || !len)
		return 0;
	if (len > reg->len - (r->gpa - reg->gpa))
		len = reg->len - (r->gpa - reg->gpa);
	w->loads[w->nvirt++] =
		(struct load){.gva = r->start,
			      .gpa = r->gpa,
			      .len = len,
			      .flags = (r->perms & GYVE_PERM_R ? PF_R : 0u) | (r->perms & GYVE_PERM_W ? PF_W : 0u) |
				       (r->perms & GYVE_PERM_X ? PF_X : 0u)};
	return w->nvirt == MAX_VIRT;
}

static int plan_loads(struct writer *w, struct gyve_err *err)
{
	const struct gyve_memmap *map = w->src->map;
	const struct gyve_regs *r = w->opt->virt ? w->src->regs(w->src->ctx, 0) : NULL;
	struct gyve_mmu mmu;

	w->loads = calloc(map->n + MAX_VIRT, sizeof(*w->loads));
	if (!w->loads)
		return gyve_err_set(err, -ENOMEM, "no memory");
	if (r) {
		gyve_mmu_from_regs(&mmu, r);
		gyve_walk_ranges(&mmu, &w->src->phys, 0, UINT64_MAX, add_virtual, w);
	}
	w->nloads = w->nvirt + map->n;
	w->size = align_up(sizeof(Elf64_Ehdr) + (w->nloads + 1) * sizeof(Elf64_Phdr) + w->notes.len, PAGE);
	for (size_t i = 0; i < map->n; i++) {
		struct load *l = &w->loads[w->nvirt + i];
		*l = (struct load){map->regions[i].gpa, map->regions[i].gpa, w->size, map->regions[i].len, PF_R | PF_W | PF_X};
		w->size += align_up(l->len, PAGE);
	}
	for (size_t i = 0; i < w->nvirt; i++)
		for (size_t k = w->nvirt; k < w->nloads; k++)
			if (w->loads[i].gpa - w->loads[k].gpa < w->loads[k].len)
				w->loads[i].off = w->loads[k].off + (w->loads[i].gpa - w->loads[k].gpa);
	return w->size > INT64_MAX || w->nloads > 60000 ? gyve_err_set(err, -EFBIG, "too much memory for one file") : 0;
}

/* --- writing */

static int write_headers(struct writer *w)
{
	Elf64_Ehdr e = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			.e_type = ET_CORE,
			.e_machine = (Elf64_Half)w->src->arch->id,
			.e_version = EV_CURRENT,
			.e_phoff = sizeof(e),
			.e_ehsize = sizeof(e),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = (Elf64_Half)(w->nloads + 1)};
	uint64_t notes_at = sizeof(e) + (w->nloads + 1) * sizeof(Elf64_Phdr);
	Elf64_Phdr p = {
		.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = w->notes.len, .p_memsz = w->notes.len, .p_align = 4};
	struct core_buf b = {0};
	int ret;

	core_buf_add(&b, &e, sizeof(e));
	core_buf_add(&b, &p, sizeof(p));
	for (size_t i = 0; i < w->nloads; i++) {
		const struct load *l = &w->loads[i];
		p = (Elf64_Phdr){.p_type = PT_LOAD,
				 .p_flags = l->flags,
				 .p_offset = l->off,
				 .p_vaddr = l->gva,
				 .p_paddr = l->gpa,
				 .p_filesz = l->len,
				 .p_memsz = l->len};
		core_buf_add(&b, &p, sizeof(p));
	}
	core_buf_add(&b, w->notes.p, w->notes.len);
	ret = b.failed ? -ENOMEM : core_out_write(w->out, 0, b.p, b.len);
	free(b.p);
	return ret;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	static const uint8_t zeros[PAGE];

	for (; len; p += PAGE, len -= len < PAGE ? len : PAGE)
		if (memcmp(p, zeros, len < PAGE ? len : PAGE) != 0)
			return false;
	return true;
}

/* One chunk without its zeros. */
static int write_chunk(struct writer *w, uint64_t off, const uint8_t *p, size_t len)
{
	size_t at = 0, from = 0, zeros = 0;
	int ret = 0;

	while (at < len && ret == 0) {
		size_t n = len - at < PAGE ? len - at : PAGE;
		zeros = is_zero(p + at, n) ? zeros + n : 0;
		at += n;
		if (zeros < HOLE_MIN && at < len)
			continue;
		size_t end = at - zeros;
		if (zeros < HOLE_MIN && zeros < at - from)
			end = at; /* the end of the chunk, too few zeros for a hole */
		if (end > from) {
			ret = core_out_write(w->out, off + from, p + from, end - from);
			w->stored += end - from;
		}
		while (at < len && is_zero(p + at, len - at < PAGE ? len - at : PAGE))
			at += len - at < PAGE ? len - at : PAGE;
		from = at;
		zeros = 0;
	}
	return ret;
}

static void progress(struct writer *w, size_t len)
{
	w->done += len;
	if (!w->opt->progress || now() - w->last_progress < 1)
		return;
	w->last_progress = now();
	w->opt->progress(w->opt->progress_ctx, w->done, w->total);
}

static int write_run(struct writer *w, const struct core_run *run, const struct load *l)
{
	int ret = 0;

	for (uint64_t at = 0; at < run->len && ret == 0;) {
		size_t n = run->len - at < CHUNK ? (size_t)(run->len - at) : CHUNK;
		ssize_t got = w->src->phys.read(w->src->phys.ctx, run->gpa + at, w->chunk, n);
		if (got != (ssize_t)n)
			return -EFAULT;
		ret = write_chunk(w, l->off + (run->gpa + at - l->gpa), w->chunk, n);
		at += n;
		progress(w, n);
	}
	return ret;
}

static int write_memory(struct writer *w)
{
	int ret = 0;

	w->chunk = malloc(CHUNK);
	if (!w->chunk)
		return -ENOMEM;
	for (size_t i = 0, k = w->nvirt; i < w->runs.n && ret == 0; i++) {
		struct core_run r = w->runs.run[i];
		/* runs of regions side by side were joined */
		while (r.len && k < w->nloads && ret == 0) {
			const struct load *l = &w->loads[k];
			if (r.gpa - l->gpa >= l->len) {
				k++;
				continue;
			}
			struct core_run part = {r.gpa, r.len < l->len - (r.gpa - l->gpa) ? r.len : l->len - (r.gpa - l->gpa)};
			ret = write_run(w, &part, l);
			r.gpa += part.len;
			r.len -= part.len;
		}
	}
	return ret;
}

static int write_all(struct writer *w, struct gyve_err *err)
{
	int ret = find_pages(w);

	if (ret < 0)
		return gyve_err_set(err, ret, "the guest's pages cannot be listed: %s", strerror(-ret));
	if ((ret = build_notes(w, err)) < 0 || (ret = plan_loads(w, err)) < 0)
		return ret;
	ret = core_out_create(&w->out, w->path, w->opt->compress, err);
	if (ret < 0)
		return ret;
	ret = write_headers(w);
	if (ret == 0)
		ret = write_memory(w);
	if (ret == -ENOSPC || ret == -EDQUOT)
		return gyve_err_set(
			err, ret, "no room for the dump %s: %" PRIu64 " MiB of %" PRIu64 " were written and are removed again",
			w->path, w->stored >> 20, w->total >> 20);
	if (ret < 0)
		return gyve_err_set(err, ret, "cannot write the dump %s: %s", w->path, strerror(-ret));
	return core_out_finish(w->out, w->size, err);
}

int gyve_core_write(const char *path, const struct gyve_core_source *src, const struct gyve_core_options *opt,
		    struct gyve_core_result *result, struct gyve_err *err)
{
	static const struct gyve_core_options none;
	struct writer w = {.src = src, .opt = opt ? opt : &none, .path = path, .begin = now()};
	int ret;

	w.last_progress = w.begin;
	ret = write_all(&w, err);
	core_out_destroy(w.out);
	if (ret == 0 && result)
		*result = (struct gyve_core_result){w.size, w.stored, now() - w.begin};
	free(w.runs.run);
	free(w.notes.p);
	free(w.loads);
	free(w.chunk);
	return ret;
}
