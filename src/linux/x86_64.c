/* Linux on x86_64: a bzImage, or an ELF kernel with a PVH note, and an initial RAM disk. See docs/linux.md for the machine it
 * finds. */
#include "x86_64.h"
#include "devices.h"

#include "../base/bytes.h"
#include "../dev/fw_cfg.h"
#include "../dev/uart16550.h"
#include "gyve/dev.h"
#include "gyve/log.h"
#include "gyve/walk.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { DEFAULT_RAM = 256 << 20, MAX_RAM_GIB = 512 };
enum { PORT_KEYBOARD = 0x64, KEYBOARD_RESET = 0xfe, PORT_RESET = 0xcf9, RESET_CPU = 4 };
/* ACPI 4.8.3: registers of power management, offsets of X86_PM */
enum { PM1_ENABLE = 2, PM1_CONTROL = 4, PM_TIMER = 8, SCI_EN = 1, SLP_EN = 1 << 13, TIMER_HZ = 3579545 };

struct linux_x86_64 {
	const struct gyve_boot_params *params;
	struct x86_image image;
	struct x86_boot boot;
	struct gyve_sink out;
	struct gyve_bus bus;
	struct uart16550 *uart;
	struct fw_cfg *fwcfg;
	struct linux_devices devices;
	pthread_mutex_t out_lock; /* consoles share what they write to */
	char cmdline[X86_CMDLINE_MAX];
	uint8_t seed[32];
	uint16_t pm_enable; /* events that the kernel wants: there are none; atomic */
};

static bool probe(const struct gyve_elf *elf)
{
	return x86_image_probe(elf);
}

/* --- plan */

/* The RAM disk as high as it may be. */
static int place(struct linux_x86_64 *l, struct gyve_err *err)
{
	uint64_t ram = l->boot.ram_len, low = ram < X86_GAP ? ram : X86_GAP, len = l->params->initrd_len;
	uint64_t end = l->image.load + l->image.len;
	uint64_t top = low <= l->image.initrd_max ? low : l->image.initrd_max + 1;

	if (end > low || len > low || (len && (top < len || align_down(top - len, 4096) < end)))
		return gyve_err_set(err, -ENOEXEC,
				    "%" PRIu64 " MiB of guest memory do not hold the kernel (%" PRIu64 " MiB from %" PRIu64
				    " MiB on) and its RAM disk (%" PRIu64 " MiB): give it more with --memory-size",
				    ram >> 20, l->image.len >> 20, l->image.load >> 20, len >> 20);
	l->boot.initrd = len ? align_down(top - len, 4096) : 0;
	l->boot.initrd_len = len;
	return 0;
}

static int check(struct linux_x86_64 *l, struct gyve_err *err)
{
	const struct gyve_boot_params *p = l->params;

	if (l->boot.ram_len > (uint64_t)MAX_RAM_GIB << 30)
		return gyve_err_set(err, -ENOEXEC, "a Linux guest has at most %d GiB of memory", MAX_RAM_GIB);
	if (p->ncpus > X86_MAX_CPUS)
		return gyve_err_set(err, -ENOEXEC, "a Linux guest has at most %d vCPUs", X86_MAX_CPUS);
	if (p->dtb)
		return gyve_err_set(err, -ENOEXEC, "an x86_64 kernel takes no device tree");
	if (linux_cmdline(p, l->cmdline, sizeof(l->cmdline), err) < 0)
		return -ENOEXEC;
	if (strlen(l->cmdline) > l->image.cmdline_max)
		return gyve_err_set(err, -ENOEXEC, "the kernel takes a command line of %" PRIu32 " bytes, this one has %zu",
				    l->image.cmdline_max, strlen(l->cmdline));
	return place(l, err);
}

/* A kernel of a form that is not known is left to unpack itself. */
static void unpack(struct linux_x86_64 *l)
{
	struct gyve_err err = {0};
	uint64_t random;

	if (l->image.pvh || l->params->self_unpack)
		return;
	if (x86_image_unpack(&l->image, l->image.len, &err) < 0) {
		gyve_log(GYVE_LOG_INFO, GYVE_LOG_MAIN, "%s: it unpacks itself: %s", l->params->path, err.text);
		return;
	}
	l->boot.kaslr = l->params->aslr && x86_image_movable(&l->image) && !linux_has_word(l->cmdline, "nokaslr") &&
			getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random);
	if (l->boot.kaslr)
		x86_image_move(&l->image, random);
	gyve_log(GYVE_LOG_INFO, GYVE_LOG_MAIN, "the kernel is unpacked and moved by 0x%" PRIx64, l->image.slide);
}

