/* Hermit hypercalls of all interface versions: what they do, and what a hostile guest gets. */
#include "unit.h"

#include "../support/boot.h"

#include <stdlib.h>
#include <unistd.h>

/* Where the test's guest keeps its things: in its image, which the first page tables map. */
enum { KERNEL = 0x40000, BLOCK = KERNEL + 0x1000, TEXT = KERNEL + 0x2000, RAM = 64 << 20 };

static struct elf_build file;
static struct boot b;
static const uint64_t nowhere[] = {RAM, RAM - 1, 0xfffffff0, UINT64_MAX, UINT64_MAX - 3, UINT64_C(1) << 63, 0xc0000000};

static const char *const args[] = {"-x", "--", "app", NULL};
static const char *const env[] = {"HOME=/", "A=b", NULL};

static void start(uint16_t machine)
{
	memset(&b, 0, sizeof(b));
	b.params = (struct gyve_boot_params){.path = "kernel", .args = args, .env = env};
	elf_build_hermit(&file, &(struct hermit_image){.machine = machine, .entry_version = 4, .minor = 11});
	assert_int_equal(boot_start(&b, &gyve_platform_hermit, file.data, file.size), 0);
	boot_cpu(&b, 0);
}

static int setup(void **state)
{
	(void)state;
	start(EM_X86_64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	boot_end(&b);
	return 0;
}

static uint8_t *block(void)
{
	return boot_ptr(&b, BLOCK, 0x1000);
}

static void put(unsigned at, uint64_t v, unsigned len)
{
	memcpy(block() + at, &v, len);
}

static int64_t get(unsigned at, unsigned len)
{
	int32_t w;
	int64_t v;

	memcpy(&w, block() + at, 4);
	memcpy(&v, block() + at, 8);
	return len == 4 ? w : v;
}

static enum gyve_access_result v1(uint16_t number)
{
	return boot_out(&b, number, BLOCK, 4);
}

static enum gyve_access_result v2(uint16_t number, uint64_t arg)
{
	b.regs.x86.gpr[GYVE_RDI] = arg;
	return boot_out(&b, number, 0x1234, 4);
}

static void text(const char *s)
{
	memcpy(boot_ptr(&b, TEXT, 256), s, strlen(s) + 1);
}

static void crashed(enum gyve_access_result res, const char *says)
{
	assert_int_equal(res, GYVE_ACCESS_CRASH);
	if (!strstr(b.err.text, says))
		fail_msg("no \"%s\" in: %s", says, b.err.text);
}

/* --- console and end */

static void test_console(void **state)
{
	(void)state;
	text("buffers");
	assert_int_equal(boot_out(&b, 0x800, 'a', 1), GYVE_ACCESS_DONE);
	assert_int_equal(v2(0x1020, 0xffffff00 | 'b'), GYVE_ACCESS_DONE);
	put(0, TEXT, 8);
	put(8, 4, 8);
	assert_int_equal(v1(0x880), GYVE_ACCESS_DONE);
	put(0, 3, 8);
	put(8, TEXT + 4, 8);
	assert_int_equal(v2(0x1030, BLOCK), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "abbuffers");
	put(0, 0, 8);
	put(8, UINT64_MAX, 8); /* nothing, from nowhere */
	assert_int_equal(v2(0x1030, BLOCK), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "abbuffers");
}

static void test_exit(void **state)
{
	(void)state;
	put(0, (uint32_t)-1, 4);
	assert_int_equal(v1(0x540), GYVE_ACCESS_EXIT);
	assert_int_equal(b.code, -1);
	assert_int_equal(v2(0x1010, 0xffffffff), GYVE_ACCESS_EXIT);
	assert_int_equal(b.code, -1);
	assert_int_equal(v2(0x1010, 7), GYVE_ACCESS_EXIT);
	assert_int_equal(b.code, 7);
}

static void test_unknown_numbers(void **state)
{
	static const uint16_t ports[] = {0x640, 0x680, 0x700, 0x1040, 0x1200, 0x1210, 0x399, 0x60, 0xffff, 0};
	uint32_t v;

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(ports); i++) {
		assert_int_equal(v2(ports[i], BLOCK), GYVE_ACCESS_UNKNOWN);
		assert_int_equal(boot_in(&b, ports[i], 4, &v), ports[i] == 0x1040 ? GYVE_ACCESS_DONE : GYVE_ACCESS_UNKNOWN);
	}
	assert_int_equal(boot_store(&b, 0x880, BLOCK), GYVE_ACCESS_UNKNOWN); /* only aarch64 has a window */
}

