/* For guests, not for gyve: the hypercalls of a Hermit host, as inline functions for freestanding programs on x86_64 and
 *aarch64. Nothing else is needed: no library, no headers but the compiler's own.
 *
 *	#define GYVE_GUEST_INTERFACE 3
 *	#include <gyve/guest.h>
 *	GYVE_GUEST_NOTES
 *	void start(const void *boot_info, uint64_t cpu)	// the entry point, on a stack of its own
 *	{
 *		int fd = gyve_guest_open("/root/greeting", GYVE_GUEST_WRONLY | GYVE_GUEST_CREAT, 0644);
 *		gyve_guest_write(fd, "hello\n", 6);
 *		gyve_guest_exit(fd < 0);
 *	}
 *
 * GYVE_GUEST_INTERFACE (1, 2 or 3; default 3) is the version of the interface that the calls speak. Version 1 passes 32 bits on
 * x86_64: parameter blocks have to lie below 4 GiB, which its notes make sure of. Directories and attributes need version 3.
 *
 * Parameter blocks are on the stack, and all pointers are given to the host as guest-physical addresses. While the first page
 * tables are in use both are the same; a program with other ones defines GYVE_GUEST_PHYS(pointer) before it includes this. A
 *buffer has to be contiguous in physical memory (version 1 reads and writes take virtual addresses and do not mind).
 *
 * Where nothing else is said a negative result is an error: the negative of one of GYVE_GUEST_E*, which are Linux's numbers. */
#ifndef GYVE_GUEST_H
#define GYVE_GUEST_H
#include <stddef.h>
#include <stdint.h>

#ifndef GYVE_GUEST_INTERFACE
#define GYVE_GUEST_INTERFACE 3
#endif
#ifndef GYVE_GUEST_PHYS
#define GYVE_GUEST_PHYS(pointer) ((uint64_t)(uintptr_t)(pointer))
#endif

/** Put once at file scope: the notes by which a host knows a Hermit image and the interface it speaks. */
#define GYVE_GUEST_NOTES GYVE_GUEST_NOTES_(GYVE_GUEST_INTERFACE)
#define GYVE_GUEST_NOTES_(version) GYVE_GUEST_NOTES__(version)
#define GYVE_GUEST_NOTES__(version)                                                                                    \
	__asm__("	.pushsection .note.hermit, \"a\", %note\n"                                                           \
		"	.balign 4\n"                                                                                         \
		"	.long 7, 1, 0x5a00\n	.asciz \"HERMIT\"\n	.balign 4\n	.byte 4\n	.balign 4\n"                          \
		"	.long 8, 4, 0x5b00\n	.asciz \"UHYVEIF\"\n	.balign 4\n	.byte 0, 0, 0, " #version "\n" \
		"	.long 4, 16, 1\n	.asciz \"GNU\"\n	.balign 4\n	.long 6, 0, 13, 2\n"                                   \
		"	.popsection\n");

enum {
	GYVE_GUEST_RDONLY = 0,
	GYVE_GUEST_WRONLY = 01,
	GYVE_GUEST_RDWR = 02,
	GYVE_GUEST_CREAT = 0100,
	GYVE_GUEST_EXCL = 0200,
	GYVE_GUEST_TRUNC = 01000,
	GYVE_GUEST_APPEND = 02000,
	GYVE_GUEST_DIRECTORY = 0200000, /**< on aarch64 too */
};
enum { GYVE_GUEST_SEEK_SET, GYVE_GUEST_SEEK_CUR, GYVE_GUEST_SEEK_END };
enum {
	GYVE_GUEST_EPERM = 1,
	GYVE_GUEST_ENOENT = 2,
	GYVE_GUEST_EIO = 5,
	GYVE_GUEST_EBADF = 9,
	GYVE_GUEST_EFAULT = 14,
	GYVE_GUEST_EEXIST = 17,
	GYVE_GUEST_EISDIR = 21,
	GYVE_GUEST_EINVAL = 22,
	GYVE_GUEST_EROFS = 30,
	GYVE_GUEST_EOVERFLOW = 75,
};

/** Any call by its number. arg: a value, or the guest-physical address of the call's parameter block. */
static inline void gyve_guest_call(uint16_t number, uint64_t arg)
{
#ifdef __aarch64__
	register uint64_t x8 __asm__("x8") = arg;
	__asm__ volatile("str %1, [%0]" : : "r"((uint64_t)number), "r"(x8) : "memory");
#else
	__asm__ volatile("outl %0, %1" : : "a"((uint32_t)arg), "d"(number), "D"(arg) : "memory");
#endif
}

