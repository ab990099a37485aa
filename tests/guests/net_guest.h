/* Bytes in network order, checksums, addresses in words, time. */
#ifndef NET_GUEST_H
#define NET_GUEST_H
#include "virtio_guest.h"

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static inline uint64_t add_bytes(uint64_t sum, const uint8_t *p, uint64_t n)
{
	for (; n > 1; n -= 2, p += 2)
		sum += get16(p);
	return n ? sum + ((uint64_t)*p << 8) : sum;
}

static inline uint16_t fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline uint64_t number_of(const char *s)
{
	uint64_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (uint64_t)(*s++ - '0');
	return n;
}

static inline uint32_t address_of(const char *s)
{
	uint32_t a = 0;

	for (int i = 0; i < 4; i++) {
		a = a << 8 | (uint32_t)number_of(s);
		while (*s && *s++ != '.')
			;
	}
	return a;
}

/* --- time: about a second in ticks */

static inline uint64_t ticks(void)
{
#ifdef __aarch64__
	uint64_t v;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
#endif
}

static inline uint64_t second(void)
{
#ifdef __aarch64__
	uint64_t v;
	__asm__("mrs %0, cntfrq_el0" : "=r"(v));
	return v;
#else
	return 2500000000;
#endif
}
#endif
