/* libgdbstub byte by byte: framing, acknowledgements, damaged and cut packets. */
#include "stub_client.h"

static void feed_text(const char *text)
{
	client_feed(text, strlen(text));
}

static void test_acknowledged(void **state)
{
	(void)state;
	feed_text("$qC#b4");
	assert_string_equal(client_raw(NULL), "+$QC1#c5");
	feed_text("+");
	assert_string_equal(client_raw(NULL), "");
	feed_text("$vMustReplyEmpty#3a");
	assert_string_equal(client_raw(NULL), "+$#00");
}

static void test_resend(void **state)
{
	(void)state;
	feed_text("-"); /* nothing was sent yet */
	assert_string_equal(client_raw(NULL), "");
	feed_text("$qC#b4");
	assert_string_equal(client_raw(NULL), "+$QC1#c5");
	feed_text("--");
	assert_string_equal(client_raw(NULL), "$QC1#c5$QC1#c5");
	feed_text("+-");
	assert_string_equal(client_raw(NULL), "");
}

static void test_no_ack(void **state)
{
	(void)state;
	feed_text("$QStartNoAckMode#b0");
	assert_string_equal(client_raw(NULL), "+$OK#9a");
	feed_text("+$qC#b4");
	assert_string_equal(client_raw(NULL), "$QC1#c5");
	feed_text("-+-");
	assert_string_equal(client_raw(NULL), "");
	feed_text("$qC#00"); /* nobody will send it again: an answer, and no obedience */
	assert_string_equal(client_raw(NULL), "$E4a#da");
	feed_text("$qC#zz");
	assert_string_equal(client_raw(NULL), "$E4a#da");
	assert_string_equal(fake.log, "");
}

static void test_bad_checksum(void **state)
{
	(void)state;
	feed_text("$M1000,1:ff#00");
	assert_string_equal(client_raw(NULL), "-");
	feed_text("$M1000,1:ff#g0");
	assert_string_equal(client_raw(NULL), "-");
	assert_int_equal(fake.low[0], 0);
	client_send("M1000,1:ff", 10);
	assert_string_equal(client_raw(NULL), "+$OK#9a");
	assert_int_equal(fake.low[0], 0xff);
	feed_text("$qC#B4"); /* either case */
	assert_string_equal(client_raw(NULL), "+$QC1#c5");
}

static void test_began_anew(void **state)
{
	(void)state;
	feed_text("junk}*#12$M1000,1:$qC#b4");
	assert_string_equal(client_raw(NULL), "+$QC1#c5");
	feed_text("$qC#$qC#b4");
	assert_string_equal(client_raw(NULL), "+$QC1#c5");
	feed_text("$qC}$qC#b4"); /* in the middle of an escape */
	assert_string_equal(client_raw(NULL), "+$QC1#c5");
}

static void feed_summed(const char *body)
{
	char text[256];
	uint8_t sum = 0;

	for (const char *p = body; *p; p++)
		sum = (uint8_t)(sum + (uint8_t)*p);
	snprintf(text, sizeof(text), "$%s#%02x", body, sum);
	feed_text(text);
}

static void test_run_lengths_in(void **state)
{
	(void)state;
	memset(fake.low, 0x55, 16);
	feed_summed("M1000,5:0*&"); /* one and nine zeros */
	assert_string_equal(client_raw(NULL), "+$OK#9a");
	assert_memory_equal(fake.low, "\0\0\0\0\0\x55", 6);
	feed_summed("X1000,6:}\x03* "); /* runs are of characters sent: an escape, then three more of its second one */
	assert_int_equal(client_raw(NULL)[2], 'E'); /* '#' and three 0x03 are four bytes */
	feed_summed("X1000,4:}\x03* ");
	assert_string_equal(client_raw(NULL), "+$OK#9a");
	assert_memory_equal(fake.low, "#\3\3\3", 4);
	static const char *const damaged[] = {"*!", "m*", "m0*\x1f", "m0*\x7f", "m0*\"*\"", "X1000,1:}"};
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		feed_summed(damaged[i]);
		assert_string_equal(client_raw(NULL), "+$E16#ac");
	}
	feed_summed("m0*~*~"); /* counts cannot be run together into a flood */
	assert_int_equal(client_raw(NULL)[2], 'E');
}

