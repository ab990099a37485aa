/* Tracepoints: not there yet. */
#include "trace.h"
#include <errno.h>
void trace_hit(struct gyve_vcpu *v, gyve_gva_t pc)
{
	(void)v, (void)pc;
}
int trace_var_get(void *ctx, unsigned number, uint64_t *ret)
{
	(void)ctx, (void)number, *ret = 0;
	return -ENOENT;
}
int trace_var_set(void *ctx, unsigned number, uint64_t value)
{
	(void)ctx, (void)number, (void)value;
	return -ENOENT;
}
void trace_deinit(struct gyve_vm *vm)
{
	(void)vm;
}
