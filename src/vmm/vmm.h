/* Private to src/vmm: the machine's state and who may touch it.
 *
 * Threads: one per vCPU, and one session thread (the caller of gyve/vm.h). They meet under vm->lock. A vCPU is "inside" from
 * the moment its thread leaves the waiting room in run.c until it is back there; only while nobody is inside is the machine
 * stopped. What belongs to one vCPU (regs, debug state) is touched by its thread while inside, by the session thread while
 * the machine is stopped, and by nobody else. */
#ifndef GYVE_VMM_H
#define GYVE_VMM_H
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "addr_index.h"
#include "gyve/assist.h"
#include "gyve/dev.h"
#include "gyve/vm.h"
#include "step_a64.h"

#define KICK_SIGNAL SIGUSR1 /**< brings a vCPU's thread out of the guest; has no other meaning */

enum run_phase { PHASE_STOPPED, PHASE_RUNNING, PHASE_ENDED };

struct assist_count {
	char mnemonic[24];
	uint64_t count;
};

/** An aarch64 vCPU as the watchdog saw it last. */
struct gyve_lost {
	uint64_t elr, esr, far, sp;
	struct timespec at;
};

/** Entries of handlers for exceptions that are to be caught. */
struct catch_at {
	gyve_gva_t gva;
	unsigned kinds; /**< 1u << GYVE_CATCH_* */
};
struct catch_list {
	unsigned n;
	struct catch_at at[8];
};

/** A hypercall that the guest has made and that is not carried out yet (calls.c). */
struct waiting_call {
	bool waits, pio;
	uint32_t number;
	uint64_t addr;
	unsigned len;
	uint8_t data[8];
};
struct call_set {
	bool all;
	size_t n;
	uint32_t numbers[64];
};

struct gyve_vcpu {
	struct gyve_vm *vm;
	unsigned index;
	struct gyve_bvcpu *b;
	pthread_t thread;
	bool has_thread, has_watchdog, has_tick;
	timer_t watchdog, tick;
	struct gyve_lost lost;

	/* under vm->lock */
	bool inside;
	bool started;         /**< has been inside since the image was loaded */
	unsigned first_steps; /**< still to be made before vCPU 0 may start */
	bool was_stopped;     /**< not yet inside since the last stop */
	bool over; /**< the instruction at pc is stepped first, its breakpoint out of the way, the others waiting (vm->over) or
		      paused */
	struct gyve_resume act; /**< what it may do while the machine runs */
	struct gyve_stop hit;   /**< a stop of this vCPU nobody has been told yet; kind NONE: none */
	uint64_t hit_seq;       /**< order of hits over all vCPUs */
	bool told;              /**< the last stop told was a breakpoint of this vCPU at told_pc */
	bool stopped_all;       /**< the last stop told was its */
	bool told_watch;        /**< it was a watchpoint that fires before its access */
	gyve_gva_t told_pc;
	enum { STOP_ME_NOT, STOP_ME_PAUSE, STOP_ME_INTERRUPT } stop_me; /**< non-stop: wanted out; also read without the lock */
	bool posted;                                                    /**< non-stop: hit is to be taken */
	bool cut_short;  /**< it came out before its step over a breakpoint was done */
	bool alone;      /**< the others wait outside the guest (alone.c) */
	bool over_watch; /**< watchpoints are out of the way, too, for the step over pc */

