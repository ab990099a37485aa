/* ESR_EL1 in words. Arm ARM (DDI 0487) D17.2.37. */
#include "gyve/arch.h"

#include <stdio.h>

static const char *const classes[64] = {
	[0x00] = "undefined instruction",
	[0x01] = "trapped WFI or WFE",
	[0x07] = "FP or SIMD instruction while they are off",
	[0x09] = "pointer authentication instruction",
	[0x0d] = "branch target",
	[0x0e] = "illegal execution state",
	[0x15] = "SVC",
	[0x16] = "HVC",
	[0x18] = "trapped system register access",
	[0x19] = "SVE instruction while it is off",
	[0x1c] = "pointer authentication failure",
	[0x20] = "instruction abort from EL0",
	[0x21] = "instruction abort",
	[0x22] = "misaligned pc",
	[0x24] = "data abort from EL0",
	[0x25] = "data abort",
	[0x26] = "misaligned sp",
	[0x2c] = "floating-point exception",
	[0x2f] = "SError interrupt",
	[0x30] = "breakpoint from EL0",
	[0x31] = "breakpoint",
	[0x32] = "software step from EL0",
	[0x33] = "software step",
	[0x34] = "watchpoint from EL0",
	[0x35] = "watchpoint",
	[0x3c] = "BRK",
};

static const char *fault_name(unsigned fsc)
{
	static const char *const groups[] = {"address size fault", "translation fault", "access flag fault",
					     "permission fault"};

	if (fsc < 0x10)
		return groups[fsc >> 2];
	switch (fsc) {
	case 0x10:
		return "external abort";
	case 0x11:
		return "tag check fault";
	case 0x21:
		return "alignment fault";
	case 0x30:
		return "TLB conflict";
	case 0x34:
	case 0x35:
		return "unsupported exclusive or atomic access";
	}
	return fsc >= 0x13 && fsc <= 0x17 ? "external abort on a table walk" : "fault of another kind";
}

bool gyve_a64_esr_is_abort(uint64_t esr)
{
	unsigned ec = esr >> 26 & 0x3f;
	return ec == 0x20 || ec == 0x21 || ec == 0x24 || ec == 0x25;
}

int gyve_a64_esr_text(uint64_t esr, char *buf, size_t size)
{
	unsigned ec = esr >> 26 & 0x3f, fsc = esr & 0x3f;
	const char *class = classes[ec];

	if (!class)
		return snprintf(buf, size, "exception class 0x%x", ec);
	if (ec == 0x15 || ec == 0x16 || ec == 0x3c)
		return snprintf(buf, size, "%s #0x%x", class, (unsigned)(esr & 0xffff));
	if (!gyve_a64_esr_is_abort(esr))
		return snprintf(buf, size, "%s", class);
	const char *how = ec < 0x24 ? "fetch" : esr & 1 << 6 ? "write" : "read";
	if (fsc < 0x10)
		return snprintf(buf, size, "%s on a %s: %s at level %u", class, how, fault_name(fsc), fsc & 3);
	return snprintf(buf, size, "%s on a %s: %s", class, how, fault_name(fsc));
}
