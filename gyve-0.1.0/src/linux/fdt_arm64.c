/* The device tree of gyve's arm64 machine, alone or put over the user's. */
#include "arm64.h"

#include <errno.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

enum { SPI = 0, PPI = 1, LEVEL_HIGH = 4, EDGE = 1, UART_HZ = 24000000 };

/* A tree under construction; libfdt's first error stays in r. */
struct tree {
	void *fdt;
	int r;
	uint32_t gic, clock; /* phandles */
};

/* The node, made if it is not there; parent by offset. */
static int node(struct tree *t, int parent, const char *name)
{
	if (t->r || parent < 0)
		return -1;
	int n = fdt_subnode_offset(t->fdt, parent, name);
	if (n == -FDT_ERR_NOTFOUND)
		n = fdt_add_subnode(t->fdt, parent, name);
	if (n < 0)
		t->r = n;
	return n;
}

static void prop(struct tree *t, int n, const char *name, const void *val, int len)
{
	if (!t->r)
		t->r = fdt_setprop(t->fdt, n, name, val, len);
}

static void prop_string(struct tree *t, int n, const char *name, const char *v)
{
	prop(t, n, name, v, (int)strlen(v) + 1);
}

static void prop_u32s(struct tree *t, int n, const char *name, const uint32_t *v, size_t count)
{
	fdt32_t cells[16];

	for (size_t i = 0; i < count; i++)
		cells[i] = cpu_to_fdt32(v[i]);
	prop(t, n, name, cells, (int)(count * sizeof(cells[0])));
}
#define PROP_U32S(t, n, name, ...) \
	prop_u32s(t, n, name, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void prop_u64s(struct tree *t, int n, const char *name, const uint64_t *v, size_t count)
{
	fdt64_t cells[8];

	for (size_t i = 0; i < count; i++)
		cells[i] = cpu_to_fdt64(v[i]);
	prop(t, n, name, cells, (int)(count * sizeof(cells[0])));
}
#define PROP_U64S(t, n, name, ...) \
	prop_u64s(t, n, name, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* The user's nodes refer to a node by the phandle it has: it keeps that. */
static uint32_t phandle(struct tree *t, int n)
{
	uint32_t p = n < 0 || t->r ? 0 : fdt_get_phandle(t->fdt, n);

	if (n < 0 || t->r || p)
		return p;
	t->r = fdt_generate_phandle(t->fdt, &p);
	PROP_U32S(t, n, "phandle", p);
	return p;
}

static void delete_nodes(struct tree *t, int parent, const char *device_type)
{
	int n = t->r || parent < 0 ? -1 : fdt_first_subnode(t->fdt, parent);

	while (n >= 0) {
		const char *type = fdt_getprop(t->fdt, n, "device_type", NULL);
		int len;
		bool named = !strcmp(device_type, "memory") && strncmp(fdt_get_name(t->fdt, n, &len), "memory", 6) == 0;
		if (!named && (!type || strcmp(type, device_type) != 0)) {
			n = fdt_next_subnode(t->fdt, n);
			continue;
		}
		if ((t->r = fdt_del_node(t->fdt, n)))
			return;
		n = fdt_first_subnode(t->fdt, parent);
	}
}

/* --- what the machine has */

static void add_memory(struct tree *t, const struct arm64_fdt *f)
{
	delete_nodes(t, 0, "memory");
	int n = node(t, 0, "memory@40000000");
	prop_string(t, n, "device_type", "memory");
	PROP_U64S(t, n, "reg", A64_RAM, f->ram_len);
}

static void add_cpus(struct tree *t, const struct arm64_fdt *f)
{
	int cpus = node(t, 0, "cpus");
	char name[24];

	delete_nodes(t, cpus, "cpu");
	if (cpus >= 0 && !t->r && fdt_subnode_offset(t->fdt, cpus, "cpu-map") >= 0) /* of processors that are gone */
		t->r = fdt_del_node(t->fdt, fdt_subnode_offset(t->fdt, cpus, "cpu-map"));
	PROP_U32S(t, cpus, "#address-cells", 1);
	PROP_U32S(t, cpus, "#size-cells", 0);
	for (unsigned i = f->ncpus; i-- > 0;) { /* libfdt puts each one first */
		snprintf(name, sizeof(name), "cpu@%x", i);
		int n = node(t, cpus, name);
		prop_string(t, n, "device_type", "cpu");
		prop_string(t, n, "compatible", "arm,armv8");
		PROP_U32S(t, n, "reg", i);
		prop_string(t, n, "enable-method", "psci");
	}
	int psci = node(t, 0, "psci");
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";
	prop(t, psci, "compatible", compatible, sizeof(compatible));
	prop_string(t, psci, "method", "hvc");
}

static void add_gic(struct tree *t, const struct arm64_fdt *f)
{
	int n = node(t, 0, "intc@8000000");

	prop_string(t, n, "compatible", "arm,gic-v3");
	PROP_U32S(t, n, "#interrupt-cells", 3);
	prop(t, n, "interrupt-controller", NULL, 0);
	PROP_U32S(t, n, "#address-cells", 2);
	PROP_U32S(t, n, "#size-cells", 2);
	prop(t, n, "ranges", NULL, 0);
	PROP_U64S(t, n, "reg", A64_GICD, A64_GICD_LEN, A64_GICR, (uint64_t)f->ncpus * A64_GICR_CPU_LEN);
	PROP_U32S(t, n, "interrupts", PPI, 9, LEVEL_HIGH);
	t->gic = phandle(t, n);
	PROP_U32S(t, 0, "interrupt-parent", t->gic);
}

static void add_timer(struct tree *t)
{
	int n = node(t, 0, "timer");

	prop_string(t, n, "compatible", "arm,armv8-timer");
	PROP_U32S(t, n, "interrupts", PPI, 13, LEVEL_HIGH, PPI, 14, LEVEL_HIGH, PPI, 11, LEVEL_HIGH, PPI, 10, LEVEL_HIGH);
	prop(t, n, "always-on", NULL, 0);
}

static void add_uart(struct tree *t)
{
	static const char compatible[] = "arm,pl011\0arm,primecell", names[] = "uartclk\0apb_pclk";
	int n = node(t, 0, "apb-pclk");

	prop_string(t, n, "compatible", "fixed-clock");
	PROP_U32S(t, n, "#clock-cells", 0);
	PROP_U32S(t, n, "clock-frequency", UART_HZ);
	prop_string(t, n, "clock-output-names", "clk24mhz");
	t->clock = phandle(t, n);
	n = node(t, 0, "pl011@9000000");
	prop(t, n, "compatible", compatible, sizeof(compatible));
	PROP_U64S(t, n, "reg", A64_UART, A64_UART_LEN);
	PROP_U32S(t, n, "interrupts", SPI, A64_UART_IRQ, LEVEL_HIGH);
	PROP_U32S(t, n, "clocks", t->clock, t->clock);
	prop(t, n, "clock-names", names, sizeof(names));
}

static void add_virtio(struct tree *t, const struct arm64_fdt *f)
{
	char name[32];

	for (unsigned i = f->nvirtio; i-- > 0;) {
		uint64_t at = A64_VIRTIO + (uint64_t)i * A64_VIRTIO_LEN;
		snprintf(name, sizeof(name), "virtio_mmio@%" PRIx64, at);
		int n = node(t, 0, name);
		prop_string(t, n, "compatible", "virtio,mmio");
		PROP_U64S(t, n, "reg", at, A64_VIRTIO_LEN);
		PROP_U32S(t, n, "interrupts", SPI, A64_VIRTIO_IRQ + i, LEVEL_HIGH);
		prop(t, n, "dma-coherent", NULL, 0);
	}
	if (!f->fwcfg)
		return;
	int n = node(t, 0, "fw-cfg@9020000");
	prop_string(t, n, "compatible", "qemu,fw-cfg-mmio");
	PROP_U64S(t, n, "reg", A64_FWCFG, A64_FWCFG_LEN);
	prop(t, n, "dma-coherent", NULL, 0);
}

static void add_chosen(struct tree *t, const struct arm64_fdt *f)
{
	int n = node(t, 0, "chosen");

	prop_string(t, n, "stdout-path", "/pl011@9000000");
	if (f->bootargs)
		prop_string(t, n, "bootargs", f->bootargs);
	if (f->initrd_len) {
		PROP_U64S(t, n, "linux,initrd-start", f->initrd);
		PROP_U64S(t, n, "linux,initrd-end", f->initrd + f->initrd_len);
	}
	if (f->seed)
		prop(t, n, "kaslr-seed", f->seed, 8);
}

/* --- the whole */

static int open_users(const struct arm64_fdt *f, void *buf, size_t size, struct gyve_err *err)
{
	int r = f->dtb_len < sizeof(struct fdt_header) ? -FDT_ERR_TRUNCATED : fdt_check_full(f->dtb, f->dtb_len);

	if (r)
		return gyve_err_set(err, -EINVAL, "--dtb: not a device tree: %s", fdt_strerror(r));
	r = fdt_open_into(f->dtb, buf, (int)size);
	if (r == -FDT_ERR_NOSPACE)
		return gyve_err_set(err, -E2BIG, "--dtb: the device tree is larger than %zu KiB", size >> 10);
	if (r)
		return gyve_err_set(err, -EINVAL, "--dtb: %s", fdt_strerror(r));
	if (fdt_getprop(buf, 0, "#address-cells", NULL) && (fdt_address_cells(buf, 0) != 2 || fdt_size_cells(buf, 0) != 2))
		return gyve_err_set(err, -EINVAL,
				    "--dtb: the root has %d address and %d size cells; gyve's machine has 2 and 2",
				    fdt_address_cells(buf, 0), fdt_size_cells(buf, 0));
	return 0;
}

int arm64_fdt_write(const struct arm64_fdt *f, void *buf, size_t size, struct gyve_err *err)
{
	struct tree t = {.fdt = buf};
	int r;

	if (size > A64_FDT_MAX)
		size = A64_FDT_MAX;
	if (f->dtb) {
		if ((r = open_users(f, buf, size, err)) < 0)
			return r;
	} else {
		t.r = fdt_create_empty_tree(buf, (int)size);
	}
	PROP_U32S(&t, 0, "#address-cells", 2);
	PROP_U32S(&t, 0, "#size-cells", 2);
	if (!t.r && !fdt_getprop(buf, 0, "compatible", NULL))
		prop_string(&t, 0, "compatible", "linux,dummy-virt");
	if (!t.r && !fdt_getprop(buf, 0, "model", NULL))
		prop_string(&t, 0, "model", "gyve");
	add_gic(&t, f);
	add_virtio(&t, f);
	add_uart(&t);
	add_timer(&t);
	add_cpus(&t, f);
	add_memory(&t, f);
	add_chosen(&t, f);
	if (!t.r)
		t.r = fdt_pack(buf);
	if (t.r == -FDT_ERR_NOSPACE)
		return gyve_err_set(err, -E2BIG, "the device tree does not fit %zu KiB", size >> 10);
	return t.r ? gyve_err_set(err, -EINVAL, "cannot write the device tree: %s", fdt_strerror(t.r)) : 0;
}