	/* of whoever owns the vCPU (above) */
	struct gyve_regs regs;               /**< cache; regs.valid says which groups */
	unsigned dirty;                      /**< groups to store before the next run */
	struct gyve_debug debug;             /**< what the backend was told last */
	uint64_t debug_key;                  /**< what debug was made from */
	gyve_gva_t entry_pc;                 /**< pc at the last entry, while stepping */
	uint64_t entry_sp;                   /**< stack pointer there (x86_64) */
	uint64_t entry_gpr[33];              /**< general registers then, those before the pc */
	unsigned unmoved;                    /**< steps in a row that changed nothing */
	bool masked;                         /**< the last step left A, I and F of PSTATE set: no loan is needed */
	struct a64_lent lent;                /**< what the step under way has borrowed; bits 0: nothing */
	gyve_gva_t unit_ends[A64_UNIT_ENDS]; /**< where the exclusive access under way as one step ends */
	unsigned nunit_ends;
	bool lift;        /**< the instruction at pc is to be stepped with the watched pages as they are without watching */
	bool skip;        /**< with lift: and without the breakpoint there, whose condition is false */
	bool skip_watch;  /**< with skip: and without watchpoints, one of which fires before the access, in another's space */
	bool device;      /**< the last exit was an access to a device */
	bool wants_alone; /**< bp_sync() has more to do when the others are out of the guest */
	bool done_watch;  /**< the watch hit to be told was found behind its access, also on aarch64 */
	struct gyve_stop watch; /**< a hit by an access to a protected page, to be told when the instruction is through */
	struct waiting_call call;
	struct catch_list catches; /**< as found last; under vm->book_lock */
	uint64_t exits[GYVE_EXIT_UNKNOWN + 1];
	uint64_t skipped; /**< instructions at points that skip.c carried out */
	bool agent_done; /**< what the points at agent_pc do beside stopping is done, and the instruction there is still to come
			  */
	gyve_gva_t agent_pc;
	uint64_t trace_steps; /**< still to be collected after a hit of the tracepoint trace_point */
	unsigned trace_point; /**< index */
};

struct bp_exprs;   /* cond.c */
struct gyve_trace; /* trace.c */

enum point_state { POINT_PENDING, POINT_BYTES, POINT_DEBUG_REG, POINT_SOFT, POINT_PAGE };

#define POINT_SLOTS 4 /**< debug registers one point may take: 8 bytes each */

enum { POINT_USER = 1, POINT_CATCH = 2, POINT_TRACE = 4, POINT_STAYS = 8, POINT_LIBRARY = 16 };

/** What the user asked for, and how it is planted now. */
struct point {
	enum gyve_point_kind kind;
	unsigned owners; /**< POINT_USER: the client; CATCH: an exception's handler begins there; TRACE: a tracepoint is there;
			    STAYS: it was a client's who is gone, and its commands are still carried out; LIBRARY:
			    the kernel's modules change there */
	gyve_gva_t gva;
	uint64_t len;
	struct gyve_space in; /**< where gva is meant */
	enum point_state state;
	bool yields;    /**< DEBUG_REG: a software breakpoint, planted when another needs the register (unseen.c) */
	bool by_layout; /**< BYTES: placed by the loader's table, the guest had no mapping for it */
	gyve_gpa_t gpa; /**< BYTES: where */
	uint8_t *old;   /**< SOFT, PAGE: the watched bytes as last seen, len of them */
	bool old_known;
	gyve_gpa_t *pages; /**< PAGE: guest-physical address of each 4 KiB page of the range, as mapped at the last resume */
	const char *why;   /**< SOFT: what keeps it from being PAGE */
	struct bp_exprs *conds; /**< NULL: it always stops */
	struct bp_exprs *cmds;  /**< carried out in place of a stop; NULL: none */
};

/** A part of RAM and what the guest may do there. Together they are all of it, in order. */
enum part_access { PART_FREE, PART_READONLY, PART_ABSENT };
struct ram_part {
	gyve_gpa_t gpa;
	uint64_t len;
	enum part_access access;
};

/** Breakpoint bytes in guest memory, one per guest-physical address. */
struct plant {
	gyve_gpa_t gpa;
	uint8_t len, orig[4];
	unsigned refs;   /**< points */
	unsigned spaced; /**< of these, points of an address space: planted again only when that still has its page here */
	bool lifted;     /**< out of the way for a step */
};

struct gyve_vm {
	const struct gyve_backend_ops *ops;
	struct gyve_bvm *b;
	const struct gyve_platform_ops *platform;
	void *platform_state;
	const struct gyve_arch *arch;
	struct gyve_vm_options opt;
	const uint8_t *image;
	size_t image_size;
	struct gyve_elf *elf;
	struct gyve_layout layout;
	struct gyve_memmap map;
	void *ram;
	unsigned ncpus;
	struct gyve_vcpu *cpus;
	uint64_t boot_root; /**< address-space root at the first instruction */

