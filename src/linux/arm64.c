/* Linux on aarch64: an Image or Image.gz, a device tree, an initial RAM disk. See docs/linux.md for the machine it finds. */
#include "arm64.h"
#include "devices.h"

#include "../base/bytes.h"
#include "../dev/fw_cfg.h"
#include "../dev/pl011.h"
#include "gyve/dev.h"
#include "gyve/walk.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { DEFAULT_RAM = 256 << 20, MAX_RAM_GIB = 255, ALIGN = 2 << 20, CMDLINE_MAX = 2048 };

struct linux_arm64 {
	const struct gyve_boot_params *params;
	struct arm64_image image;
	struct gyve_sink out;
	struct gyve_bus bus;
	struct gyve_pl011 *uart;
	struct fw_cfg *fwcfg;
	struct linux_devices devices;
	pthread_mutex_t out_lock;              /* consoles share what they write to */
	uint64_t ram_len, kernel, fdt, initrd; /* guest physical */
	char cmdline[CMDLINE_MAX];
	bool kaslr;
	uint8_t seed[8]; /* for KASLR: the same after a reset */
};

static bool probe(const struct gyve_elf *elf)
{
	return !elf->nsegs && arm64_image_probe(elf->data, elf->size);
}

/* --- plan */

/* Kernel, device tree, RAM disk, upwards. */
static int place(struct linux_arm64 *l, struct gyve_err *err)
{
	uint64_t top = A64_RAM + l->ram_len, end;

	l->kernel = A64_RAM + l->image.text_offset;
	if (l->image.image_size > l->ram_len || l->params->initrd_len > l->ram_len)
		end = UINT64_MAX;
	else {
		l->fdt = align_up(l->kernel + l->image.image_size, ALIGN);
		l->initrd = l->fdt + A64_FDT_MAX;
		end = l->initrd + l->params->initrd_len;
	}
	if (end > top)
		return gyve_err_set(err, -ENOEXEC,
				    "%" PRIu64 " MiB of guest memory do not hold the kernel (%" PRIu64
				    " MiB) and its RAM disk (%" PRIu64 " MiB): give it more with --memory-size",
				    l->ram_len >> 20, l->image.image_size >> 20, l->params->initrd_len >> 20);
	return 0;
}

static int check(struct linux_arm64 *l, struct gyve_err *err)
{
	const struct gyve_boot_params *p = l->params;

	if (l->ram_len > (uint64_t)MAX_RAM_GIB << 30)
		return gyve_err_set(err, -ENOEXEC, "a Linux guest has at most %d GiB of memory", MAX_RAM_GIB);
	if (p->ncpus > A64_MAX_CPUS)
		return gyve_err_set(err, -ENOEXEC, "a Linux guest has at most %d vCPUs", A64_MAX_CPUS);
	return linux_cmdline(p, l->cmdline, sizeof(l->cmdline), err);
}

static void fill_layout(const struct linux_arm64 *l, struct gyve_layout *layout)
{
	*layout = (struct gyve_layout){
		.arch = GYVE_AARCH64, .ram_gpa = A64_RAM, .ram_len = l->ram_len, .entry = l->kernel, .nsegs = 1};
	layout->seg[0].gva = layout->seg[0].gpa = l->kernel; /* translation is off */
	layout->seg[0].len = l->image.image_size;
	layout->seg[0].perms = GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X;
}

static void destroy(void *state)
{
	struct linux_arm64 *l = state;

	gyve_pl011_destroy(l->uart);
	linux_devices_destroy(&l->devices);
	fw_cfg_destroy(l->fwcfg);
	pthread_mutex_destroy(&l->out_lock);
	arm64_image_close(&l->image);
	free(l);
}

static int plan(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		struct gyve_layout *layout, void **state, struct gyve_err *err)
{
	struct linux_arm64 *l = calloc(1, sizeof(*l));

	if (!l)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	l->params = params;
	l->out = *out;
	pthread_mutex_init(&l->out_lock, NULL);
	l->ram_len = align_down(params->mem_size_given ? params->mem_size : DEFAULT_RAM, 4096);
	int r = check(l, err);
	if (r == 0)
		r = arm64_image_open(&l->image, elf->data, elf->size, (size_t)l->ram_len, err);
	if (r == 0)
		r = place(l, err);
	if (r < 0) {
		destroy(l);
		return r;
	}
	l->kaslr = params->aslr && !linux_has_word(l->cmdline, "nokaslr") &&
		   getrandom(l->seed, sizeof(l->seed), GRND_NONBLOCK) == sizeof(l->seed);
	fill_layout(l, layout);
	*state = l;
	return 0;
}

