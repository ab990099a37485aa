/* Emulated devices: a bus of address ranges, interrupt lines, and one thread that waits for the outside. A device is a file in
 * src/dev/; a platform (hermit, linux) creates those its guests expect, puts them on its bus, and hands each access on.
 *
 * Threads: access functions run on vCPU threads, several at once: each device has a lock of its own. Callbacks of the loop run
 * on the loop's thread and only while the guest may run: under a debugger's stop nothing changes. */
#ifndef GYVE_DEV_H
#define GYVE_DEV_H
#include "gyve/error.h"
#include "gyve/loader.h"

/* --- bus */

/** An access of 1, 2, 4 or 8 bytes at offset of the device's range; a read fills all of data (little-endian). */
typedef void gyve_dev_access_fn(void *dev, bool write, uint64_t offset, void *data, unsigned len);

enum { GYVE_BUS_MAX = 64 };
struct gyve_bus {
	unsigned n;
	struct gyve_bus_range {
		bool pio;
		uint64_t base, len; /**< ports or guest physical addresses */
		gyve_dev_access_fn *access;
		void *dev;
	} range[GYVE_BUS_MAX];
};
/** Before the guest runs. -EEXIST: overlaps another range; -ENOSPC: the bus is full; -EINVAL: len 0 or it wraps. */
int gyve_bus_add(struct gyve_bus *bus, bool pio, uint64_t base, uint64_t len, gyve_dev_access_fn *access, void *dev);
/** false: no range holds all of the access. Any vCPU thread. */
bool gyve_bus_access(const struct gyve_bus *bus, const struct gyve_access *a);

/* --- loop */

struct gyve_loop;
/** revents as poll(2) reports them. */
typedef void gyve_loop_fn(void *ctx, unsigned revents);

/** thread_begins is called on the loop's thread before anything else (isolation); what it fails with gyve_loop_start() fails
 * with. NULL: nothing. */
int gyve_loop_create(struct gyve_loop **ret);
/** fd is polled for events (POLLIN...) from now on; any thread, also from a callback. 0 events: not now. -ENOSPC: too many. */
int gyve_loop_watch(struct gyve_loop *l, int fd, unsigned events, gyve_loop_fn *fn, void *ctx);
/** fd is no longer polled; its callback is not running when this returns (unless called from it). */
void gyve_loop_unwatch(struct gyve_loop *l, int fd);
/** Is there nothing to watch? */
bool gyve_loop_idle(struct gyve_loop *l);
/** Start the thread, paused. */
int gyve_loop_start(struct gyve_loop *l, int (*thread_begins)(void *ctx, struct gyve_err *err), void *ctx,
		    struct gyve_err *err);
/** No callback is running when pause returns, and none runs before resume. */
void gyve_loop_pause(struct gyve_loop *l);
void gyve_loop_resume(struct gyve_loop *l);
/** Ends the thread. Descriptors are their owners'. NULL ok. */
void gyve_loop_destroy(struct gyve_loop *l);

/* --- what a device gets from the VM */

struct gyve_dev_host {
	/** Set the level of an interrupt line: x86_64 an I/O APIC pin (GSI); aarch64 an SPI, counted from 0 (INTID - 32). Any
	 * thread. */
	int (*irq)(void *ctx, unsigned line, bool level);
	/** Send a message-signalled interrupt. x86_64 only; elsewhere -ENOTSUP. Any thread. */
	int (*msi)(void *ctx, uint64_t addr, uint32_t data);
	/** Guest memory, for DMA. */
	const struct gyve_memmap *map;
	struct gyve_loop *loop;
	void *ctx;
};
#endif
