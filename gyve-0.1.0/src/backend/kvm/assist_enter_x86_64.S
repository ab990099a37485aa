/* Run one instruction of a guest on the guest's own registers, and come back.
 *
 * void gyve_assist_enter(struct assist_frame *f): loads the guest's vector and x87 state, its general registers except RSP, its
 * arithmetic flags, and goes to f->code. What lies there is the instruction followed by a stub (assist_exec.c) that puts RAX
 * aside, loads RAX with f and jumps to gyve_assist_exit. RSP is the host's all the time, so a signal finds a good stack.
 *
 * IRETQ does three things at once: it goes there, loads the flags without another register, and serializes, as it must after code
 * was written through another mapping (Intel SDM vol. 3, 9.1.3). */
#define GPR(i) (8 * (i))
#define RFLAGS 128
#define HOST_RSP 136
#define COMPONENTS 144
#define HOST_MXCSR 152
#define HOST_FCW 156
#define HAS_AVX 160
#define CODE 168
#define XSAVE_AREA 192
#define ARITH 0x8d5
#define TF_NT 0x4100

	.text
	.globl gyve_assist_enter
	.hidden gyve_assist_enter
	.type gyve_assist_enter, @function
gyve_assist_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, HOST_RSP(%rdi)
	stmxcsr HOST_MXCSR(%rdi)
	fnstcw HOST_FCW(%rdi)
	mov COMPONENTS(%rdi), %eax
	mov COMPONENTS+4(%rdi), %edx
	xrstor64 XSAVE_AREA(%rdi)

	/* IRETQ's frame: SS, RSP, RFLAGS, CS, RIP */
	pushfq
	pop %rax
	and $~(ARITH | TF_NT), %rax
	or RFLAGS(%rdi), %rax
	mov %ss, %ecx
	push %rcx
	push HOST_RSP(%rdi)
	push %rax
	mov %cs, %ecx
	push %rcx
	push CODE(%rdi)

	mov GPR(0)(%rdi), %rax
	mov GPR(1)(%rdi), %rbx
	mov GPR(2)(%rdi), %rcx
	mov GPR(3)(%rdi), %rdx
	mov GPR(4)(%rdi), %rsi
	mov GPR(6)(%rdi), %rbp
	mov GPR(8)(%rdi), %r8
	mov GPR(9)(%rdi), %r9
	mov GPR(10)(%rdi), %r10
	mov GPR(11)(%rdi), %r11
	mov GPR(12)(%rdi), %r12
	mov GPR(13)(%rdi), %r13
	mov GPR(14)(%rdi), %r14
	mov GPR(15)(%rdi), %r15
	mov GPR(5)(%rdi), %rdi
	iretq
	.size gyve_assist_enter, . - gyve_assist_enter

	/* RAX: the frame; its own value was put aside. MOV leaves the flags alone until PUSHFQ has them. */
	.globl gyve_assist_exit
	.hidden gyve_assist_exit
	.type gyve_assist_exit, @function
gyve_assist_exit:
	mov %rbx, GPR(1)(%rax)
	mov %rcx, GPR(2)(%rax)
	mov %rdx, GPR(3)(%rax)
	mov %rsi, GPR(4)(%rax)
	mov %rdi, GPR(5)(%rax)
	mov %rbp, GPR(6)(%rax)
	mov %r8, GPR(8)(%rax)
	mov %r9, GPR(9)(%rax)
	mov %r10, GPR(10)(%rax)
	mov %r11, GPR(11)(%rax)
	mov %r12, GPR(12)(%rax)
	mov %r13, GPR(13)(%rax)
	mov %r14, GPR(14)(%rax)
	mov %r15, GPR(15)(%rax)
	pushfq
	pop RFLAGS(%rax)
	cld
	mov %rax, %rdi
	mov COMPONENTS(%rdi), %eax
	mov COMPONENTS+4(%rdi), %edx
	xsave64 XSAVE_AREA(%rdi)

	/* back to what C code may expect: empty x87 stack, its control word, MXCSR, clean upper halves */
	fninit
	fldcw HOST_FCW(%rdi)
	ldmxcsr HOST_MXCSR(%rdi)
	cmpl $0, HAS_AVX(%rdi)
	je 1f
	vzeroupper
1:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size gyve_assist_exit, . - gyve_assist_exit
	.section .note.GNU-stack, "", @progbits
