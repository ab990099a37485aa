/* Work done here rather than byte by byte by the client: qSearch:memory and qCRC. */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
	PAGE = 4096,
	MAX_PATTERN = 0x10000,
	MAX_HOLES = 1 << 16, /* pages that cannot be read and are skipped: a search over everything must end */
};

/* --- qSearch:memory:ADDR;LEN;PATTERN */

/* Two of the pattern's bytes are compared at 64 places at a time; the rest where both are right. Sixteen lanes: every processor
 * has those. */
typedef uint8_t lanes __attribute__((vector_size(16)));
typedef uint64_t words __attribute__((vector_size(16)));
enum { LANES = 16, STEP = 4 * LANES };

static size_t skip(const char *p, const char *q, lanes first, lanes second, size_t from, size_t to)
{
	for (; from + STEP <= to; from += STEP) {
		lanes hit = {0};
		for (size_t i = from; i < from + STEP; i += LANES) {
			lanes a, b;
			memcpy(&a, p + i, LANES);
			memcpy(&b, q + i, LANES);
			hit |= (lanes)(a == first) & (lanes)(b == second);
		}
		if (((words)hit)[0] | ((words)hit)[1])
			break;
	}
	return from;
}

/* Zeros and blanks are everywhere. */
static unsigned rarity(char c)
{
	return c == 0 || c == (char)0xff ? 0 : c == ' ' || c == 'e' ? 1 : 2;
}

static char *find(char *text, size_t len, const char *pattern, size_t n)
{
	size_t at0 = 0, at1, i = 0, places;

	if (n > len)
		return NULL;
	for (size_t k = 1; k < n; k++)
		at0 = rarity(pattern[k]) > rarity(pattern[at0]) ? k : at0;
	at1 = n - 1 != at0 ? n - 1 : 0;
	for (size_t k = n; k-- > 0;)
		at1 = k != at0 && rarity(pattern[k]) > rarity(pattern[at1]) ? k : at1;
	lanes first = (lanes){0} + (uint8_t)pattern[at0], second = (lanes){0} + (uint8_t)pattern[at1];
	places = len - n + 1;
	while ((i = skip(text + at0, text + at1, first, second, i, places)) < places) {
		size_t end = i + STEP < places ? i + STEP : places;
		for (; i < end; i++)
			if (text[i + at0] == pattern[at0] && memcmp(text + i, pattern, n) == 0)
				return text + i;
	}
	return NULL;
}

struct search {
	struct gdbstub *s;
	int tid;
	uint64_t addr, left; /* what is still to be read */
	const char *pattern;
	size_t pattern_len;
	size_t have; /* bytes in scratch that the next ones continue */
	unsigned holes;
};

/* Behind scratch's kept bytes. Returns how many came, 0 at a hole. */
static size_t fill(struct search *x)
{
	struct gdbstub *s = x->s;
	struct gdbstub_err err = {0};
	uint64_t want = GDBSTUB_PACKET_SIZE - x->have;
	ssize_t n;

	if (want > x->left)
		want = x->left;
	n = s->ops->read_mem(s->ctx, x->tid, x->addr, s->scratch + x->have, (size_t)want, &err);
	return n <= 0 ? 0 : (uint64_t)n < want ? (size_t)n : (size_t)want;
}

static bool skip_hole(struct search *x)
{
	uint64_t by = PAGE - x->addr % PAGE;

	if (++x->holes > MAX_HOLES)
		return false;
	by = by < x->left ? by : x->left;
	x->addr += by;
	x->left -= by;
	x->have = 0;
	return true;
}

/* 1: found, at *at; 0: not; -1: too many holes. */
static int search(struct search *x, uint64_t *at)
{
	char *scratch = x->s->scratch, *hit;

	while (x->left) {
		size_t n = fill(x);
		if (!n) {
			if (!skip_hole(x))
				return -1;
			continue;
		}
		x->have += n;
		x->addr += n;
		x->left -= n;
		hit = find(scratch, x->have, x->pattern, x->pattern_len);
		if (hit) {
			*at = x->addr - x->have + (uint64_t)(hit - scratch);
			return 1;
		}
		if (x->have >= x->pattern_len) { /* the pattern may begin in what is kept */
			size_t keep = x->pattern_len - 1;
			memmove(scratch, scratch + x->have - keep, keep);
			x->have = keep;
		}
	}
	return 0;
}

GDBSTUB_HANDLER(search)
{
	struct search x = {.s = s, .tid = gdbstub_general_thread(s)};
	struct gdbstub_cur what;
	uint64_t at = 0;
	int found;

	gdbstub_cur_expect(c, ':');
	what = gdbstub_cur_until(c, ':');
	if (!gdbstub_cur_is(&what, "memory")) {
		gdbstub_reply(s, "");
		return;
	}
	x.addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ';');
	x.left = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ';');
	x.pattern = c->p;
	x.pattern_len = gdbstub_cur_left(c);
	if (c->bad || !x.pattern_len || x.pattern_len > MAX_PATTERN) {
		gdbstub_reply_malformed(s);
		return;
	}
	if (x.addr && x.left > -x.addr)
		x.left = -x.addr;
	if (x.tid == 0) {
		gdbstub_reply_error(s, ESRCH, "there is no thread");
		return;
	}
	found = search(&x, &at);
	if (found < 0)
		gdbstub_reply_error(s, EFAULT, "searched up to 0x%" PRIx64 ": too much of it is not mapped", x.addr);
	else if (!found)
		gdbstub_reply(s, "0");
	else {
		gdbstub_reply_begin(s);
		gdbstub_reply_fmt(s, "1,%" PRIx64, at);
		gdbstub_reply_end(s);
	}
}

/* --- qCRC:ADDR,LEN: the CRC of compare-sections (polynomial 0x04c11db7, from the top bit, begun with all ones) */

static uint32_t crc_byte(uint32_t crc, uint8_t byte)
{
	crc ^= (uint32_t)byte << 24;
	for (int i = 0; i < 8; i++)
		crc = crc & 0x80000000 ? crc << 1 ^ 0x04c11db7 : crc << 1;
	return crc;
}

GDBSTUB_HANDLER(crc)
{
	uint32_t table[256], crc = UINT32_MAX;
	struct gdbstub_err err = {0};
	int tid = gdbstub_general_thread(s);
	uint64_t addr, len;

	gdbstub_cur_expect(c, ':');
	addr = gdbstub_cur_hex(c);
	gdbstub_cur_expect(c, ',');
	len = gdbstub_cur_hex(c);
	if (!gdbstub_cur_done(c) || (addr && len > -addr)) {
		gdbstub_reply_malformed(s);
		return;
	}
	for (unsigned i = 0; i < 256; i++)
		table[i] = crc_byte(0, (uint8_t)i);
	while (len) {
		size_t want = len < GDBSTUB_PACKET_SIZE ? (size_t)len : GDBSTUB_PACKET_SIZE;
		ssize_t n = tid ? s->ops->read_mem(s->ctx, tid, addr, s->scratch, want, &err) : -ESRCH;
		if (n <= 0 || (size_t)n > want) {
			gdbstub_reply_op_error(s, n < 0 ? (int)n : -EFAULT, &err);
			return;
		}
		for (ssize_t i = 0; i < n; i++)
			crc = crc << 8 ^ table[crc >> 24 ^ (uint8_t)s->scratch[i]];
		addr += (uint64_t)n;
		len -= (uint64_t)n;
	}
	gdbstub_reply_begin(s);
	gdbstub_reply_fmt(s, "C%08" PRIx32, crc);
	gdbstub_reply_end(s);
}
