/* arm64 kernels: the header, compression, the device tree, the machine. */
#include "unit.h"

#include "../../src/base/bytes.h"
#include "../../src/linux/arm64.h"
#include "../support/boot.h"
#include "gyve/arch.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

enum { SIZE = 8192, RAM = 0x40000000 };

static uint8_t image[SIZE], packed[2 * SIZE], tree[64 << 10], users[64 << 10];
static struct gyve_err err;

static int setup(void **state)
{
	(void)state;
	memset(image, 0, sizeof(image));
	for (size_t i = 64; i < SIZE; i++)
		image[i] = (uint8_t)(i * 7);
	put_le64(image + 8, 0x1000);    /* text offset */
	put_le64(image + 16, 0x300000); /* memory it takes */
	put_le64(image + 24, 0xa);
	put_le32(image + 56, 0x644d5241);
	return 0;
}

static size_t pack(const void *data, size_t len)
{
	z_stream z = {
		.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len, .next_out = packed, .avail_out = sizeof(packed)};

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t n = z.total_out;
	deflateEnd(&z);
	return n;
}

static int open_it(const void *data, size_t len)
{
	struct arm64_image im;
	int r = arm64_image_open(&im, data, len, 1 << 20, &err);

	if (r == 0)
		arm64_image_close(&im);
	return r;
}

static void test_header(void **state)
{
	struct arm64_image im;

	(void)state;
	assert_true(arm64_image_probe(image, SIZE));
	assert_int_equal(arm64_image_open(&im, image, SIZE, 1 << 20, &err), 0);
	assert_int_equal(im.text_offset, 0x1000);
	assert_int_equal(im.image_size, 0x300000);
	assert_ptr_equal(im.data, image);
	arm64_image_close(&im);
	put_le64(image + 16, 0); /* an old one */
	assert_int_equal(arm64_image_open(&im, image, SIZE, 1 << 20, &err), 0);
	assert_int_equal(im.text_offset, 0x80000);
	assert_int_equal(im.image_size, SIZE);
	arm64_image_close(&im);
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < 64; n++)
		assert_false(arm64_image_probe(image, n));
	put_le64(image + 24, 1);
	assert_int_equal(open_it(image, SIZE), -ENOEXEC);
	assert_non_null(strstr(err.text, "big-endian"));
	put_le64(image + 24, 0);
	put_le64(image + 8, 2 << 20);
	assert_int_equal(open_it(image, SIZE), -ENOEXEC);
	put_le64(image + 8, 0x1008);
	assert_int_equal(open_it(image, SIZE), -ENOEXEC);
	image[56] ^= 1;
	assert_int_equal(open_it(image, SIZE), -ENOEXEC);
}

static void test_compressed(void **state)
{
	struct arm64_image im;
	size_t n = pack(image, SIZE);

	(void)state;
	assert_true(arm64_image_probe(packed, n));
	assert_int_equal(arm64_image_open(&im, packed, n, 1 << 20, &err), 0);
	assert_int_equal(im.size, SIZE);
	assert_memory_equal(im.data, image, SIZE);
	arm64_image_close(&im);
	for (size_t cut = 0; cut < n - 8; cut += 101)
		assert_int_equal(open_it(packed, cut), -ENOEXEC);
	packed[n / 2] ^= 0xff;
	assert_int_equal(open_it(packed, n), -ENOEXEC);
	n = pack("not a kernel, but long enough to have room for a header, which it has not got", 77);
	assert_false(arm64_image_probe(packed, n));
}

/* What a small file unpacks to is bounded. */
static void test_compressed_bomb(void **state)
{
	size_t len = 8 << 20;
	uint8_t *big = calloc(1, len);

	(void)state;
	memcpy(big, image, 64);
	size_t n = pack(big, len);
	free(big);
	assert_int_equal(open_it(packed, n), -ENOEXEC);
	assert_non_null(strstr(err.text, "memory"));
}

/* --- the tree */

static int write_tree(const struct arm64_fdt *f)
{
	memset(&err, 0, sizeof(err));
	memset(tree, 0, sizeof(tree));
	return arm64_fdt_write(f, tree, sizeof(tree), &err);
}

static int at(const char *path)
{
	int n = fdt_path_offset(tree, path);
	assert_true(n >= 0);
	return n;
}

static uint64_t u64(const char *path, const char *name, int i)
{
	int len;
	const fdt64_t *p = fdt_getprop(tree, at(path), name, &len);
	assert_non_null(p);
	assert_true(len >= 8 * (i + 1));
	return fdt64_ld(p + i);
}

