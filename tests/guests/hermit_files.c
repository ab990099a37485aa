/* What uhyve's own tests ask of files, the serial line and the end, one by name: the first word of the command line. Exit code
 * 0: all was as it should be; else 1, and the line that was not on the serial line. tests/e2e/files_rows.sh looks at the host's
 * side. */
#include "hermit.h"

static int failed(int line)
{
	gyve_guest_print("wrong at line ");
	put_number((uint64_t)line);
	gyve_guest_print("\n");
	return 1;
}
#define CHECK(cond)                              \
	do {                                     \
		if (!(cond))                     \
			return failed(__LINE__); \
	} while (0)

enum { RD = GYVE_GUEST_RDONLY, WR = GYVE_GUEST_WRONLY, RW = GYVE_GUEST_RDWR, MAKE = GYVE_GUEST_CREAT, EXCL = GYVE_GUEST_EXCL };

static char buffer[8192];

static int holds(int fd, const char *text)
{
	uint64_t len = text_length(text);

	if (gyve_guest_read(fd, buffer, sizeof(buffer)) != (int64_t)len)
		return 0;
	buffer[len] = '\0';
	return same_text(buffer, text);
}

static int put_in(int fd, const char *text)
{
	return gyve_guest_write(fd, text, text_length(text)) == (int64_t)text_length(text);
}

static int file_holds(const char *path, const char *text)
{
	int fd = gyve_guest_open(path, RD, 0);

	return fd >= 0 && holds(fd, text) && gyve_guest_close(fd) == 0;
}

static int serial(void)
{
	gyve_guest_put_byte('A');
	gyve_guest_put_byte('B');
	gyve_guest_print("CDEFG\n");
	gyve_guest_print("1234ASDF!@#$\n");
	gyve_guest_put(buffer, 0);
	return 0;
}

static int serial_input(void)
{
	uint64_t n;

	CHECK(gyve_guest_get_byte() == 'i');
	n = gyve_guest_get(buffer, 4);
	CHECK(n == 4);
	gyve_guest_put(buffer, n);
	n = gyve_guest_get(buffer, sizeof(buffer));
	gyve_guest_put(buffer, n);
	CHECK(gyve_guest_get_byte() == -1);
	CHECK(gyve_guest_get(buffer, sizeof(buffer)) == 0);
	return 0;
}

static int read_input(void)
{
	CHECK(holds(0, "input\n"));
	CHECK(gyve_guest_read(0, buffer, 10) == 0);
	return 0;
}

static int panic(void)
{
	return -1;
}

static int seven(void)
{
	return 7;
}

/* Made, written, read, removed. */
static int create(void)
{
	int fd = gyve_guest_open("/root/foo.txt", WR | MAKE | EXCL, 0644);

	CHECK(fd > 2);
	CHECK(put_in(fd, "Hello, world!"));
	CHECK(gyve_guest_close(fd) == 0);
	CHECK(file_holds("/root/foo.txt", "Hello, world!"));
	CHECK(gyve_guest_unlink("/root/foo.txt") == 0);
	CHECK(gyve_guest_open("/root/foo.txt", RD, 0) == -GYVE_GUEST_ENOENT);
	return 0;
}

static int create_stays(void)
{
	int fd = gyve_guest_open("/root/foo.txt", WR | MAKE, 0644);

	CHECK(fd > 2);
	CHECK(put_in(fd, "Hello, "));
	CHECK(put_in(fd, "world!"));
	CHECK(gyve_guest_close(fd) == 0);
	CHECK(file_holds("/root/foo.txt", "Hello, world!"));
	return 0;
}

static int remove_present(void)
{
	CHECK(gyve_guest_unlink("/root/foo.txt") == 0);
	CHECK(gyve_guest_open("/root/foo.txt", RD, 0) == -GYVE_GUEST_ENOENT);
	return 0;
}

