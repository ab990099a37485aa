/* A Hermit kernel of ours for one interface version (INTERFACE: 1, 2 or 3): says what it was given, makes each call that has
 * an answer, asks the processor about every page of its first tables, and exits with 40 + what went wrong. */
#include <stdint.h>

enum { STACK = 16 << 10, PAGE = 4096, COUNT = 96, FDT_NODE = 1, FDT_END_NODE = 2, FDT_PROPERTY = 3, FDT_NOP = 4 };
#define RAM 0x10000000ull
#define SELF 0x0000fffffffff000ull

#define STRING(x) #x
#define NUMBER(x) STRING(x)
__asm__("	.section .note.hermit, \"a\", %note\n"
	"	.balign 4\n"
	"	.long 7, 1, 0x5a00\n	.asciz \"HERMIT\"\n	.balign 4\n	.byte 4\n	.balign 4\n"
	"	.long 8, 4, 0x5b00\n	.asciz \"UHYVEIF\"\n	.balign 4\n	.byte 0, 0, 0, " NUMBER(
		INTERFACE) "\n"
			   "	.long 4, 16, 1\n	.asciz \"GNU\"\n	.balign 4\n	.long 6, 0, 13, 0\n"
			   "	.text\n"
			   "	.globl _start\n"
			   "_start:\n"
			   "	cbnz x1, 1f\n"
			   "	adrp x2, stack\n"
			   "	add x2, x2, :lo12:stack\n"
			   "	add sp, x2, #" NUMBER(16384) "\n"
							     "	mov x29, xzr\n"
							     "	mov x30, xzr\n"
							     "	bl kmain\n"
							     "1:	wfi\n"
							     "	b 1b\n");

uint8_t stack[STACK] __attribute__((aligned(16)));
uint64_t va[COUNT], par[COUNT];
static int wrong;
extern char image_end[];

/* The number is the address, the argument is in x8. */
static void call(uint64_t number, uint64_t argument)
{
	register uint64_t x8 __asm__("x8") = argument;

	__asm__ volatile("str x8, [%0]" : : "r"(number), "r"(x8) : "memory");
}

static uint64_t length(const char *s)
{
	uint64_t n = 0;

	while (s[n])
		n++;
	return n;
}

static void want(int64_t have, int64_t expected)
{
	if (have != expected)
		wrong++;
}

#if INTERFACE == 1
enum { EXIT = 0x540, BYTE = 0x800, BUFFER = 0x880, WRITE = 0x400, READ = 0x500, OPEN = 0x440, CLOSE = 0x480, LSEEK = 0x580 };

static void exit_guest(int code)
{
	call(EXIT, (uint64_t)&code);
}

static void say(const char *text)
{
	uint64_t block[2] = {(uint64_t)text, length(text)};

	call(BUFFER, (uint64_t)block);
}

static void write_out(const char *text)
{
	struct {
		int32_t fd;
		uint64_t buf, len;
	} __attribute__((packed)) block = {1, (uint64_t)text, length(text)};

	call(WRITE, (uint64_t)&block);
}

static int64_t seek(int fd)
{
	struct {
		int32_t fd;
		int64_t offset;
		int32_t whence;
	} __attribute__((packed)) block = {fd, 3, 0};

	call(LSEEK, (uint64_t)&block);
	return block.offset;
}

/* Arguments and environment as kernels before 0.10 ask for them. */
static void arguments(void)
{
	static struct {
		int32_t argc, argsz[128], envc, envsz[128];
	} size;
	static char text[4096];
	static uint64_t argv[129], envp[129];
	uint64_t block[2] = {(uint64_t)argv, (uint64_t)envp}, used = 0;

	call(0x740, (uint64_t)&size);
	for (int i = 0; i < size.argc; i++, used += (uint64_t)size.argsz[i - 1])
		argv[i] = (uint64_t)text + used;
	for (int i = 0; i < size.envc; i++, used += (uint64_t)size.envsz[i - 1])
		envp[i] = (uint64_t)text + used;
	want(used <= sizeof(text), 1);
	call(0x780, (uint64_t)block);
	for (int i = 1; i < size.argc; i++) {
		say("argument ");
		say((char *)argv[i]);
		say("\n");
	}
	for (int i = 0; i < size.envc; i++) {
		if (!*(char *)envp[i]) /* gyve fills up the list with empty ones */
			continue;
		say("environment ");
		say((char *)envp[i]);
		say("\n");
	}
}
#else
enum {
	EXIT = 0x1010,
	BYTE = 0x1020,
	BUFFER = 0x1030,
	WRITE = 0x1100,
	OPEN = 0x1110,
	CLOSE = 0x1120,
	LSEEK = 0x1140,
	STAT = 0x1170
};

