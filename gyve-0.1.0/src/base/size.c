#include "size.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int gyve_size_parse(uint64_t *ret, const char *text, struct gyve_err *err)
{
	static const struct {
		const char *name;
		uint64_t factor;
	} units[] = {
		{"", 1},
		{"B", 1},
		{"k", 1000},
		{"kB", 1000},
		{"K", 1000},
		{"KB", 1000},
		{"Ki", 1 << 10},
		{"KiB", 1 << 10},
		{"M", 1000000},
		{"MB", 1000000},
		{"Mi", 1 << 20},
		{"MiB", 1 << 20},
		{"G", 1000000000},
		{"GB", 1000000000},
		{"Gi", 1 << 30},
		{"GiB", 1 << 30},
		{"T", 1000000000000},
		{"TB", 1000000000000},
		{"Ti", 1ull << 40},
		{"TiB", 1ull << 40},
	};
	size_t digits = strspn(text, "0123456789");
	unsigned long long n;
	uint64_t v;

	errno = 0;
	n = strtoull(text, NULL, 10);
	if (digits == 0 || errno)
		return gyve_err_set(err, -EINVAL, "'%.60s' is not a size: write 64MiB, 1GiB or bytes", text);
	for (size_t i = 0; i < GYVE_ARRAY_SIZE(units); i++) {
		if (strcmp(text + digits, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(n, units[i].factor, &v) || v == 0)
			return gyve_err_set(err, -EINVAL, "the size '%.60s' is out of range", text);
		*ret = v;
		return 0;
	}
	return gyve_err_set(err, -EINVAL,
			    "'%.60s' has no unit I know: B, KiB, MiB, GiB, TiB, or kB, MB, GB, TB (powers of ten)", text);
}
