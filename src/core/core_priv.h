/* Private to src/core: notes and the bytes behind an opened dump. */
#ifndef GYVE_CORE_PRIV_H
#define GYVE_CORE_PRIV_H
#include "gyve/core.h"

#include <elf.h>

/* Debian 12's elf.h has not all of them */
enum {
	NOTE_PRSTATUS = 1,
	NOTE_FPREGSET = 2,
	NOTE_AUXV = 6,
	NOTE_FILE = 0x46494c45,
	NOTE_X86_XSTATE = 0x202,
	NOTE_ARM_TLS = 0x401,
	NOTE_ARM_PAC_MASK = 0x406,
	NOTE_QEMU = 0,
	NOTE_VMCOREINFO = 0,
	/* owner "GYVE": numbers that no other owner's note has, since crash looks at them before the name */
	NOTE_GYVE_INFO = 0x47590001,
	NOTE_GYVE_REGS = 0x47590002,
	NOTE_GYVE_PAGES = 0x47590003,
	NOTE_GYVE_VALUES = 0x47590004,
	GYVE_NOTE_VERSION = 1,
};
enum {
	X86_PRSTATUS_SIZE = 336,
	X86_QEMU_SIZE = 440,
	X86_QEMU_OLD_SIZE = 432,
	A64_PRSTATUS_SIZE = 392,
	I386_PRSTATUS_SIZE = 144,
	FXSAVE_SIZE = 512,
	A64_FPREGS_SIZE = 528,
	XSAVE_XCR0_AT = 464, /* where Linux leaves XCR0 in NT_X86_XSTATE */
	PR_CURSIG = 12,
	PR_PID = 32,
	PR_REG = 112,
};

/* A growing buffer; after a failed allocation it stays failed. */
struct core_buf {
	uint8_t *p;
	size_t len, cap;
	bool failed;
};
void core_buf_add(struct core_buf *b, const void *data, size_t len);
void core_buf_zero(struct core_buf *b, size_t len);
__attribute__((format(printf, 2, 3))) void core_buf_printf(struct core_buf *b, const char *fmt, ...);
/* One note, padded to 4. */
void core_note_add(struct core_buf *b, const char *owner, uint32_t type, const void *desc, size_t len);

/* Everything that standard readers know about one vCPU (notes_x86.c, notes_a64.c). */
void core_x86_notes(struct core_buf *b, const struct gyve_x86_regs *r, unsigned cpu, int signal);
void core_x86_qemu_note(struct core_buf *b, const struct gyve_x86_regs *r);
void core_a64_notes(struct core_buf *b, const struct gyve_regs *r, unsigned cpu, int signal);
/* And back. desc is len bytes. -EINVAL: the size is wrong. */
int core_x86_prstatus(struct gyve_regs *r, const uint8_t *desc, size_t len);
int core_i386_prstatus(struct gyve_regs *r, const uint8_t *desc, size_t len);
int core_x86_fpregs(struct gyve_regs *r, const uint8_t *desc, size_t len);
int core_x86_xstate(struct gyve_regs *r, const uint8_t *desc, size_t len);
int core_x86_qemu(struct gyve_regs *r, const uint8_t *desc, size_t len);
int core_a64_prstatus(struct gyve_regs *r, const uint8_t *desc, size_t len);
int core_a64_fpregs(struct gyve_regs *r, const uint8_t *desc, size_t len);
int core_a64_tls(struct gyve_regs *r, const uint8_t *desc, size_t len);

/* Of a process: where its program begins, and which file that is (process.c). */
int core_auxv(struct gyve_core *core, const uint8_t *desc, size_t len);
int core_files(struct gyve_core *core, const uint8_t *desc, size_t len);
/* What a Linux guest says of itself (vmcoreinfo.c): from the note; or looked for in memory, if that was not there. */
int core_vmcoreinfo(struct gyve_core *core, const uint8_t *desc, size_t len);
bool core_find_linux(struct gyve_core *core);

