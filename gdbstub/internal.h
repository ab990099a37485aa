/* Private to gdbstub/: the session, replies, argument cursors. */
#ifndef GDBSTUB_INTERNAL_H
#define GDBSTUB_INTERNAL_H
#include "gdbstub.h"
#include "hex.h"

/** A growing byte buffer. Out of memory is remembered in `failed`; the session then ends. */
struct gdbstub_buf {
	char *data;
	size_t len, cap;
	bool failed;
};
/** Room for n more bytes at the end, NULL on no memory. The caller adds what it used to len. */
char *gdbstub_buf_room(struct gdbstub_buf *b, size_t n);
void gdbstub_buf_add(struct gdbstub_buf *b, const void *p, size_t n);
void gdbstub_buf_printf(struct gdbstub_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Where the byte machine is; see framing.c. */
enum gdbstub_rx { RX_IDLE, RX_DATA, RX_ESCAPE, RX_REPEAT, RX_SUM_HIGH, RX_SUM_LOW };

struct gdbstub {
	const struct gdbstub_arch *arch;
	const struct gdbstub_ops *ops;
	void *ctx;

	enum gdbstub_rx rx;
	char *packet; /**< GDBSTUB_PACKET_SIZE + 1 bytes, NUL-terminated when complete */
	size_t packet_len;
	bool too_long;
	uint8_t sum;
	int sum_high;

	struct gdbstub_buf out; /**< framed bytes for the client; the first out_sent are gone */
	size_t out_sent;
	struct gdbstub_buf last; /**< the last packet framed, for '-' */
	bool no_ack, no_ack_next;

	struct gdbstub_buf reply; /**< payload of the reply being made */
	bool quiet;               /**< no reply to this packet (now) */
	bool binary;              /**< reply holds arbitrary bytes */

	int g_tid, c_tid; /**< as set by H; c_tid 0 or -1: any or all */
	bool running, over, detached;
	bool swbreak, hwbreak, error_text; /**< what the client understands */
	char *xml, *threads_xml;
	struct gdbstub_resume *resume; /**< scratch, nresume entries */
	size_t nresume;

	void (*trace)(void *ctx, char dir, const char *data, size_t len);
	void *trace_ctx;
};

/* --- framing.c */

/** One byte from the client. True: s->packet holds a whole packet with a right checksum. */
bool gdbstub_rx_byte(struct gdbstub *s, uint8_t c);
/** Frame payload and queue it. binary: it may hold bytes that need escapes and is not worth run lengths. */
void gdbstub_send(struct gdbstub *s, const char *payload, size_t len, bool binary);

/* --- dispatch.c */

/** Handle s->packet and queue the reply. */
void gdbstub_dispatch(struct gdbstub *s);

/** What is left of a packet's arguments. */
struct cursor {
	const char *p, *end;
};
static inline size_t cursor_left(const struct cursor *c)
{
	return (size_t)(c->end - c->p);
}
/** Take the character ch if it is next. */
bool cursor_take(struct cursor *c, char ch);
/** Take the text if it is next. */
bool cursor_take_text(struct cursor *c, const char *text);
/** Take a hex number of 1 to 16 digits. */
bool cursor_hex(struct cursor *c, uint64_t *ret);
/** Take a thread id: a number, 0 (any) or -1 (all). */
bool cursor_tid(struct cursor *c, int *ret);

/* replies */
void reply_text(struct gdbstub *s, const char *text);
void reply_hex(struct gdbstub *s, const void *p, size_t len);
/** Error with its number, or with text if there is some and the client reads it. -EOPNOTSUPP: the empty reply. */
void reply_error(struct gdbstub *s, int code, const struct gdbstub_err *err);
/** OK or an error. */
void reply_result(struct gdbstub *s, int result, const struct gdbstub_err *err);
/** E22: the packet makes no sense. */
void reply_malformed(struct gdbstub *s);

/** The thread that m, g and others mean. */
int current_tid(struct gdbstub *s);
/** All thread ids; *ret is malloced, NULL on no memory. */
size_t all_tids(struct gdbstub *s, int **ret);
void stop_reply(struct gdbstub *s, const struct gdbstub_stop *stop);

typedef void handler(struct gdbstub *s, struct cursor *a);
/* cmd_mem.c */
handler cmd_read_mem, cmd_read_binary, cmd_write_mem, cmd_write_binary;
/* cmd_regs.c */
handler cmd_read_regs, cmd_write_regs, cmd_read_reg, cmd_write_reg;
/** One register in hex, or x for unavailable, at the end of the reply. */
int add_reg(struct gdbstub *s, int tid, unsigned n, struct gdbstub_err *err);
/* cmd_run.c */
handler cmd_why, cmd_continue, cmd_step, cmd_vcont, cmd_vcont_query, cmd_detach, cmd_kill, cmd_vkill, cmd_ctrl_c;
/* cmd_point.c */
handler cmd_insert, cmd_remove;
/* cmd_query.c */
handler cmd_supported, cmd_no_ack, cmd_set_thread, cmd_thread_alive, cmd_current_thread, cmd_first_threads, cmd_next_threads,
	cmd_thread_info, cmd_attached, cmd_offsets, cmd_symbol, cmd_monitor, cmd_phys_mode, cmd_set_phys_mode;
/* cmd_xfer.c */
handler cmd_xfer, cmd_file_setfs, cmd_file_open, cmd_file_pread, cmd_file_fstat, cmd_file_close;
#endif
