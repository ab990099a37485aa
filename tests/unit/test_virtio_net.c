/* The network card over a back end that remembers, and the grammar of --net. */
#include "unit.h"

#include <stdlib.h>

#include "../../src/base/bytes.h"
#include "../support/fake_net.h"
#include "../support/ring.h"
#include "gyve/log.h"

enum { COMMON = 0x88, RX_RING = FAKE_BASE, TX_RING = FAKE_BASE + 0x2000, DATA = FAKE_BASE + 0x8000, SIZE = 8, BUFFER = 1000 };
enum { CSUM = 1, GUEST_CSUM = 2, MRG_RXBUF = 1 << 15 };

static struct fake_net f;
static struct ring rx, tx;

static void start(uint32_t features)
{
	struct ring *rings[] = {&rx, &tx};

	ring_init(&rx, f.ram, FAKE_BASE, RX_RING, SIZE);
	ring_init(&tx, f.ram, FAKE_BASE, TX_RING, SIZE);
	memset(f.ram, 0, 0x4000);
	for (unsigned i = 0; i < 3; i++)
		fake_net_write(&f, COMMON + 20, (uint64_t[]){0, 1, 3}[i], 1);
	fake_net_write(&f, COMMON + 12, features, 4);
	fake_net_write(&f, COMMON + 8, 1, 4);
	fake_net_write(&f, COMMON + 12, 1, 4);
	fake_net_write(&f, COMMON + 20, 0xb, 1);
	for (unsigned q = 0; q < 2; q++) {
		fake_net_write(&f, COMMON + 22, q, 2);
		fake_net_write(&f, COMMON + 24, SIZE, 2);
		fake_net_write(&f, COMMON + 32, rings[q]->desc, 8);
		fake_net_write(&f, COMMON + 40, rings[q]->avail, 8);
		fake_net_write(&f, COMMON + 48, rings[q]->used, 8);
		fake_net_write(&f, COMMON + 28, 1, 2);
	}
	fake_net_write(&f, COMMON + 20, 0xf, 1);
	assert_int_equal(fake_net_read(&f, COMMON + 20, 1), 0xf);
	fake_net_run(&f);
}

static int setup(void **state)
{
	(void)state;
	return fake_net_open(&f);
}

static int teardown(void **state)
{
	(void)state;
	fake_net_close(&f);
	return 0;
}

static void give_buffers(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned k = rx.avail_idx % SIZE;
		ring_desc(&rx, k, DATA + k * BUFFER, BUFFER, RING_WRITE, 0);
		ring_offer(&rx, (uint16_t)k);
	}
	fake_net_write(&f, 0xd0, 0, 2);
	fake_net_run(&f);
}

static uint8_t frame[9014];

static void test_configuration(void **state)
{
	(void)state;
	assert_int_equal(fake_net_read(&f, 0xd8, 8), 0x1030201005452);
	assert_int_equal(fake_net_read(&f, 0xd8 + 10, 2), 9000);
	assert_int_equal(fake_net_read(&f, 0xd8 + 12, 8), 0);
	assert_int_equal(fake_net_read(&f, COMMON + 4, 4) & 0x1802b, 0x1802b);
}

static void test_receive(void **state)
{
	uint32_t head, len;
	uint8_t header[NET_HEADER] = {1, 5, 9, 9, 9, 9, 34, 0, 16, 0, 7, 7};

	(void)state;
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 7);
	assert_true(fake_net_arrive(&f, NULL, frame, 60)); /* nobody is there: it is gone */
	start(GUEST_CSUM);
	assert_true(f.partial);
	assert_true(f.ready); /* whoever comes first finds out */
	assert_false(fake_net_arrive(&f, NULL, frame, 60));
	give_buffers(3);
	assert_true(fake_net_arrive(&f, header, frame, 60));
	assert_true(ring_used(&rx, &head, &len));
	assert_int_equal(len, 72);
	assert_memory_equal(f.ram + 0x8000, "\1\0\0\0\0\0\42\0\20\0\1\0", 12);
	assert_memory_equal(f.ram + 0x8000 + 12, frame, 60);
	assert_int_equal(f.interrupts, 1);
	assert_true(fake_net_arrive(&f, NULL, frame, BUFFER)); /* too long for one buffer: lost, and the buffer is not */
	assert_false(ring_used(&rx, &head, &len));
	assert_true(fake_net_arrive(&f, NULL, frame, BUFFER - 12));
	assert_true(ring_used(&rx, &head, &len));
	assert_int_equal(head, 1);
	assert_int_equal(f.ram[0x8000 + BUFFER], 2); /* its checksum is right */
	assert_true(fake_net_arrive(&f, NULL, frame, 60));
	assert_false(fake_net_arrive(&f, NULL, frame, 60));
}

static void test_merged_buffers(void **state)
{
	uint32_t head, len, sum = 0;

	(void)state;
	start(MRG_RXBUF);
	give_buffers(3);
	assert_false(fake_net_arrive(&f, NULL, frame, 4000)); /* takes five */
	assert_false(ring_used(&rx, &head, &len));
	give_buffers(2);
	assert_true(fake_net_arrive(&f, NULL, frame, 4000));
	for (unsigned i = 0; i < 5; i++) {
		assert_true(ring_used(&rx, &head, &len));
		assert_int_equal(head, i);
		sum += len;
	}
	assert_int_equal(sum, 4012);
	assert_int_equal(get_le16(f.ram + 0x8000 + 10), 5);
	assert_int_equal(f.ram[0x8000], 0);
	assert_memory_equal(f.ram + 0x8000 + 12, frame, 4000); /* the buffers lie side by side */
	give_buffers(8);
	assert_true(fake_net_arrive(&f, NULL, frame, 9014)); /* more than there can ever be */
	assert_false(ring_used(&rx, &head, &len));
	assert_true(fake_net_arrive(&f, NULL, frame, 60));
	assert_true(ring_used(&rx, &head, &len));
	assert_int_equal(f.ram[0x8000 + 5 * BUFFER + 10], 1);
}

