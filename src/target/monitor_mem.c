/* Monitor commands about bytes: dump, find, and ports. */
#define _GNU_SOURCE /* memmem */
#include "monitor.h"

#include "../base/bytes.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- xp, after QEMU's */

struct format {
	unsigned count, size;
	char letter;
};

/* "/4gx": count, size (b h w g), letter (x d u o c), as in gdb. */
static int parse_format(struct mon *m, struct format *f)
{
	char word[24];
	const char *p = word + 1;

	*f = (struct format){1, 4, 'x'};
	if (m->arg[0] != '/')
		return 0;
	if (!mon_word(m, word, sizeof(word)))
		return gyve_err_set(m->err, -EINVAL, "the format is too long");
	if (isdigit((unsigned char)*p)) {
		f->count = (unsigned)strtoul(p, (char **)&p, 10);
		if (!f->count || f->count > 65536)
			return gyve_err_set(m->err, -EINVAL, "a count from 1 to 65536, please");
	}
	for (; *p; p++) {
		if (strchr("bhwg", *p))
			f->size = *p == 'b' ? 1 : *p == 'h' ? 2 : *p == 'w' ? 4 : 8;
		else if (strchr("xduoc", *p))
			f->letter = *p;
		else if (*p == 'i')
			return gyve_err_set(m->err, -ENOTSUP,
					    "gdb disassembles: maintenance packet Qqemu.PhyMemMode:1, then x/i");
		else
			return gyve_err_set(m->err, -EINVAL, "the format has no letter '%c'", *p);
	}
	if (f->letter == 'c')
		f->size = 1;
	return 0;
}

static void put_item(struct mon *m, const struct format *f, const uint8_t *p)
{
	static const unsigned octal[] = {3, 6, 0, 11, 0, 0, 0, 22}, decimal[] = {3, 5, 0, 10, 0, 0, 0, 20};
	uint64_t v = 0;
	unsigned shift = 64 - 8 * f->size;

	for (unsigned i = 0; i < f->size; i++)
		v |= (uint64_t)p[i] << 8 * i;
	switch (f->letter) {
	case 'x':
		mon_say(m, " 0x%0*" PRIx64, (int)f->size * 2, v);
		break;
	case 'o':
		mon_say(m, " %#*" PRIo64, (int)octal[f->size - 1] + 1, v);
		break;
	case 'u':
		mon_say(m, " %*" PRIu64, (int)decimal[f->size - 1], v);
		break;
	case 'd':
		mon_say(m, " %*" PRId64, (int)decimal[f->size - 1] + 1, (int64_t)(v << shift) >> shift);
		break;
	default:
		if (isprint((int)v))
			mon_say(m, " '%c'", (int)v);
		else
			mon_say(m, " '\\x%02x'", (unsigned)v);
	}
}

int mon_xp(struct mon *m)
{
	struct format f;
	uint64_t gpa;
	int ret = parse_format(m, &f);

	if (ret == 0)
		ret = mon_next_address(m, &gpa);
	if (ret == 0)
		ret = mon_end(m);
	for (unsigned done = 0, per_line = f.letter == 'c' ? 8 : 16 / f.size; ret == 0 && done < f.count;) {
		unsigned n = f.count - done < per_line ? f.count - done : per_line;
		uint8_t buf[16];
		m->t->touch_devices = true;
		ssize_t got = gyve_target_read_phys(m->t, gpa, buf, n * f.size, m->err);
		m->t->touch_devices = false;
		if (got < (ssize_t)f.size) {
			mon_say(m, "%016" PRIx64 ": Cannot access memory\n", gpa);
			return done ? 0 : got < 0 ? (int)got : -EFAULT;
		}
		n = (unsigned)got / f.size < n ? (unsigned)got / f.size : n;
		mon_say(m, "%016" PRIx64 ":", gpa);
		for (unsigned i = 0; i < n; i++)
			put_item(m, &f, buf + i * f.size);
		mon_say(m, "\n");
		done += n;
		gpa += n * f.size;
	}
	return ret;
}

/* --- search */

enum { PATTERN_MAX = 128, HITS_MAX = 256, CHUNK = 64 << 10 };
#define SEARCH_MAX (UINT64_C(16) << 30) /* bytes looked at: tables can map the same page everywhere */

static int parse_pattern(struct mon *m, uint8_t *buf, size_t *len)
{
	const char *p = m->arg;
	size_t n = 0, digits = strspn(p, "0123456789abcdefABCDEF ");

	if (*p == '"') {
		size_t end = strlen(p);
		n = end >= 2 && p[end - 1] == '"' ? end - 2 : 0;
		if (!n || n > PATTERN_MAX)
			return gyve_err_set(m->err, -EINVAL, "text stands in double quotes and has 1 to %d bytes", PATTERN_MAX);
		memcpy(buf, p + 1, n);
		*len = n;
		return 0;
	}
	if (strncmp(p, "0x", 2) == 0) {
		p += 2;
		digits = strspn(p, "0123456789abcdefABCDEF ");
	}
	if (p[digits] || !*p)
		return gyve_err_set(m->err, -EINVAL, "what to find: pairs of hex digits, or \"text\"");
	while (*p) {
		unsigned byte;
		p += strspn(p, " ");
		if (!isxdigit((unsigned char)p[0]) || !isxdigit((unsigned char)p[1]) || n == PATTERN_MAX ||
		    sscanf(p, "%2x", &byte) != 1)
			return gyve_err_set(m->err, -EINVAL, "the pattern has pairs of hex digits, at most %d", PATTERN_MAX);
		buf[n++] = (uint8_t)byte;
		p += 2;
	}
	*len = n;
	return 0;
}

