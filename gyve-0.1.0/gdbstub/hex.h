/* Strict hex, both ways. Junk is an error, never a zero. */
#ifndef GDBSTUB_HEX_H
#define GDBSTUB_HEX_H
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Value of a hex digit, -1 if it is none. */
int gdbstub_hex_digit(char c);
/** Write 2*len lower-case digits (no NUL). */
void gdbstub_hex_encode(char *out, const void *in, size_t len);
/** Decode digits into len/2 bytes. Returns bytes, -EINVAL for an odd length or a digit that is none. */
ssize_t gdbstub_hex_decode(void *out, const char *in, size_t len);
#endif
