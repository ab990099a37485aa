/* Watchpoints by protected pages: as many and as large as one likes. The memory slots of RAM are cut so that the watched pages
 * are read-only or absent for the guest: an access leaves it as GYVE_EXIT_MMIO, is carried out here, and is looked at.
 *
 * With several vCPUs the pages are absent also where only writes are watched: the read of an atomic read-modify-write has to
 * leave, too, so that the others can be kept out until its write is done. What KVM cannot emulate, and the fetch of code from
 * such a page, is stepped over with everything free for the moment, the others waiting, and found by comparing (watch.c).
 *
 * Not for every page: KVM itself has to get at page tables and at the stack of an interrupt. */
#include "point.h"
#include "space.h"

#include "../base/bytes.h"
#include "gyve/assist.h"
#include "gyve/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, TABLES_MAX = 4096, SLOT_PARTS = 256 };

/* --- RAM in parts */

static int map_part(struct gyve_vm *vm, size_t i, uint64_t len, enum part_access access)
{
	const struct ram_part *p = &vm->parts[i];
	const struct gyve_layout *l = &vm->layout;
	uint64_t gap = l->gap_len && p->gpa > l->gap_gpa ? l->gap_len : 0;
	uint8_t *hva = (uint8_t *)vm->ram + (p->gpa - l->ram_gpa - gap);

	if (len && access == PART_ABSENT)
		return 0;
	return vm->ops->map(vm->b, i ? SLOT_PARTS + (unsigned)i : 0, p->gpa, hva, len,
			    access == PART_READONLY ? GYVE_MAP_READONLY : 0);
}

/* Each part i as it was (from) becomes as it shall be (to): remove first, then add. */
static int change_part(struct gyve_vm *vm, size_t i, enum part_access from, enum part_access to)
{
	int r = from == PART_ABSENT ? 0 : map_part(vm, i, 0, PART_FREE);
	return r < 0 ? r : map_part(vm, i, vm->parts[i].len, to);
}

static int use_parts(struct gyve_vm *vm, struct ram_part *parts, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < vm->nparts; i++)
		if (vm->parts[i].access != PART_ABSENT)
			r = map_part(vm, i, 0, PART_FREE);
	free(vm->parts);
	vm->parts = parts;
	vm->nparts = n;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = map_part(vm, i, parts[i].len, parts[i].access);
	return r;
}

static void append(struct ram_part *parts, size_t *n, struct ram_part p)
{
	struct ram_part *last = *n ? &parts[*n - 1] : NULL;

	if (last && last->access == p.access && p.gpa == last->gpa + last->len)
		last->len += p.len;
	else if (p.len)
		parts[(*n)++] = p;
}

/* [from, to) without the gap, in which nothing is watched. */
static void append_free(const struct gyve_layout *l, struct ram_part *parts, size_t *n, gyve_gpa_t from, gyve_gpa_t to)
{
	if (l->gap_len && from < l->gap_gpa && to > l->gap_gpa) {
		append(parts, n, (struct ram_part){from, l->gap_gpa - from, PART_FREE});
		from = l->gap_gpa + l->gap_len;
	}
	if (from < to)
		append(parts, n, (struct ram_part){from, to - from, PART_FREE});
}

static gyve_gpa_t ram_end(const struct gyve_layout *l)
{
	return l->ram_gpa + l->ram_len + l->gap_len;
}

static int use_whole(struct gyve_vm *vm)
{
	struct ram_part *p = calloc(2, sizeof(*p));
	size_t n = 0;

	if (!p)
		return -ENOMEM;
	append_free(&vm->layout, p, &n, vm->layout.ram_gpa + vm->layout.window_len, ram_end(&vm->layout));
	return use_parts(vm, p, n);
}

int page_init(struct gyve_vm *vm)
{
	return use_whole(vm);
}

void page_deinit(struct gyve_vm *vm)
{
	free(vm->parts);
}

