/* What this host's KVM does for a debugger, feature by feature, found by running tiny guests (milliseconds in all). */
#ifndef GYVE_PROBE_H
#define GYVE_PROBE_H
#include "gyve/error.h"
#include "gyve/types.h"

enum gyve_probe_state { GYVE_PROBE_WORKS, GYVE_PROBE_LIMITED, GYVE_PROBE_ABSENT };

struct gyve_probe_fact {
	const char *feature; /**< short name, the same on every host of an architecture */
	enum gyve_probe_state state;
	char seen[96];     /**< what happened */
	char strategy[96]; /**< what gyve does about it; "" when it just uses the feature */
};

enum { GYVE_PROBE_MAX = 32 };
/** Fill facts[GYVE_PROBE_MAX]. Returns how many, or as vm_create of the KVM backend does when there is no usable KVM. */
int gyve_probe(struct gyve_probe_fact *facts, struct gyve_err *err);
#endif
