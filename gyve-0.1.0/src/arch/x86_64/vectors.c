/* Names of the exceptions. Intel SDM vol. 3A table 6-1. */
#include "gyve/arch.h"

static const char *const names[32] = {
	[0] = "#DE divide error",
	[1] = "#DB debug",
	[2] = "NMI",
	[3] = "#BP breakpoint",
	[4] = "#OF overflow",
	[5] = "#BR bound",
	[6] = "#UD invalid opcode",
	[7] = "#NM device not available",
	[8] = "#DF double fault",
	[10] = "#TS invalid TSS",
	[11] = "#NP segment not present",
	[12] = "#SS stack fault",
	[13] = "#GP general protection",
	[14] = "#PF page fault",
	[16] = "#MF x87 error",
	[17] = "#AC alignment check",
	[18] = "#MC machine check",
	[19] = "#XM SIMD error",
	[21] = "#CP control protection",
};

const char *gyve_x86_vector_name(unsigned vector)
{
	return vector < GYVE_ARRAY_SIZE(names) ? names[vector] : NULL;
}
