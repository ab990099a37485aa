/* libgdbstub packet by packet, over a fake target. */
#include "stub_client.h"

#include "hex.h"

static void test_memory(void **state)
{
	size_t n;
	const char *p;

	(void)state;
	assert_answer("m1002,4", "02030405");
	assert_answer("m1ffe,4", "feff"); /* short at the hole */
	assert_answer("m2000,4", "E.level 2 entry 0x0   )  is not present");
	assert_int_equal(client_ask("mffffffffffffffff,10")[0], 'E');
	assert_int_equal(client_ask("m1000,0")[0], 'E');
	assert_answer("M1000,3:aabbcc", "OK");
	assert_memory_equal(fake.low, "\xaa\xbb\xcc\x03", 4);
	assert_int_equal(client_ask("M1000,3:aabb")[0], 'E');
	assert_int_equal(client_ask("M1000,3:aabbccdd")[0], 'E');
	assert_int_equal(client_ask("M1000,1:zz")[0], 'E');
	assert_int_equal(client_ask("Mffffffffffffffff,2:0000")[0], 'E');
	assert_answer("M1fff,2:0102", "E.nothing is mapped there");
	assert_memory_equal(fake.low, "\xaa\xbb\xcc\x03", 4);
	client_send("X1000,5:#$}*\0", 13);
	assert_string_equal(client_packet(NULL), "OK");
	assert_memory_equal(fake.low, "#$}*\0\x05", 6);
	assert_answer("X0,0:", "OK");
	client_send("x1000,6", 7);
	p = client_packet(&n);
	assert_int_equal(n, 7);
	assert_memory_equal(p, "b#$}*\0\x05", 7);
	assert_answer("x1000,0", "b");
	assert_int_equal(client_ask("x2000,1")[0], 'E');
}

static void test_largest_reads(void **state)
{
	static struct gdbstub_ops ops;
	size_t n;
	const char *p;

	(void)state;
	(void)ops;
	client_send("x1000,ffffffffffff", 18);
	p = client_packet(&n);
	assert_int_equal(p[0], 'b');
	assert_int_equal(n, 1 + FAKE_SIZE);
	assert_memory_equal(p + 1, fake.low, FAKE_SIZE);
	assert_int_equal(strlen(client_ask("m1000,ffffffffffffffff")), 2 * FAKE_SIZE);
}

static void test_registers(void **state)
{
	const char *all = "1000000000000000"
			  "1100000000000000"
			  "1200000000000000"
			  "13000000"
			  "14000000"
			  "xxxxxxxxxxxxxxxx"
			  "16000000000000000000000000000000"
			  "17000000000000000000000000000000";
	char packet[400];

	(void)state;
	assert_answer("g", all);
	assert_answer("p2", "1200000000000000");
	assert_answer("p5", "xxxxxxxxxxxxxxxx");
	assert_answer("pb", "1b");
	assert_int_equal(client_ask("pe")[0], 'E');
	assert_int_equal(client_ask("pffffffffffffffff")[0], 'E');
	assert_int_equal(client_ask("p10000000000000000")[0], 'E');
	assert_answer("P2=8877665544332211", "OK");
	assert_memory_equal(fake.regs[1][2], "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	assert_answer("P3=00", "E.state has 32 bits");
	assert_answer("P9=0000000000000000", "E.id cannot be written");
	snprintf(packet, sizeof(packet), "P9=%s", client_ask("p9"));
	assert_answer(packet, "OK"); /* put back as it was read */
	packet[3] ^= 1;
	assert_answer(packet, "E.id cannot be written");
	assert_int_equal(client_ask("Pe=00")[0], 'E');
	snprintf(packet, sizeof(packet), "G%s", all);
	assert_answer(packet, "OK");
	assert_int_equal(fake.regs[1][2][0], 0x12);
	packet[strlen(packet) - 2] = '\0';
	assert_int_equal(client_ask(packet)[0], 'E');
	snprintf(packet, sizeof(packet), "G%s00", all);
	assert_int_equal(client_ask(packet)[0], 'E');
	assert_answer("Hg2", "OK");
	assert_answer("p2", "2200000000000000");
}

static void test_hex(void **state)
{
	uint8_t bytes[256], back[256];
	char text[513];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		char two[3];
		bytes[i] = (uint8_t)i;
		snprintf(two, sizeof(two), "%02x", i);
		for (unsigned n = 1; n <= 19; n += 9) { /* alone, and in the blocks that are done at once */
			memset(back, (int)i, n);
			gdbstub_hex_encode(text, back, n);
			for (unsigned k = 0; k < n; k++)
				assert_memory_equal(text + 2 * k, two, 2);
		}
	}
	gdbstub_hex_encode(text, bytes, 256);
	assert_memory_equal(text, "000102030405060708090a0b0c0d0e0f1011", 36);
	assert_int_equal(gdbstub_hex_decode(back, text, 512), 256);
	assert_memory_equal(back, bytes, 256);
	assert_int_equal(gdbstub_hex_decode(back, "0", 1), -EINVAL);
	assert_int_equal(gdbstub_hex_decode(back, "0g", 2), -EINVAL);
}

