/* Private: a growing byte buffer. A failed allocation is remembered, so that a writer checks once, at its end. */
#ifndef GDBSTUB_BUF_H
#define GDBSTUB_BUF_H
#include <stdbool.h>
#include <stddef.h>

struct gdbstub_buf {
	char *data;
	size_t len, cap;
	bool failed; /**< out of memory: what was added since is lost */
};

/** Room for n more bytes at data + len; NULL when there is no memory. len is left to the caller. */
char *gdbstub_buf_room(struct gdbstub_buf *b, size_t n);
void gdbstub_buf_add(struct gdbstub_buf *b, const void *p, size_t n);
void gdbstub_buf_str(struct gdbstub_buf *b, const char *text);
__attribute__((format(printf, 2, 3))) void gdbstub_buf_fmt(struct gdbstub_buf *b, const char *fmt, ...);
/** Text as XML character data or attribute value; bytes XML 1.0 cannot hold become '?'. */
void gdbstub_buf_xml(struct gdbstub_buf *b, const char *text);
void gdbstub_buf_free(struct gdbstub_buf *b);
#endif