static void test_sizes(void **state)
{
	size_t n = GDBSTUB_PACKET_SIZE + 1;
	char *body = malloc(n);

	(void)state;
	assert_non_null(body);
	memset(body, 'q', n);
	client_send(body, n - 1);
	assert_string_equal(client_raw(NULL), "+$#00"); /* just fits, and nobody knows it */
	client_send(body, n);
	assert_string_equal(client_raw(NULL), "+$E5a#db");
	client_send(body, n - 1);
	assert_string_equal(client_raw(NULL), "+$#00");
	feed_text("$");
	for (int i = 0; i < 20; i++)
		client_feed(body, n);
	feed_text("#00");
	assert_int_equal(strlen(client_raw(NULL)) <= 9, 1);
	feed_text("$qC#b4");
	assert_string_equal(client_raw(NULL), "+$QC1#c5");
	free(body);
}

/* Replies that fill the packet: escapes and digits must not push them over. client_packet() checks each one's length. */
static void test_full_replies(void **state)
{
	static char image[1 << 18];
	size_t n;

	(void)state;
	memset(image, '*', sizeof(image));
	memset(fake.low, '}', sizeof(fake.low));
	client_send("x1000,1000", 10);
	client_packet(&n);
	assert_int_equal(n, 1 + FAKE_SIZE);
	gdbstub_monitor_print(stub, image, sizeof(image)); /* neither in a command nor running */
	assert_silent();
	client_send("c", 1);
	gdbstub_monitor_print(stub, image, sizeof(image));
	for (size_t total = 0; total < sizeof(image); total += (n - 1) / 2)
		assert_non_null(client_packet(&n));
	assert_silent();
}

static void test_client_reads_nothing(void **state)
{
	const void *p;

	(void)state;
	for (int i = 0; i < 100000 && fed == 0; i++)
		client_send("x1000,1000", 10);
	assert_int_equal(fed, -ECONNRESET);
	assert_true(gdbstub_output(stub, &p) < 33u << 20);
}

static char traced[64];
static void trace(void *ctx, char dir, const char *data, size_t len)
{
	size_t n = strlen(traced);

	(void)ctx;
	snprintf(traced + n, sizeof(traced) - n, "%c%.*s ", dir, (int)len, data);
}

static void test_trace(void **state)
{
	(void)state;
	gdbstub_set_trace(stub, trace, NULL);
	feed_text("$qC#b4");
	assert_string_equal(traced, "<qC >QC1 ");
}

/* --- every packet, whole and cut */

static const struct {
	const char *text;
	size_t len; /* 0: strlen */
} packets[] = {
	{"?", 0},
	{"qSupported:swbreak+;hwbreak+;error-message+;xmlRegisters=i386", 0},
	{"QNonStop:0", 0},
	{"Qqemu.PhyMemMode:1", 0},
	{"qqemu.PhyMemMode", 0},
	{"qXfer:features:read:target.xml:10,40", 0},
	{"qXfer:threads:read::0,100", 0},
	{"qXfer:memory-map:read::0,100", 0},
	{"qXfer:exec-file:read:1:0,100", 0},
	{"qfThreadInfo", 0},
	{"qsThreadInfo", 0},
	{"qThreadExtraInfo,2", 0},
	{"qC", 0},
	{"qAttached:1", 0},
	{"qOffsets", 0},
	{"qSymbol::", 0},
	{"qTStatus", 0},
	{"qRcmd,68656c6c6f", 0},
	{"Hg1", 0},
	{"Hc-1", 0},
	{"T2", 0},
	{"g", 0},
	{"G1000000000000000110000000000000012000000000000001300000014000000xxxxxxxxxxxxxxxx"
	 "1600000000000000000000000000000017000000000000000000000000000000",
	 0},
	{"p0d", 0},
	{"P2=1122334455667788", 0},
	{"m1000,10", 0},
	{"M1000,4:01020304", 0},
	{"X1000,6:#$}*\0\003", 14},
	{"x1000,10", 0},
	{"Z0,1000,1", 0},
	{"z0,1000,1", 0},
	{"Z2,1000,8", 0},
	{"z2,1000,8", 0},
	{"vMustReplyEmpty", 0},
	{"vCont?", 0},
	{"vCtrlC", 0},
	{"vFile:setfs:0", 0},
	{"vFile:open:2f66616b652f696d616765,0,1c0", 0},
	{"vFile:fstat:5", 0},
	{"vFile:pread:5,40,0", 0},
	{"vFile:close:5", 0},
	{"vCont;C05:1;S05:2;r1000,1010:3;t", 0},
	{"vCont;s:1;c", 0},
	{"C05;1234", 0},
	{"S05;1234", 0},
	{"c1234", 0},
	{"s1234", 0},
	{"R00", 0},
	{"D;1", 0},
	{"vKill;1", 0},
	{"k", 0},
};