static int remove_none(void)
{
	CHECK(gyve_guest_unlink("/root/none.txt") == -GYVE_GUEST_ENOENT);
	CHECK(gyve_guest_unlink("/nowhere") == -GYVE_GUEST_ENOENT);
	return 0;
}

static int open_remove(int *fd)
{
	*fd = gyve_guest_open("/root/bar.txt", RW | MAKE, 0644);
	CHECK(*fd > 2);
	CHECK(put_in(*fd, "still here"));
	CHECK(gyve_guest_unlink("/root/bar.txt") == 0);
	return 0;
}

static int open_remove_close(void)
{
	int fd;

	CHECK(open_remove(&fd) == 0);
	CHECK(gyve_guest_lseek(fd, 0, GYVE_GUEST_SEEK_SET) == 0);
	CHECK(holds(fd, "still here"));
	CHECK(gyve_guest_close(fd) == 0);
	CHECK(gyve_guest_close(fd) == -GYVE_GUEST_EBADF);
	return 0;
}

static int remove_before_and_after(void)
{
	int fd;

	CHECK(open_remove(&fd) == 0);
	CHECK(gyve_guest_close(fd) == 0);
	CHECK(gyve_guest_unlink("/root/bar.txt") == -GYVE_GUEST_ENOENT);
	return 0;
}

static int remove_twice(void)
{
	int fd;

	CHECK(open_remove(&fd) == 0);
	CHECK(gyve_guest_unlink("/root/bar.txt") == -GYVE_GUEST_ENOENT);
	CHECK(gyve_guest_close(fd) == 0);
	return 0;
}

static int read_only_write(void)
{
	int fd = gyve_guest_open("/root/foo.txt", RD, 0);

	CHECK(fd > 2);
	CHECK(gyve_guest_write(fd, "x", 1) == -GYVE_GUEST_EBADF); /* version 1: the end */
	return 0;
}

static int read_only_mapping(void)
{
	CHECK(gyve_guest_open("/root/foo.txt", RW, 0) == -GYVE_GUEST_EROFS);
	CHECK(gyve_guest_open("/root/new.txt", WR | MAKE, 0644) == -GYVE_GUEST_EROFS);
	CHECK(gyve_guest_unlink("/root/foo.txt") == -GYVE_GUEST_EROFS);
	CHECK(file_holds("/root/foo.txt", "foo"));
	return 0;
}

static int write_to_fd(void)
{
	int fd = gyve_guest_open("/root/leaked.txt", WR | MAKE, 0644);

	CHECK(put_in(1, "to fd 1\n"));
	CHECK(put_in(2, "to fd 2\n"));
	CHECK(fd > 2 && put_in(fd, "leaked")); /* and never closed */
	return 0;
}

static int write_to_42(void)
{
	CHECK(gyve_guest_write(42, "x", 1) == -GYVE_GUEST_EBADF); /* version 1: the end */
	return 0;
}

static int lseek_test(void)
{
	int fd = gyve_guest_open("/root/seek.txt", RW | MAKE, 0644);

	CHECK(fd > 2);
	CHECK(put_in(fd, "0123456789"));
	CHECK(gyve_guest_lseek(fd, 2, GYVE_GUEST_SEEK_SET) == 2);
	CHECK(gyve_guest_read(fd, buffer, 3) == 3 && buffer[0] == '2' && buffer[2] == '4');
	CHECK(gyve_guest_lseek(fd, 0, GYVE_GUEST_SEEK_CUR) == 5);
	CHECK(gyve_guest_lseek(fd, -2, GYVE_GUEST_SEEK_CUR) == 3);
	CHECK(gyve_guest_lseek(fd, -1, GYVE_GUEST_SEEK_END) == 9);
	CHECK(holds(fd, "9"));
	CHECK(gyve_guest_lseek(fd, 10, GYVE_GUEST_SEEK_END) == 20);
	CHECK(gyve_guest_read(fd, buffer, 3) == 0);
	CHECK(gyve_guest_lseek(fd, -21, GYVE_GUEST_SEEK_CUR) < 0);
	CHECK(gyve_guest_lseek(fd, 0, 9) < 0);
	CHECK(gyve_guest_lseek(99, 0, 0) < 0);
	return 0;
}

