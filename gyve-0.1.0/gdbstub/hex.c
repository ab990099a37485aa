#include "hex.h"

#include <errno.h>
#include <string.h>

int gdbstub_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Eight bytes to sixteen digits: each byte becomes a lane of two nibbles, the high one first in memory; a nibble of ten or
 * more gets the distance from '9' to 'a' on top. */
static void encode_eight(char *out, const uint8_t *in)
{
	typedef uint8_t bytes __attribute__((vector_size(8)));
	typedef uint16_t pairs __attribute__((vector_size(16)));
	bytes b;
	pairs n;

	memcpy(&b, in, sizeof(b));
	n = __builtin_convertvector(b, pairs);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	n = n >> 4 | (n & 15) << 8;
#else
	n = n >> 4 << 8 | (n & 15);
#endif
	n += 0x3030 + (((n + 0x0606) >> 4) & 0x0101) * ('a' - '9' - 1);
	memcpy(out, &n, sizeof(n));
}

void gdbstub_hex_encode(char *out, const void *in, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = in;
	for (; len >= 8; len -= 8, p += 8, out += 16)
		encode_eight(out, p);
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