	pthread_mutex_t lock;
	pthread_cond_t cond; /**< something in the waiting room changed */
	enum run_phase phase;
	bool stop_wanted; /**< every vCPU shall come out; also read without the lock (atomic) */
	bool interrupt_wanted, dying, ending;
	int exit_code;
	bool nonstop;
	unsigned ninside;
	unsigned nbegun;           /**< threads that have tried to isolate themselves */
	struct gyve_err begin_err; /**< the first of them that could not */
	struct gyve_vcpu *over;    /**< only this one may go inside */
	struct gyve_vcpu *alone;   /**< only this one may be in the guest; also read without the lock (atomic) */
	unsigned npaused;          /**< vCPUs inside that wait for alone to end */
	uint64_t next_seq;
	struct gyve_stop report; /**< the stop to be taken; kind NONE: taken */
	int event_fd;
	bool signal_later; /**< a vCPU comes out: it signals when it is not under the lock any more */
	bool signal_due;
	struct {
		pthread_mutex_t lock;
		pthread_cond_t cond; /**< there is room again */
		char *buf;
		size_t len, cap;
		int fd;
	} text;                   /**< text.c */
	struct gyve_trace *trace; /**< trace.c */
	struct gyve_dev_host dev; /**< loop NULL: the platform has no devices */

	/* the breakpoint book, under book_lock (recursive; taken after lock when both are held) */
	pthread_mutex_t book_lock;
	struct point *points;
	size_t npoints, points_cap;
	struct addr_index points_at; /**< by gva */
	struct plant *plants;
	size_t nplants, plants_cap;
	struct addr_index plants_at;   /**< by gpa */
	size_t plants_checked;         /**< where plant_sync() goes on */
	size_t lifted_from, lifted_to; /**< all plants that are lifted are in [from, to) */
	size_t nwatch;                 /**< watchpoints */
	size_t nregs;                  /**< points in state DEBUG_REG */
	size_t nsoft;                  /**< points in state SOFT */
	size_t npage;                  /**< points in state PAGE */
	struct ram_part *parts;
	size_t nparts;
	bool parts_lifted; /**< all of them are free for a step */
	size_t npending;
	size_t nspaced;                               /**< points of an address space that are planted, or to be planted */
	size_t spaced_checked;                        /**< where space_sync() goes on */
	struct gyve_space space;                      /**< of points that the client names */
	struct call_set call_sets[GYVE_CALLS_OWNERS]; /**< change only while stopped */
	bool calls_caught;                            /**< one of them is not empty */
	gyve_gva_t panic_at;                          /**< 0: unknown */
	unsigned catch_mask;                          /**< exceptions to be caught; changes only while stopped */
	unsigned book_gen;                            /**< changes with every change of what the debug registers hold */
	struct assist_count *assists;
	size_t nassists;
	/* restart.c: what boot.args and boot.env are now, if not what they were at first */
	char **own_args, **own_env;
	const char *const *first_args, *const *first_env;
};

/* --- vcpu.c: one vCPU outside of run control */

/** Fetch what is missing of groups into the cache. NULL: the host refused. */
struct gyve_regs *vcpu_regs(struct gyve_vcpu *v, unsigned groups);
/** aarch64: have these general registers, bit n for Xn, bit 31 for SP; elsewhere all of them. False: the host refused. */
bool vcpu_x(struct gyve_vcpu *v, uint32_t mask);
/** They have new values in the cache, which need not have held them. */
void vcpu_x_changed(struct gyve_vcpu *v, uint32_t mask);
/** Store what is dirty. 0 or negative errno. */
int vcpu_flush(struct gyve_vcpu *v);
/** Back to the state the platform defines for the first instruction. */
int vcpu_init_state(struct gyve_vcpu *v, struct gyve_err *err);
/** Before an entry that steps: remember the general registers. vCPU thread. */
void vcpu_note_entry(struct gyve_vcpu *v);
/** The general registers and pc are what they were then. */
bool vcpu_unchanged(struct gyve_vcpu *v);
gyve_gva_t vcpu_pc(struct gyve_vcpu *v);
bool vcpu_mmu(struct gyve_vcpu *v, struct gyve_mmu *ret);
/** Enough of it to translate gva; the memory type may be wrong. */
bool vcpu_mmu_at(struct gyve_vcpu *v, gyve_gva_t gva, struct gyve_mmu *ret);
/** Guest bytes as this vCPU sees them, breakpoint bytes hidden. As gyve_virt_read(). */
ssize_t vcpu_read(struct gyve_vcpu *v, gyve_gva_t gva, void *buf, size_t len);