static size_t packet_len(size_t i)
{
	return packets[i].len ? packets[i].len : strlen(packets[i].text);
}

/* After each cut packet the session is whole: one answer to the next, unless it ended. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		for (size_t n = 0; n < packet_len(i); n++) {
			unsigned answers = 0;
			client_setup(NULL);
			client_send(packets[i].text, n);
			for (const char *p; (p = client_packet(NULL)) != NULL;)
				answers += p[0] != 'O' || strcmp(p, "OK") == 0; /* console text comes on top */
			if (fed == 0) {
				if (gdbstub_running(stub)) {
					assert_int_equal(answers, 0);
					gdbstub_report_stop(stub, &fake.stop);
					assert_non_null(client_packet(NULL));
				} else if (n != 0 && packets[i].text[0] != 'R') {
					assert_int_equal(answers, 1);
				}
				assert_answer("qC", "QC1");
			}
			client_teardown(NULL);
		}
	}
}

/* The same session in pieces of every size gives the same bytes. */
static size_t whole_session(size_t split, char *out, size_t size)
{
	size_t total = 0, n;
	const char *p;

	client_setup(NULL);
	client_split = split;
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		if (strchr("Dk", packets[i].text[0]) || strcmp(packets[i].text, "vKill;1") == 0)
			continue;
		client_send(packets[i].text, packet_len(i));
		if (gdbstub_running(stub)) {
			fake.running = false;
			gdbstub_report_stop(stub, &fake.stop);
		}
		p = client_raw(&n);
		assert_true(total + n <= size);
		memcpy(out + total, p, n);
		total += n;
		assert_int_equal(fed, 0);
	}
	client_teardown(NULL);
	return total;
}

static void test_splits(void **state)
{
	static char all[1 << 16], pieces[1 << 16];
	size_t n = whole_session(0, all, sizeof(all));

	(void)state;
	assert_true(n > 1000);
	for (size_t split = 1; split < 20; split++) {
		assert_int_equal(whole_session(split, pieces, sizeof(pieces)), n);
		assert_memory_equal(pieces, all, n);
	}
}

/* One byte of each packet replaced by every value, under a right checksum. */
static void test_flipped(void **state)
{
	char text[256];

	(void)state;
	client_setup(NULL);
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		for (size_t at = 0; at < packet_len(i); at++) {
			for (unsigned v = 0; v < 256; v += 7) {
				memcpy(text, packets[i].text, packet_len(i));
				text[at] = (char)v;
				client_send(text, packet_len(i));
				while (client_packet(NULL))
					;
				if (gdbstub_running(stub))
					gdbstub_report_stop(stub, &fake.stop);
				fake.log[0] = '\0';
				if (fed < 0) {
					client_teardown(NULL);
					client_setup(NULL);
				}
			}
		}
	}
	client_teardown(NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, client_setup, client_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_acknowledged),
		T(test_resend),
		T(test_no_ack),
		T(test_bad_checksum),
		T(test_began_anew),
		T(test_run_lengths_in),
		T(test_sizes),
		T(test_full_replies),
		T(test_client_reads_nothing),
		T(test_trace),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_flipped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
