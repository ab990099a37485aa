/* The report of `gyve probe`: one row, one function per feature. What only one architecture has is in probe_<host>.c. */
#include "probe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct gyve_backend_ops *const kvm = &gyve_backend_kvm;

static const char *instead_of_planting(const struct probe *p)
{
	return p->caps.hw_bps && !p->caps.no_hw_bp ? "debug registers, then stepping, stand in" : "every vCPU steps instead";
}

static const char *instead_of_watching(const struct probe *p)
{
	return p->caps.absent_exits || p->caps.readonly_exits ? "the watched pages are protected, else every vCPU steps"
							      : "every vCPU steps and the bytes are compared";
}

static void software_breakpoint(struct probe *p)
{
	struct gyve_debug d = {.sw_bp = true};
	struct gyve_exit e;

	probe_run(p, KVM_PROBE_SW_BP, &d, &e);
	if (probe_is_debug(&e, GYVE_DBG_SW_BP))
		probe_say(p, GYVE_PROBE_WORKS, "", "the instruction leaves as a debug exit");
	else if (e.kind == GYVE_EXIT_EMULATION)
		probe_say(p, GYVE_PROBE_LIMITED, "taken as a hit where we planted it", "it leaves as a failed emulation");
	else if (e.kind == GYVE_EXIT_SHUTDOWN || kvm_host_probe_handled(p->v, p->mem, kvm_host_probe_code(KVM_PROBE_SW_BP)))
		probe_say(p, GYVE_PROBE_ABSENT, instead_of_planting(p), "it is given to the guest");
	else
		probe_say(p, GYVE_PROBE_ABSENT, instead_of_planting(p), "it is lost");
}

static void foreign_breakpoint(struct probe *p)
{
	struct gyve_debug d = {.sw_bp = true};
	struct gyve_exit e;

	probe_run(p, KVM_PROBE_SW_BP, &d, &e);
	if ((!probe_is_debug(&e, GYVE_DBG_SW_BP) && e.kind != GYVE_EXIT_EMULATION) || kvm->reinject_bp(p->v) < 0) {
		probe_say(p, GYVE_PROBE_ABSENT, "", "it does not leave the guest");
		return;
	}
	probe_go_on(p, &e);
	if (kvm_host_probe_ended(&e) && kvm_host_probe_handled(p->v, p->mem, kvm_host_probe_code(KVM_PROBE_SW_BP)))
		probe_say(p, GYVE_PROBE_WORKS, "", "the guest's handler gets it, with the right return address");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "", "the guest's handler does not get it (exit %d)", (int)e.kind);
}

/* One step from `from`. Some hosts report a step before the instruction while they still map its page: try again. */
static bool step_from(struct probe *p, uint64_t from, unsigned *early)
{
	struct gyve_exit e;

	for (int i = 0; i < 16 && probe_go_on(p, &e) == GYVE_EXIT_DEBUG && probe_is_debug(&e, GYVE_DBG_STEP); i++) {
		if (probe_pc(p) != from)
			return probe_pc(p) == from + kvm_host_probe_insn;
		++*early;
	}
	return false;
}

static void single_step(struct probe *p)
{
	struct gyve_debug d = {.step = true};
	uint64_t start = kvm_host_probe_code(KVM_PROBE_NOPS);
	unsigned early = 0;

	kvm_host_probe_enter(p->v, KVM_PROBE_NOPS);
	if (kvm->set_debug(p->v, &d) < 0 || !step_from(p, start, &early) || !step_from(p, start + kvm_host_probe_insn, &early))
		probe_say(p, GYVE_PROBE_ABSENT, "stepping is refused", "no debug exit after one instruction");
	else if (early)
		probe_say(p, GYVE_PROBE_LIMITED, "tried again", "%u debug exits came before the instruction", early);
	else
		probe_say(p, GYVE_PROBE_WORKS, "", "one instruction, one debug exit");
}

/* Points in all registers up to n: does the last one fire, and is it named? */
static bool register_fires(struct probe *p, unsigned n, enum gyve_hw_type type, enum kvm_probe_what what, uint64_t addr,
			   struct gyve_exit *e)
{
	struct gyve_debug d = {0};
	bool exec = type == GYVE_HW_EXEC;

	for (unsigned i = 0; i <= n; i++) {
		d.hw[i].type = type;
		d.hw[i].addr = i == n ? addr : exec ? kvm_host_probe_code(what) + 0x800 + 16 * i : addr + 0x800 + 16 * i;
		d.hw[i].len = 1;
	}
	probe_again(p);
	probe_run(p, what, &d, e);
	return probe_is_debug(e, exec ? GYVE_DBG_HW_BP : GYVE_DBG_WATCH) && e->debug.slots == 1u << n;
}

static unsigned count_registers(struct probe *p, unsigned max, enum gyve_hw_type type, enum kvm_probe_what what, uint64_t addr)
{
	struct gyve_exit e;
	unsigned n = 0;

	while (n < max && n < GYVE_HW_MAX / 2 && register_fires(p, n, type, what, addr, &e))
		n++;
	return n;
}

static void execute_breakpoints(struct probe *p)
{
	unsigned max = kvm->caps(p->vm)->hw_bps;
	uint64_t addr = kvm_host_probe_code(KVM_PROBE_NOPS) + 3 * kvm_host_probe_insn;
	unsigned n = count_registers(p, max, GYVE_HW_EXEC, KVM_PROBE_NOPS, addr);

	probe_say(p,
		  n && n == max ? GYVE_PROBE_WORKS
		  : n           ? GYVE_PROBE_LIMITED
				: GYVE_PROBE_ABSENT,
		  "", "%u of %u debug registers stop before the instruction", n, max);
}