static void test_run_lengths_out(void **state)
{
	(void)state;
	client_send("p2", 2);
	assert_string_equal(client_raw(NULL), "$120*)0#16"); /* 12 more of the 0, as 13 is no count, and one */
}

static void test_threads(void **state)
{
	(void)state;
	assert_answer("qfThreadInfo", "m1,2,3");
	assert_answer("qsThreadInfo", "l");
	assert_answer("qC", "QC1");
	assert_answer("T3", "OK");
	assert_answer("T4", "E.there is no thread 4");
	assert_int_equal(client_ask("T0")[0], 'E');
	assert_answer("Hg3", "OK");
	assert_answer("qC", "QC3");
	assert_answer("Hg0", "OK");
	assert_answer("qC", "QC3");
	assert_answer("Hc-1", "OK");
	assert_int_equal(client_ask("Hg9")[0], 'E');
	assert_int_equal(client_ask("Hx1")[0], 'E');
	assert_int_equal(client_ask("Hg-7")[0], 'E');
	assert_int_equal(client_ask("Hgffffffff")[0], 'E');
	assert_answer("qThreadExtraInfo,2", "66616b65203c323e");
	assert_int_equal(client_ask("qThreadExtraInfo,9")[0], 'E');
	assert_non_null(
		strstr(client_ask("qXfer:threads:read::0,1000"), "<thread id=\"2\" core=\"1\">fake &lt;2&gt;</thread>"));
	assert_answer("qAttached", "1");
	assert_answer("qAttached:1", "1");
	fake.nthreads = 0;
	assert_answer("qfThreadInfo", "l");
	assert_int_equal(client_ask("g")[0], 'E');
	assert_int_equal(client_ask("vCont;c")[0], 'E');
	assert_int_equal(client_ask("m1000,1")[0], 'E');
}

static void expect_resume(const char *packet, const char *log)
{
	struct gdbstub_stop stop = {.kind = GDBSTUB_STOP_SIGNAL, .tid = 1, .signal = 5};

	fake.log[0] = '\0';
	client_send(packet, strlen(packet));
	assert_silent();
	assert_string_equal(fake.log, log);
	assert_true(gdbstub_running(stub));
	fake.running = false;
	gdbstub_report_stop(stub, &stop);
	assert_false(gdbstub_running(stub));
	assert_non_null(client_packet(NULL));
	gdbstub_report_stop(stub, &stop); /* one stop reply for each resume */
	assert_silent();
}

static void test_vcont(void **state)
{
	(void)state;
	assert_answer("vCont?", "vCont;c;C;s;S;t;r");
	expect_resume("vCont;c", "resume 1:c 2:c 3:c;");
	expect_resume("vCont;c:-1", "resume 1:c 2:c 3:c;");
	expect_resume("vCont;s:2", "resume 1:- 2:s 3:-;");
	expect_resume("vCont;s:1;c", "resume 1:s 2:c 3:c;");
	expect_resume("vCont;c;s:1", "resume 1:c 2:c 3:c;"); /* the leftmost match wins */
	expect_resume("vCont;t:1;s:2;c:-1", "resume 1:t 2:s 3:c;");
	expect_resume("vCont;S0b:2;C05:3", "resume 1:- 2:s/11 3:c/5;");
	expect_resume("vCont;r1000,1010:3;c", "resume 1:c 2:c 3:r1000-1010;");
	expect_resume("vCont;s:0", "resume 1:s 2:- 3:-;");
	assert_answer("vCont;s:9", "E.there is no such thread");
	assert_answer("vCont;t", "E.no thread would run, so none would ever stop");
	assert_int_equal(client_ask("vCont")[0], 'E');
	assert_int_equal(client_ask("vCont;")[0], 'E');
	assert_int_equal(client_ask("vCont;q")[0], 'E');
	assert_int_equal(client_ask("vCont;c;")[0], 'E');
	assert_int_equal(client_ask("vCont;r20,10:1")[0], 'E');
	assert_int_equal(client_ask("vCont;r20:1")[0], 'E');
	assert_int_equal(client_ask("vCont;c:1:2")[0], 'E');
	fake.resume_error = EIO;
	assert_answer("vCont;c", "E.it is dead");
	assert_false(gdbstub_running(stub));
}

static void test_old_resume(void **state)
{
	(void)state;
	expect_resume("c", "resume 1:c 2:c 3:c;");
	expect_resume("s", "resume 1:s 2:c 3:c;");
	assert_answer("Hc2", "OK");
	expect_resume("s", "resume 1:- 2:s 3:-;");
	expect_resume("C05", "resume 1:- 2:c/5 3:-;");
	expect_resume("S05;1234", "resume 1:- 2:s/5 3:-;");
	assert_memory_equal(fake.regs[2][FAKE_PC], "\x34\x12\0\0\0\0\0\0", 8);
	assert_answer("Hc0", "OK");
	expect_resume("cffffffff80001234", "resume 1:c 2:c 3:c;");
	assert_memory_equal(fake.regs[1][FAKE_PC], "\x34\x12\0\x80\xff\xff\xff\xff", 8);
	assert_int_equal(client_ask("cxyz")[0], 'E');
	assert_int_equal(client_ask("C")[0], 'E');
	assert_int_equal(client_ask("C05;")[0], 'E');
	assert_int_equal(client_ask("S100")[0], 'E');
}

