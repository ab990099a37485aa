/* On aarch64 KVM says all there is to know (KVM_CAP_GUEST_DEBUG_HW_*): nothing is run. */
#include <stdio.h>

#include "gyve/probe.h"
#include "kvm_host.h"

#include <errno.h>

void kvm_probe(struct gyve_host_caps *caps)
{
	caps->hw_watch_works = caps->hw_wps > 0;
}

int gyve_probe(struct gyve_probe_fact *facts, struct gyve_err *err)
{
	struct gyve_vm_config cfg = {.ncpus = 1};
	struct gyve_bvm *vm;
	int r = gyve_backend_kvm.vm_create(&cfg, &vm, err);

	if (r < 0)
		return r;
	const struct gyve_host_caps *c = gyve_backend_kvm.caps(vm);
	facts[0] = (struct gyve_probe_fact){.feature = "hardware breakpoint",
					    .state = c->hw_bps ? GYVE_PROBE_WORKS : GYVE_PROBE_ABSENT};
	snprintf(facts[0].seen, sizeof(facts[0].seen), "%u registers", c->hw_bps);
	facts[1] = (struct gyve_probe_fact){.feature = "write watchpoint",
					    .state = c->hw_wps ? GYVE_PROBE_WORKS : GYVE_PROBE_ABSENT};
	snprintf(facts[1].seen, sizeof(facts[1].seen), "%u registers", c->hw_wps);
	facts[2] = (struct gyve_probe_fact){.feature = "machine", .state = GYVE_PROBE_WORKS};
	snprintf(facts[2].seen, sizeof(facts[2].seen), "%u vCPUs at most, %u address bits", c->max_vcpus, c->pa_bits);
	gyve_backend_kvm.vm_destroy(vm);
	return 3;
}
