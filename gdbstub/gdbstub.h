/* libgdbstub: the target side of GDB's remote serial protocol. Bytes in, bytes out, an ops table of what it needs.
 * Knows no KVM, no ELF, no sockets, no threads: one session is used by one thread at a time.
 * Protocol: GDB manual, appendix "GDB Remote Serial Protocol". */
#ifndef GDBSTUB_H
#define GDBSTUB_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gdbstub; /**< one session, opaque */

/** Largest packet we take and send (hex of 64 KiB and some). */
#define GDBSTUB_PACKET_SIZE 0x20000

struct gdbstub_field {
	const char *name;
	uint8_t start, end; /**< bits, inclusive */
};
struct gdbstub_flags {
	const char *id;
	uint8_t size;
	const struct gdbstub_field *fields;
	unsigned nfields;
};

/** One register; the row's index is its number. Rows of a feature are adjacent. */
struct gdbstub_reg {
	const char *name;
	uint16_t bits;    /**< a multiple of 8, at most 4096 */
	const char *type; /**< gdb type name or flags->id */
	const char *feature;
	const char *group; /**< NULL: none */
	const struct gdbstub_flags *flags;
	bool readonly;
	int16_t dwarf;       /**< DWARF number + 1; 0: none */
	const char *generic; /**< "pc", "sp", "fp", "ra", "flags", "arg1" ... as lldb calls it; NULL: none */
};
struct gdbstub_arch {
	const char *name;  /**< "i386:x86-64" */
	const char *osabi; /**< NULL: none */
	const struct gdbstub_reg *regs;
	unsigned nregs;
	unsigned ng;                     /**< registers [0, ng) make up the g packet; the rest are read with p */
	unsigned pc_reg, sp_reg, fp_reg; /**< sent with stop replies (expedited) */
	const char *triple;              /**< "x86_64-unknown-none"; NULL: lldb finds out otherwise */
	bool watch_before;               /**< the access a watchpoint stop tells of is still to come */
};

enum gdbstub_stop_kind {
	GDBSTUB_STOP_SIGNAL,
	GDBSTUB_STOP_SWBREAK,
	GDBSTUB_STOP_HWBREAK,
	GDBSTUB_STOP_WATCH,
	GDBSTUB_STOP_RWATCH,
	GDBSTUB_STOP_AWATCH,
	GDBSTUB_STOP_CALL,        /**< a call to the host (syscall_entry), number `code` */
	GDBSTUB_STOP_CALL_RETURN, /**< syscall_return */
	GDBSTUB_STOP_LIBRARY,     /**< what qXfer:libraries:read has is another list now */
	GDBSTUB_STOP_EXITED,
	GDBSTUB_STOP_KILLED
};
struct gdbstub_stop {
	enum gdbstub_stop_kind kind;
	int tid;       /**< 1-based */
	int signal;    /**< GDB signal number (5 TRAP, 2 INT, 11 SEGV, ...) */
	uint64_t addr; /**< data address of a watch */
	int code;      /**< EXITED, CALL, CALL_RETURN */
};

enum gdbstub_action { GDBSTUB_NONE, GDBSTUB_CONT, GDBSTUB_STEP, GDBSTUB_RANGE, GDBSTUB_STOP };
struct gdbstub_resume {
	int tid;
	enum gdbstub_action act;
	int signal;
	uint64_t start, end;
};

enum { GDBSTUB_PERM_R = 1, GDBSTUB_PERM_W = 2, GDBSTUB_PERM_X = 4 };
/** A stretch of addresses that are alike. */
struct gdbstub_region {
	uint64_t start, end_incl;
	unsigned perms; /**< 0: nothing is mapped */
};

/** Text a refused request may carry (sent as E.text when the client reads it). */
struct gdbstub_err {
	int code; /**< positive errno */
	char text[400];
};

/** A condition as GDB agent expression bytecode, not looked into here. */
#define GDBSTUB_CONDITIONS 32
struct gdbstub_expr {
	const uint8_t *code;
	size_t len;
};

