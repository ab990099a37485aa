#include "hex.h"

#include <errno.h>

int gdbstub_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void gdbstub_hex_encode(char *out, const void *in, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = in;
	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
}

ssize_t gdbstub_hex_decode(void *out, const char *in, size_t len)
{
	uint8_t *p = out;
	if (len & 1)
		return -EINVAL;
	for (size_t i = 0; i < len; i += 2) {
		int hi = gdbstub_hex_digit(in[i]), lo = gdbstub_hex_digit(in[i + 1]);
		if (hi < 0 || lo < 0)
			return -EINVAL;
		*p++ = (uint8_t)(hi << 4 | lo);
	}
	return (ssize_t)(len / 2);
}
