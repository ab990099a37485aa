/* A live VM: memory, vCPU threads, breakpoints, run control. Run control has one owner (src/vmm/run.c), one lock;
 * all-stop means every vCPU has left run() before a stop is reported. The session thread calls the functions here. */
#ifndef GYVE_VM_H
#define GYVE_VM_H
#include "gyve/backend.h"
#include "gyve/loader.h"

struct gyve_vm;

enum gyve_stop_kind {
	GYVE_STOP_NONE,
	GYVE_STOP_SW_BP,
	GYVE_STOP_HW_BP,
	GYVE_STOP_WATCH,
	GYVE_STOP_RWATCH,
	GYVE_STOP_AWATCH,
	GYVE_STOP_STEP,
	GYVE_STOP_INTERRUPT,   /**< asked for from outside */
	GYVE_STOP_CRASH,       /**< triple fault, unassistable instruction, ...: text says what; the guest cannot go on */
	GYVE_STOP_EXIT,        /**< the guest is gone; code */
	GYVE_STOP_CATCH,       /**< it has taken an exception: pc is the handler's first instruction */
	GYVE_STOP_CALL,        /**< it makes hypercall number `code`, which is carried out when the vCPU goes on */
	GYVE_STOP_CALL_RETURN, /**< that is done */
	GYVE_STOP_PAUSE,       /**< non-stop: this vCPU was asked to stop */
	GYVE_STOP_LIBRARY,     /**< it is where the kernel's modules change: gyve_vm_library_at() */
};
/** Exceptions that can be made to stop it. */
enum gyve_catch {
	GYVE_CATCH_PF, /**< x86_64 #PF, #GP, #UD, #DF */
	GYVE_CATCH_GP,
	GYVE_CATCH_UD,
	GYVE_CATCH_DF,
	GYVE_CATCH_SYNC, /**< aarch64: synchronous exceptions, SError */
	GYVE_CATCH_SERROR,
	GYVE_CATCH_PANIC, /**< no exception: a kernel's function that is its end, see gyve_vm_panic_at() */
	GYVE_CATCH_N
};
/** Why it stopped. */
struct gyve_stop {
	enum gyve_stop_kind kind;
	unsigned cpu;
	gyve_gva_t pc, addr;
	int code;
	unsigned catches; /**< CATCH, and breakpoints there: bit mask 1u << GYVE_CATCH_* of what that handler is for */
	char text[1024];
};

enum gyve_point_kind { GYVE_POINT_SW, GYVE_POINT_HW, GYVE_POINT_WRITE, GYVE_POINT_READ, GYVE_POINT_ACCESS }; /* Z0..Z4 */

/** An address space of the guest. */
struct gyve_space {
	bool on; /**< false: each vCPU's own, whichever it has */
	bool has_root1;
	uint64_t root, root1; /**< CR3; TTBR0, TTBR1 */
	char name[32];        /**< as the user named it: "pid 42"; may be "" */
};

enum gyve_action {
	GYVE_ACT_NONE, /**< stays parked */
	GYVE_ACT_CONT,
	GYVE_ACT_STEP,
	GYVE_ACT_RANGE,
	GYVE_ACT_STOP, /**< non-stop: it shall stop, as GYVE_STOP_PAUSE */
};
struct gyve_resume {
	enum gyve_action act;
	gyve_gva_t start, end; /**< RANGE: step while pc in [start, end) */
};