struct gdbstub_tracepoint {
	unsigned number;
	uint64_t addr;
	bool enabled;
	uint64_t steps, pass;
	struct gdbstub_expr cond; /**< len 0: none */
	uint64_t hits, usage;
};
enum gdbstub_collect { GDBSTUB_COLLECT_REGS, GDBSTUB_COLLECT_MEM, GDBSTUB_COLLECT_EXPR };
struct gdbstub_trace_action {
	enum gdbstub_collect what;
	bool stepping;
	struct gdbstub_expr e; /**< REGS: bit n of byte n / 8 is register n */
	int base;              /**< MEM: register, -1: none */
	uint64_t offset, len;
};
enum gdbstub_trace_option {
	GDBSTUB_TRACE_CIRCULAR,
	GDBSTUB_TRACE_SIZE,         /**< 0: the usual one */
	GDBSTUB_TRACE_DISCONNECTED, /**< tracing goes on without a client */
};
struct gdbstub_trace_status {
	bool running, circular, disconnected;
	const char *end;  /**< as qTStatus has it: "tnotrun", "tstop", "tfull", "tpasscount", "tdisconnected", "terror" */
	const char *text; /**< tstop: the note given for it; terror: what it was */
	const char *user, *notes; /**< NULL: none */
	unsigned point;
	uint64_t frames, created, size, free, start, stop;
};
struct gdbstub_trace_find {
	enum {
		GDBSTUB_FIND_LIVE,
		GDBSTUB_FIND_NUMBER,
		GDBSTUB_FIND_PC,
		GDBSTUB_FIND_POINT,
		GDBSTUB_FIND_INSIDE,
		GDBSTUB_FIND_OUTSIDE
	} by;
	uint64_t a, b;
};
/** Tracing. The functions get gdbstub_ops' ctx; -EOPNOTSUPP from status: this target has none. */
struct gdbstub_trace_ops {
	int (*status)(void *ctx, struct gdbstub_trace_status *ret);
	/** ng registers make up the g packet. */
	int (*init)(void *ctx, unsigned ng);
	int (*define)(void *ctx, const struct gdbstub_tracepoint *p, struct gdbstub_err *err);
	int (*action)(void *ctx, unsigned number, uint64_t addr, const struct gdbstub_trace_action *a, struct gdbstub_err *err);
	/** A piece of text that point_text gives back. */
	int (*text)(void *ctx, unsigned number, uint64_t addr, const char *text, size_t len, struct gdbstub_err *err);
	int (*variable)(void *ctx, unsigned number, uint64_t initial, const char *name, struct gdbstub_err *err);
	int (*readonly)(void *ctx, uint64_t start, uint64_t end, struct gdbstub_err *err);
	int (*enable)(void *ctx, unsigned number, uint64_t addr, bool on);
	int (*option)(void *ctx, enum gdbstub_trace_option option, uint64_t value);
	/** which: "user", "notes", "tstop". */
	int (*note)(void *ctx, const char *which, const char *text);
	int (*start)(void *ctx, struct gdbstub_err *err);
	int (*stop)(void *ctx);
	bool (*point)(void *ctx, size_t i, struct gdbstub_tracepoint *ret);
	const char *(*point_text)(void *ctx, size_t i, size_t k);
	const char *(*var)(void *ctx, size_t i, unsigned *number, uint64_t *initial);
	int (*value)(void *ctx, unsigned number, uint64_t *ret);
	/** Registers and memory are those of that frame from now on. Its number and its tracepoint's; -ENOENT. */
	int64_t (*find)(void *ctx, const struct gdbstub_trace_find *f, unsigned *point);
	size_t (*raw)(void *ctx, uint64_t off, void *buf, size_t len);
};

/** What the stub demands. Every function gets ctx. NULL slot = unsupported = empty reply. Ints: 0 or negative errno.
 * err is never NULL; fill it when there is a reason worth reading. tid > 0 always. */
