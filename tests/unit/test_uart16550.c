/* The PC's serial port: registers, interrupts, bytes out, bytes in through a real loop. */
#include "unit.h"

#include "../../src/dev/uart16550.h"

#include <time.h>
#include <unistd.h>

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR, LINE = 4 };
enum { DTR = 1, RTS = 2, OUT1 = 4, OUT2 = 8, LOOP = 16, DLAB = 0x80 };

static struct {
	struct uart16550 *u;
	struct gyve_dev_host host;
	int level, in[2];
	char out[64];
	size_t n;
} t;

static int irq(void *ctx, unsigned line, bool level)
{
	(void)ctx;
	assert_int_equal(line, LINE);
	__atomic_store_n(&t.level, level, __ATOMIC_SEQ_CST);
	return 0;
}

static void sink(void *ctx, const void *buf, size_t len)
{
	(void)ctx;
	assert_true(t.n + len <= sizeof(t.out));
	memcpy(t.out + t.n, buf, len);
	t.n += len;
}

static unsigned rd(uint64_t offset)
{
	uint8_t v = 0;
	uart16550_access(t.u, false, offset, &v, 1);
	return v;
}

static void wr(uint64_t offset, uint8_t v)
{
	uart16550_access(t.u, true, offset, &v, 1);
}

static int level(void)
{
	return __atomic_load_n(&t.level, __ATOMIC_SEQ_CST);
}

static int setup(void **state)
{
	struct gyve_sink out = {sink, NULL};

	(void)state;
	memset(&t, 0, sizeof(t));
	t.host.irq = irq;
	assert_int_equal(gyve_loop_create(&t.host.loop), 0);
	assert_int_equal(pipe(t.in), 0);
	assert_int_equal(uart16550_create(&t.u, &t.host, LINE, &out, t.in[0]), 0);
	assert_int_equal(gyve_loop_start(t.host.loop, NULL, NULL, NULL), 0);
	gyve_loop_resume(t.host.loop);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gyve_loop_pause(t.host.loop);
	uart16550_destroy(t.u);
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

/* Up to ten seconds, on a busy machine. */
static bool becomes_ready(void)
{
	struct timespec ms = {.tv_nsec = 1000000};

	for (int i = 0; i < 10000 && !(rd(LSR) & 1); i++)
		nanosleep(&ms, NULL);
	return rd(LSR) & 1;
}

static void test_output(void **state)
{
	(void)state;
	assert_int_equal(rd(LSR), 0x60);
	wr(LCR, DLAB | 3);
	wr(DATA, 1);
	wr(IER, 0);
	assert_int_equal(rd(DATA), 1);
	wr(LCR, 3);
	wr(DATA, 'h');
	wr(DATA, 'i');
	assert_int_equal(t.n, 2);
	assert_memory_equal(t.out, "hi", 2);
	wr(SCR, 0x5a);
	assert_int_equal(rd(SCR), 0x5a);
}

/* What drivers look at to tell a 16550A from its elders. */
static void test_kind(void **state)
{
	(void)state;
	assert_int_equal(rd(IIR), 1);
	wr(FCR, 1);
	assert_int_equal(rd(IIR), 0xc1);
	wr(MCR, LOOP | RTS | OUT2);
	assert_int_equal(rd(MSR) & 0xf0, 0x90);
	wr(MCR, LOOP | DTR | OUT1);
	assert_int_equal(rd(MSR) & 0xf0, 0x60);
	wr(DATA, 'x'); /* comes back, and is not said */
	assert_int_equal(rd(DATA), 'x');
	assert_int_equal(t.n, 0);
	wr(MCR, 0);
	assert_int_equal(rd(MSR), 0xb0);
}

static void test_transmitter_interrupt(void **state)
{
	(void)state;
	wr(IER, 2);
	assert_int_equal(level(), 0); /* OUT2 is the gate */
	wr(MCR, OUT2);
	assert_int_equal(level(), 1);
	assert_int_equal(rd(IIR), 2); /* which takes it back */
	assert_int_equal(level(), 0);
	assert_int_equal(rd(IIR), 1);
	wr(DATA, 'a');
	assert_int_equal(level(), 1);
	wr(IER, 0);
	assert_int_equal(level(), 0);
}

static void test_input(void **state)
{
	(void)state;
	type("abc");
	wr(FCR, 1);
	wr(IER, 1);
	wr(MCR, DTR | OUT2);
	assert_true(becomes_ready());
	assert_int_equal(level(), 1);
	assert_int_equal(rd(IIR) & 0xf, 4);
	assert_int_equal(rd(DATA), 'a');
	assert_int_equal(rd(DATA), 'b');
	assert_int_equal(rd(DATA), 'c');
	assert_int_equal(level(), 0);
	assert_int_equal(rd(LSR) & 1, 0);
}

/* Fourteen are asked for and three are there: no more come, so the timeout says it. Then too many, in the loop. */
static void test_levels_and_overrun(void **state)
{
	(void)state;
	wr(FCR, 0xc1);
	wr(IER, 5);
	wr(MCR, LOOP);
	for (int i = 0; i < 3; i++)
		wr(DATA, 'a');
	assert_int_equal(rd(IIR), 0xcc);
	for (int i = 0; i < 13; i++)
		wr(DATA, 'b');
	assert_int_equal(rd(IIR), 0xc4);
	wr(DATA, 'c');
	assert_int_equal(rd(IIR), 0xc6);
	assert_int_equal(rd(LSR), 0x63);
	assert_int_equal(rd(LSR), 0x61);
	wr(FCR, 0xc3);
	assert_int_equal(rd(LSR), 0x60);
}

static void test_input_ends_and_reset(void **state)
{
	(void)state;
	type("z");
	close(t.in[1]);
	t.in[1] = -1;
	wr(MCR, DTR);
	assert_true(becomes_ready());
	assert_int_equal(rd(DATA), 'z');
	wr(IER, 2);
	wr(MCR, OUT2);
	assert_int_equal(level(), 1);
	uart16550_reset(t.u);
	assert_int_equal(level(), 0);
	assert_int_equal(rd(IER), 0);
	assert_int_equal(rd(LSR), 0x60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transmitter_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels_and_overrun, setup, teardown),
		cmocka_unit_test_setup_teardown(test_input_ends_and_reset, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
