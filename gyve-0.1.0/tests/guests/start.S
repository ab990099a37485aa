/* Entry of the sample kernels: rdi and rsi hold the vCPU's number and how many there are, rsp is set. */
	.cfi_sections .debug_frame
	.text
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined rip		/* a backtrace ends here */
	xorl	%ebp, %ebp
	andq	$-16, %rsp
	call	kmain
	outb	%al, $0xF4
1:	hlt
	jmp	1b
	.cfi_endproc
	.size _start, . - _start
	.section .note.GNU-stack, "", @progbits
