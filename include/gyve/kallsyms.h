/* The symbols a Linux kernel carries with it (kernel/kallsyms.c, scripts/kallsyms.c), as a table of symbols like any other.
 * Hostile input: never crashes. */
#ifndef GYVE_KALLSYMS_H
#define GYVE_KALLSYMS_H
#include "gyve/arch.h"
#include "gyve/error.h"
#include "gyve/mem.h"
#include "gyve/sym.h"
/** Where its parts are, as VMCOREINFO has them since Linux 6.0: kernel-virtual addresses. */
struct gyve_kallsyms {
	uint64_t names, num_syms, token_table, token_index;
	uint64_t offsets, relative_base;
};
enum { GYVE_KALLSYMS_MAX = 1 << 21 }; /**< symbols; a kernel has about 200,000 */
/** From the lines of VMCOREINFO. -ENOENT: they do not name them. */
int gyve_kallsyms_find(const char *vmcoreinfo, struct gyve_kallsyms *ret);
/** Read them through kernel (its addresses are kernel-virtual) and make an ELF file of them: one section that covers them all,
 * no bytes in it. *ret is the caller's to free(). -EFAULT, -EINVAL with a sentence, -ENOMEM. */
int gyve_kallsyms_elf(const struct gyve_kallsyms *k, const struct gyve_mem *kernel, enum gyve_arch_id arch, uint8_t **ret,
		      size_t *size, struct gyve_err *err);
/** The value of SYMBOL(name) in the lines of VMCOREINFO. False: it is not there. */
bool gyve_vmcoreinfo_symbol(const char *vmcoreinfo, const char *name, uint64_t *ret);
#endif
