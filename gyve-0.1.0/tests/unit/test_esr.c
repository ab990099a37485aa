/* ESR_EL1 in words. */
#include "gyve/arch.h"
#include "unit.h"

static void is(uint64_t esr, const char *want)
{
	char text[128];

	assert_int_equal(gyve_a64_esr_text(esr, text, sizeof(text)), strlen(want));
	assert_string_equal(text, want);
}

static void test_words(void **state)
{
	(void)state;
	is(0x02000000, "undefined instruction");
	is(0x96000045, "data abort on a write: translation fault at level 1");
	is(0x9600000f, "data abort on a read: permission fault at level 3");
	is(0x96000061, "data abort on a write: alignment fault");
	is(0x86000010, "instruction abort on a fetch: external abort");
	is(0x92000015, "data abort from EL0 on a read: external abort on a table walk");
	is(0x56000007, "SVC #0x7");
	is(0xf2000001, "BRK #0x1");
	is(0xfc000000, "exception class 0x3f");
}

static void test_all_terminate(void **state)
{
	char text[32];

	(void)state;
	for (unsigned ec = 0; ec < 64; ec++)
		for (unsigned fsc = 0; fsc < 64; fsc++)
			assert_true(gyve_a64_esr_text((uint64_t)ec << 26 | fsc, text, sizeof(text)) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_all_terminate)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
