/* The report of `gyve probe` for x86_64: one row, one function, one fresh tiny guest per feature. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gyve/probe.h"
#include "kvm_host.h"

struct probe {
	struct gyve_bvm *vm;
	struct gyve_bvcpu *v;
	uint8_t *mem, *ro; /* guest memory; one page for KVM_PROBE_RO */
	struct gyve_probe_fact *fact;
};

static const struct gyve_backend_ops *const kvm = &gyve_backend_kvm;

static int open_probe(struct probe *p, struct gyve_err *err)
{
	struct gyve_vm_config cfg = {.ncpus = 1};
	int r;

	p->mem = mmap(NULL, KVM_PROBE_LEN + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->mem == MAP_FAILED)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	p->ro = p->mem + KVM_PROBE_LEN;
	kvm_host_probe_load(p->mem);
	if ((r = kvm->vm_create(&cfg, &p->vm, err)) < 0)
		return r;
	if ((r = kvm->map(p->vm, 0, 0, p->mem, KVM_PROBE_LEN, 0)) < 0)
		return gyve_err_set(err, r, "KVM takes no guest memory: %s", strerror(-r));
	return kvm->vcpu_create(p->vm, 0, &p->v, err);
}

static void close_probe(struct probe *p)
{
	kvm->vcpu_destroy(p->v);
	kvm->vm_destroy(p->vm);
	if (p->mem != MAP_FAILED)
		munmap(p->mem, KVM_PROBE_LEN + 4096);
}

/* The first exit of the code of what under d. */
static enum gyve_exit_kind run(struct probe *p, enum kvm_probe_what what, const struct gyve_debug *d, struct gyve_exit *e)
{
	e->kind = GYVE_EXIT_UNKNOWN;
	if (kvm_host_probe_enter(p->v, what) < 0 || kvm->set_debug(p->v, d) < 0 || kvm->run(p->v, e) < 0)
		e->kind = GYVE_EXIT_UNKNOWN;
	return e->kind;
}

static uint64_t pc(struct probe *p)
{
	struct gyve_regs r = {0};
	return kvm->get_regs(p->v, GYVE_REGS_GPR, &r) == 0 ? r.x86.rip : 0;
}

__attribute__((format(printf, 4, 5))) static void say(struct probe *p, enum gyve_probe_state state, const char *strategy,
						      const char *fmt, ...)
{
	va_list ap;

	p->fact->state = state;
	snprintf(p->fact->strategy, sizeof(p->fact->strategy), "%s", strategy);
	va_start(ap, fmt);
	vsnprintf(p->fact->seen, sizeof(p->fact->seen), fmt, ap);
	va_end(ap);
}

static bool is_debug(const struct gyve_exit *e, enum gyve_debug_kind kind)
{
	return e->kind == GYVE_EXIT_DEBUG && e->debug.kinds & 1u << kind;
}

static void software_breakpoint(struct probe *p)
{
	struct gyve_debug d = {.sw_bp = true};
	struct gyve_exit e;

	switch (run(p, KVM_PROBE_SW_BP, &d, &e)) {
	case GYVE_EXIT_DEBUG:
		say(p, GYVE_PROBE_WORKS, "", "INT3 leaves as a debug exit");
		break;
	case GYVE_EXIT_EMULATION:
		say(p, GYVE_PROBE_LIMITED, "taken as a hit where we planted it", "INT3 leaves as a failed emulation");
		break;
	case GYVE_EXIT_SHUTDOWN:
		say(p, GYVE_PROBE_ABSENT, "use hbreak", "INT3 is given to the guest");
		break;
	default:
		say(p, GYVE_PROBE_ABSENT, "use hbreak", "INT3 is lost");
	}
}

/* One step from `from`. Some hosts report a step before the instruction while they still map its page: try again. */
static bool step_from(struct probe *p, uint64_t from, struct gyve_exit *e)
{
	for (int i = 0; i < 16 && kvm->run(p->v, e) == 0 && is_debug(e, GYVE_DBG_STEP); i++)
		if (pc(p) != from)
			return pc(p) == from + 1;
	return false;
}

static void single_step(struct probe *p)
{
	struct gyve_debug d = {.step = true};
	struct gyve_exit e;

	kvm_host_probe_enter(p->v, KVM_PROBE_NOPS);
	uint64_t start = pc(p);
	if (kvm->set_debug(p->v, &d) == 0 && step_from(p, start, &e) && step_from(p, start + 1, &e))
		say(p, GYVE_PROBE_WORKS, "", "one instruction, one debug exit");
	else
		say(p, GYVE_PROBE_ABSENT, "stepping is refused", "no debug exit after one instruction");
}

static void interrupts_held(struct probe *p)
{
	if (kvm->caps(p->vm)->block_irq)
		say(p, GYVE_PROBE_WORKS, "", "KVM_GUESTDBG_BLOCKIRQ");
	else
		say(p, GYVE_PROBE_ABSENT, "a step may end in an interrupt handler", "no KVM_GUESTDBG_BLOCKIRQ");
}

