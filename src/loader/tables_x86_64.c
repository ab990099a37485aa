/* Page tables for a guest that makes its own later. */
#include "../base/bytes.h"
#include "gyve/loader.h"

void gyve_x86_identity_tables(uint8_t *p, gyve_gpa_t gpa)
{
	put_le64(p, (gpa + 0x1000) | 3);
	for (uint64_t g = 0; g < 4; g++) {
		put_le64(p + 0x1000 + 8 * g, (gpa + 0x2000 + 0x1000 * g) | 3);
		for (uint64_t i = 0; i < 512; i++)
			put_le64(p + 0x2000 + 0x1000 * g + 8 * i, g << 30 | i << 21 | 0x83);
	}
}
