/* Private to gdbstub/: the session and what its files offer each other.
 * session.c owns it, framing.c turns bytes into packets, dispatch.c finds the handler, cmd_*.c are the handlers, reply.c
 * builds what goes back. */
#ifndef GDBSTUB_INTERNAL_H
#define GDBSTUB_INTERNAL_H
#include "buf.h"
#include "gdbstub.h"
#include "packet.h"

/** What the client announced in qSupported. */
enum gdbstub_feature {
	GDBSTUB_CLIENT_SWBREAK = 1 << 0,
	GDBSTUB_CLIENT_HWBREAK = 1 << 1,
	GDBSTUB_CLIENT_ERROR_MESSAGE = 1 << 2,
	GDBSTUB_CLIENT_LLDB = 1 << 3,
	GDBSTUB_CLIENT_THREAD_SUFFIX = 1 << 4,
	GDBSTUB_CLIENT_LIST_THREADS = 1 << 5,
	GDBSTUB_CLIENT_ERROR_STRINGS = 1 << 6, /**< lldb: Enn;TEXT in hex */
};

enum gdbstub_frame_state { FRAME_IDLE, FRAME_BODY, FRAME_COUNT, FRAME_SUM_HIGH, FRAME_SUM_LOW };

/** The packet that is coming in. Run lengths repeat characters as sent; escapes are resolved after that. */
struct gdbstub_frame {
	enum gdbstub_frame_state state;
	char *data; /**< GDBSTUB_PACKET_SIZE bytes */
	size_t len;
	uint8_t sum;
	int last; /**< the character a run length repeats; -1: none */
	char high;
	bool escaped, malformed, oversize;
};

enum { GDBSTUB_SAVED = 4 };

struct gdbstub {
	const struct gdbstub_arch *arch;
	const struct gdbstub_ops *ops;
	void *ctx;

	struct gdbstub_frame in;
	struct gdbstub_buf out; /**< bytes to the client; the first out_sent are gone */
	size_t out_sent;
	size_t reply_start;      /**< where in out the payload of the open reply begins */
	struct gdbstub_buf last; /**< the last packet, for '-'; empty once acknowledged, unused without acknowledgements */
	bool no_ack;
	bool replied; /**< the packet in hand was answered */

	unsigned features;
	bool running; /**< a resume (or '?') waits for its stop reply */
	bool over;    /**< no more packets are taken */
	bool detached;
	bool extended;
	bool gone; /**< extended: there is no guest, as far as the client is concerned */
	bool nonstop;
	struct gdbstub_stop *stops; /**< non-stop: the first has been told and waits for vStopped, the others are to be told */
	size_t nstops, max_stops;
	bool more_stops;   /**< behind the first all of them are news: see gdbstub_list_stops() */
	bool silent_start; /**< the stop waited for is R's, which is not told */
	bool started;      /**< the client started it by vRun: it is not just attached to it */
	bool in_monitor;
	int g_tid;      /**< Hg; 0: any */
	int c_tid;      /**< Hc; 0: any, -1: all */
	uint64_t *told; /**< hash of what the client read last of each read-only register, told_n of them; 0: nothing */
	unsigned told_n;
	int suffix_tid;                          /**< the thread that the packet in hand names itself; 0: none */
	struct gdbstub_buf saved[GDBSTUB_SAVED]; /**< QSaveRegisterState number i is in i modulo GDBSTUB_SAVED */
	unsigned saved_id;

	int *tids; /**< the last answer of ops->threads */
	size_t ntids, max_tids;
	size_t trace_at, trace_piece; /**< already told by qTfP, qTfV and their successors */
	bool trace_stepping;          /**< the actions of QTDP that come are for while-stepping */
	size_t listed;                /**< threads already told by q[fs]ThreadInfo */
	char *scratch;                /**< GDBSTUB_PACKET_SIZE bytes for a handler's use */
	struct gdbstub_buf console;   /**< monitor text not yet sent */
	struct gdbstub_buf xfer;      /**< qXfer:threads as it was at offset 0 */
	char *xml;                    /**< target.xml, once asked for */

	void (*trace)(void *ctx, char dir, const char *data, size_t len);
	void *trace_ctx;
};

