/* What a host does for a debugger beyond what it says: a tiny guest is run for each question. Once per process. */
#include "kvm_host.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct probe_vm {
	struct gyve_bvm *vm;
	struct gyve_bvcpu *v;
	uint8_t *mem;
};

static bool open_vm(struct probe_vm *p)
{
	struct gyve_vm_config cfg = {.ncpus = 1};

	p->mem = mmap(NULL, KVM_PROBE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->mem == MAP_FAILED)
		return false;
	kvm_host_probe_load(p->mem);
	return gyve_backend_kvm.vm_create(&cfg, &p->vm, NULL) == 0 &&
	       gyve_backend_kvm.map(p->vm, 0, 0, p->mem, KVM_PROBE_LEN, 0) == 0 &&
	       gyve_backend_kvm.vcpu_create(p->vm, 0, &p->v, NULL) == 0;
}

static void close_vm(struct probe_vm *p)
{
	gyve_backend_kvm.vcpu_destroy(p->v);
	gyve_backend_kvm.vm_destroy(p->vm);
	if (p->mem != MAP_FAILED)
		munmap(p->mem, KVM_PROBE_LEN);
}

/* Run the code of `what` to its first exit. */
static void ask(enum kvm_probe_what what, struct gyve_exit *ret)
{
	struct probe_vm p = {0};
	struct gyve_debug d = {0};

	ret->kind = GYVE_EXIT_UNKNOWN;
	if (open_vm(&p) && kvm_host_probe_enter(p.v, what) == 0) {
		if (what == KVM_PROBE_SW_BP)
			d.sw_bp = true;
		if (what == KVM_PROBE_NOPS) {
			d.hw[0].type = GYVE_HW_EXEC;
			d.hw[0].addr = kvm_host_probe_code(what) + 2;
			d.hw[0].len = 1;
		}
		if (what == KVM_PROBE_RO_WRITE)
			gyve_backend_kvm.map(p.vm, 1, KVM_PROBE_RO, p.mem + KVM_PROBE_DATA, 4096, GYVE_MAP_READONLY);
		if (what == KVM_PROBE_WATCH) {
			d.hw[0].type = GYVE_HW_WRITE;
			d.hw[0].addr = KVM_PROBE_DATA;
			d.hw[0].len = 1;
		}
		if (gyve_backend_kvm.set_debug(p.v, &d) < 0 || gyve_backend_kvm.run(p.v, ret) < 0)
			ret->kind = GYVE_EXIT_UNKNOWN;
	}
	close_vm(&p);
}

static struct gyve_host_caps found;

static void find(void)
{
	struct gyve_exit e;

	ask(KVM_PROBE_SW_BP, &e);
	found.sw_bp_is_internal_error = e.kind == GYVE_EXIT_EMULATION;
	found.no_sw_bp = e.kind != GYVE_EXIT_EMULATION && e.kind != GYVE_EXIT_DEBUG;
	ask(KVM_PROBE_NOPS, &e);
	found.no_hw_bp = e.kind != GYVE_EXIT_DEBUG || e.debug.slots != 1;
	ask(KVM_PROBE_RO_WRITE, &e);
	found.readonly_exits = e.kind == GYVE_EXIT_MMIO && e.mmio.write && e.mmio.gpa == KVM_PROBE_RO;
	ask(KVM_PROBE_RO_READ, &e);
	found.absent_exits = e.kind == GYVE_EXIT_MMIO && !e.mmio.write && e.mmio.gpa == KVM_PROBE_RO;
	ask(KVM_PROBE_WATCH, &e);
	found.hw_watch_works = e.kind == GYVE_EXIT_DEBUG && e.debug.kinds & 1u << GYVE_DBG_WATCH;
	ask(KVM_PROBE_SIMD, &e);
	found.emulates = e.kind == GYVE_EXIT_EMULATION;
}

void kvm_probe(struct gyve_host_caps *caps)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find);
	caps->sw_bp_is_internal_error = found.sw_bp_is_internal_error;
	caps->no_sw_bp = found.no_sw_bp;
	caps->no_hw_bp = found.no_hw_bp;
	caps->hw_watch_works = found.hw_watch_works;
	caps->readonly_exits = found.readonly_exits;
	caps->absent_exits = found.absent_exits;
	caps->emulates = found.emulates;
}