struct find {
	struct mon *m;
	bool phys;
	const uint8_t *pattern;
	size_t len;
	unsigned hits;
};

static ssize_t fetch(struct find *f, uint64_t at, void *buf, size_t len)
{
	return f->phys ? gyve_target_read_phys(f->m->t, at, buf, len, NULL)
		       : gyve_target_read(f->m->t, f->m->cpu, at, buf, len, NULL);
}

/* Hits that begin in [at, at+len) of the have bytes in buf. False: enough. */
static bool report(struct find *f, uint64_t at, const uint8_t *buf, size_t have)
{
	const uint8_t *p = buf;
	char where[256];

	while ((p = memmem(p, have - (size_t)(p - buf), f->pattern, f->len))) {
		uint64_t hit = at + (uint64_t)(p - buf);
		if (f->hits++ == HITS_MAX) {
			mon_say(f->m, "... more than %d\n", HITS_MAX);
			return false;
		}
		mon_say(f->m, "0x%016" PRIx64 " %s\n", hit, f->phys ? "" : mon_where(f->m, hit, where, sizeof(where)));
		p++;
	}
	return true;
}

/* Where nothing can be read, go on with the next page, at most so many times in a row. */
static int find_all(struct find *f, uint64_t at, uint64_t left)
{
	enum { HOLES_MAX = 1 << 18 };
	uint8_t *buf = malloc(CHUNK);
	unsigned holes = 0;
	uint64_t seen = 0;

	if (!buf)
		return gyve_err_set(f->m->err, -ENOMEM, "out of memory");
	while (left >= f->len && holes < HOLES_MAX && seen < SEARCH_MAX) {
		size_t want = left < CHUNK ? (size_t)left : CHUNK, step;
		ssize_t got = fetch(f, at, buf, want);
		seen += got > 0 ? (uint64_t)got : 0;
		if (got >= (ssize_t)f->len && !report(f, at, buf, (size_t)got))
			break;
		if (got == (ssize_t)want) {
			step = want == left ? want : want - f->len + 1;
			holes = 0;
		} else {
			uint64_t stop = at + (got > 0 ? (uint64_t)got : 0);
			step = (size_t)((stop | 4095) + 1 - at);
			holes++;
		}
		if (step > left || at + step < at)
			break;
		at += step;
		left -= step;
	}
	free(buf);
	mon_say(f->m, "%u found%s\n", f->hits > HITS_MAX ? HITS_MAX : f->hits,
		holes == HOLES_MAX   ? "; ended in a large hole"
		: seen >= SEARCH_MAX ? "; ended after 16 GiB"
				     : "");
	return 0;
}

int mon_search(struct mon *m)
{
	uint8_t pattern[PATTERN_MAX];
	struct find f = {.m = m, .pattern = pattern};
	char word[64];
	uint64_t at, len;
	int ret;

	if (strncmp(m->arg, "-p ", 3) == 0) {
		f.phys = true;
		m->arg += 3;
	}
	ret = mon_next_address(m, &at);
	mon_word(m, word, sizeof(word));
	if (ret == 0)
		ret = mon_number(m, word, "length", UINT64_MAX, &len);
	if (ret == 0)
		ret = parse_pattern(m, pattern, &f.len);
	return ret < 0 ? ret : find_all(&f, at, len);
}

/* --- ports */

static int port_access(struct mon *m, bool write)
{
	unsigned size = 1;
	uint8_t buf[8] = {0};
	char word[64];
	uint64_t port, value = 0;
	int ret = mon_only(m, GYVE_X86_64);

	if (ret < 0)
		return ret;
	if (m->arg[0] == '/') {
		mon_word(m, word, sizeof(word));
		size = strcmp(word, "/b") == 0 ? 1 : strcmp(word, "/w") == 0 ? 2 : strcmp(word, "/l") == 0 ? 4 : 0;
		if (!size)
			return gyve_err_set(m->err, -EINVAL, "a size is /b, /w or /l");
	}
	mon_word(m, word, sizeof(word));
	ret = mon_number(m, word, "port", 0xffff, &port);
	if (ret == 0 && write) {
		mon_word(m, word, sizeof(word));
		ret = mon_number(m, word, "value", UINT32_MAX >> (32 - 8 * size), &value);
	}
	if (ret == 0)
		ret = mon_end(m);
	if (ret < 0)
		return ret;
	put_le64(buf, value);
	ret = gyve_target_device(m->t, m->cpu, true, write, port, buf, size, m->err);
	if (ret == 0 && !write)
		mon_say(m, "port%s[0x%04" PRIx64 "] = 0x%0*" PRIx64 "\n",
			size == 1   ? "b"
			: size == 2 ? "w"
				    : "l",
			port, (int)size * 2, get_le64(buf));
	return ret;
}

int mon_in(struct mon *m)
{
	return port_access(m, false);
}

int mon_out(struct mon *m)
{
	return port_access(m, true);
}
