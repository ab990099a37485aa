/* On aarch64 KVM says all there is to know (KVM_CAP_GUEST_DEBUG_HW_*): nothing is run. */
#include "kvm_host.h"

#include <errno.h>

void kvm_probe(struct gyve_host_caps *caps)
{
	caps->hw_watch_works = caps->hw_wps > 0;
}
