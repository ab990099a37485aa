/* Private to toml.c and toml_value.c: the cursor, and single values. */
#ifndef GYVE_TOML_PRIV_H
#define GYVE_TOML_PRIV_H
#include "toml.h"

struct toml_reader {
	const char *p, *end;
	unsigned line, values, depth;
	struct gyve_err *err;
};

/* Why this does not go on. Returns -EINVAL. */
int toml_bad(struct toml_reader *r, const char *why);
/* The byte at offset n, 0 behind the end (a zero in the text is refused before). */
static inline char toml_peek(const struct toml_reader *r, size_t n)
{
	return n < (size_t)(r->end - r->p) ? r->p[n] : '\0';
}
static inline bool toml_starts(const struct toml_reader *r, const char *with)
{
	size_t n = 0;

	while (with[n] && toml_peek(r, n) == with[n])
		n++;
	return !with[n];
}
/* A string of any of the four kinds, at its opening quote; *ret is malloced. Keys are on one line. */
int toml_read_string(struct toml_reader *r, bool one_line, char **ret, size_t *len);
/* A number, a boolean or a date into v. */
int toml_read_plain(struct toml_reader *r, struct toml *v);
#endif
