/* KVM: /dev/kvm, VM, memory slots, the run loop's system call, kicks, and the exits that look the same on every host. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm_host.h"

int kvm_ioctl(int fd, unsigned long req, void *arg)
{
	int r;
	do
		r = ioctl(fd, req, arg);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

int kvm_ioctl_n(int fd, unsigned long req, unsigned long arg)
{
	return kvm_ioctl(fd, req, (void *)arg);
}

int kvm_check(const struct gyve_bvm *vm, int cap)
{
	int r = kvm_ioctl_n(vm->fd, KVM_CHECK_EXTENSION, (unsigned long)cap);
	return r < 0 ? 0 : r;
}

int kvm_enable(const struct gyve_bvm *vm, unsigned cap, uint64_t arg)
{
	struct kvm_enable_cap req = {.cap = cap, .args = {arg}};
	return kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &req);
}

int kvm_check_needs(const struct gyve_bvm *vm, const struct kvm_need *needs, size_t n, struct gyve_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!kvm_check(vm, needs[i].cap))
			return gyve_err_set(err, -ENOTSUP, "this host's KVM lacks %s, needed for %s", needs[i].name,
					    needs[i].what);
	return 0;
}

int kvm_open(const char *path, struct gyve_err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return gyve_err_set(
			err, -ENOENT,
			"%s is missing: this machine offers no KVM, or its module (kvm_intel, kvm_amd) is not loaded", path);
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return gyve_err_set(err, -EACCES,
				    "no permission to open %s: join the group that owns it (often 'kvm') or run as root", path);
	if (fd < 0)
		return gyve_err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	int version = kvm_ioctl_n(fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION)
		return fd;
	close(fd);
	if (version < 0)
		return gyve_err_set(err, -ENOTSUP, "%s is not KVM: %s", path, strerror(-version));
	return gyve_err_set(err, -ENOTSUP, "%s speaks KVM API version %d, not %d", path, version, KVM_API_VERSION);
}

/* --- VM */

static const struct kvm_need needs[] = {
	{KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY", "guest memory"},
	{KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT", "stopping a vCPU without losing the request"},
	{KVM_CAP_SET_GUEST_DEBUG, "KVM_CAP_SET_GUEST_DEBUG", "breakpoints and stepping"},
	{KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE", "starting several vCPUs"},
};

static void vm_destroy(struct gyve_bvm *vm)
{
	if (!vm)
		return;
	kvm_host_vm_deinit(vm);
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->kvm_fd >= 0)
		close(vm->kvm_fd);
	free((char *)vm->cfg.brand);
	free(vm);
}

static int vm_open(struct gyve_bvm *vm, struct gyve_err *err)
{
	vm->kvm_fd = kvm_open("/dev/kvm", err);
	if (vm->kvm_fd < 0)
		return vm->kvm_fd;
	vm->fd = kvm_ioctl_n(vm->kvm_fd, KVM_CREATE_VM, 0);
	if (vm->fd < 0)
		return gyve_err_set(err, vm->fd, "cannot create a KVM virtual machine: %s", strerror(-vm->fd));
	int size = kvm_ioctl_n(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(struct kvm_run))
		return gyve_err_set(err, -ENOTSUP, "KVM's vCPU mapping is %d bytes, too small", size);
	vm->run_size = (size_t)size;
	int r = kvm_check_needs(vm, needs, GYVE_ARRAY_SIZE(needs), err);
	if (r < 0)
		return r;
	int max = kvm_check(vm, KVM_CAP_MAX_VCPUS);
	vm->caps.max_vcpus = max ? (unsigned)max : 4; /* KVM's documented default */
	if (vm->cfg.ncpus > vm->caps.max_vcpus)
		return gyve_err_set(err, -EINVAL, "%u vCPUs asked for; this host's KVM allows %u", vm->cfg.ncpus,
				    vm->caps.max_vcpus);
	vm->debug_flags = (unsigned)kvm_check(vm, KVM_CAP_SET_GUEST_DEBUG2);
	return kvm_host_vm_init(vm, err);
}

static int vm_create(const struct gyve_vm_config *cfg, struct gyve_bvm **ret, struct gyve_err *err)
{
	if (!cfg->ncpus)
		return gyve_err_set(err, -EINVAL, "a machine needs at least one vCPU");
	struct gyve_bvm *vm = calloc(1, sizeof(*vm));
	if (!vm)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	vm->kvm_fd = vm->fd = -1;
	vm->cfg = *cfg;
	if (cfg->brand && !(vm->cfg.brand = strdup(cfg->brand))) {
		free(vm);
		return gyve_err_set(err, -ENOMEM, "out of memory");
	}
	int r = vm_open(vm, err);
	if (r < 0) {
		vm_destroy(vm);
		return r;
	}
	*ret = vm;
	return 0;
}

static const struct gyve_host_caps *caps(struct gyve_bvm *vm)
{
	return &vm->caps;
}

/* Costs short-lived VMs of its own: only those who need to know pay for it. */
static void probe(struct gyve_bvm *vm)
{
	if (!vm->probed)
		kvm_probe(&vm->caps, vm->cfg.no_probe_cache);
	vm->probed = true;
}

static int map(struct gyve_bvm *vm, unsigned slot, gyve_gpa_t gpa, void *hva, uint64_t len, unsigned flags)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot, .guest_phys_addr = gpa, .memory_size = len, .userspace_addr = (uintptr_t)hva};
	if (flags & GYVE_MAP_READONLY) {
		if (!kvm_check(vm, KVM_CAP_READONLY_MEM))
			return -ENOTSUP;
		r.flags |= KVM_MEM_READONLY;
	}
	if (flags & GYVE_MAP_LOG_DIRTY)
		r.flags |= KVM_MEM_LOG_DIRTY_PAGES;
	return kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
}

