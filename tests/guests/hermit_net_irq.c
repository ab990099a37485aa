/* The card's interrupts, as the processor's interrupt controller sees them (polled there, none is taken): the line, twice, and
 * on x86_64 MSI-X. What the guest waits for is the answer to an ARP request, so --net user. */
#include "net_guest.h"

enum { LINE_VECTOR = 0x40, MSI_VECTOR = 0x61, SPI_ID = 35 };

static uint8_t buffers[RING][2048], frame[NET_HDR + 60];

static int failed(const char *what)
{
	gyve_guest_print(what);
	gyve_guest_print("\n");
	return 1;
}

static void ask(void)
{
	static const uint8_t start[] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6,
					0,   1,   8,   0,   6,   4,   0, 1, 2, 0, 0, 0, 0, 1};

	copy(frame + NET_HDR, start, sizeof(start));
	put32(frame + NET_HDR + 28, 0x0a000503);
	put32(frame + NET_HDR + 38, 0x0a000501);
	rings[TX].desc[0] = (struct vring_desc){(uint64_t)frame, sizeof(frame), 0, 0};
	offer(TX, 0);
	notify(TX);
}

static int answered(void)
{
	uint64_t from = ticks();

	while (rings[RX].seen == rings[RX].used.idx)
		if (ticks() - from > 10 * second())
			return 0;
	rings[RX].seen = rings[RX].used.idx;
	return 1;
}

#ifdef __aarch64__
#define GICD 0x08000000ull
#define GICR 0x080a0000ull

static void controller(void)
{
	uint64_t l0, *l2;

	__asm__("mrs %0, ttbr0_el1" : "=r"(l0));
	l2 = (uint64_t *)(*(uint64_t *)(*(uint64_t *)(l0 & 0xfffffffff000) & 0xfffffffff000) & 0xfffffffff000);
	l2[GICD >> 21] = GICD | 0x0060000000000401;
	__asm__ volatile("dsb sy\n	isb\n	msr s3_0_c12_c12_5, %0\n	isb\n	msr s3_0_c4_c6_0, %1\n	msr "
			 "s3_0_c12_c12_7, %0\n"
			 "	isb"
			 :
			 : "r"(1ull), "r"(0xffull)
			 : "memory");
	REG(uint32_t, GICR + 0x14) &= ~2u;
	while (REG(uint32_t, GICR + 0x14) & 4)
		;
	REG(uint32_t, GICD) = 0x12;
	REG(uint32_t, GICD + 0x84) |= 1u << (SPI_ID - 32);
	REG(uint8_t, GICD + 0x400 + SPI_ID) = 0x80;
	REG(uint64_t, GICD + 0x6000 + 8 * SPI_ID) = 0;
	REG(uint32_t, GICD + 0x104) = 1u << (SPI_ID - 32);
}

static int waits(void)
{
	uint64_t id;

	__asm__ volatile("dsb sy\n	mrs %0, s3_0_c12_c12_0\n	dsb sy" : "=r"(id));
	return id == SPI_ID;
}

static void done(void)
{
	__asm__ volatile("msr s3_0_c12_c12_1, %0\n	isb" : : "r"((uint64_t)SPI_ID));
}
#else
#define APIC 0xfee00000ull
#define IOAPIC 0xfec00000ull

static void route(uint32_t vector)
{
	REG(uint32_t, IOAPIC) = 0x10 + 2 * 11;
	REG(uint32_t, IOAPIC + 0x10) = vector; /* an edge, fixed, to processor 0 */
	REG(uint32_t, IOAPIC) = 0x11 + 2 * 11;
	REG(uint32_t, IOAPIC + 0x10) = 0;
}

static void controller(void)
{
	REG(uint32_t, APIC + 0xf0) = 0x1ff;
	route(LINE_VECTOR);
}

static int requested(uint32_t vector)
{
	return REG(uint32_t, APIC + 0x200 + vector / 32 * 16) >> (vector % 32) & 1;
}

/* A request stays until it is taken, which nobody does: another vector for each. */
static uint32_t expected = LINE_VECTOR;

static int waits(void)
{
	return requested(expected);
}

static void done(void)
{
	route(++expected);
}

static int msix(void)
{
	uint64_t bar = device_at & ~0xfffull;

	REG(uint16_t, common + 22) = RX;
	REG(uint16_t, common + 26) = 1;
	if (REG(uint16_t, common + 26) != 1)
		return failed("no vector for the queue");
	__asm__ volatile("outl %0, %1" : : "a"(0x80000088u), "d"((uint16_t)0xcf8));
	__asm__ volatile("outl %0, %1" : : "a"(0x80000000u), "d"((uint16_t)0xcfc)); /* on */
	REG(uint64_t, bar + 0x1010) = APIC;
	REG(uint32_t, bar + 0x1018) = MSI_VECTOR;
	REG(uint32_t, bar + 0x101c) = 0;
	ask();
	if (!answered())
		return failed("no answer");
	for (uint64_t from = ticks(); !requested(MSI_VECTOR);)
		if (ticks() - from > 5 * second())
			return failed("no message-signalled interrupt");
	return requested(expected) ? failed("the line as well") : 0;
}
#endif

int kmain(int nwords, char **words)
{
	(void)nwords;
	(void)words;
	map_devices();
	controller();
	if (!find_card() || !negotiate(F_VERSION_1))
		return failed("no card");
	set_queue(RX);
	set_queue(TX);
	REG(uint8_t, common + 20) = 0xf;
	rings[TX].avail.flags = 1; /* no interrupts for what is sent */
	for (uint16_t i = 0; i < RING; i++) {
		rings[RX].desc[i] = (struct vring_desc){(uint64_t)buffers[i], sizeof(buffers[i]), 2, 0};
		offer(RX, i);
	}
	notify(RX);
	if (waits())
		return failed("an interrupt out of nothing");
	for (int i = 0; i < 2; i++) {
		ask();
		if (!answered())
			return failed("no answer");
		for (uint64_t from = ticks(); !waits();)
			if (ticks() - from > 5 * second())
				return failed("no interrupt");
		if (!(REG(uint8_t, isr_at) & 1) || REG(uint8_t, isr_at))
			return failed("not the ISR that should be");
		done();
		if (waits())
			return failed("an interrupt too many");
	}
#ifndef __aarch64__
	if (msix())
		return 1;
#endif
	gyve_guest_print("interrupted\n");
	return 0;
}