static void exit_guest(int code)
{
	call(EXIT, (uint32_t)code);
}

static void say(const char *text)
{
	uint64_t block[2] = {length(text), (uint64_t)text};

	call(BUFFER, (uint64_t)block);
}

static void write_out(const char *text)
{
	struct {
		uint64_t len;
		int64_t ret;
		uint64_t buf;
		int32_t fd;
	} block = {length(text), 0, (uint64_t)text, 1};

	call(WRITE, (uint64_t)&block);
	want(block.ret, (int64_t)length(text));
}

static int64_t seek(int fd)
{
	struct {
		int64_t offset;
		uint32_t whence;
		int32_t fd;
	} block = {3, 0, fd};

	call(LSEEK, (uint64_t)&block);
	return block.offset;
}

static void arguments(void)
{
	uint64_t block[3] = {16, 7, (uint64_t)va};

	call(0x1050, (uint64_t)block); /* nothing waits to be read */
	want((int64_t)block[1], 0);
}
#endif

static void files(void)
{
	struct {
		uint64_t name;
		int32_t flags, mode, ret;
	} open = {(uint64_t) "/nowhere/to/be/found", 0, 0, 0};
	struct {
		int32_t fd, ret;
	} close = {77, 0};

	call(OPEN, (uint64_t)&open);
	want(open.ret, -2);
	call(CLOSE, (uint64_t)&close);
	want(close.ret, -9);
	want(seek(77), INTERFACE == 1 ? -1 : -9);
#if INTERFACE == 3
	struct {
		uint64_t name;
		uint32_t kind, pad;
		uint64_t attributes;
		uint32_t tag;
		int32_t code;
	} stat = {(uint64_t) "/nowhere", 0, 0, (uint64_t)va, 0, 0};

	call(STAT, (uint64_t)&stat);
	want(stat.tag, 2);
	want(stat.code, 2);
#endif
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The value of the first property of that name. */
static const char *property(const uint8_t *fdt, const char *name)
{
	const uint8_t *p = fdt + be32(fdt + 8), *strings = fdt + be32(fdt + 12);

	for (;;) {
		uint32_t token = be32(p), len;
		p += 4;
		if (token == FDT_NODE) {
			p += (length((const char *)p) + 4) & ~3ull;
		} else if (token == FDT_PROPERTY) {
			const char *n = (const char *)strings + be32(p + 4), *w = name;
			len = be32(p);
			while (*n && *n == *w)
				n++, w++;
			if (*n == *w)
				return (const char *)p + 8;
			p += 8 + ((len + 3) & ~3u);
		} else if (token != FDT_END_NODE && token != FDT_NOP) {
			return "";
		}
	}
}

/* Where every page of the first tables leads, and those around them. */
static void ask(void)
{
	unsigned n = 0;

	for (uint64_t a = 0; a < 4; a++)
		va[n++] = a * PAGE + 0x10;
	for (uint64_t a = RAM; a < (uint64_t)image_end + PAGE; a += PAGE)
		va[n++] = a + 8;
	va[n++] = SELF;
	va[n++] = SELF - PAGE;
	for (uint64_t a = (uint64_t)image_end + 2 * PAGE; n < COUNT; a += 16 * PAGE)
		va[n++] = a & ~0xfffull;
	for (unsigned i = 0; i < COUNT; i++) {
		__asm__ volatile("at s1e1r, %0\n\tisb" : : "r"(va[i]) : "memory");
		__asm__ volatile("mrs %0, par_el1" : "=r"(par[i]));
	}
}

static void mapped(void)
{
	say("asked\n");
}

void kmain(const uint8_t *boot_info)
{
	const uint64_t *info = (const uint64_t *)boot_info;

	call(BYTE, 'v');
	call(BYTE, '0' + INTERFACE);
	call(BYTE, '\n');
	want((int64_t)info[0], RAM);
	want((int64_t)info[2], INTERFACE == 1 ? 0x800 : 0x1030);
	want((int64_t)info[12], 1);
	say("bootargs ");
	say(property((const uint8_t *)info[3], "bootargs"));
	say("\n");
	arguments();
	write_out("written\n");
	files();
	ask();
	mapped();
	exit_guest(40 + wrong);
	for (;;)
		;
}
