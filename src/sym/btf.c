/* See gyve/btf.h. A table of where each type begins, made and checked once; what is asked for is then found by name. */
#include "gyve/btf.h"

#include "../base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 0xeb9f, HEADER = 24, TYPE = 12, DEPTH_MAX = 32 };

enum kind {
	K_INT = 1,
	K_PTR,
	K_ARRAY,
	K_STRUCT,
	K_UNION,
	K_ENUM,
	K_FWD,
	K_TYPEDEF,
	K_VOLATILE,
	K_CONST,
	K_RESTRICT,
	K_FUNC,
	K_FUNC_PROTO,
	K_VAR,
	K_DATASEC,
	K_FLOAT,
	K_DECL_TAG,
	K_TYPE_TAG,
	K_ENUM64,
	K_N
};

struct gyve_btf {
	uint8_t *data;
	const uint8_t *types;
	const char *names;
	uint32_t types_len, names_len;
	uint32_t *at; /**< at[id]: where type id begins in types; at[0] is void's and unused */
	uint32_t ntypes;
};

static enum kind kind_of(const uint8_t *t)
{
	return (enum kind)(get_le32(t + 4) >> 24 & 31);
}

static uint32_t vlen_of(const uint8_t *t)
{
	return get_le32(t + 4) & 0xffff;
}

static bool bit_fields(const uint8_t *t)
{
	return get_le32(t + 4) >> 31;
}

/* What follows the three words of every type. */
static uint32_t tail_of(const uint8_t *t)
{
	switch (kind_of(t)) {
	case K_INT:
	case K_VAR:
	case K_DECL_TAG:
		return 4;
	case K_ARRAY:
		return 12;
	case K_STRUCT:
	case K_UNION:
	case K_DATASEC:
	case K_ENUM64:
		return 12 * vlen_of(t);
	case K_ENUM:
	case K_FUNC_PROTO:
		return 8 * vlen_of(t);
	default:
		return 0;
	}
}

static const uint8_t *type(const struct gyve_btf *b, uint32_t id)
{
	return id > 0 && id < b->ntypes ? b->types + b->at[id] : NULL;
}

static const char *name(const struct gyve_btf *b, uint32_t off)
{
	return off < b->names_len ? b->names + off : "";
}

static int index_types(struct gyve_btf *b, struct gyve_err *err)
{
	uint32_t max = b->types_len / TYPE + 1;

	b->at = malloc(sizeof(*b->at) * max);
	if (!b->at)
		return -ENOMEM;
	b->at[0] = 0;
	b->ntypes = 1;
	for (uint32_t at = 0; at < b->types_len;) {
		const uint8_t *t = b->types + at;
		if (b->types_len - at < TYPE || kind_of(t) == 0 || kind_of(t) >= K_N || tail_of(t) > b->types_len - at - TYPE)
			return gyve_err_set(err, -EINVAL, "BTF: type %u at 0x%x is damaged or of a kind not known", b->ntypes,
					    at);
		b->at[b->ntypes++] = at;
		at += TYPE + tail_of(t);
	}
	return 0;
}

/* A part of data behind the header. */
static bool part(const uint8_t *data, size_t size, uint32_t header, unsigned field, uint32_t *off, uint32_t *len)
{
	*off = get_le32(data + field);
	*len = get_le32(data + field + 4);
	return *off <= size - header && *len <= size - header - *off;
}

int gyve_btf_create(struct gyve_btf **ret, const void *data, size_t size, struct gyve_err *err)
{
	const uint8_t *h = data;
	uint32_t header = size >= HEADER ? get_le32(h + 4) : 0, types, names;
	struct gyve_btf *b;

	*ret = NULL;
	if (size < HEADER || size > GYVE_BTF_MAX || get_le16(h) != MAGIC || h[2] != 1 || header < HEADER || header > size)
		return gyve_err_set(err, -EINVAL, "this is no BTF of version 1 for this byte order");
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	if (!part(h, size, header, 8, &types, &b->types_len) || !part(h, size, header, 16, &names, &b->names_len) ||
	    b->names_len == 0 || h[header + names + b->names_len - 1]) {
		free(b);
		return gyve_err_set(err, -EINVAL, "BTF: its types and names are not all there");
	}
	b->data = malloc(size);
	if (!b->data) {
		free(b);
		return -ENOMEM;
	}
	memcpy(b->data, data, size);
	b->types = b->data + header + types;
	b->names = (const char *)b->data + header + names;
	int r = index_types(b, err);
	if (r < 0)
		gyve_btf_destroy(b);
	else
		*ret = b;
	return r;
}

