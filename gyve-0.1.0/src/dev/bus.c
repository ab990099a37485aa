/* Which device an access is for. */
#include "gyve/dev.h"

#include <errno.h>

int gyve_bus_add(struct gyve_bus *bus, bool pio, uint64_t base, uint64_t len, gyve_dev_access_fn *access, void *dev)
{
	if (!len || base + (len - 1) < base)
		return -EINVAL;
	if (bus->n == GYVE_BUS_MAX)
		return -ENOSPC;
	for (unsigned i = 0; i < bus->n; i++) {
		const struct gyve_bus_range *r = &bus->range[i];
		if (r->pio == pio && base <= r->base + (r->len - 1) && r->base <= base + (len - 1))
			return -EEXIST;
	}
	bus->range[bus->n++] = (struct gyve_bus_range){pio, base, len, access, dev};
	return 0;
}

bool gyve_bus_access(const struct gyve_bus *bus, const struct gyve_access *a)
{
	for (unsigned i = 0; i < bus->n; i++) {
		const struct gyve_bus_range *r = &bus->range[i];
		uint64_t offset = a->addr - r->base;
		if (r->pio != a->pio || offset >= r->len || a->len > r->len - offset)
			continue;
		r->access(r->dev, a->write, offset, a->data, a->len);
		return true;
	}
	return false;
}
