/* The seam to hypervisors: create a VM, map memory, run a vCPU until it exits, get and set its state. kvm and fake (tests)
 * implement it. <linux/kvm.h> stays below this line. */
#ifndef GYVE_BACKEND_H
#define GYVE_BACKEND_H
#include "gyve/arch.h"
#include "gyve/error.h"

struct gyve_bvm;   /**< backend VM, opaque */
struct gyve_bvcpu; /**< backend vCPU, opaque; used by its own thread, except where said */

enum gyve_exit_kind {
	GYVE_EXIT_INTR, /**< kicked or interrupted: nothing happened */
	GYVE_EXIT_IO,   /**< x86 port access; data may be filled in for reads before the next run */
	GYVE_EXIT_MMIO,
	GYVE_EXIT_HLT,
	GYVE_EXIT_DEBUG,
	GYVE_EXIT_EMULATION, /**< the host's KVM could not emulate the instruction at pc */
	GYVE_EXIT_SHUTDOWN,  /**< x86 triple fault */
	GYVE_EXIT_SYSTEM,    /**< arm64 PSCI: type below */
	GYVE_EXIT_INTERNAL,  /**< other KVM_EXIT_INTERNAL_ERROR */
	GYVE_EXIT_FAIL_ENTRY,
	GYVE_EXIT_UNKNOWN,
};
enum gyve_debug_kind { GYVE_DBG_SW_BP, GYVE_DBG_HW_BP, GYVE_DBG_WATCH, GYVE_DBG_STEP };

struct gyve_exit {
	enum gyve_exit_kind kind;
	union {
		struct {
			uint16_t port;
			uint8_t size;
			bool out;
			uint32_t count;
			uint8_t *data; /**< size*count bytes, borrowed until the next run */
		} io;
		struct {
			gyve_gpa_t gpa;
			uint8_t len;
			bool write;
			uint8_t *data;
		} mmio;
		struct {
			unsigned kinds; /**< bit mask 1u << GYVE_DBG_*; one exit can carry several */
			gyve_gva_t pc;
			gyve_gva_t addr; /**< data address of a watch hit if known */
			unsigned slots;  /**< bit mask of gyve_debug.hw[] entries that hit */
		} debug;
		struct {
			unsigned ninsn;
			uint8_t insn[16];
			bool has_gpa; /**< it accessed gpa, by the instruction at pc */
			bool write;
			gyve_gpa_t gpa;
		} emul;
		struct {
			uint32_t suberror, ndata;
			uint64_t data[16];
		} internal;
		struct {
			uint64_t reason;
		} fail_entry;
		struct {
			uint32_t type;
			uint64_t flags;
		} system;
		struct {
			uint32_t reason;
		} unknown;
	};
};

enum gyve_hw_type { GYVE_HW_NONE, GYVE_HW_EXEC, GYVE_HW_WRITE, GYVE_HW_READ, GYVE_HW_ACCESS };
#define GYVE_HW_MAX 32
/** What the next run of a vCPU traps. */
struct gyve_debug {
	bool sw_bp;     /**< breakpoint instructions leave the guest */
	bool step;      /**< one instruction */
	bool block_irq; /**< hold interrupts while stepping, if the host can */
	struct {
		enum gyve_hw_type type;
		gyve_gva_t addr;
		uint64_t len;
	} hw[GYVE_HW_MAX];
};

/** What this host's KVM does for a debugger (found by asking and probing, never by name). */
struct gyve_host_caps {
	unsigned max_vcpus;
	unsigned hw_bps, hw_wps;      /**< slots; x86: shared, both 4 */
	bool hw_shared;               /**< breakpoints and watchpoints share slots (x86) */
	bool sw_bp_is_internal_error; /**< a breakpoint instruction arrives as GYVE_EXIT_EMULATION */
	bool no_sw_bp;                /**< ... or not at all: given to the guest, or lost */
	bool no_hw_bp;                /**< execute breakpoints do not fire */
	bool hw_watch_works;          /**< data watchpoints fire */
	bool readonly_exits;          /**< a write to a read-only slot leaves as GYVE_EXIT_MMIO with its data */
	bool absent_exits;            /**< so does any access where no slot is, and can be completed */
	bool block_irq;
	bool read_watch;    /**< read-only watch exists (aarch64) */
	uint32_t tsc_khz;   /**< 0 unknown */
	bool emulates;      /**< ring 0 is emulated: expect GYVE_EXIT_EMULATION on SSE/AVX */
	unsigned sve_vl;    /**< bytes of the guest's SVE vectors, known when vCPU 0 exists; 0: it has no SVE */
	uint64_t xfeatures; /**< x86: bits that a guest can set in XCR0 */
	unsigned pa_bits;   /**< guest physical address width */
};

struct gyve_vm_config {
	unsigned ncpus;
	bool pit, cpu_pm, irqchip; /**< x86 */
	const char *brand;         /**< CPUID brand string, NULL = leave */
	bool guest_starts_cpus;    /**< vCPUs but the first wait for PSCI or INIT and SIPI */
	bool no_probe_cache;       /**< probe() runs its guests, whatever an earlier process of this boot found */
};

enum { GYVE_MAP_READONLY = 1, GYVE_MAP_LOG_DIRTY = 2 };

