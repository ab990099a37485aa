/* A driver for the virtio card a Hermit guest has: found through PCI, polled, no interrupts. For tests: it trusts its host. */
#ifndef VIRTIO_GUEST_H
#define VIRTIO_GUEST_H
#include "hermit.h"

#ifdef __aarch64__
#define ECAM 0x0b000000ull
#define WINDOW 0x0c000000ull
#else
#define WINDOW 0xfe000000ull
#endif

static inline void barrier(void)
{
#ifdef __aarch64__
	__asm__ volatile("dmb ish" : : : "memory");
#else
	__asm__ volatile("mfence" : : : "memory");
#endif
}

static inline void copy(void *to, const void *from, uint64_t n)
{
#ifdef __aarch64__
	for (; n >= 8; n -= 8) {
		uint64_t v;
		__asm__ volatile("ldr %0, [%1], #8" : "=r"(v), "+r"(from) : : "memory");
		__asm__ volatile("str %1, [%0], #8" : "+r"(to) : "r"(v) : "memory");
	}
	for (uint8_t *t = to; n; n--)
		*t++ = *(const uint8_t *)from, from = (const uint8_t *)from + 1;
#else
	uint64_t words = n / 8;
	n %= 8;
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#endif
}

static inline void *memcpy(void *to, const void *from, unsigned long n)
{
	copy(to, from, n);
	return to;
}

static inline void *memset(void *to, int c, unsigned long n)
{
	for (volatile uint8_t *p = to; n; n--)
		*p++ = (uint8_t)c;
	return to;
}

/* --- the device's registers have to be mapped */

#ifdef __aarch64__
static inline void map_devices(void)
{
	uint64_t l0, l1, *l2;

	__asm__("mrs %0, ttbr0_el1" : "=r"(l0));
	l1 = *(uint64_t *)(l0 & 0xfffffffff000) & 0xfffffffff000;
	l2 = (uint64_t *)(*(uint64_t *)l1 & 0xfffffffff000);
	for (uint64_t at = ECAM; at < WINDOW + (16 << 20); at += 2 << 20)
		l2[at >> 21] = at | 0x0060000000000401; /* a block, of the first kind in MAIR: device memory */
	__asm__ volatile("dsb sy\n	isb" : : : "memory");
}
#else
static uint64_t device_pdpt[512] __attribute__((aligned(4096))), device_pd[512] __attribute__((aligned(4096)));

static inline uint64_t *next_table(uint64_t *entry, uint64_t *fresh)
{
	if (!(*entry & 1))
		*entry = (uint64_t)fresh | 3;
	return (uint64_t *)(*entry & 0xffffffffff000);
}

static inline void map_devices(void)
{
	uint64_t cr3, *pdpt, *pd;

	__asm__("mov %%cr3, %0" : "=r"(cr3));
	pdpt = next_table((uint64_t *)cr3, device_pdpt);
	pd = next_table(&pdpt[WINDOW >> 30], device_pd);
	for (uint64_t at = WINDOW; at < 0xff000000; at += 2 << 20)
		pd[at >> 21 & 511] = at | 0x93; /* large, not cached */
}
#endif

static inline uint32_t config_read(unsigned at)
{
#ifdef __aarch64__
	return *(volatile uint32_t *)(ECAM + at);
#else
	uint32_t v;
	__asm__ volatile("outl %0, %1" : : "a"(0x80000000u | at), "d"((uint16_t)0xcf8));
	__asm__ volatile("inl %1, %0" : "=a"(v) : "d"((uint16_t)0xcfc));
	return v;
#endif
}

static inline uint8_t config_byte(unsigned at)
{
	return (uint8_t)(config_read(at & ~3u) >> (8 * (at & 3)));
}

#define REG(type, at) (*(volatile type *)(at))

/* --- the card */

enum { RX, TX, RING = 256, NET_HDR = 12 };
#define F_CSUM (1ull << 0)
#define F_GUEST_CSUM (1ull << 1)
#define F_MTU (1ull << 3)
#define F_MAC (1ull << 5)
#define F_MRG_RXBUF (1ull << 15)
#define F_VERSION_1 (1ull << 32)

struct vring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};

struct vring {
	struct vring_desc desc[RING];
	struct {
		uint16_t flags;
		volatile uint16_t idx;
		uint16_t ring[RING], event;
	} avail;
	struct {
		volatile uint16_t flags, idx;
		struct {
			uint32_t id, len;
		} ring[RING];
		uint16_t event;
	} used __attribute__((aligned(4)));
	uint16_t seen;
} __attribute__((aligned(16)));

static struct vring rings[2];
static uint64_t common, notify_at, isr_at, device_at, features;

static inline void notify(unsigned q)
{
	barrier();
	if (!(rings[q].used.flags & 1))
		REG(uint16_t, notify_at + 4 * q) = (uint16_t)q;
}

static inline void offer(unsigned q, uint16_t head)
{
	struct vring *r = &rings[q];

	r->avail.ring[r->avail.idx % RING] = head;
	barrier();
	r->avail.idx++;
}

/* Where the capabilities say the registers are. 0: there is no card. */
static inline int find_card(void)
{
	uint64_t bar;

	if (config_read(0) != 0x10411af4)
		return 0;
	bar = (config_read(0x10) & ~15u) | (uint64_t)config_read(0x14) << 32;
	if (!bar)
		bar = WINDOW;
	for (unsigned at = config_byte(0x34); at; at = config_byte(at + 1)) {
		uint64_t where = bar + config_read(at + 8);
		if (config_byte(at) != 9)
			continue;
		switch (config_byte(at + 3)) {
		case 1:
			common = where;
			break;
		case 2:
			notify_at = where;
			break;
		case 3:
			isr_at = where;
			break;
		case 4:
			device_at = where;
		}
	}
	return common && notify_at && isr_at && device_at;
}

static inline void set_queue(unsigned q)
{
	struct vring *r = &rings[q];

	REG(uint16_t, common + 22) = (uint16_t)q;
	REG(uint16_t, common + 24) = RING;
	REG(uint64_t, common + 32) = (uint64_t)r->desc;
	REG(uint64_t, common + 40) = (uint64_t)&r->avail;
	REG(uint64_t, common + 48) = (uint64_t)&r->used;
	REG(uint16_t, common + 28) = 1;
}

/* Up to FEATURES_OK with as much of `want` as there is. 0: refused. */
static inline int negotiate(uint64_t want)
{
	REG(uint8_t, common + 20) = 0;
	REG(uint8_t, common + 20) = 1;
	REG(uint8_t, common + 20) = 3;
	for (uint32_t half = 0; half < 2; half++) {
		REG(uint32_t, common) = half;
		features |= (uint64_t)REG(uint32_t, common + 4) << (32 * half);
	}
	features &= want;
	for (uint32_t half = 0; half < 2; half++) {
		REG(uint32_t, common + 8) = half;
		REG(uint32_t, common + 12) = (uint32_t)(features >> (32 * half));
	}
	REG(uint8_t, common + 20) = 0xb;
	return REG(uint8_t, common + 20) == 0xb;
}
#endif
