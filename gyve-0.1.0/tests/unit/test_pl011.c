/* The serial port: registers, interrupts, bytes out, bytes in through a real loop. */
#include "unit.h"

#include "../../src/dev/pl011.h"

#include <time.h>
#include <unistd.h>

enum { DR = 0x00, FR = 0x18, LCR_H = 0x2c, CR = 0x30, IMSC = 0x38, RIS = 0x3c, MIS = 0x40, ICR = 0x44, LINE = 7 };
enum { RXFE = 0x10, RXFF = 0x40, TXFE = 0x80, RX = 1 << 4, TX = 1 << 5, RT = 1 << 6 };

static struct {
	struct gyve_pl011 *p;
	struct gyve_dev_host host;
	int level, changes, in[2];
	char out[64];
	size_t n;
} t;

static int irq(void *ctx, unsigned line, bool level)
{
	(void)ctx;
	assert_int_equal(line, LINE);
	__atomic_store_n(&t.level, level, __ATOMIC_SEQ_CST);
	t.changes++;
	return 0;
}

static void sink(void *ctx, const void *buf, size_t len)
{
	(void)ctx;
	assert_true(t.n + len <= sizeof(t.out));
	memcpy(t.out + t.n, buf, len);
	t.n += len;
}

static uint32_t rd(uint64_t offset)
{
	uint32_t v = 0;
	gyve_pl011_access(t.p, false, offset, &v, 4);
	return v;
}

static void wr(uint64_t offset, uint32_t v)
{
	gyve_pl011_access(t.p, true, offset, &v, 4);
}

static int setup(void **state)
{
	struct gyve_sink out = {sink, NULL};

	(void)state;
	memset(&t, 0, sizeof(t));
	t.host.irq = irq;
	assert_int_equal(gyve_loop_create(&t.host.loop), 0);
	assert_int_equal(pipe(t.in), 0);
	assert_int_equal(gyve_pl011_create(&t.p, &t.host, LINE, &out, t.in[0]), 0);
	assert_int_equal(gyve_loop_start(t.host.loop, NULL, NULL, NULL), 0);
	gyve_loop_resume(t.host.loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gyve_loop_pause(t.host.loop);
	gyve_pl011_destroy(t.p);
	gyve_loop_destroy(t.host.loop);
	close(t.in[0]);
	if (t.in[1] >= 0)
		close(t.in[1]);
	return 0;
}

static void type(const char *s)
{
	assert_int_equal(write(t.in[1], s, strlen(s)), strlen(s));
}

static void wait_level(int level)
{
	struct timespec ms = {0, 1000000};
	for (int i = 0; i < 2000 && __atomic_load_n(&t.level, __ATOMIC_SEQ_CST) != level; i++)
		nanosleep(&ms, NULL);
	assert_int_equal(__atomic_load_n(&t.level, __ATOMIC_SEQ_CST), level);
}

static void test_is_a_pl011(void **state)
{
	static const uint8_t id[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(rd(0xfe0 + 4 * i), id[i]);
	assert_int_equal(rd(FR), TXFE | RXFE);
	assert_int_equal(rd(CR), 0x300);
}

static void test_output(void **state)
{
	(void)state;
	wr(DR, 'h');
	wr(DR, 'i');
	assert_int_equal(t.n, 2);
	assert_memory_equal(t.out, "hi", 2);
	assert_int_equal(rd(RIS), TX);
	assert_int_equal(t.level, 0);
	wr(IMSC, TX);
	assert_int_equal(t.level, 1);
	assert_int_equal(rd(MIS), TX);
	wr(ICR, TX);
	assert_int_equal(t.level, 0);
}

static void test_input(void **state)
{
	(void)state;
	wr(LCR_H, 0x70);
	wr(IMSC, RX | RT);
	type("ab"); /* waits outside until the port is on */
	wr(CR, 0x301);
	wait_level(1);
	wr(ICR, RX | RT); /* does not lose what is there */
	assert_int_equal(t.level, 1);
	assert_int_equal(rd(FR) & RXFE, 0);
	assert_int_equal(rd(DR), 'a');
	assert_int_equal(rd(DR), 'b');
	assert_int_equal(t.level, 0);
	assert_int_equal(rd(FR) & RXFE, RXFE);
	type("c");
	wait_level(1);
	assert_int_equal(rd(DR), 'c');
}

static void test_without_fifo_one_byte_at_a_time(void **state)
{
	(void)state;
	wr(IMSC, RX);
	type("xyz");
	wr(CR, 0x301);
	for (const char *s = "xyz"; *s; s++) {
		wait_level(1);
		assert_int_equal(rd(FR) & RXFF, RXFF);
		assert_int_equal(rd(DR), *s);
	}
	assert_int_equal(rd(FR) & RXFE, RXFE);
}

static void test_end_of_input(void **state)
{
	(void)state;
	wr(LCR_H, 0x70);
	wr(IMSC, RX);
	wr(CR, 0x301);
	type("e");
	close(t.in[1]);
	t.in[1] = -1;
	wait_level(1);
	assert_int_equal(rd(DR), 'e');
	wr(DR, '!');
	assert_int_equal(t.out[0], '!');
}

static void test_loopback_and_reset(void **state)
{
	(void)state;
	wr(CR, 0x381);
	wr(IMSC, RX);
	wr(DR, 'l');
	assert_int_equal(t.n, 0);
	assert_int_equal(t.level, 1);
	gyve_pl011_reset(t.p);
	assert_int_equal(t.level, 0);
	assert_int_equal(rd(IMSC), 0);
	assert_int_equal(rd(FR), TXFE | RXFE);
}

static void test_any_size_and_offset(void **state)
{
	uint8_t buf[8];

	(void)state;
	for (uint64_t offset = 0; offset < GYVE_PL011_LEN; offset++)
		for (unsigned len = 1; len <= 8; len *= 2) {
			memset(buf, offset == DR ? 0 : 0xff, sizeof(buf));
			if (offset != DR)
				gyve_pl011_access(t.p, true, offset, buf, len);
			gyve_pl011_access(t.p, false, offset, buf, len);
		}
	memset(buf, 0xff, sizeof(buf));
	gyve_pl011_access(t.p, false, FR, buf, 8);
	assert_int_equal(buf[7], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_is_a_pl011, setup, teardown),
		cmocka_unit_test_setup_teardown(test_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_fifo_one_byte_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_of_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_loopback_and_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_size_and_offset, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
