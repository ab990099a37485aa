/* The probe's guest for x86_64: long mode, one 2 MiB identity page, a few instructions per question. */
#include "kvm_host.h"

#include <string.h>

enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, CODE = 0x4000 };

static const struct {
	enum kvm_probe_what what;
	uint16_t at;
	uint8_t code[12];
} snippets[] = {
	{KVM_PROBE_SW_BP, CODE, {0xcc, 0xf4}},
	{KVM_PROBE_WATCH,
	 CODE + 0x20,
	 {0xc6, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, 0x01, 0xf4}}, /* movb $1, KVM_PROBE_DATA; hlt */
	{KVM_PROBE_SIMD, CODE + 0x40, {0x0f, 0x57, 0xc0, 0xf4}},  /* xorps xmm0, xmm0; hlt */
	{KVM_PROBE_NOPS, CODE + 0x60, {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xf4}},
	{KVM_PROBE_READ, CODE + 0x80, {0x8a, 0x04, 0x25, 0x00, 0x50, 0x00, 0x00, 0xf4}}, /* movb KVM_PROBE_DATA, %al; hlt */
	{KVM_PROBE_OUT, CODE + 0xa0, {0xe6, 0xe9, 0x90, 0xf4}},
	{KVM_PROBE_RO_READ, CODE + 0xe0, {0x8a, 0x04, 0x25, 0x00, 0x00, 0x10, 0x00, 0xf4}},
	{KVM_PROBE_RO_WRITE, CODE + 0xc0, {0xc6, 0x04, 0x25, 0x00, 0x00, 0x10, 0x00, 0x01, 0xf4}},
};

void kvm_host_probe_load(uint8_t *mem)
{
	uint64_t pml4e = PDPT | 3, pdpte = PD | 3, pde = 0x83;

	memcpy(mem + PML4, &pml4e, 8);
	memcpy(mem + PDPT, &pdpte, 8);
	memcpy(mem + PD, &pde, 8);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(snippets); i++)
		memcpy(mem + snippets[i].at, snippets[i].code, sizeof(snippets[i].code));
}

uint64_t kvm_host_probe_code(enum kvm_probe_what what)
{
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(snippets); i++)
		if (snippets[i].what == what)
			return snippets[i].at;
	return 0;
}

int kvm_host_probe_enter(struct gyve_bvcpu *v, enum kvm_probe_what what)
{
	struct gyve_regs r = {0};
	struct gyve_x86_seg code = {.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
	struct gyve_x86_seg data = {.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
	int res = kvm_host_get_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r);

	if (res < 0)
		return res;
	r.x86.cr0 = 0x80000031;
	r.x86.cr3 = PML4;
	r.x86.cr4 = 0x220; /* PAE, OSFXSR */
	r.x86.efer = 0x500;
	r.x86.seg[GYVE_CS] = code;
	for (int s = GYVE_SS; s <= GYVE_GS; s++)
		r.x86.seg[s] = data;
	r.x86.rflags = 2;
	r.x86.rip = kvm_host_probe_code(what);
	return kvm_host_set_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r);
}
