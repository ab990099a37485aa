/* A target in memory for libgdbstub: three threads, two stretches of memory with a hole between, every call recorded. */
#ifndef FAKE_TARGET_H
#define FAKE_TARGET_H
#include "gdbstub.h"

enum {
	FAKE_THREADS = 3,
	FAKE_LOW = 0x1000,  /**< memory [LOW, LOW + SIZE) */
	FAKE_HIGH = 0x4000, /**< and [HIGH, HIGH + SIZE) */
	FAKE_SIZE = 0x1000,
	FAKE_NREGS = 14,
	FAKE_NG = 8,
	FAKE_PC = 2,
	FAKE_SP = 1,
	FAKE_FP = 0,
	FAKE_MISSING = 5, /**< a register that reads as -ENODATA */
	FAKE_READONLY = 9,
	FAKE_POINTS = 16,
};

struct fake_target {
	uint8_t low[FAKE_SIZE], high[FAKE_SIZE];
	uint8_t regs[FAKE_THREADS + 1][FAKE_NREGS][32];
	size_t nthreads;
	struct gdbstub_stop stop; /**< what stop_reason says */
	bool running;
	bool nonstop, halted[FAKE_THREADS + 1]; /**< non-stop: which threads are stopped */
	bool phys_mode;

	char log[4096]; /**< "resume 1:c 2:-;interrupt;..." */
	struct {
		int type;
		uint64_t addr, kind;
		bool used;
	} points[FAKE_POINTS];
	size_t nconditions, condition_bytes; /* of the last set_conditions */
	struct gdbstub_tracepoint tp;        /* as defined last; number 0: none */
	struct gdbstub_trace_action actions[8];
	unsigned nactions;
	char texts[8][64];
	unsigned ntexts;
	int open_files;
	int resume_error; /**< what resume answers */
};

extern const struct gdbstub_arch fake_arch;
extern const struct gdbstub_ops fake_ops;
/** Every slot NULL. */
extern const struct gdbstub_ops fake_no_ops;
extern const char fake_file[]; /**< contents of the only file, "/fake/image" */
extern const size_t fake_file_len;

/** Memory holds its address's low byte; thread 1 is stopped with SIGTRAP. */
void fake_target_init(struct fake_target *f);
#endif
