/* Agent expressions: the bytecode in which gdb sends breakpoint conditions, breakpoint commands and what tracepoints collect
 * (GDB manual, appendix "The GDB Agent Expression Mechanism"). Pure functions of what agent_env does. */
#ifndef GYVE_VMM_AGENT_H
#define GYVE_VMM_AGENT_H
#include "gyve/error.h"
#include "gyve/types.h"

#include <stddef.h>

enum {
	AGENT_MAX_LEN = 4096,  /**< bytes of one expression */
	AGENT_MAX_TEXT = 4096, /**< bytes that one printf writes */
	AGENT_MAX_ARGS = 32,   /**< of one printf */
};

/** What an expression may do beside reading registers and memory. */
enum { AGENT_VARS = 1, /**< trace state variables */ AGENT_TRACE = 2, AGENT_PRINT = 4 };

/** 0 or negative errno each, which ends the evaluation. NULL: what is not allowed. */
struct agent_env {
	/** Register by gdb's number, zero-extended. */
	int (*reg)(void *ctx, unsigned number, uint64_t *ret);
	/** len bytes at addr. */
	int (*read)(void *ctx, uint64_t addr, void *buf, size_t len);
	void *ctx;
	/** AGENT_VARS */
	int (*var_get)(void *ctx, unsigned number, uint64_t *ret);
	int (*var_set)(void *ctx, unsigned number, uint64_t value);
	/** AGENT_TRACE: record memory; a string of at most len bytes; a variable. */
	int (*trace)(void *ctx, uint64_t addr, uint64_t len);
	int (*trace_string)(void *ctx, uint64_t addr, uint64_t len);
	int (*trace_var)(void *ctx, unsigned number);
	/** AGENT_PRINT */
	int (*print)(void *ctx, const char *text, size_t len);
};

/** May this be evaluated? -EINVAL with a sentence: an operation that is unknown or not allowed, operands cut short, a jump that
 * leads nowhere, a format that cannot be printed. */
int agent_check(const uint8_t *code, size_t len, unsigned allowed, struct gyve_err *err);
/** Evaluate what agent_check() has passed. -EFAULT, -EDOM (division by zero), -ELOOP (too many steps), -EOVERFLOW (stack), and
 * what env says. ret NULL: the value is not wanted, there may be none. */
int agent_eval(const uint8_t *code, size_t len, const struct agent_env *env, uint64_t *ret);

/* agent_printf.c */

/** Is this a format for nargs integers and strings, of size bytes with its NUL? -EINVAL with a sentence. */
int agent_format_check(const char *format, size_t size, unsigned nargs, struct gyve_err *err);
/** Print what has been checked; strings are read by env->read. Returns the length, at most AGENT_MAX_TEXT; text is not
 * terminated. */
size_t agent_format(const struct agent_env *env, const char *format, const uint64_t *args, char text[AGENT_MAX_TEXT]);
#endif