static void watch(struct probe *p, enum kvm_probe_what what, enum gyve_hw_type type)
{
	unsigned max = kvm->caps(p->vm)->hw_wps, n = count_registers(p, max, type, what, KVM_PROBE_DATA);
	struct gyve_exit e;

	if (!n) {
		probe_say(p, GYVE_PROBE_ABSENT, instead_of_watching(p), "never fires");
		return;
	}
	register_fires(p, 0, type, what, KVM_PROBE_DATA, &e);
	bool after = probe_pc(p) != kvm_host_probe_code(what);
	probe_say(p, n == max ? GYVE_PROBE_WORKS : GYVE_PROBE_LIMITED, "", "%u of %u debug registers stop %s the access", n,
		  max, after ? "behind" : "before");
}

static void write_watchpoint(struct probe *p)
{
	watch(p, KVM_PROBE_WATCH, GYVE_HW_WRITE);
}

static void access_watchpoint(struct probe *p)
{
	watch(p, KVM_PROBE_READ, GYVE_HW_ACCESS);
}

static void memory_exit(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (probe_run(p, KVM_PROBE_RO_WRITE, &none, &e) != GYVE_EXIT_MMIO) {
		probe_say(p, GYVE_PROBE_ABSENT, "", "an access where no memory is does not leave the guest");
		return;
	}
	uint64_t at = probe_pc(p);
	kvm->settle(p->v);
	probe_say(p, GYVE_PROBE_WORKS, "", "pc is %s a write until the next entry", probe_pc(p) == at ? "behind" : "at");
}

static void read_only_memory(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (probe_map_page(p, GYVE_MAP_READONLY) < 0)
		probe_say(p, GYVE_PROBE_ABSENT, "", "no read-only memory slots");
	else if (probe_run(p, KVM_PROBE_RO_WRITE, &none, &e) == GYVE_EXIT_MMIO && e.mmio.write && e.mmio.gpa == KVM_PROBE_RO)
		probe_say(p, GYVE_PROBE_WORKS, "", "a write leaves with its address and data");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "", "a write does not leave as an access (exit %d)", (int)e.kind);
}

static void absent_memory(struct probe *p)
{
	if (p->caps.absent_exits)
		probe_say(p, GYVE_PROBE_WORKS, "", "reads and writes leave, and the guest goes on behind them");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "", "a read or a write does not leave, or cannot be completed");
}

static void dirty_log(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;
	uint64_t bits[16] = {0};
	struct kvm_dirty_log log = {.slot = 1, .dirty_bitmap = bits};

	if (probe_map_page(p, GYVE_MAP_LOG_DIRTY) < 0 ||
	    (probe_run(p, KVM_PROBE_RO_WRITE, &none, &e), !kvm_host_probe_ended(&e)) ||
	    kvm_ioctl(p->vm->fd, KVM_GET_DIRTY_LOG, &log) < 0)
		probe_say(p, GYVE_PROBE_ABSENT, "not used", "no dirty log");
	else if (bits[0] & 1)
		probe_say(p, GYVE_PROBE_WORKS, "not used", "a written page is in it");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "not used", "a written page is not in it");
}

static void machine(struct probe *p)
{
	const struct gyve_host_caps *c = kvm->caps(p->vm);

	probe_say(p, GYVE_PROBE_WORKS, "", "%u vCPUs at most, %d recommended, %u address bits", c->max_vcpus,
		  kvm_check(p->vm, KVM_CAP_NR_VCPUS), c->pa_bits);
	if (c->tsc_khz)
		snprintf(p->fact->strategy, sizeof(p->fact->strategy), "TSC %u kHz", c->tsc_khz);
}

static const struct probe_row rows[] = {
	{"software breakpoint", software_breakpoint},
	{"guest's own breakpoint", foreign_breakpoint},
	{"single-step", single_step},
	{"hardware breakpoint", execute_breakpoints},
	{"write watchpoint", write_watchpoint},
	{"access watchpoint", access_watchpoint},
	{"memory-mapped access", memory_exit},
	{"read-only memory", read_only_memory},
	{"absent memory", absent_memory},
	{"dirty log", dirty_log},
	{"machine", machine},
};

static int ask(struct probe *p, const struct probe_row *row, struct gyve_probe_fact *fact)
{
	p->fact = fact;
	fact->feature = row->feature;
	row->fn(p);
	return probe_again(p);
}

int gyve_probe(struct gyve_probe_fact *facts, struct gyve_err *err)
{
	struct probe p = {0};
	int n = 0, r = probe_open(&p, err);

	if (r < 0)
		return r;
	p.caps = *kvm->caps(p.vm);
	r = probe_find(&p.caps, err);
	if (r == 0)
		probe_cache_store(&p.caps);
	for (size_t i = 0; r == 0 && i < GYVE_ARRAY_SIZE(rows); i++)
		r = ask(&p, &rows[i], &facts[n++]);
	for (size_t i = 0; r == 0 && i < kvm_host_probe_nrows && n < GYVE_PROBE_MAX; i++)
		r = ask(&p, &kvm_host_probe_rows[i], &facts[n++]);
	probe_close(&p);
	return r < 0 ? gyve_err_set(err, r, "the probe's machine cannot be used: %s", strerror(-r)) : n;
}
