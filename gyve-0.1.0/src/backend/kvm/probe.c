/* What a host does for a debugger beyond what it says: a tiny guest is run for each question, all in one VM. */
#include "probe.h"

#include "gyve/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE_LEN = 65536 }; /* no host has larger ones */

static const struct gyve_backend_ops *const kvm = &gyve_backend_kvm;

static int make(struct probe *p, struct gyve_err *err)
{
	struct gyve_vm_config cfg = {.ncpus = 1};
	int r;

	/* on a boundary that every host can map */
	void *m = mmap(NULL, 3 * PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m == MAP_FAILED)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	p->mem = m;
	if ((r = kvm->vm_create(&cfg, &p->vm, err)) < 0)
		return r;
	if ((r = kvm->map(p->vm, 0, 0, p->mem, PAGE_LEN, 0)) < 0)
		return gyve_err_set(err, r, "KVM takes no guest memory: %s", strerror(-r));
	return kvm->vcpu_create(p->vm, 0, &p->v, err);
}

static void load(struct probe *p)
{
	kvm_host_probe_load(p->mem);
	if (kvm->sync_code)
		kvm->sync_code(p->mem, KVM_PROBE_LEN);
}

int probe_open(struct probe *p, struct gyve_err *err)
{
	int r = make(p, err);

	if (r < 0)
		probe_close(p);
	else
		load(p);
	return r;
}

void probe_close(struct probe *p)
{
	kvm->vcpu_destroy(p->v);
	kvm->vm_destroy(p->vm);
	if (p->mem)
		munmap(p->mem, 3 * PAGE_LEN);
	p->v = NULL;
	p->vm = NULL;
	p->mem = NULL;
}

int probe_again(struct probe *p)
{
	struct gyve_debug none = {0};

	if (p->page)
		kvm->map(p->vm, 1, KVM_PROBE_RO, p->mem + PAGE_LEN, 0, 0);
	p->page = false;
	int r = kvm->reset(p->v);
	if (r < 0 || (r = kvm->set_debug(p->v, &none)) < 0)
		return r;
	memset(p->mem, 0, KVM_PROBE_LEN);
	load(p);
	return 0;
}

int probe_map_page(struct probe *p, unsigned flags)
{
	int r = kvm->map(p->vm, 1, KVM_PROBE_RO, p->mem + PAGE_LEN, PAGE_LEN, flags);
	p->page = r == 0;
	return r;
}

enum gyve_exit_kind probe_go_on(struct probe *p, struct gyve_exit *e)
{
	e->kind = GYVE_EXIT_UNKNOWN;
	if (kvm->run(p->v, e) < 0)
		e->kind = GYVE_EXIT_UNKNOWN;
	return e->kind;
}

enum gyve_exit_kind probe_run(struct probe *p, enum kvm_probe_what what, const struct gyve_debug *d, struct gyve_exit *e)
{
	e->kind = GYVE_EXIT_UNKNOWN;
	if (kvm_host_probe_enter(p->v, what) < 0 || kvm->set_debug(p->v, d) < 0)
		return GYVE_EXIT_UNKNOWN;
	return probe_go_on(p, e);
}

uint64_t probe_pc(struct probe *p)
{
	struct gyve_regs r = {0};
	return kvm->get_regs(p->v, GYVE_REGS_GPR, &r) == 0 ? gyve_arch_host()->pc(&r) : 0;
}

void probe_say(struct probe *p, enum gyve_probe_state state, const char *strategy, const char *fmt, ...)
{
	va_list ap;

	p->fact->state = state;
	snprintf(p->fact->strategy, sizeof(p->fact->strategy), "%s", strategy);
	va_start(ap, fmt);
	vsnprintf(p->fact->seen, sizeof(p->fact->seen), fmt, ap);
	va_end(ap);
}

/* --- what run control wants to know */

static void find_debug(struct probe *p, struct gyve_host_caps *c)
{
	struct gyve_debug sw = {.sw_bp = true}, exec = {0}, watch = {0}, none = {0};
	struct gyve_exit e;

	probe_run(p, KVM_PROBE_SW_BP, &sw, &e);
	c->sw_bp_is_internal_error = e.kind == GYVE_EXIT_EMULATION;
	c->no_sw_bp = e.kind != GYVE_EXIT_EMULATION && !probe_is_debug(&e, GYVE_DBG_SW_BP);
	probe_again(p);
	exec.hw[0].type = GYVE_HW_EXEC;
	exec.hw[0].addr = kvm_host_probe_code(KVM_PROBE_NOPS) + 2 * kvm_host_probe_insn;
	exec.hw[0].len = 1;
	probe_run(p, KVM_PROBE_NOPS, &exec, &e);
	c->no_hw_bp = !probe_is_debug(&e, GYVE_DBG_HW_BP) || e.debug.slots != 1;
	probe_again(p);
	watch.hw[0].type = GYVE_HW_WRITE;
	watch.hw[0].addr = KVM_PROBE_DATA;
	watch.hw[0].len = 1;
	probe_run(p, KVM_PROBE_WATCH, &watch, &e);
	c->hw_watch_works = probe_is_debug(&e, GYVE_DBG_WATCH) && e.debug.slots == 1;
	probe_again(p);
	probe_run(p, KVM_PROBE_SIMD, &none, &e);
	c->emulates = e.kind == GYVE_EXIT_EMULATION;
	probe_again(p);
}

/* Does the access leave the guest, and does the guest go on behind it? */
static bool exits(struct probe *p, enum kvm_probe_what what, bool write)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	return probe_run(p, what, &none, &e) == GYVE_EXIT_MMIO && e.mmio.write == write && e.mmio.gpa == KVM_PROBE_RO &&
	       (probe_go_on(p, &e), kvm_host_probe_ended(&e));
}

int probe_find(struct gyve_host_caps *c, struct gyve_err *err)
{
	struct probe p = {0};
	int r = probe_open(&p, err);

	if (r < 0)
		return r;
	find_debug(&p, c);
	c->absent_exits = exits(&p, KVM_PROBE_RO_READ, false);
	probe_again(&p);
	c->absent_exits = exits(&p, KVM_PROBE_RO_WRITE, true) && c->absent_exits;
	probe_again(&p);
	c->readonly_exits = probe_map_page(&p, GYVE_MAP_READONLY) == 0 && exits(&p, KVM_PROBE_RO_WRITE, true);
	probe_close(&p);
	return 0;
}

static struct gyve_host_caps found;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void kvm_probe(struct gyve_host_caps *caps, bool no_cache)
{
	static bool done;
	struct gyve_err err = {0};

	pthread_mutex_lock(&lock);
	if (!done && (no_cache || !probe_cache_load(&found))) {
		if (probe_find(&found, &err) < 0)
			gyve_log(GYVE_LOG_WARN, GYVE_LOG_KVM, "this host cannot be probed: %s", err.text);
		else
			probe_cache_store(&found);
	}
	done = true;
	caps->sw_bp_is_internal_error = found.sw_bp_is_internal_error;
	caps->no_sw_bp = found.no_sw_bp;
	caps->no_hw_bp = found.no_hw_bp;
	caps->hw_watch_works = found.hw_watch_works;
	caps->readonly_exits = found.readonly_exits;
	caps->absent_exits = found.absent_exits;
	caps->emulates = found.emulates;
	pthread_mutex_unlock(&lock);
}
