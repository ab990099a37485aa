/* The same instruction on this host: its memory operand becomes a buffer of ours, the guest's registers are loaded around it.
 */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "assist_priv.h"

enum { CODE_SIZE = 4096, SCRATCH = 1024, ARITH_FLAGS = 0x8d5 };

/* What enter() works on; offsets are used by the assembly below. */
struct frame {
	uint64_t gpr[16]; /* gyve's order */
	uint64_t rflags;  /* 128 */
	void *code;       /* 136 */
	void *xsave;      /* 144: the guest's area, 64-byte aligned */
	uint64_t mask;    /* 152: components */
};
_Static_assert(offsetof(struct frame, rflags) == 128 && offsetof(struct frame, code) == 136 &&
		       offsetof(struct frame, xsave) == 144 && offsetof(struct frame, mask) == 152,
	       "the assembly knows these");

/* Load the guest's state, call the code, store the state. The stack pointer stays ours; 0(%rsp) is the frame. */
void assist_enter(struct frame *f);
__asm__(".text\n"
	".type assist_enter, @function\n"
	"assist_enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	sub $40, %rsp\n"
	"	mov %rdi, (%rsp)\n"
	"	mov 136(%rdi), %rax\n"
	"	mov %rax, 8(%rsp)\n" /* code */
	"	stmxcsr 24(%rsp)\n"
	"	fnstcw 28(%rsp)\n"
	"	mov 152(%rdi), %eax\n"
	"	mov 156(%rdi), %edx\n"
	"	mov 144(%rdi), %rcx\n"
	"	xrstor64 (%rcx)\n"
	"	push 128(%rdi)\n"
	"	popfq\n"
	"	mov 0(%rdi), %rax; mov 8(%rdi), %rbx; mov 16(%rdi), %rcx; mov 24(%rdi), %rdx; mov 32(%rdi), %rsi\n"
	"	mov 48(%rdi), %rbp; mov 64(%rdi), %r8; mov 72(%rdi), %r9; mov 80(%rdi), %r10; mov 88(%rdi), %r11\n"
	"	mov 96(%rdi), %r12; mov 104(%rdi), %r13; mov 112(%rdi), %r14; mov 120(%rdi), %r15; mov 40(%rdi), %rdi\n"
	"	call *8(%rsp)\n"
	"	mov %rdi, 16(%rsp)\n"
	"	mov (%rsp), %rdi\n"
	"	mov %rax, 0(%rdi); mov %rbx, 8(%rdi); mov %rcx, 16(%rdi); mov %rdx, 24(%rdi); mov %rsi, 32(%rdi)\n"
	"	mov %rbp, 48(%rdi); mov %r8, 64(%rdi); mov %r9, 72(%rdi); mov %r10, 80(%rdi); mov %r11, 88(%rdi)\n"
	"	mov %r12, 96(%rdi); mov %r13, 104(%rdi); mov %r14, 112(%rdi); mov %r15, 120(%rdi)\n"
	"	pushfq\n"
	"	pop 128(%rdi)\n"
	"	mov 16(%rsp), %rax\n"
	"	mov %rax, 40(%rdi)\n"
	"	mov 152(%rdi), %eax\n"
	"	mov 156(%rdi), %edx\n"
	"	mov 144(%rdi), %rcx\n"
	"	xsave64 (%rcx)\n"
	"	testl $4, 152(%rdi)\n"
	"	jz 1f\n"
	"	vzeroupper\n"
	"1:	fninit\n"
	"	fldcw 28(%rsp)\n"
	"	ldmxcsr 24(%rsp)\n"
	"	cld\n"
	"	add $40, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".size assist_enter, . - assist_enter\n");

/* --- a page of code per thread, written through one mapping and executed through another */

struct code_page {
	uint8_t *write, *exec;
};

static pthread_key_t page_key;
static pthread_once_t page_once = PTHREAD_ONCE_INIT;

static void free_page(void *p)
{
	struct code_page *page = p;

	munmap(page->write, CODE_SIZE);
	munmap(page->exec, CODE_SIZE);
	free(page);
}

static void make_key(void)
{
	pthread_key_create(&page_key, free_page);
}

static struct code_page *map_page(void)
{
	struct code_page *page = calloc(1, sizeof(*page));
	int fd = memfd_create("gyve-assist", MFD_CLOEXEC);

	if (page && fd >= 0 && ftruncate(fd, CODE_SIZE) == 0) {
		page->write = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		page->exec = mmap(NULL, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
		close(fd);
		if (page->write != MAP_FAILED && page->exec != MAP_FAILED)
			return page;
		if (page->write != MAP_FAILED)
			munmap(page->write, CODE_SIZE);
		if (page->exec != MAP_FAILED)
			munmap(page->exec, CODE_SIZE);
	} else if (fd >= 0) {
		close(fd);
	}
	free(page);
	return NULL;
}

static struct code_page *code_page(void)
{
	pthread_once(&page_once, make_key);
	struct code_page *page = pthread_getspecific(page_key);

	if (!page && (page = map_page()))
		pthread_setspecific(page_key, page);
	return page;
}

/* --- encoding */

static const ZydisRegister base_regs[] = {ZYDIS_REGISTER_RSI, ZYDIS_REGISTER_RDI, ZYDIS_REGISTER_RBX,
					  ZYDIS_REGISTER_RCX, ZYDIS_REGISTER_RDX, ZYDIS_REGISTER_RAX};

/* A register the instruction does not name, to point at the buffer. All are encodable without REX, which AH..BH forbid. */
static ZydisRegister free_register(const struct assist *a)
{
	unsigned used = 0;

	for (unsigned i = 0; i < a->insn.operand_count; i++)
		if (a->ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER && assist_gpr(a->ops[i].reg.value) >= 0)
			used |= 1u << assist_gpr(a->ops[i].reg.value);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(base_regs); i++)
		if (!(used & 1u << assist_gpr(base_regs[i])))
			return base_regs[i];
	return ZYDIS_REGISTER_NONE;
}

/* Write "instruction; ret" to the page. base: the register that replaces the memory operand's address. */
static bool encode(const struct assist *a, const struct code_page *page, ZydisRegister base)
{
	ZydisEncoderRequest req;
	ZyanUSize len = 15;

	if (!ZYAN_SUCCESS(
		    ZydisEncoderDecodedInstructionToEncoderRequest(&a->insn, a->ops, a->insn.operand_count_visible, &req)))
		return false;
	req.machine_mode = ZYDIS_MACHINE_MODE_LONG_64;
	req.address_size_hint = ZYDIS_ADDRESS_SIZE_HINT_NONE;
	req.prefixes &= ~(ZyanU64)ZYDIS_ATTRIB_HAS_SEGMENT;
	for (unsigned i = 0; i < req.operand_count; i++) {
		if (req.operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		req.operands[i].mem.base = base;
		req.operands[i].mem.index = ZYDIS_REGISTER_NONE;
		req.operands[i].mem.scale = 0;
		req.operands[i].mem.displacement = 0;
	}
	if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&req, page->write, &len)))
		return false;
	page->write[len] = 0xc3;
	/* Trust, and look: what is executed has to be what was allowed. */
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction d;
	ZydisDecoder decoder;
	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, page->write, len, &d, ops)) || d.length != len ||
	    d.mnemonic != a->insn.mnemonic)
		return false;
	for (unsigned i = 0; i < d.operand_count; i++)
		if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (ops[i].mem.base != base || ops[i].mem.index != ZYDIS_REGISTER_NONE || ops[i].mem.disp.value != 0 ||
		     ops[i].mem.segment == ZYDIS_REGISTER_FS || ops[i].mem.segment == ZYDIS_REGISTER_GS))
			return false;
	return true;
}

