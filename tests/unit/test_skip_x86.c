/* Instructions carried out at points (src/vmm/skip_x86.c) beside the same ones in a step on the real /dev/kvm. */
#include "kvm_guest.h"

#include "../../src/vmm/skip.h"

#include <inttypes.h>
#include <string.h>

enum { ROUNDS = 12, STATUS = 0x8d5, TF = 0x100, RF = 0x10000, FS_BASE = 0x40, NOP = 0x90 };

/* Each with its length before it and its text behind it. RBX, RBP, RSP lead to memory, RCX is small. */
#define I(text) ".byte 772f - 771f\n771: " text "\n772: .asciz \"" text "\"\n"
extern const uint8_t insns[], refused[];
__asm__(".pushsection .rodata\n.intel_syntax noprefix\ninsns:\n" /* as compilers begin functions */
	I("push rbp") I("mov rbp, rsp") I("sub rsp, 0x10") I("sub rsp, 0x1000") I("endbr64") I("nop") I("push r12")
		I("push rsp") I("mov [rbp-4], edi") I("mov [rbp-0x18], rdi") I("cmp dword ptr [rbp-4], 1")
			I("lea rax, [rip+0x20]") I("push 5") I("push 0x12345") I("pop rax") I("pop r15") I("pop rsp") I("leave")
				I("ret") I("call .+0x45") I("jmp .+0x10") I("jmp .+0x200") I("call [rbx]") I("jmp [rbx]")
					I("call rax") I("jmp rcx") I("push qword ptr [rbx+8]") I("data16 nop")
						I("nop dword ptr [rax+rax]") I("nop word ptr [rax+rax]")
	/* arithmetic: all sizes, all forms */
	I("add eax, edx") I("add rax, rdx") I("add ax, dx") I("add al, dl") I("add ah, bl") I("add sil, r9b") I(
		"or rax, rsi") I("adc rax, rdx") I("adc eax, 0x7fffffff") I("adc al, 0xff") I("sbb rax, rdx") I("sbb edi, esi")
		I("and eax, 0xf0f0") I("and rax, rdx") I("sub rax, rdx") I("sub ax, 0x1234") I("sub al, 1") I("xor eax, eax") I(
			"xor rdx, r8") I("cmp rax, rdx") I("cmp eax, -1") I("cmp al, ah") I("cmp r8w, r9w") I("add [rbx], rax")
			I("add dword ptr [rbx+4], 7") I("sub [rbx+2], ax") I("and byte ptr [rbx+rcx], 0xf")
				I("xor al, [rbx+rcx]") I("or dword ptr [rbx+rcx*8+0x10], 0x1000") I("add r12, [rbx]") I(
					"adc [rbx], rdx") I("sbb byte ptr [rbx], 3") I("cmp [rbx], r10")
					I("cmp word ptr [rbx], 0x8000") I("test eax, eax") I("test rdx, rsi") I("test al, 0x80")
						I("test eax, 0x80000000") I("test byte ptr [rbx], 1") I("test [rbx], rax")
							I("test dword ptr [rbx], 0x10000") I("test rdi, 0x7fff") I("inc eax")
								I("inc qword ptr [rbx]") I("dec rdx") I("dec cl")
									I("dec word ptr [rbx]") I("neg rax") I("neg dl")
										I("neg dword ptr [rbx]") I("not rsi")
											I("not byte ptr [rbx]")
	/* moves */
	I("mov rax, rdx") I("mov eax, esi") I("mov ax, si") I("mov al, dh") I("mov r9b, sil") I("mov rax, [rbx]") I(
		"mov [rbx], rdx") I("mov [rbx+rcx*4], eax") I("mov [rbx], dh") I("mov dx, [rbx+rcx*2+1]")
		I("mov eax, [rip+0x20]") I("mov [rip+0x100], rdi") I("mov dword ptr [rip+0x100], 0x1234") I(
			"mov rax, fs:[0x6010]") I("mov eax, gs:[rbx]") I("mov eax, 0x80000001")
			I("movabs rax, 0x123456789abcdef0") I("mov rax, -2") I("mov r10w, 0x55aa") I("mov dh, 9") I(
				"mov r13b, 7") I("mov byte ptr [rbx], 0xaa") I("mov word ptr [rbx], 0xaabb")
				I("mov qword ptr [rbx], -3") I("mov rax, [rsp]") I("mov rax, [rsp+rcx*8]") I("mov rax, [rbp+0]")
					I("mov r8, [r11]") I("mov [r11+0x80], r8d") I("mov eax, [0x6020]")
						I("lea rax, [rbx+rcx*8-5]") I("lea eax, [rdx+rdx]") I("lea cx, [rsi]") I(
							"lea rsp, [rsp-0x20]") I("movzx eax, dl") I("movzx eax, byte ptr [rbx]")
							I("movzx rdx, word ptr [rbx]") I("movsx eax, dh")
								I("movsx rdx, word ptr [rbx]") I("movsx ax, byte ptr [rbx]")
									I("movsxd rax, edx") I("movsxd rdx, dword ptr [rbx+4]")
										I("cbw") I("cwde") I("cdqe")
	/* conditions: each flag both ways comes up in some round */
	I("cmovo rax, rdx") I("cmovb eax, edx") I("cmovz ax, dx") I("cmovbe rax, [rbx]") I("cmovs rax, rdx") I(
		"cmovp rax, rdx") I("cmovl rax, rdx") I("cmovle rax, rdx") I("cmovno eax, edx") I("cmovg eax, edx") I("seto al")
		I("setae dh") I("setz byte ptr [rbx]") I("setge sil") I("jo .+0x20") I("jb .+0x20") I(
			"jz .+0x20") I("jbe .+0x20") I("js .-0x20") I("jp .+0x20") I("jl .+0x20") I("jle .+0x20")
			I("jno .+0x200") I("jae .+0x200") I("jne .+0x200") I("ja .+0x200") I("jns .-0x200") I("jnp .+0x200") I(
				"jge .+0x200") I("jg .+0x200") ".byte 0\nrefused:\n" I("syscall") I("hlt") I("int3")
				I("lock inc dword ptr [rbx]") I("xchg rax, rdx") I("xchg [rbx], rax") I("rep movsb") I("pause")
					I("sti") I("cli") I("pushf") I("popf") I("mov ss, ax") I("mov rax, cr3") I(
						"in al, 0x10") I("out 0x10, al") I("imul rax, rdx") I("shl rax, 3")
						I("addps xmm0, xmm1") I("ud2") I("iretq") I("div rdx") I("data16 ret") I(
							".byte 0x67; mov eax, [eax]") I("mov rax, [0x7fff0000]")
							I("xchg r8, rax") I(".byte 0x48") I(".byte 0x66") I(".byte 0x0f")
								I(".byte 0x8d, 0xc0") I(".byte 0xc7, 0xc8, 0, 0, 0, 0")
									I("jmp [0x6000]") ".byte 0\n.att_syntax\n.popsection");

