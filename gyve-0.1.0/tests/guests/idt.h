/* An interrupt table for the samples that take exceptions. */
#ifndef IDT_H
#define IDT_H
#include "guest.h"

struct frame {
	uint64_t rip, cs, rflags, rsp, ss;
};

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t mid;
	uint32_t high, zero;
} __attribute__((packed));

static struct gate idt[256] __attribute__((aligned(16)));

static inline void idt_set(unsigned vector, void *handler)
{
	uint64_t at = (uint64_t)handler;
	uint16_t cs;

	__asm__("mov %%cs, %0" : "=r"(cs));
	idt[vector] = (struct gate){(uint16_t)at, cs, 0, 0x8E, (uint16_t)(at >> 16), (uint32_t)(at >> 32), 0};
}

static inline void idt_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) ptr = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" : : "m"(ptr));
}
#endif
