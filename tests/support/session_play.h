/* A debugger's session, made of bytes: packets that mean something, in any order, cut off anywhere, through the server's socket
 * into a VM over the fake backend. */
#ifndef SESSION_PLAY_H
#define SESSION_PLAY_H
#include <stddef.h>
#include <stdint.h>

/** Play the session that data means. Aborts when the server does not answer a new client afterwards, or when a breakpoint is
 * left in the guest's code. Returns the number of packets that were sent whole. */
unsigned session_play(const uint8_t *data, size_t size);
/** The same for text (whole packets, framed), of which the client sends the first len bytes and goes. */
void session_cut(const char *text, size_t len);
#endif