static uint8_t copy[RAM];

static void *place(void *ctx, gyve_gva_t gva, unsigned len, bool write)
{
	(void)write;
	return gva >= DATA && gva + len <= RAM ? (uint8_t *)ctx + gva : NULL;
}

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

/* Numbers at the edges as often as any. */
static uint64_t some_value(void)
{
	static const uint64_t edges[] = {0,      1,          0x7f,       0x80,       0xff,      0x7fff,
					 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, UINT64_MAX};
	uint64_t r = next_random();

	return r & 1 ? next_random() : edges[(r >> 8) % GYVE_ARRAY_SIZE(edges)];
}

static void make_state(struct gyve_x86_regs *r, const uint8_t *insn, size_t len)
{
	uint64_t target = CODE + 0x400;

	for (unsigned n = 0; n < 16; n++)
		r->gpr[n] = some_value();
	for (unsigned at = DATA; at < RAM; at += 8) {
		uint64_t v = some_value();
		memcpy(t.ram + at, &v, 8);
	}
	r->gpr[1] = DATA + 0x200; /* RBX */
	r->gpr[2] = next_random() % 64;
	r->gpr[GYVE_RBP] = DATA + 0x400 + 8 * (next_random() % 8);
	r->gpr[GYVE_RSP] = STACK - 0x800 - 8 * (next_random() % 8);
	r->gpr[11] = DATA + 0x600;
	r->rip = CODE + 0x300;
	r->rflags = 2 | (next_random() & STATUS);
	/* where indirect branches lead to */
	memcpy(t.ram + r->gpr[GYVE_RSP], &target, 8);
	memcpy(t.ram + r->gpr[1], &target, 8);
	if (len == 2 && insn[0] == 0xff)
		r->gpr[0] = r->gpr[2] = target;
	memset(t.ram + r->rip, NOP, 32);
	memcpy(t.ram + r->rip, insn, len);
}

/* False: this host's KVM cannot carry it out. */
static bool step(struct gyve_x86_regs *ret, const char *text)
{
	struct gyve_exit e;

	for (int i = 0; i < 20; i++) {
		e = guest_run(0);
		if (e.kind == GYVE_EXIT_EMULATION)
			return false;
		if (e.kind != GYVE_EXIT_DEBUG)
			fail_msg("%s: exit %d at 0x%" PRIx64 " after %d", text, e.kind, guest_regs(GYVE_REGS_GPR)->rip, i);
		*ret = *guest_regs(GYVE_REGS_GPR);
		if (ret->rip != CODE + 0x300) /* emulated VMX sometimes ends a step before its instruction */
			break;
	}
	return true;
}