/* session.c */
/** Ask the target for its threads. Returns their number; they are in s->tids. */
size_t gdbstub_threads(struct gdbstub *s);
bool gdbstub_thread_exists(struct gdbstub *s, int tid);
/** The thread of g, p, m, ...: the packet's own, else Hg's, else the first; 0 if there is none. */
int gdbstub_general_thread(struct gdbstub *s);
/** What people read about a thread; "" when nothing is known. */
void gdbstub_describe_thread(struct gdbstub *s, int tid, char *buf, size_t size);
/** Send the monitor text gathered so far, as 'O' packets. */
void gdbstub_console_flush(struct gdbstub *s);

/* framing.c */
void gdbstub_frame_byte(struct gdbstub *s, char c);

/* dispatch.c */
void gdbstub_dispatch(struct gdbstub *s, const char *data, size_t len);
/** Name of the i-th packet there is; NULL behind the last. */
const char *gdbstub_packet_name(size_t i);

/* reply.c: one packet to the client. Without memory the session ends. */
void gdbstub_reply_begin(struct gdbstub *s);
void gdbstub_reply_raw(struct gdbstub *s, const void *p, size_t n);
void gdbstub_reply_hex(struct gdbstub *s, const void *p, size_t n);
/** Binary, escaped, as much as the packet still holds. Returns bytes of p taken. */
size_t gdbstub_reply_binary(struct gdbstub *s, const void *p, size_t n);
__attribute__((format(printf, 2, 3))) void gdbstub_reply_fmt(struct gdbstub *s, const char *fmt, ...);
void gdbstub_reply_end(struct gdbstub *s);
/** As reply_end, with runs of a character shortened: worth its time where zeros prevail. */
void gdbstub_reply_end_rle(struct gdbstub *s);
/** A whole packet that is plain text (no '#', '$', '}', '*'). "" tells the client that the request is unknown. */
void gdbstub_reply(struct gdbstub *s, const char *text);
/** Refuse: E.text where the client reads it, else Enn. code: errno, either sign. */
__attribute__((format(printf, 3, 4))) void gdbstub_reply_error(struct gdbstub *s, int code, const char *fmt, ...);
/** Refuse with what an op said; without a text the name of the errno. */
void gdbstub_reply_op_error(struct gdbstub *s, int code, const struct gdbstub_err *err);
/** Arguments that do not parse. */
void gdbstub_reply_malformed(struct gdbstub *s);
/** The part [off, off+want) of an object, as qXfer wants it. */
void gdbstub_reply_xfer(struct gdbstub *s, const void *data, size_t len, uint64_t off, uint64_t want);
/** A notification: begun, its body put, and ended. It is never acknowledged. */
void gdbstub_notify_begin(struct gdbstub *s);
void gdbstub_notify_end(struct gdbstub *s);
/** One character outside packets: '+', '-'. */
void gdbstub_out_char(struct gdbstub *s, char c);

/* cmd_xfer.c */
/** Append the objects the target serves to the open reply of qSupported. */
void gdbstub_announce_objects(struct gdbstub *s);

/* cmd_trace.c */
/** Append what tracing there is to the open reply of qSupported. */
void gdbstub_announce_tracing(struct gdbstub *s);

/* cmd_nonstop.c */
/** Tell of it, now or after those before it. */
void gdbstub_notify_stop(struct gdbstub *s, const struct gdbstub_stop *stop);
/** '?': tell of all threads that are stopped, the first at once. */
void gdbstub_list_stops(struct gdbstub *s);

/* cmd_run.c */
/** Of a stop reply, the packet's body. */
void gdbstub_put_stop(struct gdbstub *s, const struct gdbstub_stop *stop);
/** Why it is stopped, to '?' and vAttach; where it runs, stop it first. */
void gdbstub_tell_reason(struct gdbstub *s);
void gdbstub_send_stop(struct gdbstub *s, const struct gdbstub_stop *stop);

/* cmd_lldb.c */
/** Take the thread off the end of c, if it is named there. false: there is no such thread. */
bool gdbstub_take_suffix(struct gdbstub *s, struct gdbstub_cur *c);
/** Append what lldb wants to know of a stop to its open reply. */
void gdbstub_lldb_stop(struct gdbstub *s, const struct gdbstub_stop *stop);

