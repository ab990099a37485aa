/* What a Hermit guest finds of its machine: one question by name, the first word of the command line, its numbers behind it.
 * The answer is on the serial line; exit code 0, or what was wrong. */
#define HERMIT_SMP
#include "hermit.h"

#define GIB (1ull << 30)
#define LARGE (2ull << 20)
enum { FRAMES = 72 };

static uint64_t frames[FRAMES][512] __attribute__((aligned(4096)));
static unsigned nframes;
static uint64_t arrived, ready, share, finished;
static uint8_t seen[64];

static void put_hex(uint64_t n)
{
	gyve_guest_print("0x");
	for (int shift = 60; shift >= 0; shift -= 4)
		gyve_guest_put_byte("0123456789abcdef"[n >> shift & 15]);
}

static uint64_t value(const char *text)
{
	uint64_t n = 0;

	while (*text >= '0' && *text <= '9')
		n = 10 * n + (uint64_t)(*text++ - '0');
	return n;
}

static int where(void)
{
	static const char *const names[] = {"ram ", " to ", " kernel ", " to "};
	static const int words[] = {0, 1, 4, 5};

	for (int i = 0; i < 4; i++) {
		gyve_guest_print(names[i]);
		put_hex(boot[words[i]]);
	}
	gyve_guest_print("\n");
	return 0;
}

/* All that the command line says, the environment with it. */
static int bootargs(void)
{
	uint32_t len;
	char *p = fdt_property(device_tree, "bootargs", &len);

	for (uint32_t i = 0; i + 1 < len; i++)
		p[i] = p[i] ? p[i] : ' ';
	gyve_guest_print(p);
	gyve_guest_print("\n");
	return 0;
}

/* --- vCPUs */

static void burn(uint64_t n)
{
	for (volatile uint64_t i = 0; i < n; i++)
		;
}

/* Kernels know their vCPU by the last byte of MPIDR, from its number's 17th on, too. */
static int knows_itself(uint64_t cpu)
{
#ifdef __aarch64__
	uint64_t mpidr;

	__asm__ volatile("mrs %0, mpidr_el1" : "=r"(mpidr));
	return (mpidr & 0xff) == cpu;
#else
	return cpu < sizeof(seen);
#endif
}

void guest_other(uint64_t cpu)
{
	if (knows_itself(cpu))
		seen[cpu]++;
	__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&ready, __ATOMIC_SEQ_CST))
		;
	burn(share);
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
}

/* How many came, each once; then they do that much work between them. */
static int cpus(uint64_t work)
{
	uint64_t n = boot[12];

	while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) + 1 < n)
		;
	share = work / n;
	__atomic_store_n(&ready, 1, __ATOMIC_SEQ_CST);
	burn(share);
	while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) + 1 < n)
		;
	for (uint64_t i = 1; i < n; i++)
		if (seen[i] != 1)
			return 1;
	gyve_guest_print("vCPUs ");
	put_number(n);
	gyve_guest_print("\n");
	return 0;
}

/* --- memory: all of it is mapped, written and read back */

#ifdef __aarch64__
enum { BLOCK = 0x711, PAGE = 0x713, TABLE = 0x713, IS_TABLE = 2 };
static void tables_done(void)
{
	__asm__ volatile("dsb ishst\n\tisb" : : : "memory");
}
#else
enum { BLOCK = 0x83, PAGE = 3, TABLE = 3, IS_TABLE = 0 };
static void tables_done(void)
{
	uint64_t root;
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=&r"(root) : : "memory");
}
#endif

static uint64_t *below(uint64_t *entry)
{
	if (!(*entry & 1) && nframes < FRAMES)
		*entry = (uint64_t)frames[nframes++] | TABLE;
	return *entry & 1 ? (uint64_t *)(*entry & 0xfffffffff000) : 0;
}

static int map_all(void)
{
	uint64_t *root = (uint64_t *)(boot[0] + 0x10000);

	for (uint64_t a = boot[0] & ~(LARGE - 1); a < boot[1]; a += LARGE) {
		uint64_t *third = below(&root[a >> 39 & 511]), *second = third ? below(&third[a >> 30 & 511]) : 0;
		if (!second)
			return 0;
		uint64_t *entry = &second[a >> 21 & 511];
		if (!(*entry & 1)) {
			*entry = a | BLOCK;
		} else if (*entry & IS_TABLE) { /* what the first tables left out of it */
			uint64_t *pages = below(entry);
			for (uint64_t i = 0; i < 512; i++)
				if (!(pages[i] & 1))
					pages[i] = (a + (i << 12)) | PAGE;
		}
	}
	tables_done();
	return 1;
}

static int walk(uint64_t step)
{
	uint64_t from = (boot[5] + 4095) & ~4095ull, end = boot[1], n = 0;

	if (!map_all())
		return 1;
	for (uint64_t a = from; a < end; a += step, n++) {
		if (*(volatile uint64_t *)a)
			return 2;
		*(volatile uint64_t *)a = a;
	}
	*(volatile uint64_t *)(end - 8) = end - 8;
	for (uint64_t a = from; a < end; a += step)
		if (*(volatile uint64_t *)a != a)
			return 3;
	if (*(volatile uint64_t *)(end - 8) != end - 8)
		return 4;
	gyve_guest_print("pages ");
	put_number(n);
	gyve_guest_print("\n");
	return 0;
}

/* All pages the same, until the end. */
static int fill(void)
{
	if (!map_all())
		return 1;
	for (uint64_t a = (boot[5] + 4095) & ~4095ull; a < boot[1]; a += 4096)
		*(volatile uint64_t *)a = 0x5a5a;
	gyve_guest_print("filled\n");
	for (;;)
		burn(1000);
}

/* A text that no line end follows, and then the end of that kind. */
static int ending(const char *how)
{
	gyve_guest_print("last words");
	if (same_text(how, "never"))
		for (;;)
			burn(1000);
	if (same_text(how, "crash"))
		__builtin_trap();
	return 0;
}

int kmain(int nwords, char **words)
{
	const char *what = nwords ? words[0] : "";
	uint64_t number = nwords > 1 ? value(words[1]) : 0;

	if (same_text(what, "where"))
		return where();
	if (same_text(what, "bootargs"))
		return bootargs();
	if (same_text(what, "cpus"))
		return cpus(number);
	if (same_text(what, "fill"))
		return fill();
	if (same_text(what, "end"))
		return ending(nwords > 1 ? words[1] : "");
	if (same_text(what, "walk"))
		return walk(number ? number : 4096);
	gyve_guest_print("which question?\n");
	return 99;
}
