/* Data for watchpoints: larger than any debug register, over page boundaries, written by several vCPUs and in odd ways. What
 * they add up to is checked at the end: a debugger that loses a write, or lets another vCPU into an atomic one, is found out.
 */
#include "guest.h"

#define PAGE 4096

struct big {
	uint64_t head;
	uint32_t part[1022];
	uint64_t tail; /* in the next page */
};

static struct {
	uint8_t before[PAGE - 4];
	volatile uint64_t crossing; /* half here, half there */
	uint8_t after[PAGE - 4];
} __attribute__((packed, aligned(PAGE))) edge;
struct big big __attribute__((aligned(PAGE)));
uint64_t shared __attribute__((aligned(PAGE))); /* every vCPU adds to it */
uint64_t beside;                                /* in the same page, not watched */
uint64_t done __attribute__((aligned(PAGE)));
volatile uint64_t rounds = 100;
struct pair {
	uint64_t from[4], to[4];
} pair __attribute__((aligned(PAGE)));

__attribute__((noinline)) static void fill(struct big *b)
{
	b->head = 1;
	for (int i = 0; i < 1022; i += 511)
		b->part[i] = (uint32_t)i + 1;
	b->tail = 2;
}

__attribute__((noinline)) static void cross(void)
{
	edge.crossing = 0x1122334455667788;
	edge.crossing++;
}

__attribute__((noinline)) static void copy(void)
{
	for (unsigned i = 0; i < 4; i++)
		pair.from[i] = i + 1;
#ifdef __x86_64__
	uint64_t n = 4, *to = pair.to, *from = pair.from;
	__asm__ volatile("rep movsq" : "+c"(n), "+D"(to), "+S"(from) : : "memory");
#else
	for (unsigned i = 0; i < 4; i += 2)
		__asm__ volatile("ldp x9, x10, [%0]\n\tstp x9, x10, [%1]"
				 :
				 : "r"(&pair.from[i]), "r"(&pair.to[i])
				 : "x9", "x10", "memory");
#endif
}

__attribute__((noinline)) void ready(void)
{
	__asm__ volatile("" : : : "memory");
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	take_interrupts();
	if (cpu == 0) {
		ready();
		fill(&big);
		cross();
		copy();
	}
	for (uint64_t i = 0; i < rounds; i++) {
		fetch_add(&shared, 1);
		fetch_add(&beside, 2);
	}
	fetch_add(&done, 1);
	if (cpu != 0)
		halt();
	while (*(volatile uint64_t *)&done != ncpus)
		pause();
	put_text("shared ");
	put_number(shared);
	put_text(" beside ");
	put_number(beside);
	put_text(" last ");
	put_number(pair.to[3]);
	put_text("\n");
	return shared == rounds * ncpus && beside == 2 * shared && pair.to[3] == 4 ? 0 : 1;
}