static void expect_stop(struct gdbstub_stop stop, const char *reply)
{
	client_send("vCont;c", 7);
	assert_silent();
	gdbstub_report_stop(stub, &stop);
	assert_string_equal(client_packet(NULL), reply);
}

#define EXPEDITED(t) "02:" t "200000000000000;01:" t "100000000000000;00:" t "000000000000000;"

static void test_stop_replies(void **state)
{
	(void)state;
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_SIGNAL, 2, 2, 0, 0}, "T02thread:2;" EXPEDITED("2"));
	assert_answer("qC", "QC2"); /* the thread that stopped is selected */
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_SWBREAK, 1, 5, 0, 0}, "T05thread:1;swbreak:;" EXPEDITED("1"));
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_LIBRARY, 1, 5, 0, 0}, "T05thread:1;library:;" EXPEDITED("1"));
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_HWBREAK, 3, 5, 0, 0}, "T05thread:3;hwbreak:;" EXPEDITED("3"));
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_WATCH, 1, 5, 0xffffffff80000010, 0},
		    "T05thread:1;watch:ffffffff80000010;" EXPEDITED("1"));
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_RWATCH, 1, 5, 0x10, 0}, "T05thread:1;rwatch:10;" EXPEDITED("1"));
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_AWATCH, 1, 5, 0x10, 0}, "T05thread:1;awatch:10;" EXPEDITED("1"));
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_EXITED, 1, 0, 0, 42}, "W2a");
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_KILLED, 1, 9, 0, 0}, "X09");
	/* a client that never heard of the reasons does not get them */
	client_ask("qSupported:xmlRegisters=i386");
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_SWBREAK, 1, 5, 0, 0}, "T05thread:1;" EXPEDITED("1"));
	expect_stop((struct gdbstub_stop){GDBSTUB_STOP_HWBREAK, 1, 5, 0, 0}, "T05thread:1;" EXPEDITED("1"));
}

static void test_reason(void **state)
{
	(void)state;
	assert_answer("?", "T05thread:1;" EXPEDITED("1"));
	fake.stop = (struct gdbstub_stop){GDBSTUB_STOP_EXITED, 1, 0, 0, 3};
	assert_answer("?", "W03");
	/* it runs though we never resumed it: it is stopped, and the stop is the answer */
	fake.running = true;
	fake.log[0] = '\0';
	client_send("?", 1);
	assert_silent();
	assert_string_equal(fake.log, "interrupt;");
	assert_true(gdbstub_running(stub));
	gdbstub_report_stop(stub, &(struct gdbstub_stop){GDBSTUB_STOP_SIGNAL, 1, 2, 0, 0});
	assert_non_null(client_packet(NULL));
}

static void test_while_running(void **state)
{
	static const char *const refused[] = {"?", "g",       "p0", "P0=0000000000000000", "M1000,1:00", "Z0,1000,1", "c",
					      "s", "vCont;c", "D"};

	(void)state;
	client_send("vCont;c", 7);
	assert_silent();
	fake.log[0] = '\0';
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_answer(refused[i], "E.the target is running");
	assert_string_equal(fake.log, "");
	assert_answer("m1000,1", "00");
	assert_answer("qC", "QC1");
	assert_int_equal(client_ask("qXfer:memory-map:read::0,100")[0], 'l');
	client_feed("\003", 1);
	assert_silent();
	assert_string_equal(fake.log, "interrupt;");
	assert_answer("vCtrlC", "OK");
	assert_string_equal(fake.log, "interrupt;interrupt;");
	gdbstub_monitor_print(stub, "boom\n", 5);
	assert_string_equal(client_packet(NULL), "O626f6f6d0a");
	gdbstub_report_stop(stub, &(struct gdbstub_stop){GDBSTUB_STOP_SIGNAL, 1, 2, 0, 0});
	assert_memory_equal(client_packet(NULL), "T02", 3);
	client_feed("\003", 1); /* late: nothing to stop any more */
	gdbstub_monitor_print(stub, "late\n", 5);
	assert_silent();
	assert_string_equal(fake.log, "interrupt;interrupt;");
}