/* --- operands */

/* SDM vol. 2A 2.4: classes 1 always want alignment, 2 and 4 in their legacy forms, except what is made to be unaligned. */
static bool wants_alignment(const struct assist *a, uint32_t len)
{
	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_MOVUPS:
	case ZYDIS_MNEMONIC_MOVUPD:
	case ZYDIS_MNEMONIC_MOVDQU:
	case ZYDIS_MNEMONIC_LDDQU:
	case ZYDIS_MNEMONIC_PCMPESTRI:
	case ZYDIS_MNEMONIC_PCMPESTRM:
	case ZYDIS_MNEMONIC_PCMPISTRI:
	case ZYDIS_MNEMONIC_PCMPISTRM:
		return false;
	case ZYDIS_MNEMONIC_CMPXCHG16B:
		return true;
	default:
		break;
	}
	switch (a->insn.meta.exception_class) {
	case ZYDIS_EXCEPTION_CLASS_SSE1:
	case ZYDIS_EXCEPTION_CLASS_AVX1:
	case ZYDIS_EXCEPTION_CLASS_E1:
	case ZYDIS_EXCEPTION_CLASS_E1NF:
		return true;
	case ZYDIS_EXCEPTION_CLASS_SSE2:
	case ZYDIS_EXCEPTION_CLASS_SSE4:
		return len == 16;
	default:
		return false;
	}
}

struct memory {
	const ZydisDecodedOperand *op;
	gyve_gva_t gva;
	uint32_t len;
	uint8_t *scratch;
};

static bool load_operand(struct assist *a, struct memory *m, enum gyve_assist_result *ret)
{
	gyve_gva_t bad;
	/* bytes that a masked store leaves alone have to be there to be left alone */
	bool masked = a->insn.avx.mask.mode > ZYDIS_MASK_MODE_DISABLED;
	bool read = m->op->actions & (ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE) || masked;

	if (wants_alignment(a, m->len) && m->gva % m->len) {
		*ret = assist_fault(a, VEC_GP, true, 0);
		return false;
	}
	if (read && a->mem->read(a->mem->ctx, m->gva, m->scratch, m->len, &bad) < 0) {
		*ret = assist_page_fault(a, bad, false);
		return false;
	}
	return true;
}

