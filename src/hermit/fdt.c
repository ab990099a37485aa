/* The device tree a Hermit kernel reads. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "gyve/filemap.h"
#include "hermit.h"

/* --- bootargs */

struct words {
	char text[HERMIT_FDT_MAX];
	size_t len;
	bool full;
};

static void add_text(struct words *w, const char *s, size_t n)
{
	if (n >= sizeof(w->text) - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->text + w->len, s, n);
	w->len += n;
	w->text[w->len] = '\0';
}

static void add_word(struct words *w, const char *s)
{
	if (w->len)
		add_text(w, " ", 1);
	add_text(w, s, strlen(s));
}

/* For a shell-like reader: single quotes where there is anything but plain characters. */
static void add_quoted(struct words *w, const char *s, size_t n)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";
	bool simple = n > 0;

	for (size_t i = 0; i < n && simple; i++)
		simple = strchr(plain, s[i]);
	if (simple) {
		add_text(w, s, n);
		return;
	}
	add_text(w, "'", 1);
	for (size_t i = 0; i < n; i++)
		if (s[i] == '\'')
			add_text(w, "'\\''", 4);
		else
			add_text(w, s + i, 1);
	add_text(w, "'", 1);
}

static void add_env(struct words *w, const char *kv)
{
	const char *eq = strchr(kv, '=');

	if (!eq)
		return;
	add_word(w, "env=");
	add_quoted(w, kv, (size_t)(eq - kv));
	add_text(w, "=", 1);
	add_quoted(w, eq + 1, strlen(eq + 1));
}

static void make_bootargs(const struct hermit *h, struct words *w)
{
	const char *const *a = h->params->args;

	for (; a && *a && strcmp(*a, "--") != 0; a++)
		add_word(w, *a);
	for (const char *const *e = h->params->env; e && *e; e++)
		add_env(w, *e);
	if (a && *a && a[1]) {
		add_word(w, "--");
		for (a++; *a; a++)
			add_word(w, *a);
	}
}

enum { GIC_PHANDLE = 1 };

/* --- nodes; libfdt's first error stays in *r */

static void prop_u64s(void *fdt, int *r, const char *name, const uint64_t *v, size_t n)
{
	fdt64_t cells[4];

	for (size_t i = 0; i < n; i++)
		cells[i] = cpu_to_fdt64(v[i]);
	if (!*r)
		*r = fdt_property(fdt, name, cells, (int)(n * sizeof(cells[0])));
}

static void prop_u32s(void *fdt, int *r, const char *name, const uint32_t *v, size_t n)
{
	fdt32_t cells[16];

	for (size_t i = 0; i < n; i++)
		cells[i] = cpu_to_fdt32(v[i]);
	if (!*r)
		*r = fdt_property(fdt, name, cells, (int)(n * sizeof(cells[0])));
}

static void prop_u32(void *fdt, int *r, const char *name, uint32_t v)
{
	if (!*r)
		*r = fdt_property_u32(fdt, name, v);
}

static void prop_string(void *fdt, int *r, const char *name, const char *v)
{
	if (!*r)
		*r = fdt_property_string(fdt, name, v);
}

static void begin(void *fdt, int *r, const char *name)
{
	if (!*r)
		*r = fdt_begin_node(fdt, name);
}

static void end(void *fdt, int *r)
{
	if (!*r)
		*r = fdt_end_node(fdt);
}

static void add_memory(const struct hermit *h, void *fdt, int *r)
{
	char name[32];

	snprintf(name, sizeof(name), "memory@%" PRIx64, h->ga);
	begin(fdt, r, name);
	prop_string(fdt, r, "device_type", "memory");
	prop_u64s(fdt, r, "reg", (uint64_t[]){h->ga, h->ram_len}, 2);
	end(fdt, r);
}

static void add_cpus(const struct hermit *h, void *fdt, int *r)
{
	char name[32];

	begin(fdt, r, "cpus");
	prop_u32(fdt, r, "#address-cells", 1);
	prop_u32(fdt, r, "#size-cells", 0);
	for (unsigned i = 0; i < h->params->ncpus; i++) {
		snprintf(name, sizeof(name), "cpu@%u", i);
		begin(fdt, r, name);
		if (h->elf->machine == EM_AARCH64)
			prop_string(fdt, r, "compatible", "arm,cortex-a72");
		prop_string(fdt, r, "device_type", "cpu");
		end(fdt, r);
	}
	end(fdt, r);
}

/* GICv3 with its ITS, and the generic timer's four private interrupts. */
static void add_arm(const struct hermit *h, void *fdt, int *r)
{
	static const uint32_t ppis[] = {13, 14, 11, 10};
	fdt32_t cells[12];

	begin(fdt, r, "intc@8000000");
	prop_string(fdt, r, "compatible", "arm,gic-v3");
	prop_u32(fdt, r, "#address-cells", 2);
	prop_u32(fdt, r, "#size-cells", 2);
	prop_u64s(fdt, r, "reg", (uint64_t[]){0x8000000, 0x10000, 0x80a0000, 0xf60000}, 4);
	if (h->params->net) { /* devices have interrupts, and say whose */
		prop_u32(fdt, r, "#interrupt-cells", 3);
		if (!*r)
			*r = fdt_property(fdt, "interrupt-controller", NULL, 0);
		prop_u32(fdt, r, "phandle", GIC_PHANDLE);
	}
	begin(fdt, r, "its@8080000");
	prop_u32(fdt, r, "#msi-cells", 1);
	prop_u64s(fdt, r, "reg", (uint64_t[]){0x8080000, 0x20000}, 2);
	prop_string(fdt, r, "compatible", "arm,gic-v3-its");
	prop_string(fdt, r, "msi-controller", "[]");
	end(fdt, r);
	end(fdt, r);
	begin(fdt, r, "timer");
	for (int i = 0; i < 4; i++) {
		cells[3 * i] = cpu_to_fdt32(1);
		cells[3 * i + 1] = cpu_to_fdt32(ppis[i]);
		cells[3 * i + 2] = cpu_to_fdt32(4);
	}
	if (!*r)
		*r = fdt_property(fdt, "interrupts", cells, sizeof(cells));
	if (!*r)
		*r = fdt_property(fdt, "always-on", NULL, 0);
	prop_string(fdt, r, "compatible", "arm,armv8-timer");
	end(fdt, r);
}