static const struct ram_part *part_of(const struct gyve_vm *vm, gyve_gpa_t gpa)
{
	size_t lo = 0, hi = vm->nparts;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct ram_part *p = &vm->parts[mid];
		if (gpa - p->gpa < p->len)
			return p;
		if (gpa < p->gpa)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static bool is_protected(const struct gyve_vm *vm, gyve_gpa_t gpa)
{
	const struct ram_part *p = part_of(vm, gpa);
	return p && p->access != PART_FREE;
}

/* --- which watchpoints can be done so */

static size_t pages_of(const struct point *p)
{
	return (size_t)((p->gva + p->len - 1) / PAGE - p->gva / PAGE + 1);
}

/* One of the page tables that v uses? level: of the table at gpa, 1 the last. */
static bool is_table(struct gyve_vm *vm, gyve_gpa_t page, gyve_gpa_t table, unsigned level, unsigned *left)
{
	if (table / PAGE == page / PAGE || !*left || !--*left)
		return true;
	const uint64_t *e = level > 1 ? gyve_memmap_ptr(&vm->map, table, PAGE) : NULL;
	for (unsigned i = 0; e && i < PAGE / 8; i++) {
		bool leaf = level <= 3 && e[i] & 0x80;
		if (e[i] & 1 && !leaf && is_table(vm, page, e[i] & 0xffffffffff000, level - 1, left))
			return true;
	}
	return false;
}

static bool is_table_of(struct gyve_vcpu *v, gyve_gpa_t page)
{
	const struct gyve_regs *r = v->vm->arch->id == GYVE_X86_64 ? vcpu_regs(v, GYVE_REGS_SYS) : NULL;
	unsigned left = TABLES_MAX;

	if (!r || !(r->x86.cr0 & 1u << 31) || !(r->x86.cr4 & 1u << 5))
		return false;
	return is_table(v->vm, page, r->x86.cr3 & 0xffffffffff000, r->x86.cr4 & 1u << 12 ? 5 : 4, &left);
}

/* NULL: nothing speaks against it. */
static const char *objection(struct gyve_vm *vm, gyve_gva_t gva, gyve_gpa_t page)
{
	bool chosen = vm->opt.watch_strategy == GYVE_WATCH_PAGE;

	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_GPR);
		if (!r)
			return "registers cannot be read";
		uint64_t sp = vm->arch->id == GYVE_X86_64 ? r->x86.gpr[GYVE_RSP] : r->a64.sp;
		if (!chosen && sp / PAGE == gva / PAGE)
			return "a stack is in its page";
		if (vcpu_pc(v) / PAGE == gva / PAGE && (!chosen || vm->arch->id == GYVE_AARCH64))
			return "the code that runs is in its page";
		if (is_table_of(v, page))
			return "its page is a page table";
	}
	return NULL;
}

static const char *resolve(struct gyve_vm *vm, struct point *p)
{
	size_t n = pages_of(p);
	const char *why;

	if (!strategy_watch(vm, GYVE_WATCH_PAGE))
		return vm->opt.watch_strategy == GYVE_WATCH_STEP ? "chosen" : "this host lacks the other ways";
	if (!p->pages && !(p->pages = calloc(n, sizeof(*p->pages))))
		return "out of memory";
	for (size_t k = 0; k < n; k++) {
		gyve_gva_t gva = (p->gva / PAGE + k) * PAGE;
		bool mapped = false;
		for (unsigned i = 0; !mapped && i < vm->ncpus; i++)
			mapped = space_walk(&vm->cpus[i], &p->in, gva, &p->pages[k]);
		if (!mapped)
			return "not mapped now";
		if (!part_of(vm, p->pages[k]))
			return "not in RAM";
		if ((why = objection(vm, gva, p->pages[k])))
			return why;
	}
	return NULL;
}

/* Read-only is enough while nobody else can come between the read and the write of one instruction. An aarch64 store-exclusive
 * would fail for ever: the exit ends its exclusive access. */
static enum part_access access_for(struct gyve_vm *vm, const struct point *p)
{
	const struct gyve_host_caps *c = vm->ops->caps(vm->b);
	bool enough = p->kind == GYVE_POINT_WRITE && vm->ncpus == 1 && vm->arch->id == GYVE_X86_64;

	return (enough && c->readonly_exits) || !c->absent_exits ? PART_READONLY : PART_ABSENT;
}

/* --- cutting RAM */

static int by_address(const void *a, const void *b)
{
	const struct ram_part *x = a, *y = b;
	return x->gpa < y->gpa ? -1 : x->gpa > y->gpa;
}

/* The host's pages that hold watched ones, sorted. Malloced; NULL and *n 0: none. */
static struct ram_part *watched_pages(struct gyve_vm *vm, size_t *n)
{
	uint64_t host = (uint64_t)sysconf(_SC_PAGESIZE);
	struct ram_part *w = NULL;
	size_t total = 0;

	*n = 0;
	for (size_t i = 0; i < vm->npoints; i++)
		total += vm->points[i].state == POINT_PAGE ? pages_of(&vm->points[i]) : 0;
	if (!total || !(w = calloc(total, sizeof(*w))))
		return NULL;
	for (size_t i = 0; i < vm->npoints; i++) {
		const struct point *p = &vm->points[i];
		for (size_t k = 0; p->state == POINT_PAGE && k < pages_of(p); k++)
			w[(*n)++] = (struct ram_part){p->pages[k] & ~(host - 1), host, access_for(vm, p)};
	}
	qsort(w, *n, sizeof(*w), by_address);
	return w;
}

