/* Between the reader of call frame information and the machine that runs its programs. */
#ifndef GYVE_SYM_CFI_PRIV_H
#define GYVE_SYM_CFI_PRIV_H
#include "cfi.h"

#include "../base/reader.h"

struct section {
	const uint8_t *data;
	size_t len;
	uint64_t addr;
	bool eh; /* .eh_frame's way of saying things */
};

struct cie {
	struct reader program;
	uint64_t code_align;
	int64_t data_align;
	uint32_t return_reg;
	uint8_t encoding;
	bool augmented, signal;
};

/** A pointer at *r, link-time. An encoding that is not supported makes *r bad. */
uint64_t gyve_cfi_pointer(const struct section *s, struct reader *r, uint8_t encoding);
/** Run a program from the rules in *row and the address start up to pc (UINT64_MAX: to its end). initial: what "restore" goes
 * back to, NULL: nothing. False: it is malformed. */
bool gyve_cfi_run(const struct section *s, const struct cie *cie, struct reader program, uint64_t start, uint64_t pc,
		  const struct gyve_cfi_row *initial, struct gyve_cfi_row *row);
#endif
