/* Entry of the samples in the upper half: like start_a64.S, but the page tables are enter_high()'s and the program moves up. */
	.cfi_sections .debug_frame
	.text
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined x30		/* a backtrace ends here */
	mov	x29, xzr
	mov	x20, x0
	mov	x21, x1
	bl	enter_high
	ldr	x2, =1f
	br	x2
1:	mov	x0, x20
	mov	x1, x21
	mov	x30, xzr
	bl	kmain
	ldr	x1, =0x09001000
	strb	w0, [x1]
2:	wfi
	b	2b
	.cfi_endproc
	.size _start, . - _start
	.ltorg
	.section .note.GNU-stack, "", @progbits