static int mounts(void)
{
	uint32_t len = 0;
	const char *list = fdt_property(device_tree, "mounts", &len);

	for (uint32_t i = 0; list && i < len; i += (uint32_t)text_length(list + i) + 1) {
		gyve_guest_print("mount ");
		gyve_guest_print(list + i);
		gyve_guest_print("\n");
	}
	CHECK(file_holds("/root/this_folder_exists/file_in_folder.txt", "file_in_folder"));
	CHECK(file_holds("/root/this_file_exists.txt", "this_file_exists"));
	CHECK(file_holds("/root/deep/er/still/file_in_folder.txt", "file_in_folder"));
	CHECK(file_holds("/another/path/file_in_folder.txt", "file_in_folder"));
	CHECK(file_holds("/another/dir/of/files/this_file_exists.txt", "this_file_exists"));
	CHECK(file_holds("/another/../another/./path//file_in_folder.txt", "file_in_folder"));
	CHECK(gyve_guest_open("/another/none", RD, 0) == -GYVE_GUEST_ENOENT);
	return 0;
}

/* Larger than any one page, at an odd place. */
static int large(void)
{
	int fd = gyve_guest_open("/root/large", RW | MAKE, 0644);
	const int len = 8000;

	CHECK(fd > 2);
	for (int i = 0; i < len; i++)
		buffer[i + 13] = (char)(i * 7);
	CHECK(gyve_guest_write(fd, buffer + 13, (uint64_t)len) == len);
	for (int i = 0; i < len; i++)
		buffer[i] = 0;
	CHECK(gyve_guest_lseek(fd, 0, 0) == 0);
	CHECK(gyve_guest_read(fd, buffer + 101, (uint64_t)len) == len);
	for (int i = 0; i < len; i++)
		CHECK(buffer[i + 101] == (char)(i * 7));
	return 0;
}

/* The host put links to outside there: "link" to a file, "dirlink" to a directory, "abs" to an absolute path. */
/* While the host puts a link that leads outside in the directory's place, and back: what is inside, or an error. */
static int race(void)
{
	uint64_t found = 0;

	for (int i = 0; i < 1500; i++) {
		int fd = gyve_guest_open("/root/d/file", RD, 0);
		CHECK(fd != 0 && fd != 1 && fd != 2);
		if (fd < 0)
			continue;
		CHECK(holds(fd, "inside"));
		CHECK(gyve_guest_close(fd) == 0);
		found++;
		if (i % 16 == 0)
			gyve_guest_close(gyve_guest_open("/root/d/new", RW | MAKE, 0644));
	}
	CHECK(found);
	return 0;
}

static int escape(void)
{
	static const char *const out[] = {"/root/link",      "/root/dirlink/secret",   "/root/abs",
					  "/root/../secret", "/root/../../secret",     "/../secret",
					  "secret",          "/root/sub/../../secret", "/root/link/../../secret"};

	for (unsigned i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
		CHECK(gyve_guest_open(out[i], RD, 0) < 0);
		CHECK(gyve_guest_open(out[i], RW, 0) < 0);
		CHECK(gyve_guest_open(out[i], RW | GYVE_GUEST_TRUNC, 0) < 0);
	}
	CHECK(gyve_guest_open("/root/dirlink/new", WR | MAKE, 0644) < 0);
	CHECK(gyve_guest_unlink("/root/dirlink/secret") < 0);
	CHECK(file_holds("/root/inner", "foo")); /* a link that stays inside */
	return 0;
}

#if INTERFACE >= 3
static struct gyve_guest_attributes attr;

