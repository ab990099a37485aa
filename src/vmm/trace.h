/* Tracepoints, as run control sees them. */
#ifndef GYVE_VMM_TRACE_H
#define GYVE_VMM_TRACE_H
#include "vmm.h"

void trace_hit(struct gyve_vcpu *v, gyve_gva_t pc);
int trace_var_get(void *ctx, unsigned number, uint64_t *ret);
int trace_var_set(void *ctx, unsigned number, uint64_t value);
void trace_deinit(struct gyve_vm *vm);
#endif
