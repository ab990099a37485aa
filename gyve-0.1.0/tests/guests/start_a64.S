/* Entry of the sample kernels: x0 and x1 hold the vCPU's number and how many there are, sp is set. Turns translation on, since
 * exclusive accesses want ordinary memory: 4 KiB granule, 39 bits of address, blocks of 1 GiB, identity. */
	.cfi_sections .debug_frame
	.text
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined x30		/* a backtrace ends here */
	mov	x29, xzr
	mov	x30, xzr
	ldr	x2, =0x00ff4400		/* MAIR: 0 device, 1 non-cacheable, 2 write-back */
	msr	mair_el1, x2
	mrs	x3, id_aa64mmfr0_el1
	and	x3, x3, #7
	ldr	x2, =0x00803519		/* TCR: T0SZ 25, write-back, inner shareable, no second half */
	orr	x2, x2, x3, lsl #32
	msr	tcr_el1, x2
	adrp	x2, boot_table
	msr	ttbr0_el1, x2
	isb
	mrs	x2, sctlr_el1
	mov	x3, #0x1005		/* M, C, I */
	orr	x2, x2, x3
	msr	sctlr_el1, x2
	isb
	bl	kmain
	ldr	x1, =0x09001000
	strb	w0, [x1]
1:	wfi
	b	1b
	.cfi_endproc
	.size _start, . - _start
	.ltorg

	.section .data.table, "aw"
	.balign 4096
	.globl boot_table
boot_table:
	.quad	0x0000000000000401	/* devices: attribute 0 */
	.quad	0x0000000040000709	/* memory: attribute 2, inner shareable */
	.fill	510, 8, 0
	.section .note.GNU-stack, "", @progbits