/** How software breakpoints are done; AUTO: the first that the host can do. */
enum gyve_break_strategy {
	GYVE_BREAK_AUTO,
	GYVE_BREAK_NATIVE,         /**< a planted instruction leaves as a debug exit */
	GYVE_BREAK_INTERNAL_ERROR, /**< a planted instruction leaves as a failed emulation */
	GYVE_BREAK_DEBUG_REGISTER, /**< while there are any, then by stepping */
	GYVE_BREAK_STEP,           /**< every vCPU steps, and its pc is compared */
	GYVE_BREAK_UNSEEN, /**< debug registers while nothing else needs them, so that the guest's code stays as it is, then as
			      AUTO. What AUTO means for guests that patch their own code: Linux */
};
/** How watchpoints are done; AUTO: each by the first that is possible for it. */
enum gyve_watch_strategy {
	GYVE_WATCH_AUTO,
	GYVE_WATCH_DEBUG_REGISTER,
	GYVE_WATCH_PAGE, /**< its pages are read-only or absent for the guest: accesses leave it. Where that is impossible: STEP
			  */
	GYVE_WATCH_STEP, /**< every vCPU steps, and the bytes are compared */
};

struct gyve_vm_options {
	struct gyve_boot_params boot;
	const struct gyve_backend_ops *backend; /**< NULL: kvm */
	struct gyve_sink out;
	bool stopped;                            /**< begin stopped at the first instruction */
	bool debugger;                           /**< one may attach: crashes become stops and wait for it */
	enum gyve_break_strategy break_strategy; /**< -ENOTSUP from gyve_vm_create() where the host cannot */
	enum gyve_watch_strategy watch_strategy;
	bool no_probe_cache;
	bool thp, ksm;            /**< guest memory in huge pages; equal pages merged: as far as the host does that */
	bool pit, cpu_pm;         /**< as in struct gyve_vm_config */
	const unsigned *affinity; /**< host CPU of each vCPU's thread; NULL: any. Borrowed during gyve_vm_create() */
	/** Called once when everything is open and before the first vCPU thread; and on each vCPU thread before it enters the
	 * guest. What they fail with gyve_vm_create() fails with. NULL: nothing. */
	int (*isolate)(void *ctx, struct gyve_err *err);
	int (*isolate_thread)(void *ctx, struct gyve_err *err);
	int (*isolate_devices)(void *ctx, struct gyve_err *err); /**< the same, on the thread of devices */
	void *isolate_ctx;
};
/** Load and set up; vCPU threads exist and are parked. err names what is wrong; -ENOEXEC the image, -ENODEV/-EACCES/-ENOTSUP
 * KVM. */
int gyve_vm_create(const struct gyve_vm_options *opt, struct gyve_vm **ret, struct gyve_err *err);
void gyve_vm_destroy(struct gyve_vm *vm);
/** Let every vCPU run for the first time (unless opt.stopped). */
int gyve_vm_start(struct gyve_vm *vm);

unsigned gyve_vm_ncpus(const struct gyve_vm *vm);
const struct gyve_arch *gyve_vm_arch(const struct gyve_vm *vm);
const struct gyve_memmap *gyve_vm_memmap(const struct gyve_vm *vm);
const struct gyve_layout *gyve_vm_layout(const struct gyve_vm *vm);
/** Its platform's name: "hermit", "bare", "linux". */
const char *gyve_vm_platform(const struct gyve_vm *vm);
const struct gyve_host_caps *gyve_vm_caps(const struct gyve_vm *vm);

/** Readable when a stop is waiting. */
int gyve_run_eventfd(struct gyve_vm *vm);
/** Take the reported stop: true once per stop, when every vCPU is parked. */
bool gyve_run_take_stop(struct gyve_vm *vm, struct gyve_stop *ret);
bool gyve_run_stopped(struct gyve_vm *vm);
/** Ask all vCPUs to stop; the stop is reported as INTERRUPT unless something else came first. */
void gyve_run_interrupt(struct gyve_vm *vm);
/** Resume: actions[ncpus]; NULL: as before the stop. -EBUSY when not stopped, -ESRCH when the guest has ended. A pending second
 * hit is reported at once. Non-stop: of vCPUs that are stopped; NONE leaves each as it is. */
int gyve_run_resume(struct gyve_vm *vm, const struct gyve_resume *actions);
/** Non-stop: from now on a vCPU that has something to tell stops alone, the others go on, and each such stop is taken by
 * itself. gyve_run_stopped() is then true only when all of them have been stopped from outside (gyve_run_interrupt(), an end).
 * Off: those that are stopped go on, unless all are. */
