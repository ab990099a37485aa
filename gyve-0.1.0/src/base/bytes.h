/* Little-endian loads and stores, alignment. For bytes whose alignment is not known. */
#ifndef GYVE_BYTES_H
#define GYVE_BYTES_H
#include <stdint.h>
#include <string.h>

#define GYVE_LE(name, type)                            \
	static inline type get_##name(const void *p)   \
	{                                              \
		type v;                                \
		memcpy(&v, p, sizeof(v));              \
		return v;                              \
	}                                              \
	static inline void put_##name(void *p, type v) \
	{                                              \
		memcpy(p, &v, sizeof(v));              \
	}
/* Every host gyve builds on is little endian (configure.ac). */
GYVE_LE(le16, uint16_t)
GYVE_LE(le32, uint32_t)
GYVE_LE(le64, uint64_t)
#undef GYVE_LE

/** Round v up / down to a power of two. */
static inline uint64_t align_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) & ~(to - 1);
}
static inline uint64_t align_down(uint64_t v, uint64_t to)
{
	return v & ~(to - 1);
}
#endif
