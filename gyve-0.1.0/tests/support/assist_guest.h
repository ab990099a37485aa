/* A fake guest for the instruction assist's tests: registers, 32 KiB of memory with a hole, real instructions as bytes. */
#ifndef ASSIST_GUEST_H
#define ASSIST_GUEST_H
#include "unit.h"

#include "gyve/assist.h"

/* The assembler encodes; the bytes are never executed here. */
#define INSN(name, text)                                                                                                \
	__asm__(".pushsection .rodata\n" #name ": .byte " #name "_end - 1f\n1: " text "\n" #name "_end:\n.popsection"); \
	extern const uint8_t name[]

enum { BASE = 0x10000, HOLE = 0x14000, HOLE_END = 0x15000, END = 0x18000, CODE = 0x7000 };
struct assist_ram {
	uint8_t bytes[END - BASE];
	unsigned reads, writes;
};
extern struct assist_ram ram;
extern struct gyve_x86_regs regs;
extern struct gyve_assist_out out;
extern struct gyve_err err;
extern const struct gyve_assist_mem mem; /* [BASE, HOLE) and [HOLE_END, END), and a TSC of 0x123456789abc */

uint64_t host_xcr0(void);
bool has7b(unsigned bit);
bool has_avx(void);
bool has_avx512(void);
/** Offset of a component in the standard format. */
uint32_t xoffset(unsigned comp);
void put(unsigned at, const void *v, size_t n);
void put_xmm(unsigned i, const void *v);
const void *xmm(unsigned i);
uint64_t get64(const void *p);
uint32_t get32(const void *p);
void set64(void *p, uint64_t v);
void set32(void *p, uint32_t v);
uint8_t *at(gyve_gva_t gva);
/** A 64-bit guest in ring 0 with everything enabled. A cmocka set-up. */
int fresh(void **state);
enum gyve_assist_result run(const uint8_t *insn);
/** It must be done, and rip advanced. */
void ok(const uint8_t *insn);
/** It must fault and leave the registers alone. */
void faults(const uint8_t *insn, unsigned vector);
#endif
