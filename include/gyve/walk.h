/* virt_to_phys by our own page-table walkers. Pure functions of {paging registers, "read gpa"}; they never write, so no
 * accessed/dirty bit is ever set. Both architectures are built on every host.
 * Sources: Intel SDM vol. 3A chapter 4; Arm ARM (DDI 0487) D8 "The AArch64 Virtual Memory System Architecture". */
#ifndef GYVE_WALK_H
#define GYVE_WALK_H
#include "gyve/mem.h"
#include "gyve/regs.h"

/** Paging state: plain values taken from registers. */
struct gyve_mmu {
	enum gyve_arch_id arch;
	unsigned pa_bits; /**< MAXPHYADDR / PARange in bits; 0 = the architectural maximum (52) */
	bool flat;        /**< there is no translation, nor a limit: of a dump whose tables are not known */
	union {
		struct {
			uint64_t cr0, cr3, cr4, efer;
			bool gbpages_unsupported;
		} x86;
		struct {
			uint64_t sctlr, tcr, ttbr0, ttbr1, mair;
			bool lpa2; /**< TCR.DS is honoured */
		} a64;
	};
};

enum gyve_walk_status {
	GYVE_WALK_OK,
	GYVE_WALK_NOT_PRESENT,  /**< entry invalid */
	GYVE_WALK_RESERVED,     /**< reserved bits set in an entry */
	GYVE_WALK_NONCANONICAL, /**< gva outside both halves */
	GYVE_WALK_NO_MEMORY,    /**< the table itself lies outside guest memory */
	GYVE_WALK_DISABLED,     /**< this half is switched off (TCR.EPDn) */
	GYVE_WALK_BAD_CONFIG,   /**< the registers themselves are not legal */
};

enum { GYVE_PERM_R = 1, GYVE_PERM_W = 2, GYVE_PERM_X = 4, GYVE_PERM_U = 8 }; /**< as EL1 / ring 0 sees it; U: user may access */

struct gyve_walk_step {
	int level;            /**< x86: 5..1 (PML5..PT); aarch64: -1..3 */
	gyve_gpa_t entry_gpa; /**< where the entry was read */
	uint64_t entry;
};

struct gyve_walk {
	enum gyve_walk_status status;
	gyve_gpa_t gpa;                  /**< of the byte asked for; valid if OK */
	uint64_t page_size;              /**< bytes of the page or block (aarch64 contiguous runs: of one page; see contiguous).
					  * On failure: bytes of the hole that the failing entry covers (aligned around gva). 0: unknown */
	unsigned perms;                  /**< GYVE_PERM_*, combined over all levels */
	unsigned memtype;                /**< x86: PAT index (PAT<<2|PCD<<1|PWT); aarch64: the MAIR attribute byte */
	bool global, contiguous, user_x; /**< user_x: user mode may execute (differs from X on aarch64) */
	unsigned nsteps;
	struct gyve_walk_step step[6]; /**< every entry read, in order; the last one is the leaf or the culprit */
};

/** Paging state from the SYS group of regs. */
void gyve_mmu_from_regs(struct gyve_mmu *ret, const struct gyve_regs *regs);
/** Translate gva. Returns 0 and status OK, or -EFAULT with the reason in ret (ret is always filled in). */
int gyve_walk(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, struct gyve_walk *ret);
/** One sentence: "0x...: PDE (level 2) at gpa 0x... is 0x0: not present". Returns length as snprintf. */
int gyve_walk_explain(const struct gyve_mmu *mmu, gyve_gva_t gva, const struct gyve_walk *w, char *buf, size_t size);
/** "PML4E", "PDE", "level 2 table" ...: the level's name in the architecture's own terms. */
const char *gyve_walk_level_name(const struct gyve_mmu *mmu, int level);

/** A run of equal permissions and type whose gpa advances with gva. */
struct gyve_range {
	gyve_gva_t start, end_incl;
	gyve_gpa_t gpa;
	unsigned perms, memtype;
	uint64_t page_size;
};
/** Call cb for every mapped range in [from, to_incl], merged, ascending. cb returns nonzero to end. Holes are skipped by the
 * size of the entry that made them, so an empty 48-bit space costs 512 reads. Returns 0, cb's value, or -EFAULT. */
int gyve_walk_ranges(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t from, gyve_gva_t to_incl,
		     int (*cb)(void *ctx, const struct gyve_range *r), void *ctx);

/** Virtual access: walk page by page, then phys. Short at the first unmapped or absent byte; -EFAULT if none, and then (also
 * when short) *fault, if not NULL, holds the walk that failed (status OK there means: mapped, but no memory at that gpa). */
ssize_t gyve_virt_read(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, void *buf, size_t len,
		       struct gyve_walk *fault);
ssize_t gyve_virt_write(const struct gyve_mmu *mmu, const struct gyve_mem *phys, gyve_gva_t gva, const void *buf, size_t len,
			struct gyve_walk *fault);
#endif
