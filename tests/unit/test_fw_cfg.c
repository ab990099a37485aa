/* The firmware configuration device as Linux's driver uses it, and as a hostile one does. */
#include "unit.h"

#include "../../src/base/bytes.h"
#include "../../src/dev/fw_cfg.h"

enum { BASE = 0x40000000, RAM = 0x2000 };

static uint8_t ram[RAM];
static struct gyve_memmap map;
static struct fw_cfg *f;

static int setup(void **state)
{
	(void)state;
	memset(ram, 0, sizeof(ram));
	gyve_memmap_init(&map);
	assert_int_equal(gyve_memmap_add(&map, BASE, RAM, ram, GYVE_REGION_RAM, "ram"), 0);
	return fw_cfg_create(&f, &map);
}

static int teardown(void **state)
{
	(void)state;
	fw_cfg_destroy(f);
	gyve_memmap_deinit(&map);
	return 0;
}

static void select_key(uint16_t key)
{
	uint8_t be[2] = {(uint8_t)(key >> 8), (uint8_t)key};
	fw_cfg_access(f, true, 8, be, 2);
}

static void put_be(uint8_t *p, uint64_t v, unsigned len)
{
	while (len--) {
		p[len] = (uint8_t)v;
		v >>= 8;
	}
}

/* As iowrite32be() of both halves. What is left in the control word. */
static uint32_t dma(uint32_t control, uint32_t len, uint64_t addr)
{
	uint8_t half[4];

	put_be(ram, control, 4);
	put_be(ram + 4, len, 4);
	put_be(ram + 8, addr, 8);
	put_be(half, 0, 4);
	fw_cfg_access(f, true, 16, half, 4);
	put_be(half, BASE, 4);
	fw_cfg_access(f, true, 20, half, 4);
	return (uint32_t)ram[0] << 24 | (uint32_t)ram[1] << 16 | (uint32_t)ram[2] << 8 | ram[3];
}

static void test_found_by_its_signature(void **state)
{
	char text[8] = "";

	(void)state;
	select_key(0);
	for (unsigned i = 0; i < 4; i++)
		fw_cfg_access(f, false, 0, text + i, 1);
	assert_memory_equal(text, "QEMU", 4);
	fw_cfg_access(f, false, 16, text, 8);
	assert_memory_equal(text, "QEMU CFG", 8);
	assert_int_equal(dma(1 << 16 | 8 | 2, 4, BASE + 0x100), 0);
	assert_int_equal(get_le32(ram + 0x100), 3);
}

static void test_vmcoreinfo(void **state)
{
	gyve_gpa_t gpa;
	uint32_t len;

	(void)state;
	assert_false(fw_cfg_vmcoreinfo(f, &gpa, &len));
	assert_int_equal(dma(0x19 << 16 | 8 | 2, 68, BASE + 0x100), 0);
	assert_int_equal(ram[0x103], 1);
	assert_int_equal(ram[0x107], 16);
	assert_string_equal(ram + 0x10c, "etc/vmcoreinfo");
	uint32_t key = ram[0x109];
	put_le16(ram + 0x200, 0);
	put_le16(ram + 0x202, 1);
	put_le32(ram + 0x204, 3442);
	put_le64(ram + 0x208, BASE + 0x1000);
	assert_int_equal(dma(key << 16 | 8 | 16, 16, BASE + 0x200), 0);
	assert_true(fw_cfg_vmcoreinfo(f, &gpa, &len));
	assert_int_equal(gpa, BASE + 0x1000);
	assert_int_equal(len, 3442);
	fw_cfg_reset(f);
	assert_false(fw_cfg_vmcoreinfo(f, &gpa, &len));
}

static void test_hostile(void **state)
{
	uint8_t buf[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	assert_int_equal(dma(0 << 16 | 8 | 2, UINT32_MAX, BASE + 0x100) & 1, 1); /* memory ends before */
	assert_int_equal(dma(0 << 16 | 8 | 2, 4, UINT64_MAX - 1), 1);
	assert_int_equal(dma(0x20 << 16 | 8 | 16, 17, BASE + 0x200), 1);
	assert_int_equal(dma(0x20 << 16 | 8 | 16, 16, 0), 1);
	assert_int_equal(dma(0 << 16 | 8 | 16, 4, BASE + 0x200), 1); /* not to be written */
	assert_int_equal(dma(4, UINT32_MAX, 0), 0);
	assert_int_equal(dma(4, UINT32_MAX, 0), 0);
	assert_int_equal(dma(2, 4, BASE + 0x100), 0);
	assert_int_equal(get_le32(ram + 0x100), 0);
	fw_cfg_access(f, true, 16, buf, 8); /* the request is nowhere */
	for (uint64_t offset = 0; offset < FW_CFG_LEN; offset++)
		for (unsigned len = 1; len <= 8 && offset + len <= FW_CFG_LEN; len *= 2) {
			fw_cfg_access(f, true, offset, buf, len);
			fw_cfg_access(f, false, offset, buf, len);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_found_by_its_signature, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vmcoreinfo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
