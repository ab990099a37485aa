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

static int use_var(void *ctx, unsigned number)
{
	(void)ctx;
	return number > 100 ? -1 : 0;
}

static int var_get(void *ctx, unsigned number, uint64_t *ret)
{
	*ret = number;
	return use_var(ctx, number);
}

static int var_set(void *ctx, unsigned number, uint64_t value)
{
	(void)value;
	return use_var(ctx, number);
}

static int trace(void *ctx, uint64_t addr, uint64_t len)
{
	(void)ctx, (void)addr;
	return len > 1 << 16 ? -1 : 0;
}

static int print(void *ctx, const char *text, size_t len)
{
	volatile char all = 0;

	(void)ctx;
	if (len > AGENT_MAX_TEXT)
		abort();
	for (size_t i = 0; i < len; i++)
		all = (char)(all + text[i]);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct agent_env env = {.reg = read_reg,
				      .read = read_mem,
				      .var_get = var_get,
				      .var_set = var_set,
				      .trace = trace,
				      .trace_string = trace,
				      .trace_var = use_var,
				      .print = print};
	uint8_t *exact = malloc(size ? size : 1);
	struct gyve_err err = {0};
	uint64_t value;

	if (!exact)
		return 0;
	memcpy(exact, data, size);
	if (agent_check(exact, size, AGENT_VARS | AGENT_TRACE | AGENT_PRINT, &err) == 0)
		(void)agent_eval(exact, size, &env, &value);
	else if (!err.text[0])
		abort();
	free(exact);
	return 0;
}