static void compare(const uint8_t *insn, size_t len, const char *text, unsigned *left_out)
{
	static struct gyve_regs all;
	static struct gyve_x86_regs mine, real;
	struct skip_env env = {.ptr = place, .ctx = copy};

	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_GPR | GYVE_REGS_SYS, &all), 0);
	make_state(&all.x86, insn, len);
	memcpy(copy, t.ram, RAM);
	mine = all.x86;
	if (!skip_x86(&mine, insn, len, &env))
		fail_msg("refused: %s", text);
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_GPR, &all), 0);
	assert_int_equal(kvm->set_debug(t.cpu[0], &(struct gyve_debug){.step = true, .block_irq = true}), 0);
	if (!step(&real, text)) {
		++*left_out;
		return;
	}
	for (unsigned n = 0; n < 16; n++)
		if (mine.gpr[n] != real.gpr[n])
			fail_msg("%s: register %u is 0x%" PRIx64 ", not 0x%" PRIx64, text, n, mine.gpr[n], real.gpr[n]);
	if (real.rip == mine.rip + 1 && copy[mine.rip] == NOP) /* some steps over ENDBR64 end one instruction late */
		++*left_out;
	else if (mine.rip != real.rip)
		fail_msg("%s: rip is 0x%" PRIx64 ", not 0x%" PRIx64, text, mine.rip, real.rip);
	if ((mine.rflags ^ real.rflags) & ~(uint64_t)(TF | RF))
		fail_msg("%s: rflags are 0x%" PRIx64 ", not 0x%" PRIx64, text, mine.rflags, real.rflags);
	for (unsigned at = DATA; at < RAM; at++)
		if (copy[at] != t.ram[at])
			fail_msg("%s: the byte at 0x%x is %02x, not %02x", text, at, copy[at], t.ram[at]);
}

static void test_as_stepped(void **state)
{
	static struct gyve_regs all;
	unsigned left_out = 0, n = 0;

	(void)state;
	guest_need();
	guest_load(insns, insns + 1);
	guest_enter(0);
	assert_int_equal(kvm->get_regs(t.cpu[0], GYVE_REGS_SYS, &all), 0);
	all.x86.seg[GYVE_FS].base = FS_BASE;
	all.x86.seg[GYVE_GS].base = FS_BASE;
	assert_int_equal(kvm->set_regs(t.cpu[0], GYVE_REGS_SYS, &all), 0);
	for (const uint8_t *p = insns; *p; p += strlen((const char *)p + 1 + *p) + 2 + *p)
		for (unsigned k = 0; k < ROUNDS; k++, n++)
			compare(p + 1, *p, (const char *)p + 1 + *p, &left_out);
	print_message("%u instructions, %u of them not by this host's KVM\n", n, left_out);
	assert_true(left_out < n / 8);
}

/* Refused, and nothing has changed. Also where the bytes end too early. */
static void test_refused(void **state)
{
	static struct gyve_x86_regs r, before;
	static uint8_t ram[RAM];
	struct skip_env env = {.ptr = place, .ctx = copy};

	(void)state;
	for (const uint8_t *p = refused; *p; p += strlen((const char *)p + 1 + *p) + 2 + *p) {
		memset(&r, 0, sizeof(r));
		r.gpr[GYVE_RSP] = STACK;
		r.gpr[1] = DATA;
		r.rip = CODE;
		before = r;
		memset(copy, 0xa5, RAM); /* also no address to jump to */
		memcpy(ram, copy, RAM);
		if (skip_x86(&r, p + 1, *p, &env))
			fail_msg("carried out: %s", p + 1 + *p);
		assert_memory_equal(&r, &before, sizeof(r));
		assert_memory_equal(copy, ram, RAM);
	}
	for (const uint8_t *p = insns; *p; p += strlen((const char *)p + 1 + *p) + 2 + *p) {
		if (skip_x86(&r, p + 1, *p - 1u, &env))
			fail_msg("carried out without its last byte: %s", p + 1 + *p);
	}
}

/* Where memory cannot be had nothing changes. */
static void *nowhere(void *ctx, gyve_gva_t gva, unsigned len, bool write)
{
	(void)ctx, (void)gva, (void)len, (void)write;
	return NULL;
}

static void test_no_memory(void **state)
{
	static struct gyve_x86_regs r, before;
	struct skip_env env = {.ptr = nowhere};

	(void)state;
	for (const uint8_t *p = insns; *p; p += strlen((const char *)p + 1 + *p) + 2 + *p) {
		for (unsigned n = 0; n < 16; n++)
			r.gpr[n] = some_value();
		r.rip = CODE;
		before = r;
		if (!skip_x86(&r, p + 1, *p, &env))
			assert_memory_equal(&r, &before, sizeof(r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_stepped, guest_open, guest_close),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