static void execute_breakpoints(struct probe *p)
{
	unsigned n = 0;

	for (unsigned slot = 0; slot < 4; slot++) {
		struct gyve_debug none = {0}, d = {0};
		struct gyve_exit e;
		if (run(p, KVM_PROBE_NOPS, &none, &e) != GYVE_EXIT_HLT)
			break;
		d.hw[slot].type = GYVE_HW_EXEC;
		d.hw[slot].addr = pc(p) - 5; /* the middle of the eight; the halt is behind them */
		d.hw[slot].len = 1;
		run(p, KVM_PROBE_NOPS, &d, &e);
		n += is_debug(&e, GYVE_DBG_HW_BP) && e.debug.slots == 1u << slot;
	}
	if (n == 4)
		say(p, GYVE_PROBE_WORKS, "", "4 of 4 debug registers stop before the instruction");
	else
		say(p, n ? GYVE_PROBE_LIMITED : GYVE_PROBE_ABSENT, "", "%u of 4 debug registers stop before the instruction",
		    n);
}

static void watch(struct probe *p, enum kvm_probe_what what, enum gyve_hw_type type)
{
	struct gyve_debug d = {0};
	struct gyve_exit e;

	d.hw[0].type = type;
	d.hw[0].addr = KVM_PROBE_DATA;
	d.hw[0].len = 1;
	run(p, what, &d, &e);
	if (is_debug(&e, GYVE_DBG_WATCH))
		say(p, GYVE_PROBE_WORKS, "", "debug exit after the access");
	else
		say(p, GYVE_PROBE_ABSENT, "every vCPU steps and the bytes are compared", "never fires");
}

static void write_watchpoint(struct probe *p)
{
	watch(p, KVM_PROBE_WATCH, GYVE_HW_WRITE);
}

static void access_watchpoint(struct probe *p)
{
	watch(p, KVM_PROBE_READ, GYVE_HW_ACCESS);
}

static void port_exit(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (run(p, KVM_PROBE_OUT, &none, &e) != GYVE_EXIT_IO) {
		say(p, GYVE_PROBE_ABSENT, "", "OUT does not leave the guest");
		return;
	}
	uint64_t at = pc(p);
	kvm->settle(p->v);
	if (pc(p) == at)
		say(p, GYVE_PROBE_LIMITED, "a step ends here by itself", "rip is behind the OUT already");
	else
		say(p, GYVE_PROBE_WORKS, "", "rip is at the OUT until the next entry");
}

static void vector_instructions(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (run(p, KVM_PROBE_SIMD, &none, &e) == GYVE_EXIT_HLT)
		say(p, GYVE_PROBE_WORKS, "", "run by the processor");
	else if (e.kind == GYVE_EXIT_EMULATION)
		say(p, GYVE_PROBE_LIMITED, "the instruction assist carries them out", "ring 0 is emulated, XORPS is not known");
	else
		say(p, GYVE_PROBE_ABSENT, "", "unexpected exit %d", (int)e.kind);
}

static void read_only_memory(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (kvm->map(p->vm, 1, KVM_PROBE_RO, p->ro, 4096, GYVE_MAP_READONLY) < 0)
		say(p, GYVE_PROBE_ABSENT, "", "no read-only memory slots");
	else if (run(p, KVM_PROBE_RO_WRITE, &none, &e) == GYVE_EXIT_MMIO && e.mmio.write && e.mmio.gpa == KVM_PROBE_RO)
		say(p, GYVE_PROBE_WORKS, "", "a write leaves with its address and data");
	else
		say(p, GYVE_PROBE_ABSENT, "", "a write does not leave as an access (exit %d)", (int)e.kind);
}

static void machine(struct probe *p)
{
	const struct gyve_host_caps *c = kvm->caps(p->vm);
	say(p, GYVE_PROBE_WORKS, "", "%u vCPUs at most, %u address bits, TSC %u kHz", c->max_vcpus, c->pa_bits, c->tsc_khz);
}

static const struct {
	const char *feature;
	void (*fn)(struct probe *p);
} rows[] = {
	{"software breakpoint", software_breakpoint},
	{"single-step", single_step},
	{"interrupts held in steps", interrupts_held},
	{"hardware breakpoint", execute_breakpoints},
	{"write watchpoint", write_watchpoint},
	{"access watchpoint", access_watchpoint},
	{"port exit", port_exit},
	{"vector instructions", vector_instructions},
	{"read-only memory", read_only_memory},
	{"machine", machine},
};

int gyve_probe(struct gyve_probe_fact *facts, struct gyve_err *err)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(rows); i++) {
		struct probe p = {.fact = &facts[i]};
		int r = open_probe(&p, err);
		facts[i].feature = rows[i].feature;
		if (r == 0)
			rows[i].fn(&p);
		close_probe(&p);
		if (r < 0)
			return r;
	}
	return GYVE_ARRAY_SIZE(rows);
}
