/* Address types shared by every layer. No code here. */
#ifndef GYVE_TYPES_H
#define GYVE_TYPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint64_t gyve_gva_t; /**< guest virtual address */
typedef uint64_t gyve_gpa_t; /**< guest physical address */

#define GYVE_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