static void put_frame(unsigned header_len, unsigned len)
{
	ring_desc(&tx, 0, DATA, header_len, RING_NEXT, 1);
	ring_desc(&tx, 1, DATA + 0x100, len, 0, 0);
	ring_offer(&tx, 0);
	fake_net_write(&f, 0xd4, 1, 2);
	fake_net_run(&f);
}

static void test_send(void **state)
{
	uint32_t head, len;

	(void)state;
	start(CSUM);
	memset(f.ram + 0x8100, 0x11, 100);
	f.ram[0x8000] = 0xff; /* flags, and segmentation that was not agreed on */
	f.ram[0x8001] = 1;
	put_le16(f.ram + 0x8006, 34);
	put_le16(f.ram + 0x8008, 6);
	put_frame(12, 60);
	assert_int_equal(f.sent, 1);
	assert_int_equal(f.len, 60);
	assert_true(ring_used(&tx, &head, &len));
	assert_int_equal(len, 0);
	assert_int_equal(f.header[0], 0); /* this back end takes whole frames: 13 words of 0x1111 */
	assert_int_equal(get_le16(f.frame + 40), (uint16_t) ~(13 * 0x1111 % 0xffff));
	assert_int_equal(get_le16(f.frame + 42), 0x1111);
	f.net.checksums = true;
	put_frame(12, 60);
	assert_int_equal(f.header[0], 1);
	assert_int_equal(f.header[1], 0);
	assert_int_equal(get_le16(f.header + 6), 34);
	put_frame(12, 13); /* no frame */
	put_frame(4, 21);
	put_frame(12, 70000);
	assert_int_equal(f.sent, 2);
	put_frame(10, 100); /* the header's rest is in the next buffer */
	assert_int_equal(f.len, 98);
	f.net.checksums = false;
	put_le16(f.ram + 0x8006, 0xffff); /* a checksum outside the frame */
	put_frame(12, 60);
	assert_int_equal(f.sent, 4);
	assert_int_equal(f.frame[40], 0x11);
	fake_net_write(&f, COMMON + 20, 0, 1);
	assert_false(f.ready || f.partial);
}

static void test_options(void **state)
{
	static const char *const wrong[] = {
		"",
		"ta",
		"tapx",
		"tap:",
		"tap:0123456789abcdef",
		"users",
		"user,",
		"user,x=1",
		"user,mac=1:2:3:4:5:6",
		"user,mac=",
		"user,mac=53:54:00:12:34:56",
		"user,mtu=",
		"user,mtu=67",
		"user,mtu=65501",
		"user,mtu=99999999999999999999",
		"user,mtu=1x",
		"user,pcap=",
		"user,pcap=a,pcap=b",
		"user,restrict=yes",
		"user,restrict",
		"tap,restrict=on",
		"tap,hostfwd=tcp::1-2",
		"user,hostfwd=",
		"user,hostfwd=tcp:",
		"user,hostfwd=tcp:80",
		"user,hostfwd=tcp:80-",
		"user,hostfwd=tcp:0-80",
		"user,hostfwd=tcp:65536-80",
		"user,hostfwd=icmp:1-2",
		"user,hostfwd=tcp:1.2.3:80-80",
		"user,hostfwd=tcp:1.2.3.4.5.6.7.8.9:8-8",
		"user,hostfwd=tcp:80-1.2.3.4:",
		"user,hostfwd=tcp:80-80-80",
	};
	struct gyve_net_options o;
	struct gyve_err err;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(wrong); i++) {
		assert_int_equal(gyve_net_parse(&o, wrong[i], &err), -EINVAL);
		assert_true(err.text[0]);
	}
	assert_int_equal(gyve_net_parse(&o, "tap", &err), 0);
	assert_string_equal(o.interface, "tap10");
	assert_int_equal(gyve_net_parse(&o, "tap:a23456789012345,mtu=9000,mac=52:54:00:aB:Cd:eF,pcap=/a b", &err), 0);
	assert_string_equal(o.interface, "a23456789012345");
	assert_int_equal(o.mtu, 9000);
	assert_string_equal(o.pcap, "/a b");
	assert_memory_equal(o.mac, "\x52\x54\0\xab\xcd\xef", 6);
	gyve_net_options_deinit(&o);
	assert_int_equal(
		gyve_net_parse(&o, "user,hostfwd=tcp::80-8080,hostfwd=udp:1.2.3.4:53-5.6.7.8:54,hostfwd=tcp:1-2", &err), 0);
	assert_int_equal(o.nforwards, 3);
	assert_int_equal(o.forward[0].host, 0x7f000001);
	assert_int_equal(o.forward[0].guest_port, 8080);
	assert_true(o.forward[1].udp);
	assert_int_equal(o.forward[1].host, 0x01020304);
	assert_int_equal(o.forward[1].guest, 0x05060708);
	assert_int_equal(o.forward[2].host_port, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merged_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send, setup, teardown),
		cmocka_unit_test(test_options),
	};
	gyve_log_configure("off");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
