/* What is known of a Linux kernel from its own memory, running or dumped: symbols, types, VMCOREINFO. For the session thread.
 */
#ifndef GYVE_KERNEL_H
#define GYVE_KERNEL_H
#include "gyve/btf.h"
#include "gyve/target.h"

struct gyve_kernel {
	struct gyve_target *t;
	char *vmcoreinfo;               /**< its lines; NULL: not found */
	const struct gyve_symtab *syms; /**< the target's, or own */
	struct gyve_symtab *own;        /**< from the kernel's own table (kallsyms) */
	uint8_t *own_elf;               /**< the same as an ELF file */
	size_t own_size;
	struct gyve_btf *btf;  /**< NULL: not found yet */
	uint64_t root;         /**< of the kernel's page tables */
	uint64_t image_offset; /**< from where the kernel's image is in memory to its addresses; known with the root */
	bool root_known;
	uint64_t init_task;  /**< the first task's task_struct; 0: not found */
	struct gyve_mem mem; /**< bytes at kernel-virtual addresses */
};

/** Where t has no symbols, the kernel's own become t's. What is known of the kernel in t: looked for at the first call and kept
 * by t until gyve_kernel_forget(). Memory is read, so the guest should be stopped. NULL, with a sentence: no Linux kernel is to
 * be seen (yet), or it says too little of itself. */
struct gyve_kernel *gyve_kernel_of(struct gyve_target *t, struct gyve_err *err);
/** The guest begins anew, or its memory is another. */
void gyve_kernel_forget(struct gyve_target *t);
/** Address of a symbol. -ENOENT with a sentence. */
int gyve_kernel_symbol(const struct gyve_kernel *k, const char *name, uint64_t *ret, struct gyve_err *err);
/** Where a member is: gyve_btf_member(). -ENOENT with a sentence. */
int gyve_kernel_member(const struct gyve_kernel *k, const char *type, const char *path, struct gyve_member *ret,
		       struct gyve_err *err);
/** Bytes at a kernel-virtual address, whatever the vCPUs' page tables are now. 0, or -EFAULT with a sentence. */
int gyve_kernel_read(const struct gyve_kernel *k, gyve_gva_t gva, void *buf, size_t len, struct gyve_err *err);
/** The same for a pointer or another number of 8 bytes. */
int gyve_kernel_u64(const struct gyve_kernel *k, gyve_gva_t gva, uint64_t *ret, struct gyve_err *err);
/* kernel_scan.c: false, nothing found. For kernel.c. */
bool kernel_scan_types(struct gyve_kernel *k);
bool kernel_scan_init_task(struct gyve_kernel *k);
#endif
