/* A cursor over untrusted bytes: reads past the end give 0 and set bad, which stays. Little-endian. */
#ifndef GYVE_READER_H
#define GYVE_READER_H
#include "bytes.h"

#include <stdbool.h>
#include <stddef.h>

struct reader {
	const uint8_t *base;
	size_t at, end; /**< offsets from base */
	bool bad;
};

/** Bytes base[at..len). */
static inline struct reader reader_at(const void *base, size_t len, size_t at)
{
	return (struct reader){base, at <= len ? at : len, len, at > len};
}
static inline bool reader_has(struct reader *r, uint64_t n)
{
	if (!r->bad && n <= r->end - r->at)
		return true;
	r->bad = true;
	r->at = r->end;
	return false;
}
static inline void reader_skip(struct reader *r, uint64_t n)
{
	if (reader_has(r, n))
		r->at += (size_t)n;
}
static inline uint8_t read_u8(struct reader *r)
{
	return reader_has(r, 1) ? r->base[r->at++] : 0;
}
#define READER_LE(name, type, get)                                            \
	static inline type name(struct reader *r)                             \
	{                                                                     \
		type v = reader_has(r, sizeof(v)) ? get(r->base + r->at) : 0; \
		reader_skip(r, sizeof(v));                                    \
		return v;                                                     \
	}
READER_LE(read_u16, uint16_t, get_le16)
READER_LE(read_u32, uint32_t, get_le32)
READER_LE(read_u64, uint64_t, get_le64)
#undef READER_LE

/** LEB128 (DWARF 5 section 7.6); bits beyond the 64th are dropped. */
static inline uint64_t read_uleb(struct reader *r)
{
	uint64_t v = 0;
	uint8_t byte;
	unsigned shift = 0;

	do {
		byte = read_u8(r);
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return v;
}
static inline int64_t read_sleb(struct reader *r)
{
	uint64_t v = 0;
	uint8_t byte;
	unsigned shift = 0;

	do {
		byte = read_u8(r);
		if (shift < 64)
			v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (shift < 64 && byte & 0x40)
		v |= ~UINT64_C(0) << shift;
	return (int64_t)v;
}
/** A zero-terminated string inside the bytes, or NULL (and bad). */
static inline const char *read_string(struct reader *r)
{
	const uint8_t *from = r->base + r->at, *nul = r->bad || r->at == r->end ? NULL : memchr(from, 0, r->end - r->at);

	if (!nul) {
		r->bad = true;
		return NULL;
	}
	r->at += (size_t)(nul - from) + 1;
	return (const char *)from;
}
#endif