static void test_pci_is_empty(void **state)
{
	uint32_t v = 0;

	(void)state;
	assert_int_equal(boot_out(&b, 0xcf8, 0x80000000, 4), GYVE_ACCESS_DONE);
	assert_int_equal(boot_in(&b, 0xcfc, 4, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v, 0xffffffff);
}

/* --- arguments */

static void test_arguments(void **state)
{
	static const char *const argv[] = {"kernel", "-x", "--", "app"};
	uint64_t at = TEXT, slots[20]; /* the environment is padded with empty strings: see args.c */

	(void)state;
	assert_int_equal(v1(0x740), GYVE_ACCESS_DONE);
	assert_int_equal(get(0, 4), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(get(4 + 4 * i, 4), strlen(argv[i]) + 1);
	assert_int_equal(get(516, 4), 16);
	assert_int_equal(get(520, 4), sizeof("HOME=/"));
	assert_int_equal(get(524, 4), sizeof("A=b"));
	assert_int_equal(get(528, 4), 1);
	for (unsigned i = 0; i < 20; i++, at += 16)
		slots[i] = at;
	memcpy(block() + 0x800, slots, sizeof(slots));
	put(0, BLOCK + 0x800, 8);
	put(8, BLOCK + 0x820, 8);
	assert_int_equal(v1(0x780), GYVE_ACCESS_DONE);
	for (unsigned i = 0; i < 4; i++)
		assert_string_equal(boot_ptr(&b, TEXT + 16 * i, 16), argv[i]);
	assert_string_equal(boot_ptr(&b, TEXT + 64, 16), "HOME=/");
	assert_string_equal(boot_ptr(&b, TEXT + 80, 16), "A=b");
	assert_string_equal(boot_ptr(&b, TEXT + 96, 16), "");
}

static void test_arguments_to_nowhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(nowhere); i++) {
		put(0, nowhere[i], 8);
		put(8, BLOCK, 8);
		crashed(v1(0x780), "is not in guest memory");
		put(0, BLOCK + 0x800, 8);
		put(0x800, nowhere[i], 8);
		crashed(v1(0x780), "is not in guest memory");
	}
}

static void test_more_arguments_than_the_block_holds(void **state)
{
	static const char *many[300];

	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(many) - 1; i++)
		many[i] = "x";
	b.params.args = b.params.env = many;
	memset(block(), 0xee, 0x1000);
	assert_int_equal(v1(0x740), GYVE_ACCESS_DONE);
	assert_int_equal(get(0, 4), 128);
	assert_int_equal(get(516, 4), 128);
	assert_int_equal(block()[1032], 0xee);
}

/* --- files */

