/* Private to src/dev: what serial ports receive: a FIFO that is filled from a descriptor through the loop, as far as the guest
 * is ready for it. Under the port's lock, all of it. */
#ifndef GYVE_SERIAL_IN_H
#define GYVE_SERIAL_IN_H
#include "gyve/dev.h"

enum { SERIAL_IN_MAX = 32 };

struct serial_in {
	struct gyve_loop *loop; /**< NULL: nothing comes in */
	gyve_loop_fn *fn;       /**< called when fd has something: it locks the port and calls serial_in_read() */
	void *ctx;
	int fd;       /**< -1: none, or it has ended */
	bool watched; /**< the loop waits for it */
	uint8_t fifo[SERIAL_IN_MAX];
	unsigned head, count;
};

/** Bytes that still go into a FIFO of depth bytes, at most SERIAL_IN_MAX. */
unsigned serial_in_room(const struct serial_in *in, unsigned depth);
/** false: it is full. */
bool serial_in_push(struct serial_in *in, unsigned depth, uint8_t byte);
/** 0 where there is none. */
uint8_t serial_in_pop(struct serial_in *in);
/** Does the guest want more? */
void serial_in_watch(struct serial_in *in, bool want);
/** Take what there is, up to n bytes. */
void serial_in_read(struct serial_in *in, unsigned n);
/** The loop is paused or gone. */
void serial_in_end(struct serial_in *in);
#endif