/* --- step_x86.c: before and after each step of an x86_64 vCPU. */
void step_x86_begin(struct gyve_vcpu *v);
void step_x86_end(struct gyve_vcpu *v);

/* --- exit.c: what an exit means. All are called by the vCPU's thread, inside, without the lock. */

enum exit_result {
	EXIT_AGAIN, /**< nothing to report: run on */
	EXIT_MOVED, /**< as AGAIN, and exactly one instruction was completed */
	EXIT_STOP,  /**< *stop says why */
};
enum exit_result exit_handle(struct gyve_vcpu *v, struct gyve_exit *e, bool stepping, struct gyve_stop *stop);
/** Fill *stop as a crash of v. Returns EXIT_STOP. */
enum exit_result exit_crash(struct gyve_vcpu *v, struct gyve_stop *stop, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** An access of v to a device, whose cpu and callbacks are filled in here. */
enum exit_result exit_device(struct gyve_vcpu *v, struct gyve_access *a, struct gyve_stop *stop);
/** assist.c: carry out what the host could not emulate at pc. */
enum exit_result exit_assist(struct gyve_vcpu *v, const struct gyve_exit *e, struct gyve_stop *stop);

/* --- calls.c: hypercalls that are to be caught. vCPU thread, inside, but for call_clear(). */

/** Is this access one? Then *stop tells it, and the call waits in v->call. */
bool call_caught(struct gyve_vcpu *v, const struct gyve_access *a, struct gyve_stop *stop);
/** Carry it out. As exit_handle(). */
enum exit_result call_serve(struct gyve_vcpu *v, struct gyve_stop *stop);
bool call_still_wanted(const struct gyve_vcpu *v, const struct gyve_stop *stop);
/** Everybody is out: nothing is to be caught any more. */
void call_clear(struct gyve_vm *vm);

/* --- bp.c, plant.c: the book. They take vm->book_lock themselves. */

/** Is there one done by stepping at v's pc? True: *stop is a hit. */
bool bp_step_hit(struct gyve_vcpu *v, struct gyve_stop *stop);
/** Is there an execution breakpoint of any kind for pc as v sees it? */
bool bp_at(struct gyve_vcpu *v, gyve_gva_t pc);
/** Is there one that stops, now that this hit of v, which waited, is to be told? *hit becomes what it is by now. */
bool bp_still_hit(struct gyve_vcpu *v, struct gyve_stop *hit);
/** Is a watchpoint on addr that stops with kind still wanted? */
bool bp_watches(struct gyve_vm *vm, enum gyve_stop_kind kind, gyve_gva_t addr);
/** Are there bytes at what pc is for v, all of them for points of address spaces? */
bool bp_only_spaced(struct gyve_vcpu *v, gyve_gva_t pc);
/** A stop for a breakpoint instruction that v met at pc. False: not ours. */
bool bp_hit(struct gyve_vcpu *v, gyve_gva_t pc, struct gyve_stop *stop);
/** Debug registers `slots` of v->debug fired at pc. False: none belongs to a point now. */
bool bp_hw_hit(struct gyve_vcpu *v, const struct gyve_exit *e, struct gyve_stop *stop);
/** Take the bytes at pc out for one step of v, or put them back. Nobody else is inside. */
void bp_lift(struct gyve_vcpu *v, gyve_gva_t pc);
void bp_lower(struct gyve_vm *vm);
/** Plant what can be planted now, and again what the guest has overwritten. v, if not NULL, is inside and its tables may be
 * walked; else all are out. */
void bp_sync(struct gyve_vm *vm, struct gyve_vcpu *v);
/** RAM has been reloaded: nothing is planted any more. bp_sync() plants again. */
void bp_forget_plants(struct gyve_vm *vm);
/** Debug registers wanted now, behind those that d holds already; skip_pc: leave out execute breakpoints there; no_watch:
 * leave out watchpoints. */
void bp_debug_regs(struct gyve_vm *vm, struct gyve_debug *d, const gyve_gva_t *skip_pc, bool no_watch);
void bp_deinit(struct gyve_vm *vm);
/** After states of points have changed. vm->book_lock is held. */
void bp_count(struct gyve_vm *vm);
/** Physical bytes with planted ones hidden / kept. */
ssize_t bp_phys_read(void *ctx, uint64_t gpa, void *buf, size_t len);
ssize_t bp_phys_write(void *ctx, uint64_t gpa, const void *buf, size_t len);

/* --- skip.c */

/** v, inside, has met points at pc that let it pass: go on behind the instruction there. False: it has to be stepped. */
bool skip_insn(struct gyve_vcpu *v, gyve_gva_t pc);

/* --- watch.c: watchpoints by comparing, after each step where the host's do not fire. They take vm->book_lock. */

/** Remember the watched bytes before anybody goes on. */
void watch_arm(struct gyve_vm *vm);
/** Before a step of v: what do its operands read or touch? Remembered for watch_after(). */
struct watch_touch {
	int n;
	struct gyve_x86_data_ref refs[4];
	uint64_t count; /**< RCX: what it is less afterwards are the elements of a repeated instruction */
};
void watch_before(struct gyve_vcpu *v, struct watch_touch *ret);
/** After it; touch NULL: it was not carried out. True: *stop is a hit. */
bool watch_after(struct gyve_vcpu *v, const struct watch_touch *touch, struct gyve_stop *stop);

/* --- page.c: watchpoints by protected pages. They take vm->book_lock. */

/** All of RAM, free. 0 or a negative errno. */
int page_init(struct gyve_vm *vm);
void page_deinit(struct gyve_vm *vm);
/** Everybody is out and will go on: which watchpoints can be done so now? Protect their pages. */
void page_arm(struct gyve_vm *vm);
/** Is the access that v left with one to a protected page? Then carry it out, alone; a hit is left in v->watch. */
bool page_access(struct gyve_vcpu *v, const struct gyve_exit *e);
/** KVM could not carry out the instruction at pc: because of a protected page? Then v->lift is set. */
bool page_blames(struct gyve_vcpu *v, const struct gyve_exit *e);
/** For a step with v->lift set: alone, everything free; and as before. */
void page_lift(struct gyve_vcpu *v);
void page_lower(struct gyve_vcpu *v);

/* --- devices.c: the platform's devices and their thread. Nothing happens where it has none. */

int dev_init(struct gyve_vm *vm, struct gyve_err *err);
int dev_start(struct gyve_vm *vm, struct gyve_err *err);
/** Everybody is out, and will go on. vm->lock is held. */
void dev_pause(struct gyve_vm *vm);
void dev_resume(struct gyve_vm *vm);
void dev_stop(struct gyve_vm *vm);
void dev_deinit(struct gyve_vm *vm);

/* --- cond.c */

void bp_exprs_free(struct bp_exprs *c);
/** How often its vCPUs have met it. */
uint64_t bp_exprs_asked(const struct bp_exprs *c);
bool bp_exprs_persist(const struct bp_exprs *c);
/** v meets the points at pc: trace, evaluate conditions, carry out commands. Does one of them stop it there? vCPU thread,
 * without locks. */
bool point_stops(struct gyve_vcpu *v, gyve_gva_t pc);
/** v is to go over the points at pc without meeting them: trace what it has not traced there yet. As point_stops(). */
void point_passed(struct gyve_vcpu *v, gyve_gva_t pc);
/** For agent expressions; ctx is the vCPU. */
int vcpu_agent_reg(void *ctx, unsigned number, uint64_t *ret);
int vcpu_agent_read(void *ctx, uint64_t addr, void *buf, size_t len);

/* --- text.c: what breakpoint commands print */

int text_init(struct gyve_vm *vm, struct gyve_err *err);
void text_deinit(struct gyve_vm *vm);
/** From a vCPU's thread, without locks; may wait for the client to take some. */
void text_put(struct gyve_vm *vm, const char *text, size_t len);

/* --- alone.c: one vCPU in the guest, the others wait inside, between two instructions. vCPU thread, without the lock. */

/** Until alone_end(). May wait for others that want the same. */
void alone_begin(struct gyve_vcpu *v);
void alone_end(struct gyve_vcpu *v);
/** The same, vm->lock held. */
void alone_end_locked(struct gyve_vcpu *v);
/** Wait while another one is alone. True: it was so, look again whether to go on. */
bool alone_pause(struct gyve_vcpu *v);
/** The session thread: everybody who is inside waits, nobody goes in, until run_release(). False: nobody runs anyway. */
bool run_hold(struct gyve_vm *vm);
void run_release(struct gyve_vm *vm);
/** May points be changed now? Then with everybody out or, non-stop, held; *held is for run_change_end(). */
bool run_change_begin(struct gyve_vm *vm, bool *held);
void run_change_end(struct gyve_vm *vm, bool held);
/** Is v kept out by run_hold()? */
bool run_is_held(const struct gyve_vm *vm);
/** Does another one wait for v to come out of the guest? */
bool alone_wanted(const struct gyve_vcpu *v);

/* --- strategy.c: how points are done on this host */

/** -ENOTSUP: the host cannot do what was asked for. */
int strategy_check(struct gyve_vm *vm, struct gyve_err *err);
enum gyve_break_strategy strategy_break(struct gyve_vm *vm);
/** Do execute breakpoints in debug registers work? */
bool strategy_registers(struct gyve_vm *vm);
/** Shall software breakpoints have debug registers while there are any left? */
bool strategy_unseen(struct gyve_vm *vm);
/** May watchpoints be tried so? */
bool strategy_watch(struct gyve_vm *vm, enum gyve_watch_strategy how);
void strategy_list(struct gyve_vm *vm, void (*cb)(void *ctx, const char *line), void *ctx);

/* --- step.c: a single step where the host's own is not all there is to it (aarch64). vCPU thread, inside. */

enum step_way {
	STEP_HOST, /**< let the host step */
	STEP_UNIT, /**< run freely to one of the addresses that step_debug_regs() adds */
	STEP_DONE, /**< done already */
};
enum step_way step_begin(struct gyve_vcpu *v);
/** Whatever came of it. Registers are final (settled) then. */
void step_end(struct gyve_vcpu *v);
/** Registers (GYVE_REGS_*, of those cached) that the step under way cannot change. */
unsigned step_keeps(const struct gyve_vcpu *v);
void step_debug_regs(const struct gyve_vcpu *v, struct gyve_debug *d);
bool step_unit_ended(const struct gyve_vcpu *v, gyve_gva_t pc);

/* --- watchdog.c: vCPU thread. Does nothing where a guest in an exception loop leaves by itself. */

void watchdog_start(struct gyve_vcpu *v);
void watchdog_stop(struct gyve_vcpu *v);
/** After an interruption: how v is lost in its exception vectors; NULL: it is not. */
const char *watchdog_bites(struct gyve_vcpu *v);

/* --- restart.c */

void restart_deinit(struct gyve_vm *vm);

/* --- run.c */

/** A vCPU's thread, from the waiting room into the guest and back; arg is the gyve_vcpu. */
void *run_vcpu(void *arg);
/** Bring everybody out who is inside, but not except. vm->lock is held. */
void run_kick_all(struct gyve_vm *vm, const struct gyve_vcpu *except);

/** Its own thread, inside or on the way out: shall it come out (a stop of all, or of this one)? */
bool run_wanted_out(const struct gyve_vcpu *v);
/** Of the session thread's side, vm->lock held. */
void run_want_stop(struct gyve_vm *vm);
void run_signal(struct gyve_vm *vm);
/** The hit of v is told now. */
struct gyve_stop run_told(struct gyve_vcpu *v);
/** Does a hit that waited still mean anything? */
bool run_still_true(struct gyve_vcpu *v);
/** v, which is out, is to do act. */
void run_prepare(struct gyve_vcpu *v, const struct gyve_resume *act);
/** Everybody who has something to do may begin. */
void run_open(struct gyve_vm *vm);

/* --- nonstop.c; vm->lock held */

/** v has come out: something of it is to be taken. */
void nonstop_post(struct gyve_vcpu *v);
/** v has come out, wanted by nobody but the client. */
void nonstop_came_out(struct gyve_vcpu *v);
bool nonstop_take(struct gyve_vm *vm, struct gyve_stop *ret);
int nonstop_resume(struct gyve_vm *vm, const struct gyve_resume *actions);

/* --- threads.c */

bool run_thread_begins(struct gyve_vcpu *v);
int run_init(struct gyve_vm *vm, struct gyve_err *err);
/** Ends and joins the vCPU threads. */
void run_deinit(struct gyve_vm *vm);
#endif