static uint32_t u32(const char *path, const char *name, int i)
{
	int len;
	const fdt32_t *p = fdt_getprop(tree, at(path), name, &len);
	assert_non_null(p);
	assert_true(len >= 4 * (i + 1));
	return fdt32_ld(p + i);
}

static void test_tree(void **state)
{
	struct arm64_fdt f = {.ram_len = 1 << 28,
			      .ncpus = 3,
			      .nvirtio = 2,
			      .bootargs = "console=ttyAMA0",
			      .initrd = 0x44000000,
			      .initrd_len = 0x1234};

	(void)state;
	assert_int_equal(write_tree(&f), 0);
	assert_int_equal(fdt_check_full(tree, fdt_totalsize(tree)), 0);
	assert_int_equal(u64("/memory@40000000", "reg", 0), RAM);
	assert_int_equal(u64("/memory@40000000", "reg", 1), 1 << 28);
	assert_int_equal(u32("/cpus/cpu@2", "reg", 0), 2);
	assert_string_equal(fdt_getprop(tree, at("/cpus/cpu@0"), "enable-method", NULL), "psci");
	assert_string_equal(fdt_getprop(tree, at("/psci"), "method", NULL), "hvc");
	assert_int_equal(u32("/", "interrupt-parent", 0), fdt_get_phandle(tree, at("/intc@8000000")));
	assert_int_equal(u64("/intc@8000000", "reg", 3), 3 * 0x20000);
	assert_int_equal(u64("/chosen", "linux,initrd-start", 0), 0x44000000);
	assert_int_equal(u64("/chosen", "linux,initrd-end", 0), 0x44001234);
	assert_string_equal(fdt_getprop(tree, at("/chosen"), "bootargs", NULL), "console=ttyAMA0");
	assert_null(fdt_getprop(tree, at("/chosen"), "kaslr-seed", NULL));
	assert_true(fdt_node_check_compatible(tree, at("/pl011@9000000"), "arm,pl011") == 0);
	assert_int_equal(u32("/virtio_mmio@a000200", "interrupts", 1), 17);
	assert_int_equal(fdt_path_offset(tree, "/virtio_mmio@a000400"), -FDT_ERR_NOTFOUND);
}

static size_t make_users(void)
{
	fdt_create_empty_tree(users, sizeof(users));
	fdt_setprop_u32(users, 0, "#address-cells", 2);
	fdt_setprop_u32(users, 0, "#size-cells", 2);
	fdt_setprop_string(users, 0, "model", "mine");
	int cpus = fdt_add_subnode(users, 0, "cpus");
	for (int i = 9; i >= 0; i--) {
		char name[16];
		snprintf(name, sizeof(name), "cpu@%d", i);
		fdt_setprop_string(users, fdt_add_subnode(users, cpus, name), "device_type", "cpu");
	}
	fdt_add_subnode(users, fdt_subnode_offset(users, 0, "cpus"), "cpu-map");
	fdt_add_subnode(users, 0, "memory@80000000");
	int intc = fdt_add_subnode(users, 0, "intc@8000000");
	fdt_setprop_u32(users, intc, "phandle", 0x8001);
	int chosen = fdt_add_subnode(users, 0, "chosen");
	fdt_setprop_string(users, chosen, "bootargs", "from the tree");
	fdt_setprop_string(users, fdt_add_subnode(users, 0, "sensor"), "compatible", "my,sensor");
	return sizeof(users);
}

static void test_merge(void **state)
{
	struct arm64_fdt f = {.dtb = users, .dtb_len = make_users(), .ram_len = 1 << 28, .ncpus = 1};

	(void)state;
	assert_int_equal(write_tree(&f), 0);
	assert_string_equal(fdt_getprop(tree, 0, "model", NULL), "mine");
	at("/sensor");
	assert_int_equal(fdt_path_offset(tree, "/memory@80000000"), -FDT_ERR_NOTFOUND);
	assert_int_equal(fdt_path_offset(tree, "/cpus/cpu@1"), -FDT_ERR_NOTFOUND);
	assert_int_equal(fdt_path_offset(tree, "/cpus/cpu-map"), -FDT_ERR_NOTFOUND);
	at("/cpus/cpu@0");
	assert_int_equal(u32("/", "interrupt-parent", 0), 0x8001);
	assert_string_equal(fdt_getprop(tree, at("/chosen"), "bootargs", NULL), "from the tree");
	f.bootargs = "mine";
	assert_int_equal(write_tree(&f), 0);
	assert_string_equal(fdt_getprop(tree, at("/chosen"), "bootargs", NULL), "mine");
}