void gyve_run_nonstop(struct gyve_vm *vm, bool on);
/** Is this one stopped, alone or with all? */
bool gyve_vcpu_stopped(struct gyve_vm *vm, unsigned cpu);
/** Non-stop: the first vCPU that runs stops, as GYVE_STOP_INTERRUPT. */
void gyve_run_interrupt_one(struct gyve_vm *vm);
/** Registers of a vCPU whether or not it runs: then all wait for the moment that it takes. -EIO: the host refused. */
int gyve_vcpu_peek(struct gyve_vm *vm, unsigned cpu, unsigned groups, struct gyve_regs *ret);
/** End the guest: every vCPU thread leaves; a STOP_EXIT with code is reported if none was. */
void gyve_run_kill(struct gyve_vm *vm, int code);
/** What the guest is given when it is next reset, copied; NULL: what it was given at first. -ENOMEM. */
int gyve_vm_arguments(struct gyve_vm *vm, const char *const *args);
/** "NAME=VALUE" sets, "NAME" removes a variable of that environment; NULL: as it was at first. -ENOMEM. */
int gyve_vm_environment(struct gyve_vm *vm, const char *text);
/** Reload the image and reset all vCPUs; breakpoints are kept. Only while stopped, or when it has ended: then it is stopped
 * again. After an error it cannot go on. */
int gyve_vm_reset(struct gyve_vm *vm, struct gyve_err *err);

/** Before gyve_vm_start(): if the image moves itself, run it until it is seen where to, and reset it. The layout's place says
 * it then; 0: it was not seen. What the guest says meanwhile is to be thrown away. An error: the guest cannot be used. */
int gyve_vm_find_place(struct gyve_vm *vm, struct gyve_err *err);

/* While stopped: registers (cached; written back at resume). Pointer borrowed until resume; NULL on error. */
struct gyve_regs *gyve_vcpu_regs(struct gyve_vm *vm, unsigned cpu, unsigned groups);
/** Mark groups as changed. */
void gyve_vcpu_regs_dirty(struct gyve_vm *vm, unsigned cpu, unsigned groups);
/** The backend's msr and irq_reg, while stopped. -ENOTSUP: it has none. */
int gyve_vcpu_msr(struct gyve_vm *vm, unsigned cpu, bool write, uint32_t index, uint64_t *val);
/** The backend's msr_list. 0: it has none. */
size_t gyve_vcpu_msr_list(struct gyve_vm *vm, unsigned cpu, uint32_t *ret, size_t max);
int gyve_vcpu_irq_reg(struct gyve_vm *vm, unsigned cpu, enum gyve_irq_part part, uint32_t reg, uint64_t *ret);
/** One access of 1 to 8 bytes to a device, as if vCPU cpu had made it, while stopped. -EFAULT: there is none at addr. */
int gyve_vm_device(struct gyve_vm *vm, unsigned cpu, bool pio, bool write, uint64_t addr, void *buf, unsigned len,
		   struct gyve_err *err);
/** Readable when breakpoint commands have printed something. */
int gyve_vm_text_fd(struct gyve_vm *vm);
/** Take it, at most size bytes; vCPUs that print faster than that wait. Returns bytes. Any time. */
size_t gyve_vm_take_text(struct gyve_vm *vm, char *buf, size_t size);
/** Short line about a vCPU's state: "running", "halted", "stopped". */
int gyve_vcpu_describe(struct gyve_vm *vm, unsigned cpu, char *buf, size_t size);

/** Guest memory with planted breakpoint bytes hidden; writes keep them planted. physical. */
struct gyve_mem gyve_vm_phys(struct gyve_vm *vm);

