/* One view over a guest: threads (vCPUs), registers, memory, and run control if it has any. A live VM is one target; an opened
 * dump is another. The debugger stub, the monitor and the crash report are written against this and nothing else.
 * One thread at a time uses a target (the session thread). */
#ifndef GYVE_TARGET_H
#define GYVE_TARGET_H
#include "gyve/core.h"
#include "gyve/sym.h"
#include "gyve/trace.h"
#include "gyve/vm.h"

/** What a kind of target can do. Each function gets gyve_target.ctx. A NULL slot: it cannot, and the wrapper says -ENOTSUP. */
struct gyve_target_ops {
	const char *name;       /**< "live" */
	const char *cannot_run; /**< why resume is NULL, as a sentence */
	bool (*stopped)(void *ctx);
	/** Registers of a stopped vCPU; borrowed until resume, NULL on error. */
	struct gyve_regs *(*regs)(void *ctx, unsigned cpu, unsigned groups);
	void (*regs_dirty)(void *ctx, unsigned cpu, unsigned groups);
	bool (*cpu_stopped)(void *ctx, unsigned cpu); /**< NULL: as stopped() */
	/** Of a vCPU that may run; as gyve_vcpu_peek(). */
	int (*peek)(void *ctx, unsigned cpu, unsigned groups, struct gyve_regs *ret);
	void (*nonstop)(void *ctx, bool on); /**< as gyve_run_nonstop() */
	void (*interrupt_one)(void *ctx);
	int (*describe)(void *ctx, unsigned cpu, char *buf, size_t size);
	int (*resume)(void *ctx, const struct gyve_resume *actions);
	void (*interrupt)(void *ctx);
	void (*kill)(void *ctx, int code);
	int (*reset)(void *ctx, struct gyve_err *err);
	int (*arguments)(void *ctx, const char *const *args); /**< of the next reset; see vm.h */
	int (*environment)(void *ctx, const char *text);
	int (*event_fd)(void *ctx); /**< readable when a stop waits */
	bool (*take_stop)(void *ctx, struct gyve_stop *ret);
	int (*point_insert)(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len, struct gyve_err *err);
	int (*point_conditions)(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
				struct gyve_err *err);
	int (*point_commands)(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
			      bool persist, struct gyve_err *err);
	int (*text_fd)(void *ctx); /**< readable when breakpoint commands have printed something */
	size_t (*take_text)(void *ctx, char *buf, size_t size);
	int (*point_remove)(void *ctx, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len);
	/** As gyve_vm_library_at(). */
	int (*library_at)(void *ctx, const gyve_gva_t *at, size_t n, struct gyve_err *err);
	void (*point_space)(void *ctx, const struct gyve_space *s); /**< as gyve_bp_space() */
	struct gyve_trace *(*trace)(void *ctx);
	void (*points_clear)(void *ctx);
	void (*points_list)(void *ctx, void (*cb)(void *ctx, const char *line), void *cb_ctx);
	ssize_t (*stats)(void *ctx, struct gyve_stat **ret);
	int (*catch_set)(void *ctx, enum gyve_catch what, bool on, struct gyve_err *err);
	unsigned (*catches)(void *ctx);
	void (*panic_at)(void *ctx, gyve_gva_t gva);
	int (*catch_calls)(void *ctx, enum gyve_call_owner owner, bool all, const uint32_t *numbers, size_t n,
			   struct gyve_err *err);
	bool (*call_caught)(void *ctx, enum gyve_call_owner owner, uint32_t number);
	const char *(*call_row)(void *ctx, size_t i, uint32_t *number);
	/* of a stopped vCPU; see vm.h */
	int (*msr)(void *ctx, unsigned cpu, bool write, uint32_t index, uint64_t *val);
	size_t (*msr_list)(void *ctx, unsigned cpu, uint32_t *ret, size_t max);
	int (*irq_reg)(void *ctx, unsigned cpu, enum gyve_irq_part part, uint32_t reg, uint64_t *ret);
	int (*device)(void *ctx, unsigned cpu, bool pio, bool write, uint64_t addr, void *buf, unsigned len,
		      struct gyve_err *err);
};

enum { GYVE_DESCRIBE_CPU = 1 }; /**< as the vCPU's mode is */

