/* Modules of a Linux kernel, as its own list has them. For the session thread. */
#ifndef GYVE_MODULES_H
#define GYVE_MODULES_H
#include "kernel.h"

enum { GYVE_MODULES_MAX = 4096, GYVE_MODULE_SECTIONS = 512 };

/** enum module_state of the kernel. */
enum gyve_module_state { GYVE_MODULE_LIVE, GYVE_MODULE_COMING, GYVE_MODULE_GOING, GYVE_MODULE_UNFORMED };

struct gyve_module_section {
	char name[64];
	gyve_gva_t addr;
};
struct gyve_module {
	char name[64];
	gyve_gva_t addr; /**< of its struct module */
	unsigned state;  /**< enum gyve_module_state, or what a newer kernel has */
	gyve_gva_t base;
	uint64_t size; /**< bytes, without what is only for its beginning */
	struct gyve_module_section *sections;
	size_t nsections;
	uint8_t build_id[32];
	size_t build_id_len; /**< 0: unknown */
};

/** Where members are, in bytes; what the kernel does not have is -1. */
struct gyve_module_layout {
	int64_t list, state, name, sect_attrs;
	int64_t base, size; /**< of the whole, in struct module ... */
	int64_t mem;        /**< ... or of an array there, one element per kind of memory */
	int64_t mem_base, mem_size, mem_each;
	unsigned mem_n;           /**< elements that stay */
	int64_t nsections, attrs; /**< in struct module_sect_attrs */
	int64_t bin_attrs;        /**< newer kernels: there, a list of pointers that ends with 0 */
	int64_t attr_each, attr_name, attr_address;
};
int gyve_module_layout(const struct gyve_kernel *k, struct gyve_module_layout *ret, struct gyve_err *err);

/** What a list at head says, read through mem; nothing in it is believed without a look. Returns how many, *ret malloced, for
 * gyve_modules_free(). */
ssize_t gyve_modules_read(const struct gyve_mem *mem, const struct gyve_module_layout *l, gyve_gva_t head,
			  struct gyve_module **ret, struct gyve_err *err);
/** The same of this kernel. */
ssize_t gyve_modules_list(struct gyve_kernel *k, struct gyve_module **ret, struct gyve_err *err);
void gyve_modules_free(struct gyve_module *m, size_t n);
/** 0: there is no such section. */
gyve_gva_t gyve_module_section(const struct gyve_module *m, const char *name);
/** "live", "coming" ... */
const char *gyve_module_state(const struct gyve_module *m);

/* --- their files (module_files.c) */

/** Path, borrowed from f, of the file of m: of its name and build id; one with debug information is better. ret is for
 * gyve_ko_free(). NULL: there is none. */
const char *gyve_module_files_find(const struct gyve_module_files *f, const struct gyve_module *m, struct gyve_ko *ret);
/** Is it one of the files? */
bool gyve_module_files_has(const struct gyve_module_files *f, const char *path);
#endif
