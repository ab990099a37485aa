/* The guest of bench/condition.sh: f(0), f(1), ... for ever. gyve starts it at _start, in long mode; QEMU at the PVH entry, in 32-bit
 * protected mode without paging, which maps 1 GiB and goes there. */
	.text
	.globl _start, f
_start:
	xorl	%edi, %edi
1:	call	f
	incq	%rdi
	jmp	1b

	.type f, @function
f:	push	%rbp
	movq	%rsp, %rbp
	movq	%rdi, latest
	pop	%rbp
	ret
	.size f, . - f

	.code32
pvh:	movl	$stack, %esp
	movl	$0x83, %eax		/* 2 MiB pages */
	xorl	%ecx, %ecx
1:	movl	%eax, pd(, %ecx, 8)
	addl	$0x200000, %eax
	incl	%ecx
	cmpl	$512, %ecx
	jne	1b
	movl	$pd + 3, pdpt
	movl	$pdpt + 3, pml4
	movl	$pml4, %eax
	movl	%eax, %cr3
	movl	$0x20, %eax		/* PAE */
	movl	%eax, %cr4
	movl	$0xc0000080, %ecx	/* EFER.LME */
	movl	$0x100, %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0x80000001, %eax
	movl	%eax, %cr0
	lgdt	gdtr
	ljmp	$8, $long
	.code64
long:	movl	$16, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	$stack, %esp
	jmp	_start

	.balign	8
gdt:	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:	.word	. - gdt - 1
	.long	gdt

	.section .note.pvh, "a", @note
	.balign	4
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	pvh

	.bss
	.balign	4096
pml4:	.skip	4096
pdpt:	.skip	4096
pd:	.skip	4096
	.skip	4096
stack:
	.globl latest
latest:	.skip	8
	.section .note.GNU-stack, "", @progbits
