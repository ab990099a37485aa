/* A platform without a hypervisor: image in, memory laid out, accesses as a vCPU would make them. */
#ifndef BOOT_H
#define BOOT_H
#include "elf_build.h"
#include "gyve/dev.h"

struct boot {
	const struct gyve_platform_ops *ops;
	struct gyve_elf elf;
	struct gyve_boot_params params; /* set before boot_start() */
	struct gyve_layout layout;
	struct gyve_memmap map;
	struct gyve_dev_host host; /* no interrupts, no loop: set what devices of params need */
	uint8_t *ram;              /* layout.ram_len bytes, the window included */
	void *state;
	struct gyve_regs regs; /* of the vCPU that makes accesses */
	struct gyve_err err;
	int code;
	char out[256]; /* what the guest said, NUL-terminated, cut */
	size_t nout;
	bool wanted, no_regs; /* a stop is wanted; registers cannot be read */
};

/* Parse, plan, memory, load. A negative errno and b->err where it stopped. boot_end() always follows. */
int boot_start(struct boot *b, const struct gyve_platform_ops *ops, const void *file, size_t size);
void boot_end(struct boot *b);
/* Registers of vCPU n at its start. */
void boot_cpu(struct boot *b, unsigned cpu);
/* out to a port. */
enum gyve_access_result boot_out(struct boot *b, uint16_t port, uint32_t value, unsigned len);
/* in from a port; what it gave in *ret. */
enum gyve_access_result boot_in(struct boot *b, uint16_t port, unsigned len, uint32_t *ret);
/* 8-byte store at a guest-physical address. */
enum gyve_access_result boot_store(struct boot *b, uint64_t gpa, uint64_t value);
/* Guest memory; fails the caller by NULL. */
uint8_t *boot_ptr(struct boot *b, uint64_t gpa, uint64_t len);
#endif