/** The guest ends. Its exit code reaches the host's shell with its low 8 bits. */
static inline _Noreturn void gyve_guest_exit(int code)
{
	for (;;) {
#if GYVE_GUEST_INTERFACE == 1
		int32_t block = code;
		gyve_guest_call(0x540, GYVE_GUEST_PHYS(&block));
#else
		gyve_guest_call(0x1010, (uint32_t)code);
#endif
	}
}

/* --- the serial line */

static inline void gyve_guest_put_byte(char c)
{
	gyve_guest_call(GYVE_GUEST_INTERFACE == 1 ? 0x800 : 0x1020, (uint8_t)c);
}

static inline void gyve_guest_put(const void *buf, uint64_t len)
{
#if GYVE_GUEST_INTERFACE == 1
	uint64_t block[2] = {GYVE_GUEST_PHYS(buf), len};
	gyve_guest_call(0x880, GYVE_GUEST_PHYS(block));
#else
	uint64_t block[2] = {len, GYVE_GUEST_PHYS(buf)};
	gyve_guest_call(0x1030, GYVE_GUEST_PHYS(block));
#endif
}

static inline void gyve_guest_print(const char *text)
{
	uint64_t len = 0;

	while (text[len])
		len++;
	gyve_guest_put(text, len);
}

/** The next byte of the input, 0..255, or -1 when none waits. gyve only. */
static inline int gyve_guest_get_byte(void)
{
	int32_t c;

#ifdef __aarch64__
	__asm__ volatile("ldr %w0, [%1]" : "=r"(c) : "r"(UINT64_C(0x1040)) : "memory");
#else
	__asm__ volatile("inl %1, %0" : "=a"(c) : "d"((uint16_t)0x1040) : "memory");
#endif
	return c;
}

/** What waits of the input, at most max bytes. Returns how many; 0: none. gyve only. */
static inline uint64_t gyve_guest_get(void *buf, uint64_t max)
{
	struct {
		uint64_t max, len, buf;
	} block = {max, 0, GYVE_GUEST_PHYS(buf)};

	gyve_guest_call(0x1050, GYVE_GUEST_PHYS(&block));
	return block.len;
}

/* --- files */

/** A descriptor, 3 or more. */
static inline int gyve_guest_open(const char *path, int flags, int mode)
{
	struct {
		uint64_t name;
		int32_t flags, mode, ret;
	} block = {GYVE_GUEST_PHYS(path), flags, mode, 0};

	gyve_guest_call(GYVE_GUEST_INTERFACE == 1 ? 0x440 : 0x1110, GYVE_GUEST_PHYS(&block));
	return block.ret;
}

static inline int gyve_guest_close(int fd)
{
	struct {
		int32_t fd, ret;
	} block = {fd, 0};

	gyve_guest_call(GYVE_GUEST_INTERFACE == 1 ? 0x480 : 0x1120, GYVE_GUEST_PHYS(&block));
	return block.ret;
}

/** Bytes read, which may be fewer; 0: the end. */
static inline int64_t gyve_guest_read(int fd, void *buf, uint64_t len)
{
#if GYVE_GUEST_INTERFACE == 1
	struct {
		int32_t fd;
		uint64_t buf, len;
		int64_t ret;
	} __attribute__((packed)) block = {fd, (uint64_t)(uintptr_t)buf, len, 0};
	gyve_guest_call(0x500, GYVE_GUEST_PHYS(&block));
#else
	struct {
		uint64_t len;
		int64_t ret;
		uint64_t buf;
		int32_t fd;
	} block = {len, 0, GYVE_GUEST_PHYS(buf), fd};
	gyve_guest_call(0x1130, GYVE_GUEST_PHYS(&block));
#endif
	return block.ret;
}

/** Bytes written: all of them. Version 1 has no result: what cannot be written ends the guest. */
static inline int64_t gyve_guest_write(int fd, const void *buf, uint64_t len)
{
#if GYVE_GUEST_INTERFACE == 1
	struct {
		int32_t fd;
		uint64_t buf, len;
	} __attribute__((packed)) block = {fd, (uint64_t)(uintptr_t)buf, len};
	gyve_guest_call(0x400, GYVE_GUEST_PHYS(&block));
	return (int64_t)len;
#else
	struct {
		uint64_t len;
		int64_t ret;
		uint64_t buf;
		int32_t fd;
	} block = {len, 0, GYVE_GUEST_PHYS(buf), fd};
	gyve_guest_call(0x1100, GYVE_GUEST_PHYS(&block));
	return block.ret;
#endif
}