static void test_points(void **state)
{
	char packet[40];

	(void)state;
	for (int type = 0; type <= 4; type++) {
		if (type == 3)
			continue;
		snprintf(packet, sizeof(packet), "Z%d,1000,4", type);
		assert_answer(packet, "OK");
		assert_true(fake.points[0].used && fake.points[0].type == type && fake.points[0].addr == 0x1000);
		packet[0] = 'z';
		assert_answer(packet, "OK");
		assert_answer(packet, "E.there is none");
	}
	assert_answer("Z3,1000,4", ""); /* the target has no such points */
	assert_answer("Z5,1000,4", "");
	assert_answer("Z0,1000,1;cmds:0,X1,00", "");
	assert_int_equal(client_ask("Z0,1000,11")[0], 'E');
	assert_int_equal(client_ask("Z2,1000,0")[0], 'E');
	assert_int_equal(client_ask("Z2,ffffffffffffffff,2")[0], 'E');
	assert_int_equal(client_ask("Z0,,")[0], 'E');
	assert_int_equal(client_ask("Z")[0], 'E');
	for (int i = 0; i < FAKE_POINTS; i++) {
		snprintf(packet, sizeof(packet), "Z0,%x,1", i);
		assert_answer(packet, "OK");
	}
	assert_answer("Z0,100,1", "E.all points are taken");
}

static void test_search(void **state)
{
	(void)state;
	memset(fake.low, 0, FAKE_SIZE);
	memcpy(fake.low + 0x20, "needle", 6);
	fake.low[FAKE_SIZE - 2] = '}'; /* escaped in the packet */
	fake.low[FAKE_SIZE - 1] = '#';
	assert_answer("qSearch:memory:1000;100;needle", "1,1020");
	assert_answer("qSearch:memory:1021;100;needle", "0");
	assert_answer("qSearch:memory:1000;25;needle", "0"); /* not whole inside */
	assert_answer("qSearch:memory:1000;26;needle", "1,1020");
	assert_answer("qSearch:memory:1000;0;needle", "0");
	assert_int_equal(client_ask("qSearch:memory:0;100;")[0], 'E');
	assert_int_equal(client_ask("qSearch:memory:0,100;x")[0], 'E');
	assert_answer("qSearch:register:0;1;x", "");
	/* where nothing is mapped it goes on behind it, but not for ever */
	assert_answer("qSearch:memory:0;2000;needle", "1,1020");
	assert_memory_equal(client_ask("qSearch:memory:0;20000000000;nowhere to be found"), "E.searched up to", 16);
}

/* Against the plain way, with few different bytes, so that almost everything is almost a hit. */
static void test_search_random(void **state)
{
	uint32_t seed = 1;
	char packet[100], want[40];

	(void)state;
	for (size_t i = 0; i < FAKE_SIZE; i++)
		fake.low[i] = (uint8_t)("ab\0e"[(seed = seed * 1103515245 + 12345) >> 16 & 3]);
	for (int round = 0; round < 2000; round++) {
		size_t from = (seed = seed * 1103515245 + 12345) >> 16 & 0xfff, n = 1 + round % 12, at = from;
		int head = snprintf(packet, sizeof(packet), "qSearch:memory:%zx;%zx;", FAKE_LOW + from, FAKE_SIZE - from);
		for (size_t i = 0; i < n; i++)
			packet[(size_t)head + i] = "ab\0e"[(seed = seed * 1103515245 + 12345) >> 16 & 3];
		while (at + n <= FAKE_SIZE && memcmp(fake.low + at, packet + head, n) != 0)
			at++;
		if (at + n <= FAKE_SIZE)
			snprintf(want, sizeof(want), "1,%zx", FAKE_LOW + at);
		else
			strcpy(want, "0");
		client_send(packet, (size_t)head + n);
		assert_string_equal(client_packet(NULL), want);
	}
}

static void test_crc(void **state)
{
	(void)state;
	memcpy(fake.low, "123456789", 9);
	assert_answer("qCRC:1000,9", "C0376e6e7"); /* CRC-32/MPEG-2 of the usual check text */
	assert_answer("qCRC:1000,0", "Cffffffff");
	assert_int_equal(client_ask("qCRC:1000")[0], 'E');
	assert_int_equal(client_ask("qCRC:ffffffffffffff00,200")[0], 'E');
}