/* Those of the kernel's own addresses; the processors' variables, which are linked at 0 and stay there. */
static void add_segments(const struct linux_x86_64 *l, const struct gyve_elf *elf, bool low, struct gyve_layout *layout)
{
	for (unsigned i = 0; i < elf->nsegs; i++) {
		const struct gyve_segment *s = &elf->seg[i];
		if (low != (s->vaddr < s->paddr))
			continue;
		layout->seg[layout->nsegs].gva = s->vaddr + (low ? 0 : l->image.slide);
		layout->seg[layout->nsegs].gpa = s->paddr;
		layout->seg[layout->nsegs].len = s->memsz;
		layout->seg[layout->nsegs++].perms = s->perms;
	}
}

static void fill_layout(const struct linux_x86_64 *l, struct gyve_layout *layout)
{
	const struct gyve_elf *elf = l->image.elf;

	*layout = (struct gyve_layout){.arch = GYVE_X86_64, .ram_len = l->boot.ram_len, .entry = l->image.entry};
	if (l->boot.ram_len > X86_GAP) {
		layout->gap_gpa = X86_GAP;
		layout->gap_len = X86_GAP_LEN;
	}
	layout->bias = l->image.slide;
	if (elf) {
		add_segments(l, elf, false, layout);
		add_segments(l, elf, true, layout);
		return;
	}
	layout->nsegs = 1;
	layout->seg[0].gva = layout->seg[0].gpa = l->image.load;
	layout->seg[0].len = l->image.len;
	layout->seg[0].perms = GYVE_PERM_R | GYVE_PERM_W | GYVE_PERM_X;
}

static void destroy(void *state)
{
	struct linux_x86_64 *l = state;

	uart16550_destroy(l->uart);
	linux_devices_destroy(&l->devices);
	fw_cfg_destroy(l->fwcfg);
	x86_image_close(&l->image);
	pthread_mutex_destroy(&l->out_lock);
	free(l);
}

static int plan(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		struct gyve_layout *layout, void **state, struct gyve_err *err)
{
	struct linux_x86_64 *l = calloc(1, sizeof(*l));

	if (!l)
		return gyve_err_set(err, -ENOMEM, "out of memory");
	l->params = params;
	l->out = *out;
	pthread_mutex_init(&l->out_lock, NULL);
	l->boot.image = &l->image;
	l->boot.cmdline = l->cmdline;
	l->boot.ram_len = align_down(params->mem_size_given ? params->mem_size : DEFAULT_RAM, 4096);
	int r = x86_image_open(&l->image, elf, err);
	if (r == 0)
		r = check(l, err);
	if (r < 0) {
		destroy(l);
		return r;
	}
	unpack(l);
	fill_layout(l, layout);
	*state = l;
	return 0;
}

/* --- load */

static int load(void *state, const struct gyve_memmap *map, struct gyve_err *err)
{
	struct linux_x86_64 *l = state;
	uint64_t len = l->boot.initrd_len;
	int r;

	l->pm_enable = 0;
	if (l->uart)
		uart16550_reset(l->uart);
	if (l->fwcfg)
		fw_cfg_reset(l->fwcfg);
	linux_devices_reset(&l->devices);
	if (getrandom(l->seed, sizeof(l->seed), GRND_NONBLOCK) == sizeof(l->seed))
		l->boot.seed = l->seed;
	if (len && gyve_memmap_write(map, l->boot.initrd, l->params->initrd, len) != (ssize_t)len)
		return gyve_err_set(err, -ENOMEM, "guest memory is missing");
	r = x86_acpi_write(map, l->params->ncpus, linux_devices_count(l->params), &l->boot.rsdp, err);
	return r < 0 ? r : x86_boot_write(&l->boot, map, err);
}

