/* What a Linux kernel says of itself: lines of KEY=VALUE, in the note VMCOREINFO. */
#include "core_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of "\nKEY=" in text, up to the line's end. */
static bool value_of(const char *text, const char *key, char *buf, size_t size)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, n) != 0 || line[n] != '=')
			continue;
		size_t len = strcspn(line + n + 1, "\n");
		if (len >= size)
			return false;
		memcpy(buf, line + n + 1, len);
		buf[len] = '\0';
		return true;
	}
	return false;
}

static unsigned hex_bytes(const char *text, uint8_t *ret, unsigned max)
{
	unsigned n = 0, byte;

	while (n < max && sscanf(text + 2 * (size_t)n, "%2x", &byte) == 1)
		ret[n++] = (uint8_t)byte;
	return n;
}

/* desc is len bytes of text without an end. */
int core_vmcoreinfo(struct gyve_core *core, const uint8_t *desc, size_t len)
{
	struct gyve_core_linux *l = &core->guest_linux;
	char *text = len <= 1 << 20 ? malloc(len + 1) : NULL, value[2 * GYVE_BUILD_ID_MAX + 1], *end;

	if (!text)
		return -EINVAL;
	memcpy(text, desc, len);
	text[len] = '\0';
	if (value_of(text, "OSRELEASE", l->release, sizeof(l->release)) && !strchr(l->release, '/'))
		l->there = true;
	else
		l->release[0] = '\0';
	if (value_of(text, "BUILD-ID", value, sizeof(value)))
		l->build_id_len = hex_bytes(value, l->build_id, sizeof(l->build_id));
	if (value_of(text, "KERNELOFFSET", value, sizeof(value))) {
		l->offset = strtoull(value, &end, 16);
		l->offset_known = *value && !*end;
	}
	free(text);
	return 0;
}