static void test_tracing(void **state)
{
	static const char *const bad[] = {"QTDP:1",
					  "QTDP:1:1000:X:0:0",
					  "QTDP:1:1000:E:0",
					  "QTDP:1:1000:E:0:0:X2,22",
					  "QTDP:-1:1000:R",
					  "QTDP:-1:1000:Q",
					  "QTDP:-1:1000:M1",
					  "QTDP:-1:1000:X2,2",
					  "QTDP:-1:1000:M-2,0,1",
					  "QTDP:10000:1:E:0:0",
					  "QTDV:1:0:2:61",
					  "QTDV:1:0:0:6",
					  "QTBuffer:circular:2",
					  "QTBuffer:size:-2",
					  "QTBuffer:size:",
					  "QTFrame:pc",
					  "QTFrame:range:1",
					  "QTFrame:",
					  "QTro:1",
					  "QTEnable:1",
					  "qTP:1",
					  "qTV",
					  "qTBuffer:0",
					  "QTinit:",
					  "QTDisconnected:",
					  "QTDP:1:0:E:0:0:F5",
					  "QTSave:61"};

	(void)state;
	assert_answer("QTinit", "OK");
	assert_answer("QTDP:1:1000:E:2:3:X2,2227-", "OK");
	assert_int_equal(fake.tp.steps, 2);
	assert_int_equal(fake.tp.pass, 3);
	assert_int_equal(fake.tp.cond.len, 2);
	assert_answer("QTDP:-1:1000:R1ff-", "OK");
	assert_answer("QTDP:-1:1000:M-1,2000,10M7,8,4-", "OK");
	assert_answer("QTDP:-1:1000:SX2,2227", "OK");
	assert_int_equal(fake.nactions, 4);
	assert_int_equal(fake.actions[0].e.len, 2);
	assert_int_equal(fake.actions[1].base, -1);
	assert_int_equal(fake.actions[2].base, 7);
	assert_int_equal(fake.actions[2].offset, 8);
	assert_true(fake.actions[3].stepping && !fake.actions[2].stepping);
	assert_answer("QTDPsrc:1:1000:at:0:4:6b6d6169", "OK");
	assert_answer("qTfP", "T1:1000:E:2:3");
	assert_answer("qTsP", "A1:1000:R1ff");
	assert_answer("qTsP", "A1:1000:M-1,2000,10");
	assert_answer("qTsP", "A1:1000:M7,8,4");
	assert_answer("qTsP", "S1:1000:X2,2227");
	assert_answer("qTsP", "Z1:1000:at:0:4:6b6d6169");
	assert_answer("qTsP", "l");
	assert_answer("qTfV", "1:0:1:6e6f77");
	assert_answer("qTsV", "l");
	assert_answer("qTV:1", "V10");
	assert_answer("qTV:2", "U");
	assert_answer("qTP:1:1000", "V0:0");
	assert_answer("QTDV:2:5:0:78", "OK");
	assert_answer("QTro:1000,2000:3000,4000", "OK");
	assert_answer("QTDisable:1:1000", "OK");
	assert_answer("QTBuffer:size:-1", "OK");
	assert_answer("QTBuffer:circular:1", "OK");
	assert_answer("QTBuffer:other:1", "");
	assert_answer("QTStart", "OK");
	assert_answer("QTStop", "OK");
	assert_memory_equal(client_ask("qTStatus"), "T0;terror:6e6f:2;tframes:3;", 27);
	assert_answer("QTFrame:2", "F2T2");
	assert_answer("QTFrame:3", "F-1");
	assert_answer("QTFrame:pc:1000", "F1T2");
	assert_answer("QTFrame:outside:1:2", "F-1");
	assert_answer("QTFrame:ffffffff", "OK");
	assert_answer("qTBuffer:0,100", "5a5a5a5a");
	assert_answer("qTBuffer:4,100", "l");
	assert_answer("QTDP:ff:1000:E:0:0", "E.too many");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (client_ask(bad[i])[0] != 'E')
			fail_msg("%s", bad[i]);
}

static void test_conditions(void **state)
{
	(void)state;
	assert_answer("Z0,1000,1;X3,220127X2,2227", "OK");
	assert_int_equal(fake.nconditions, 2);
	assert_int_equal(fake.condition_bytes, 5);
	assert_answer("z0,1000,1", "OK");
	assert_answer("Z0,1000,1", "OK"); /* sent again without: it always stops */
	assert_int_equal(fake.nconditions, 0);
	assert_answer("z0,1000,1", "OK");
	assert_answer("Z0,1000,1;X1,ff", "E.0xff is no operation");
	assert_answer("z0,1000,1", "E.there is none"); /* a refused one is not left behind */
	assert_answer("Z2,1000,4;X1,27", "");          /* watchpoints take none */
	assert_int_equal(client_ask("Z0,1000,1;X")[0], 'E');
	assert_int_equal(client_ask("Z0,1000,1;X2,27")[0], 'E');
	assert_int_equal(client_ask("Z0,1000,1;X0,")[0], 'E');
	assert_int_equal(client_ask("Z0,1000,1;X1,2")[0], 'E');
	assert_int_equal(client_ask("Z0,1000,1;X1,zz")[0], 'E');
	assert_int_equal(client_ask("Z0,1000,1;Xffffffffffffffff,27")[0], 'E');
	assert_answer("z0,1000,1", "E.there is none");
}

static void test_calls(void **state)
{
	struct gdbstub_stop stop = {.kind = GDBSTUB_STOP_CALL, .tid = 2, .signal = 5, .code = 0x440};
	char packet[400] = "QCatchSyscalls:1";

	(void)state;
	assert_answer("QCatchSyscalls:1", "OK");
	assert_answer("QCatchSyscalls:1;440;ffffffff", "OK");
	assert_answer("QCatchSyscalls:0", "OK");
	assert_string_equal(fake.log, "calls 1;calls 1 440 ffffffff;calls 0;");
	assert_answer("QCatchSyscalls:1;bad", "E.there is no such call");
	for (const char *const *p =
		     (const char *const[]){"QCatchSyscalls", "QCatchSyscalls:", "QCatchSyscalls:2", "QCatchSyscalls:0;1",
					   "QCatchSyscalls:1;", "QCatchSyscalls:1;x", "QCatchSyscalls:1;100000000", NULL};
	     *p; p++)
		assert_int_equal(client_ask(*p)[0], 'E');
	for (int i = 0; i < 65; i++)
		strcat(packet, ";1");
	assert_int_equal(client_ask(packet)[0], 'E');
	client_send("c", 1);
	gdbstub_report_stop(stub, &stop);
	assert_memory_equal(client_packet(NULL), "T05thread:2;syscall_entry:440;", 30);
	client_send("c", 1);
	stop.kind = GDBSTUB_STOP_CALL_RETURN;
	gdbstub_report_stop(stub, &stop);
	assert_memory_equal(client_packet(NULL), "T05thread:2;syscall_return:440;", 31);
}

