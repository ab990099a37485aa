#include "gyve/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

unsigned char gyve_log_levels[GYVE_LOG_SUBS] = {[0 ... GYVE_LOG_SUBS - 1] = GYVE_LOG_WARN};

static const char *const level_names[] = {"off", "error", "warn", "info", "debug"};
static const char *const sub_names[GYVE_LOG_SUBS] = {"main", "kvm", "run", "bp", "gdb", "hermit", "load", "dev"};

const char *gyve_log_name(unsigned sub)
{
	return sub < GYVE_LOG_SUBS ? sub_names[sub] : "";
}

static int find(const char *const *names, size_t n, const char *s, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], s, len))
			return (int)i;
	return -1;
}

int gyve_log_configure(const char *spec)
{
	unsigned char next[GYVE_LOG_SUBS];
	memcpy(next, gyve_log_levels, sizeof(next));
	while (*spec) {
		size_t len = strcspn(spec, ",");
		const char *eq = memchr(spec, '=', len);
		const char *word = eq ? eq + 1 : spec;
		int level = find(level_names, 5, word, (size_t)(spec + len - word));
		if (level < 0)
			return -EINVAL;
		if (eq) {
			int sub = find(sub_names, GYVE_LOG_SUBS, spec, (size_t)(eq - spec));
			if (sub < 0)
				return -EINVAL;
			next[sub] = (unsigned char)level;
		} else {
			memset(next, level, sizeof(next));
		}
		spec += len + (spec[len] == ',');
	}
	memcpy(gyve_log_levels, next, sizeof(next));
	return 0;
}

/* A level as Rust's loggers write it, or -1. */
static int rust_level(const char *word, size_t n)
{
	for (int i = 0; i < 5; i++)
		if (strlen(level_names[i]) == n && strncasecmp(level_names[i], word, n) == 0)
			return i;
	return n == 5 && strncasecmp(word, "trace", n) == 0 ? GYVE_LOG_DEBUG : -1;
}

void gyve_log_configure_rust(const char *spec)
{
	int all = -1, ours = -1;

	for (; *spec; spec += strspn(spec, ",")) {
		size_t len = strcspn(spec, ",/");
		const char *eq = memchr(spec, '=', len);
		const char *word = eq ? eq + 1 : spec;
		bool named = strncmp(spec, "uhyve", 5) == 0 || strncmp(spec, "gyve", 4) == 0;
		int level = rust_level(word, (size_t)(spec + len - word));
		if (!eq && level < 0 && named) /* a module without a level: all of it */
			level = GYVE_LOG_DEBUG;
		if (level >= 0 && named)
			ours = level;
		else if (level >= 0 && !eq)
			all = level;
		spec += len;
		if (*spec == '/') /* a filter for texts */
			break;
	}
	int level = ours >= 0 ? ours : all >= 0 ? all : GYVE_LOG_WARN;
	memset(gyve_log_levels, level, sizeof(gyve_log_levels));
}

void gyve_log_emit(enum gyve_log_level level, enum gyve_log_sub sub, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "gyve: %s: %s: %s\n", level_names[level], sub_names[sub], line);
}
