/* Private to src/linux: what an x86 kernel is loaded and told. Documentation/arch/x86/boot.rst of the kernel (bzImage, 64-bit
 * entry); Xen's docs/misc/pvh.pandoc and include/public/arch-x86/hvm/start_info.h (ELF with the PVH note); ACPI 6.4. */
#ifndef GYVE_LINUX_X86_64_H
#define GYVE_LINUX_X86_64_H
#include "gyve/error.h"
#include "gyve/loader.h"

/* Guest physical addresses and ports of the machine. */
enum {
	X86_GDT = 0x1000,
	X86_START_INFO = 0x6000, /* PVH, with its memory map and module list behind it */
	X86_BOOT_PARAMS = 0x7000,
	X86_SETUP_DATA = 0x8000,
	X86_TABLES = 0x9000, /* six pages */
	X86_CMDLINE = 0x20000,
	X86_CMDLINE_MAX = 2048, /* with the 0 at its end */
	X86_LOW_END = 0x9fc00,  /* usable memory below the first MiB */
	X86_ACPI = 0xe0000,     /* up to 1 MiB */
	X86_HIGH = 0x100000,    /* kernels lie above */
	X86_COM1 = 0x3f8,
	X86_COM1_IRQ = 4,
	X86_FWCFG = 0x510,
	X86_FWCFG_LEN = 12,
	X86_PM = 0x600,
	X86_PM_LEN = 12,
	X86_SCI = 9,
	X86_VIRTIO_IRQ = 16, /* the pins of the I/O APIC that no PC device has */
	X86_VIRTIO_MAX = 8,
	X86_MAX_CPUS = 254,
};
#define X86_VIRTIO UINT64_C(0xd0000000)
#define X86_GAP UINT64_C(0xc0000000) /* devices, from here up to 4 GiB */
#define X86_GAP_LEN UINT64_C(0x40000000)

/* --- image_x86_64.c */

struct x86_kernel;
struct x86_image {
	bool pvh;                   /**< an ELF file that is entered in 32-bit mode; else a bzImage */
	const struct gyve_elf *elf; /**< what is loaded; NULL: a bzImage, which unpacks itself */
	const uint8_t *data;        /**< bzImage: all of it; borrowed */
	size_t size;
	size_t kernel_at;          /**< bzImage: where its protected-mode part begins */
	uint64_t load, len;        /**< memory it takes, to unpack itself as well; guest physical */
	uint64_t entry;            /**< guest physical */
	uint64_t initrd_max;       /**< highest address of the RAM disk's last byte */
	uint32_t cmdline_max;      /**< bytes, without the 0 */
	struct x86_kernel *kernel; /**< out of a bzImage; owned; NULL: none */
	uint64_t slide;            /**< what is added to the virtual addresses it was linked for */
};
/** A bzImage, or an ELF kernel with a PVH note? Looks at what is there only. */
bool x86_image_probe(const struct gyve_elf *elf);
/** Check the header. -ENOEXEC and a sentence. elf is borrowed. */
int x86_image_open(struct x86_image *ret, const struct gyve_elf *elf, struct gyve_err *err);

/* --- unpack_x86_64.c */

/** Take the kernel out of a bzImage: elf and entry are its then. max bytes at most. An error leaves the image as it is. */
int x86_image_unpack(struct x86_image *im, uint64_t max, struct gyve_err *err);
/** Can it run at other virtual addresses? */
bool x86_image_movable(const struct x86_image *im);
/** Choose them. */
void x86_image_move(struct x86_image *im, uint64_t random);
/** When it is in memory: add the slide to the addresses in it. -ENOEXEC: damaged. */
int x86_image_relocate(const struct x86_image *im, const struct gyve_memmap *map, struct gyve_err *err);
void x86_image_close(struct x86_image *im);

/* --- boot_x86_64.c */

struct x86_boot {
	const struct x86_image *image;
	uint64_t ram_len;
	uint64_t rsdp;
	uint64_t initrd, initrd_len; /**< len 0: none */
	const char *cmdline;
	bool kaslr;          /**< the kernel was moved, and shall go on so */
	const uint8_t *seed; /**< 32 random bytes for the kernel's generator; NULL: none */
};
/** Kernel, command line, boot_params or hvm_start_info, GDT, page tables. -ENOMEM: memory is missing. */
int x86_boot_write(const struct x86_boot *b, const struct gyve_memmap *map, struct gyve_err *err);
/** Registers of the processor that enters it. */
void x86_boot_registers(const struct x86_boot *b, struct gyve_x86_regs *r);

/* --- acpi_x86_64.c */

/** RSDP, XSDT, FADT, FACS, MADT, DSDT from X86_ACPI on; the RSDP's address in *rsdp. -ENOMEM. */
int x86_acpi_write(const struct gyve_memmap *map, unsigned ncpus, unsigned nvirtio, uint64_t *rsdp, struct gyve_err *err);
#endif
