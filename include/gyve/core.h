/* Dumps out and in: memory and registers of a guest as a file that outlives it. The writer makes ELF cores that gdb, readelf,
 * crash and drgn open; the reader takes those and the formats of others. docs/post-mortem.md has the bytes. Dump files are
 * hostile input. No run control here; one thread at a time uses one dump. */
#ifndef GYVE_CORE_H
#define GYVE_CORE_H
#include "gyve/arch.h"
#include "gyve/error.h"

enum { GYVE_CORE_MAX_SEGS = 128, GYVE_CORE_MAX_CPUS = 4096, GYVE_BUILD_ID_MAX = 32 };

/** What a dump says about the guest besides registers and memory. All of it may be missing: 0 and "". */
struct gyve_core_info {
	int64_t when;       /**< seconds since 1970 */
	char why[24];       /**< "crash", "exit", "request", ... */
	char text[1024];    /**< the crash in words; one line */
	int stop_kind;      /**< enum gyve_stop_kind */
	int stop_code;      /**< exit code */
	unsigned stop_cpu;  /**< the vCPU it is about */
	int signal;         /**< what readers show as its signal; 0 none */
	uint64_t stop_addr; /**< data address of a watchpoint */
	char image[1024];   /**< path of the image file */
	uint8_t build_id[GYVE_BUILD_ID_MAX];
	unsigned build_id_len; /**< bytes; 0 unknown */
	bool layout_known;
	uint64_t bias, entry, ram_gpa, ram_len, window_len; /**< as in struct gyve_layout */
	bool boot_root_known;
	uint64_t boot_root;
	unsigned pa_bits; /**< guest-physical address width; 0 unknown */
	unsigned nsegs;
	struct gyve_core_seg {
		gyve_gva_t gva;
		gyve_gpa_t gpa;
		uint64_t len;
		unsigned perms; /**< GYVE_PERM_* */
	} seg[GYVE_CORE_MAX_SEGS];
	char writer[64]; /**< program and version */
};

/** State that is read by number: MSRs, registers of interrupt controllers. What a space is the target layer says. */
struct gyve_core_value {
	uint32_t space, id;
	uint64_t value;
};
enum { GYVE_CORE_MAX_VALUES = 1024 }; /* of a vCPU */

/* --- writing */

struct gyve_core_source {
	const struct gyve_arch *arch;
	unsigned ncpus;
	/** All groups of a vCPU; borrowed until the next call. NULL on error. */
	const struct gyve_regs *(*regs)(void *ctx, unsigned cpu);
	void *ctx;
	/** Numbered state of a vCPU: how many of v[GYVE_CORE_MAX_VALUES] were filled in. NULL: none. */
	size_t (*values)(void *ctx, unsigned cpu, struct gyve_core_value *v);
	struct gyve_mem phys;          /**< what is written: planted breakpoints hidden */
	const struct gyve_memmap *map; /**< where there is memory */
	const struct gyve_core_info *info;
};

struct gyve_core_options {
	bool compress; /**< zstd in frames of 1 MiB with a seek table */
	bool qemu; /**< x86_64: the notes of QEMU as well (crash wants them; drgn refuses a core with them but no VMCOREINFO) */
	bool virt; /**< segments by virtual address as well: gdb by itself knows no page tables */
	/** Called at most once a second, first after one second. May be NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total);
	void *progress_ctx;
	int pagemap_fd; /**< /proc/self/pagemap as whoever maps the memory opened it; 0: it is opened here */
};

struct gyve_core_result {
	uint64_t nominal; /**< bytes of the file, holes included */
	uint64_t stored;  /**< bytes of memory written */
	double seconds;
};

/** Write a dump to path: beside it first, synced, then renamed, so that path is whole or as it was. The guest must stand still
 * meanwhile. -ENOSPC, -EACCES ... with a sentence. result may be NULL. */
int gyve_core_write(const char *path, const struct gyve_core_source *src, const struct gyve_core_options *opt,
		    struct gyve_core_result *result, struct gyve_err *err);

/* --- reading */

enum gyve_core_kind { GYVE_CORE_ELF, GYVE_CORE_LIME, GYVE_CORE_KDUMP, GYVE_CORE_RAW };

