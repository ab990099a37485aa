/* A reader of TOML 1.0 (toml.io). Text in, a tree out; the tree owns its strings. Input is hostile: it is checked for UTF-8,
 * its size, depth and number of values are bounded. Dates are checked and kept as text. */
#ifndef GYVE_TOML_H
#define GYVE_TOML_H
#include "gyve/error.h"
#include "gyve/types.h"

enum toml_type {
	TOML_TABLE,
	TOML_ARRAY,
	TOML_STRING,
	TOML_INT,
	TOML_FLOAT,
	TOML_BOOL,
	TOML_DATETIME, /**< with an offset from UTC */
	TOML_DATETIME_LOCAL,
	TOML_DATE,
	TOML_TIME,
};

enum { TOML_MAX_SIZE = 1 << 20, TOML_MAX_VALUES = 1 << 16, TOML_MAX_DEPTH = 64 };

struct toml {
	enum toml_type type;
	unsigned line;      /**< where it begins */
	unsigned how;       /**< of a table or an array: how it was made; private to the reader */
	char *key;          /**< zero-terminated; NULL for elements of arrays and the root */
	size_t key_len;     /**< bytes: a key may hold zeros */
	struct toml *next;  /**< in the table or array, as written */
	struct toml *child; /**< TABLE, ARRAY: the first; NULL: empty */
	struct toml *last;
	char *text; /**< STRING and dates, zero-terminated */
	size_t len; /**< bytes of text: a string may hold zeros */
	union {
		int64_t i;
		double f;
		bool b;
	};
};

/** Read a document of len bytes. *ret is its root table. -EINVAL and a sentence that names the line; -ENOMEM. */
int toml_parse(struct toml **ret, const char *text, size_t len, struct gyve_err *err);
/** NULL ok. */
void toml_free(struct toml *t);
/** The value of key in table t; NULL if there is none, or t is NULL or no table. */
struct toml *toml_get(const struct toml *t, const char *key);
/** "a string", "an integer" ... */
const char *toml_type_name(enum toml_type type);
#endif