/** The new position. Version 1 says -1 for every error. */
static inline int64_t gyve_guest_lseek(int fd, int64_t offset, int whence)
{
#if GYVE_GUEST_INTERFACE == 1
	struct {
		int32_t fd;
		int64_t offset;
		int32_t whence;
	} __attribute__((packed)) block = {fd, offset, whence};
	gyve_guest_call(0x580, GYVE_GUEST_PHYS(&block));
#else
	struct {
		int64_t offset;
		int32_t whence, fd;
	} block = {offset, whence, fd};
	gyve_guest_call(0x1140, GYVE_GUEST_PHYS(&block));
#endif
	return block.offset;
}

static inline int gyve_guest_unlink(const char *path)
{
	struct {
		uint64_t name;
		int32_t ret;
	} block = {GYVE_GUEST_PHYS(path), 0};

	gyve_guest_call(GYVE_GUEST_INTERFACE == 1 ? 0x840 : 0x1150, GYVE_GUEST_PHYS(&block));
	return block.ret;
}

/* --- version 3 */
#if GYVE_GUEST_INTERFACE >= 3
struct gyve_guest_time {
	int64_t sec;
	int32_t nsec, pad;
};

struct gyve_guest_attributes {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	struct gyve_guest_time atime, mtime, ctime;
};

/** An entry of a directory; the next one is reclen bytes on. */
struct gyve_guest_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type; /**< 4 directory, 8 file, 10 symbolic link; 0 unknown */
	char name[];
};

struct gyve_guest_result {
	uint32_t tag; /* 1: success, 2: error */
	int32_t error;
};

static inline int gyve_guest_result(struct gyve_guest_result r)
{
	return r.tag == 1 ? 0 : -r.error;
}

/** Bytes of entries; 0: that was all. */
static inline int64_t gyve_guest_getdents(int fd, void *buf, uint64_t len)
{
	struct {
		int32_t fd, pad;
		uint64_t buf, len;
		uint32_t tag, pad2;
		int64_t value;
	} block = {fd, 0, GYVE_GUEST_PHYS(buf), len, 0, 0, 0};

	gyve_guest_call(0x1160, GYVE_GUEST_PHYS(&block));
	return block.tag == 1 ? block.value : block.tag == 2 ? 0 : -(int64_t)(int32_t)block.value;
}

static inline int gyve_guest_stat_kind(const char *path, uint32_t kind, struct gyve_guest_attributes *attr)
{
	struct {
		uint64_t name;
		uint32_t kind, pad;
		uint64_t attr;
		struct gyve_guest_result result;
	} block = {GYVE_GUEST_PHYS(path), kind, 0, GYVE_GUEST_PHYS(attr), {0, 0}};

	gyve_guest_call(0x1170, GYVE_GUEST_PHYS(&block));
	return gyve_guest_result(block.result);
}

static inline int gyve_guest_stat(const char *path, struct gyve_guest_attributes *attr)
{
	return gyve_guest_stat_kind(path, 0, attr);
}

/** Of a symbolic link itself. */
static inline int gyve_guest_lstat(const char *path, struct gyve_guest_attributes *attr)
{
	return gyve_guest_stat_kind(path, 1, attr);
}

static inline int gyve_guest_fstat(int fd, struct gyve_guest_attributes *attr)
{
	struct {
		int32_t fd, pad;
		uint64_t attr;
		struct gyve_guest_result result;
	} block = {fd, 0, GYVE_GUEST_PHYS(attr), {0, 0}};

	gyve_guest_call(0x1180, GYVE_GUEST_PHYS(&block));
	return gyve_guest_result(block.result);
}

static inline int gyve_guest_mkdir(const char *path)
{
	uint64_t len = 0;

	while (path[len])
		len++;
	struct {
		uint64_t path, len;
		struct gyve_guest_result result;
	} block = {GYVE_GUEST_PHYS(path), len, {0, 0}};

	gyve_guest_call(0x1190, GYVE_GUEST_PHYS(&block));
	return gyve_guest_result(block.result);
}
#endif
#endif