static void test_supported(void **state)
{
	const char *text = client_ask("qSupported:multiprocess+;swbreak+");

	(void)state;
	assert_memory_equal(text, "PacketSize=20000;", 17);
	for (const char *const *p =
		     (const char *const[]){"QStartNoAckMode+", "swbreak+", "hwbreak+", "vContSupported+", "error-message+",
					   "binary-upload+", "qXfer:features:read+", "qXfer:memory-map:read+",
					   "qXfer:exec-file:read+", "qXfer:siginfo:read+", "qXfer:threads:read+", "PhyMemMode+",
					   "ConditionalBreakpoints+", "QCatchSyscalls+", NULL};
	     *p; p++)
		if (!strstr(text, *p))
			fail_msg("%s is not announced", *p);
	assert_null(strstr(text, "multiprocess"));
	assert_null(strstr(text, "qXfer:auxv"));
	/* that client did not say error-message+ */
	assert_answer("m2000,1", "E0e");
	assert_answer("T9", "E03");
	client_ask("qSupported");
	assert_answer("vMustReplyEmpty", "");
	assert_answer("qSymbol::", "OK");
	assert_answer("QNonStop:0", "OK");
	assert_int_equal(client_ask("QNonStop:2")[0], 'E');
	assert_answer("qOffsets", "Text=200000;Data=200000;Bss=200000");
	for (const char *const *p = (const char *const[]){"", "A", "qL1200000000000000000", "qUnheardOf", "v", "QAllow:x",
							  "qCx", "vContx", "qXfer", NULL};
	     *p; p++)
		if (strcmp(client_ask(*p), "") != 0)
			fail_msg("%s is not unknown", *p);
}

static void test_xfer(void **state)
{
	char whole[16384] = "", packet[80];
	const char *part;

	(void)state;
	do { /* in small bites */
		snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,1f", strlen(whole));
		part = client_ask(packet);
		assert_true(strlen(part) <= 32);
		strncat(whole, part + 1, sizeof(whole) - strlen(whole) - 1);
	} while (part[0] == 'm');
	assert_int_equal(part[0], 'l');
	char *xml = gdbstub_target_xml(&fake_arch);
	assert_string_equal(whole, xml);
	free(xml);
	snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,1f", strlen(whole));
	assert_answer(packet, "l");
	snprintf(packet, sizeof(packet), "qXfer:features:read:target.xml:%zx,1f", strlen(whole) + 1);
	assert_int_equal(client_ask(packet)[0], 'E');
	assert_int_equal(client_ask("qXfer:features:read:other.xml:0,10")[0], 'E');
	assert_int_equal(client_ask("qXfer:features:read:target.xml:0,0")[0], 'E');
	assert_int_equal(client_ask("qXfer:features:read:target.xml:ffffffffffffffff,ffffffffffffffff")[0], 'E');
	assert_answer("qXfer:features:write:target.xml:0:00", "");
	assert_answer("qXfer:auxv:read::0,10", "");
	assert_answer("qXfer:nonsense:read::0,10", "");
	assert_answer("qXfer:siginfo:read::0,100", "lof 1");
	assert_answer("Hg3", "OK");
	assert_answer("qXfer:siginfo:read::1,2", "mf ");
	assert_answer("qXfer:exec-file:read:1:0,100", "l/fake/image");
	assert_int_equal(client_ask("qXfer:memory-map:read:x:0,100")[0], 'E');
}

static void test_files(void **state)
{
	const char *p;
	size_t n;

	(void)state;
	assert_answer("vFile:setfs:0", "F0");
	assert_answer("vFile:open:2f6574632f736861646f77,0,0", "F-1,d");
	assert_answer("vFile:open:2f66616b652f696d616765,1,1b6", "F-1,1e"); /* writing: EROFS */
	assert_answer("vFile:open:2f66616b652f696d61676500,0,0", "F-1,16");
	assert_answer("vFile:open:2f6,0,0", "F-1,16");
	assert_answer("vFile:fstat:5", "F-1,9");
	assert_answer("vFile:open:2f66616b652f696d616765,0,0", "F5");
	client_send("vFile:fstat:5", 13);
	p = client_packet(&n);
	assert_int_equal(n, 4 + 64);
	assert_memory_equal(p, "F40;", 4);
	assert_memory_equal(p + 4 + 8, "\0\0\x81\x24", 4);
	assert_int_equal((uint8_t)p[4 + 35], fake_file_len);
	client_send("vFile:pread:5,1000,0", 20);
	p = client_packet(&n);
	assert_int_equal(n, 7 + fake_file_len);
	assert_int_equal(strtoul(p + 1, NULL, 16), fake_file_len);
	assert_memory_equal(p + 7, fake_file, fake_file_len);
	assert_answer("vFile:pread:5,4,1", "F00004;ELF ");
	assert_answer("vFile:pread:5,10,fffffff", "F00000;");
	assert_answer("vFile:pread:6,10,0", "F-1,9");
	assert_answer("vFile:pread:5,10", "F-1,16");
	assert_answer("vFile:pread:ffffffffffff,10,0", "F-1,16");
	assert_answer("vFile:close:5", "F0");
	assert_answer("vFile:close:5", "F-1,9");
	assert_answer("vFile:unlink:2f", "");
	assert_answer("vFile:readlink:2f", "");
	assert_answer("vFile", "");
}