static int mkdir_test(void)
{
	static char path[] = "/root/dir/0";

	CHECK(gyve_guest_mkdir("/root/dir") == 0);
	CHECK(gyve_guest_mkdir("/root/dir") == -GYVE_GUEST_EEXIST);
	for (int i = 0; i < 3; i++) {
		path[10] = (char)('0' + i);
		int fd = gyve_guest_open(path, WR | MAKE, 0644);
		CHECK(fd > 2 && put_in(fd, "x") && gyve_guest_close(fd) == 0);
	}
	return 0;
}

static int getdents_test(void)
{
	int fd = gyve_guest_open("/root", GYVE_GUEST_DIRECTORY, 0), seen = 0;
	int64_t n;

	CHECK(fd > 2);
	while ((n = gyve_guest_getdents(fd, buffer, 128)) > 0)
		for (int64_t i = 0; i < n;) {
			struct gyve_guest_dirent *e = (struct gyve_guest_dirent *)(buffer + i);
			seen += same_text(e->name, ".") && e->type == 4;
			seen += (same_text(e->name, "..") && e->type == 4) * 10;
			seen += (same_text(e->name, "foo.txt") && e->type == 8) * 100;
			i += e->reclen;
		}
	CHECK(n == 0);
	CHECK(seen == 111);
	CHECK(gyve_guest_getdents(fd, buffer, 128) == 0);
	CHECK(gyve_guest_getdents(77, buffer, 128) == -GYVE_GUEST_EBADF);
	return 0;
}

static int attributes_are_right(void)
{
	return attr.dev && attr.ino && attr.nlink == 1 && (attr.mode & 0170777) == 0100640 && attr.size == 3 && attr.blksize &&
	       attr.mtime.sec > 1000000000 && attr.atime.sec && attr.ctime.sec;
}

static int stat_test(void)
{
	CHECK(gyve_guest_stat("/root/foo.txt", &attr) == 0);
	CHECK(attributes_are_right());
	CHECK(gyve_guest_lstat("/root/foo.txt", &attr) == 0);
	CHECK(attributes_are_right());
	CHECK(gyve_guest_stat("/root", &attr) == 0 && (attr.mode & 0170000) == 0040000);
	CHECK(gyve_guest_stat("/root/none", &attr) == -GYVE_GUEST_ENOENT);
	CHECK(gyve_guest_stat("/none", &attr) == -GYVE_GUEST_ENOENT);
	return 0;
}

static int fstat_test(void)
{
	int fd = gyve_guest_open("/root/foo.txt", RD, 0);

	CHECK(fd > 2);
	CHECK(gyve_guest_fstat(fd, &attr) == 0);
	CHECK(attributes_are_right());
	CHECK(gyve_guest_fstat(1, &attr) == -GYVE_GUEST_EBADF);
	CHECK(gyve_guest_fstat(99, &attr) == -GYVE_GUEST_EBADF);
	return 0;
}
#endif

static const struct {
	const char *name;
	int (*run)(void);
} tests[] = {
	{"serial", serial},
	{"serial_input", serial_input},
	{"read_input", read_input},
	{"panic", panic},
	{"seven", seven},
	{"create", create},
	{"create_stays", create_stays},
	{"remove_present", remove_present},
	{"remove_none", remove_none},
	{"open_remove_close", open_remove_close},
	{"remove_before_and_after", remove_before_and_after},
	{"remove_twice", remove_twice},
	{"read_only_write", read_only_write},
	{"read_only_mapping", read_only_mapping},
	{"write_to_fd", write_to_fd},
	{"write_to_42", write_to_42},
	{"lseek", lseek_test},
	{"mounts", mounts},
	{"large", large},
	{"escape", escape},
	{"race", race},
#if INTERFACE >= 3
	{"mkdir", mkdir_test},
	{"getdents", getdents_test},
	{"stat", stat_test},
	{"fstat", fstat_test},
#endif
};

int kmain(int nwords, char **words)
{
	for (unsigned i = 0; nwords && i < sizeof(tests) / sizeof(tests[0]); i++)
		if (same_text(tests[i].name, words[0]))
			return tests[i].run();
	gyve_guest_print("which test?\n");
	return 99;
}
