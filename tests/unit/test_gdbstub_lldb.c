/* libgdbstub as lldb speaks to it, over a fake target. */
#include "stub_client.h"

#define TRIPLE "7838365f36342d756e6b6e6f776e2d6e6f6e65" /* x86_64-unknown-none */

static void be_lldb(void)
{
	assert_answer("QThreadSuffixSupported", "OK");
	assert_answer("QListThreadsInStopReply", "OK");
}

static void test_machine(void **state)
{
	(void)state;
	assert_answer("qHostInfo", "triple:" TRIPLE ";ptrsize:8;endian:little;ostype:unknown;watchpoint_exceptions_received:"
				   "after;default_packet_timeout:20;");
	assert_answer("qProcessInfo", "pid:1;parent-pid:0;triple:" TRIPLE ";ptrsize:8;endian:little;ostype:unknown;");
	assert_answer("qProcessInfoPID:1", "");
	assert_answer("qWatchpointSupportInfo:", "num:4;");
	assert_answer("qWatchpointSupportInfo:1", "");
	assert_answer("qWatchpointSupportInfo", "");
	for (const char *const *p = (const char *const[]){"qVAttachOrWaitSupported", "qShlibInfoAddr", "qGetWorkingDir",
							  "_M1000,rwx", "_m1000", "jThreadExtendedInfo:",
							  "QThreadSuffixSupportedx", "qStructuredDataPlugins", NULL};
	     *p; p++)
		assert_answer(*p, "");
}

static void test_regions(void **state)
{
	(void)state;
	assert_answer("qMemoryRegionInfo", "OK");
	assert_answer("qMemoryRegionInfo:0", "start:0;size:1000;");
	assert_answer("qMemoryRegionInfo:1fff", "start:1000;size:1000;permissions:rx;");
	assert_answer("qMemoryRegionInfo:2000", "start:2000;size:ffffffffffffdfff;");
	assert_answer("qMemoryRegionInfo:5555", "E.no tables");
	for (const char *const *p = (const char *const[]){"qMemoryRegionInfo:", "qMemoryRegionInfo:x", "qMemoryRegionInfo:1,2",
							  "qMemoryRegionInfo;1", NULL};
	     *p; p++)
		assert_int_equal(client_ask(*p)[0], 'E');
}

static void test_register_info(void **state)
{
	(void)state;
	assert_answer("qRegisterInfo0", "name:fp;bitsize:64;offset:0;encoding:uint;format:hex;set:general;ehframe:6;dwarf:6;"
					"generic:fp;");
	assert_answer("qRegisterInfo4", "name:state2;bitsize:32;offset:28;encoding:uint;format:hex;set:org.fake.core;");
	assert_answer("qRegisterInfo6", "name:v0;bitsize:128;offset:40;encoding:vector;format:vector-uint8;set:vector;");
	assert_answer("qRegisterInfoe", "E45");
	assert_answer("qRegisterInfoffffffffffffffff", "E45");
	assert_answer("qRegisterInfofffffffffffffffff", "E45");
	assert_answer("qRegisterInfo", "");
	assert_answer("qRegisterInfog", "");
	assert_answer("qRegisterInfo0;1", "E45");
}

