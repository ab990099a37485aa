/* The probe's answers, kept for as long as they are sure to be true: one boot of one kernel, one /dev/kvm. */
#include "probe.h"

#include "../../base/cache.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { FORMAT = 1, KEY_MAX = 512, FILE_MAX = 2048 };

static const struct {
	const char *name;
	size_t offset;
} facts[] = {
	{"sw_bp_is_internal_error", offsetof(struct gyve_host_caps, sw_bp_is_internal_error)},
	{"no_sw_bp", offsetof(struct gyve_host_caps, no_sw_bp)},
	{"no_hw_bp", offsetof(struct gyve_host_caps, no_hw_bp)},
	{"hw_watch_works", offsetof(struct gyve_host_caps, hw_watch_works)},
	{"readonly_exits", offsetof(struct gyve_host_caps, readonly_exits)},
	{"absent_exits", offsetof(struct gyve_host_caps, absent_exits)},
	{"emulates", offsetof(struct gyve_host_caps, emulates)},
};

static bool *fact(struct gyve_host_caps *caps, size_t i)
{
	return (bool *)((char *)caps + facts[i].offset);
}

size_t probe_cache_format(char *buf, size_t size, const char *key, const struct gyve_host_caps *caps)
{
	struct gyve_host_caps c = *caps;
	size_t n = (size_t)snprintf(buf, size, "%s\n", key);

	for (size_t i = 0; i < GYVE_ARRAY_SIZE(facts) && n < size; i++)
		n += (size_t)snprintf(buf + n, size - n, "%s %d\n", facts[i].name, *fact(&c, i));
	return n < size ? n : size - 1;
}

/* Everything has to be there, in order, and nothing else: what is not exactly ours is not used. */
bool probe_cache_parse(const char *text, size_t len, const char *key, struct gyve_host_caps *caps)
{
	struct gyve_host_caps c = *caps;
	char want[FILE_MAX];
	size_t n = probe_cache_format(want, sizeof(want), key, &c);

	if (len != n)
		return false;
	for (size_t i = 0, at = strlen(key) + 1; i < GYVE_ARRAY_SIZE(facts); i++, at++) {
		at += strlen(facts[i].name) + 1;
		if (at >= len || (text[at] != '0' && text[at] != '1'))
			return false;
		*fact(&c, i) = text[at++] == '1';
	}
	probe_cache_format(want, sizeof(want), key, &c);
	if (memcmp(text, want, len) != 0)
		return false;
	*caps = c;
	return true;
}

static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, (int)size, f);

	if (f)
		fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok && *buf;
}

/* The node's time changes when the module is loaded anew, maybe with other parameters. */
static bool make_key(char *buf, size_t size)
{
	char boot[64];
	struct utsname u;
	struct stat st;

	if (!read_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)) || uname(&u) < 0 || stat("/dev/kvm", &st) < 0)
		return false;
	int n = snprintf(buf, size, "gyve probe %d, boot %s, kernel %s %s, kvm %" PRId64 ".%09ld", FORMAT, boot, u.release,
			 u.version, (int64_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	return n > 0 && (size_t)n < size;
}

bool probe_cache_load(struct gyve_host_caps *caps)
{
	char path[4096], key[KEY_MAX], text[FILE_MAX];

	if (!make_key(key, sizeof(key)) || !gyve_cache_path(path, sizeof(path), "probe", false))
		return false;
	int fd = gyve_cache_open(path);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, text, sizeof(text));
	close(fd);
	return n > 0 && probe_cache_parse(text, (size_t)n, key, caps);
}

void probe_cache_store(const struct gyve_host_caps *caps)
{
	char path[4096], key[KEY_MAX], text[FILE_MAX];

	if (!make_key(key, sizeof(key)) || !gyve_cache_path(path, sizeof(path), "probe", true))
		return;
	gyve_cache_store(path, text, probe_cache_format(text, sizeof(text), key, caps));
}
