/* Private to the loader: what the bare-metal platforms of both architectures have in common. */
#ifndef GYVE_BARE_H
#define GYVE_BARE_H
#include <pthread.h>

#include "gyve/loader.h"

struct bare {
	const struct gyve_elf *elf;
	struct gyve_sink out;
	pthread_mutex_t lock; /* console writes of several vCPUs */
	unsigned ncpus;
	uint64_t ram_len;
	uint64_t base; /* x86_64: of tables, GDT, then stacks */
	uint8_t lcr;   /* x86_64: of the UART; atomic */
};

/** Bytes of guest memory asked for, in whole pages. -EINVAL: more than max_gib GiB. */
int bare_ram_len(const struct gyve_boot_params *params, unsigned max_gib, uint64_t *ret, struct gyve_err *err);
/** The platform's state and its layout, with RAM at ram_gpa. -ENOMEM. */
int bare_create(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		gyve_gpa_t ram_gpa, uint64_t ram_len, struct gyve_layout *layout, struct bare **ret, struct gyve_err *err);
void bare_destroy(void *state);
/** The first map is the identity, or none: the entry has to be given as a physical address. */
gyve_gpa_t bare_entry(const struct gyve_elf *elf);
/** One byte of output. Any thread. */
void bare_put_byte(struct bare *b, uint8_t byte);
#endif
