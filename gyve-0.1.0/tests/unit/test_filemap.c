/* The file map: its grammar, where paths lead, and that none leads out of a mapped directory. */
#include "config.h"

#include "unit.h"

#include "../../src/hermit/filemap.h"
#include "../support/tree.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct tree t;
static struct gyve_filemap *map;
static struct gyve_err err;

static int setup(void **state)
{
	(void)state;
	if (tree_make(&t) < 0 || gyve_filemap_create(&map) < 0)
		return -1;
	if (mkdirat(t.fd, "in", 0755) < 0 || mkdirat(t.fd, "in/sub", 0755) < 0 || mkdirat(t.fd, "out", 0755) < 0)
		return -1;
	if (!tree_write(&t, "in/file", "inside") || !tree_write(&t, "in/sub/deep", "deep") ||
	    !tree_write(&t, "out/secret", "secret"))
		return -1;
	return symlinkat("file", t.fd, "in/good") || symlinkat("../out/secret", t.fd, "in/up") ||
	       symlinkat("/etc/passwd", t.fd, "in/abs") || symlinkat("../out", t.fd, "in/updir") ||
	       symlinkat("sub/../../out/secret", t.fd, "in/round") || symlinkat("nowhere", t.fd, "in/dangling") ||
	       symlinkat("/proc/self/root", t.fd, "in/magic");
}

static int teardown(void **state)
{
	(void)state;
	hostfs_without_openat2(false);
	gyve_filemap_destroy(map);
	tree_remove(&t);
	return 0;
}

static int add(const char *host, const char *rest)
{
	char spec[256];

	snprintf(spec, sizeof(spec), "%s/%s:%s", t.path, host, rest);
	err.text[0] = '\0';
	int r = gyve_filemap_add(map, spec, &err);
	assert_true(r == 0 || err.text[0]);
	return r;
}

static void leads(const char *path, enum file_kind kind, const char *rest, bool exact)
{
	static struct file_place at;

	assert_int_equal(filemap_find(map, path, &at), 0);
	assert_int_equal(at.node->kind, kind);
	assert_string_equal(at.rest, rest);
	assert_int_equal(at.exact, exact);
}

static void test_grammar(void **state)
{
	static const char *const bad[] = {"",           ":",          "/tmp",     "/tmp:",
					  ":/tmp",      "/tmp:/a:rw", "/tmp:/a:", "/tmp:/a:ro:ro",
					  "/tmp:/",     "/tmp:..",    "/tmp:./.", "/no/such/dir/file:/x",
					  "/tmp:/\xff", "/tmp/..:/.."};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		assert_int_equal(gyve_filemap_add(map, bad[i], &err), -EINVAL);
		assert_true(err.text[0]);
	}
	assert_int_equal(add("in", "/root"), 0);
	assert_int_equal(add("in", "/root"), -EINVAL);
	assert_int_equal(add("in", "root/"), -EINVAL);
	assert_int_equal(add("in", "/root/below"), -EINVAL);
	assert_int_equal(add("in/file", "/a/b/c:ro"), 0);
	assert_int_equal(add("in/file", "/a/b"), -EINVAL);
	assert_int_equal(add("in/file", "/a/b/c/d"), -EINVAL);
	assert_int_equal(add("in/new", "/a/b/new"), 0);
	assert_int_equal(add("in/new/", "/a/b/slash"), 0);
	assert_int_equal(add("in/no/new", "/a/b/n"), -EINVAL);
	assert_int_equal(add("in/good", "/a/link"), 0); /* the file itself */
}

