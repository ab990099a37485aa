#include "unit.h"

#include "gyve/mem.h"

static uint8_t a[64], b[32];

static int setup(void **state)
{
	static struct gyve_memmap m;
	gyve_memmap_init(&m);
	assert_int_equal(gyve_memmap_add(&m, 0x2000, sizeof(b), b, GYVE_REGION_RAM, "b"), 0);
	assert_int_equal(gyve_memmap_add(&m, 0x1000, sizeof(a), a, GYVE_REGION_RAM, "a"), 0);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	gyve_memmap_deinit(*state);
	return 0;
}

static void test_add_refuses(void **state)
{
	assert_int_equal(gyve_memmap_add(*state, 0x1010, 4, a, 0, ""), -EEXIST);
	assert_int_equal(gyve_memmap_add(*state, 0xff0, 0x11, a, 0, ""), -EEXIST);
	assert_int_equal(gyve_memmap_add(*state, 0, 0x10000, a, 0, ""), -EEXIST);
	assert_int_equal(gyve_memmap_add(*state, UINT64_MAX - 3, 8, a, 0, ""), -EINVAL);
	assert_int_equal(gyve_memmap_add(*state, 0, 0, a, 0, ""), -EINVAL);
	assert_int_equal(gyve_memmap_add(*state, 0x1040, 0x10, a, 0, ""), 0);
}

static void test_ptr_is_bounded(void **state)
{
	assert_ptr_equal(gyve_memmap_ptr(*state, 0x1000, 64), a);
	assert_ptr_equal(gyve_memmap_ptr(*state, 0x103f, 1), a + 63);
	assert_null(gyve_memmap_ptr(*state, 0x103f, 2));
	assert_null(gyve_memmap_ptr(*state, 0xfff, 1));
	assert_null(gyve_memmap_ptr(*state, 0x1000, UINT64_MAX));
	assert_null(gyve_memmap_ptr(*state, 0x1000, 0));
}

static void test_copy_is_short_at_a_gap(void **state)
{
	uint8_t buf[128];
	assert_int_equal(gyve_memmap_write(*state, 0x2000, "xyz", 3), 3);
	assert_int_equal(gyve_memmap_read(*state, 0x2001, buf, sizeof(buf)), 31);
	assert_memory_equal(buf, "yz", 2);
	assert_int_equal(gyve_memmap_read(*state, 0x3000, buf, 1), -EFAULT);
	assert_int_equal(gyve_memmap_read(*state, UINT64_MAX, buf, 8), -EFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ptr_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy_is_short_at_a_gap, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
