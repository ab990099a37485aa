/* Exception vectors for the aarch64 samples: each entry calls on_exception() and returns to where ELR_EL1 says. */
#ifndef VECTORS_A64_H
#define VECTORS_A64_H
#include "guest.h"

/** vector: 0..15, in the table's order; 4 is a synchronous exception of EL1, 5 its IRQ. */
void on_exception(uint64_t vector);

__asm__("	.text\n"
	"	.balign 2048\n"
	"vectors:\n"
	"	.set n, 0\n"
	"	.rept 16\n"
	"	.balign 128\n"
	"	stp x29, x30, [sp, #-192]!\n"
	"	stp x0, x1, [sp, #16]\n"
	"	mov x0, #n\n"
	"	bl save_and_call\n"
	"	ldp x0, x1, [sp, #16]\n"
	"	ldp x29, x30, [sp], #192\n"
	"	eret\n"
	"	.set n, n + 1\n"
	"	.endr\n"
	"save_and_call:\n"
	"	stp x2, x3, [sp, #32]\n"
	"	stp x4, x5, [sp, #48]\n"
	"	stp x6, x7, [sp, #64]\n"
	"	stp x8, x9, [sp, #80]\n"
	"	stp x10, x11, [sp, #96]\n"
	"	stp x12, x13, [sp, #112]\n"
	"	stp x14, x15, [sp, #128]\n"
	"	stp x16, x17, [sp, #144]\n"
	"	stp x18, x30, [sp, #160]\n"
	"	bl on_exception\n"
	"	ldp x2, x3, [sp, #32]\n"
	"	ldp x4, x5, [sp, #48]\n"
	"	ldp x6, x7, [sp, #64]\n"
	"	ldp x8, x9, [sp, #80]\n"
	"	ldp x10, x11, [sp, #96]\n"
	"	ldp x12, x13, [sp, #112]\n"
	"	ldp x14, x15, [sp, #128]\n"
	"	ldp x16, x17, [sp, #144]\n"
	"	ldp x18, x30, [sp, #160]\n"
	"	ret\n");

#define WRITE_REG(name, value) __asm__ volatile("msr " #name ", %0\n\tisb" : : "r"((uint64_t)(value)) : "memory")

static inline void set_vectors(void)
{
	extern char vectors[];
	WRITE_REG(vbar_el1, (uint64_t)vectors);
}
#endif