static void test_monitor(void **state)
{
	char line[24];
	size_t n, total = 0;
	const char *p;

	(void)state;
	client_send("qRcmd,68656c6c6f", 16);
	assert_string_equal(client_packet(NULL), "O68656c6c6f20796f750a");
	assert_string_equal(client_packet(NULL), "OK");
	assert_silent();
	assert_answer("qRcmd,6e6f", "E.no such command");
	assert_int_equal(client_ask("qRcmd,6")[0], 'E');
	assert_int_equal(client_ask("qRcmd,6800")[0], 'E');
	client_send("qRcmd,6c6f6e67", 14);
	while ((p = client_packet(&n)) != NULL && strcmp(p, "OK") != 0)
		total += (n - 1) / 2;
	assert_non_null(p);
	for (int i = 0; i < 400; i++)
		total -= (size_t)snprintf(line, sizeof(line), "line %d\n", i);
	assert_int_equal(total, 0);
	client_ask("qSupported"); /* without E.text the reason comes as text */
	client_send("qRcmd,6e6f", 10);
	assert_string_equal(client_packet(NULL), "O6e6f207375636820636f6d6d616e640a");
	assert_string_equal(client_packet(NULL), "OK");
}

static void test_phys_mode(void **state)
{
	(void)state;
	assert_answer("qqemu.PhyMemMode", "0");
	assert_answer("Qqemu.PhyMemMode:1", "OK");
	assert_true(fake.phys_mode);
	assert_answer("qqemu.PhyMemMode", "1");
	assert_int_equal(client_ask("Qqemu.PhyMemMode:2")[0], 'E');
	assert_int_equal(client_ask("Qqemu.PhyMemMode")[0], 'E');
	assert_answer("Qqemu.PhyMemMode:0", "OK");
	assert_false(fake.phys_mode);
}

static void test_detach(void **state)
{
	(void)state;
	assert_answer("D", "OK");
	assert_int_equal(fed, -ECONNRESET);
	assert_true(gdbstub_detached(stub));
	assert_string_equal(fake.log, "clear;detach;");
	client_send("g", 1);
	assert_silent();
	gdbstub_disconnect(stub); /* the guest runs by now: its points are not touched again */
	assert_string_equal(fake.log, "clear;detach;");
}

static void test_kill(void **state)
{
	(void)state;
	client_send("k", 1);
	assert_silent();
	assert_int_equal(fed, -ECONNRESET);
	assert_false(gdbstub_detached(stub));
	assert_string_equal(fake.log, "kill;");
}

static void test_vkill(void **state)
{
	(void)state;
	client_send("vCont;c", 7);
	fake.log[0] = '\0';
	assert_int_equal(client_ask("vKill")[0], 'E');
	assert_answer("vKill;1", "OK");
	assert_int_equal(fed, -ECONNRESET);
	assert_string_equal(fake.log, "kill;");
}

static void test_lost_client(void **state)
{
	(void)state;
	client_send("vCont;c", 7);
	fake.log[0] = '\0';
	gdbstub_disconnect(stub);
	assert_string_equal(fake.log, "clear;");
	assert_false(gdbstub_running(stub));
	gdbstub_report_stop(stub, &fake.stop);
	assert_silent();
	assert_int_equal(gdbstub_feed(stub, "$g#67", 5), -ECONNRESET);
}

/* Whatever the target cannot do is an unknown packet, never a jump to nowhere. */
static void test_no_ops(void **state)
{
	static const char *const packets[] = {"c",
					      "C05",
					      "s",
					      "S05",
					      "vCont;c",
					      "vCont?",
					      "vCtrlC",
					      "g",
					      "G00",
					      "p0",
					      "P0=00",
					      "m0,1",
					      "M0,1:00",
					      "X0,1:a",
					      "x0,1",
					      "Z0,0,1",
					      "z0,0,1",
					      "qRcmd,00",
					      "qOffsets",
					      "QCatchSyscalls:1",
					      "qMemoryRegionInfo:0",
					      "QSaveRegisterState",
					      "QRestoreRegisterState:1",
					      "qThreadExtraInfo,1",
					      "qXfer:exec-file:read::0,1",
					      "vFile:open:2f,0,0",
					      "Qqemu.PhyMemMode:1",
					      "qqemu.PhyMemMode"};

	(void)state;
	gdbstub_destroy(stub);
	stub = gdbstub_create(&fake_arch, &fake_no_ops, &fake);
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		assert_answer(packets[i], "");
	assert_answer("?", "T05thread:1;");
	client_feed("\003", 1);
	assert_answer("D", "OK");
}

