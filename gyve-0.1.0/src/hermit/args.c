/* Cmdsize and Cmdval: arguments and environment for kernels that do not read them from the device tree. */
#include <errno.h>
#include <string.h>

#include "../base/bytes.h"
#include "hermit.h"

/* Kernels that ask this way make an array of as many environment pointers as announced and read on until a null pointer, which
 * they do not write. uhyve announces the host's whole environment, so the array used to be large enough to end in fresh memory.
 * Empty strings, which no reader takes for a variable, do the same for a small environment. */
enum { MAX = 128, MIN_ENV = 16, ARGSZ = 4, ENVC = 516, ENVSZ = 520 };

static const char *arg(const struct hermit *h, size_t i)
{
	if (i == 0)
		return h->params->path;
	return h->params->args ? h->params->args[i - 1] : NULL;
}

static const char *env(const struct hermit *h, size_t i)
{
	size_t n = 0;

	while (h->params->env && h->params->env[n] && n <= i)
		n++;
	return i < n ? h->params->env[i] : i < MIN_ENV ? "" : NULL;
}

typedef const char *list_fn(const struct hermit *h, size_t i);

static uint32_t fill_sizes(const struct hermit *h, list_fn *list, uint8_t *sizes)
{
	uint32_t n = 0;

	for (const char *s; n < MAX && (s = list(h, n)); n++)
		put_le32(sizes + 4 * n, (uint32_t)strlen(s) + 1);
	return n;
}

void hermit_fill_cmdsize(const struct hermit *h, uint8_t *block)
{
	put_le32(block, fill_sizes(h, arg, block + ARGSZ));
	put_le32(block + ENVC, fill_sizes(h, env, block + ENVSZ));
}

/* array: guest-physical addresses of as many destinations as strings were announced. */
static int copy_list(const struct hermit *h, list_fn *list, gyve_gpa_t array)
{
	const char *s;

	for (size_t i = 0; i < MAX && (s = list(h, i)); i++) {
		const uint8_t *slot = gyve_memmap_ptr(h->map, array + 8 * i, 8);
		size_t len = strlen(s) + 1;
		void *to = slot ? gyve_memmap_ptr(h->map, get_le64(slot), len) : NULL;
		if (!to)
			return -EFAULT;
		memcpy(to, s, len);
	}
	return 0;
}

int hermit_copy_args(const struct hermit *h, gyve_gpa_t argv, gyve_gpa_t envp)
{
	int r = copy_list(h, arg, argv);
	return r < 0 ? r : copy_list(h, env, envp);
}
