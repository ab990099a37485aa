/* x86_64 vCPUs as Linux's and QEMU's notes hold them. Sources: Linux include/uapi/linux/elf.h and elfcore.h, the psABI's order
 * of user_regs_struct; Intel SDM vol. 1, 13.4 (XSAVE area). */
#include "core_priv.h"

#include "../base/bytes.h"

#include <errno.h>

enum { ORIG_RAX = 15, NREGS = 27 };
/* pr_reg's general registers by our index; the rest is by name below */
static const struct {
	uint8_t at, gpr;
} gprs[] = {{0, 15}, {1, 14}, {2, 13},        {3, 12},        {4, GYVE_RBP},  {5, GYVE_RBX},  {6, 11},        {7, 10},
	    {8, 9},  {9, 8},  {10, GYVE_RAX}, {11, GYVE_RCX}, {12, GYVE_RDX}, {13, GYVE_RSI}, {14, GYVE_RDI}, {19, GYVE_RSP}};
static const struct {
	uint8_t at, seg;
} selectors[] = {{17, GYVE_CS}, {20, GYVE_SS}, {23, GYVE_DS}, {24, GYVE_ES}, {25, GYVE_FS}, {26, GYVE_GS}};
enum { AT_RIP = 16, AT_EFLAGS = 18, AT_FS_BASE = 21, AT_GS_BASE = 22 };

static uint8_t *reg(uint8_t *prstatus, unsigned i)
{
	return prstatus + PR_REG + 8 * i;
}

static void prstatus(struct core_buf *b, const struct gyve_x86_regs *r, unsigned cpu, int signal, bool fp)
{
	uint8_t d[X86_PRSTATUS_SIZE] = {0};

	put_le32(d, (uint32_t)signal);
	put_le16(d + PR_CURSIG, (uint16_t)signal);
	put_le32(d + PR_PID, cpu + 1);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(gprs); i++)
		put_le64(reg(d, gprs[i].at), r->gpr[gprs[i].gpr]);
	put_le64(reg(d, ORIG_RAX), UINT64_MAX); /* else gdb takes it for a system call to restart */
	put_le64(reg(d, AT_RIP), r->rip);
	put_le64(reg(d, AT_EFLAGS), r->rflags);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(selectors); i++)
		put_le64(reg(d, selectors[i].at), r->seg[selectors[i].seg].selector);
	put_le64(reg(d, AT_FS_BASE), r->seg[GYVE_FS].base);
	put_le64(reg(d, AT_GS_BASE), r->seg[GYVE_GS].base);
	put_le32(d + X86_PRSTATUS_SIZE - 8, fp);
	core_note_add(b, "CORE", NOTE_PRSTATUS, d, sizeof(d));
}

/* Components that XSTATE_BV leaves out are in their initial state whatever the bytes say; readers of FXSAVE do not know. */
static void fxsave_image(const struct gyve_x86_regs *r, uint8_t image[FXSAVE_SIZE])
{
	uint64_t bv = r->xsave_len >= 576 ? get_le64(r->xsave + 512) : 3;

	memcpy(image, r->xsave, FXSAVE_SIZE);
	if (!(bv & 1)) {
		memset(image, 0, 24);
		memset(image + 32, 0, 128);
		put_le16(image, 0x37f);
	}
	if (!(bv & 2))
		memset(image + 160, 0, 256);
	memset(image + XSAVE_XCR0_AT, 0, FXSAVE_SIZE - XSAVE_XCR0_AT);
}

/* gdb wants the area to be as long as XCR0 says, and an XCR0 that has x87 and SSE. */
static uint32_t xstate_size(const struct gyve_x86_regs *r, uint64_t *xcr0)
{
	*xcr0 = r->xcr0 | get_le64(r->xsave + 512) | 3;
	if (*xcr0 == 3)
		return 576;
	if (*xcr0 == 7 && r->xsave_len >= 832)
		return 832;
	return r->xsave_len;
}

void core_x86_notes(struct core_buf *b, const struct gyve_x86_regs *r, unsigned cpu, int signal)
{
	bool fp = r->xsave_len >= FXSAVE_SIZE && r->xsave_len <= sizeof(r->xsave);
	uint8_t area[GYVE_XSAVE_MAX];
	uint64_t xcr0;

	prstatus(b, r, cpu, signal, fp);
	if (!fp)
		return;
	fxsave_image(r, area);
	core_note_add(b, "CORE", NOTE_FPREGSET, area, FXSAVE_SIZE);
	if (r->xsave_len < 576)
		return;
	uint32_t size = xstate_size(r, &xcr0);
	memcpy(area, r->xsave, size);
	put_le64(area + XSAVE_XCR0_AT, xcr0);
	core_note_add(b, "LINUX", NOTE_X86_XSTATE, area, size);
}

