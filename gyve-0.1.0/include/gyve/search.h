/* Looking for bytes in memory, at memory speed. Pure functions of what is in front of them. */
#ifndef GYVE_SEARCH_H
#define GYVE_SEARCH_H
#include "gyve/error.h"
#include "gyve/types.h"

enum { GYVE_SEARCH_MAX = 256 };
struct gyve_search {
	/** width 0: bytes under a mask, at any address; 2, 4, 8: aligned numbers v with lo <= (v & vmask) <= hi */
	unsigned width;
	size_t len;
	uint8_t bytes[GYVE_SEARCH_MAX], mask[GYVE_SEARCH_MAX];
	uint64_t lo, hi, vmask;
	size_t at0, at1; /**< private: the two bytes looked at first */
	bool filter;
};
/** "text" given as it is. */
int gyve_search_string(struct gyve_search *s, const char *text, struct gyve_err *err);
/** Hex digits, ?? for any byte: "4889e5??c3". */
int gyve_search_hex(struct gyve_search *s, const char *hex, struct gyve_err *err);
/** "VALUE", "LO-HI", either with "/MASK" behind it; width 2, 4 or 8. */
int gyve_search_number(struct gyve_search *s, unsigned width, const char *spec, struct gyve_err *err);
/** Bytes a hit has: what has to overlap between two pieces of memory that are searched one after the other. */
size_t gyve_search_len(const struct gyve_search *s);
/** The first hit in data[from, len), or len. data lies at an address that is a multiple of 8. */
size_t gyve_search_next(const struct gyve_search *s, const uint8_t *data, size_t len, size_t from);
#endif