/** Insert / remove a point. gva is an intent: it is planted now or later (design rule 5). err explains a refusal. */
int gyve_bp_insert(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len, struct gyve_err *err);
/** One condition: GDB agent expression bytecode. Borrowed for the call. */
struct gyve_agent_expr {
	const uint8_t *code;
	size_t len;
};
/** Conditions of a breakpoint, in place of those it had; it stops where one of them is true or cannot be evaluated; n 0:
 * always. While stopped. -EINVAL: an expression that cannot be evaluated; -ENOENT: no such breakpoint. */
int gyve_bp_conditions(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
		       struct gyve_err *err);
/** Commands of a breakpoint, in place of those it had: where its conditions hold, or it has none, they are carried out by the
 * vCPU that meets it, which then goes on. n 0: it stops. persist: also when gyve_bp_clear() has ended everything else. As
 * gyve_bp_conditions(). */
int gyve_bp_commands(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, const struct gyve_agent_expr *e, size_t n,
		     bool persist, struct gyve_err *err);
int gyve_bp_remove(struct gyve_vm *vm, enum gyve_point_kind kind, gyve_gva_t gva, uint64_t len);
/** The four above name points of this address space from now on (NULL or off: of none), but for addresses that are the same in
 * all of them: Linux' upper half, aarch64's without has_root1. Such a point stops only vCPUs that have that space; on others
 * that get to the same memory it has no effect. Planted by a walk from s->root when it is inserted, later by those of vCPUs
 * that use it: also when the page is mapped then only, or moves. */
void gyve_bp_space(struct gyve_vm *vm, const struct gyve_space *s);
void gyve_bp_clear(struct gyve_vm *vm);
/** Call cb with two lines of text about the strategies and why they were chosen, then one per point: kind, address, how it is
 * planted now. */
void gyve_bp_list(struct gyve_vm *vm, void (*cb)(void *ctx, const char *line), void *ctx);

/** Stop, or no longer, when the guest takes the exception. Only while stopped; gyve_bp_clear() ends all of them. -ENOTSUP: the
 * architecture has no such exception. */
int gyve_vm_catch(struct gyve_vm *vm, enum gyve_catch what, bool on, struct gyve_err *err);
/** Where GYVE_CATCH_PANIC is; before it is asked for. */
void gyve_vm_panic_at(struct gyve_vm *vm, gyve_gva_t gva);
/** Stop at these addresses as GYVE_STOP_LIBRARY, in place of those named before (n 0: nowhere). Only while stopped;
 * gyve_bp_clear() ends it. -ENOTSUP: breakpoints are done by stepping here, which is not worth it. */
int gyve_vm_library_at(struct gyve_vm *vm, const gyve_gva_t *at, size_t n, struct gyve_err *err);
/** Bit mask 1u << GYVE_CATCH_*. */
unsigned gyve_vm_catches(const struct gyve_vm *vm);

/** Who wants to hear of hypercalls: the client, of their begin and end; `monitor catch`, of their begin. */
enum gyve_call_owner { GYVE_CALLS_CLIENT, GYVE_CALLS_MONITOR, GYVE_CALLS_OWNERS };
/** Stop at these hypercalls (all, or n of them; none), in place of those that the owner had named. Only while stopped;
 * gyve_bp_clear() ends it. -ENOTSUP: the guest has none. */
int gyve_vm_catch_calls(struct gyve_vm *vm, enum gyve_call_owner owner, bool all, const uint32_t *numbers, size_t n,
			struct gyve_err *err);
bool gyve_vm_call_caught(const struct gyve_vm *vm, enum gyve_call_owner owner, uint32_t number);
/** Name and number of the guest interface's i-th hypercall; NULL behind the last. */
const char *gyve_vm_call(const struct gyve_vm *vm, size_t i, uint32_t *number);

struct gyve_stat {
	char name[40];
	uint64_t count;
};
/** Exits by kind, hypercalls, and assists by mnemonic, summed over vCPUs; then each vCPU's exits and processor time. Returns
 * entries (malloced array in *ret, caller frees). */
ssize_t gyve_vm_stats(struct gyve_vm *vm, struct gyve_stat **ret);
#endif