struct gdbstub_ops {
	/** All thread ids, ascending. Returns how many there are; writes at most max. */
	size_t (*threads)(void *ctx, int *tids, size_t max);
	/** Name or state for people. Returns length as snprintf. */
	int (*thread_info)(void *ctx, int tid, char *buf, size_t size);
	/** The processor it runs on; -1: none. NULL: the threads are the processors, in their order. */
	int (*thread_core)(void *ctx, int tid);
	/** Register number reg of tid, bits/8 bytes little endian. -ENODATA: unavailable ("xx"). */
	int (*read_reg)(void *ctx, int tid, unsigned reg, void *buf, struct gdbstub_err *err);
	int (*write_reg)(void *ctx, int tid, unsigned reg, const void *buf, struct gdbstub_err *err);
	/** Bytes read: short at the first unreadable byte; negative errno if none. Also while running, if the target can. */
	ssize_t (*read_mem)(void *ctx, int tid, uint64_t addr, void *buf, size_t len, struct gdbstub_err *err);
	/** All of len or a negative errno. */
	int (*write_mem)(void *ctx, int tid, uint64_t addr, const void *buf, size_t len, struct gdbstub_err *err);
	/** The region that addr is in; it may be told in pieces. */
	int (*mem_region)(void *ctx, int tid, uint64_t addr, struct gdbstub_region *ret, struct gdbstub_err *err);
	/** type 0..4 as in Z packets; kind: instruction length or watched bytes. -EOPNOTSUPP: empty reply. */
	int (*insert_point)(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *err);
	/** The conditions of a point of type 0 or 1 that is inserted, in place of those it had: it stops where one of them is
	 * true. n up to GDBSTUB_CONDITIONS; 0: always. A refusal takes the point away again. NULL: the client evaluates them.
	 */
	int (*set_conditions)(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n,
			      struct gdbstub_err *err);
	/** The commands of such a point, likewise: where it would stop they are carried out instead; n 0: it stops. persist:
	 * also when the client is gone. What they print comes by gdbstub_monitor_print(). NULL: the client carries them out. */
	int (*set_commands)(void *ctx, int type, uint64_t addr, const struct gdbstub_expr *e, size_t n, bool persist,
			    struct gdbstub_err *err);
	int (*remove_point)(void *ctx, int type, uint64_t addr, uint64_t kind, struct gdbstub_err *err);
	/** Stop at calls of these numbers, n 0: of all; in place of those asked for before; on false: of none. */
	int (*catch_calls)(void *ctx, bool on, const uint32_t *numbers, size_t n, struct gdbstub_err *err);
	/** One entry for every thread. The stop arrives later by gdbstub_report_stop(). */
	int (*resume)(void *ctx, const struct gdbstub_resume *r, size_t n, struct gdbstub_err *err);
	/** ^C. Non-stop: one thread is enough. */
	void (*interrupt)(void *ctx);
	/** Non-stop or all-stop from now on; what thread_stop says is asked anew. NULL: all-stop only. Non-stop: resume leaves
	 * threads with GDBSTUB_NONE as they are, stops those with GDBSTUB_STOP, and each stop of a thread arrives by itself. */
	int (*set_nonstop)(void *ctx, bool on);
	/** Non-stop: how tid has stopped; -EBUSY when it runs. */
	int (*thread_stop)(void *ctx, int tid, struct gdbstub_stop *ret);
	/** Why it is stopped now ('?'); -EBUSY when running. */
	int (*stop_reason)(void *ctx, struct gdbstub_stop *ret);
	/** D: points are already removed by ops->clear_points; let it run. */
	int (*detach)(void *ctx);
	/** k, vKill. With extended mode (gdbstub_extended()) the session goes on, and start may follow. */
	void (*kill)(void *ctx);
	/** vRun, R: start again, with these arguments (none: those it had). file: what the client calls the program; "": it has
	 * not said. The first stop arrives later by gdbstub_report_stop(), a refusal by gdbstub_report_refusal(). */
	int (*start)(void *ctx, const char *file, const char *const *argv, size_t n, struct gdbstub_err *err);
	/** Environment of the next start: "NAME=VALUE" is added, "NAME" removed, NULL: as it was at first. */
	int (*environment)(void *ctx, const char *text, struct gdbstub_err *err);
	/** Directory of the next start. NULL slot: there is none to choose. */
	int (*directory)(void *ctx, const char *path, struct gdbstub_err *err);
	void (*clear_points)(void *ctx);
	/** monitor CMD: text goes out by gdbstub_monitor_print(s, ...). Returns 0 or negative errno (unknown command: -ENOENT).
	 */
	int (*monitor)(void *ctx, struct gdbstub *s, const char *cmd, struct gdbstub_err *err);
	/** qXfer objects as whole texts, of thread tid where they have one (0: only whether there is such an object); *ret is
	 * borrowed until the next call. -ENOENT: no such annex; -EOPNOTSUPP: no such object. Objects asked: "memory-map",
	 * "exec-file", "libraries", "auxv", "osdata", "siginfo", "traceframe-info". */
	int (*object)(void *ctx, int tid, const char *object, const char *annex, const void **ret, size_t *len);
	/** Relocation of the image for qOffsets: what is added to its addresses, and where its first segment is; 0: not known,
	 * so that sections other than .text, .data, .bss stay where they were linked if there are more than two segments.
	 * -ENOENT: none. */
	int (*offsets)(void *ctx, uint64_t *bias, uint64_t *segment);
	/** vFile: host files the client may read. Returns a fd >= 0 or negative errno. Only what ops->object("exec-file") named
	 * need open. */
	int (*file_open)(void *ctx, const char *path);
	ssize_t (*file_pread)(void *ctx, int fd, void *buf, size_t len, uint64_t off);
	int64_t (*file_size)(void *ctx, int fd);
	int (*file_close)(void *ctx, int fd);
	/** The client reads the description from its beginning: what create() was given may be changed now, in place. */
	void (*redescribe)(void *ctx);
	const struct gdbstub_trace_ops *tracing; /**< NULL: none */
	/** Physical-memory mode (Qqemu.PhyMemMode). */
	int (*set_phys_mode)(void *ctx, bool on);
	bool (*get_phys_mode)(void *ctx);
};

