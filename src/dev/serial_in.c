/* See serial_in.h. */
#include "serial_in.h"

#include <poll.h>
#include <unistd.h>

unsigned serial_in_room(const struct serial_in *in, unsigned depth)
{
	return in->count < depth ? depth - in->count : 0;
}

bool serial_in_push(struct serial_in *in, unsigned depth, uint8_t byte)
{
	if (!serial_in_room(in, depth))
		return false;
	in->fifo[(in->head + in->count++) % SERIAL_IN_MAX] = byte;
	return true;
}

uint8_t serial_in_pop(struct serial_in *in)
{
	uint8_t byte = in->count ? in->fifo[in->head] : 0;

	if (in->count) {
		in->head = (in->head + 1) % SERIAL_IN_MAX;
		in->count--;
	}
	return byte;
}

void serial_in_watch(struct serial_in *in, bool want)
{
	want = want && in->fd >= 0;
	if (want != in->watched && in->loop)
		gyve_loop_watch(in->loop, in->fd, want ? POLLIN : 0, in->fn, in->ctx);
	in->watched = want;
}

void serial_in_read(struct serial_in *in, unsigned n)
{
	uint8_t buf[SERIAL_IN_MAX];
	ssize_t got = in->fd >= 0 && n ? read(in->fd, buf, n < sizeof(buf) ? n : sizeof(buf)) : -1;

	for (ssize_t i = 0; i < got; i++)
		serial_in_push(in, SERIAL_IN_MAX, buf[i]);
	if (got == 0) { /* nobody types any more */
		gyve_loop_unwatch(in->loop, in->fd);
		in->fd = -1;
		in->watched = false;
	}
}

void serial_in_end(struct serial_in *in)
{
	if (in->fd >= 0 && in->loop)
		gyve_loop_unwatch(in->loop, in->fd);
}
