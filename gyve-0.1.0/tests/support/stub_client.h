/* The client's side of a session in tests: packets as text, answers decoded, everything in one buffer. */
#ifndef STUB_CLIENT_H
#define STUB_CLIENT_H
#include "unit.h"

#include "fake_target.h"

#include <stdio.h>
#include <stdlib.h>

extern struct fake_target fake;
extern struct gdbstub *stub;
/** What gdbstub_feed() said last. */
extern int fed;

/** A fresh session over a fresh fake; for cmocka's setup and teardown. */
int client_setup(void **state);
/** The same without acknowledgements, E.text, swbreak and hwbreak agreed. */
int client_setup_modern(void **state);
int client_teardown(void **state);

/** Feed bytes; at most `split` at a time (0: all at once). */
void client_feed(const void *bytes, size_t len);
extern size_t client_split;
/** Frame text as a packet into out (at least 2 * len + 5 bytes): escapes done, checksum right. Returns its length. */
size_t client_frame(char *out, const void *data, size_t len);
void client_send(const void *data, size_t len);
/** All that the stub wants sent, raw; "" for none. Borrowed until the next call. *len may be NULL. */
const char *client_raw(size_t *len);
/** The next packet's payload, run lengths and escapes resolved; NULL when there is none. Fails on anything malformed. */
const char *client_packet(size_t *len);
/** Send, then expect exactly one packet back. */
const char *client_ask(const char *packet);
#define assert_answer(packet, answer) assert_string_equal(client_ask(packet), answer)
#define assert_silent() assert_null(client_packet(NULL))
#endif