static void test_lookup(void **state)
{
	static struct file_place at;
	char longer[PATH_MAX + 10];

	(void)state;
	assert_int_equal(add("in", "/data/../root/./x//y/"), 0);
	assert_int_equal(add("in/file", "/one"), 0);
	assert_int_equal(gyve_filemap_add_memory(map, "etc/conf", "abc", 3, &err), 0);
	assert_int_equal(gyve_filemap_add_memory(map, "etc/conf", "abc", 3, &err), -EINVAL);
	leads("/root/x/y", FILE_HOST_DIR, "", true);
	leads("root/x/y/a/b", FILE_HOST_DIR, "a/b", false);
	leads("//root//x/../x/y/a/../../y/./b", FILE_HOST_DIR, "b", false);
	leads("/../../root/x/y/../../../one", FILE_HOST, "", true);
	leads("/", FILE_DIR, "", true);
	leads("", FILE_DIR, "", true);
	leads("/root", FILE_DIR, "", true);
	leads("/root/x/z", FILE_DIR, "z", false);
	leads("/roo", FILE_DIR, "roo", false);
	leads("/etc/conf", FILE_MEMORY, "", true);
	assert_int_equal(filemap_find(map, "/one/below", &at), -ENOENT);
	assert_int_equal(filemap_find(map, "/etc/conf/x", &at), -ENOENT);
	assert_int_equal(filemap_find(map, "/\x80", &at), -EINVAL);
	assert_int_equal(filemap_find(map, "/\xed\xa0\x80", &at), -EINVAL);
	assert_int_equal(filemap_find(map, "/\xc0\xaf", &at), -EINVAL);
	leads("/\xf0\x9f\x90\x98", FILE_DIR, "\xf0\x9f\x90\x98", false);
	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(filemap_find(map, longer, &at), -ENAMETOOLONG);
	for (size_t i = 1; i < sizeof(longer) - 1; i += 2)
		longer[i] = '/';
	assert_int_equal(filemap_find(map, longer, &at), -ENAMETOOLONG);
}

