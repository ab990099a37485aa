/* Private to gyve: as much of QEMU's firmware configuration device as Linux's qemu_fw_cfg driver needs to tell where its
 * VMCOREINFO is: signature, features, the directory with its one file etc/vmcoreinfo, and DMA. Memory-mapped, and as ports. */
#ifndef FW_CFG_H
#define FW_CFG_H
#include "gyve/dev.h"

enum { FW_CFG_LEN = 0x18, FW_CFG_PORTS = 12 };

struct fw_cfg;
/** map is where DMA goes; borrowed. -ENOMEM. */
int fw_cfg_create(struct fw_cfg **ret, const struct gyve_memmap *map);
void fw_cfg_reset(struct fw_cfg *f);
/** gyve_dev_access_fn for its range. */
void fw_cfg_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
/** The same for FW_CFG_PORTS ports: key, data, and DMA at 4. */
void fw_cfg_port_access(void *dev, bool write, uint64_t offset, void *data, unsigned len);
/** What the guest has written: true, and where its note is and how long (both the guest's word). Any thread. */
bool fw_cfg_vmcoreinfo(struct fw_cfg *f, gyve_gpa_t *gpa, uint32_t *len);
/** NULL ok. */
void fw_cfg_destroy(struct fw_cfg *f);
#endif
