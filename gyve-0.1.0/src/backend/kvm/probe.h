/* Private to the probe: one small VM for all questions, and what the host halves (probe_<host>.c) give. */
#ifndef GYVE_KVM_PROBE_H
#define GYVE_KVM_PROBE_H
#include "gyve/probe.h"
#include "kvm_host.h"

enum kvm_probe_what {
	KVM_PROBE_SW_BP,    /**< a breakpoint instruction */
	KVM_PROBE_WATCH,    /**< a byte, 1, stored at KVM_PROBE_DATA */
	KVM_PROBE_READ,     /**< a byte loaded from there */
	KVM_PROBE_RO_WRITE, /**< a byte stored at KVM_PROBE_RO */
	KVM_PROBE_RO_READ,  /**< a byte loaded from there */
	KVM_PROBE_SIMD,     /**< one vector instruction */
	KVM_PROBE_NOPS,     /**< eight instructions that do nothing */
	KVM_PROBE_OUT,      /**< x86_64: a port write */
	KVM_PROBE_PAIR,     /**< aarch64: a load that KVM does not describe, from KVM_PROBE_RO */
	KVM_PROBE_END       /**< nothing: just the end that all of them have */
};
enum { KVM_PROBE_LEN = 0x6000, KVM_PROBE_DATA = 0x5000, KVM_PROBE_RO = 0x100000, KVM_PROBE_ABSENT = 0x200000 };

struct probe {
	struct gyve_bvm *vm;
	struct gyve_bvcpu *v;
	uint8_t *mem;                 /**< KVM_PROBE_LEN bytes at gpa 0, then a page for KVM_PROBE_RO */
	bool page;                    /**< that page is mapped */
	struct gyve_probe_fact *fact; /**< to be filled in */
	struct gyve_host_caps caps;   /**< as found; only in a report */
};

int probe_open(struct probe *p, struct gyve_err *err);
void probe_close(struct probe *p);
/** As right after probe_open(). */
int probe_again(struct probe *p);
/** Map the page at KVM_PROBE_RO; flags: GYVE_MAP_*. */
int probe_map_page(struct probe *p, unsigned flags);
/** The first exit of the code of what under d. GYVE_EXIT_UNKNOWN: also when something failed. */
enum gyve_exit_kind probe_run(struct probe *p, enum kvm_probe_what what, const struct gyve_debug *d, struct gyve_exit *e);
/** The next exit. */
enum gyve_exit_kind probe_go_on(struct probe *p, struct gyve_exit *e);
uint64_t probe_pc(struct probe *p);
void probe_say(struct probe *p, enum gyve_probe_state state, const char *strategy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static inline bool probe_is_debug(const struct gyve_exit *e, enum gyve_debug_kind kind)
{
	return e->kind == GYVE_EXIT_DEBUG && e->debug.kinds & 1u << kind;
}

/** Fill in what only running a guest shows. -ENOTSUP and the like: nothing could be run. */
int probe_find(struct gyve_host_caps *caps, struct gyve_err *err);

/* The host half. */
struct probe_row {
	const char *feature;
	void (*fn)(struct probe *p);
};
extern const struct probe_row kvm_host_probe_rows[];
extern const size_t kvm_host_probe_nrows;
extern const unsigned kvm_host_probe_insn; /**< bytes of one of the instructions of KVM_PROBE_NOPS */
/** Put tables and code into mem, KVM_PROBE_LEN bytes seen by the guest at gpa 0. */
void kvm_host_probe_load(uint8_t *mem);
/** Guest address of the code of what. */
uint64_t kvm_host_probe_code(enum kvm_probe_what what);
/** Make v ready to run the code of what. */
int kvm_host_probe_enter(struct gyve_bvcpu *v, enum kvm_probe_what what);
/** Is this the exit at the end of every code? */
bool kvm_host_probe_ended(const struct gyve_exit *e);
/** Has v, which ended, come there through the guest's handler, with the address that from's breakpoint has to return to? */
bool kvm_host_probe_handled(struct gyve_bvcpu *v, const uint8_t *mem, uint64_t from);

/* probe_cache.c */
/** What an earlier process of this boot and kernel found. False: nothing that can be trusted. */
bool probe_cache_load(struct gyve_host_caps *caps);
/** Written beside and renamed. Failing is no error: it is found again. */
void probe_cache_store(const struct gyve_host_caps *caps);
/** The part of text behind key's line. Any bytes. False: of another boot, kernel or version, or not whole. */
bool probe_cache_parse(const char *text, size_t len, const char *key, struct gyve_host_caps *caps);
/** What is stored: at most size bytes, with a 0. Returns its length. */
size_t probe_cache_format(char *buf, size_t size, const char *key, const struct gyve_host_caps *caps);
#endif
