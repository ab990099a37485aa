/* Private to src/linux: the virtio devices a kernel finds, at virtio-mmio transports one behind the other; and what else is the
 * same for both architectures. */
#ifndef GYVE_LINUX_DEVICES_H
#define GYVE_LINUX_DEVICES_H
#include "../dev/virtio_mmio.h"

enum { LINUX_DEVICES_MAX = 16 };

struct linux_devices {
	unsigned n;
	struct virtio_net *net; /**< among them; NULL: none */
	struct linux_device {
		struct virtio_mmio mmio;
		void (*destroy)(struct virtio *d); /**< NULL: not by this */
	} dev[LINUX_DEVICES_MAX];
};

/** How many there will be: what tells the kernel of them may be written before they exist. */
unsigned linux_devices_count(const struct gyve_boot_params *params);
/** Make them, on bus from gpa on, VIRTIO_MMIO_LEN bytes each, with interrupt lines from line on; at most max. out: of the
 * console. What was made before a failure stays until linux_devices_destroy(). */
int linux_devices_create(struct linux_devices *l, const struct gyve_boot_params *params, const struct gyve_dev_host *host,
			 const struct gyve_sink *out, struct gyve_bus *bus, uint64_t gpa, unsigned line, unsigned max,
			 struct gyve_err *err);
/** As after power-on. */
void linux_devices_reset(struct linux_devices *l);
void linux_devices_destroy(struct linux_devices *l);

/** The descriptor that the guest's console reads; -1: none. */
int linux_input(const struct gyve_boot_params *params);
/** The kernel's command line: --append, then what follows IMAGE. -ENOEXEC: longer than size - 1 bytes. */
int linux_cmdline(const struct gyve_boot_params *params, char *buf, size_t size, struct gyve_err *err);
/** Is this one of its words? */
bool linux_has_word(const char *cmdline, const char *word);
#endif