static const uint8_t qemu_gprs[] = {GYVE_RAX, GYVE_RBX, GYVE_RCX, GYVE_RDX, GYVE_RSI, GYVE_RDI, GYVE_RSP, GYVE_RBP,
				    8,        9,        10,       11,       12,       13,       14,       15};
static const uint8_t qemu_segs[] = {GYVE_CS, GYVE_DS, GYVE_ES, GYVE_FS, GYVE_GS, GYVE_SS, GYVE_LDTR, GYVE_TR};
enum {
	QEMU_GPRS = 8,
	QEMU_RIP = 136,
	QEMU_RFLAGS = 144,
	QEMU_SEGS = 152,
	QEMU_GDT = QEMU_SEGS + 8 * 24,
	QEMU_IDT = QEMU_GDT + 24,
	QEMU_CRS = 392,
	QEMU_KERNEL_GS = 432
};

static uint32_t seg_flags(const struct gyve_x86_seg *s)
{
	return (uint32_t)s->type << 8 | (uint32_t)s->s << 12 | (uint32_t)s->dpl << 13 | (uint32_t)s->present << 15 |
	       (uint32_t)s->avl << 20 | (uint32_t)s->l << 21 | (uint32_t)s->db << 22 | (uint32_t)s->g << 23;
}

static void put_seg(uint8_t *p, uint32_t selector, uint32_t limit, uint32_t flags, uint64_t base)
{
	put_le32(p, selector);
	put_le32(p + 4, limit);
	put_le32(p + 8, flags);
	put_le64(p + 16, base);
}

void core_x86_qemu_note(struct core_buf *b, const struct gyve_x86_regs *r)
{
	uint8_t d[X86_QEMU_SIZE] = {0};

	put_le32(d, 1);
	put_le32(d + 4, sizeof(d));
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(qemu_gprs); i++)
		put_le64(d + QEMU_GPRS + 8 * i, r->gpr[qemu_gprs[i]]);
	put_le64(d + QEMU_RIP, r->rip);
	put_le64(d + QEMU_RFLAGS, r->rflags);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(qemu_segs); i++) {
		const struct gyve_x86_seg *s = &r->seg[qemu_segs[i]];
		put_seg(d + QEMU_SEGS + 24 * i, s->selector, s->limit, seg_flags(s), s->base);
	}
	put_seg(d + QEMU_GDT, 0, r->gdt_limit, 0, r->gdt_base);
	put_seg(d + QEMU_IDT, 0, r->idt_limit, 0, r->idt_base);
	put_le64(d + QEMU_CRS, r->cr0);
	put_le64(d + QEMU_CRS + 16, r->cr2);
	put_le64(d + QEMU_CRS + 24, r->cr3);
	put_le64(d + QEMU_CRS + 32, r->cr4);
	put_le64(d + QEMU_KERNEL_GS, r->kernel_gs_base);
	core_note_add(b, "QEMU", NOTE_QEMU, d, sizeof(d));
}

/* --- and back */

int core_x86_prstatus(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	struct gyve_x86_regs *x = &r->x86;
	const uint8_t *p = desc + PR_REG;

	if (len != X86_PRSTATUS_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(gprs); i++)
		x->gpr[gprs[i].gpr] = get_le64(p + 8 * gprs[i].at);
	x->rip = get_le64(p + 8 * AT_RIP);
	x->rflags = get_le64(p + 8 * AT_EFLAGS);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(selectors); i++)
		x->seg[selectors[i].seg].selector = get_le16(p + 8 * selectors[i].at);
	x->seg[GYVE_FS].base = get_le64(p + 8 * AT_FS_BASE);
	x->seg[GYVE_GS].base = get_le64(p + 8 * AT_GS_BASE);
	r->valid |= GYVE_REGS_GPR;
	return 0;
}