static void test_suffix(void **state)
{
	(void)state;
	assert_int_equal(client_ask("p2;thread:2;")[0], 'E'); /* not agreed */
	be_lldb();
	fake.regs[2][2][0] = 0x77;
	assert_answer("p2;thread:2;", "7700000000000000");
	assert_answer("p2;thread:0002", "7700000000000000");
	assert_answer("p2", "1200000000000000");
	assert_answer("P2=8877665544332211;thread:3;", "OK");
	assert_memory_equal(fake.regs[3][2], "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	assert_answer("g;thread:9;", "E.there is no such thread");
	assert_int_equal(client_ask("p2;thread:")[0], 'E');
	assert_int_equal(client_ask("p2;thread:x;")[0], 'E');
	assert_int_equal(client_ask("p2;thread:2;;")[0], 'E');
	assert_int_equal(client_ask("p2;thread:2;junk")[0], 'E');
	assert_int_equal(client_ask("p2;thread:10000000000000000;")[0], 'E');
	assert_memory_equal(client_ask("g;thread:2;") + 32, "7700000000000000", 16);
	assert_answer("p5;thread:1;", "E.No data available"); /* for gdb it would be "xx" */
	assert_answer("qC", "QC1");
}

static void test_saved(void **state)
{
	(void)state;
	be_lldb();
	assert_answer("QRestoreRegisterState:1;thread:2;", "E.no registers are saved as 1");
	fake.regs[2][1][0] = 0x31;
	assert_answer("QSaveRegisterState;thread:2;", "1");
	assert_answer("P1=ff00000000000000;thread:2;", "OK");
	assert_answer("QRestoreRegisterState:1;thread:2;", "OK");
	assert_int_equal(fake.regs[2][1][0], 0x31);
	assert_int_equal(client_ask("QRestoreRegisterState:1;thread:2;")[0], 'E'); /* once */
	for (int i = 2; i <= 6; i++) {
		char id[4] = {(char)('0' + i), '\0'};
		assert_answer("QSaveRegisterState;thread:1;", id);
	}
	assert_int_equal(client_ask("QRestoreRegisterState:2;thread:1;")[0], 'E'); /* too old */
	assert_answer("QRestoreRegisterState:3;thread:1;", "OK");
	for (const char *const *p = (const char *const[]){"QRestoreRegisterState", "QRestoreRegisterState:",
							  "QRestoreRegisterState:9", "QRestoreRegisterState:4294967299",
							  "QRestoreRegisterState:0", "QRestoreRegisterState:-1",
							  "QSaveRegisterState:1", "QSaveRegisterState;thread:8;", NULL};
	     *p; p++)
		assert_int_equal(client_ask(*p)[0], 'E');
}

static void report(enum gdbstub_stop_kind kind, int tid)
{
	struct gdbstub_stop stop = {.kind = kind, .tid = tid, .signal = 5, .addr = 0x1234};

	client_send("c", 1);
	fake.running = false;
	fake.stop = stop;
	gdbstub_report_stop(stub, &stop);
}

static void test_stops(void **state)
{
	(void)state;
	be_lldb();
	report(GDBSTUB_STOP_SWBREAK, 2);
	assert_string_equal(
		client_packet(NULL),
		"T05thread:2;swbreak:;02:2200000000000000;01:2100000000000000;00:2000000000000000;reason:breakpoint;"
		"threads:1,2,3;thread-pcs:12,22,32;");
	assert_answer("qThreadStopInfo1",
		      "T00thread:1;02:1200000000000000;01:1100000000000000;00:1000000000000000;threads:1,2,3;"
		      "thread-pcs:12,22,32;");
	assert_memory_equal(client_ask("qThreadStopInfo2"), "T05thread:2;swbreak:;", 21);
	assert_int_equal(client_ask("qThreadStopInfo7")[0], 'E');
	assert_answer("qThreadStopInfo", "");
	assert_answer("qC", "QC2"); /* looking at a thread selects none */
	report(GDBSTUB_STOP_WATCH, 1);
	assert_memory_equal(client_packet(NULL), "T05thread:1;watch:1234;", 23);
}

static void test_json(void **state)
{
	const char *text;

	(void)state;
	be_lldb();
	report(GDBSTUB_STOP_WATCH, 3);
	client_packet(NULL);
	text = client_ask("jThreadsInfo");
	assert_memory_equal(text, "[{\"tid\":1,\"name\":\"fake <1>\",\"registers\":{\"2\":\"1200000000000000\",\"1\":", 68);
	assert_non_null(strstr(text,
			       "}},{\"tid\":3,\"name\":\"fake <3>\",\"signal\":5,\"reason\":\"watchpoint\",\"description\":"
			       "\"4660\",\"registers\":{"));
	assert_string_equal(text + strlen(text) - 3, "}}]");
	assert_answer("jThreadsInfo:1", "");
	assert_answer("jNonsense", "");
	assert_answer("j", "");
}

static void test_errors(void **state)
{
	(void)state;
	assert_answer("QEnableErrorStrings", "OK");
	assert_answer("T9", "E03;7468657265206973206e6f207468726561642039");
	assert_int_equal(client_ask("QEnableErrorStrings:1")[0], 'E');
}

static void test_kill(void **state)
{
	(void)state;
	be_lldb();
	assert_answer("k", "X09");
	assert_non_null(strstr(fake.log, "kill;"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, client_setup_modern, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_machine), TEST(test_regions), TEST(test_register_info), TEST(test_suffix), TEST(test_saved),
		TEST(test_stops),   TEST(test_json),    TEST(test_errors),        TEST(test_kill),
	};

	return cmocka_run_group_tests_name("gdbstub: lldb", tests, NULL, NULL);
}