/** ops, arch and ctx are borrowed for the life of the session. NULL on no memory. */
struct gdbstub *gdbstub_create(const struct gdbstub_arch *arch, const struct gdbstub_ops *ops, void *ctx);
void gdbstub_destroy(struct gdbstub *s);
/** Bytes from the client, any split. Replies are queued. Returns 0; -ECONNRESET when the session is over (k, D, vKill, client
 * lost). */
int gdbstub_feed(struct gdbstub *s, const void *buf, size_t len);
/** Queued output: pointer and length, valid until the next call; then say how much was sent. */
size_t gdbstub_output(struct gdbstub *s, const void **buf);
void gdbstub_sent(struct gdbstub *s, size_t len);
/** The target stopped (once per resume); non-stop: a thread did, or the target has ended. */
void gdbstub_report_stop(struct gdbstub *s, const struct gdbstub_stop *stop);
/** Is a stop to be reported: is the client waiting for one, or non-stop? */
bool gdbstub_wants_stops(const struct gdbstub *s);
bool gdbstub_nonstop(const struct gdbstub *s);
/** Non-stop: has the client acknowledged all stops it was told? */
bool gdbstub_all_told(const struct gdbstub *s);
/** Instead of the stop that a start was to bring. */
void gdbstub_report_refusal(struct gdbstub *s, int code, const char *text);
/** Does the client speak the extended protocol: does the session outlive the guest? */
bool gdbstub_extended(const struct gdbstub *s);
/** Extended: the guest was detached from, killed, or has ended, and the client has not started or attached to it again. */
bool gdbstub_gone(const struct gdbstub *s);
/** The client went away: points are removed, the target's detach is NOT called. */
void gdbstub_disconnect(struct gdbstub *s);
/** Is the client waiting for a stop reply? */
bool gdbstub_running(const struct gdbstub *s);
/** Did the session end by D (true) or otherwise? */
bool gdbstub_detached(const struct gdbstub *s);
/** Text to the client's console: a monitor reply, or an 'O' packet while running. */
void gdbstub_monitor_print(struct gdbstub *s, const char *text, size_t len);
/** target.xml for an arch, malloced; NULL on no memory. (Also what qXfer:features:read answers.) */
char *gdbstub_target_xml(const struct gdbstub_arch *arch);
/** Debug hook: every packet both ways (dir '<' from the client, '>' to it). NULL: off. */
void gdbstub_set_trace(struct gdbstub *s, void (*cb)(void *ctx, char dir, const char *data, size_t len), void *ctx);
#endif
