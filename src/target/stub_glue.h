/* Private to src/target: a target as the ops table that libgdbstub demands. The only place that knows both types. */
#ifndef GYVE_STUB_GLUE_H
#define GYVE_STUB_GLUE_H
#include "gdbstub.h"
#include "gyve/target.h"

struct gyve_glue {
	struct gyve_target *target;
	struct gdbstub *stub;
	const struct gyve_arch *desc; /**< what the client was told the machine is like */
	struct gdbstub_arch arch;     /**< the same for libgdbstub */
	struct gdbstub_reg *regs;
	struct gdbstub_flags *flags;
	struct gdbstub_field *fields;
	struct gyve_resume *actions;
	bool nonstop;
	struct glue_thread {
		bool stopped;
		struct gyve_stop stop;
	} * threads;     /**< non-stop: as the client knows each */
	bool run_due;    /**< vRun: when it has stopped, the server starts it again (gyve_glue_start) */
	bool killed;     /**< in the extended protocol: the end that comes is no reason to go */
	char **run_args; /**< owned; NULL: those it had */
	bool phys_mode;
	int64_t traceframe;   /**< registers and memory are those of this frame; -1: of the guest */
	bool resumed;         /**< this client let the guest run at least once */
	unsigned cpu;         /**< whose view the last request used: monitor commands look through it */
	uint8_t siginfo[128]; /**< as the client reads it now */
	char *text;           /**< an object made for the client; NULL: none */
	int image_fd;         /**< -1: not open */
	unsigned image_uses;  /**< a client opens the image more than once at a time; it gets the numbers 0, 1, ... */
};

/** A fresh session over t. -ENOMEM. */
int gyve_glue_init(struct gyve_glue *g, struct gyve_target *t);
void gyve_glue_deinit(struct gyve_glue *g);
/** Describe the machine as it is to be described now (glue_arch.c). -ENOMEM: the old description stays. */
int gyve_glue_describe(struct gyve_glue *g);
void gyve_glue_undescribe(struct gyve_glue *g);
/* ops of libgdbstub, as its header has them (glue_objects.c) */
int gyve_glue_object(void *ctx, int tid, const char *object, const char *annex, const void **ret, size_t *len);
int gyve_glue_thread_info(void *ctx, int tid, char *buf, size_t size);
int gyve_glue_mem_region(void *ctx, int tid, uint64_t addr, struct gdbstub_region *ret, struct gdbstub_err *out);
/** The stop of a thread as a Linux siginfo_t; tid 0: of none (glue_siginfo.c). -EBUSY. */
int gyve_glue_siginfo(struct gyve_glue *g, int tid, const void **ret, size_t *len);
void gyve_glue_translate_stop(struct gyve_target *t, const struct gyve_stop *stop, struct gdbstub_stop *ret);

/* glue_nonstop.c */
int gyve_glue_set_nonstop(void *ctx, bool on);
int gyve_glue_thread_stop(void *ctx, int tid, struct gdbstub_stop *ret);
/** g->actions, as the client asks them of threads whose state it knows. */
int gyve_glue_resume_nonstop(struct gyve_glue *g, struct gyve_err *err);
/** The client is about to be told. */
void gyve_glue_note_stop(struct gyve_glue *g, const struct gyve_stop *stop);
/** How a thread has stopped, all-stop: how all have; NULL: it runs. Borrowed until it goes on. */
const struct gyve_stop *gyve_glue_thread(const struct gyve_glue *g, int tid);
void gyve_glue_report_others(struct gyve_glue *g);
/** Has the guest, or one of its vCPUs, died? *code: of its stop. */
bool gyve_glue_any_crashed(const struct gyve_glue *g, int *code);

/* glue_start.c: ops of libgdbstub */
int gyve_glue_run(void *ctx, const char *file, const char *const *argv, size_t n, struct gdbstub_err *out);
int gyve_glue_environment(void *ctx, const char *text, struct gdbstub_err *out);
int gyve_glue_directory(void *ctx, const char *path, struct gdbstub_err *out);
void gyve_glue_free_args(struct gyve_glue *g);
/** What vRun asked for, with the guest stopped or ended; the client is told. False: it could not be done. */
bool gyve_glue_start(struct gyve_glue *g);
/* glue_trace.c */
extern const struct gdbstub_trace_ops gyve_glue_tracing;
int gyve_glue_trace_reg(struct gyve_glue *g, unsigned reg, void *buf);
/** -EAGAIN: as the guest has it. */
ssize_t gyve_glue_trace_mem(struct gyve_glue *g, uint64_t addr, void *buf, size_t len);
/** qXfer:traceframe-info. */
int gyve_glue_traceframe_info(struct gyve_glue *g, const void **ret, size_t *len);
/** Tell the client about a stop; a crash brings its paragraph to the client's console first. */
void gyve_glue_report(struct gyve_glue *g, const struct gyve_stop *stop);
#endif
