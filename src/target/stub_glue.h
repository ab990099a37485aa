/* Private to src/target: a target as the ops table that libgdbstub demands. The only place that knows both types. */
#ifndef GYVE_STUB_GLUE_H
#define GYVE_STUB_GLUE_H
#include "gdbstub.h"
#include "gyve/target.h"
#include "tasks.h"

enum { GYVE_IDLE_TID = 5000000 }; /**< + its number: what a vCPU runs when that is its idle task or not known; above all pids */

/** A thread as the client sees it. */
struct glue_seen {
	int tid, cpu;          /**< the vCPU it runs on; -1: none */
	bool known;            /**< it is this task: */
	struct gyve_task task; /**< else whatever the vCPU runs */
};

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
	} * threads; /**< non-stop: as the client knows each */
	struct {
		struct glue_point *list;
		size_t n, cap;
		bool asked; /**< a monitor command has come since the last stop */
	} points;           /**< glue_points.c */
	struct {
		struct glue_seen *list; /**< by tid */
		size_t n;
		bool fresh;    /**< as the guest is now */
		int saved_tid; /**< whose saved registers these are; 0: nobody's */
		bool saved_ok; /**< they could be read */
		struct gyve_regs saved;
	} seen; /**< glue_tasks.c, where threads are tasks */
	struct {
		char *text; /**< as the client reads it, until the guest goes on; NULL: not made */
		bool armed; /**< the guest stops where they change, or cannot */
		int fds[8]; /**< + 1: open for the client, 0: free */
	} libraries;        /**< glue_libraries.c */
	bool run_due;       /**< vRun: when it has stopped, the server starts it again (gyve_glue_start) */
	bool killed;        /**< in the extended protocol: the end that comes is no reason to go */
	char **run_args;    /**< owned; NULL: those it had */
	bool phys_mode;
	int64_t traceframe;   /**< registers and memory are those of this frame; -1: of the guest */
	bool resumed;         /**< this client let the guest run at least once */
	unsigned cpu;         /**< whose view the last request used: monitor commands look through it */
	uint8_t siginfo[128]; /**< as the client reads it now */
	char *text;           /**< an object made for the client; NULL: none */
	bool kernel_file;     /**< the client has been given a kernel's own symbols for an image */
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
/* glue_run.c */
int gyve_glue_resume(void *ctx, const struct gdbstub_resume *r, size_t n, struct gdbstub_err *out);
void gyve_glue_interrupt(void *ctx);
void gyve_glue_translate_stop(struct gyve_glue *g, const struct gyve_stop *stop, struct gdbstub_stop *ret);

/* glue_tasks.c: threads and what they run on */
size_t gyve_glue_threads(void *ctx, int *tids, size_t max);
int gyve_glue_thread_core(void *ctx, int tid);
/** The guest has run, or its memory was changed: its tasks are looked up anew. */
void gyve_glue_tasks_stale(struct gyve_glue *g);
void gyve_glue_tasks_free(struct gyve_glue *g);
/** The thread that a vCPU runs. */
int gyve_glue_tid(struct gyve_glue *g, unsigned cpu);
/** The vCPU that runs a thread; -1: none. */
int gyve_glue_cpu(struct gyve_glue *g, int tid);
/** The request is about this thread: g->cpu becomes its vCPU, or one that stands in for it. Returns the task if it is one that
 * does not run (borrowed until the guest goes on), else NULL. */
const struct gyve_task *gyve_glue_select(struct gyve_glue *g, int tid);
/** A register of such a task. -ENODATA: the kernel has not saved it. */
int gyve_glue_saved_reg(struct gyve_glue *g, const struct gyve_task *task, const struct gyve_reg_row *row, void *buf);
/** Memory is read in the address space of such a task (NULL: as it was) until gyve_glue_leave(). */
struct gyve_space gyve_glue_enter(struct gyve_glue *g, const struct gyve_task *task);
void gyve_glue_leave(struct gyve_glue *g, struct gyve_space before);
/** A thread for people; vcpu: the same of the vCPU it runs on. Returns length as snprintf. */
int gyve_glue_task_text(struct gyve_glue *g, int tid, const char *vcpu, char *buf, size_t size);
/** Refuse to step such a task: -EINVAL and a sentence. */
int gyve_glue_asleep(const struct gyve_task *task, struct gyve_err *err);

/* glue_libraries.c */

/** Are there symbols of a Linux kernel with modules? */
bool gyve_glue_has_libraries(const struct gyve_target *t);
/** Its modules; tid 0: only whether there can be any. -EOPNOTSUPP. */
int gyve_glue_libraries(struct gyve_glue *g, int tid, const void **ret, size_t *len);
/** The guest goes on. */
void gyve_glue_libraries_changed(struct gyve_glue *g);
void gyve_glue_libraries_deinit(struct gyve_glue *g);
/** A module's file, for the client: a number, or -EACCES, -EMFILE and others. */
int gyve_glue_library_open(struct gyve_glue *g, const char *name);
/** Of such a number: what is open, or -1. */
int gyve_glue_library_fd(const struct gyve_glue *g, int number);
void gyve_glue_library_close(struct gyve_glue *g, int number);

/* glue_points.c: ops of libgdbstub */
int gyve_glue_insert_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *out);
int gyve_glue_remove_point(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *out);
int gyve_glue_set_conditions(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n,
			     struct gdbstub_err *out);
int gyve_glue_set_commands(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n, bool persist,
			   struct gdbstub_err *out);
/** The client lets threads do r[n]. */
void gyve_glue_points_resumed(struct gyve_glue *g, const struct gdbstub_resume *r, size_t n);
/** What every op does with its error. Returns ret. */
int gyve_glue_err(struct gdbstub_err *out, const struct gyve_err *err, int ret);

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
/* glue_file.c */
/** The file whose symbols describe the guest, by the name under which the client may open it; NULL: there is none. */
const char *gyve_glue_exec_file(struct gyve_glue *g);
extern const char gyve_glue_kernel_name[];
int gyve_glue_file_open(void *ctx, const char *path);
ssize_t gyve_glue_file_pread(void *ctx, int fd, void *buf, size_t len, uint64_t off);
int64_t gyve_glue_file_size(void *ctx, int fd);
int gyve_glue_file_close(void *ctx, int fd);
#endif