/* --- load */

static int write_fdt(const struct linux_arm64 *l, const struct gyve_memmap *map, struct gyve_err *err)
{
	const struct gyve_boot_params *p = l->params;
	struct arm64_fdt f = {.dtb = p->dtb,
			      .dtb_len = p->dtb_len,
			      .ram_len = l->ram_len,
			      .ncpus = p->ncpus,
			      .fwcfg = true,
			      .nvirtio = linux_devices_count(p),
			      .bootargs = *l->cmdline ? l->cmdline : NULL,
			      .initrd = l->initrd,
			      .initrd_len = p->initrd_len,
			      .seed = l->kaslr ? l->seed : NULL};
	void *buf = gyve_memmap_ptr(map, l->fdt, A64_FDT_MAX);

	return buf ? arm64_fdt_write(&f, buf, A64_FDT_MAX, err) : gyve_err_set(err, -ENOMEM, "guest memory is missing");
}

static bool moves(void *state)
{
	return ((struct linux_arm64 *)state)->kaslr;
}

static int load(void *state, const struct gyve_memmap *map, struct gyve_err *err)
{
	struct linux_arm64 *l = state;
	uint64_t len = l->params->initrd_len;

	if (l->uart)
		gyve_pl011_reset(l->uart);
	if (l->fwcfg)
		fw_cfg_reset(l->fwcfg);
	linux_devices_reset(&l->devices);
	if (gyve_memmap_write(map, l->kernel, l->image.data, l->image.size) != (ssize_t)l->image.size ||
	    (len && gyve_memmap_write(map, l->initrd, l->params->initrd, len) != (ssize_t)len))
		return gyve_err_set(err, -ENOMEM, "guest memory is missing");
	return write_fdt(l, map, err);
}

/* Documentation/arch/arm64/booting.rst: EL1, translation off, everything masked, x0 has the tree. */
static void cpu_init(void *state, unsigned cpu, struct gyve_regs *regs)
{
	const struct linux_arm64 *l = state;
	struct gyve_a64_regs *r = &regs->a64;

	if (cpu)
		return; /* off until the kernel starts it */
	memset(r->x, 0, sizeof(r->x));
	r->x[0] = l->fdt;
	r->pc = l->kernel;
	r->pstate = 0x3c5;
	r->sctlr_el1 = 0x30d00980;
	r->esr_el1 = r->far_el1 = r->elr_el1 = r->spsr_el1 = 0; /* KVM leaves noise here, a crash report shows it */
}

/* --- devices */

static void put_out(void *ctx, const void *buf, size_t len)
{
	struct linux_arm64 *l = ctx;

	pthread_mutex_lock(&l->out_lock);
	l->out.write(l->out.ctx, buf, len);
	pthread_mutex_unlock(&l->out_lock);
}

static int attach(void *state, const struct gyve_dev_host *host, struct gyve_err *err)
{
	struct linux_arm64 *l = state;
	struct gyve_sink out = {put_out, l};
	int input = l->params->virtio_console ? -1 : linux_input(l->params);
	int r = gyve_pl011_create(&l->uart, host, A64_UART_IRQ, &out, input);

	if (r == 0)
		r = gyve_bus_add(&l->bus, false, A64_UART, A64_UART_LEN, gyve_pl011_access, l->uart);
	if (r == 0)
		r = fw_cfg_create(&l->fwcfg, host->map);
	if (r == 0)
		r = gyve_bus_add(&l->bus, false, A64_FWCFG, A64_FWCFG_LEN, fw_cfg_access, l->fwcfg);
	if (r < 0)
		return gyve_err_set(err, r, "cannot make the guest's devices: %s", strerror(-r));
	return linux_devices_create(&l->devices, l->params, host, &out, &l->bus, A64_VIRTIO, A64_VIRTIO_IRQ, A64_VIRTIO_MAX,
				    err);
}

static enum gyve_access_result on_access(void *state, struct gyve_access *a, int *code, struct gyve_err *err)
{
	struct linux_arm64 *l = state;

	(void)code, (void)err;
	return gyve_bus_access(&l->bus, a) ? GYVE_ACCESS_DONE : GYVE_ACCESS_UNKNOWN;
}

const struct gyve_platform_ops gyve_platform_linux_arm64 = {
	.name = "linux",
	.raw = GYVE_AARCH64,
	.starts_cpus = true,
	.has_network = true,
	.probe = probe,
	.plan = plan,
	.load = load,
	.cpu_init = cpu_init,
	.moves = moves,
	.attach = attach,
	.access = on_access,
	.destroy = destroy,
};