static int try_open(const char *path, int flags)
{
	int dir = openat(t.fd, "in", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = hostfs_open(dir, path, flags, 0600);

	close(dir);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* With openat2(2), and as on a kernel without it. */
static void no_way_out(bool links)
{
	static const char *const out[] = {
		"up",         "abs", "updir/secret", "round", "magic/etc/passwd", "../out/secret", "sub/../../out/secret",
		"/etc/passwd"};
	static const int flags[] = {O_RDONLY, O_WRONLY | O_CREAT, O_RDWR | O_TRUNC, O_PATH, O_WRONLY | O_CREAT | O_EXCL};
	int dir = openat(t.fd, "in", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++)
		for (size_t k = 0; k < sizeof(flags) / sizeof(flags[0]); k++)
			if (flags[k] != O_PATH || links)
				assert_true(try_open(out[i], flags[k]) < 0);
	assert_true(tree_holds(&t, "out/secret", "secret"));
	assert_int_equal(try_open("file", O_RDONLY), 0);
	assert_int_equal(try_open("sub/deep", O_RDONLY), 0);
	assert_int_equal(try_open("", O_RDONLY | O_DIRECTORY), 0);
	assert_int_equal(try_open("good", O_RDONLY), links ? 0 : -ELOOP);
	assert_int_equal(try_open("none/x", O_RDONLY), -ENOENT);
	assert_true(hostfs_unlink(dir, "../out/secret") < 0);
	assert_true(hostfs_unlink(dir, "updir/secret") < 0);
	assert_true(hostfs_unlink(dir, "sub/..") < 0);
	assert_true(hostfs_mkdir(dir, "updir/new", 0755) < 0);
	assert_true(hostfs_stat(dir, "updir/secret", true, &st) < 0);
	assert_true(hostfs_stat(dir, "up", true, &st) < 0);
	assert_true(hostfs_unlink(dir, "up") == 0); /* the link itself is inside */
	assert_true(tree_holds(&t, "out/secret", "secret"));
	assert_false(tree_exists(&t, "out/new"));
	assert_int_equal(hostfs_mkdir(dir, "sub/new", 0755), 0);
	assert_true(tree_exists(&t, "in/sub/new"));
	close(dir);
}

static void test_no_way_out(void **state)
{
	(void)state;
	no_way_out(true);
}

static void test_no_way_out_without_openat2(void **state)
{
	(void)state;
	hostfs_without_openat2(true);
	no_way_out(false);
}

/* The mapped file is replaced by a link, its directory by another: neither is followed. */
static void test_what_is_replaced(void **state)
{
	static struct file_place at;
	struct stat st;

	(void)state;
	assert_int_equal(add("in/file", "/f"), 0);
	assert_int_equal(add("in/sub", "/d"), 0);
	assert_int_equal(unlinkat(t.fd, "in/file", 0), 0);
	assert_int_equal(symlinkat("../out/secret", t.fd, "in/file"), 0);
	assert_int_equal(filemap_find(map, "/f", &at), 0);
	assert_true(hostfs_open(at.node->fd, at.node->host, O_RDONLY | O_NOFOLLOW, 0) < 0);
	assert_int_equal(renameat(t.fd, "in/sub", t.fd, "in/old"), 0);
	assert_int_equal(symlinkat("../out", t.fd, "in/sub"), 0);
	assert_int_equal(filemap_find(map, "/d/secret", &at), 0);
	assert_int_equal(hostfs_stat(at.node->fd, at.rest, true, &st), -ENOENT);
	assert_int_equal(filemap_find(map, "/d/deep", &at), 0);
	assert_int_equal(hostfs_stat(at.node->fd, at.rest, true, &st), 0);
}

static void test_mounts(void **state)
{
	static const char want[] = "/a/b\0/etc\0/root";
	char buf[256];

	(void)state;
	assert_int_equal(gyve_filemap_mounts(map, buf, sizeof(buf)), 0);
	assert_int_equal(add("in", "/root"), 0);
	assert_int_equal(add("in/file", "/a/b/f"), 0);
	assert_int_equal(add("in/new", "/top"), 0); /* the root is never one */
	assert_int_equal(gyve_filemap_add_memory(map, "etc/conf", "abc", 3, &err), 0);
	memset(buf, 'x', sizeof(buf));
	assert_int_equal(gyve_filemap_mounts(map, buf, sizeof(buf)), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	assert_int_equal(gyve_filemap_mounts(map, buf, 3), sizeof(want)); /* and not a byte behind the three */
	assert_int_equal(buf[3], 'b');
}

static void test_temp(void **state)
{
	struct gyve_grant g[16];
	struct file_node *n;
	static struct file_place at;
	char *name;

	(void)state;
	assert_int_equal(gyve_filemap_make_temp(map, "/no/such", &err), -ENOENT);
	assert_int_equal(gyve_filemap_make_temp(map, t.path, &err), 0);
	assert_true(asprintf(&name, "%s", map->temp_name) > 0);
	assert_true(tree_exists(&t, name));
	assert_int_equal(filemap_find(map, "/x/y/z", &at), 0);
	n = filemap_add_temp(map, &at, FILE_HOST);
	assert_non_null(n);
	assert_null(filemap_add_temp(map, &at, FILE_HOST));
	leads("/x/y/z", FILE_HOST, "", true);
	int fd = hostfs_open(n->fd, n->host, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(hostfs_mkdir(map->temp_fd, "d", 0755), 0);
	assert_int_equal(hostfs_mkdir(map->temp_fd, "d/e", 0755), 0);
	assert_int_equal(symlinkat("/etc/passwd", map->temp_fd, "d/e/l"), 0);
	int at_fd = dup(map->temp_fd); /* deeper than there may be descriptors */
	for (int i = 0; i < 1500; i++) {
		assert_int_equal(mkdirat(at_fd, "n", 0755), 0);
		assert_int_equal(mkdirat(at_fd, "m", 0755), 0);
		int next = openat(at_fd, "n", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(at_fd);
		at_fd = next;
	}
	close(at_fd);
	assert_int_equal(gyve_filemap_grants(map, g, 16), 2);
	filemap_remove(map, n);
	leads("/x/y/z", FILE_DIR, "z", false);
	gyve_filemap_destroy(map);
	map = NULL;
	assert_false(tree_exists(&t, name));
	free(name);
}

static void test_grants(void **state)
{
	struct gyve_grant g[16];

	(void)state;
	assert_int_equal(add("in", "/rw"), 0);
	assert_int_equal(add("in", "/ro:ro"), 0);
	assert_int_equal(gyve_filemap_grants(map, g, 16), 2);
	assert_int_equal(g[0].rights, GYVE_GRANT_READ); /* in name order */
	assert_int_equal(g[1].rights, GYVE_GRANT_ALL);
	assert_int_equal(add("in/file", "/f"), 0);
	assert_int_equal(add("in/file", "/g:ro"), 0);
	assert_int_equal(gyve_filemap_grants(map, g, 3), 5);
	assert_int_equal(g[0].rights, GYVE_GRANT_READ | GYVE_GRANT_WRITE);
	assert_int_equal(g[1].rights, GYVE_GRANT_REMOVE);
	assert_int_equal(g[2].rights, GYVE_GRANT_READ);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_grammar),          TEST(test_lookup), TEST(test_no_way_out), TEST(test_no_way_out_without_openat2),
		TEST(test_what_is_replaced), TEST(test_mounts), TEST(test_temp),       TEST(test_grants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