static void cpu_init(void *state, unsigned cpu, struct gyve_regs *regs)
{
	const struct linux_x86_64 *l = state;

	if (cpu == 0) /* the others wait for the kernel's start-up interrupts */
		x86_boot_registers(&l->boot, &regs->x86);
}

/* --- devices */

static void put_out(void *ctx, const void *buf, size_t len)
{
	struct linux_x86_64 *l = ctx;

	pthread_mutex_lock(&l->out_lock);
	l->out.write(l->out.ctx, buf, len);
	pthread_mutex_unlock(&l->out_lock);
}

static int attach(void *state, const struct gyve_dev_host *host, struct gyve_err *err)
{
	struct linux_x86_64 *l = state;
	struct gyve_sink out = {put_out, l};
	int input = l->params->virtio_console ? -1 : linux_input(l->params);
	int r = uart16550_create(&l->uart, host, X86_COM1_IRQ, &out, input);

	if (r == 0)
		r = gyve_bus_add(&l->bus, true, X86_COM1, UART16550_LEN, uart16550_access, l->uart);
	if (r == 0)
		r = fw_cfg_create(&l->fwcfg, host->map);
	if (r == 0)
		r = gyve_bus_add(&l->bus, true, X86_FWCFG, FW_CFG_PORTS, fw_cfg_port_access, l->fwcfg);
	if (r < 0)
		return gyve_err_set(err, r, "cannot make the guest's devices: %s", strerror(-r));
	return linux_devices_create(&l->devices, l->params, host, &out, &l->bus, X86_VIRTIO, X86_VIRTIO_IRQ, X86_VIRTIO_MAX,
				    err);
}

static uint32_t timer_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint32_t)((uint64_t)t.tv_sec * TIMER_HZ + (uint64_t)t.tv_nsec * TIMER_HZ / 1000000000);
}

static uint32_t pm_read(const struct linux_x86_64 *l, uint64_t at)
{
	switch (at) {
	case PM1_ENABLE:
		return __atomic_load_n(&l->pm_enable, __ATOMIC_RELAXED);
	case PM1_CONTROL:
		return SCI_EN;
	case PM_TIMER:
		return timer_now();
	default:
		return 0;
	}
}

static enum gyve_access_result pm_access(struct linux_x86_64 *l, struct gyve_access *a)
{
	uint64_t at = a->addr - X86_PM;
	uint32_t v;

	if (!a->write) {
		v = pm_read(l, at);
		memset(a->data, 0, a->len);
		memcpy(a->data, &v, a->len < sizeof(v) ? a->len : sizeof(v));
	} else if (at == PM1_ENABLE && a->len == 2) {
		__atomic_store_n(&l->pm_enable, get_le16(a->data), __ATOMIC_RELAXED);
	} else if (at == PM1_CONTROL && a->len >= 2 && get_le16(a->data) & SLP_EN) {
		return GYVE_ACCESS_EXIT;
	}
	return GYVE_ACCESS_DONE;
}

/* The doors by which a PC is reset: the keyboard controller, and the port that ACPI names. */
static bool is_reset(const struct gyve_access *a)
{
	if (!a->pio || !a->write || a->len != 1)
		return false;
	return (a->addr == PORT_KEYBOARD && a->data[0] == KEYBOARD_RESET) || (a->addr == PORT_RESET && a->data[0] & RESET_CPU);
}

static enum gyve_access_result on_access(void *state, struct gyve_access *a, int *code, struct gyve_err *err)
{
	struct linux_x86_64 *l = state;

	(void)err;
	*code = 0;
	if (gyve_bus_access(&l->bus, a))
		return GYVE_ACCESS_DONE;
	if (a->pio && a->addr >= X86_PM && a->addr + a->len <= X86_PM + X86_PM_LEN)
		return pm_access(l, a);
	return is_reset(a) ? GYVE_ACCESS_EXIT : GYVE_ACCESS_UNKNOWN;
}

const struct gyve_platform_ops gyve_platform_linux_x86_64 = {
	.name = "linux",
	.raw = GYVE_X86_64,
	.starts_cpus = true,
	.wants_pit = true,
	.has_network = true,
	.probe = probe,
	.plan = plan,
	.load = load,
	.cpu_init = cpu_init,
	.attach = attach,
	.access = on_access,
	.destroy = destroy,
};
