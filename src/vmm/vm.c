/* A VM from an image: platform, memory, vCPUs. Run control is run.c. */
#include "trace.h"
#include "vmm.h"

#include "../base/io.h"
#include "gyve/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* First that takes the image. */
static const struct gyve_platform_ops *const platforms[] = {&gyve_platform_linux_arm64, &gyve_platform_linux_x86_64,
							    &gyve_platform_hermit, &gyve_platform_bare,
							    &gyve_platform_bare_aarch64};

static bool probe_platforms(struct gyve_vm *vm, bool raw)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(platforms); i++)
		if ((!raw || platforms[i]->raw) && platforms[i]->probe(vm->elf)) {
			vm->platform = platforms[i];
			return true;
		}
	return false;
}

/* No ELF file: some platform may know what it is. */
static bool find_raw_platform(struct gyve_vm *vm)
{
	memset(vm->elf, 0, sizeof(*vm->elf));
	vm->elf->data = vm->image;
	vm->elf->size = vm->image_size;
	if (!probe_platforms(vm, true))
		return false;
	vm->elf->machine = (int)vm->platform->raw;
	return true;
}

static int find_platform(struct gyve_vm *vm, struct gyve_err *err)
{
	const struct gyve_arch *host = vm->ops->machine ? gyve_arch_find(vm->ops->machine) : gyve_arch_host();
	int r = gyve_elf_parse(vm->elf, vm->image, vm->image_size, err);
	if (r < 0 && !find_raw_platform(vm))
		return gyve_err_prefix(err, "%s", vm->opt.boot.path);
	char name[24];
	vm->arch = gyve_arch_find(vm->elf->machine);
	if (!vm->arch || vm->arch != host)
		return gyve_err_set(err, -ENOEXEC, "%s: the image is for %s, this host runs %s", vm->opt.boot.path,
				    gyve_elf_machine(vm->elf->machine, name), host->name);
	if (vm->platform || probe_platforms(vm, false))
		return 0;
	return gyve_err_set(err, -ENOEXEC, "%s: neither a Hermit image nor a Linux kernel nor a bare-metal ELF program",
			    vm->opt.boot.path);
}

static void advise(const struct gyve_vm *vm)
{
	if (vm->opt.thp && madvise(vm->ram, vm->layout.ram_len, MADV_HUGEPAGE) < 0)
		gyve_log(GYVE_LOG_WARN, GYVE_LOG_MAIN, "no huge pages for guest memory: %s", strerror(errno));
	if (vm->opt.ksm && madvise(vm->ram, vm->layout.ram_len, MADV_MERGEABLE) < 0)
		gyve_log(GYVE_LOG_WARN, GYVE_LOG_MAIN, "equal pages of guest memory are not merged: %s", strerror(errno));
}

/* The part of RAM that begins at offset, up to the gap or the end. */
static int add_region(struct gyve_vm *vm, uint64_t offset, const char *name)
{
	const struct gyve_layout *l = &vm->layout;
	uint64_t below = l->gap_len ? l->gap_gpa - l->ram_gpa : l->ram_len, end = offset < below ? below : l->ram_len;
	gyve_gpa_t gpa = l->ram_gpa + offset + (offset < below ? 0 : l->gap_len);

	return gyve_memmap_add(&vm->map, gpa, end - offset, (uint8_t *)vm->ram + offset, GYVE_REGION_RAM, name);
}

static int map_ram(struct gyve_vm *vm, struct gyve_err *err)
{
	const struct gyve_layout *l = &vm->layout;
	void *p = mmap(NULL, l->ram_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return gyve_err_set(err, -ENOMEM, "no room for %" PRIu64 " bytes of guest memory", l->ram_len);
	vm->ram = p;
	advise(vm);
	int r = add_region(vm, l->window_len, "ram");
	if (r == 0 && l->gap_len)
		r = add_region(vm, l->gap_gpa - l->ram_gpa, "ram above");
	if (r < 0)
		return gyve_err_set(err, r, "cannot place guest memory");
	r = page_init(vm);
	if (r < 0)
		return gyve_err_set(err, r, "KVM does not take %" PRIu64 " bytes of guest memory: %s", l->ram_len,
				    strerror(-r));
	return 0;
}

static int load(struct gyve_vm *vm, struct gyve_err *err)
{
	int r = vm->platform->load(vm->platform_state, &vm->map, err);
	return r < 0 ? gyve_err_prefix(err, "%s", vm->opt.boot.path) : 0;
}

static int create_vcpus(struct gyve_vm *vm, struct gyve_err *err)
{
	vm->cpus = calloc(vm->ncpus, sizeof(*vm->cpus));
	if (!vm->cpus)
		return gyve_err_set(err, -ENOMEM, "no memory for %u vCPUs", vm->ncpus);
	for (unsigned i = 0; i < vm->ncpus; i++) {
		struct gyve_vcpu *v = &vm->cpus[i];
		v->vm = vm;
		v->index = i;
		int r = vm->ops->vcpu_create(vm->b, i, &v->b, err);
		if (r < 0)
			return r;
	}
	unsigned vl = vm->ops->caps(vm->b)->sve_vl;
	if (vm->arch->id == GYVE_X86_64 && !(vm->arch = gyve_arch_x86_xsave(vm->ops->caps(vm->b)->xfeatures)))
		return gyve_err_set(err, -ENOMEM, "out of memory");
	if (vl && vm->arch->id == GYVE_AARCH64 && !(vm->arch = gyve_arch_a64_sve(vl)))
		return gyve_err_set(err, -ENOTSUP, "SVE vectors of %u bytes are not known", vl);
	return 0;
}

static int init_vcpus(struct gyve_vm *vm, struct gyve_err *err)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < vm->ncpus; i++)
		r = vcpu_init_state(&vm->cpus[i], err);
	return r;
}