/* Our own notes (note_gyve.c). */
void core_gyve_values(struct core_buf *b, const struct gyve_core_source *src, unsigned cpu);
void core_gyve_regs(struct core_buf *b, const struct gyve_arch *arch, const struct gyve_regs *r, unsigned cpu);
void core_gyve_info(struct core_buf *b, const struct gyve_core_info *info);
int core_gyve_regs_read(const struct gyve_arch *arch, struct gyve_regs *regs, unsigned ncpus, const uint8_t *desc, size_t len);
int core_gyve_info_read(struct gyve_core_info *info, const uint8_t *desc, size_t len);
/* Put a row's value in, read-only rows as well. */
int core_row_set(const struct gyve_reg_row *row, struct gyve_regs *r, const void *value);

/* A run of guest memory that the guest has touched (resident.c). */
struct core_run {
	gyve_gpa_t gpa;
	uint64_t len;
};
struct core_runs {
	struct core_run *run;
	size_t n, cap;
};
/* Pages of [hva, hva+len) that the process of pagemap_fd (0: this one) has memory or swap for; appended with gpa. 0 or negative
 * errno. */
int core_resident(struct core_runs *runs, int pagemap_fd, const uint8_t *hva, uint64_t len, gyve_gpa_t gpa);

/* Where a dump's bytes go (output.c): in order, holes skipped; through zstd or not. */
struct core_out;
int core_out_create(struct core_out **ret, const char *path, bool compress, struct gyve_err *err);
/* off never goes down. */
int core_out_write(struct core_out *o, uint64_t off, const void *data, size_t len);
/* Extend to size, sync, give it its name. */
int core_out_finish(struct core_out *o, uint64_t size, struct gyve_err *err);
/* Throw it away unless finished. NULL ok. */
void core_out_destroy(struct core_out *o);

/* --- reading */

/* The bytes of a dump file, maybe made while they are read. */
struct gyve_core_backing {
	const uint8_t *data; /* the file, decompressed if it was compressed */
	uint64_t size;
	void *map; /* what to unmap; NULL: borrowed */
	uint64_t map_len;
	/* Make [p, p+len) readable; p points into data or into a region. NULL: it is. Negative errno: cannot. */
	int (*need)(struct gyve_core *core, const uint8_t *p, uint64_t len);
	void (*destroy)(struct gyve_core_backing *b);
	void *priv;
	struct {
		void *p;
		uint64_t len;
	} * anon; /* zero memory for segments' ends */
	size_t nanon;
	struct core_pages {
		uint64_t gpa, len;
		uint32_t state;
	} * pages; /* from our note, sorted; NULL: unknown */
	size_t npages;
	struct core_values {
		unsigned cpu;
		uint32_t n;
		const uint8_t *p; /* n entries of 16 bytes, in the file */
	} * values;
	size_t nvalues;
	bool any_absent; /* some of them cannot be read */
};

__attribute__((format(printf, 2, 3))) void core_warn(struct gyve_core *core, const char *fmt, ...);
/* Memory of zeros at gpa (or the rest of a segment). */
int core_add_zero(struct gyve_core *core, gyve_gpa_t gpa, uint64_t len, uint8_t **ret);
/* File bytes [off, off+len) as memory at gpa: what the file does not hold is left out with a warning. */
int core_add_file(struct gyve_core *core, gyve_gpa_t gpa, uint64_t off, uint64_t len, const char *what);
int core_set_cpus(struct gyve_core *core, unsigned n);

int core_elf_open(struct gyve_core *core, const struct gyve_core_open *opt, struct gyve_err *err);
int core_elf_notes(struct gyve_core *core, const uint8_t *p, uint64_t len, unsigned align, bool i386);
int core_lime_open(struct gyve_core *core, struct gyve_err *err);
int core_raw_open(struct gyve_core *core, const struct gyve_core_open *opt, struct gyve_err *err);
/* kdump-compressed by its path; 0 also when it is something else. */
int core_kdump_open(struct gyve_core *core, const char *path, struct gyve_err *err);
/* Put a flattened dump in order, and take that as the backing: returns a file of it, to be closed. -ENOENT: it is not
 * flattened. */
int core_flat_open(struct gyve_core *core, bool writable, struct gyve_err *err);
/* Replace the backing by what it decompresses to. 0 also when it is not compressed. */
int core_zstd_open(struct gyve_core *core, struct gyve_err *err);
#endif
