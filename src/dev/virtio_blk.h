/* Private to gyve: virtio-blk over a disk (disk.h). Requests are carried out on the loop's thread, one after the other. */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H
#include "disk.h"
#include "virtio.h"

/** disk is the device's from here on, also when this fails. id: at most 20 bytes of it are shown to the guest. */
int virtio_blk_create(struct virtio **ret, const struct gyve_dev_host *host, struct disk *disk, const char *id);
/** NULL ok. */
void virtio_blk_destroy(struct virtio *d);
#endif