/* --- vCPU */

static void vcpu_destroy(struct gyve_bvcpu *v)
{
	if (!v)
		return;
	kvm_host_vcpu_deinit(v);
	if (v->run)
		munmap(v->run, v->vm->run_size);
	if (v->fd >= 0)
		close(v->fd);
	free(v);
}

static int vcpu_open(struct gyve_bvcpu *v, struct gyve_err *err)
{
	v->fd = kvm_ioctl_n(v->vm->fd, KVM_CREATE_VCPU, v->index);
	if (v->fd < 0)
		return gyve_err_set(err, v->fd, "cannot create vCPU %u: %s", v->index, strerror(-v->fd));
	void *run = mmap(NULL, v->vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (run == MAP_FAILED)
		return gyve_err_set(err, -errno, "cannot map vCPU %u: %s", v->index, strerror(errno));
	v->run = run;
	return kvm_host_vcpu_init(v, err);
}

static int vcpu_create(struct gyve_bvm *vm, unsigned index, struct gyve_bvcpu **ret, struct gyve_err *err)
{
	struct gyve_bvcpu *v = calloc(1, sizeof(*v));
	if (!v)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	v->vm = vm;
	v->index = index;
	v->fd = -1;
	int r = vcpu_open(v, err);
	if (r < 0) {
		vcpu_destroy(v);
		return r;
	}
	*ret = v;
	return 0;
}

/* --- run and kick */

/* kick() stores kicked, then immediate_exit. Whoever clears immediate_exit must either return GYVE_EXIT_INTR afterwards (the
 * kick is answered) or look at kicked again after clearing (settle): so a kick that comes at any time before run() returns
 * makes that run() or the next one return GYVE_EXIT_INTR. An extra GYVE_EXIT_INTR is possible and harmless. */
static void kick(struct gyve_bvcpu *v)
{
	__atomic_store_n(&v->kicked, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

static void answer_kick(struct gyve_bvcpu *v)
{
	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->kicked, false, __ATOMIC_SEQ_CST);
}

static int run_once(struct gyve_bvcpu *v)
{
	int r = ioctl(v->fd, KVM_RUN, 0) < 0 ? -errno : 0;
	v->owes_io = false;
	kvm_host_left(v, r == 0 || r == -EINTR);
	return r;
}

static void decode_io(struct kvm_run *run, struct gyve_exit *ret)
{
	ret->kind = GYVE_EXIT_IO;
	ret->io.port = run->io.port;
	ret->io.size = run->io.size;
	ret->io.out = run->io.direction == KVM_EXIT_IO_OUT;
	ret->io.count = run->io.count;
	ret->io.data = (uint8_t *)run + run->io.data_offset;
}

static void decode_mmio(struct kvm_run *run, struct gyve_exit *ret)
{
	ret->kind = GYVE_EXIT_MMIO;
	ret->mmio.gpa = run->mmio.phys_addr;
	ret->mmio.len = (uint8_t)(run->mmio.len <= sizeof(run->mmio.data) ? run->mmio.len : sizeof(run->mmio.data));
	ret->mmio.write = run->mmio.is_write;
	ret->mmio.data = run->mmio.data;
}

static void decode_internal(const struct kvm_run *run, struct gyve_exit *ret)
{
	ret->kind = GYVE_EXIT_INTERNAL;
	ret->internal.suberror = run->internal.suberror;
	ret->internal.ndata = run->internal.ndata < 16 ? run->internal.ndata : 16;
	memcpy(ret->internal.data, run->internal.data, ret->internal.ndata * sizeof(uint64_t));
}

static void decode(struct gyve_bvcpu *v, struct gyve_exit *ret)
{
	struct kvm_run *run = v->run;
	v->owes_io = run->exit_reason == KVM_EXIT_IO || run->exit_reason == KVM_EXIT_MMIO;
	if (kvm_host_decode(v, ret))
		return;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		decode_io(run, ret);
		break;
	case KVM_EXIT_MMIO:
		decode_mmio(run, ret);
		break;
	case KVM_EXIT_HLT:
		ret->kind = GYVE_EXIT_HLT;
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		ret->kind = GYVE_EXIT_INTR;
		break;
	case KVM_EXIT_SHUTDOWN:
		ret->kind = GYVE_EXIT_SHUTDOWN;
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		ret->kind = GYVE_EXIT_SYSTEM;
		ret->system.type = run->system_event.type;
		ret->system.flags = run->system_event.flags;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		decode_internal(run, ret);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		ret->kind = GYVE_EXIT_FAIL_ENTRY;
		ret->fail_entry.reason = run->fail_entry.hardware_entry_failure_reason;
		break;
	default:
		ret->kind = GYVE_EXIT_UNKNOWN;
		ret->unknown.reason = run->exit_reason;
	}
}

static int run(struct gyve_bvcpu *v, struct gyve_exit *ret)
{
	if (v->stashed) {
		v->stashed = false;
		decode(v, ret);
		return 0;
	}
	int r = kvm_host_enter(v);
	if (r < 0)
		return r;
	r = run_once(v);
	if (r == -EINTR || r == -EAGAIN) { /* EAGAIN: woken while waiting for a start-up interrupt */
		answer_kick(v);
		ret->kind = GYVE_EXIT_INTR;
		return 0;
	}
	if (r < 0)
		return r;
	decode(v, ret);
	return 0;
}

static int settle(struct gyve_bvcpu *v)
{
	if (v->stashed)
		return 1;
	if (!v->owes_io)
		return 0;
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	int r = run_once(v);
	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&v->kicked, __ATOMIC_SEQ_CST))
		__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (r == -EINTR)
		return 0;
	if (r < 0)
		return r;
	v->stashed = true;
	v->owes_io = v->run->exit_reason == KVM_EXIT_IO || v->run->exit_reason == KVM_EXIT_MMIO;
	return 1;
}

