/* Tracepoints: the guest's vCPUs collect registers, memory and variables where they pass, and go on. What was collected stays
 * in a buffer of frames, with or without a client. Numbers and words are those of GDB's manual, "Tracepoint Packets". The
 * session thread calls these; definitions change only while the guest is stopped. */
#ifndef GYVE_TRACE_H
#define GYVE_TRACE_H
#include "gyve/vm.h"

struct gyve_trace; /**< of a VM, for its life */

enum {
	GYVE_TRACE_TIMESTAMP = 1
}; /**< number of the one variable that is always there: $trace_timestamp, microseconds since 1970 */

struct gyve_tracepoint {
	unsigned number;
	gyve_gva_t addr; /**< the same number can be at several addresses */
	bool enabled;
	uint64_t steps;              /**< while-stepping: as many steps are collected after a hit */
	uint64_t pass;               /**< tracing stops with so many hits; 0: never */
	struct gyve_agent_expr cond; /**< len 0: none */
	uint64_t hits, usage;        /**< usage: bytes of the buffer */
};

enum gyve_trace_collect { GYVE_TRACE_REGS, GYVE_TRACE_MEM, GYVE_TRACE_EXPR };
struct gyve_trace_action {
	enum gyve_trace_collect what;
	bool stepping;            /**< after each step, not at the hit */
	struct gyve_agent_expr e; /**< REGS: bit mask, bit n of byte n / 8: register n; EXPR: bytecode */
	int base;                 /**< MEM: register the address is relative to, -1: none */
	uint64_t offset, len;     /**< MEM */
};

enum gyve_trace_end {
	GYVE_TRACE_NOT_RUN,
	GYVE_TRACE_STOPPED, /**< asked for */
	GYVE_TRACE_FULL,
	GYVE_TRACE_PASSCOUNT, /**< of tracepoint `point` */
	GYVE_TRACE_DISCONNECTED,
	GYVE_TRACE_ERROR, /**< in an expression of tracepoint `point`; text */
};
struct gyve_trace_status {
	bool running;
	enum gyve_trace_end end; /**< while not running */
	unsigned point;
	char text[128];            /**< STOPPED: the note given for that; ERROR: what it was */
	char user[64], notes[256]; /**< of the client that started it */
	uint64_t frames, created;  /**< in the buffer; since the start */
	uint64_t size, free;       /**< bytes of the buffer */
	bool circular, disconnected;
	uint64_t start, stop; /**< microseconds since 1970; 0: not yet */
};

/** Forget all: points, variables, frames. g_regs: so many registers, from the first, make up a client's g packet. -EBUSY: the
 * guest is running. */
int gyve_trace_init(struct gyve_trace *t, unsigned g_regs);
/** -EEXIST, -E2BIG, -EINVAL with a sentence (all that define). Strings and bytes are copied. */
int gyve_trace_define(struct gyve_trace *t, const struct gyve_tracepoint *p, struct gyve_err *err);
int gyve_trace_action(struct gyve_trace *t, unsigned number, gyve_gva_t addr, const struct gyve_trace_action *a,
		      struct gyve_err *err);
/** A piece of the definition for clients to come, who get it back as it is. */
int gyve_trace_text(struct gyve_trace *t, unsigned number, gyve_gva_t addr, const char *text, size_t len, struct gyve_err *err);
int gyve_trace_variable(struct gyve_trace *t, unsigned number, uint64_t initial, const char *name, struct gyve_err *err);
/** Memory that does not change: read from the guest when a frame has none of it. */
int gyve_trace_readonly(struct gyve_trace *t, gyve_gva_t start, gyve_gva_t end, struct gyve_err *err);
/** Also while running. -ENOENT. */
int gyve_trace_enable(struct gyve_trace *t, unsigned number, gyve_gva_t addr, bool on);
/** Only while stopped. */
int gyve_trace_start(struct gyve_trace *t, struct gyve_err *err);
int gyve_trace_stop(struct gyve_trace *t);
/** The client is gone: tracing goes on only if that was asked for. */
void gyve_trace_client_gone(struct gyve_trace *t);
/** size 0: the usual one (5 MiB). -EBUSY while tracing, -EINVAL. */
int gyve_trace_buffer(struct gyve_trace *t, uint64_t size);
enum gyve_trace_note { GYVE_TRACE_USER, GYVE_TRACE_NOTES, GYVE_TRACE_STOP_NOTE };
/** A text for the status, cut to what fits; STOP_NOTE: why it was stopped. */
void gyve_trace_note(struct gyve_trace *t, enum gyve_trace_note which, const char *text);
void gyve_trace_circular(struct gyve_trace *t, bool on);
void gyve_trace_disconnected(struct gyve_trace *t, bool on);

void gyve_trace_status(struct gyve_trace *t, struct gyve_trace_status *ret);
/** The i-th tracepoint; false: there are no more. Borrowed until definitions change. */
bool gyve_trace_point(struct gyve_trace *t, size_t i, struct gyve_tracepoint *ret);
/** Piece k of it. NULL: there are no more. */
const char *gyve_trace_point_text(struct gyve_trace *t, size_t i, size_t k);
/** The i-th variable. NULL: there are no more; else its name. */
const char *gyve_trace_var(struct gyve_trace *t, size_t i, unsigned *number, uint64_t *initial);
/** -ENOENT: it is not defined. */
int gyve_trace_value(struct gyve_trace *t, unsigned number, uint64_t *ret);

/* --- frames, numbered from 0 in the order they were made. -ENOENT: there is no such one. */

struct gyve_trace_find {
	enum { GYVE_TRACE_BY_NUMBER, GYVE_TRACE_BY_PC, GYVE_TRACE_BY_POINT, GYVE_TRACE_INSIDE, GYVE_TRACE_OUTSIDE } by;
	uint64_t a, b; /**< number, pc, tracepoint; first and last address */
	int64_t after; /**< behind this one; -1: from the first (not BY_NUMBER) */
};
/** Its number. */
int64_t gyve_trace_find(struct gyve_trace *t, const struct gyve_trace_find *f, unsigned *point);
/** Register `number`, row->bits / 8 bytes. -ENODATA: not collected. */
int gyve_trace_reg(struct gyve_trace *t, int64_t frame, unsigned number, void *buf);
/** Bytes from addr on that were collected, at most len. -EFAULT: none; -EAGAIN: none, but addr is in read-only memory. */
ssize_t gyve_trace_mem(struct gyve_trace *t, int64_t frame, gyve_gva_t addr, void *buf, size_t len);
int gyve_trace_frame_value(struct gyve_trace *t, int64_t frame, unsigned number, uint64_t *ret);
/** What a frame has: calls mem or var for each. */
int gyve_trace_frame_parts(struct gyve_trace *t, int64_t frame, void (*mem)(void *ctx, gyve_gva_t addr, uint64_t len),
			   void (*var)(void *ctx, unsigned number), void *ctx);
/** Bytes of all frames in the layout of trace files (GDB manual, "Trace File Format"), from off on. 0: behind the end. */
size_t gyve_trace_raw(struct gyve_trace *t, uint64_t off, void *buf, size_t len);

/** The VM's. */
struct gyve_trace *gyve_vm_trace(struct gyve_vm *vm);
#endif
