/* A hypervisor of a few x86 instructions, for run control: NOP, JMP rel8, INT3, OUT imm8, HLT, INC byte [rip+rel32]. Code is
 * fetched at rip as a guest-physical address. */
#ifndef FAKE_BACKEND_H
#define FAKE_BACKEND_H
#include "gyve/backend.h"

/** How the pretended host behaves; set before gyve_vm_create(). */
struct fake_host {
	bool int3_is_emulation; /**< INT3 leaves as GYVE_EXIT_EMULATION */
	bool out_advances;      /**< rip is past an OUT when it leaves; else settle() moves it */
	bool watch_works;
	bool pages;    /**< accesses to read-only and absent slots leave as GYVE_EXIT_MMIO */
	bool no_regs;  /**< execute breakpoints do not fire */
	bool no_int3;  /**< INT3 does not leave: the guest dies of it */
	unsigned incs; /**< INC carried out, all vCPUs */
	unsigned maps; /**< calls of map() */
	unsigned hw_bps;
	unsigned lazy_steps; /**< so many steps end before their instruction */
	unsigned reinjected; /**< INT3 given back, all vCPUs */
	unsigned set_debugs;
};
extern struct fake_host fake_host;
extern const struct gyve_backend_ops fake_backend;
#endif