static void test_bad_trees(void **state)
{
	struct arm64_fdt f = {.dtb = users, .dtb_len = make_users(), .ram_len = 1 << 28, .ncpus = 1};

	(void)state;
	fdt_pack(users);
	size_t len = fdt_totalsize(users);
	for (f.dtb_len = 0; f.dtb_len < len; f.dtb_len += 7)
		assert_int_equal(write_tree(&f), -EINVAL);
	f.dtb_len = len;
	for (size_t i = 0; i < len; i++) { /* refused or written, but never a crash */
		users[i] ^= 0xff;
		write_tree(&f);
		users[i] ^= 0xff;
	}
	fdt_setprop_u32(users, 0, "#address-cells", 1);
	assert_int_equal(write_tree(&f), -EINVAL);
	assert_non_null(strstr(err.text, "cells"));
	make_users();
	f.dtb_len = sizeof(users);
	assert_int_equal(arm64_fdt_write(&f, tree, 300, &err), -E2BIG);
}

/* --- the machine, without a hypervisor */

static struct boot b;

static int plan(const char *append, const char *const *args, uint64_t mem, uint64_t initrd_len)
{
	struct gyve_elf elf = {.data = image, .size = SIZE};
	struct gyve_sink out = {0};

	memset(&b, 0, sizeof(b));
	b.params = (struct gyve_boot_params){.ncpus = 1,
					     .append = append,
					     .args = args,
					     .mem_size = mem,
					     .mem_size_given = mem,
					     .initrd = users,
					     .initrd_len = initrd_len};
	return gyve_platform_linux_arm64.plan(&elf, &b.params, &out, &b.layout, &b.state, &b.err);
}

static void test_machine(void **state)
{
	const char *const args[] = {"quiet", "rdinit=/init", NULL};
	static uint8_t ram[16 << 20];
	struct gyve_memmap map;

	(void)state;
	assert_int_equal(plan("console=ttyAMA0", args, sizeof(ram), 100), 0);
	assert_int_equal(b.layout.entry, RAM + 0x1000);
	gyve_memmap_init(&map);
	assert_int_equal(gyve_memmap_add(&map, RAM, sizeof(ram), ram, GYVE_REGION_RAM, "ram"), 0);
	users[0] = 0x5a;
	assert_int_equal(gyve_platform_linux_arm64.load(b.state, &map, &err), 0);
	assert_memory_equal(ram + 0x1000, image, SIZE);
	b.regs.a64.x[1] = 1;
	gyve_platform_linux_arm64.cpu_init(b.state, 0, &b.regs);
	assert_int_equal(b.regs.a64.pc, RAM + 0x1000);
	assert_int_equal(b.regs.a64.x[0], RAM + 0x400000);
	assert_int_equal(b.regs.a64.x[1], 0);
	assert_int_equal(b.regs.a64.sctlr_el1 & 1, 0);
	memcpy(tree, ram + 0x400000, sizeof(tree));
	assert_string_equal(fdt_getprop(tree, at("/chosen"), "bootargs", NULL), "console=ttyAMA0 quiet rdinit=/init");
	assert_int_equal(u64("/chosen", "linux,initrd-start", 0), RAM + 0x600000);
	assert_int_equal(ram[0x600000], 0x5a);
	gyve_platform_linux_arm64.destroy(b.state);
	gyve_memmap_deinit(&map);
}

static void test_machine_refuses(void **state)
{
	static char longer[3000];

	(void)state;
	assert_int_equal(plan(NULL, NULL, 5 << 20, 0), -ENOEXEC); /* the tree does not fit */
	assert_non_null(strstr(b.err.text, "--memory-size"));
	assert_int_equal(plan(NULL, NULL, 16 << 20, 11 << 20), -ENOEXEC);
	assert_int_equal(plan(NULL, NULL, 16 << 20, UINT64_MAX), -ENOEXEC);
	assert_int_equal(plan(NULL, NULL, UINT64_C(1) << 60, 0), -ENOEXEC);
	put_le64(image + 16, UINT64_MAX - 4096);
	assert_int_equal(plan(NULL, NULL, 16 << 20, 0), -ENOEXEC);
	memset(longer, 'x', sizeof(longer) - 1);
	assert_int_equal(plan(longer, NULL, 0, 0), -ENOEXEC);
	assert_non_null(strstr(b.err.text, "command line"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_header, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_compressed, setup),
		cmocka_unit_test_setup(test_compressed_bomb, setup),
		cmocka_unit_test_setup(test_tree, setup),
		cmocka_unit_test_setup(test_merge, setup),
		cmocka_unit_test_setup(test_bad_trees, setup),
		cmocka_unit_test_setup(test_machine, setup),
		cmocka_unit_test_setup(test_machine_refuses, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
