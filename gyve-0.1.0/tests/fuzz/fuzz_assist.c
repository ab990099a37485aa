/* Fuzz target: a stream of guest instructions through the instruction assist. Ten bytes choose the vCPU's state, the rest is
 * code. General registers point where this process has nothing mapped, so an operand that is not replaced by the assist
 * crashes. */
#include "gyve/assist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 0x10000, WINDOW_END = 0x14000, HEADER = 10 };

static uint8_t window[WINDOW_END - WINDOW];

static int window_access(gyve_gva_t gva, size_t len, gyve_gva_t *fault)
{
	if (gva >= WINDOW && gva < WINDOW_END && len <= WINDOW_END - gva)
		return 0;
	*fault = gva >= WINDOW && gva < WINDOW_END ? WINDOW_END : gva;
	return -EFAULT;
}

static int window_read(void *ctx, gyve_gva_t gva, void *buf, size_t len, gyve_gva_t *fault)
{
	(void)ctx;
	if (window_access(gva, len, fault) < 0)
		return -EFAULT;
	memcpy(buf, window + (gva - WINDOW), len);
	return 0;
}

static int window_write(void *ctx, gyve_gva_t gva, const void *buf, size_t len, gyve_gva_t *fault)
{
	(void)ctx;
	if (window_access(gva, len, fault) < 0)
		return -EFAULT;
	memcpy(window + (gva - WINDOW), buf, len);
	return 0;
}

static void set_up(struct gyve_x86_regs *r, const uint8_t *header)
{
	static const uint64_t xcr0[] = {1, 3, 7, 0xe7};

	memset(r, 0, sizeof(*r));
	for (unsigned i = 0; i < 16; i++)
		r->gpr[i] = WINDOW + 0x400 * i;
	r->rip = WINDOW;
	r->rflags = 2;
	r->efer = header[0] & 1 ? 0 : 0x500;
	r->seg[GYVE_CS].l = !(header[0] & 1);
	r->seg[GYVE_CS].db = !(header[0] & 2);
	r->seg[GYVE_SS].dpl = header[0] & 4 ? 3 : 0;
	r->cr0 = 0x80000031 | (header[0] & 8) | (header[0] >> 2 & 4); /* TS, EM */
	r->cr4 = header[0] & 32 ? 0 : 0x250620;
	r->xcr0 = xcr0[header[0] >> 6];
	r->xsave_len = header[1] & 1 ? 576 : sizeof(r->xsave);
	memset(r->xsave + 32, header[1], 384);
	memcpy(r->xsave, header + 2, 4);
	r->xsave[4] = header[1];
	memcpy(r->xsave + 24, header + 6, 4);
	memset(r->xsave + 512, 0xff, header[1] & 2 ? 1 : 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gyve_assist_mem mem = {.read = window_read, .write = window_write};
	static struct gyve_x86_regs regs;
	struct gyve_assist_out out;
	struct gyve_x86_data_ref refs[4];
	struct gyve_err err;
	char text[64];

	if (size < HEADER)
		return 0;
	set_up(&regs, data);
	memset(window, 0x5a, sizeof(window));
	for (size_t at = HEADER; at < size;) {
		size_t left = size - at < 15 ? size - at : 15;
		int len = gyve_x86_disasm(data + at, left, regs.rip, text, sizeof(text));
		if (gyve_x86_data_refs(&regs, data + at, left, refs) > 4)
			abort();
		regs.rip = WINDOW;
		gyve_assist_x86(&regs, data + at, left, &mem, &out, &err);
		at += len > 0 ? (size_t)len : 1;
	}
	return 0;
}
