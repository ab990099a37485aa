/* Private to src/linux: what an arm64 kernel is loaded and told. Documentation/arch/arm64/booting.rst of the kernel. */
#ifndef GYVE_LINUX_ARM64_H
#define GYVE_LINUX_ARM64_H
#include "gyve/error.h"
#include "gyve/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Guest physical addresses: the interrupt controller's are the backend's (src/backend/kvm/kvm_aarch64.c). */
enum {
	A64_GICD = 0x08000000,
	A64_GICD_LEN = 0x10000,
	A64_GICR = 0x080a0000,
	A64_GICR_CPU_LEN = 0x20000,
	A64_UART = 0x09000000,
	A64_UART_LEN = 0x1000,
	A64_UART_IRQ = 1, /* SPIs, counted from 0 */
	A64_FWCFG = 0x09020000,
	A64_FWCFG_LEN = 0x18,
	A64_VIRTIO = 0x0a000000,
	A64_VIRTIO_LEN = 0x200,
	A64_VIRTIO_IRQ = 16,
	A64_VIRTIO_MAX = 32,
	A64_MAX_CPUS = 123, /* their redistributors end where the UART begins */
	A64_FDT_MAX = 2 << 20,
};
#define A64_RAM UINT64_C(0x40000000)

/* --- image_arm64.c */

struct arm64_image {
	const uint8_t *data; /**< of the file, or unpacked */
	size_t size;
	void *unpacked;       /**< owned; NULL: the file is not compressed */
	uint64_t text_offset; /**< from a 2 MiB boundary */
	uint64_t image_size;  /**< bytes of memory it needs from there, at least size */
};
/** An Image, or one behind gzip? Looks at the first bytes only. */
bool arm64_image_probe(const void *data, size_t size);
/** Check the header; unpack if it is compressed (up to max bytes). -ENOEXEC and a sentence. data is borrowed. */
int arm64_image_open(struct arm64_image *ret, const void *data, size_t size, size_t max, struct gyve_err *err);
void arm64_image_close(struct arm64_image *image);

/* --- fdt_arm64.c */

struct arm64_fdt {
	const void *dtb; /**< the user's, hostile; NULL: none */
	size_t dtb_len;
	uint64_t ram_len;
	unsigned ncpus, nvirtio;
	const char *bootargs;        /**< NULL: the user's tree's, else none */
	uint64_t initrd, initrd_len; /**< len 0: none */
	const uint8_t *seed;         /**< 8 bytes of kaslr-seed; NULL: the kernel stays where it is linked */
	bool fwcfg;
};
/** Write the tree to buf, size bytes: the user's, with what gyve's machine has in place of what it says about the same nodes.
 * -EINVAL: the user's tree is damaged or speaks of another machine; -E2BIG: it does not fit. */
int arm64_fdt_write(const struct arm64_fdt *f, void *buf, size_t size, struct gyve_err *err);
#endif
