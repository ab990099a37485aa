/* Private to gyve: the PC's serial port, a 16550A, interrupt-driven. What it is given goes to a sink at once; input comes from
 * a descriptor through the loop, and waits there while the guest is not ready for it. */
#ifndef GYVE_UART16550_H
#define GYVE_UART16550_H
#include "gyve/dev.h"

enum { UART16550_LEN = 8 }; /* ports */

struct uart16550;
/** line: as host->irq counts. out is copied and called under the device's lock. in_fd is borrowed, -1: no input. -ENOMEM. */
int uart16550_create(struct uart16550 **ret, const struct gyve_dev_host *host, unsigned line, const struct gyve_sink *out,
		     int in_fd);
/** As after power-on; what was received is gone. */
void uart16550_reset(struct uart16550 *u);
/** gyve_dev_access_fn for its ports. */
void uart16550_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
/** The loop is paused or gone. NULL ok. */
void uart16550_destroy(struct uart16550 *u);
#endif