static void test_write(void **state)
{
	(void)state;
	text("to stdout, to stderr");
	put(0, 1, 4);
	put(4, TEXT, 8);
	put(12, 9, 8);
	assert_int_equal(v1(0x400), GYVE_ACCESS_DONE);
	put(0, 11, 8);
	put(16, TEXT + 9, 8);
	put(24, 2, 4);
	assert_int_equal(v2(0x1100, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(8, 8), 11);
	assert_string_equal(b.out, "to stdout, to stderr");
	put(24, 42, 4);
	assert_int_equal(v2(0x1100, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(8, 8), -EBADF);
}

static void test_v1_write_has_no_place_for_an_error(void **state)
{
	(void)state;
	put(0, 42, 4);
	put(4, TEXT, 8);
	put(12, 4, 8);
	crashed(v1(0x400), "descriptor 42");
	put(0, 1, 4);
	put(4, UINT64_C(0x7f0000000000), 8);
	crashed(v1(0x400), "the buffer at 0x7f0000000000");
	put(4, (2 << 20) - 4, 8); /* its second page is not mapped */
	put(12, 8, 8);
	crashed(v1(0x400), "the buffer at 0x200000");
	put(4, TEXT, 8);
	put(12, UINT64_MAX, 8);
	crashed(v1(0x400), "the buffer");
}

/* One page that is mapped over and over would be written for years. */
static void test_v1_write_is_never_longer_than_memory(void **state)
{
	(void)state;
	b.nout = 0;
	put(0, 1, 4);
	put(4, 0, 8);
	put(12, RAM + 1, 8);
	crashed(v1(0x400), "the buffer");
	assert_int_equal(b.nout, 0);
}

/* Standard input of the test is a pipe while these run. */
static int with_input(const char *s, int *saved)
{
	int fd[2];

	if (pipe(fd) < 0)
		return -1;
	*saved = dup(STDIN_FILENO);
	dup2(fd[0], STDIN_FILENO);
	close(fd[0]);
	if (s && write(fd[1], s, strlen(s)) < 0)
		return -1;
	return fd[1];
}

static void without_input(int end, int saved)
{
	close(end);
	dup2(saved, STDIN_FILENO);
	close(saved);
}

static void test_read(void **state)
{
	int saved = -1, end = with_input("abcdef", &saved);

	(void)state;
	assert_true(end >= 0);
	put(0, 0, 4);
	put(4, TEXT, 8);
	put(12, 4, 8);
	assert_int_equal(v1(0x500), GYVE_ACCESS_DONE);
	assert_int_equal(get(20, 8), 4);
	put(0, 100, 8);
	put(16, TEXT + 4, 8);
	put(24, 0, 4);
	assert_int_equal(v2(0x1130, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(8, 8), 2);
	assert_memory_equal(boot_ptr(&b, TEXT, 6), "abcdef", 6);
	put(24, 1, 4);
	assert_int_equal(v2(0x1130, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(8, 8), -EBADF);
	without_input(end, saved);
}

static void test_serial_input(void **state)
{
	int saved = -1, end = with_input("abc", &saved);
	uint32_t v;

	(void)state;
	assert_true(end >= 0);
	assert_int_equal(boot_in(&b, 0x1040, 1, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v, 'a');
	put(0, 100, 8);
	put(16, TEXT, 8);
	assert_int_equal(v2(0x1050, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(8, 8), 2);
	assert_memory_equal(boot_ptr(&b, TEXT, 2), "bc", 2);
	assert_int_equal(v2(0x1050, BLOCK), GYVE_ACCESS_DONE); /* nothing waits */
	assert_int_equal(get(8, 8), 0);
	assert_int_equal(boot_in(&b, 0x1040, 4, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v, UINT32_MAX);
	b.params.no_input = true; /* it is the debugger's */
	assert_int_equal(write(end, "x", 1), 1);
	assert_int_equal(boot_in(&b, 0x1040, 4, &v), GYVE_ACCESS_DONE);
	assert_int_equal(v, UINT32_MAX);
	put(16, UINT64_MAX, 8);
	crashed(v2(0x1050, BLOCK), "is not in guest memory");
	without_input(end, saved);
}

/* A vCPU that waits for input can be stopped. */
static void test_read_gives_way(void **state)
{
	int saved = -1, end = with_input(NULL, &saved);

	(void)state;
	assert_true(end >= 0);
	b.wanted = true;
	put(0, 100, 8);
	put(16, TEXT, 8);
	put(24, 0, 4);
	assert_int_equal(v2(0x1130, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(8, 8), -EINTR);
	without_input(end, saved);
}

static void test_bad_buffers(void **state)
{
	(void)state;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(nowhere); i++) {
		put(0, 4, 8);
		put(16, nowhere[i], 8);
		put(24, 1, 4);
		assert_int_equal(v2(0x1100, BLOCK), GYVE_ACCESS_DONE);
		assert_int_equal(get(8, 8), -EFAULT);
		put(24, 0, 4);
		assert_int_equal(v2(0x1130, BLOCK), GYVE_ACCESS_DONE);
		assert_int_equal(get(8, 8), -EFAULT);
		put(8, nowhere[i], 8);
		crashed(v2(0x1030, BLOCK), "the text at 0x");
		put(0, nowhere[i], 8);
		put(8, 4, 8);
		crashed(v1(0x880), "the text at 0x");
	}
	put(0, UINT64_MAX, 8); /* a good start, a bad length */
	put(16, TEXT, 8);
	assert_int_equal(v2(0x1130, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(8, 8), -EFAULT);
	put(0, 0, 4);
	put(4, UINT64_C(0x7f0000000000), 8);
	put(12, 4, 8);
	assert_int_equal(v1(0x500), GYVE_ACCESS_DONE);
	assert_int_equal(get(20, 8), -EFAULT);
}

/* Every call, with its parameter block outside memory or across its end. */
static void test_blocks_outside_memory(void **state)
{
	static const uint16_t v1_calls[] = {0x400, 0x440, 0x480, 0x500, 0x540, 0x580, 0x740, 0x780, 0x840, 0x880};
	static const uint16_t v2_calls[] = {0x1030, 0x1050, 0x1100, 0x1110, 0x1120, 0x1130,
					    0x1140, 0x1150, 0x1160, 0x1170, 0x1180, 0x1190};

	(void)state;
	for (size_t k = 0; k < GYVE_ARRAY_SIZE(nowhere); k++) {
		for (size_t i = 0; i < GYVE_ARRAY_SIZE(v1_calls); i++)
			crashed(boot_out(&b, v1_calls[i], (uint32_t)nowhere[k] | RAM, 4), "the parameter block at");
		for (size_t i = 0; i < GYVE_ARRAY_SIZE(v2_calls); i++)
			crashed(v2(v2_calls[i], nowhere[k]), "the parameter block at");
	}
}

static void test_paths(void **state)
{
	static const uint16_t open_calls[] = {0x440, 0x1110}, unlink_calls[] = {0x840, 0x1150};

	(void)state;
	for (unsigned v = 0; v < 2; v++) {
		b.regs.x86.gpr[GYVE_RDI] = BLOCK;
		text("/etc/passwd");
		put(0, TEXT, 8);
		put(8, 0x241, 4);
		assert_int_equal(v1(open_calls[v]), GYVE_ACCESS_DONE);
		assert_int_equal(get(16, 4), -ENOENT);
		assert_int_equal(v1(unlink_calls[v]), GYVE_ACCESS_DONE);
		assert_int_equal(get(8, 4), -ENOENT);
		memset(boot_ptr(&b, RAM - 16, 16), 'x', 16); /* it does not end */
		put(0, RAM - 12, 8);
		assert_int_equal(v1(open_calls[v]), GYVE_ACCESS_DONE);
		assert_int_equal(get(16, 4), -EINVAL);
		*boot_ptr(&b, RAM - 1, 1) = 0; /* it ends with memory */
		put(8, 0x241, 4);
		assert_int_equal(v1(open_calls[v]), GYVE_ACCESS_DONE);
		assert_int_equal(get(16, 4), -ENOENT);
		put(0, RAM, 8);
		assert_int_equal(v1(open_calls[v]), GYVE_ACCESS_DONE);
		assert_int_equal(get(16, 4), -EFAULT);
		assert_int_equal(v1(unlink_calls[v]), GYVE_ACCESS_DONE);
		assert_int_equal(get(8, 4), -EFAULT);
	}
}

static void test_close_and_seek(void **state)
{
	(void)state;
	put(0, 1, 4);
	assert_int_equal(v1(0x480), GYVE_ACCESS_DONE);
	assert_int_equal(get(4, 4), 0);
	put(0, 3, 4);
	assert_int_equal(v1(0x480), GYVE_ACCESS_DONE);
	assert_int_equal(get(4, 4), -EBADF);
	put(0, 9, 4);
	put(4, 0, 8);
	put(12, 0, 4);
	assert_int_equal(v1(0x580), GYVE_ACCESS_DONE);
	assert_int_equal(get(4, 8), -1);
	put(0, 0, 8);
	put(8, 0, 4);
	put(12, (uint32_t)-5, 4);
	assert_int_equal(v2(0x1140, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(0, 8), -EBADF);
	put(0, 0, 8); /* output has no position: it would be gyve's own */
	put(12, 2, 4);
	assert_int_equal(v2(0x1140, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(0, 8), -EPERM);
	put(8, 99, 4);
	put(12, 0, 4);
	assert_int_equal(v2(0x1140, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(0, 8), -EINVAL);
}

static void test_version_3(void **state)
{
	(void)state;
	assert_int_equal(v2(0x1160, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(24, 4), 3);
	assert_int_equal(get(32, 4), EBADF);
	assert_int_equal(v2(0x1170, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(24, 4), 2);
	assert_int_equal(get(28, 4), ENOENT);
	assert_int_equal(v2(0x1180, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(16, 4), 2);
	assert_int_equal(get(20, 4), EBADF);
	assert_int_equal(v2(0x1190, BLOCK), GYVE_ACCESS_DONE);
	assert_int_equal(get(16, 4), 2);
	assert_int_equal(get(20, 4), ENOENT);
}

static void test_registers_that_cannot_be_read(void **state)
{
	(void)state;
	b.no_regs = true;
	crashed(v2(0x1010, 0), "registers cannot be read");
	put(0, 1, 4);
	put(4, TEXT, 8);
	put(12, 4, 8);
	assert_int_equal(v1(0x400), GYVE_ACCESS_CRASH);
}

/* --- aarch64: stores into the window, the argument in x8 */

static void test_a64_calls(void **state)
{
	(void)state;
	boot_end(&b);
	start(EM_AARCH64);
	uint64_t ga = b.layout.ram_gpa, at = ga + BLOCK;
	uint8_t *p = boot_ptr(&b, at, 64);
	uint64_t buf = ga + TEXT, len = 5;
	memcpy(boot_ptr(&b, buf, 5), "hello", 5);
	memcpy(p, &buf, 8);
	memcpy(p + 8, &len, 8);
	b.regs.a64.x[8] = at;
	assert_int_equal(boot_store(&b, ga + 0x880, at), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "hello");
	b.regs.a64.x[8] = '!';
	assert_int_equal(boot_store(&b, ga + 0x800, 0), GYVE_ACCESS_DONE);
	assert_int_equal(boot_store(&b, ga + 0x1020, 0), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "hello!!");
	uint32_t one = 1;
	memcpy(p, &one, 4); /* version 1 write: the buffer is a virtual address */
	memcpy(p + 4, &buf, 8);
	memcpy(p + 12, &len, 8);
	b.regs.a64.x[8] = at;
	assert_int_equal(boot_store(&b, ga + 0x400, at), GYVE_ACCESS_DONE);
	assert_string_equal(b.out, "hello!!hello");
	b.regs.a64.x[8] = ga; /* in the window: there is no memory */
	crashed(boot_store(&b, ga + 0x540, 0), "hypercall 0x540: the parameter block at 0x10000000");
	b.regs.a64.x[8] = 3;
	assert_int_equal(boot_store(&b, ga + 0x1010, 3), GYVE_ACCESS_EXIT);
	assert_int_equal(b.code, 3);
	assert_int_equal(boot_store(&b, ga + 0x123, 3), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_store(&b, ga - 8, 3), GYVE_ACCESS_UNKNOWN);
	assert_int_equal(boot_store(&b, ga + 0x10000 + 0x880, 3), GYVE_ACCESS_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_console, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pci_is_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arguments, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arguments_to_nowhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_arguments_than_the_block_holds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v1_write_has_no_place_for_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_v1_write_is_never_longer_than_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_serial_input, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read_gives_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_blocks_outside_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_and_seek, setup, teardown),
		cmocka_unit_test_setup_teardown(test_version_3, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registers_that_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a64_calls, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
