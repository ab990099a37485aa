/* Images in. elf.c parses hostile ELF files with libelf and checks every offset against the file; platforms (hermit, bare)
 * use it to lay a guest out. Nothing here knows KVM. */
#ifndef GYVE_LOADER_H
#define GYVE_LOADER_H
#include "gyve/error.h"
#include "gyve/mem.h"
#include "gyve/regs.h"

#define GYVE_ELF_MAX_SEGMENTS 128
/** One PT_LOAD, checked: offset+filesz inside the file, filesz <= memsz, no address wraps, no overlap with another. */
struct gyve_segment {
	gyve_gva_t vaddr;
	gyve_gpa_t paddr;
	uint64_t offset, filesz, memsz;
	unsigned perms; /**< GYVE_PERM_* */
};

struct gyve_elf {
	const uint8_t *data; /**< whole file, borrowed from the caller for the life of this struct */
	size_t size;
	int machine;    /**< EM_* */
	bool dyn;       /**< ET_DYN */
	uint64_t entry; /**< a virtual address, or a physical one, of a segment */
	unsigned nsegs;
	struct gyve_segment seg[GYVE_ELF_MAX_SEGMENTS]; /**< ascending vaddr */
	struct {
		bool present;
		uint64_t vaddr, filesz, memsz, align;
	} tls;
	struct {
		uint64_t offset, filesz, align;
		bool present;
	} note; /**< the first PT_NOTE */
	struct {
		uint64_t offset, filesz;
		bool present;
	} dynamic;
};
/** Parse and check an ELF64 little-endian ET_EXEC/ET_DYN image. -ENOEXEC and a sentence that names what is wrong. */
int gyve_elf_parse(struct gyve_elf *ret, const void *data, size_t size, struct gyve_err *err);
/** The machine of e_machine in words: "x86_64", "32-bit Arm" ..., "machine N" written to buf if it has no name here. */
const char *gyve_elf_machine(int machine, char buf[24]);
/** Find a note by owner and type. Returns desc length and *desc, -ENOENT, or -ENOEXEC when the notes are damaged. */
ssize_t gyve_elf_note(const struct gyve_elf *elf, const char *owner, uint32_t type, const uint8_t **desc);
/** The GNU build id of an image: its bytes, at most max, in ret; their number, or -ENOENT. */
ssize_t gyve_elf_build_id(const void *data, size_t size, uint8_t *ret, size_t max);
/** First vaddr and exclusive end of all segments. */
void gyve_elf_span(const struct gyve_elf *elf, uint64_t *lo, uint64_t *hi);
/** Copy the segments to mem (destination = vaddr + bias, or paddr + bias with by_paddr) and zero the rest of memsz. */
int gyve_elf_copy(const struct gyve_elf *elf, const struct gyve_memmap *mem, uint64_t bias, bool by_paddr,
		  struct gyve_err *err);
/** Apply RELA relocations of an ET_DYN image loaded with bias (RELATIVE, ABS64, GLOB_DAT of both architectures).
 * Refuses DT_NEEDED, REL, unknown types and targets outside the image. */
int gyve_elf_relocate(const struct gyve_elf *elf, const struct gyve_memmap *mem, uint64_t bias, struct gyve_err *err);

/** Unpack a gzip, bzip2, lzma, xz, lz4 or zstd stream of at most max bytes; what is none of them is copied. *ret is the
 * caller's to free. -ENOEXEC: damaged; -E2BIG: longer; -ENOTSUP, -ENOSYS: no libarchive. One thread, before isolation. */
int gyve_unpack(const void *data, size_t size, uint64_t max, uint8_t **ret, size_t *len, struct gyve_err *err);

enum { GYVE_X86_IDENTITY_TABLES = 6 * 4096 }; /* PML4, PDPT, four PDs */
/** 2 MiB pages, supervisor, writable and executable, for the first 4 GiB, to p, which is guest memory at gpa. */
void gyve_x86_identity_tables(uint8_t *p, gyve_gpa_t gpa);

struct gyve_filemap;
struct gyve_net;
struct gyve_dev_host;

/** What the user asked for; borrowed strings. */
struct gyve_boot_params {
	const char *path;   /**< image path as given */
	const char *file;   /**< what to read instead, NULL: path */
	const void *initrd; /**< goes behind a Hermit or Linux kernel; borrowed, NULL: nothing */
	uint64_t initrd_len;
	const char *append; /**< words of a Linux kernel's command line, before args; NULL: none */
	const void *dtb;    /**< device tree for a Linux kernel; borrowed, NULL: none */
	size_t dtb_len;
	const char *const *disks; /**< of a Linux guest: FILE[,ro|,overlay], NULL-terminated; NULL: none */
	bool self_unpack;         /**< a compressed kernel shall unpack itself, as on hardware */
	bool virtio_console;      /**< of a Linux guest: hvc0, which has the input in place of the serial port */
	uint64_t mem_size;        /**< bytes */
	bool mem_size_given;
	unsigned ncpus;
	bool aslr;
	uint32_t tsc_khz;
	const char *const *args;    /**< after IMAGE, NULL-terminated */
	const char *const *env;     /**< "K=V", NULL-terminated */
	struct gyve_filemap *files; /**< what a guest that opens files finds; borrowed, NULL: nothing */
	struct gyve_net *net;       /**< where the guest's network card leads; borrowed, NULL: it has none */
	const char *tempdir;        /**< where files at unmapped paths go; NULL: TMPDIR */
	bool no_input;              /**< standard input is not the guest's */
	int terminal;               /**< what a Linux guest reads in its place: a descriptor; 0: nothing */
	bool strict;                /**< an unknown port or MMIO access ends the guest */
};

