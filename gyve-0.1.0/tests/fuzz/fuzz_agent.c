/* Agent expressions. What agent_check() passes must end, and must read nothing outside itself. */
#include "../../src/vmm/agent.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_reg(void *ctx, unsigned number, uint64_t *ret)
{
	(void)ctx;
	*ret = number * UINT64_C(0x10001);
	return number > 200 ? -1 : 0;
}

static int read_mem(void *ctx, uint64_t addr, void *buf, size_t len)
{
	(void)ctx;
	if (len != 1 && len != 2 && len != 4 && len != 8)
		abort();
	memset(buf, (int)(addr & 0xff), len);
	return addr >> 40 ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct agent_env env = {read_reg, read_mem, NULL};
	uint8_t *exact = malloc(size ? size : 1);
	struct gyve_err err = {0};
	uint64_t value;

	if (!exact)
		return 0;
	memcpy(exact, data, size);
	if (agent_check(exact, size, &err) == 0)
		(void)agent_eval(exact, size, &env, &value);
	else if (!err.text[0])
		abort();
	free(exact);
	return 0;
}
