/* libgdbstub: non-stop, over a fake target. */
#include "stub_client.h"

#include <errno.h>

static void stopped(int tid, int signal)
{
	struct gdbstub_stop stop = {.kind = GDBSTUB_STOP_SIGNAL, .tid = tid, .signal = signal};

	fake.halted[tid] = true;
	gdbstub_report_stop(stub, &stop);
}

static void assert_begins(const char *text, const char *with)
{
	if (strncmp(text ? text : "", with, strlen(with)) != 0)
		fail_msg("%s, not %s...", text ? text : "nothing", with);
}

static void test_all_listed(void **state)
{
	(void)state;
	assert_answer("QNonStop:1", "OK");
	assert_true(gdbstub_nonstop(stub));
	assert_begins(client_ask("?"), "T00thread:1;");
	assert_begins(client_ask("vStopped"), "T00thread:2;");
	assert_begins(client_ask("vStopped"), "T00thread:3;");
	assert_answer("vStopped", "OK");
	assert_answer("vStopped", "OK");
	fake.halted[1] = fake.halted[3] = false;
	assert_begins(client_ask("?"), "T00thread:2;");
	assert_answer("vStopped", "OK");
	fake.halted[2] = false;
	assert_answer("?", "OK");
}

/* One at a time; what comes in between waits. */
static void test_notifications(void **state)
{
	(void)state;
	assert_answer("QNonStop:1", "OK");
	assert_answer("vCont;c", "OK");
	assert_false(gdbstub_running(stub));
	assert_true(gdbstub_wants_stops(stub));
	stopped(2, 5);
	assert_begins(client_raw(NULL), "%Stop:T05thread:2;");
	stopped(3, 2);
	stopped(1, 0);
	assert_string_equal(client_raw(NULL), "");
	assert_false(gdbstub_all_told(stub));
	assert_begins(client_ask("g"), "");
	assert_begins(client_ask("vStopped"), "T02thread:3;");
	assert_begins(client_ask("vStopped"), "T00thread:1;");
	assert_answer("vStopped", "OK");
	assert_true(gdbstub_all_told(stub));
	fake.log[0] = '\0';
	assert_answer("vCont;t:2;s:1;c", "OK");
	assert_string_equal(fake.log, "resume 1:s 2:t 3:c;");
	assert_answer("vCont;t:9", "E.there is no such thread");
	assert_answer("vCtrlC", "OK");
	assert_int_equal(client_ask("c")[0], 'E');
}

/* With an answer on its way the notification stays outside of it; with acknowledgements it is not for '-' to repeat. */
static void test_beside_answers(void **state)
{
	size_t len;

	(void)state;
	gdbstub_destroy(stub);
	stub = gdbstub_create(&fake_arch, &fake_ops, &fake);
	client_feed("$QNonStop:1#8d", 14);
	client_feed("+$vCont;c#a8", 12);
	assert_string_equal(client_raw(&len), "+$OK#9a+$OK#9a");
	stopped(1, 5);
	client_feed("-", 1);
	const char *text = client_raw(&len);
	assert_begins(text, "%Stop:T05thread:1;");
	assert_non_null(strstr(text, "$OK#9a"));
}

static void test_end(void **state)
{
	struct gdbstub_stop stop = {.kind = GDBSTUB_STOP_EXITED, .code = 3};

	(void)state;
	assert_answer("!", "OK");
	assert_answer("QNonStop:1", "OK");
	assert_answer("vCont;c", "OK");
	gdbstub_report_stop(stub, &stop);
	assert_string_equal(client_raw(NULL), "%Stop:W03#9a");
	assert_true(gdbstub_gone(stub));
	stopped(1, 5); /* of a guest that is gone */
	assert_string_equal(client_raw(NULL), "");
	assert_answer("vStopped", "OK");
	assert_answer("?", "OK");
	client_send("vRun;", 5);
	assert_silent();
	stopped(1, 5);
	assert_begins(client_packet(NULL), "T05thread:1;");
	assert_answer("vKill;1", "OK");
	assert_answer("QNonStop:0", "OK");
	assert_answer("QNonStop:2", "E.the packet's arguments are malformed");
}

/* gdb 13 must not hear of two threads at once. */
static void test_one_first(void **state)
{
	(void)state;
	client_ask("qSupported:swbreak+;vContSupported+");
	assert_answer("QNonStop:1", "OK");
	assert_begins(client_ask("?"), "T00thread:1;");
	client_send("vStopped", 8);
	const char *text = client_raw(NULL);
	assert_begins(text, "$OK#9a%Stop:T00thread:2;");
	assert_begins(client_ask("vStopped"), "T00thread:3;");
	assert_answer("vStopped", "OK");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, client_setup_modern, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_listed), TEST(test_notifications), TEST(test_beside_answers),
		TEST(test_end),        TEST(test_one_first),
	};

	return cmocka_run_group_tests_name("gdbstub: non-stop", tests, NULL, NULL);
}