/** Parts of the interrupt controller, and what a register of each is called by. */
enum gyve_irq_part {
	GYVE_IRQ_LOCAL,  /**< x86: local APIC, byte offset; aarch64: the vCPU's redistributor, byte offset */
	GYVE_IRQ_GLOBAL, /**< x86: I/O APIC, number of the redirection entry; aarch64: distributor, byte offset */
	GYVE_IRQ_CPU,    /**< aarch64: CPU interface, system register number */
};

struct gyve_backend_ops {
	const char *name;
	int machine; /**< ELF machine of the guests it runs; 0: this host's */
	/** -ENOENT no /dev/kvm, -EACCES no permission, -ENOTSUP a needed capability is missing (err names it). */
	int (*vm_create)(const struct gyve_vm_config *cfg, struct gyve_bvm **ret, struct gyve_err *err);
	void (*vm_destroy)(struct gyve_bvm *vm); /**< after all vCPUs are destroyed; NULL ok */
	/** What can be asked for without running anything; tsc_khz is known once vCPU 0 exists. */
	const struct gyve_host_caps *(*caps)(struct gyve_bvm *vm);
	/** Fill in the rest of caps by running tiny guests (milliseconds, once per process). NULL: caps is complete. */
	void (*probe)(struct gyve_bvm *vm);
	int (*map)(struct gyve_bvm *vm, unsigned slot, gyve_gpa_t gpa, void *hva, uint64_t len,
		   unsigned flags); /**< len 0 unmaps */
	int (*vcpu_create)(struct gyve_bvm *vm, unsigned index, struct gyve_bvcpu **ret, struct gyve_err *err);
	void (*vcpu_destroy)(struct gyve_bvcpu *v);
	/** Run until an exit. 0 (ret filled) or a negative errno that means the vCPU cannot go on. */
	int (*run)(struct gyve_bvcpu *v, struct gyve_exit *ret);
	/** Make the current or next run() return GYVE_EXIT_INTR. Any thread. The caller signals the vCPU thread after it. */
	void (*kick)(struct gyve_bvcpu *v);
	/** Finish a pending IO/MMIO access so that registers are final, without running the guest. 0 done; 1 finishing it gave
	 * an exit of its own (a step's end, the next part of the access), which the next run() returns at once. */
	int (*settle)(struct gyve_bvcpu *v);
	/** Fetch / store register groups (GYVE_REGS_*). Only while the vCPU is outside run(); then any thread that owns it. */
	int (*get_regs)(struct gyve_bvcpu *v, unsigned groups, struct gyve_regs *ret);
	int (*set_regs)(struct gyve_bvcpu *v, unsigned groups, const struct gyve_regs *regs);
	int (*set_debug)(struct gyve_bvcpu *v, const struct gyve_debug *dbg);
	/** The breakpoint instruction at pc was not ours: deliver its exception to the guest at the next run. */
	int (*reinject_bp)(struct gyve_bvcpu *v);
	/** Every vCPU has come out (hold), and they will go on: the VM's counter stands still in between. Once for the VM, by
	 * any vCPU of it. NULL: it cannot be held. */
	void (*clock_hold)(struct gyve_bvcpu *v, bool hold);
	/** Tell the guest's clock that it was stopped (KVM_KVMCLOCK_CTRL); errors are ignored by callers. */
	int (*clock_stopped)(struct gyve_bvcpu *v);
	/** A halted vCPU goes on behind its HLT/WFI: somebody asked to step it. NULL: it never waits inside the host. */
	int (*unhalt)(struct gyve_bvcpu *v);
	/** The guest's time-stamp counter now. NULL: the host's. */
	int (*tsc)(struct gyve_bvcpu *v, uint64_t *ret);
	/** Hardware's own translation (KVM_TRANSLATE), for tests. -ENOTSUP where there is none. */
	int (*translate)(struct gyve_bvcpu *v, gyve_gva_t gva, gyve_gpa_t *ret);
	/** Read or write a register by number (see gyve_msr_find). -ENOENT: the host has no such register. NULL: none. */
	int (*msr)(struct gyve_bvcpu *v, bool write, uint32_t index, uint64_t *val);
	/** Numbers of the registers that msr() reads, at most max in ret; how many there are. NULL: not known. */
	size_t (*msr_list)(struct gyve_bvcpu *v, uint32_t *ret, size_t max);
	/** A register of the interrupt controller as vCPU v sees it, without side effects. NULL: there is no controller. */
	int (*irq_reg)(struct gyve_bvcpu *v, enum gyve_irq_part part, uint32_t reg, uint64_t *ret);
	/** Level of an interrupt line and message-signalled interrupts, as in struct gyve_dev_host. NULL: no controller. */
	int (*irq)(struct gyve_bvm *vm, unsigned line, bool level);
	int (*msi)(struct gyve_bvm *vm, uint64_t addr, uint32_t data);
	/** Bytes the program wrote at hva (guest memory) shall be what the guest executes. NULL: they are. */
	void (*sync_code)(void *hva, uint64_t len);
	/** Back to the state right after vcpu_create. */
	int (*reset)(struct gyve_bvcpu *v);
};

extern const struct gyve_backend_ops gyve_backend_kvm;
#endif