/* --- floating-point state */

static void load_state(const struct gyve_x86_regs *r, uint8_t *area, uint64_t mask)
{
	uint64_t bv;
	uint32_t mxcsr;

	memcpy(area, r->xsave, sizeof(r->xsave));
	memcpy(&bv, area + XS_BV, 8);
	/* MXCSR counts even where the SSE state is said to be initial */
	memcpy(&mxcsr, area + XS_MXCSR, 4);
	bv &= mask;
	mxcsr = (mxcsr & 0xffc0) | 0x1f80; /* exceptions are noted, not taken: the guest's masks are looked at afterwards */
	memcpy(area + XS_BV, &bv, 8);
	memset(area + XS_COMP, 0, XS_HEADER_END - XS_COMP);
	memcpy(area + XS_MXCSR, &mxcsr, 4);
}

/* Exceptions this instruction raised that the guest has not masked. */
static bool raised_unmasked(const struct gyve_x86_regs *r, uint8_t *area)
{
	uint32_t guest, now;

	memcpy(&guest, r->xsave + XS_MXCSR, 4);
	memcpy(&now, area + XS_MXCSR, 4);
	uint32_t flags = now & 0x3f, masks = guest >> 7 & 0x3f;
	now = guest | flags;
	memcpy(area + XS_MXCSR, &now, 4);
	return flags & ~masks;
}

static bool is_waiting(const struct assist *a)
{
	switch (a->insn.mnemonic) {
	case ZYDIS_MNEMONIC_FNINIT:
	case ZYDIS_MNEMONIC_FNSTSW:
	case ZYDIS_MNEMONIC_FNSTCW:
	case ZYDIS_MNEMONIC_FNCLEX:
	case ZYDIS_MNEMONIC_FNSTENV:
	case ZYDIS_MNEMONIC_FNSAVE:
		return false;
	default:
		return true;
	}
}

enum gyve_assist_result assist_native(struct assist *a)
{
	_Alignas(64) uint8_t area[GYVE_XSAVE_MAX], scratch[SCRATCH];
	struct memory m = {.op = assist_mem_operand(a), .scratch = scratch};
	struct code_page *page = code_page();
	ZydisRegister base = ZYDIS_REGISTER_NONE;
	enum gyve_assist_result res;
	gyve_gva_t bad;

	if (!page)
		return assist_unsupported(a, "no executable page can be had");
	if (assist_is_x87(a) && is_waiting(a) && a->r->xsave[XS_FSW] & 0x80)
		return assist_fault(a, VEC_MF, false, 0);
	if (m.op) {
		m.gva = assist_address(a->r, &a->insn, m.op);
		m.len = m.op->size / 8;
		base = free_register(a);
		if (!m.len || m.len > SCRATCH / 2 || base == ZYDIS_REGISTER_NONE)
			return assist_unsupported(a, "its memory operand has an odd size");
		memset(scratch, 0, sizeof(scratch));
		if (!load_operand(a, &m, &res))
			return res;
	}
	if (!encode(a, page, base))
		return assist_unsupported(a, "it cannot be encoded with another address");
	struct frame f = {.rflags = (a->r->rflags & ARITH_FLAGS) | 2,
			  .code = page->exec,
			  .xsave = area,
			  .mask = (a->r->xcr0 | XC_X87 | XC_SSE) & assist_host_xcr0()};
	memcpy(f.gpr, a->r->gpr, sizeof(f.gpr));
	if (m.op)
		f.gpr[assist_gpr(base)] = (uintptr_t)scratch;
	load_state(a->r, area, f.mask);
	assist_enter(&f);
	if (raised_unmasked(a->r, area))
		return assist_fault(a, a->r->cr4 & 1u << 10 ? VEC_XM : VEC_UD, false, 0);
	if (m.op && m.op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE &&
	    a->mem->write(a->mem->ctx, m.gva, scratch, m.len, &bad) < 0)
		return assist_page_fault(a, bad, true);
	if (m.op)
		f.gpr[assist_gpr(base)] = a->r->gpr[assist_gpr(base)];
	f.gpr[GYVE_RSP] = a->r->gpr[GYVE_RSP];
	memcpy(a->r->gpr, f.gpr, sizeof(f.gpr));
	a->r->rflags = (a->r->rflags & ~(uint64_t)ARITH_FLAGS) | (f.rflags & ARITH_FLAGS);
	memcpy(a->r->xsave, area, sizeof(area));
	return assist_done(a, GYVE_REGS_FP);
}
