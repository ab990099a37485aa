/* Search: two bytes of the pattern compared 32 places at a time, and only where both are right the rest. */
#include "gyve/search.h"

#include "../base/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

typedef uint8_t v32 __attribute__((vector_size(32)));
typedef uint64_t v4 __attribute__((vector_size(32)));
enum { LANES = 32 };

/* Zero and all ones are everywhere in memory: look for something else first. */
static unsigned rarity(uint8_t b)
{
	return b == 0 || b == 0xff ? 0 : b == ' ' || b == 'e' || b == 0x48 ? 1 : 2;
}

static int finish(struct gyve_search *s, struct gyve_err *err)
{
	int best = -1, second = -1;

	if (!s->len)
		return gyve_err_set(err, -EINVAL, "nothing to look for");
	for (size_t i = 0; i < s->len; i++) {
		if (s->mask[i] != 0xff)
			continue;
		if (best < 0 || rarity(s->bytes[i]) > rarity(s->bytes[best])) {
			second = best;
			best = (int)i;
		} else if (second < 0 || rarity(s->bytes[i]) > rarity(s->bytes[second])) {
			second = (int)i;
		}
	}
	s->filter = best >= 0;
	s->at0 = best < 0 ? 0 : (size_t)best;
	s->at1 = second < 0 ? s->at0 : (size_t)second;
	return 0;
}

int gyve_search_string(struct gyve_search *s, const char *text, struct gyve_err *err)
{
	memset(s, 0, sizeof(*s));
	s->len = strlen(text);
	if (s->len > GYVE_SEARCH_MAX)
		return gyve_err_set(err, -EINVAL, "more than %d bytes to look for", GYVE_SEARCH_MAX);
	memcpy(s->bytes, text, s->len);
	memset(s->mask, 0xff, s->len);
	return finish(s, err);
}

static int digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

int gyve_search_hex(struct gyve_search *s, const char *hex, struct gyve_err *err)
{
	memset(s, 0, sizeof(*s));
	for (; *hex; hex += 2, s->len++) {
		if (*hex == ' ' && s->len) {
			hex--, s->len--;
			continue;
		}
		if (s->len == GYVE_SEARCH_MAX)
			return gyve_err_set(err, -EINVAL, "more than %d bytes to look for", GYVE_SEARCH_MAX);
		if (hex[0] == '?' && hex[1] == '?')
			continue;
		if (digit(hex[0]) < 0 || digit(hex[1]) < 0)
			return gyve_err_set(err, -EINVAL, "'%.20s' is not pairs of hex digits or ??", hex);
		s->bytes[s->len] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
		s->mask[s->len] = 0xff;
	}
	return finish(s, err);
}

int gyve_search_number(struct gyve_search *s, unsigned width, const char *spec, struct gyve_err *err)
{
	char *end;

	memset(s, 0, sizeof(*s));
	s->width = width;
	s->vmask = width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
	errno = 0;
	s->lo = s->hi = strtoull(spec, &end, 0);
	if (end != spec && *end == '-') {
		const char *p = end + 1;
		s->hi = strtoull(p, &end, 0);
		if (end == p)
			errno = EINVAL;
	}
	if (end != spec && *end == '/') {
		const char *p = end + 1;
		s->vmask &= strtoull(p, &end, 0);
		if (end == p)
			errno = EINVAL;
	}
	if (end == spec || *end || errno || s->hi < s->lo)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not VALUE or LOW-HIGH, with or without /MASK", spec);
	return 0;
}

size_t gyve_search_len(const struct gyve_search *s)
{
	return s->width ? s->width : s->len;
}

static bool matches(const struct gyve_search *s, const uint8_t *p)
{
	for (size_t i = 0; i < s->len; i++)
		if ((p[i] ^ s->bytes[i]) & s->mask[i])
			return false;
	return true;
}

