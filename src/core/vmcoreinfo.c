/* What a Linux kernel says of itself: lines of KEY=VALUE, in the note VMCOREINFO. */
#include "core_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096 };

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

/* A number after "KEY=", decimal or 0x. */
static bool number_of(const char *text, const char *key, uint64_t *ret)
{
	char value[64], *end;

	if (!value_of(text, key, value, sizeof(value)) || !*value)
		return false;
	errno = 0;
	*ret = *value == '-' ? (uint64_t)strtoll(value, &end, 0) : strtoull(value, &end, 0);
	return !*end && !errno;
}

/* SYMBOL(...) and KERNELOFFSET are hex without 0x. */
static bool hex_of(const char *text, const char *key, uint64_t *ret)
{
	char value[64], *end;

	if (!value_of(text, key, value, sizeof(value)) || !*value)
		return false;
	errno = 0;
	*ret = strtoull(value, &end, 16);
	return !*end && !errno;
}

/* Where the kernel's own page tables are, and what they are like. */
static void read_tables(struct gyve_core_linux *l, const char *text, enum gyve_arch_id arch)
{
	uint64_t swapper, moved, t1sz, page, l5, signs;

	if (!hex_of(text, "SYMBOL(swapper_pg_dir)", &swapper))
		return;
	if (arch == GYVE_X86_64 && number_of(text, "NUMBER(phys_base)", &moved)) {
		l->root = swapper - UINT64_C(0xffffffff80000000) + moved; /* __START_KERNEL_map */
		l->levels = number_of(text, "NUMBER(pgtable_l5_enabled)", &l5) && l5 ? 5 : 4;
		l->root_known = true;
	} else if (arch == GYVE_AARCH64 && number_of(text, "NUMBER(kimage_voffset)", &moved) &&
		   number_of(text, "NUMBER(TCR_EL1_T1SZ)", &t1sz) && number_of(text, "PAGESIZE", &page)) {
		l->root = swapper - moved;
		l->signs = number_of(text, "NUMBER(KERNELPACMASK)", &signs) && signs;
		l->t1sz = (unsigned)(t1sz & 63);
		l->page = page;
		l->root_known = page == 4096 || page == 16384 || page == 65536;
	}
}

static void parse(struct gyve_core *core, const char *text)
{
	struct gyve_core_linux *l = &core->guest_linux;
	char *copy = strdup(text);
	char value[2 * GYVE_BUILD_ID_MAX + 1];

	if (copy) {
		free(l->text);
		l->text = copy;
	}
	if (value_of(text, "OSRELEASE", l->release, sizeof(l->release)) && !strchr(l->release, '/'))
		l->there = true;
	else
		l->release[0] = '\0';
	if (value_of(text, "BUILD-ID", value, sizeof(value)))
		l->build_id_len = hex_bytes(value, l->build_id, sizeof(l->build_id));
	l->offset_known = hex_of(text, "KERNELOFFSET", &l->offset);
	read_tables(l, text, core->arch->id);
}

/* desc is len bytes of text without an end. */
int core_vmcoreinfo(struct gyve_core *core, const uint8_t *desc, size_t len)
{
	char *text = len <= 1 << 20 ? malloc(len + 1) : NULL;

	if (!text)
		return -EINVAL;
	memcpy(text, desc, len);
	text[len] = '\0';
	parse(core, text);
	free(text);
	return 0;
}

/* The text begins a page (kernel/vmcore_info.c). */
static bool try_page(struct gyve_core *core, gyve_gpa_t gpa)
{
	static const char begin[] = "OSRELEASE=", wanted[] = "\nSYMBOL(swapper_pg_dir)=";
	uint64_t len = PAGE;
	const uint8_t *p = gyve_core_ptr(core, gpa, &len);
	char text[PAGE + 1];

	if (!p || len != PAGE || memcmp(p, begin, sizeof(begin) - 1) != 0)
		return false;
	memcpy(text, p, PAGE);
	text[PAGE] = '\0';
	if (!strstr(text, wanted))
		return false;
	parse(core, text);
	return core->guest_linux.there;
}

bool core_find_linux(struct gyve_core *core)
{
	for (size_t i = 0; i < core->map.n && !core->guest_linux.there; i++) {
		const struct gyve_region *r = &core->map.regions[i];
		for (uint64_t at = -r->gpa & (PAGE - 1), len; at < r->len && r->len - at >= PAGE; at += len) {
			uint64_t same;
			len = PAGE;
			if (gyve_core_page_state(core, r->gpa + at, &same) != GYVE_CORE_STORED)
				len = same >= PAGE ? same & ~(uint64_t)(PAGE - 1) : PAGE;
			else if (try_page(core, r->gpa + at))
				return true;
		}
	}
	return core->guest_linux.there;
}