/* A PCI bus with its one interrupt. */
static void add_pci(void *fdt, int *r)
{
	enum { MEMORY_32 = 0x02000000, MEMORY_64 = 0x03000000, HALF = HERMIT_A64_PCI_LEN / 2, SPI = 0, LEVEL_HIGH = 4 };
	static const uint32_t ranges[] = {MEMORY_32, 0, HERMIT_A64_PCI,        0, HERMIT_A64_PCI,        0, HALF,
					  MEMORY_64, 0, HERMIT_A64_PCI + HALF, 0, HERMIT_A64_PCI + HALF, 0, HALF};
	/* device, pin; controller; line */
	static const uint32_t map[] = {0, 0, 0, 1, GIC_PHANDLE, 0, 0, SPI, HERMIT_A64_SPI, LEVEL_HIGH};
	static const uint32_t mask[] = {0, 0, 0, 7}, buses[] = {0, 0};

	begin(fdt, r, "pcie@b000000");
	prop_string(fdt, r, "compatible", "pci-host-ecam-generic");
	prop_string(fdt, r, "device_type", "pci");
	prop_u32(fdt, r, "#address-cells", 3);
	prop_u32(fdt, r, "#size-cells", 2);
	prop_u32(fdt, r, "#interrupt-cells", 1);
	prop_u64s(fdt, r, "reg", (uint64_t[]){HERMIT_A64_ECAM, 1 << 20}, 2);
	prop_u32s(fdt, r, "bus-range", buses, GYVE_ARRAY_SIZE(buses));
	prop_u32s(fdt, r, "ranges", ranges, GYVE_ARRAY_SIZE(ranges));
	prop_u32s(fdt, r, "interrupt-map", map, GYVE_ARRAY_SIZE(map));
	prop_u32s(fdt, r, "interrupt-map-mask", mask, GYVE_ARRAY_SIZE(mask));
	if (!*r)
		*r = fdt_property(fdt, "dma-coherent", NULL, 0);
	end(fdt, r);
}

static void add_mounts(const struct hermit *h, void *fdt, int *r)
{
	static const size_t most = HERMIT_FDT_MAX; /* more does not fit anyway */
	char *list = h->params->files && !*r ? malloc(most) : NULL;
	size_t len = list ? gyve_filemap_mounts(h->params->files, list, most) : 0;

	if (len > most)
		*r = -FDT_ERR_NOSPACE;
	if (len) {
		begin(fdt, r, "uhyve,mounts");
		if (!*r)
			*r = fdt_property(fdt, "mounts", list, (int)len);
		end(fdt, r);
	}
	free(list);
}

static void add_nodes(const struct hermit *h, void *fdt, const char *bootargs, int *r)
{
	begin(fdt, r, "");
	prop_string(fdt, r, "compatible", "hermit,uhyve");
	prop_u32(fdt, r, "#address-cells", 2);
	prop_u32(fdt, r, "#size-cells", 2);
	add_memory(h, fdt, r);
	add_mounts(h, fdt, r);
	add_cpus(h, fdt, r);
	if (h->elf->machine == EM_AARCH64)
		add_arm(h, fdt, r);
	if (h->elf->machine == EM_AARCH64 && h->params->net)
		add_pci(fdt, r);
	if (h->elf->machine == EM_X86_64 && h->params->tsc_khz) {
		begin(fdt, r, "hermit,tsc");
		prop_u32(fdt, r, "khz", h->params->tsc_khz);
		end(fdt, r);
	}
	begin(fdt, r, "chosen");
	prop_string(fdt, r, "bootargs", bootargs);
	if (h->initrd) {
		uint64_t initrd_end = h->initrd + h->params->initrd_len;
		prop_u64s(fdt, r, "linux,initrd-start", &h->initrd, 1);
		prop_u64s(fdt, r, "linux,initrd-end", &initrd_end, 1);
	}
	end(fdt, r);
	end(fdt, r);
}

int hermit_write_fdt(const struct hermit *h, struct gyve_err *err)
{
	void *fdt = gyve_memmap_ptr(h->map, h->ga + HERMIT_FDT, HERMIT_FDT_MAX);
	struct words *w = calloc(1, sizeof(*w));
	int r = fdt && w ? fdt_create(fdt, HERMIT_FDT_MAX) : -1;

	if (!r && h->initrd)
		r = fdt_add_reservemap_entry(fdt, h->initrd, align_up(h->params->initrd_len, 4096));
	if (!r)
		r = fdt_finish_reservemap(fdt);
	if (!r) {
		make_bootargs(h, w);
		add_nodes(h, fdt, w->text, &r);
	}
	if (!r)
		r = fdt_finish(fdt);
	bool full = r == -FDT_ERR_NOSPACE || (w && w->full);
	free(w);
	if (full)
		return gyve_err_set(err, -E2BIG,
				    "arguments, environment and mount points do not fit the guest's device tree (16 KiB)");
	return r ? gyve_err_set(err, -EIO, "cannot write the device tree: %s", fdt_strerror(r)) : 0;
}