/* The first place in [from, to) whose 64 places hold a candidate, in steps of 64. */
#define DEFINE_SKIP(name, attribute)                                                                                       \
	attribute static size_t name(const uint8_t *p0, const uint8_t *p1, uint8_t b0, uint8_t b1, size_t from, size_t to) \
	{                                                                                                                  \
		v32 c0 = (v32){0} + b0, c1 = (v32){0} + b1;                                                                \
		for (; from + 2 * LANES <= to; from += 2 * LANES) {                                                        \
			v32 x0, x1, y0, y1;                                                                                \
			memcpy(&x0, p0 + from, LANES);                                                                     \
			memcpy(&x1, p1 + from, LANES);                                                                     \
			memcpy(&y0, p0 + from + LANES, LANES);                                                             \
			memcpy(&y1, p1 + from + LANES, LANES);                                                             \
			v4 hit = (v4)(((v32)(x0 == c0) & (v32)(x1 == c1)) | ((v32)(y0 == c0) & (v32)(y1 == c1)));          \
			if (hit[0] | hit[1] | hit[2] | hit[3])                                                             \
				break;                                                                                     \
		}                                                                                                          \
		return from;                                                                                               \
	}
DEFINE_SKIP(skip_plain, )

/* Likewise for numbers: blocks of 64 bytes without a hit. */
#define DEFINE_RANGE(name, type, attribute)                                                                                   \
	attribute static size_t name(const uint8_t *p, uint64_t lo64, uint64_t hi64, uint64_t mask64, size_t from, size_t to) \
	{                                                                                                                     \
		typedef type vec __attribute__((vector_size(32)));                                                            \
		vec lo = (vec){0} + (type)lo64, span = (vec){0} + (type)(hi64 - lo64), mask = (vec){0} + (type)mask64;        \
		for (; from + 64 <= to; from += 64) {                                                                         \
			vec a, b;                                                                                             \
			memcpy(&a, p + from, 32);                                                                             \
			memcpy(&b, p + from + 32, 32);                                                                        \
			v4 hit = (v4)(((a & mask) - lo <= span) | ((b & mask) - lo <= span));                                 \
			if (hit[0] | hit[1] | hit[2] | hit[3])                                                                \
				break;                                                                                        \
		}                                                                                                             \
		return from;                                                                                                  \
	}
DEFINE_RANGE(range16_plain, uint16_t, )
DEFINE_RANGE(range32_plain, uint32_t, )
DEFINE_RANGE(range64_plain, uint64_t, )

#ifdef __x86_64__
#define AVX2 __attribute__((target("avx2")))
DEFINE_SKIP(skip_avx2, AVX2)
DEFINE_RANGE(range16_avx2, uint16_t, AVX2)
DEFINE_RANGE(range32_avx2, uint32_t, AVX2)
DEFINE_RANGE(range64_avx2, uint64_t, AVX2)
#define CHOOSE(f) (__builtin_cpu_supports("avx2") ? f##_avx2 : f##_plain)
#else
#define CHOOSE(f) f##_plain
#endif

static uint64_t value_at(const uint8_t *p, unsigned width)
{
	return width == 2 ? get_le16(p) : width == 4 ? get_le32(p) : get_le64(p);
}

static size_t next_number(const struct gyve_search *s, const uint8_t *data, size_t len, size_t from)
{
	uint64_t max = s->width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * s->width) - 1, hi = s->hi < max ? s->hi : max;

	if (s->lo > max)
		return len;
	for (from = align_up(from, s->width); len - from >= s->width && from < len; from += s->width) {
		if (from % 64 == 0) {
			from = (s->width == 2   ? CHOOSE(range16)
				: s->width == 4 ? CHOOSE(range32)
						: CHOOSE(range64))(data, s->lo, hi, s->vmask, from, len);
			if (from >= len || len - from < s->width)
				break;
		}
		uint64_t v = value_at(data + from, s->width) & s->vmask;
		if (v >= s->lo && v <= hi)
			return from;
	}
	return len;
}

size_t gyve_search_next(const struct gyve_search *s, const uint8_t *data, size_t len, size_t from)
{
	if (s->width)
		return from < len ? next_number(s, data, len, from) : len;
	if (len < s->len)
		return len;
	for (size_t last = len - s->len; from <= last; from++) {
		if (s->filter) {
			/* every place in [from, last] has both bytes within len */
			size_t to =
				CHOOSE(skip)(data + s->at0, data + s->at1, s->bytes[s->at0], s->bytes[s->at1], from, last + 1);
			size_t end = to + 2 * LANES <= last + 1 ? to + 2 * LANES : last + 1;
			for (from = to; from < end; from++)
				if (matches(s, data + from))
					return from;
			from--;
			continue;
		}
		if (matches(s, data + from))
			return from;
	}
	return len;
}
