/* A guest of a few instructions in a VM over the fake backend, for tests of run control and of points. */
#ifndef RUN_GUEST_H
#define RUN_GUEST_H
#include "fake_backend.h"
#include "gyve/vm.h"

#define BASE 0x200000

struct guest {
	struct gyve_vm *vm;
	char path[64];
	unsigned ncpus;
	char out[64];
	size_t nout;
};

/** Of the guests started next. */
extern enum gyve_break_strategy break_strategy;
extern enum gyve_watch_strategy watch_strategy;

void write_elf(struct guest *g, const uint8_t *code, size_t len);
struct guest *start(unsigned ncpus, const uint8_t *code, size_t len);
void end(struct guest *g);
struct gyve_stop wait_stop(struct guest *g);
struct gyve_stop go(struct guest *g, enum gyve_action act, int only);
uint64_t pc(struct guest *g, unsigned cpu);
uint8_t byte_at(struct guest *g, uint64_t gpa);
uint8_t raw_at(struct guest *g, uint64_t gpa);

extern const uint8_t loop_code[10]; /**< nop; L: inc [DATA]; nop; jmp L */
#define LOOP (BASE + 1)
#define DATA (BASE + 0x200)

/* Set-up functions of cmocka: fake_host becomes ... */
int as_plain_host(void **state);
int as_emulating_host(void **state);

#endif