/* All of RAM around the watched pages. */
static struct ram_part *cut(struct gyve_vm *vm, struct ram_part *w, size_t nw, size_t *n)
{
	gyve_gpa_t at = vm->layout.ram_gpa + vm->layout.window_len, end = ram_end(&vm->layout);
	struct ram_part *parts = calloc(2 * nw + 2, sizeof(*parts));
	size_t unique = 0;

	*n = 0;
	for (size_t i = 0; i < nw; i++) {
		if (unique && w[unique - 1].gpa == w[i].gpa)
			w[unique - 1].access = w[i].access > w[unique - 1].access ? w[i].access : w[unique - 1].access;
		else
			w[unique++] = w[i];
	}
	for (size_t i = 0; parts && i < unique; i++) {
		if (w[i].gpa > at)
			append_free(&vm->layout, parts, n, at, w[i].gpa);
		append(parts, n, w[i]);
		at = w[i].gpa + w[i].len;
	}
	if (parts && at < end)
		append_free(&vm->layout, parts, n, at, end);
	return parts;
}

static void give_up(struct gyve_vm *vm, const char *why)
{
	for (size_t i = 0; i < vm->npoints; i++)
		if (vm->points[i].state == POINT_PAGE) {
			vm->points[i].state = POINT_SOFT;
			vm->points[i].why = why;
		}
}

static bool same_parts(const struct ram_part *a, const struct ram_part *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i].gpa != b[i].gpa || a[i].len != b[i].len || a[i].access != b[i].access)
			return false;
	return true;
}

static void protect(struct gyve_vm *vm)
{
	size_t nw, n = 0;
	struct ram_part *w = watched_pages(vm, &nw), *parts = cut(vm, w, nw, &n);

	free(w);
	if (parts && n == vm->nparts && same_parts(parts, vm->parts, n)) {
		free(parts);
		return;
	}
	int r = parts ? use_parts(vm, parts, n) : -ENOMEM;
	if (r == 0)
		return;
	gyve_log(GYVE_LOG_WARN, GYVE_LOG_BP, "pages cannot be protected: %s", strerror(-r));
	give_up(vm, "the host refuses to protect its pages");
	if ((r = use_whole(vm)) < 0)
		gyve_log(GYVE_LOG_ERROR, GYVE_LOG_BP, "guest memory cannot be mapped again: %s", strerror(-r));
}

void page_arm(struct gyve_vm *vm)
{
	bool any = vm->nparts > 1;

	pthread_mutex_lock(&vm->book_lock);
	for (size_t i = 0; vm->nwatch && i < vm->npoints; i++) {
		struct point *p = &vm->points[i];
		if (!point_is_watch(p->kind) || p->state == POINT_DEBUG_REG)
			continue;
		p->why = resolve(vm, p);
		p->state = p->why ? POINT_SOFT : POINT_PAGE;
		any = true;
	}
	if (any) {
		protect(vm);
		bp_count(vm);
	}
	pthread_mutex_unlock(&vm->book_lock);
}

/* --- an access */

struct touch {
	gyve_gpa_t gpa;
	uint8_t len;
	bool write;
	uint8_t *data; /* NULL: not known */
};

static enum gyve_stop_kind stop_for(const struct point *p)
{
	return p->kind == GYVE_POINT_WRITE ? GYVE_STOP_WATCH : p->kind == GYVE_POINT_READ ? GYVE_STOP_RWATCH : GYVE_STOP_AWATCH;
}

/* What t does to the part of p in its page k. */
static void look(struct gyve_vcpu *v, struct point *p, size_t k, const struct touch *t)
{
	gyve_gva_t page = (p->gva / PAGE + k) * PAGE, from = p->gva > page ? p->gva : page;
	gyve_gva_t to = p->gva + p->len < page + PAGE ? p->gva + p->len : page + PAGE;
	gyve_gpa_t lo = p->pages[k] + (from - page), hi = p->pages[k] + (to - page);
	bool hit = t->write ? p->kind == GYVE_POINT_ACCESS : p->kind != GYVE_POINT_WRITE;
	bool compare = t->write && t->data && p->old_known;

	lo = lo > t->gpa ? lo : t->gpa;
	hi = hi < t->gpa + t->len ? hi : t->gpa + t->len;
	if (lo >= hi)
		return;
	gyve_gva_t addr = page + (lo - p->pages[k]);
	uint8_t *old = p->old + (addr - p->gva);
	for (size_t i = 0; compare && i < hi - lo; i++) {
		uint8_t new = t->data[lo - t->gpa + i];
		if (old[i] != new && p->kind == GYVE_POINT_WRITE && !hit) {
			addr += i;
			hit = true;
		}
		old[i] = new;
	}
	if (hit && v->watch.kind == GYVE_STOP_NONE && space_current(v, &p->in, p->gva))
		v->watch = (struct gyve_stop){.kind = stop_for(p), .cpu = v->index, .addr = addr};
}

