/* The bus and the loop. */
#include "unit.h"

#include "gyve/dev.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static uint64_t last_offset;

static void access_fn(void *dev, bool write, uint64_t offset, void *data, unsigned len)
{
	last_offset = offset;
	if (!write)
		memset(data, *(int *)dev, len);
}

static void test_bus(void **state)
{
	struct gyve_bus bus = {0};
	int one = 1, two = 2;
	uint8_t buf[8] = {0};
	struct gyve_access a = {.addr = 0x3f9, .len = 1, .pio = true, .data = buf};

	(void)state;
	assert_int_equal(gyve_bus_add(&bus, true, 0x3f8, 8, access_fn, &one), 0);
	assert_int_equal(gyve_bus_add(&bus, false, 0x3f8, 8, access_fn, &two), 0);
	assert_int_equal(gyve_bus_add(&bus, true, 0x3ff, 1, access_fn, &one), -EEXIST);
	assert_int_equal(gyve_bus_add(&bus, true, 0x3f0, 9, access_fn, &one), -EEXIST);
	assert_int_equal(gyve_bus_add(&bus, true, 0x3f0, 0, access_fn, &one), -EINVAL);
	assert_int_equal(gyve_bus_add(&bus, true, UINT64_MAX, 2, access_fn, &one), -EINVAL);
	assert_true(gyve_bus_access(&bus, &a));
	assert_int_equal(buf[0], 1);
	assert_int_equal(last_offset, 1);
	a.pio = false;
	a.len = 4;
	assert_true(gyve_bus_access(&bus, &a));
	assert_int_equal(buf[3], 2);
	a.addr = 0x3fd;
	assert_false(gyve_bus_access(&bus, &a)); /* its last byte is outside */
	a.addr = 0x3f7;
	assert_false(gyve_bus_access(&bus, &a));
}

static int got[2];

static void reader(void *ctx, unsigned revents)
{
	char c;
	if (revents & POLLIN && read(got[0], &c, 1) == 1)
		__atomic_add_fetch((int *)ctx, 1, __ATOMIC_SEQ_CST);
}

static int count_after(int *count, int want)
{
	for (int i = 0; i < 2000 && __atomic_load_n(count, __ATOMIC_SEQ_CST) < want; i++)
		usleep(1000);
	return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}

static int begins(void *ctx, struct gyve_err *err)
{
	return ctx ? gyve_err_set(err, -EPERM, "not here") : 0;
}

static void test_loop(void **state)
{
	struct gyve_loop *l;
	struct gyve_err err = {0};
	int count = 0;

	(void)state;
	assert_int_equal(pipe(got), 0);
	assert_int_equal(gyve_loop_create(&l), 0);
	assert_int_equal(gyve_loop_watch(l, got[0], POLLIN, reader, &count), 0);
	assert_int_equal(gyve_loop_start(l, begins, NULL, &err), 0);
	assert_int_equal(write(got[1], "ab", 2), 2);
	usleep(20000);
	assert_int_equal(count, 0); /* it starts paused */
	gyve_loop_resume(l);
	assert_int_equal(count_after(&count, 2), 2);
	gyve_loop_pause(l);
	assert_int_equal(write(got[1], "c", 1), 1);
	usleep(20000);
	assert_int_equal(count, 2);
	gyve_loop_resume(l);
	assert_int_equal(count_after(&count, 3), 3);
	gyve_loop_unwatch(l, got[0]);
	assert_int_equal(write(got[1], "d", 1), 1);
	usleep(20000);
	assert_int_equal(count, 3);
	gyve_loop_destroy(l);
	gyve_loop_destroy(NULL);
	assert_int_equal(gyve_loop_create(&l), 0);
	assert_int_equal(gyve_loop_start(l, begins, l, &err), -EPERM);
	gyve_loop_destroy(l);
	close(got[0]);
	close(got[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_bus), cmocka_unit_test(test_loop)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
