/* Private to src/hermit: what a Hermit image expects of its hypervisor. Numbers: the Hermit guest ABI as uhyve provides it. */
#ifndef GYVE_HERMIT_H
#define GYVE_HERMIT_H
#include <pthread.h>
#include <sys/uio.h>

#include "gyve/loader.h"

/* Offsets from the first byte of RAM. */
enum {
	HERMIT_GDT = 0x1000,
	HERMIT_FDT = 0x5000,
	HERMIT_FDT_MAX = 0x4000,
	HERMIT_BOOT_INFO = 0x9000,
	HERMIT_TABLES = 0x10000,     /* root table; page-table frames follow */
	HERMIT_TABLES_END = 0x38000, /* where the boot stack of a position-independent kernel begins */
	HERMIT_KERNEL = 0x40000,     /* a position-independent kernel */
	HERMIT_STACK = 0x8000,       /* below the kernel */
	HERMIT_BOOT_INFO_SIZE = 128,
	HERMIT_A64_WINDOW = 0x4000, /* aarch64: hypercall addresses, no memory behind them */
};

#define HERMIT_VERSION(major, minor, patch) ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8 | (uint32_t)(patch))

struct hermit_file;
struct hermit_files {
	struct hermit_file *open; /* ascending numbers */
	size_t n;
	int used; /* numbers given out */
};

struct hermit_devices;
struct hermit {
	const struct gyve_elf *elf;
	const struct gyve_boot_params *params;
	struct gyve_sink out;
	pthread_mutex_t lock; /* one hypercall with an effect outside at a time */
	const struct gyve_memmap *map;
	uint64_t ga, ram_len, ka, image_len;
	uint64_t initrd;                /* a Hermit image behind the kernel; 0: none */
	unsigned interface;             /* version the image asks for */
	uint32_t version;               /* of the kernel, by HERMIT_VERSION; 0: it does not say */
	bool legacy;                    /* older than 0.10: more of the first GiB is mapped */
	struct hermit_devices *devices; /* NULL: not attached */
	uint64_t calls[32];             /* hypercalls by row of the table; atomic */
	struct hermit_files files;
};

static inline uint64_t hermit_image_end(const struct hermit *h)
{
	return h->ka + h->image_len;
}

/* What the first page tables map. */
static inline uint64_t hermit_mapped_end(const struct hermit *h)
{
	return h->initrd ? h->initrd + h->params->initrd_len : hermit_image_end(h);
}

/* layout.c */
int hermit_read_notes(struct hermit *h, struct gyve_err *err);
int hermit_place(struct hermit *h, struct gyve_err *err);
void hermit_fill_layout(const struct hermit *h, struct gyve_layout *l);

/* frames.c */
struct hermit_frames {
	const struct hermit *h;
	uint64_t next;       /* the first free frame */
	uint64_t table_bits; /* what an entry that points to a table says besides its address */
};
/* 4 KiB of guest memory at gpa. */
uint8_t *hermit_frame(const struct hermit *h, uint64_t gpa);
/* Put leaf, as it is, where va is looked up at leaf_shift (12: a page, 21: 2 MiB), making the tables on the way. */
int hermit_map(struct hermit_frames *f, uint64_t va, unsigned leaf_shift, uint64_t leaf, struct gyve_err *err);

/* tables_x86_64.c, tables_aarch64.c: write the first page tables into RAM. -ENOEXEC: the image is too large for the frames. */
int hermit_tables_x86_64(const struct hermit *h, struct gyve_err *err);
int hermit_tables_aarch64(const struct hermit *h, struct gyve_err *err);

/* boot_info.c */
int hermit_write_boot_info(const struct hermit *h, struct gyve_err *err);

/* fdt.c: the device tree, into HERMIT_FDT. */
int hermit_write_fdt(const struct hermit *h, struct gyve_err *err);

/* devices.c: a PCI bus, and on it the network card if there is a network. aarch64: only then. */
enum { HERMIT_A64_ECAM = 0x0b000000, HERMIT_A64_PCI = 0x0c000000, HERMIT_A64_PCI_LEN = 16 << 20, HERMIT_A64_SPI = 3 };
int hermit_attach(void *state, const struct gyve_dev_host *host, struct gyve_err *err);
/* As after power on. */
void hermit_devices_reset(struct hermit *h);
void hermit_devices_destroy(struct hermit *h);
/* false: no device is there. */
bool hermit_device_access(const struct hermit *h, const struct gyve_access *a);

/* cpu.c */
void hermit_cpu_init(void *state, unsigned cpu, struct gyve_regs *r);

/* hypercall.c */
int64_t hermit_call_number(void *state, const struct gyve_access *a);
const char *hermit_call_row(size_t i, uint32_t *number);
uint64_t hermit_call_count(void *state, size_t i, const char **name);
enum gyve_access_result hermit_access(void *state, struct gyve_access *a, int *code, struct gyve_err *err);
/* files.c: descriptors and paths. Values are what the guest gets: a count, or a negative Linux errno. */
/* Read and write take the pieces of a buffer, v[n], none of which is empty. They may wait for the host: with h->lock (which the
 * caller holds) given up, and -EINTR when the vCPU is wanted elsewhere. */
int64_t hermit_file_read(struct hermit *h, const struct gyve_access *a, int fd, const struct iovec *v, int n);
int64_t hermit_file_write(struct hermit *h, const struct gyve_access *a, int fd, const struct iovec *v, int n);
int64_t hermit_file_seek(struct hermit *h, int fd, int64_t offset, int whence);
int hermit_file_open(struct hermit *h, const char *path, int flags, int mode);
int hermit_file_close(struct hermit *h, int fd);
int hermit_file_unlink(struct hermit *h, const char *path);
/* All descriptors; numbers begin anew. */
void hermit_files_close(struct hermit *h);
/* What waits at standard input, at once: bytes, 0 if there is nothing. */
int64_t hermit_input(const struct hermit *h, void *buf, size_t len);
/* dirs.c: 0 or a positive errno; getdents: bytes (0: the end) or a negative errno. attr: 120 bytes. */
enum { HERMIT_ATTR_SIZE = 120 };
int64_t hermit_getdents(struct hermit *h, int fd, void *buf, uint64_t len);
int hermit_stat(struct hermit *h, const char *path, bool follow, uint8_t *attr);
int hermit_fstat(struct hermit *h, int fd, uint8_t *attr);
int hermit_mkdir(struct hermit *h, const char *path);
/* args.c: Cmdsize and Cmdval. */
void hermit_fill_cmdsize(const struct hermit *h, uint8_t *block);
int hermit_copy_args(const struct hermit *h, gyve_gpa_t argv, gyve_gpa_t envp);
#endif
