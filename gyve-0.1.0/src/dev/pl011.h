/* Private to gyve: ARM's PL011 serial port (DDI 0183), interrupt-driven. What it is given goes to a sink at once; input comes
 * from a descriptor through the loop, and waits there while the guest is not ready for it. */
#ifndef GYVE_PL011_H
#define GYVE_PL011_H
#include "gyve/dev.h"

enum { GYVE_PL011_LEN = 0x1000 };

struct gyve_pl011;
/** line: as host->irq counts. out is copied and called under the device's lock. in_fd is borrowed, -1: no input. -ENOMEM. */
int gyve_pl011_create(struct gyve_pl011 **ret, const struct gyve_dev_host *host, unsigned line, const struct gyve_sink *out,
		      int in_fd);
/** As after power-on; what was received is gone. */
void gyve_pl011_reset(struct gyve_pl011 *p);
/** gyve_dev_access_fn for its range. */
void gyve_pl011_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
/** The loop is paused or gone. NULL ok. */
void gyve_pl011_destroy(struct gyve_pl011 *p);
#endif