static int set_regs(struct gyve_bvcpu *v, unsigned groups, const struct gyve_regs *regs)
{
	int r = settle(v); /* KVM would overwrite the new values when it finishes the access */
	if (r > 0 && v->owes_io)
		return -EAGAIN;
	return r < 0 ? r : kvm_host_set_regs(v, groups, regs);
}

static int unhalt(struct gyve_bvcpu *v)
{
	struct kvm_mp_state mp;
	int r = kvm_ioctl(v->fd, KVM_GET_MP_STATE, &mp);

	if (r < 0 || mp.mp_state != KVM_MP_STATE_HALTED)
		return r;
	mp.mp_state = KVM_MP_STATE_RUNNABLE;
	return kvm_ioctl(v->fd, KVM_SET_MP_STATE, &mp);
}

static int reset(struct gyve_bvcpu *v)
{
	int r;
	while ((r = settle(v)) > 0)
		v->stashed = false; /* the rest of a split access: nobody will see its result */
	v->stashed = false;
	return r < 0 ? r : kvm_host_reset(v);
}

static int irq(struct gyve_bvm *vm, unsigned line, bool level)
{
#ifdef __aarch64__
	line = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (line + 32);
#endif
	struct kvm_irq_level l = {.irq = line, .level = level};

	return kvm_ioctl(vm->fd, KVM_IRQ_LINE, &l);
}

static int msi(struct gyve_bvm *vm, uint64_t addr, uint32_t data)
{
	struct kvm_msi m = {.address_lo = (uint32_t)addr, .address_hi = (uint32_t)(addr >> 32), .data = data};
	int r = kvm_ioctl(vm->fd, KVM_SIGNAL_MSI, &m);

	return r < 0 ? r : 0;
}

const struct gyve_backend_ops gyve_backend_kvm = {
	.name = "kvm",
	.vm_create = vm_create,
	.vm_destroy = vm_destroy,
	.caps = caps,
	.probe = probe,
	.map = map,
	.vcpu_create = vcpu_create,
	.vcpu_destroy = vcpu_destroy,
	.run = run,
	.kick = kick,
	.settle = settle,
	.get_regs = kvm_host_get_regs,
	.set_regs = set_regs,
	.set_debug = kvm_host_set_debug,
	.reinject_bp = kvm_host_reinject_bp,
	.clock_stopped = kvm_host_clock_stopped,
	.unhalt = unhalt,
	.tsc = kvm_host_tsc,
	.translate = kvm_host_translate,
	.msr = kvm_host_msr,
	.msr_list = kvm_host_msr_list,
	.irq_reg = kvm_host_irq_reg,
	.irq = irq,
	.msi = msi,
#ifdef __aarch64__
	.sync_code = kvm_host_sync_code,
	.clock_hold = kvm_host_clock_hold,
#endif
	.reset = reset,
};
