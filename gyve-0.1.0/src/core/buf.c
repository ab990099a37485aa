/* A growing buffer and ELF notes in it. */
#include "core_priv.h"

#include "../base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *reserve(struct core_buf *b, size_t len)
{
	if (b->failed || len > SIZE_MAX / 2 - b->len)
		return b->failed = true, NULL;
	if (b->len + len > b->cap) {
		size_t cap = (b->len + len) * 2 + 4096;
		uint8_t *p = realloc(b->p, cap);
		if (!p)
			return b->failed = true, NULL;
		b->p = p;
		b->cap = cap;
	}
	b->len += len;
	return b->p + b->len - len;
}

void core_buf_add(struct core_buf *b, const void *data, size_t len)
{
	uint8_t *p = reserve(b, len);
	if (p && len)
		memcpy(p, data, len);
}

void core_buf_zero(struct core_buf *b, size_t len)
{
	uint8_t *p = reserve(b, len);
	if (p)
		memset(p, 0, len);
}

void core_buf_printf(struct core_buf *b, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		core_buf_add(b, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

void core_note_add(struct core_buf *b, const char *owner, uint32_t type, const void *desc, size_t len)
{
	uint8_t head[12];
	size_t namesz = strlen(owner) + 1;

	put_le32(head, (uint32_t)namesz);
	put_le32(head + 4, (uint32_t)len);
	put_le32(head + 8, type);
	core_buf_add(b, head, sizeof(head));
	core_buf_add(b, owner, namesz);
	core_buf_zero(b, -namesz & 3);
	core_buf_add(b, desc, len);
	core_buf_zero(b, -len & 3);
}