struct gyve_target {
	const struct gyve_target_ops *ops;
	void *ctx;
	const struct gyve_arch *arch;
	unsigned ncpus;
	struct gyve_mem phys;              /**< bytes at gpa, planted breakpoints hidden */
	const struct gyve_memmap *map;     /**< NULL: unknown */
	const struct gyve_layout *layout;  /**< NULL: unknown */
	const struct gyve_symtab *syms;    /**< NULL: none */
	const struct gyve_host_caps *caps; /**< NULL: no host */
	char *image;                       /**< absolute path of the image file, owned; NULL: none */
	uint64_t boot_root;                /**< address-space root at the first instruction */
	bool boot_root_known;
	bool flat;                /**< page tables are not known: addresses are taken as they stand */
	unsigned pa_bits;         /**< guest-physical address width where there is no host to ask; 0 unknown */
	struct gyve_stop last;    /**< why it is stopped now */
	unsigned look_cpu;        /**< monitor commands look through this vCPU + 1; 0: through the one gdb has selected */
	unsigned describe_bits;   /**< x86_64: registers are shown to clients as of 16, 32, 64 bits, or GYVE_DESCRIBE_CPU; 0: as
				     of the image */
	bool touch_devices;       /**< reads go to devices, too: somebody asks for just these bytes, knowing what that may do */
	struct gyve_space as;     /**< virtual addresses are those of this address space, not of the vCPU's (monitor as) */
	struct gyve_panic *panic; /**< hears its console; NULL: nobody does */
	bool catch_heard_panic;   /**< a debugger shall hear of it */
	bool syms_adrift;         /**< a kernel has put itself elsewhere than syms say */
	struct gyve_symtab *drifts;             /**< syms, if that may become known (src/target/slide.h); NULL: it may not */
	const char *vmcoreinfo;                 /**< what a Linux guest says of itself, borrowed; NULL: to be looked for */
	struct gyve_kernel *kernel;             /**< src/target/kernel.h; NULL: not looked for, or not found */
	bool tasks;                             /**< clients see the tasks of a Linux guest as threads, not the vCPUs */
	struct gyve_module_files *module_files; /**< src/target/modules.h; borrowed; NULL: none */
	bool image_raw;                         /**< the image is no ELF file: nothing a debugger could read */
	void (*release)(struct gyve_target *t); /**< frees ctx at deinit; NULL: ctx is borrowed */
};

/** Files of kernel modules below a directory. -ENOENT and others with a sentence. */
int gyve_module_files_open(struct gyve_module_files **ret, const char *dir, struct gyve_err *err);
void gyve_module_files_close(struct gyve_module_files *f);
/** A live VM, not started yet, as a target. vm and syms are borrowed, the image's path is copied. -ENOMEM. */
int gyve_target_live(struct gyve_target *ret, struct gyve_vm *vm, const struct gyve_symtab *syms, const char *image);
/** An opened dump as a target: as a live one, but it cannot run. Borrows core and syms, copies image. Memory and registers are
 * writable if core is. */
int gyve_target_post(struct gyve_target *ret, struct gyve_core *core, const struct gyve_symtab *syms, const char *image);
void gyve_target_deinit(struct gyve_target *t);
/** The same in a process of its own, which has the guest's memory as it is now and calls done (with the result, or err) when it
 * is through; the guest may go on at once. Returns that process, to be waited for; or a negative errno. */
pid_t gyve_target_dump_live(struct gyve_target *t, const char *path, const struct gyve_core_options *opt, const char *why,
			    void (*done)(void *ctx, int ret, const struct gyve_core_result *result, const struct gyve_err *err),
			    void *done_ctx, struct gyve_err *err);
/** Write a stopped target as a dump; why is one word: "request", "crash", "exit". As gyve_core_write(), and -EBUSY. */
int gyve_target_dump(struct gyve_target *t, const char *path, const struct gyve_core_options *opt, const char *why,
		     struct gyve_core_result *result, struct gyve_err *err);
/** The guest is at its first instruction: while this address-space root stays, the layout stands in for missing tables. */
void gyve_target_note_boot(struct gyve_target *t);

bool gyve_target_stopped(const struct gyve_target *t);
/** Is this vCPU stopped, alone (non-stop) or with all? */
bool gyve_target_cpu_stopped(const struct gyve_target *t, unsigned cpu);
/** -EBUSY: it runs; -ESRCH: no such vCPU; -EIO: the host refused. *ret is borrowed until resume. */
int gyve_target_regs(struct gyve_target *t, unsigned cpu, unsigned groups, struct gyve_regs **ret, struct gyve_err *err);
/** One register by row, row->bits / 8 bytes. -ENODATA: not available. */
int gyve_target_reg_get(struct gyve_target *t, unsigned cpu, const struct gyve_reg_row *row, void *buf, struct gyve_err *err);
/** -EROFS: the row is read-only. */
int gyve_target_reg_set(struct gyve_target *t, unsigned cpu, const struct gyve_reg_row *row, const void *buf,
			struct gyve_err *err);
