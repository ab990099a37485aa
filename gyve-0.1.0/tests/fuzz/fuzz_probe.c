/* The file of the probe's answers: whatever it holds, nothing but exactly what was stored is taken. */
#include "../../src/backend/kvm/probe.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char key[] = "key";
	struct gyve_host_caps caps = {0};
	char again[1024];
	char *text = malloc(size + 1); /* of its own size: a byte too far is seen */

	if (!text)
		return 0;
	memcpy(text, data, size);
	if (probe_cache_parse(text, size, key, &caps) &&
	    (probe_cache_format(again, sizeof(again), key, &caps) != size || memcmp(again, text, size) != 0))
		abort();
	free(text);
	return 0;
}