struct gyve_core_open {
	bool writable; /**< writes go to memory of this process, never to the file */
	bool raw;      /**< no headers: bytes of memory from raw_gpa on */
	uint64_t raw_gpa;
	const struct gyve_arch *arch; /**< for formats that do not say it; NULL: this host's */
	bool find_roots;              /**< look for page tables in memory (gyve_core_find_roots()) */
	const char *const *regs;      /**< "NAME=VALUE" for every vCPU, NULL-terminated; NULL: none */
};

enum { GYVE_CORE_ABSENT, GYVE_CORE_ZERO, GYVE_CORE_STORED }; /* page states */

/** What a Linux guest said of itself (VMCOREINFO). */
struct gyve_core_linux {
	bool there;
	char release[128]; /**< "6.1.0-50-cloud-amd64" */
	bool offset_known;
	uint64_t offset; /**< what KASLR added to the addresses of vmlinux */
	uint8_t build_id[GYVE_BUILD_ID_MAX];
	unsigned build_id_len; /**< 0 unknown */
	bool root_known;
	gyve_gpa_t root; /**< the kernel's own page tables (swapper_pg_dir) */
	unsigned levels; /**< x86_64 */
	unsigned t1sz;   /**< aarch64: of the kernel's half */
	uint64_t page;   /**< aarch64: bytes of its granule */
	bool signs;      /**< aarch64: return addresses are signed */
	char *text;      /**< VMCOREINFO; NULL: none */
};

struct gyve_core {
	enum gyve_core_kind kind;
	char format[64]; /**< in words */
	const struct gyve_arch *arch;
	unsigned ncpus;
	struct gyve_regs *regs; /**< [ncpus]; what the dump does not have is 0 and not in .valid */
	bool have_sys;          /**< system registers are known, so page tables can be walked */
	bool is_virtual;        /**< its addresses are virtual ones (a core of a process): "physical" means those */
	bool has_info;
	struct gyve_core_info info;
	struct gyve_core_linux guest_linux;
	struct gyve_memmap map;
	struct gyve_mem phys;
	char *warnings; /**< lines: what is damaged or missing; NULL none */
	uint64_t file_size, mem_size, stored_size;
	struct gyve_core_backing *backing; /**< private */
};

/** Open a dump. Damaged ones: what is whole is there, ret->warnings says what is not. -ENOEXEC: no format known here. */
int gyve_core_open(struct gyve_core **ret, const char *path, const struct gyve_core_open *opt, struct gyve_err *err);
/** The same for bytes in memory (borrowed until closed). */
int gyve_core_open_mem(struct gyve_core **ret, const void *data, size_t size, const struct gyve_core_open *opt,
		       struct gyve_err *err);
void gyve_core_close(struct gyve_core *core); /**< NULL ok */
/** Look for page tables: those of which a Linux guest tells, or ones that map the pc and the stack of each vCPU; and enter them
 * in its registers. What was found is a warning. -ENOENT: none. */
int gyve_core_find_roots(struct gyve_core *core, struct gyve_err *err);
/** For a core of a process: bytes (borrowed until closed) of its program at an address, seen where the core has none. */
void gyve_core_add_image(struct gyve_core *core, gyve_gpa_t at, const void *bytes, uint64_t len);
/** Numbered state of a vCPU. -ENOENT: not in the dump. */
int gyve_core_value(const struct gyve_core *core, unsigned cpu, uint32_t space, uint32_t id, uint64_t *ret);
/** Pointer to as much of [gpa, gpa+*len) as is in one piece; *len is cut. NULL: nothing at gpa. Borrowed until closed. */
const uint8_t *gyve_core_ptr(struct gyve_core *core, gyve_gpa_t gpa, uint64_t *len);
/** State of the page at gpa, and in *len the bytes from gpa on that share it (0: to the end of the address space). */
int gyve_core_page_state(struct gyve_core *core, gyve_gpa_t gpa, uint64_t *len);
/** "NAME=VALUE" into one vCPU's registers by row. -EINVAL. */
int gyve_core_set_reg(struct gyve_core *core, unsigned cpu, const char *assignment, struct gyve_err *err);
#endif
