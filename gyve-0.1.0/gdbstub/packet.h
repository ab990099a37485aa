/* Private: a cursor over one packet's arguments. Strict: what does not parse sets bad, and bad stays. A handler reads all its
 * arguments, ends with gdbstub_cur_done(), and acts only when that says yes. */
#ifndef GDBSTUB_PACKET_H
#define GDBSTUB_PACKET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gdbstub_cur {
	const char *p, *end;
	bool bad;
};

/** Hex digits, at least one; more than 64 bits is bad. 0 when bad. */
uint64_t gdbstub_cur_hex(struct gdbstub_cur *c);
/** The same for a number that must not exceed max. */
uint64_t gdbstub_cur_hex_max(struct gdbstub_cur *c, uint64_t max);
/** Thread id: -1 all, 0 any, else 1..INT_MAX. */
int gdbstub_cur_thread(struct gdbstub_cur *c);
/** This character must come now. */
void gdbstub_cur_expect(struct gdbstub_cur *c, char ch);
/** Take this character if it comes now. */
bool gdbstub_cur_accept(struct gdbstub_cur *c, char ch);
/** Everything up to (without) the separator, which is taken too; without one the rest. */
struct gdbstub_cur gdbstub_cur_until(struct gdbstub_cur *c, char sep);
/** Everything parsed and nothing left over? */
bool gdbstub_cur_done(const struct gdbstub_cur *c);
size_t gdbstub_cur_left(const struct gdbstub_cur *c);
/** Is what is left exactly this text? */
bool gdbstub_cur_is(const struct gdbstub_cur *c, const char *text);
/** Decode what is left, hex digits of a text, as a string of at most size - 1 bytes; bad if longer, or with a NUL inside. */
void gdbstub_cur_hex_text(struct gdbstub_cur *c, char *out, size_t size);
#endif