static void look_at_all(struct gyve_vcpu *v, const struct touch *t)
{
	struct gyve_vm *vm = v->vm;

	for (size_t i = 0; i < vm->npoints; i++) {
		struct point *p = &vm->points[i];
		for (size_t k = 0; p->state == POINT_PAGE && k < pages_of(p); k++)
			look(v, p, k, t);
	}
}

static void carry_out(struct gyve_vcpu *v, const struct touch *t)
{
	struct gyve_vm *vm = v->vm;

	pthread_mutex_lock(&vm->book_lock);
	if (!t->write && bp_phys_read(vm, t->gpa, t->data, t->len) != t->len)
		memset(t->data, 0xff, t->len);
	look_at_all(v, t);
	if (t->write)
		bp_phys_write(vm, t->gpa, t->data, t->len);
	pthread_mutex_unlock(&vm->book_lock);
}

bool page_access(struct gyve_vcpu *v, const struct gyve_exit *e)
{
	if (e->kind != GYVE_EXIT_MMIO || !is_protected(v->vm, e->mmio.gpa))
		return false;
	struct touch t = {e->mmio.gpa, e->mmio.len, e->mmio.write, e->mmio.data};
	alone_begin(v);
	carry_out(v, &t);
	return true;
}

/* --- what cannot be carried out that way */

static bool touches_protected(struct gyve_vcpu *v, const struct gyve_x86_data_ref *ref)
{
	gyve_gpa_t gpa;

	for (gyve_gva_t at = ref->gva; at - ref->gva < ref->len; at = (at | (PAGE - 1)) + 1)
		if (space_walk(v, &(struct gyve_space){0}, at, &gpa) && is_protected(v->vm, gpa))
			return true;
	return false;
}

static bool x86_blames(struct gyve_vcpu *v, const struct gyve_exit *e)
{
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS);
	struct gyve_x86_data_ref refs[4];

	if (!r)
		return false;
	v->dirty |= GYVE_REGS_GPR; /* storing them takes back the exception that KVM may have queued */
	int n = e->emul.ninsn ? gyve_x86_data_refs(&r->x86, e->emul.insn, e->emul.ninsn, refs) : -1;
	for (int i = 0; i < n; i++)
		if (touches_protected(v, &refs[i]))
			return true;
	return n < 0;
}

/* KVM says where, not how much. What is written is found by comparing. */
static bool a64_blames(struct gyve_vcpu *v, const struct gyve_exit *e)
{
	struct touch t = {e->emul.gpa, 64, e->emul.write, NULL};
	uint8_t insn[4];

	if (!e->emul.has_gpa || !is_protected(v->vm, t.gpa))
		return false;
	alone_begin(v);
	if (vcpu_read(v, vcpu_pc(v), insn, sizeof(insn)) == sizeof(insn))
		t.len = (uint8_t)a64_access_len(get_le32(insn));
	pthread_mutex_lock(&v->vm->book_lock);
	look_at_all(v, &t);
	pthread_mutex_unlock(&v->vm->book_lock);
	return true;
}

bool page_blames(struct gyve_vcpu *v, const struct gyve_exit *e)
{
	if (!v->lift && __atomic_load_n(&v->vm->npage, __ATOMIC_RELAXED))
		return v->lift = v->vm->arch->id == GYVE_X86_64 ? x86_blames(v, e) : a64_blames(v, e);
	return false;
}

static void lift(struct gyve_vm *vm, bool lifted)
{
	int r = 0;

	if (vm->parts_lifted == lifted)
		return;
	vm->parts_lifted = lifted;
	for (size_t i = 0; r == 0 && i < vm->nparts; i++) {
		enum part_access a = vm->parts[i].access;
		if (a != PART_FREE)
			r = lifted ? change_part(vm, i, a, PART_FREE) : change_part(vm, i, PART_FREE, a);
	}
	if (r < 0)
		gyve_log(GYVE_LOG_ERROR, GYVE_LOG_BP, "guest memory cannot be mapped: %s", strerror(-r));
}

void page_lift(struct gyve_vcpu *v)
{
	alone_begin(v);
	lift(v->vm, true);
}

void page_lower(struct gyve_vcpu *v)
{
	if (v->alone) { /* else it has lifted nothing yet, and what is lifted is another's */
		if (v->skip)
			bp_lower(v->vm);
		if (v->lift)
			lift(v->vm, false);
	}
	v->skip = v->skip_watch = v->lift = false;
}
