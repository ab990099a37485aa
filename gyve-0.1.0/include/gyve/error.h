/* Error text for people. Functions return a negative errno; where a person reads the reason, a last parameter
 * `struct gyve_err *err` (caller-owned, NULL allowed) carries the sentence. Libraries neither print nor exit. */
#ifndef GYVE_ERROR_H
#define GYVE_ERROR_H
#include <stddef.h>

struct gyve_err {
	int code;       /**< negative errno, 0 if never set */
	char text[512]; /**< one line, no newline at the end */
};

/** Store code (negative errno) and the formatted sentence in err (NULL: only the code is kept). Returns code. */
int gyve_err_set(struct gyve_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** Put "PREFIX: " in front of the text in err. Returns err->code, or -EIO when err is NULL. */
int gyve_err_prefix(struct gyve_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#endif