/* Tags nest, attributes are quoted, nothing stands bare. Enough of XML for what we write. */
static void assert_well_formed(const char *p)
{
	char open[16][32];
	size_t depth = 0, n;

	while ((p = strpbrk(p, "<>&")) != NULL) {
		const char *end = strchr(p, *p == '&' ? ';' : '>');
		assert_int_not_equal(*p, '>');
		assert_non_null(end);
		if (*p == '&') {
			assert_true(end - p <= 5);
		} else if (p[1] == '/') {
			assert_true(depth > 0);
			n = strlen(open[--depth]);
			assert_int_equal(end - p - 2, n);
			assert_memory_equal(p + 2, open[depth], n);
		} else if (p[1] != '?' && p[1] != '!') {
			unsigned quotes = 0;
			for (const char *q = p + 1; q < end; q++) {
				assert_int_not_equal(*q, '<');
				quotes += *q == '"';
			}
			assert_int_equal(quotes % 2, 0);
			if (end[-1] != '/') {
				n = strcspn(p + 1, " >");
				assert_true(depth < 16 && n < sizeof(open[0]));
				memcpy(open[depth], p + 1, n);
				open[depth++][n] = '\0';
			}
		}
		p = end + 1;
	}
	assert_int_equal(depth, 0);
}

static void test_target_xml(void **state)
{
	char *xml = gdbstub_target_xml(&fake_arch);
	unsigned n = 0;

	(void)state;
	assert_non_null(xml);
	assert_well_formed(xml);
	assert_well_formed(client_ask("qXfer:threads:read::0,1000") + 1);
	assert_non_null(strstr(xml, "<architecture>i386:x86-64</architecture>\n<osabi>none</osabi>"));
	assert_non_null(strstr(xml, "<flags id=\"fake_state\" size=\"4\">\n<field name=\"ON\" start=\"0\" end=\"0\"/>\n"
				    "<field name=\"MODE\" start=\"1\" end=\"3\"/>"));
	assert_non_null(strstr(xml, "<field name=\"A&lt;&amp;&quot;&gt;\" start=\"0\" end=\"0\"/>"));
	assert_non_null(strstr(xml, "<reg name=\"id\" bitsize=\"64\" regnum=\"9\" type=\"fake_wide\" group=\"system\""));
	assert_non_null(strstr(xml, "<union id=\"vec128\">"));
	assert_non_null(strstr(xml, "<union id=\"vec256\">"));
	for (const char *p = xml; (p = strstr(p, "<flags id=\"fake_state\"")) != NULL; p++)
		n++;
	assert_int_equal(n, 2); /* once in each feature that uses it */
	n = 0;
	for (const char *p = xml; (p = strstr(p, "<feature ")) != NULL; p++)
		n++;
	assert_int_equal(n, 4);
	free(xml);
}

static void test_sve_xml(void **state)
{
	static const struct gdbstub_reg rows[] = {
		{.name = "z0", .bits = 256, .type = "svev", .feature = "org.gnu.gdb.aarch64.sve"},
		{.name = "p0", .bits = 32, .type = "svep", .feature = "org.gnu.gdb.aarch64.sve"},
	};
	static const struct gdbstub_arch arch = {.name = "aarch64", .regs = rows, .nregs = 2};
	char *xml = gdbstub_target_xml(&arch);

	(void)state;
	assert_non_null(xml);
	assert_well_formed(xml);
	assert_non_null(strstr(xml, "<vector id=\"svequ\" type=\"uint128\" count=\"2\"/>"));
	assert_non_null(strstr(xml, "<vector id=\"svebs\" type=\"int8\" count=\"32\"/>"));
	assert_non_null(strstr(xml, "<union id=\"svev\">\n<field name=\"q\" type=\"svevnq\"/>"));
	assert_non_null(strstr(xml, "<vector id=\"svep\" type=\"uint8\" count=\"4\"/>"));
	free(xml);
}

#define T(name) cmocka_unit_test_setup_teardown(name, client_setup_modern, client_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sve_xml),
		T(test_memory),
		T(test_largest_reads),
		T(test_registers),
		T(test_hex),
		T(test_run_lengths_out),
		T(test_threads),
		T(test_vcont),
		T(test_old_resume),
		T(test_stop_replies),
		T(test_reason),
		T(test_while_running),
		T(test_points),
		T(test_search),
		T(test_search_random),
		T(test_crc),
		T(test_conditions),
		T(test_tracing),
		T(test_calls),
		T(test_supported),
		T(test_xfer),
		T(test_files),
		T(test_monitor),
		T(test_phys_mode),
		T(test_detach),
		T(test_kill),
		T(test_vkill),
		T(test_lost_client),
		T(test_no_ops),
		T(test_target_xml),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
