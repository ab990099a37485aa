#include "config.h"

#include "unit.h"

#include "gyve/filemap.h"
#include "gyve/hermit_image.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef HAVE_LIBARCHIVE
#include <zlib.h>

enum { ROOM = 1 << 20 };
static uint8_t packed[ROOM];
static struct gyve_err err;
static struct gyve_hermit_image *image;

#define CONFIG "version = \"1\"\nkernel = \"k\"\n[input]\nkernel_args = [\"-a\"]\napp_args = []\n"

struct entry {
	const char *name, *text;
	size_t zeros; /* instead of text */
	const char *link;
};

#define F(name, text)               \
	{                           \
		name, text, 0, NULL \
	}
#define ZEROS(name, n)              \
	{                           \
		name, NULL, n, NULL \
	}
#define LINK(name, to)          \
	{                       \
		name, "", 0, to \
	}

enum { BLOCK = 512, TAR = 4 << 20 };
static char tar[TAR];

/* A header of ustar and its data, from offset on. The new offset. */
static size_t put_entry(size_t at, const struct entry *e)
{
	char *h = tar + at;
	size_t len = e->link ? 0 : e->zeros ? e->zeros : strlen(e->text), next = at + BLOCK + (len + BLOCK - 1) / BLOCK * BLOCK;
	unsigned sum = 0;

	assert_true(next + 2 * (size_t)BLOCK <= sizeof(tar) && strlen(e->name) <= 100);
	memset(h, 0, next - at);
	memcpy(h, e->name, strlen(e->name));
	memcpy(h + 100, "0000644", 8);
	memcpy(h + 108, "0000000", 8);
	memcpy(h + 116, "0000000", 8);
	snprintf(h + 124, 12, "%011zo", len);
	memcpy(h + 136, "00000000000", 12);
	memset(h + 148, ' ', 8);
	h[156] = e->link ? '2' : '0';
	if (e->link)
		memcpy(h + 157, e->link, strlen(e->link));
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (uint8_t)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	if (!e->link && !e->zeros)
		memcpy(h + BLOCK, e->text, len);
	return next;
}

static size_t pack(const struct entry *e, size_t n)
{
	z_stream z = {0};
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len = put_entry(len, &e[i]);
	memset(tar + len, 0, 2 * (size_t)BLOCK);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef *)tar;
	z.avail_in = (uInt)(len + 2 * (size_t)BLOCK);
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

#define OPEN(internal, max, ...)                                                   \
	({                                                                         \
		const struct entry entries[] = {__VA_ARGS__};                      \
		size_t size = pack(entries, GYVE_ARRAY_SIZE(entries));             \
		assert_true(gyve_hermit_image_probe(packed, size));                \
		gyve_hermit_image_open(&image, packed, size, internal, max, &err); \
	})
#define REFUSED(why, ...)                                                      \
	do {                                                                   \
		assert_int_equal(OPEN(false, 1 << 19, __VA_ARGS__), -ENOEXEC); \
		if (!strstr(err.text, why))                                    \
			fail_msg("'%s' is not about %s", err.text, why);       \
	} while (0)

static void test_whole(void **state)
{
	struct gyve_filemap *map;
	char mounts[64];

	(void)state;
	assert_int_equal(
		OPEN(false, 1 << 19,
		     F("./hermit.toml",
		       "version = \"1\"\nkernel = \"bin/k\"\n[input]\nkernel_args = [\"-a\", \"b c\"]\napp_args = "
		       "[\"x\"]\nenv_vars = [\"A=1\", \"host\", \"=2\"]\n[requirements]\nmemory = \"128 MiB\"\ncpus = 2\n"),
		     F("bin/k", "ELF"), F("etc/motd", "hello"), LINK("link", "/etc/passwd")),
		0);
	assert_int_equal(image->nfiles, 3);
	assert_int_equal(image->kernel->len, 3);
	assert_string_equal(image->args[1], "b c");
	assert_string_equal(image->args[2], "--");
	assert_string_equal(image->args[3], "x");
	assert_null(image->args[4]);
	assert_string_equal(image->env[0], "A=1");
	assert_null(image->env[1]);
	assert_true(image->memory == 128 << 20 && image->cpus == 2);
	assert_int_equal(gyve_filemap_create(&map), 0);
	assert_int_equal(gyve_hermit_image_map(image, map, &err), 0);
	assert_true(gyve_filemap_mounts(map, mounts, sizeof(mounts)) > 0);
	gyve_filemap_destroy(map);
	gyve_hermit_image_close(image);
}