/* Handlers, by the packets' names; c stands behind the name. */
#define GDBSTUB_HANDLER(name) void gdbstub_cmd_##name(struct gdbstub *s, struct gdbstub_cur *c)
GDBSTUB_HANDLER(read_mem);
GDBSTUB_HANDLER(read_binary);
GDBSTUB_HANDLER(search);
GDBSTUB_HANDLER(crc);
GDBSTUB_HANDLER(write_mem);
GDBSTUB_HANDLER(write_binary);
GDBSTUB_HANDLER(phys_mode_set);
GDBSTUB_HANDLER(phys_mode_get);
GDBSTUB_HANDLER(qemu_step_bits);
GDBSTUB_HANDLER(qemu_step);
GDBSTUB_HANDLER(read_regs);
GDBSTUB_HANDLER(write_regs);
GDBSTUB_HANDLER(read_reg);
GDBSTUB_HANDLER(write_reg);
GDBSTUB_HANDLER(reason);
GDBSTUB_HANDLER(cont);
GDBSTUB_HANDLER(cont_sig);
GDBSTUB_HANDLER(step);
GDBSTUB_HANDLER(step_sig);
GDBSTUB_HANDLER(vcont);
GDBSTUB_HANDLER(vcont_query);
GDBSTUB_HANDLER(ctrl_c);
GDBSTUB_HANDLER(kill);
GDBSTUB_HANDLER(vkill);
GDBSTUB_HANDLER(detach);
GDBSTUB_HANDLER(restart);
GDBSTUB_HANDLER(extended);
GDBSTUB_HANDLER(vrun);
GDBSTUB_HANDLER(vattach);
GDBSTUB_HANDLER(env_set);
GDBSTUB_HANDLER(env_unset);
GDBSTUB_HANDLER(env_reset);
GDBSTUB_HANDLER(directory);
GDBSTUB_HANDLER(accept_switch);
GDBSTUB_HANDLER(set_thread);
GDBSTUB_HANDLER(thread_alive);
GDBSTUB_HANDLER(must_reply_empty);
GDBSTUB_HANDLER(insert_point);
GDBSTUB_HANDLER(remove_point);
GDBSTUB_HANDLER(catch_calls);
GDBSTUB_HANDLER(supported);
GDBSTUB_HANDLER(no_ack);
GDBSTUB_HANDLER(non_stop);
GDBSTUB_HANDLER(stopped);
GDBSTUB_HANDLER(current_thread);
GDBSTUB_HANDLER(first_threads);
GDBSTUB_HANDLER(next_threads);
GDBSTUB_HANDLER(thread_info);
GDBSTUB_HANDLER(attached);
GDBSTUB_HANDLER(offsets);
GDBSTUB_HANDLER(symbol);
GDBSTUB_HANDLER(monitor);
GDBSTUB_HANDLER(trace_init);
GDBSTUB_HANDLER(trace_define);
GDBSTUB_HANDLER(trace_source);
GDBSTUB_HANDLER(trace_variable);
GDBSTUB_HANDLER(trace_readonly);
GDBSTUB_HANDLER(trace_enable);
GDBSTUB_HANDLER(trace_disable);
GDBSTUB_HANDLER(trace_start);
GDBSTUB_HANDLER(trace_stop);
GDBSTUB_HANDLER(trace_disconnected);
GDBSTUB_HANDLER(trace_buffer);
GDBSTUB_HANDLER(trace_notes);
GDBSTUB_HANDLER(trace_save);
GDBSTUB_HANDLER(trace_status);
GDBSTUB_HANDLER(trace_hits);
GDBSTUB_HANDLER(trace_value);
GDBSTUB_HANDLER(trace_first_point);
GDBSTUB_HANDLER(trace_next_point);
GDBSTUB_HANDLER(trace_first_var);
GDBSTUB_HANDLER(trace_next_var);
GDBSTUB_HANDLER(trace_frame);
GDBSTUB_HANDLER(trace_raw);
GDBSTUB_HANDLER(xfer);
GDBSTUB_HANDLER(file);
GDBSTUB_HANDLER(thread_suffix);
GDBSTUB_HANDLER(list_in_stop);
GDBSTUB_HANDLER(error_strings);
GDBSTUB_HANDLER(host_info);
GDBSTUB_HANDLER(watch_slots);
GDBSTUB_HANDLER(process_info);
GDBSTUB_HANDLER(memory_region);
GDBSTUB_HANDLER(register_info);
GDBSTUB_HANDLER(save_regs);
GDBSTUB_HANDLER(restore_regs);
GDBSTUB_HANDLER(thread_stop);
GDBSTUB_HANDLER(threads_json);
#endif
