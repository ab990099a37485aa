/* Private to gyve: virtio-console with one port: hvc0 to Linux. Output goes to a sink; input comes from a descriptor, where it
 * waits while the guest has no buffers for it. */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H
#include "virtio.h"

/** out is copied, called on the loop's thread. in_fd is borrowed, -1: no input. */
int virtio_console_create(struct virtio **ret, const struct gyve_dev_host *host, const struct gyve_sink *out, int in_fd);
/** NULL ok. */
void virtio_console_destroy(struct virtio *d);
#endif