void gyve_btf_destroy(struct gyve_btf *b)
{
	if (!b)
		return;
	free(b->at);
	free(b->data);
	free(b);
}

/* Past typedefs and qualifiers. */
static const uint8_t *plain(const struct gyve_btf *b, uint32_t id)
{
	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		const uint8_t *t = type(b, id);
		if (!t)
			return NULL;
		switch (kind_of(t)) {
		case K_TYPEDEF:
		case K_VOLATILE:
		case K_CONST:
		case K_RESTRICT:
		case K_TYPE_TAG:
		case K_VAR:
			id = get_le32(t + 8);
			break;
		default:
			return t;
		}
	}
	return NULL;
}

static bool is_compound(const uint8_t *t)
{
	return t && (kind_of(t) == K_STRUCT || kind_of(t) == K_UNION);
}

static uint64_t size_of(const struct gyve_btf *b, uint32_t id)
{
	uint64_t times = 1;

	for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
		const uint8_t *t = plain(b, id);
		if (!t)
			return 0;
		switch (kind_of(t)) {
		case K_PTR:
			return times * 8;
		case K_ARRAY:
			id = get_le32(t + TYPE);
			times *= get_le32(t + TYPE + 8);
			if (times > UINT32_MAX)
				return 0;
			break;
		case K_INT:
		case K_STRUCT:
		case K_UNION:
		case K_ENUM:
		case K_ENUM64:
		case K_FLOAT:
			return times * get_le32(t + 8);
		default:
			return 0;
		}
	}
	return 0;
}

static uint32_t find_named(const struct gyve_btf *b, const char *wanted)
{
	uint32_t alias = 0;

	for (uint32_t id = 1; id < b->ntypes; id++) {
		const uint8_t *t = b->types + b->at[id];
		enum kind k = kind_of(t);
		if ((k != K_STRUCT && k != K_UNION && k != K_TYPEDEF) || strcmp(name(b, get_le32(t)), wanted) != 0)
			continue;
		if (k != K_TYPEDEF)
			return id;
		alias = id;
	}
	return is_compound(plain(b, alias)) ? alias : 0;
}

int gyve_btf_size(const struct gyve_btf *b, const char *wanted, uint64_t *ret)
{
	uint32_t id = find_named(b, wanted);

	*ret = size_of(b, id);
	return id ? 0 : -ENOENT;
}

struct search {
	const struct gyve_btf *b;
	const char *wanted;
	size_t len;
	uint64_t bits;   /**< found: where, from the beginning */
	unsigned budget; /**< members still to be looked at: damaged types may hold each other */
};

/* The member of that name in t, also in the unnamed ones within. Its type, or 0. */
static uint32_t find_member(struct search *s, const uint8_t *t, unsigned depth)
{
	const struct gyve_btf *b = s->b;

	for (uint32_t i = 0; depth < DEPTH_MAX && i < vlen_of(t) && s->budget > 0; i++) {
		s->budget--;
		const uint8_t *m = t + TYPE + 12 * (size_t)i;
		const char *n = name(b, get_le32(m));
		uint32_t id = get_le32(m + 4), at = get_le32(m + 8) & (bit_fields(t) ? 0xffffff : UINT32_MAX);
		const uint8_t *inner = *n ? NULL : plain(b, id);
		bool here = strlen(n) == s->len && s->len > 0 && memcmp(n, s->wanted, s->len) == 0;
		if (!here)
			id = is_compound(inner) ? find_member(s, inner, depth + 1) : 0;
		if (id) {
			s->bits += at;
			return id;
		}
	}
	return 0;
}

int gyve_btf_member(const struct gyve_btf *b, const char *wanted, const char *path, struct gyve_member *ret)
{
	struct search s = {.b = b, .budget = 1 << 20};
	uint32_t id = find_named(b, wanted);

	for (const char *at = path; id && at; at = strchr(at, '.')) {
		at += *at == '.';
		const uint8_t *t = plain(b, id);
		s.wanted = at;
		s.len = strcspn(at, ".");
		id = is_compound(t) ? find_member(&s, t, 0) : 0;
	}
	if (!id)
		return -ENOENT;
	ret->offset = s.bits / 8;
	ret->size = size_of(b, id);
	return 0;
}
