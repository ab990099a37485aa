/* What our Hermit guests share: notes, entry, the words of the command line. Position-independent; INTERFACE says the version.
 */
#ifndef HERMIT_GUEST_H
#define HERMIT_GUEST_H
#define GYVE_GUEST_INTERFACE INTERFACE
#include "../../include/gyve/guest.h"

GYVE_GUEST_NOTES

/** Every guest defines it; what it returns becomes the exit code. words: those of the kernel's arguments. */
int kmain(int nwords, char **words);

/** With HERMIT_SMP defined: where vCPU 1 and later arrive. */
void guest_other(uint64_t cpu);

void guest_begin(const uint64_t *boot_info);

#ifdef HERMIT_SMP
/* A stack of 8 KiB for each of 64. */
uint8_t guest_stack[64 << 13] __attribute__((aligned(16)));
#ifdef __aarch64__
__asm__("	.text\n	.globl _start\n_start:\n"
	"	adrp x2, guest_stack\n	add x2, x2, :lo12:guest_stack\n"
	"	add x3, x1, #1\n	add x2, x2, x3, lsl #13\n	mov sp, x2\n"
	"	mov x29, xzr\n	mov x30, xzr\n	cbz x1, 1f\n"
	"	mov x0, x1\n	bl guest_other\n2:	wfi\n	b 2b\n"
	"1:	bl guest_begin\n	b 2b\n");
#else
__asm__("	.text\n	.globl _start\n_start:\n"
	"	leaq 1(%rsi), %rax\n	shlq $13, %rax\n"
	"	leaq guest_stack(%rip), %rsp\n	addq %rax, %rsp\n	xorl %ebp, %ebp\n"
	"	testq %rsi, %rsi\n	jz 1f\n"
	"	movq %rsi, %rdi\n	call guest_other\n2:	hlt\n	jmp 2b\n"
	"1:	call guest_begin\n	jmp 2b\n");
#endif
#else
uint8_t guest_stack[65536] __attribute__((aligned(16)));
#ifdef __aarch64__
__asm__("	.text\n	.globl _start\n_start:\n"
	"	cbnz x1, 1f\n" /* one vCPU is enough */
	"	adrp x2, guest_stack\n	add x2, x2, :lo12:guest_stack\n"
	"	add x2, x2, #16, lsl #12\n	mov sp, x2\n"
	"	mov x29, xzr\n	mov x30, xzr\n	bl guest_begin\n"
	"1:	wfi\n	b 1b\n");
#else
__asm__("	.text\n	.globl _start\n_start:\n"
	"	testq %rsi, %rsi\n	jnz 1f\n"
	"	leaq guest_stack+65536(%rip), %rsp\n"
	"	xorl %ebp, %ebp\n	call guest_begin\n"
	"1:	hlt\n	jmp 1b\n");
#endif
#endif

static inline uint64_t text_length(const char *s)
{
	uint64_t n = 0;

	while (s[n])
		n++;
	return n;
}

static inline int same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline void put_number(uint64_t n)
{
	if (n >= 10)
		put_number(n / 10);
	gyve_guest_put_byte((char)('0' + n % 10));
}

static inline uint32_t fdt_word(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The first property of that name in the device tree, and its length; NULL. */
static inline char *fdt_property(uint8_t *fdt, const char *name, uint32_t *len)
{
	uint8_t *p = fdt + fdt_word(fdt + 8), *strings = fdt + fdt_word(fdt + 12);

	for (;;) {
		uint32_t token = fdt_word(p);
		p += 4;
		if (token == 1) { /* a node begins */
			p += (text_length((char *)p) + 4) & ~3ull;
		} else if (token == 3) { /* a property */
			*len = fdt_word(p);
			if (same_text((char *)strings + fdt_word(p + 4), name))
				return (char *)p + 8;
			p += 8 + ((*len + 3) & ~3u);
		} else if (token != 2 && token != 4) {
			return 0;
		}
	}
}

static uint8_t *device_tree;
static const uint64_t *boot; /* the boot information, by words of 8 bytes */

void guest_begin(const uint64_t *boot_info)
{
	static char *words[16];
	uint32_t len;
	int n = 0;

	boot = boot_info;
	device_tree = (uint8_t *)boot_info[3];
	for (char *p = fdt_property(device_tree, "bootargs", &len); p && *p && n < 16;) {
		words[n++] = p;
		while (*p && *p != ' ')
			p++;
		if (*p)
			*p++ = '\0';
	}
	gyve_guest_exit(kmain(n, words));
}
#endif
