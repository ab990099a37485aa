/* libgdbstub: the extended protocol, over a fake target. */
#include "stub_client.h"

#include <errno.h>

static void stopped(enum gdbstub_stop_kind kind)
{
	struct gdbstub_stop stop = {.kind = kind, .tid = 1, .signal = 5};

	fake.running = false;
	gdbstub_report_stop(stub, &stop);
}

static const char *stop_reply(void)
{
	const char *text = client_packet(NULL);
	return text ? text : "";
}

static void test_run(void **state)
{
	(void)state;
	assert_answer("!", "OK");
	assert_true(gdbstub_extended(stub));
	assert_answer("qAttached", "1");
	assert_answer("QEnvironmentReset", "OK");
	assert_answer("QEnvironmentHexEncoded:413d42", "OK");
	assert_answer("QEnvironmentUnset:43", "OK");
	assert_answer("QSetWorkingDir:", "OK");
	assert_answer("QSetWorkingDir:2f", "E.no directories");
	assert_answer("QStartupWithShell:1", "OK");
	assert_answer("QDisableRandomization:1", "OK");
	assert_answer("QThreadEvents:0", "OK");
	client_send("vRun;61;62;6364", 15);
	assert_silent();
	assert_string_equal(fake.log, "env -;env A=B;env C;start a b cd;");
	assert_true(gdbstub_running(stub));
	assert_int_equal(client_ask("g")[0], 'E');
	stopped(GDBSTUB_STOP_SIGNAL);
	assert_memory_equal(stop_reply(), "T05thread:1;", 12);
	assert_answer("qAttached", "0");
	assert_int_equal(client_ask("vRun;6f74686572")[0], 'E');
	assert_true(gdbstub_gone(stub));
}

static void test_outlives_guest(void **state)
{
	(void)state;
	assert_answer("!", "OK");
	client_send("vCont;c", 7);
	stopped(GDBSTUB_STOP_EXITED);
	assert_string_equal(stop_reply(), "W00");
	assert_true(gdbstub_gone(stub));
	assert_answer("?", "W00");
	assert_answer("qfThreadInfo", "l");
	assert_int_equal(client_ask("vCont;c")[0], 'E');
	client_send("vRun;", 5);
	stopped(GDBSTUB_STOP_SIGNAL);
	assert_int_equal(stop_reply()[0], 'T');
	assert_answer("vKill;1", "OK");
	assert_int_equal(fed, 0);
	assert_answer("?", "W00");
	client_send("k", 1);
	assert_silent();
	assert_int_equal(fed, 0);
	client_send("R00", 3); /* not answered, and its stop is not told either */
	stopped(GDBSTUB_STOP_SIGNAL);
	assert_silent();
	assert_int_equal(client_ask("?")[0], 'T');
	assert_answer("D;1", "OK");
	assert_int_equal(fed, 0);
	assert_false(gdbstub_detached(stub));
	assert_answer("?", "W00");
	fake.running = true;
	client_send("vAttach;1", 9);
	assert_silent();
	stopped(GDBSTUB_STOP_SIGNAL);
	assert_int_equal(stop_reply()[0], 'T');
	assert_answer("qAttached", "1");
}

static void test_refused_later(void **state)
{
	(void)state;
	client_send("vRun;", 5);
	gdbstub_report_refusal(stub, -EIO, "the image is gone");
	assert_string_equal(stop_reply(), "E.the image is gone");
	assert_false(gdbstub_running(stub));
	gdbstub_report_refusal(stub, -EIO, "nobody asks");
	assert_silent();
}

static void test_malformed(void **state)
{
	(void)state;
	for (const char *const *p =
		     (const char *const[]){"!x", "vRun;6", "vRun;zz", "vRun;61;00", "vRun", "vAttach", "vAttach;x",
					   "QEnvironmentHexEncoded:4142", "QEnvironmentHexEncoded:3d41",
					   "QEnvironmentHexEncoded:", "QEnvironmentUnset:413d", "QEnvironmentReset:1",
					   "QSetWorkingDir", "QThreadEvents:2", "QThreadEvents", "QStartupWithShell:", NULL};
	     *p; p++)
		if (client_ask(*p)[0] != 'E')
			fail_msg("%s is not refused", *p);
	assert_string_equal(fake.log, "");
}

static void test_many_arguments(void **state)
{
	char packet[2 * 1100 + 8] = "vRun;";

	(void)state;
	for (int i = 0; i < 1030; i++)
		strcat(packet, ";");
	assert_int_equal(client_ask(packet)[0], 'E');
	assert_string_equal(fake.log, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, client_setup_modern, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_run),       TEST(test_outlives_guest), TEST(test_refused_later),
		TEST(test_malformed), TEST(test_many_arguments),
	};

	return cmocka_run_group_tests_name("gdbstub: beginnings and ends", tests, NULL, NULL);
}