static void test_args_only_kernel(void **state)
{
	(void)state;
	assert_int_equal(OPEN(false, 1 << 19, F("hermit.toml", CONFIG "[requirements]\nmemory = 4096\n"), F("k", "")), 0);
	assert_string_equal(image->args[0], "-a");
	assert_null(image->args[1]);
	assert_true(image->memory == 4096 && image->cpus == 0 && image->kernel->len == 0);
	gyve_hermit_image_close(image);
}

/* As they are, and the last one. */
static void test_internal(void **state)
{
	(void)state;
	assert_int_equal(OPEN(true, 1 << 19, F("hermit.toml", "bad"), F("k", "1"), F("hermit.toml", CONFIG), F("k", "22")), 0);
	assert_int_equal(image->kernel->len, 2);
	assert_true(image->tar_len >= 10240 / 2);
	gyve_hermit_image_close(image);
	assert_int_equal(OPEN(true, 1 << 19, F("./hermit.toml", CONFIG), F("k", "1")), -ENOEXEC);
	assert_non_null(strstr(err.text, "no hermit.toml"));
}

static void test_refused(void **state)
{
	(void)state;
	REFUSED("no hermit.toml", F("k", "1"));
	REFUSED("line 1", F("hermit.toml", "="), F("k", "1"));
	REFUSED("version", F("hermit.toml", "version = 1\nkernel = \"k\"\n"), F("k", "1"));
	REFUSED("no kernel 'k'", F("hermit.toml", CONFIG), F("K", "1"));
	REFUSED("no kernel 'k'", F("hermit.toml", CONFIG), LINK("k", "hermit.toml"));
	REFUSED("twice", F("hermit.toml", CONFIG), F("k", "1"), F("./k", "2"));
	REFUSED("leads out", F("hermit.toml", CONFIG), F("k", "1"), F("a/../../k", "2"));
	REFUSED("kernel_args", F("hermit.toml", "version = \"1\"\nkernel = \"k\"\n[input]\napp_args = []\n"), F("k", "1"));
	REFUSED("env_vars", F("hermit.toml", CONFIG "env_vars = [1]\n"), F("k", "1"));
	REFUSED("memory", F("hermit.toml", CONFIG "[requirements]\nmemory = \"much\"\n"), F("k", "1"));
	REFUSED("cpus", F("hermit.toml", CONFIG "[requirements]\ncpus = -1\n"), F("k", "1"));
	REFUSED("unpacks to more", F("hermit.toml", CONFIG), ZEROS("k", 600000)); /* a few hundred bytes, packed */
}

/* Every prefix of an image is refused, or is whole. */
static void test_cut(void **state)
{
	const struct entry e[] = {F("hermit.toml", CONFIG), F("k", "1")};
	size_t size = pack(e, 2);

	(void)state;
	for (size_t n = 0; n < size; n++) {
		uint8_t *part = malloc(n + 1);
		memcpy(part, packed, n);
		if (gyve_hermit_image_open(&image, part, n, false, 1 << 19, &err) == 0)
			gyve_hermit_image_close(image);
		free(part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),    cmocka_unit_test(test_args_only_kernel),
		cmocka_unit_test(test_internal), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("SKIP: built without libarchive");
	return 77;
}
#endif
