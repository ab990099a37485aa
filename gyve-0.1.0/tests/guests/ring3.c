/* Goes to ring 3 and stays there, with the I/O privilege to write and to exit: stores of every kind to one page. */
#include "guest.h"

#define ALL_RIGHTS 7ull /* present, write, user */
#define LARGE 0x80ull

struct page {
	volatile uint64_t plain;
	volatile uint32_t mxcsr; /* by STMXCSR, which no emulator of KVM knows */
	volatile uint64_t twice;
} page __attribute__((aligned(4096)));

static uint64_t pml4[512] __attribute__((aligned(4096)));
static uint64_t pdpt[512] __attribute__((aligned(4096)));
static uint64_t pd[512] __attribute__((aligned(4096)));
static uint64_t gdt[5] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff};
static uint8_t stack[4096] __attribute__((aligned(4096)));

__attribute__((noinline)) void store(void)
{
	page.plain = 1;
	__asm__ volatile("stmxcsr %0" : "=m"(page.mxcsr));
	page.twice = page.twice + 2;
}

static _Noreturn void user(void)
{
	store();
	put_text("mxcsr ");
	put_number(page.mxcsr);
	put_text("\n");
	exit_guest(page.plain == 1 && page.mxcsr == 0x1f80 && page.twice == 2 ? 0 : 1);
}

int kmain(uint64_t cpu, uint64_t ncpus)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) gdtr = {sizeof(gdt) - 1, (uint64_t)gdt};

	(void)ncpus;
	if (cpu != 0)
		halt();
	pml4[0] = (uint64_t)pdpt | ALL_RIGHTS;
	pdpt[0] = (uint64_t)pd | ALL_RIGHTS;
	for (uint64_t i = 0; i < 32; i++)
		pd[i] = i << 21 | ALL_RIGHTS | LARGE;
	load_cr3((uint64_t)pml4);
	__asm__ volatile("lgdt %0\n\t"
			 "pushq $0x1b\n\t" /* data of ring 3 */
			 "pushq %1\n\t"
			 "pushq $0x3002\n\t" /* IOPL 3 */
			 "pushq $0x23\n\t"   /* code of ring 3 */
			 "pushq %2\n\t"
			 "iretq"
			 :
			 : "m"(gdtr), "r"((uint64_t)stack + sizeof(stack) - 8), "r"((uint64_t)user)
			 : "memory");
	return 1;
}
