/* The probe's guest for x86_64, and what only this architecture has: long mode, one 2 MiB identity page, a handler for INT3, a
 * few instructions per question, each with a HLT at the end. */
#include "kvm_x86_64.h"
#include "probe.h"

#include "../../base/bytes.h"

#include <string.h>

enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, CODE = 0x4000, HANDLER = 0x4e00, GDT = 0x4f00, IDT = 0x4f40, STACK = 0x5f00 };

const unsigned kvm_host_probe_insn = 1;

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
	{KVM_PROBE_RO_WRITE, CODE + 0xc0, {0xc6, 0x04, 0x25, 0x00, 0x00, 0x10, 0x00, 0x01, 0xf4}},
	{KVM_PROBE_RO_READ, CODE + 0xe0, {0x8a, 0x04, 0x25, 0x00, 0x00, 0x10, 0x00, 0xf4}},
	{KVM_PROBE_END, CODE + 0x100, {0xf4}},
};

void kvm_host_probe_load(uint8_t *mem)
{
	put_le64(mem + PML4, PDPT | 7); /* for user mode, too */
	put_le64(mem + PDPT, PD | 7);
	put_le64(mem + PD, 0x87);
	put_le64(mem + GDT + 8, 0x00af9b000000ffff);  /* code, long mode */
	put_le64(mem + GDT + 16, 0x00cf93000000ffff); /* data */
	put_le64(mem + IDT + 3 * 16, HANDLER | 8 << 16 | UINT64_C(0x8e00) << 32);
	mem[HANDLER] = 0xf4;
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
	r.x86.gdt_base = GDT;
	r.x86.gdt_limit = 23;
	r.x86.idt_base = IDT;
	r.x86.idt_limit = 63;
	r.x86.seg[GYVE_CS] = code;
	for (int s = GYVE_SS; s <= GYVE_GS; s++)
		r.x86.seg[s] = data;
	r.x86.rflags = 2;
	r.x86.gpr[GYVE_RSP] = STACK;
	r.x86.rip = kvm_host_probe_code(what);
	return kvm_host_set_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r);
}

bool kvm_host_probe_ended(const struct gyve_exit *e)
{
	return e->kind == GYVE_EXIT_HLT;
}

bool kvm_host_probe_handled(struct gyve_bvcpu *v, const uint8_t *mem, uint64_t from)
{
	struct gyve_regs r = {0};

	return kvm_host_get_regs(v, GYVE_REGS_GPR, &r) == 0 && r.x86.rip == HANDLER + 1 && r.x86.gpr[GYVE_RSP] == STACK - 40 &&
	       get_le64(mem + STACK - 40) == from + 1;
}

static bool enter_user(struct probe *p, enum kvm_probe_what what)
{
	struct gyve_regs r = {0};

	if (kvm_host_probe_enter(p->v, what) < 0 || kvm_host_get_regs(p->v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r) < 0)
		return false;
	for (int s = GYVE_CS; s <= GYVE_GS; s++) {
		r.x86.seg[s].selector |= 3;
		r.x86.seg[s].dpl = 3;
	}
	return kvm_host_set_regs(p->v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r) == 0;
}

/* The guest has no way to take an exception there: one that is given to it ends it. */
static void user_mode(struct probe *p)
{
	struct gyve_debug sw = {.sw_bp = true}, step = {.step = true};
	struct gyve_exit e;
	bool breaks = enter_user(p, KVM_PROBE_SW_BP) && gyve_backend_kvm.set_debug(p->v, &sw) == 0 &&
		      (probe_go_on(p, &e) == GYVE_EXIT_EMULATION || probe_is_debug(&e, GYVE_DBG_SW_BP));

	probe_again(p);
	bool steps = enter_user(p, KVM_PROBE_NOPS) && gyve_backend_kvm.set_debug(p->v, &step) == 0;
	uint64_t at = kvm_host_probe_code(KVM_PROBE_NOPS);
	for (int i = 0; steps && i < 16 && probe_pc(p) == at; i++)
		steps = probe_go_on(p, &e) == GYVE_EXIT_DEBUG;
	steps = steps && probe_pc(p) == at + 1;
	if (breaks && steps)
		probe_say(p, GYVE_PROBE_WORKS, "", "breakpoints and steps leave as in ring 0");
	else if (breaks || steps)
		probe_say(p, GYVE_PROBE_LIMITED, "", "%s do not leave", breaks ? "steps" : "breakpoints");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "debug ring 0 only", "breakpoints and steps are given to the guest");
}

static void interrupts_held(struct probe *p)
{
	if (gyve_backend_kvm.caps(p->vm)->block_irq)
		probe_say(p, GYVE_PROBE_WORKS, "", "KVM_GUESTDBG_BLOCKIRQ");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "a step may end in an interrupt handler", "no KVM_GUESTDBG_BLOCKIRQ");
}

static void port_exit(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (probe_run(p, KVM_PROBE_OUT, &none, &e) != GYVE_EXIT_IO) {
		probe_say(p, GYVE_PROBE_ABSENT, "", "OUT does not leave the guest");
		return;
	}
	uint64_t at = probe_pc(p);
	gyve_backend_kvm.settle(p->v);
	if (probe_pc(p) == at)
		probe_say(p, GYVE_PROBE_LIMITED, "a step ends here by itself", "rip is behind the OUT already");
	else
		probe_say(p, GYVE_PROBE_WORKS, "", "rip is at the OUT until the next entry");
}

static void vector_instructions(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (probe_run(p, KVM_PROBE_SIMD, &none, &e) == GYVE_EXIT_HLT)
		probe_say(p, GYVE_PROBE_WORKS, "", "run by the processor");
	else if (e.kind == GYVE_EXIT_EMULATION)
		probe_say(p, GYVE_PROBE_LIMITED, "the instruction assist carries them out",
			  "ring 0 is emulated, XORPS is not known");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "", "unexpected exit %d", (int)e.kind);
}

static void sync_regs(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;
	struct kvm_regs r = {0};

	probe_run(p, KVM_PROBE_END, &none, &e);
	if (!p->vm->host->sync_regs)
		probe_say(p, GYVE_PROBE_ABSENT, "registers cost an ioctl", "no KVM_CAP_SYNC_REGS");
	else if (kvm_ioctl(p->v->fd, KVM_GET_REGS, &r) < 0 || memcmp(&r, &p->v->run->s.regs.regs, sizeof(r)) != 0)
		probe_say(p, GYVE_PROBE_LIMITED, "", "they are not the vCPU's");
	else
		probe_say(p, GYVE_PROBE_WORKS, "", "general registers come with each exit");
}

static void xsave_size(struct probe *p)
{
	const struct kvm_host_vm *h = p->vm->host;

	probe_say(p, h->xsave_used <= GYVE_XSAVE_MAX ? GYVE_PROBE_WORKS : GYVE_PROBE_LIMITED, "",
		  "%zu bytes from KVM, %u of them used by the guest's features", h->xsave_size, h->xsave_used);
}

const struct probe_row kvm_host_probe_rows[] = {
	{"stops in user mode", user_mode},
	{"interrupts held in steps", interrupts_held},
	{"port exit", port_exit},
	{"vector instructions", vector_instructions},
	{"registers with exits", sync_regs},
	{"extended state", xsave_size},
};
const size_t kvm_host_probe_nrows = GYVE_ARRAY_SIZE(kvm_host_probe_rows);
