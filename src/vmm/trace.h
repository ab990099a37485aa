/* Private to src/vmm: tracing. Definitions are changed by the session thread while the machine is stopped and read by vCPU
 * threads while it runs; the frames and what is counted are under trace.lock. */
#ifndef GYVE_VMM_TRACE_H
#define GYVE_VMM_TRACE_H
#include "agent.h"
#include "gyve/trace.h"
#include "vmm.h"

enum {
	TRACE_MAX_POINTS = 1024,
	TRACE_MAX_ACTIONS = 64,
	TRACE_MAX_TEXTS = 256,
	TRACE_MAX_VARS = 256,
	TRACE_MAX_READONLY = 64,
	TRACE_MAX_FRAME = 1 << 20, /* bytes of one */
};

struct trace_point {
	struct gyve_tracepoint p;                            /* cond.code is owned */
	struct gyve_trace_action actions[TRACE_MAX_ACTIONS]; /* e.code is owned */
	unsigned nactions;
	char *texts[TRACE_MAX_TEXTS];
	unsigned ntexts;
	unsigned busy; /* hits counted whose frames are not all there yet; under trace.lock */
};

/* A frame as in a trace file: u16 tracepoint, u32 bytes that follow, and blocks: 'R' and the registers of a g packet; 'M', u64
 * address, u16 length, bytes; 'V', u32 number, u64 value. Registers that no g packet has are kept behind it. */
struct trace_frame {
	uint32_t len, extra; /* bytes of data; of them, behind the file's layout: u16 register, u16 bytes, bytes */
	uint16_t point;
	gyve_gva_t pc;
	uint8_t data[];
};

struct gyve_trace {
	struct gyve_vm *vm;
	struct trace_point **points;
	unsigned npoints;
	unsigned ng; /* registers of a g packet */
	struct {
		gyve_gva_t start, end;
	} readonly[TRACE_MAX_READONLY];
	unsigned nreadonly;

	bool running;  /* atomic */
	bool tidy_due; /* atomic: tracing has ended, its points are still in the book */
	pthread_mutex_t lock;
	struct gyve_trace_status st;
	struct trace_var {
		unsigned number;
		uint64_t initial, value;
		char *name;
	} vars[TRACE_MAX_VARS];
	unsigned nvars;
	struct trace_frame **frames; /* a ring: the first is at `first` */
	size_t nframes, cap, first;
	uint64_t used; /* bytes */
};

/** NULL: no memory. */
struct gyve_trace *trace_create(struct gyve_vm *vm);
void trace_destroy(struct gyve_trace *t); /**< NULL ok */
/** Where tracing has ended its points go out of the book. Nobody else is in the guest. */
void trace_tidy(struct gyve_vm *vm);

/* trace_buf.c */
void trace_frames_clear(struct gyve_trace *t);
/** Takes f over. t->lock is held. */
void trace_frames_add(struct gyve_trace *t, struct trace_frame *f, struct trace_point *p);
/** Tracing has ended for that reason. t->lock is held. */
void trace_end(struct gyve_trace *t, enum gyve_trace_end why, unsigned point, const char *text);
uint64_t trace_now(void);
struct trace_var *trace_var(struct gyve_trace *t, unsigned number);
/** For expressions; ctx: the vCPU. -ENOENT. */
int trace_var_get(void *ctx, unsigned number, uint64_t *ret);
int trace_var_set(void *ctx, unsigned number, uint64_t value);

/* trace_hit.c; the vCPU's thread */
/** v is at pc, where tracepoints may be. */
void trace_hit(struct gyve_vcpu *v, gyve_gva_t pc);
/** It has made a step while v->trace_steps. */
void trace_stepped(struct gyve_vcpu *v);
/** Its steps end here, collected or not. Also by the session thread while the machine is stopped. */
void trace_steps_end(struct gyve_vcpu *v);
#endif