static int create(struct gyve_vm *vm, struct gyve_err *err)
{
	struct gyve_boot_params *boot = &vm->opt.boot;
	int r = gyve_file_map(boot->file ? boot->file : boot->path, &vm->image, &vm->image_size, err);
	if (r < 0) {
		err->code = -ENOEXEC;
		return -ENOEXEC;
	}
	vm->elf = calloc(1, sizeof(*vm->elf));
	if (!vm->elf)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	r = find_platform(vm, err);
	if (r < 0)
		return r;
	struct gyve_vm_config cfg = {.ncpus = vm->ncpus,
				     .irqchip = true,
				     .brand = vm->platform->brand,
				     .pit = vm->opt.pit || vm->platform->wants_pit,
				     .cpu_pm = vm->opt.cpu_pm,
				     .guest_starts_cpus = vm->platform->starts_cpus,
				     .no_probe_cache = vm->opt.no_probe_cache};
	r = vm->ops->vm_create(&cfg, &vm->b, err);
	if (r < 0)
		return r;
	if ((r = create_vcpus(vm, err)) < 0 || (r = strategy_check(vm, err)) < 0)
		return r;
	if (!boot->tsc_khz)
		boot->tsc_khz = vm->ops->caps(vm->b)->tsc_khz;
	r = vm->platform->plan(vm->elf, boot, &vm->opt.out, &vm->layout, &vm->platform_state, err);
	if (r < 0)
		return gyve_err_prefix(err, "%s", boot->path);
	if ((r = map_ram(vm, err)) < 0 || (r = dev_init(vm, err)) < 0 || (r = load(vm, err)) < 0 ||
	    (r = init_vcpus(vm, err)) < 0)
		return r;
	if ((r = text_init(vm, err)) < 0)
		return r;
	return run_init(vm, err);
}

static void init_locks(struct gyve_vm *vm)
{
	pthread_mutexattr_t a;

	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&vm->book_lock, &a);
	pthread_mutexattr_destroy(&a);
	pthread_cond_init(&vm->cond, NULL);
	pthread_mutex_init(&vm->text.lock, NULL);
	pthread_cond_init(&vm->text.cond, NULL);
}

int gyve_vm_create(const struct gyve_vm_options *opt, struct gyve_vm **ret, struct gyve_err *err)
{
	struct gyve_err none;
	struct gyve_vm *vm = calloc(1, sizeof(*vm));

	if (!err)
		err = &none;
	if (!vm)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	vm->opt = *opt;
	vm->ops = opt->backend ? opt->backend : &gyve_backend_kvm;
	vm->ncpus = opt->boot.ncpus ? opt->boot.ncpus : 1;
	vm->opt.boot.ncpus = vm->ncpus;
	vm->event_fd = vm->text.fd = -1;
	init_locks(vm);
	vm->trace = trace_create(vm);
	gyve_memmap_init(&vm->map);
	int r = create(vm, err);
	if (r < 0) {
		gyve_vm_destroy(vm);
		return r;
	}
	*ret = vm;
	return 0;
}

