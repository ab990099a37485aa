/* Agent expressions: the bytecode in which gdb sends breakpoint conditions (GDB manual, appendix "The GDB Agent Expression
 * Mechanism"). Pure functions of what agent_env reads. */
#ifndef GYVE_VMM_AGENT_H
#define GYVE_VMM_AGENT_H
#include "gyve/error.h"
#include "gyve/types.h"

#include <stddef.h>

enum { AGENT_MAX_LEN = 4096 }; /**< bytes of one expression */

struct agent_env {
	/** Register by gdb's number, zero-extended. 0 or negative errno. */
	int (*reg)(void *ctx, unsigned number, uint64_t *ret);
	/** len bytes at addr. 0 or negative errno. */
	int (*read)(void *ctx, uint64_t addr, void *buf, size_t len);
	void *ctx;
};

/** May this be evaluated? -EINVAL with a sentence: an operation that is unknown or makes no sense in a condition, operands cut
 * short, a jump that leads nowhere. */
int agent_check(const uint8_t *code, size_t len, struct gyve_err *err);
/** Evaluate what agent_check() has passed. -EFAULT, -EDOM (division by zero), -ELOOP (too many steps), -EOVERFLOW (stack), and
 * what env says. */
int agent_eval(const uint8_t *code, size_t len, const struct agent_env *env, uint64_t *ret);
#endif