/** Paging state of a vCPU; where it runs, as it is at this moment. */
int gyve_target_mmu(struct gyve_target *t, unsigned cpu, struct gyve_mmu *ret, struct gyve_err *err);
/** Where gva lies now: the live walk, else (until the guest changes its root) the segment it was loaded to; *by_layout says
 * which. -EFAULT with the failed walk in w. */
int gyve_target_translate(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, struct gyve_walk *w, bool *by_layout,
			  struct gyve_err *err);
/** Bytes at gva as vCPU cpu sees memory; where a device is, by an access to it if t->touch_devices. Short at the first unmapped
 * byte; -EFAULT if none, err says why. */
ssize_t gyve_target_read(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, void *buf, size_t len, struct gyve_err *err);
/** All of len, or a negative errno; to devices as well; bytes before the first unmapped one may have been written. */
int gyve_target_write(struct gyve_target *t, unsigned cpu, gyve_gva_t gva, const void *buf, size_t len, struct gyve_err *err);
/** The same by guest-physical address; also while it runs. */
ssize_t gyve_target_read_phys(struct gyve_target *t, gyve_gpa_t gpa, void *buf, size_t len, struct gyve_err *err);
int gyve_target_write_phys(struct gyve_target *t, gyve_gpa_t gpa, const void *buf, size_t len, struct gyve_err *err);

/** One access of 1, 2, 4 or 8 bytes to a device, as if vCPU cpu had made it; it has the effects such an access has. -EFAULT: no
 * device there; -EBUSY: it runs. */
int gyve_target_device(struct gyve_target *t, unsigned cpu, bool pio, bool write, uint64_t addr, void *buf, unsigned len,
		       struct gyve_err *err);

/** actions[ncpus], as gyve_run_resume(). -EBUSY: it runs already; -ENOTSUP: it cannot run. */
int gyve_target_resume(struct gyve_target *t, const struct gyve_resume *actions, struct gyve_err *err);
/** Every vCPU goes on. */
int gyve_target_continue(struct gyve_target *t);
void gyve_target_interrupt(struct gyve_target *t);
void gyve_target_kill(struct gyve_target *t, int code);
int gyve_target_reset(struct gyve_target *t, struct gyve_err *err);
/** -1: never. */
int gyve_target_event_fd(struct gyve_target *t);
/** Take a waiting stop; it is kept in t->last. */
bool gyve_target_take_stop(struct gyve_target *t, struct gyve_stop *ret);
int gyve_target_point_insert(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len,
			     struct gyve_err *err);
/** A breakpoint's conditions, in place of those it had; none: it always stops. -ENOTSUP, -EINVAL with a sentence. */
int gyve_target_point_conditions(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva,
				 const struct gyve_agent_expr *e, size_t n, struct gyve_err *err);
/** A breakpoint's commands, likewise; none: it stops. See gyve_bp_commands(). */
int gyve_target_point_commands(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva,
			       const struct gyve_agent_expr *e, size_t n, bool persist, struct gyve_err *err);
int gyve_target_point_remove(struct gyve_target *t, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len);
/** Tracing. NULL: this target has none. */
struct gyve_trace *gyve_target_trace(struct gyve_target *t);
void gyve_target_points_clear(struct gyve_target *t);

/** One monitor command; text goes to out. 0, -ENOENT unknown command, or another negative errno; err has a sentence. */
int gyve_monitor(struct gyve_target *t, unsigned cpu, const char *cmd, const struct gyve_sink *out, struct gyve_err *err);
struct gyve_frame;
/** One line of a backtrace: a function in a frame. */
struct gyve_bt_line {
	unsigned number;
	const struct gyve_frame *frame;   /**< gyve/unwind.h; borrowed for the call */
	const struct gyve_source *source; /**< gyve/sym.h; borrowed; NULL: no debug information there */
	unsigned level;                   /**< of the functions in this frame: 0 is the innermost */
	const char *symbol;               /**< "name+0x12", or "0x..." when even that is unknown */
	const char *how;                  /**< how the frame was found, when not by rules: "by frame pointer"; else "" */
};
/** The call stack of a stopped vCPU. Returns the number of frames or negative errno. */
int gyve_backtrace(struct gyve_target *t, unsigned cpu, unsigned max, void (*cb)(void *ctx, const struct gyve_bt_line *line),
		   void *ctx, struct gyve_err *err);
/** Parameters and variables of such a line, to be called from cb. */
void gyve_backtrace_locals(struct gyve_target *t, unsigned cpu, const struct gyve_bt_line *line, gyve_local_fn *fn, void *ctx);
enum { GYVE_BACKTRACE_LOCALS = 1 }; /**< variables below each frame */
/** The same as text in gdb's form, each line behind indent. Returns the number of frames or negative errno. */
int gyve_backtrace_print(struct gyve_target *t, unsigned cpu, unsigned max, unsigned flags, const char *indent,
			 const struct gyve_sink *out, struct gyve_err *err);
