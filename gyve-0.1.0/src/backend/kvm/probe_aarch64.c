/* The probe's guest for aarch64, and what only this architecture has: EL1 without translation, a few instructions per question,
 * each with a store to where nothing is at the end. */
#include "probe.h"

#include "../../base/bytes.h"

enum { CODE = 0x4000, VECTORS = 0x2000, STACK = 0x5f00 };
enum { SAME_EL_SP = 0x200 }; /* Arm ARM D1.3: vector of a synchronous exception from here */
enum { END = 0x39000060 };   /* strb w0, [x3] */

const unsigned kvm_host_probe_insn = 4;

/* x1: KVM_PROBE_DATA, x2: KVM_PROBE_RO, x3: KVM_PROBE_ABSENT, w0: 1 */
static const struct {
	enum kvm_probe_what what;
	uint16_t at;
	uint32_t code[9];
} snippets[] = {
	{KVM_PROBE_SW_BP, CODE, {0xd4200000, END}},
	{KVM_PROBE_WATCH, CODE + 0x40, {0x39000020, END}},    /* strb w0, [x1] */
	{KVM_PROBE_READ, CODE + 0x80, {0x39400024, END}},     /* ldrb w4, [x1] */
	{KVM_PROBE_RO_WRITE, CODE + 0xc0, {0x39000040, END}}, /* strb w0, [x2] */
	{KVM_PROBE_RO_READ, CODE + 0x100, {0x39400044, END}}, /* ldrb w4, [x2] */
	{KVM_PROBE_SIMD, CODE + 0x140, {0x6f00e400, END}},    /* movi v0.2d, #0 */
	{KVM_PROBE_PAIR, CODE + 0x180, {0xa9401444, END}},    /* ldp x4, x5, [x2] */
	{KVM_PROBE_NOPS,
	 CODE + 0x1c0,
	 {0xd503201f, 0xd503201f, 0xd503201f, 0xd503201f, 0xd503201f, 0xd503201f, 0xd503201f, 0xd503201f, END}},
	{KVM_PROBE_END, CODE + 0x200, {END}},
};

void kvm_host_probe_load(uint8_t *mem)
{
	for (unsigned v = 0; v < 0x800; v += 0x80)
		put_le32(mem + VECTORS + v, END);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(snippets); i++)
		for (size_t k = 0; k < GYVE_ARRAY_SIZE(snippets[i].code); k++)
			put_le32(mem + snippets[i].at + 4 * k, snippets[i].code[k]);
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
	int res = kvm_host_get_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r);

	if (res < 0)
		return res;
	r.a64.x[0] = 1;
	r.a64.x[1] = KVM_PROBE_DATA;
	r.a64.x[2] = KVM_PROBE_RO;
	r.a64.x[3] = KVM_PROBE_ABSENT;
	r.a64.pstate = 0x3c5; /* EL1 with its own stack pointer, everything masked */
	r.a64.sp = r.a64.sp_el1 = STACK;
	r.a64.vbar_el1 = VECTORS;
	r.a64.cpacr_el1 = 3 << 20;
	r.a64.pc = kvm_host_probe_code(what);
	return kvm_host_set_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r);
}

bool kvm_host_probe_ended(const struct gyve_exit *e)
{
	return e->kind == GYVE_EXIT_MMIO && e->mmio.gpa == KVM_PROBE_ABSENT;
}

bool kvm_host_probe_handled(struct gyve_bvcpu *v, const uint8_t *mem, uint64_t from)
{
	struct gyve_regs r = {0};
	enum { EC_BRK = 0x3c };

	(void)mem;
	return kvm_host_get_regs(v, GYVE_REGS_GPR | GYVE_REGS_SYS, &r) == 0 && r.a64.pc == VECTORS + SAME_EL_SP &&
	       r.a64.elr_el1 == from && r.a64.esr_el1 >> 26 == EC_BRK;
}

static void read_watchpoint(struct probe *p)
{
	struct gyve_debug d = {0};
	struct gyve_exit e;

	d.hw[0].type = GYVE_HW_READ;
	d.hw[0].addr = KVM_PROBE_DATA;
	d.hw[0].len = 1;
	probe_run(p, KVM_PROBE_READ, &d, &e);
	if (!probe_is_debug(&e, GYVE_DBG_WATCH)) {
		probe_say(p, GYVE_PROBE_ABSENT, "access watchpoints stand in", "a read does not fire it");
		return;
	}
	probe_again(p);
	probe_run(p, KVM_PROBE_WATCH, &d, &e);
	if (kvm_host_probe_ended(&e))
		probe_say(p, GYVE_PROBE_WORKS, "", "a read fires it, a write does not");
	else
		probe_say(p, GYVE_PROBE_LIMITED, "", "a write fires it, too");
}

static void interrupts_held(struct probe *p)
{
	probe_say(p, GYVE_PROBE_WORKS, "the step borrows PSTATE's mask bits", "nothing needed from KVM");
}

static void undescribed_access(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	if (probe_run(p, KVM_PROBE_PAIR, &none, &e) == GYVE_EXIT_EMULATION)
		probe_say(p, GYVE_PROBE_WORKS, "stepped over where it is a watched page's", "LDP leaves without its operands");
	else
		probe_say(p, GYVE_PROBE_ABSENT, "", "LDP where no memory is does not leave as such (exit %d)", (int)e.kind);
}

static void vector_instructions(struct probe *p)
{
	struct gyve_debug none = {0};
	struct gyve_exit e;

	probe_run(p, KVM_PROBE_SIMD, &none, &e);
	if (kvm_host_probe_ended(&e) && probe_pc(p) < VECTORS + 0x800)
		probe_say(p, GYVE_PROBE_ABSENT, "", "they trap");
	else
		probe_say(p, kvm_host_probe_ended(&e) ? GYVE_PROBE_WORKS : GYVE_PROBE_ABSENT, "", "%s",
			  kvm_host_probe_ended(&e) ? "run by the processor" : "they do not work");
}

static void capability(struct probe *p, int cap, const char *strategy, const char *name)
{
	int n = kvm_check(p->vm, cap);

	probe_say(p, n ? GYVE_PROBE_WORKS : GYVE_PROBE_ABSENT, n ? "" : strategy, "%s%s", n ? "" : "no ", name);
}

static void pointer_authentication(struct probe *p)
{
	capability(p, KVM_CAP_ARM_PTRAUTH_ADDRESS, "guests see a processor without it", "KVM_CAP_ARM_PTRAUTH_ADDRESS");
}

static void memory_size(struct probe *p)
{
	capability(p, KVM_CAP_ARM_VM_IPA_SIZE, "40 address bits", "KVM_CAP_ARM_VM_IPA_SIZE");
}

const struct probe_row kvm_host_probe_rows[] = {
	{"read watchpoint", read_watchpoint},
	{"interrupts held in steps", interrupts_held},
	{"undescribed access", undescribed_access},
	{"vector instructions", vector_instructions},
	{"pointer authentication", pointer_authentication},
	{"address size by choice", memory_size},
};
const size_t kvm_host_probe_nrows = GYVE_ARRAY_SIZE(kvm_host_probe_rows);