void gyve_vm_destroy(struct gyve_vm *vm)
{
	if (!vm)
		return;
	run_deinit(vm);
	for (unsigned i = 0; vm->cpus && i < vm->ncpus; i++)
		if (vm->cpus[i].b)
			vm->ops->vcpu_destroy(vm->cpus[i].b);
	free(vm->cpus);
	dev_stop(vm);
	if (vm->platform_state)
		vm->platform->destroy(vm->platform_state);
	dev_deinit(vm);
	vm->ops->vm_destroy(vm->b);
	bp_deinit(vm);
	restart_deinit(vm);
	page_deinit(vm);
	trace_destroy(vm->trace);
	text_deinit(vm);
	if (vm->ram)
		munmap(vm->ram, vm->layout.ram_len);
	gyve_memmap_deinit(&vm->map);
	free(vm->assists);
	free(vm->elf);
	if (vm->image)
		gyve_file_unmap(vm->image, vm->image_size);
	pthread_cond_destroy(&vm->cond);
	pthread_mutex_destroy(&vm->book_lock);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

unsigned gyve_vm_ncpus(const struct gyve_vm *vm)
{
	return vm->ncpus;
}

const struct gyve_arch *gyve_vm_arch(const struct gyve_vm *vm)
{
	return vm->arch;
}

const struct gyve_memmap *gyve_vm_memmap(const struct gyve_vm *vm)
{
	return &vm->map;
}

const struct gyve_layout *gyve_vm_layout(const struct gyve_vm *vm)
{
	return &vm->layout;
}

const char *gyve_vm_platform(const struct gyve_vm *vm)
{
	return vm->platform->name;
}

const struct gyve_host_caps *gyve_vm_caps(const struct gyve_vm *vm)
{
	if (vm->opt.debugger && vm->ops->probe)
		vm->ops->probe(vm->b);
	return vm->ops->caps(vm->b);
}

struct gyve_mem gyve_vm_phys(struct gyve_vm *vm)
{
	return (struct gyve_mem){.read = bp_phys_read, .write = bp_phys_write, .ctx = vm};
}

static const char *const exit_names[] = {
	[GYVE_EXIT_INTR] = "interrupted",
	[GYVE_EXIT_IO] = "port access",
	[GYVE_EXIT_MMIO] = "memory-mapped access",
	[GYVE_EXIT_HLT] = "halt",
	[GYVE_EXIT_DEBUG] = "debug",
	[GYVE_EXIT_EMULATION] = "emulation failed",
	[GYVE_EXIT_SHUTDOWN] = "shutdown",
	[GYVE_EXIT_SYSTEM] = "system event",
	[GYVE_EXIT_INTERNAL] = "internal error",
	[GYVE_EXIT_FAIL_ENTRY] = "no entry",
	[GYVE_EXIT_UNKNOWN] = "unknown",
};

static void __attribute__((format(printf, 4, 5))) add_stat(struct gyve_stat *s, size_t *n, uint64_t count, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s[*n].name, sizeof(s[*n].name), fmt, ap);
	va_end(ap);
	s[(*n)++].count = count;
}

/* All its exits, and the processor time of its thread. */
static void add_vcpu_stats(const struct gyve_vcpu *v, struct gyve_stat *s, size_t *n)
{
	struct timespec t;
	uint64_t count = 0;
	clockid_t clock;

	for (size_t k = 0; k < GYVE_ARRAY_SIZE(exit_names); k++)
		count += __atomic_load_n(&v->exits[k], __ATOMIC_RELAXED);
	add_stat(s, n, count, "vCPU %u exits", v->index);
	if (v->has_thread && pthread_getcpuclockid(v->thread, &clock) == 0 && clock_gettime(clock, &t) == 0)
		add_stat(s, n, (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000, "vCPU %u microseconds", v->index);
}

ssize_t gyve_vm_stats(struct gyve_vm *vm, struct gyve_stat **ret)
{
	enum { CALLS_MAX = 64 };
	size_t n = 0;

	pthread_mutex_lock(&vm->book_lock);
	struct gyve_stat *s = calloc(GYVE_ARRAY_SIZE(exit_names) + CALLS_MAX + vm->nassists + 1 + 2 * vm->ncpus, sizeof(*s));
	for (size_t k = 0; s && k < GYVE_ARRAY_SIZE(exit_names); k++) {
		uint64_t count = 0;
		for (unsigned i = 0; i < vm->ncpus; i++)
			count += __atomic_load_n(&vm->cpus[i].exits[k], __ATOMIC_RELAXED);
		if (count)
			add_stat(s, &n, count, "exit %s", exit_names[k]);
	}
	const char *name = "";
	for (size_t i = 0; s && vm->platform->call_count && i < CALLS_MAX && name; i++) {
		uint64_t count = vm->platform->call_count(vm->platform_state, i, &name);
		if (count)
			add_stat(s, &n, count, "Hypercall(%s)", name);
	}
	for (size_t i = 0; s && i < vm->nassists; i++)
		add_stat(s, &n, vm->assists[i].count, "assist %s", vm->assists[i].mnemonic);
	uint64_t skipped = 0;
	for (unsigned i = 0; i < vm->ncpus; i++)
		skipped += __atomic_load_n(&vm->cpus[i].skipped, __ATOMIC_RELAXED);
	if (s && skipped)
		add_stat(s, &n, skipped, "instructions carried out at points");
	for (unsigned i = 0; s && i < vm->ncpus; i++)
		add_vcpu_stats(&vm->cpus[i], s, &n);
	pthread_mutex_unlock(&vm->book_lock);
	if (!s)
		return -ENOMEM;
	*ret = s;
	return (ssize_t)n;
}