/** Where the loaded image ended up: what breakpoints and symbols need. */
struct gyve_layout {
	enum gyve_arch_id arch;
	gyve_gpa_t ram_gpa;
	uint64_t ram_len;   /**< bytes of memory, the gap not counted */
	gyve_gpa_t gap_gpa; /**< x86: where devices are; memory goes on behind them. Its length 0: there is none */
	uint64_t gap_len;
	uint64_t window_len; /**< bytes at the start of RAM with no memory behind them: stores there are hypercalls */
	uint64_t bias;       /**< run-time address - link-time vaddr */
	gyve_gva_t entry;
	gyve_gva_t place; /**< where a kernel that moves itself maps its first byte, once it was seen; 0: not known */
	unsigned nsegs;   /**< run-time gva -> gpa while the guest has no page tables of its own; first the image's first */
	struct {
		gyve_gva_t gva;
		gyve_gpa_t gpa;
		uint64_t len;
		unsigned perms;
	} seg[GYVE_ELF_MAX_SEGMENTS];
};

/** The vCPU that made a port or MMIO access, as a platform sees it. */
struct gyve_access {
	unsigned cpu;
	bool write, pio;
	uint64_t addr; /**< port or gpa */
	unsigned len;  /**< bytes, 1..8 */
	uint8_t *data; /**< len bytes; a read fills them */
	/** Registers of this vCPU (groups fetched on demand). Borrowed for the call. NULL on error. */
	const struct gyve_regs *(*regs)(void *ctx, unsigned groups);
	/** Is this vCPU wanted out (a debugger's stop, the end)? Whoever waits for something outside has to ask. May be NULL.
	 */
	bool (*interrupted)(void *ctx);
	void *ctx;
};
enum gyve_access_result { GYVE_ACCESS_DONE, GYVE_ACCESS_UNKNOWN, GYVE_ACCESS_EXIT, GYVE_ACCESS_CRASH };

/** Guest output: called on vCPU threads, serialised by the platform. */
struct gyve_sink {
	void (*write)(void *ctx, const void *buf, size_t len);
	void *ctx;
};

/** A guest interface: what an image expects of its hypervisor. One row each: hermit, bare. */
struct gyve_platform_ops {
	const char *name;
	const char *brand; /**< x86 CPUID brand string its guests know, NULL: the host's */
	/** Architecture of its images where they are no ELF files: probe() and plan() get an otherwise empty gyve_elf with data
	 * and size then. 0: it takes ELF files only. */
	enum gyve_arch_id raw;
	/** The guest starts its vCPUs but the first, by PSCI or start-up interrupts. */
	bool starts_cpus;
	bool wants_pit;   /**< x86: its guests expect an interval timer */
	bool has_network; /**< attach() makes a card where params->net is one */
	/** aarch64: so many instructions the other vCPUs are to be through with before vCPU 0 starts. */
	unsigned first_steps;
	/** Does this platform take the parsed image? */
	bool (*probe)(const struct gyve_elf *elf);
	/** Choose RAM base and size, load address; create the platform's state. Keeps elf and params borrowed. */
	int (*plan)(const struct gyve_elf *elf, const struct gyve_boot_params *params, const struct gyve_sink *out,
		    struct gyve_layout *layout, void **state, struct gyve_err *err);
	/** RAM is in map now (zeroed): copy the image, relocate, write tables, boot info, FDT. Again at reset. */
	int (*load)(void *state, const struct gyve_memmap *map, struct gyve_err *err);
	/** Initial registers of vCPU n: r holds its reset state; change what the platform defines. GPR and SYS groups are
	 * stored. */
	void (*cpu_init)(void *state, unsigned cpu, struct gyve_regs *r);
	/** Does the image choose by itself, but always alike, where it maps seg[0]? NULL: it does not. */
	bool (*moves)(void *state);
	/** Make the devices, before the first access: host is borrowed for the life of the state. NULL: it has none. */
	int (*attach)(void *state, const struct gyve_dev_host *host, struct gyve_err *err);
	/** EXIT: *code holds the guest's exit code. CRASH: err says why. */
	enum gyve_access_result (*access)(void *state, struct gyve_access *a, int *code, struct gyve_err *err);
	/** Is this access a hypercall? Its number, else -1. NULL: there are none. */
	int64_t (*call_number)(void *state, const struct gyve_access *a);
	/** Name and number of the i-th; NULL behind the last. */
	const char *(*call_row)(size_t i, uint32_t *number);
	/** How often the guest has made call i, and in *name what it is called: NULL behind the last. NULL: no calls. */
	uint64_t (*call_count)(void *state, size_t i, const char **name);
	void (*destroy)(void *state);
};
extern const struct gyve_platform_ops gyve_platform_hermit, gyve_platform_bare, gyve_platform_bare_aarch64,
	gyve_platform_linux_arm64, gyve_platform_linux_x86_64;
#endif