int core_i386_prstatus(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	/* ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss */
	static const uint8_t order[] = {GYVE_RBX, GYVE_RCX, GYVE_RDX, GYVE_RSI, GYVE_RDI, GYVE_RBP, GYVE_RAX};
	static const uint8_t segs[] = {GYVE_DS, GYVE_ES, GYVE_FS, GYVE_GS};
	struct gyve_x86_regs *x = &r->x86;
	const uint8_t *p = desc + 72;

	if (len != I386_PRSTATUS_SIZE)
		return -EINVAL;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(order); i++)
		x->gpr[order[i]] = get_le32(p + 4 * i);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(segs); i++)
		x->seg[segs[i]].selector = get_le16(p + 28 + 4 * i);
	x->rip = get_le32(p + 48);
	x->seg[GYVE_CS].selector = get_le16(p + 52);
	x->rflags = get_le32(p + 56);
	x->gpr[GYVE_RSP] = get_le32(p + 60);
	x->seg[GYVE_SS].selector = get_le16(p + 64);
	r->valid |= GYVE_REGS_GPR;
	return 0;
}

int core_x86_fpregs(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	if (len != FXSAVE_SIZE)
		return -EINVAL;
	memcpy(r->x86.xsave, desc, len);
	r->x86.xsave_len = FXSAVE_SIZE;
	r->valid |= GYVE_REGS_FP;
	return 0;
}

int core_x86_xstate(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	struct gyve_x86_regs *x = &r->x86;

	if (len < 576)
		return -EINVAL;
	x->xsave_len = len < sizeof(x->xsave) ? (uint32_t)len : sizeof(x->xsave);
	memcpy(x->xsave, desc, x->xsave_len);
	x->xcr0 = get_le64(desc + XSAVE_XCR0_AT);
	put_le64(x->xsave + XSAVE_XCR0_AT, 0);
	r->valid |= GYVE_REGS_FP;
	return 0;
}

static void get_seg(struct gyve_x86_seg *s, const uint8_t *p)
{
	uint32_t flags = get_le32(p + 8);

	s->selector = get_le16(p);
	s->limit = get_le32(p + 4);
	s->type = flags >> 8 & 15;
	s->s = flags >> 12 & 1;
	s->dpl = flags >> 13 & 3;
	s->present = flags >> 15 & 1;
	s->avl = flags >> 20 & 1;
	s->l = flags >> 21 & 1;
	s->db = flags >> 22 & 1;
	s->g = flags >> 23 & 1;
	s->base = get_le64(p + 16);
}

int core_x86_qemu(struct gyve_regs *r, const uint8_t *desc, size_t len)
{
	enum { PG = 1u << 31, PAE = 1 << 5, LME = 1 << 8, LMA = 1 << 10, NXE = 1 << 11 };
	struct gyve_x86_regs *x = &r->x86;

	if (len < X86_QEMU_OLD_SIZE || get_le32(desc) != 1)
		return -EINVAL;
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(qemu_gprs); i++)
		x->gpr[qemu_gprs[i]] = get_le64(desc + QEMU_GPRS + 8 * i);
	x->rip = get_le64(desc + QEMU_RIP);
	x->rflags = get_le64(desc + QEMU_RFLAGS);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(qemu_segs); i++)
		get_seg(&x->seg[qemu_segs[i]], desc + QEMU_SEGS + 24 * i);
	x->gdt_limit = (uint16_t)get_le32(desc + QEMU_GDT + 4);
	x->gdt_base = get_le64(desc + QEMU_GDT + 16);
	x->idt_limit = (uint16_t)get_le32(desc + QEMU_IDT + 4);
	x->idt_base = get_le64(desc + QEMU_IDT + 16);
	x->cr0 = get_le64(desc + QEMU_CRS);
	x->cr2 = get_le64(desc + QEMU_CRS + 16);
	x->cr3 = get_le64(desc + QEMU_CRS + 24);
	x->cr4 = get_le64(desc + QEMU_CRS + 32);
	if (len >= X86_QEMU_SIZE)
		x->kernel_gs_base = get_le64(desc + QEMU_KERNEL_GS);
	/* The note has no EFER: a 64-bit code segment, or an address of that size, tells long mode from PAE. Where
	 * tables forbid execution it is allowed to. */
	if (x->cr0 & PG && x->cr4 & PAE)
		x->efer = NXE;
	if (x->cr0 & PG && x->cr4 & PAE && (x->seg[GYVE_CS].l || x->rip >> 32 || x->idt_base >> 32))
		x->efer |= LME | LMA;
	r->valid |= GYVE_REGS_GPR | GYVE_REGS_SYS;
	return 0;
}
