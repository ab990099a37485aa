/* One step of an x86_64 vCPU. The host steps by setting the trap flag, which it hides from whoever reads the registers, but a
 * PUSHF carries it to the stack: there it is taken out again. SDM vol. 3B 17.3.2 (TF), vol. 2 PUSHF. */
#include "vmm.h"

#include "../base/bytes.h"

enum { TF = 1 << 8, OPCODE_PUSHF = 0x9c };

void step_x86_begin(struct gyve_vcpu *v)
{
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_GPR);

	v->entry_sp = r ? r->x86.gpr[GYVE_RSP] : 0;
}

/* Prefixes only before the opcode. */
static bool is_pushf(struct gyve_vcpu *v, gyve_gva_t pc)
{
	uint8_t insn[4];
	ssize_t n = vcpu_read(v, pc, insn, sizeof(insn));

	for (ssize_t i = 0; i < n; i++) {
		if (insn[i] == OPCODE_PUSHF)
			return true;
		if (insn[i] != 0x66 && (insn[i] & 0xf0) != 0x40) /* operand size, REX */
			return false;
	}
	return false;
}

void step_x86_end(struct gyve_vcpu *v)
{
	const struct gyve_regs *r = vcpu_regs(v, GYVE_REGS_GPR);
	struct gyve_mem phys = gyve_vm_phys(v->vm);
	struct gyve_mmu mmu;
	uint8_t flags[2];

	if (!r)
		return;
	uint64_t pushed = v->entry_sp - r->x86.gpr[GYVE_RSP];
	if ((pushed != 8 && pushed != 4 && pushed != 2) || r->x86.rflags & TF || !is_pushf(v, v->entry_pc) ||
	    !vcpu_mmu(v, &mmu))
		return;
	gyve_gva_t at = r->x86.gpr[GYVE_RSP] + (v->regs.x86.seg[GYVE_CS].l ? 0 : v->regs.x86.seg[GYVE_SS].base);
	if (gyve_virt_read(&mmu, &phys, at, flags, 2, NULL) != 2 || !(get_le16(flags) & TF))
		return;
	put_le16(flags, get_le16(flags) & (uint16_t)~TF);
	gyve_virt_write(&mmu, &phys, at, flags, 2, NULL);
}
