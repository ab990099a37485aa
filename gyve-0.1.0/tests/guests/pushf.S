/* Exits with 1 if the flags it pushes carry the trap flag: a debugger that steps must not show. */
	.text
	.globl _start
	.type _start, @function
_start:
	pushfq
	popq	%rax
	shrl	$8, %eax
	andl	$1, %eax
	pushfq
	popfq
				/* here without the trap flag */
	nop
	nop
	outb	%al, $0xF4
1:	hlt
	jmp	1b
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