/** The paragraph for a guest that died: what, where (symbol, line), why (the failed walk); then its call stack. Returns length
 * as snprintf. */
int gyve_crash_text(struct gyve_target *t, const struct gyve_stop *stop, char *buf, size_t size);
/** The exception that stop->catches tells of: what, from where, why. Returns length as snprintf. */
int gyve_catch_text(struct gyve_target *t, const struct gyve_stop *stop, char *buf, size_t size);
/** "hypercall V1(FileOpen), number 0x440" and from where. Returns length as snprintf. */
int gyve_call_text(struct gyve_target *t, const struct gyve_stop *stop, char *buf, size_t size);
/** Exits and assists, one line each; only those whose name begins with prefix (NULL: all). 0 or negative errno. */
int gyve_target_print_stats(struct gyve_target *t, const char *prefix, const struct gyve_sink *out);

/* --- where a debugger may connect (server.c) */
enum gyve_listen_kind { GYVE_LISTEN_TCP, GYVE_LISTEN_UNIX, GYVE_LISTEN_STDIO, GYVE_LISTEN_TTY };
#define GYVE_GDB_PORT 6677
struct gyve_listen {
	enum gyve_listen_kind kind;
	char host[128]; /**< TCP: name or address, "127.0.0.1" unless given */
	char port[8];   /**< TCP: decimal; 0 lets the system choose */
	char path[108]; /**< UNIX, TTY */
};
/** "PORT", "HOST:PORT", "[V6]:PORT", "unix:PATH", "stdio", "tty:PATH"; "" or NULL is 127.0.0.1:6677. -EINVAL. */
int gyve_listen_parse(struct gyve_listen *ret, const char *spec, struct gyve_err *err);

/** A Linux kernel that panics while no debugger looks is stopped when its log and console have all of it, and that is a crash
 * then: for `dump` in struct gyve_serve, "panic". Where symbols say where `panic` and `console_flush_on_panic` are, and
 * breakpoints cost nothing here, by those; also by what it says on its console, and a reset. A debugger that asked
 * (catch_heard_panic) gets a stop. */
struct gyve_panic;
/** ends: it is a crash without a debugger; else only those hear of it; by_symbols: its names are a Linux kernel's. -ENOMEM,
 * -EMFILE. */
int gyve_panic_create(struct gyve_panic **ret, bool ends, bool by_symbols);
/** NULL ok. */
void gyve_panic_destroy(struct gyve_panic *p);
/** What the guest writes. Any thread, one at a time. */
void gyve_panic_hear(struct gyve_panic *p, const void *buf, size_t len);

struct gyve_server; /**< one listening place, opaque */
struct gyve_serve {
	struct gyve_target *target;
	int quit_fd; /**< readable: end the guest with quit_code and return; -1 none */
	int quit_code;
	int dump_fd;              /**< readable: call dump("request") with the guest stopped, then let it go on; -1 or 0 none */
	struct gyve_panic *panic; /**< NULL: nobody wants to know */
	/** Called with the guest stopped: it crashed ("crash", "panic"), ended ("exit", stop has the code), or was asked for.
	 * May be NULL. */
	void (*dump)(void *ctx, const char *why, const struct gyve_stop *stop);
	void *dump_ctx;
	int input_fd; /**< readable: call input, unless that is NULL */
	/** true: as if quit_fd had become readable. */
	bool (*input)(void *ctx);
	void *input_ctx;
	bool client_required; /**< stay stopped until the first client resumes the guest */
	bool observers;       /**< who comes while a debugger is connected may look on; else is told that there is one */
	/** Something a person at the terminal should read: one line or paragraph without newline. */
	void (*notice)(void *ctx, const char *text);
	void *notice_ctx;
};
/** Bind and listen. -EADDRINUSE and others with a sentence. */
int gyve_server_open(struct gyve_server **ret, const struct gyve_listen *listen, struct gyve_err *err);
/** Closes everything and removes a unix socket. NULL ok. */
void gyve_server_close(struct gyve_server *s);
/** Where it listens, for a protocol other than gdb's: nobody serves it then. -1: it does not. */
int gyve_server_fd(const struct gyve_server *s);
/** What to type after "target remote". */
const char *gyve_server_address(const struct gyve_server *s);
/** Serve debuggers until the guest has ended; *end is that stop: EXIT, or CRASH if that is what it died of. A client that
 * detaches or is lost leaves the guest running without points and another may connect (over stdio a lost client ends the
 * guest). s NULL: nobody can connect; wait only. */
int gyve_server_run(struct gyve_server *s, const struct gyve_serve *serve, struct gyve_stop *end);
#endif
